"""What a named scenario is made of: its script, what is expected of it, and the rule without which it fails.

A scenario is a TOML file under tests/simulation/scenarios/, named like the thread of another engine's users that it
stands for; docs/simulation.md describes the format.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from mutant import Patch

DIRECTORY = Path(__file__).parent / "scenarios"


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """One thing that is done, or waited for."""


class Decide(Step, frozen=True, kw_only=True, tag="decide"):
    """Hand the engine a decision; one whose key was used before goes again as it was, byte for byte.

    Distances are basis points of the mark price, in the direction of a gain: entry_bps 6 crosses the market at once,
    -20 rests below it. refused: whether the engine is to refuse it with an error.
    """

    key: str = "a"
    symbol: str = "BTCUSDT"
    action: Literal["long", "short", "flat"] = "long"
    entry_bps: int = 6
    stop_bps: int = -60
    tp1_bps: int = 40
    tp2_bps: int = 80
    notional: int = 1_000
    refused: bool = False


class Halt(Step, frozen=True, kw_only=True, tag="halt"):
    """A person presses the kill switch."""


class Resume(Step, frozen=True, kw_only=True, tag="resume"):
    """A person resumes."""


class Until(Step, frozen=True, kw_only=True, tag="until"):
    """Wait for a condition (scenario_evidence.py); the scenario fails when that takes longer than within_ms."""

    true: str
    within_ms: int = 5_000


class Pass(Step, frozen=True, kw_only=True, tag="pass"):
    """Time passes."""

    ms: int


class Move(Step, frozen=True, kw_only=True, tag="move"):
    """The market drifts by so many basis points."""

    bps: int
    symbol: str = "BTCUSDT"
    over_ms: int = 300


class Fault(Step, frozen=True, kw_only=True, tag="fault"):
    """A fault of the simulated venue (docs/simulator.md) strikes the next `count` times that it can."""

    name: str
    count: int = 1
    options: dict[str, Any] = {}


class Cease(Step, frozen=True, kw_only=True, tag="cease"):
    """No fault of the venue strikes any more; listings lag no more."""


class Cut(Step, frozen=True, kw_only=True, tag="cut"):
    """The network lets nothing through for a while, in one direction or both."""

    ms: int
    up: bool = True
    down: bool = True


class Break(Step, frozen=True, kw_only=True, tag="break"):
    """Every connection breaks; the venue is away for so long."""

    ms: int = 0


class JumpClock(Step, frozen=True, kw_only=True, tag="jump_clock"):
    """The wall clock of the engine's machine jumps."""

    ms: int


class FillDisk(Step, frozen=True, kw_only=True, tag="fill_disk"):
    """The engine's disk takes no record for a while."""

    ms: int


class SilenceMarket(Step, frozen=True, kw_only=True, tag="silence_market"):
    """The venue publishes no mark price and no trade any more on the connections that stand, which answer pings."""


class FailHandling(Step, frozen=True, kw_only=True, tag="fail_handling"):
    """The next message of this class to an actor whose name begins so makes its handler fail."""

    actor: str
    message: str


class Vanish(Step, frozen=True, kw_only=True, tag="vanish"):
    """The venue drops our conditional orders of a role without a word."""

    role: str


class FillResting(Step, frozen=True, kw_only=True, tag="fill_resting"):
    """A share of what rests of our order of this role fills at its own price."""

    role: str
    share: float = 1.0


class ExecuteLate(Step, frozen=True, kw_only=True, tag="execute_late"):
    """The venue executes the last request for an order of this role, which it had answered with an error."""

    role: str


class HandTrade(Step, frozen=True, kw_only=True, tag="hand_trade"):
    """Another hand of the account trades at market: a share of the position, to close it, or a quantity.

    client_id: `autoclose-...` is what the venue names its own liquidations.
    """

    share: float = 0.0
    side: Literal["BUY", "SELL"] = "SELL"
    quantity: str = ""
    symbol: str = "BTCUSDT"
    client_id: str | None = None


class HandCancel(Step, frozen=True, kw_only=True, tag="hand_cancel"):
    """Another hand cancels our resting order of this role."""

    role: str


class Crash(Step, frozen=True, kw_only=True, tag="crash"):
    """`kill -9`: at once, or in the instant in which a condition becomes true at the venue."""

    when: str = ""


class Stop(Step, frozen=True, kw_only=True, tag="stop"):
    """The engine is stopped in order."""


class Start(Step, frozen=True, kw_only=True, tag="start"):
    """A new life of the engine begins, on the same disk; the script goes on when it is ready."""


AnyStep: TypeAlias = (
    Decide
    | Halt
    | Resume
    | Until
    | Pass
    | Move
    | Fault
    | Cease
    | Cut
    | Break
    | JumpClock
    | FillDisk
    | SilenceMarket
    | FailHandling
    | Vanish
    | FillResting
    | ExecuteLate
    | HandTrade
    | HandCancel
    | Crash
    | Stop
    | Start
)


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it happens. engine: changes of the engine's configuration. quirks: habits of the venue that are off."""

    seed: int = 1
    symbols: tuple[str, ...] = ("BTCUSDT",)
    engine: dict[str, Any] = {}
    without_quirks: tuple[str, ...] = ()


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must have become of it, besides a clean report of the checker and every wait in time.

    entries: the entry orders that the venue received, by what follows the role in their client ids. position, state:
    at the end. alerts: raised by the engine; a critical one that is not among them or in `tolerated` is a failure.
    trades: outcomes of the closed trades. sent: how often a request went out, `place ROLE`, `cancel ROLE` or a method:
    a number, or a least and a most. never: such requests that must not have gone out. before: pairs of them in the
    order in which the first of each came. findings: differences that all comparisons together found, by kind; None:
    not looked at.
    """

    entries: tuple[str, ...]
    position: Literal["flat", "held"]
    state: str = "RUNNING"
    alerts: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    trades: tuple[str, ...] | None = None
    sent: dict[str, int | tuple[int, int]] = {}
    never: tuple[str, ...] = ()
    before: tuple[tuple[str, str], ...] = ()
    findings: dict[str, int] | None = None


class Without(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule taken out of a copy of the product. breaks: what must fail then, by its name in `Verdict.broken`."""

    patches: tuple[Patch, ...]
    breaks: tuple[str, ...]


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """title: what happens here, in a sentence. others: what happened to them. rule: `file.py name` below
    python/execactor: what saves us.
    """

    id: str
    title: str
    threads: tuple[str, ...]
    others: str
    rule: str
    script: tuple[AnyStep, ...]
    expect: Expectation
    without: Without
    setting: Setting = Setting()
    before_start: tuple[AnyStep, ...] = ()


def names() -> list[str]:
    """The ids of all scenarios."""
    return sorted(path.stem for path in DIRECTORY.glob("*.toml"))


def load(name: str) -> Scenario:
    """The scenario of this id. Raises msgspec.ValidationError, tomllib.TOMLDecodeError or FileNotFoundError."""
    scenario = msgspec.convert(tomllib.loads((DIRECTORY / f"{name}.toml").read_text(encoding="utf-8")), Scenario)
    if scenario.id != name:
        raise ValueError(f"{name}.toml holds the scenario {scenario.id}")
    return scenario

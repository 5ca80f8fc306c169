"""What happens in one run: the trades that are asked for, the market's way, and everything that goes wrong.

A plan is plain data: it is drawn from a seed, shrunk when it fails, and kept as a regression file.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from execactor.simulator.config import FaultProfile

Direction: TypeAlias = Literal["long", "short"]
Condition: TypeAlias = Literal[
    "entry rests", "part filled", "held", "protected", "tightened", "flat", "market still", "engine running"
]


class Decide(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Hand the engine a decision. The distances are basis points of the mark price at that moment, in the direction of
    a gain: entry_bps 6 crosses the market, -14 rests below it.
    """

    at_ms: int
    key: str
    symbol: str
    action: Direction
    entry_bps: int
    stop_bps: int
    tp1_bps: int
    tp2_bps: int
    notional: int


class GoFlat(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Hand the engine the decision to be flat."""

    at_ms: int
    key: str
    symbol: str


class Halt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person presses the kill switch, and resumes so much later."""

    at_ms: int
    resume_ms: int


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person resumes."""

    at_ms: int = 0


class Restart(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The engine is stopped in an orderly way, and started again so much later."""

    at_ms: int = 0
    down_ms: int


class Await(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing more is done before it is so (simulation/conditions.py), or before so much time has passed."""

    at_ms: int = 0
    what: Condition
    symbol: str = "BTCUSDT"
    most_ms: int = 8_000


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing more is done for so long."""

    at_ms: int = 0
    ms: int


class Strike(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An incident that waits for the acts before it, not for its own time."""

    at_ms: int = 0
    incident: "Incident"


class Steer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The market drifts by so many basis points."""

    at_ms: int
    symbol: str
    bps: int
    over_ms: int


class VenueFault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A fault of the simulated venue (simulator/faults.py) strikes the next `count` times that it can."""

    at_ms: int
    name: str
    count: int = 1
    options: dict[str, Any] = {}


class Partition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing gets through for a while, in one direction or both."""

    at_ms: int
    lasts_ms: int
    up: bool = True
    down: bool = True


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every connection breaks; with lasts_ms the venue is away for so long, as in a restart of its servers."""

    at_ms: int
    lasts_ms: int = 0


class VenueRestart(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue's servers restart: every connection breaks, and for a while each request is refused with 503."""

    at_ms: int
    lasts_ms: int


class Silence(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The connections of one stream that are open now stand, answer pings, and tell nothing for a while."""

    at_ms: int
    lasts_ms: int
    stream: Literal["private", "market", "public"]


class ClockDrift(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The wall clock of the engine's machine runs fast, or slow, for a while."""

    at_ms: int
    lasts_ms: int
    ms_per_s: int


class ClockJump(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The wall clock of the engine's machine jumps."""

    at_ms: int
    by_ms: int


class DiskFull(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The engine's disk takes no record for a while, or refuses a share of all writes."""

    at_ms: int
    lasts_ms: int
    per_mille: int = 1_000


class ActorsFail(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """For a while a share of all message handlings fails, before or after the handler did its work."""

    at_ms: int
    lasts_ms: int
    per_mille: int


class ThinBook(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """For a while next to nothing rests in a book: orders at market fill in part, and their rest expires."""

    at_ms: int
    lasts_ms: int
    symbol: str


class StopVanishes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue drops a stop of ours without a word."""

    at_ms: int
    symbol: str


class OtherHand(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody else trades at market on the same account; with rests_bps the order rests so far from the market."""

    at_ms: int
    symbol: str
    side: Literal["BUY", "SELL"]
    quantity: str
    rests_bps: int = 0


class ForcedClose(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue itself takes a part of the position away: liquidation, or auto-deleveraging."""

    at_ms: int
    symbol: str
    why: Literal["liquidation", "adl"]
    per_cent: int = 100


class PartFills(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody takes a part of each of our orders that rest in the symbol's book, at their own prices."""

    at_ms: int
    symbol: str
    per_mille: int


class Crash(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`kill -9` at the so-manyeth crash point (simulation/crash.py) since the start that followed the crash before; the
    next life begins after a while.
    """

    point: int
    down_ms: int


Act: TypeAlias = Decide | GoFlat | Halt | Resume | Restart | Await | Pause | Strike
Incident: TypeAlias = (
    Steer
    | VenueFault
    | Partition
    | Reset
    | VenueRestart
    | Silence
    | ClockJump
    | ClockDrift
    | DiskFull
    | ActorsFail
    | ThinBook
    | StopVanishes
    | OtherHand
    | ForcedClose
    | PartFills
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times count from its beginning; after `end_ms` nothing goes wrong any more.

    acts: of those who use the engine, in order of time. incidents: of the world. crashes: one after another.
    habits: how often the venue errs by itself until then. skew_ms: how far its clock is ahead. odd_quirks: of the
    venue's reported but unproven habits (simulator/config.py), those that are the other way in this run.
    max_positions: the engine's limit; None: the configuration's.
    """

    seed: int
    symbols: tuple[str, ...]
    acts: tuple[Act, ...]
    incidents: tuple[Incident, ...]
    crashes: tuple[Crash, ...]
    end_ms: int
    habits: FaultProfile = "none"
    skew_ms: int = 0
    odd_quirks: tuple[str, ...] = ()
    max_positions: int | None = None
    volatility_bps: float = 0.5
    step_ms: int = 100

    @property
    def troubles(self) -> int:
        """How many things go wrong on purpose, the venue's own habits aside."""
        return len(self.crashes) + sum(not isinstance(each, Steer) for each in self.incidents)

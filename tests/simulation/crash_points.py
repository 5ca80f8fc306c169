"""A canonical scenario killed at chosen crash points: which there are, and what becomes of it."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
from crash_scenarios import SCENARIOS, Scenario

from execactor.simulation.campaign import fast_disk
from execactor.simulation.plan import Crash, Plan
from execactor.simulation.trial import Verdict, run

DOWN_MS = (20, 400, 2_500)
"""How long the engine stays dead, in turn."""

FIRSTS = 3
"""After so many drawn first crashes of a scenario each point of the recovery is tried."""

BEYOND_READY = 12
"""So many points after the engine is ready count as its recovery, too: doubts of the life before are resolved then."""


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario and its crashes, to be run."""

    scenario: str
    crashes: tuple[Crash, ...]

    @property
    def plan(self) -> Plan:
        return msgspec.structs.replace(SCENARIOS[self.scenario].plan, crashes=self.crashes)

    @property
    def name(self) -> str:
        """For people, and for `crash_sweep.py --at`."""
        return ",".join(f"{crash.point}:{crash.down_ms}" for crash in self.crashes)

    def run(self, *, tell: list[dict[str, Any]] | None = None) -> Verdict:
        """Judged by the checker; see Verdict."""
        return run(self.plan, disk=fast_disk(), tell=tell)


def unharmed(scenario: str) -> tuple[Verdict, list[str]]:
    """The scenario without a crash, and in what it was not what it says it is."""
    log: list[dict[str, Any]] = []
    verdict = Killed(scenario=scenario, crashes=()).run(tell=log)
    return verdict, [*verdict.problems, *_another_course(SCENARIOS[scenario], log)]


def once(scenario: str, points: int, *, every: int = 1, first: int = 1) -> Iterator[Killed]:
    """Killed at each point, or at every so-manyeth."""
    for point in range(first, points + 1, every):
        yield Killed(scenario=scenario, crashes=(_crash(point),))


def twice(scenario: str, points: int, *, every: int = 1, firsts: int = FIRSTS) -> Iterator[Killed]:
    """Killed at drawn points, and again at each point of the recovery that followed, or at every so-manyeth."""
    rng = random.Random(scenario)
    for first in rng.sample(range(1, points + 1), points):
        verdict = Killed(scenario=scenario, crashes=(_crash(first), _crash(1))).run()
        if verdict.lives < 3:
            continue  # so late that the plan is over: no second crash comes then
        recovery = verdict.recoveries[-1] + BEYOND_READY
        for second in range(rng.randint(1, every), recovery + 1, every):
            yield Killed(scenario=scenario, crashes=(_crash(first), _crash(second)))
        firsts -= 1
        if not firsts:
            break


def _crash(point: int) -> Crash:
    return Crash(point=point, down_ms=DOWN_MS[point % len(DOWN_MS)])


def _another_course(scenario: Scenario, log: list[dict[str, Any]]) -> list[str]:
    fills = {line["client_id"].split("_")[1] for line in log if line["kind"] == "fill" and "_" in line["client_id"]}
    struck = {line["name"] for line in log if line["kind"] == "fault"}
    return [
        f"{what}: {', '.join(sorted(found)) or 'none'}, not {', '.join(sorted(expected)) or 'none'}"
        for what, found, expected in (("filled", fills, scenario.fills), ("struck", struck, scenario.struck))
        if found != expected
    ]

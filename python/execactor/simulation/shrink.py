"""Makes a plan that fails small: what it can do without is taken out, and what can be shorter is."""

from collections.abc import Callable
from typing import Any

import msgspec

from execactor.simulation.plan import Plan

MOST_RUNS = 250
_LISTS = ("crashes", "incidents", "acts", "odd_quirks")
_CALM: tuple[dict[str, Any], ...] = (
    {"habits": "none"},
    {"skew_ms": 0},
    {"volatility_bps": 0.2},
    {"max_positions": None},
)
_HALVED = ("lasts_ms", "down_ms", "over_ms", "resume_ms", "count", "per_mille", "by_ms")


class Shrinking:
    """fails: whether a plan still breaks what the first one broke; it is asked `most_runs` times at most."""

    def __init__(self, plan: Plan, fails: Callable[[Plan], bool], most_runs: int = MOST_RUNS) -> None:
        self.plan = plan
        self.runs = 0
        self._fails = fails
        self._most_runs = most_runs

    def run(self) -> Plan:
        """The smallest plan found: nothing that is left can be taken out alone, unless the runs ran out."""
        size = None
        while size != (size := _size(self.plan)) and self._has_runs():
            for name in _LISTS:
                self._thin(name)
            for change in _CALM:
                self._take(msgspec.structs.replace(self.plan, **change))
            self._take(_without_idle_symbols(self.plan))
            for name in ("crashes", "incidents", "acts"):
                self._halve(name)
            self._end_early()
        return self.plan

    def _thin(self, name: str) -> None:
        """Take out halves, then quarters, and so on down to single entries."""
        length = len(getattr(self.plan, name))
        while length:
            place = 0
            while place < len(entries := getattr(self.plan, name)) and self._has_runs():
                kept = (*entries[:place], *entries[place + length :])
                if not self._take(msgspec.structs.replace(self.plan, **{name: kept})):
                    place += length
            length //= 2

    def _halve(self, name: str) -> None:
        for place, entry in enumerate(getattr(self.plan, name)):
            for field in _HALVED:
                if hasattr(entry, field):
                    while self._take(_with_half(self.plan, name, place, field)):
                        pass

    def _end_early(self) -> None:
        latest = max((entry.at_ms for entry in (*self.plan.acts, *self.plan.incidents)), default=0)
        for end_ms in (latest + 1, (latest + self.plan.end_ms) // 2 + 1):
            if end_ms < self.plan.end_ms and self._take(msgspec.structs.replace(self.plan, end_ms=end_ms)):
                return

    def _take(self, plan: Plan) -> bool:
        """Go on with this plan if it fails too."""
        if plan == self.plan or not self._has_runs():
            return False
        self.runs += 1
        if not self._fails(plan):
            return False
        self.plan = plan
        return True

    def _has_runs(self) -> bool:
        return self.runs < self._most_runs


def _with_half(plan: Plan, name: str, place: int, field: str) -> Plan:
    """The plan with one field of one entry halved; the same plan when there is nothing left to halve."""
    entries = getattr(plan, name)
    number = getattr(entries[place], field)
    half = max(1, number // 2) if field == "count" else int(number / 2)
    less = msgspec.structs.replace(entries[place], **{field: half})
    return msgspec.structs.replace(plan, **{name: (*entries[:place], less, *entries[place + 1 :])})


def _without_idle_symbols(plan: Plan) -> Plan:
    used = {getattr(entry, "symbol", None) for entry in (*plan.acts, *plan.incidents)}
    return msgspec.structs.replace(plan, symbols=tuple(each for each in plan.symbols if each in used) or plan.symbols)


def _size(plan: Plan) -> int:
    """Length of the plan as text: less of anything makes it smaller."""
    return len(msgspec.json.encode(plan))

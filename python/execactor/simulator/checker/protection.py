"""How long a position stood without a working stop, and whether a stop ever moved to risk more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from .client_ids import Names
from .events import AlgoChange, Event, Fill, OrderChange, PositionChange
from .ledger import Ledger, plain
from .restarts import Graces, Window, ns
from .stops import Ladder, StopBook, covers, proceeds

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Naked:
    """A position without a working stop for all of it, from `start_ns` (wall) to `end_ns`; `line` is where it began."""

    symbol: str
    line: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """The judgement on all naked intervals: the longest outside and across restarts (ns), and what went too far."""

    longest_ns: int
    longest_restart_ns: int
    violations: tuple[tuple[int, str], ...]


@dataclass(slots=True)
class _Watch:
    """Follows positions and stops through the log; one pass serves both rules."""

    names: Names
    stops: StopBook = field(default_factory=StopBook)
    positions: dict[str, Decimal] = field(default_factory=dict)
    open_since: dict[str, tuple[int, int]] = field(default_factory=dict)
    best: dict[str, Ladder] = field(default_factory=dict)
    naked: list[Naked] = field(default_factory=list)
    widened: list[tuple[int, str]] = field(default_factory=list)

    def hold(self, event: Event, symbol: str, position: Decimal) -> None:
        """A fill, or the log's beginning, left `position`."""
        if position * self.positions.get(symbol, _ZERO) <= 0:
            self.best.pop(symbol, None)
            self.stops.position_changed_hands(symbol)
        self.positions[symbol] = position
        self.judge_cover(event, symbol)

    def judge_cover(self, event: Event, symbol: str) -> None:
        position = self.positions.get(symbol, _ZERO)
        covered = not position or covers(self.stops.ladder(symbol, position), position)
        if not covered:
            self.open_since.setdefault(symbol, (event.line, event.t))
        elif symbol in self.open_since:
            line, since = self.open_since.pop(symbol)
            self.naked.append(Naked(symbol, line, since, max(since, event.t)))

    def judge_risk(self, change: AlgoChange) -> None:
        """Compare our stops with the best they were in this position's life.

        Growing positions and stops the venue dropped are no move of ours; a new stop and a cancelled one are.
        """
        position = self.positions.get(change.symbol, _ZERO)
        if not position or not self.names.ours(change.client_id) or change.status not in {"NEW", "CANCELED"}:
            return
        believed = change.status == "CANCELED"
        ladder = self.stops.placed_for(change.symbol, position, self.names.head, believed=believed)
        if not covers(ladder, position):
            return
        before = self.best.get(change.symbol)
        if before is not None and proceeds(ladder, position) < proceeds(before, position):
            self.widened.append((change.line, _describe(change, before, ladder)))
        self.best[change.symbol] = ladder


def watch(events: Sequence[Event], ledger: Ledger, names: Names) -> tuple[list[Naked], list[tuple[int, str]]]:
    """All naked intervals, and a (line, sentence) for each time a stop moved to risk more."""
    seen = _Watch(names)
    for symbol, baseline in ledger.baselines.items():
        seen.hold(events[0], symbol, baseline.quantity)
    for event in events:
        seen.stops.apply(event)
        match event:
            case Fill() | PositionChange() if event.line in ledger.held_after:
                seen.hold(event, event.symbol, ledger.held_after[event.line])
            case AlgoChange():
                seen.judge_cover(event, event.symbol)
                seen.judge_risk(event)
            case OrderChange(parent=int()):
                seen.judge_cover(event, event.symbol)
    for symbol, (line, since) in seen.open_since.items():
        seen.naked.append(Naked(symbol, line, since, max(since, events[-1].t)))
    return sorted(seen.naked, key=lambda naked: naked.line), seen.widened


def judge(naked: Iterable[Naked], windows: Sequence[Window], graces: Graces) -> Exposure:
    """Measure naked intervals against the time an engine may take.

    An interval that touches no outage may last `graces.protect_s`. One that does must end by the outage's deadline, or
    within `graces.protect_s` of its own beginning if that is later; its part before the kill counts as any other.
    """
    grace = ns(graces.protect_s)
    longest = longest_restart = 0
    violations: list[tuple[int, str]] = []
    for one in naked:
        touched = [window for window in windows if window.excuses(one.start_ns, one.end_ns)]
        alone_until = min([one.end_ns, *(max(window.start_ns, one.start_ns) for window in touched)])
        alone = alone_until - one.start_ns
        longest = max(longest, alone)
        if alone > grace:
            violations.append((one.line, f"{one.symbol} had no working stop for {_ms(alone)} ms"))
        if touched:
            longest_restart = max(longest_restart, one.end_ns - one.start_ns)
        ends = [*(window.start_ns for window in touched[1:]), one.end_ns]
        for window, until in zip(touched, ends, strict=False):
            if window.end_ns is not None and until > max(window.end_ns, one.start_ns + grace):
                late = f"{_ms(until - window.end_ns)} ms past the deadline of the outage at line {window.line}"
                violations.append((one.line, f"{one.symbol} had no working stop {late}"))
    return Exposure(longest, longest_restart, tuple(violations))


def _ms(ns: int) -> str:
    return f"{ns / 1_000_000:.1f}"


def _describe(change: AlgoChange, before: Ladder, now: Ladder) -> str:
    verb = "placing" if change.status == "NEW" else "cancelling"
    moved = f"moved the stops of {change.symbol} from {_show(before)} to {_show(now)}"
    return f"{verb} {change.client_id} {moved}, which risks more"


def _show(ladder: Ladder) -> str:
    return " and ".join(
        f"{plain(rung.trigger)} for {'all' if rung.quantity is None else plain(rung.quantity)}" for rung in ladder
    )

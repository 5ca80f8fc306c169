"""How long a position stood without a working stop, and whether a stop ever moved to risk more (I3, I4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .client_ids import Names
from .events import AlgoChange, Event, Fault, Fill, OrderChange, PositionChange, Told
from .evidence import Evidence
from .invariants import Finding, at_line
from .journal_reader import Journal
from .journal_records import Alerted, EngineState
from .ledger import plain
from .restarts import Allowances, deadline, ns
from .stops import Ladder, StopBook, covers, proceeds

_ZERO = Decimal(0)
_STOPPED = frozenset({"SAFE_MODE", "HALTED"})


@dataclass(frozen=True, slots=True)
class Naked:
    """A position without a working stop for all of it, from `start_ns` (wall) to `end_ns`; `line` is where it began.

    known_ns: when the engine should have known of it at the latest. lasts: still so at the log's end.
    """

    symbol: str
    line: int
    start_ns: int
    end_ns: int
    known_ns: int
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class Exposure:
    """The judgement on all naked intervals: the longest outside and across restarts (ns), and what went too far."""

    longest_ns: int
    longest_restart_ns: int
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Watch:
    """Follows positions and stops through the log; one pass serves both rules."""

    names: Names
    allow: Allowances
    told: dict[int, int]
    stops: StopBook = field(default_factory=StopBook)
    positions: dict[str, Decimal] = field(default_factory=dict)
    open_since: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    best: dict[str, Ladder] = field(default_factory=dict)
    naked: list[Naked] = field(default_factory=list)
    widened: list[Finding] = field(default_factory=list)
    lag_ns: int = 0

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
            if symbol not in self.open_since:
                self.open_since[symbol] = event.line, event.t, self._known(event)
        elif symbol in self.open_since:
            line, since, known = self.open_since.pop(symbol)
            self.naked.append(Naked(symbol, line, since, max(since, event.t), known))

    def _known(self, event: Event) -> int:
        """When the engine should know of what `event` did: events tell of fills, listings of what was not told."""
        if isinstance(event, AlgoChange) and event.status == "VANISHED":
            return event.t + ns(self.allow.dropped_s - self.allow.protect_s)
        if not self.told or not isinstance(event, Fill):
            return event.t
        found = event.t + ns(self.allow.unseen_s) + self.lag_ns
        return max(event.t, min(self.told.get(event.trade_id, found), found))

    def judge_risk(self, change: AlgoChange) -> None:
        """Compare our stops with the best they were in this position's life.

        Growing positions and stops the venue dropped are no move of ours; a new stop and a cancelled one are.
        """
        position = self.positions.get(change.symbol, _ZERO)
        if not position or not self.names.ours(change.client_id) or change.status not in {"NEW", "CANCELED"}:
            return
        new = change.status == "NEW"
        ladder = self._placed(change.symbol, position, believed=not new)
        if not covers(ladder, position):
            return
        before = self.best.get(change.symbol, ())
        if new:
            before = self._without_lost(before, change)
        if before and proceeds(ladder, position) < proceeds(before, position):
            self.widened.append(at_line("I4", change.line, _describe(change, before, ladder)))
        self.best[change.symbol] = self._placed(change.symbol, position, believed=True)

    def _placed(self, symbol: str, position: Decimal, *, believed: bool) -> Ladder:
        return self.stops.placed_for(symbol, position, self.names.head, believed=believed)

    def _without_lost(self, ladder: Ladder, successor: AlgoChange) -> Ladder:
        """What the venue dropped is no measure for a new stop, unless it takes the dropped one's place."""
        lost = self.stops.dropped(successor.symbol)
        role = self._role(successor.client_id)
        return tuple(rung for rung in ladder if rung.client_id not in lost or self._role(rung.client_id) == role)

    def _role(self, client_id: str) -> str:
        name = self.names.parse(client_id)
        return "" if name is None else name.role


def watch(evidence: Evidence) -> tuple[list[Naked], list[Finding]]:
    """All naked intervals, and each time that a stop moved to risk more."""
    events, ledger = evidence.events, evidence.ledger
    told: dict[int, int] = {}
    for news in evidence.of(Told):
        told.setdefault(news.trade_id, news.t)
    seen = _Watch(evidence.names, evidence.allow, told)
    for symbol, baseline in ledger.baselines.items():
        seen.hold(events[0], symbol, baseline.quantity)
    for event in evidence.among(Fill, PositionChange, AlgoChange, OrderChange, Fault):
        seen.stops.apply(event)
        match event:
            case Fill() | PositionChange() if event.line in ledger.held_after:
                seen.hold(event, event.symbol, ledger.held_after[event.line])
            case AlgoChange():
                seen.judge_cover(event, event.symbol)
                seen.judge_risk(event)
            case OrderChange(parent=int()):
                seen.judge_cover(event, event.symbol)
            case Fault(name="listing_lag_ms"):
                seen.lag_ns = int(event.detail.get("ms", 0)) * 1_000_000
    for symbol, (line, since, known) in seen.open_since.items():
        seen.naked.append(Naked(symbol, line, since, max(since, events[-1].t), known, lasts=True))
    return sorted(seen.naked, key=lambda naked: naked.line), seen.widened


def judge(naked: Iterable[Naked], evidence: Evidence) -> Exposure:
    """Measure naked intervals against the time an engine may take.

    It has `protect_s` from when it should have known. Where an outage or hindrance comes before that is over, the
    interval must end by that one's deadline. With a journal, a failure that the engine answered in time with SAFE MODE
    and a critical alert is none.
    """
    allow, windows = evidence.allow, evidence.windows
    outages = [window for window in windows if window.cause == "outage"]
    longest = longest_restart = 0
    found: list[Finding] = []
    for one in naked:
        touched = [window for window in outages if window.excuses(one.start_ns, one.end_ns)]
        alone_until = min([one.end_ns, *(max(window.start_ns, one.start_ns) for window in touched)])
        longest = max(longest, alone_until - one.start_ns)
        if touched:
            longest_restart = max(longest_restart, one.end_ns - one.start_ns)
        allowed = one.known_ns - one.start_ns + ns(allow.protect_s)
        due, window = deadline(windows, one.start_ns, allowed)
        if due is None or one.end_ns <= due or _answered(one, due + ns(allow.in_flight_s), evidence.journal):
            continue
        until = min([one.end_ns, *(touching.start_ns for touching in touched if touching.start_ns > due)])
        if window is None:
            text = f"{one.symbol} had no working stop for {_ms(until - one.start_ns)} ms"
        else:
            past = f"{_ms(until - due)} ms past the deadline of the {window.cause} at line {window.line}"
            text = f"{one.symbol} had no working stop {past}"
        found.append(at_line("I3", one.line, text))
    return Exposure(longest, longest_restart, tuple(found))


def _answered(one: Naked, until_ns: int, journal: Journal | None) -> bool:
    """Whether SAFE MODE was in force, and a critical alert raised about the symbol, before `until_ns`."""
    if journal is None:
        return False
    states = [fact.state for fact in journal.of(EngineState) if fact.t <= until_ns]
    called = any(
        fact.level == "CRITICAL" and fact.symbol in ("", one.symbol) and one.start_ns <= fact.t <= until_ns
        for fact in journal.of(Alerted)
    )
    return called and bool(states) and states[-1] in _STOPPED


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

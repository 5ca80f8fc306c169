"""HALT and SAFE MODE: nothing takes risk after them, a person alone lifts them, stops go last (I5, A3, A5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .events import AlgoChange, Fill, Note, PositionChange, Request
from .evidence import Evidence
from .invariants import Finding, at_line, at_record
from .journal_records import EngineState, Intended
from .ledger import plain
from .requests import CANCELS, HALTED, RESUMED, left_ns, placed_id, reduces
from .restarts import ns

_SEVERITY = {"RUNNING": 0, "PAUSED": 1, "SAFE_MODE": 2, "HALTED": 3}
_NO_RISK = 2
_STOP_ROLES = ("sl", "slt")


@dataclass(frozen=True, slots=True)
class _Stop:
    """A time without new risk, by the journal. seq, t: of the record that began it; until_seq: None when it lasts."""

    state: str
    seq: int
    t: int
    until_seq: int | None


def judge_halts(evidence: Evidence) -> Iterator[Finding]:
    """Judge the engine's states against the requests that followed, and against who may lift them."""
    states = evidence.journal.of(EngineState) if evidence.journal is not None else []
    yield from _lifted(states, evidence.of(Note))
    yield from _risk_taken(evidence, _stops(states))
    yield from _stops_first(evidence, states)


def _lifted(states: Sequence[EngineState], notes: Sequence[Note]) -> Iterator[Finding]:
    """SAFE MODE and HALTED end by a person alone, whom the harness notes; an epoch never goes back."""
    resumed = [note.line for note in notes if note.text.lower() in RESUMED]
    severity, since, epoch = 0, 0, 0
    for fact in states:
        now = _SEVERITY.get(fact.state, 0)
        if fact.epoch < epoch:
            yield at_record("A5", fact.seq, f"the epoch goes back from {epoch} to {fact.epoch}")
        if severity >= _NO_RISK and now < severity and not any(since < line <= fact.after + 1 for line in resumed):
            yield at_record("A5", fact.seq, f"the engine is {fact.state} again though nobody resumed it")
        epoch = max(epoch, fact.epoch)
        if now != severity:
            severity, since = now, fact.after


def _stops(states: Sequence[EngineState]) -> list[_Stop]:
    """When no risk may be taken, by the journal alone."""
    stops: list[_Stop] = []
    begun: EngineState | None = None
    for fact in states:
        stopped = _SEVERITY.get(fact.state, 0) >= _NO_RISK
        if stopped and begun is None:
            begun = fact
        elif not stopped and begun is not None:
            stops.append(_Stop(begun.state, begun.seq, begun.t, fact.seq))
            begun = None
    if begun is not None:
        stops.append(_Stop(begun.state, begun.seq, begun.t, None))
    return stops


def _risk_taken(evidence: Evidence, stops: Sequence[_Stop]) -> Iterator[Finding]:
    """An entry meant after the stop, or sent so long after it that it cannot have been under way."""
    if evidence.journal is None or not stops:
        return
    meant = {fact.client_id: fact for fact in evidence.journal.of(Intended)}
    for event in evidence.of(Request):
        client_id = placed_id(event)
        name = evidence.names.parse(client_id) if client_id is not None else None
        if name is None or (not name.opens and reduces(event)):
            continue
        intent = meant.get(client_id or "")
        for stop in stops:
            if intent is None or (stop.until_seq is not None and intent.seq > stop.until_seq):
                continue
            if intent.seq > stop.seq:
                text = f"{client_id} takes risk, and was meant after the engine had become {stop.state}"
                yield at_line("I5", event.line, text)
            elif left_ns(event) > stop.t + ns(evidence.allow.in_flight_s):
                late = (left_ns(event) - stop.t) // 1_000_000
                yield at_line(
                    "I5", event.line, f"{client_id} takes risk {late} ms after the engine became {stop.state}"
                )


def _stops_first(evidence: Evidence, states: Sequence[EngineState]) -> Iterator[Finding]:
    """During a kill, a stop is cancelled only once its symbol has been flat."""
    halts = [fact.after for fact in states if fact.state == "HALTED"]
    halted = False
    held: dict[str, tuple[Decimal, int]] = {}
    stops: dict[str, str] = {}
    grace = ns(evidence.allow.in_flight_s)
    if not halts and not any(note.text.lower() in HALTED for note in evidence.of(Note)):
        return
    for event in evidence.among(Note, AlgoChange, Fill, PositionChange, Request):
        if halts and event.line > halts[0]:
            halted = True
            halts.pop(0)
        if isinstance(event, Note):
            text = event.text.lower()
            halted = (halted or text in HALTED) and text not in RESUMED
        elif isinstance(event, AlgoChange):
            stops[event.client_id] = event.symbol
        elif isinstance(event, Fill | PositionChange) and event.line in evidence.ledger.held_after:
            quantity = evidence.ledger.held_after[event.line]
            before, since = held.get(event.symbol, (Decimal(0), 0))
            held[event.symbol] = quantity, since if before and quantity else event.t
        elif halted and isinstance(event, Request) and event.method in CANCELS:
            client_id = str(event.params.get(CANCELS[event.method][1]))
            name = evidence.names.parse(client_id)
            quantity, since = held.get(stops.get(client_id, ""), (Decimal(0), 0))
            if name is not None and name.role in _STOP_ROLES and quantity and event.t - since > grace:
                text = f"{client_id} is cancelled during the HALT while {plain(quantity)} is held"
                yield at_line("A3", event.line, text)

"""Reconciliation converges, and once faults are over everything comes to rest (I11, I12)."""

from collections.abc import Iterable, Iterator, Mapping

from .events import AlgoChange, Fill, OrderChange
from .evidence import Calm, Evidence
from .invariants import Finding, at_line, at_record
from .journal_reader import Journal
from .journal_records import Alerted, Compared, EngineState, Intended, OrderStood
from .protection import Naked
from .restarts import ns
from .transitions import ENDED

MOST_ROUNDS = 3
ROUND_S = 2.0
LAG_S = 3.0
LASTING = "foreign_order"
"""What is not ours is found again each time, because it is never touched."""

Order = OrderChange | AlgoChange


def judge_comparisons(evidence: Evidence) -> Iterator[Finding]:
    """A comparison that does not agree calls a person; after the faults it agrees soon, and the last finds nothing."""
    journal = evidence.journal
    if journal is None:
        return
    calm = evidence.calm
    compared = journal.of(Compared)
    for fact in compared:
        if not fact.settled and not _called(journal, fact):
            yield at_record("I11", fact.seq, "a comparison ends without agreement, and nobody is called")
        slow = fact.rounds > MOST_ROUNDS or not fact.settled
        if slow and calm is not None and fact.after >= calm.over.line and not _traded_during(fact, evidence):
            yield at_record("I11", fact.seq, f"a comparison takes {fact.rounds} rounds though faults are over")
    if calm is not None and len(compared) > 1 and compared[-1].after >= calm.over.line:
        last, before = compared[-1], compared[-2]
        again = {detail for detail in last.details if LASTING not in detail} & set(before.details)
        if again and calm.too_long(before.t):
            yield at_record("I11", last.seq, f"the last comparison finds the same again: {'; '.join(sorted(again))}")


def _traded_during(fact: Compared, evidence: Evidence) -> bool:
    """Whether a fill disturbed the comparison: listings lag behind it, so it takes longer."""
    begun = fact.t - ns(fact.rounds * ROUND_S + LAG_S)
    return any(begun < fill.t <= fact.t for fill in evidence.of(Fill))


def _called(journal: Journal, fact: Compared) -> bool:
    later = [other for other in journal.facts if other.seq > fact.seq]
    alert = any(isinstance(other, Alerted) and other.level == "CRITICAL" for other in later)
    states = [other.state for other in journal.of(EngineState)]
    return alert and bool(states) and states[-1] in ("SAFE_MODE", "HALTED")


def judge_rest(evidence: Evidence, live: Mapping[str, Order], naked: Iterable[Naked]) -> Iterator[Finding]:
    """What should have been settled by the log's end: the engine runs, nothing is naked, orders are the same."""
    calm = evidence.calm
    if calm is None:
        return
    outages = [window for window in evidence.windows if window.cause == "outage"]
    if outages and outages[-1].ready_ns is None and calm.too_long(outages[-1].start_ns):
        yield at_line("I12", outages[-1].line, "the engine is not ready again though faults are over")
    for one in naked:
        if one.lasts and calm.too_long(max(one.start_ns, one.known_ns)):
            yield at_line("I12", one.line, f"{one.symbol} has no working stop at the end though faults are over")
    if evidence.journal is not None:
        yield from _orders(evidence.journal, evidence, live, calm)


def _orders(journal: Journal, evidence: Evidence, live: Mapping[str, Order], calm: Calm) -> Iterator[Finding]:
    """Our orders at the venue and in the journal, as far as they had the time to agree."""
    known: dict[str, Intended | OrderStood] = {}
    for fact in journal.facts:
        if isinstance(fact, OrderStood) or (isinstance(fact, Intended) and fact.client_id not in known):
            known[fact.client_id] = fact
    for client_id, fact in known.items():
        state = fact.state if isinstance(fact, OrderStood) else "SUBMITTED"
        if state in ENDED or not calm.too_long(fact.t):
            continue
        if client_id not in live:
            yield at_record("I12", fact.seq, f"{client_id} is {state} at the end, and does not live at the venue")
        elif state in ("SUBMITTED", "UNKNOWN"):
            yield at_record("I12", fact.seq, f"{client_id} is still {state} though it lives at the venue")
    for client_id, order in live.items():
        meant = known.get(client_id)
        ended = meant is None or (isinstance(meant, OrderStood) and meant.state in ENDED)
        if ended and evidence.names.ours(client_id) and calm.too_long(order.t):
            yield at_line("I12", order.line, f"{client_id} lives at the venue at the end, and not in the journal")

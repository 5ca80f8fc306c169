"""A decision older than ten minutes opens nothing (I15)."""

from collections.abc import Iterator

from .events import DecisionFed, Fill, Request
from .evidence import Evidence
from .invariants import Finding, at_line
from .journal_records import Planned
from .requests import placed_id
from .restarts import ns

CANCEL_S = 5.0
"""How long the cancel of an entry that has grown too old may take, its repetition included."""


def judge_freshness(evidence: Evidence) -> Iterator[Finding]:
    """Judge entries sent and filled by the decision's own timestamp, from the note that fed it and from the journal."""
    decided = {event.key: event.decided_ns for event in evidence.of(DecisionFed)}
    if evidence.journal is not None:
        decided |= {fact.key: fact.decided_ns for fact in evidence.journal.of(Planned) if decided.get(fact.key) is None}
    age, in_flight = ns(evidence.allow.decision_age_s), ns(evidence.allow.in_flight_s)
    for event in evidence.among(Request, Fill):
        client_id = placed_id(event) if isinstance(event, Request) else getattr(event, "client_id", None)
        name = evidence.names.parse(client_id) if client_id is not None else None
        then = decided.get(name.key) if name is not None and name.opens else None
        if then is None or event.t <= then + age + in_flight:
            continue
        old = f"{(event.t - then) // 1_000_000_000} s after its decision"
        if isinstance(event, Request):
            yield at_line("I15", event.line, f"{client_id} is sent {old}")
        elif event.t > then + age + ns(CANCEL_S) and not evidence.hindered(then + age, event.t):
            yield at_line("I15", event.line, f"{client_id} fills {old}")

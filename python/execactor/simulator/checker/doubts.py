"""An entry in doubt has no successor before it is proven absent (A6).

Proof is the venue's own refusal, or three answers "no such order" after the receive window and a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .events import OrderChange, Request, Response
from .evidence import Evidence
from .invariants import Finding, at_line, at_record
from .journal_reader import Journal
from .journal_records import Intended, OrderStood
from .requests import placed_id
from .restarts import ns
from .transitions import ENDED

NOT_FOUND_NEEDED = 3
MARGIN_S = 1.0
_NOT_FOUND = -2013
_FAILED = -1008
_QUERIES = frozenset({"GET /fapi/v1/order", "order.status"})


@dataclass(slots=True)
class _Sent:
    """An entry that reached the venue. outcome: "open" until the venue accepted it or surely refused it."""

    request: Request
    outcome: str = "open"
    not_found: int = 0


@dataclass(slots=True)
class _Venue:
    """What the venue told of each entry."""

    entries: dict[str, _Sent] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)

    def hear(self, answer: Response) -> None:
        """An answer to a placement or to a query of it."""
        client_id = self.asked.get(answer.id)
        entry = self.entries.get(client_id) if client_id is not None else None
        if entry is None:
            return
        if answer.id == entry.request.id:
            sure = 400 <= answer.status < 500 or answer.code == _FAILED or answer.message.startswith("Service Unav")
            entry.outcome = "refused" if sure else entry.outcome
        elif answer.code == _NOT_FOUND:
            entry.not_found += 1


def judge_doubts(evidence: Evidence) -> Iterator[Finding]:
    """Judge each successor by what the venue had shown of its predecessors, and by the journal."""
    if evidence.journal is not None:
        yield from _by_journal(evidence.journal)
    venue = _Venue()
    families: dict[tuple[str, str], list[str]] = {}
    for event in evidence.among(OrderChange, Request, Response):
        if isinstance(event, OrderChange) and event.client_id in venue.entries:
            venue.entries[event.client_id].outcome = "taken"
        elif isinstance(event, Response):
            venue.hear(event)
        elif isinstance(event, Request) and event.method in _QUERIES:
            venue.asked[event.id] = str(event.params.get("origClientOrderId"))
        elif isinstance(event, Request) and (client_id := placed_id(event)) is not None:
            name = evidence.names.parse(client_id)
            if name is None or not name.opens:
                continue
            family = families.setdefault((name.role, name.key), [])
            for other in family:
                if other != client_id and venue.entries[other].outcome == "open":
                    yield from _unproven(client_id, event, other, venue.entries[other])
            family.append(client_id)
            venue.entries.setdefault(client_id, _Sent(event))
            venue.asked[event.id] = client_id


def _unproven(client_id: str, request: Request, other: str, before: _Sent) -> Iterator[Finding]:
    window_ms = int(before.request.params.get("recvWindow") or 5000)
    waited = request.t - before.request.t
    if waited < window_ms * 1_000_000 + ns(MARGIN_S) or before.not_found < NOT_FOUND_NEEDED:
        text = f"{client_id} follows {other}, of which the venue said nothing, {waited // 1_000_000} ms later"
        yield at_line("A6", request.line, f"{text} and after {before.not_found} answers that it does not exist")


def _by_journal(journal: Journal) -> Iterator[Finding]:
    """The engine itself must think its predecessors over when it means another entry."""
    states: dict[str, str] = {}
    families: dict[str, list[str]] = {}
    for fact in journal.facts:
        if isinstance(fact, OrderStood):
            states[fact.client_id] = fact.state
        elif isinstance(fact, Intended) and (fact.role == "entry" or fact.role.startswith("leg")):
            family = families.setdefault(f"{fact.role} {fact.key}", [])
            for other in family:
                if other != fact.client_id and states.get(other) not in ENDED:
                    text = f"{fact.client_id} is meant while {other} is {states.get(other, 'SUBMITTED')}"
                    yield at_record("A6", fact.seq, text)
            family.append(fact.client_id)

"""Orders in the journal move as the state table allows, and an ended one stays ended (I9).

The table is written from the list of states in ARCHITECTURE section 4, not from the engine's. A step of the journal may
span several of the engine's: the way from SUBMITTED to FILLED is one record when nothing else was told in between.
"""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from .evidence import Evidence
from .invariants import Finding, at_record
from .journal_records import Booked, Intended, OrderStood
from .ledger import plain

_ZERO = Decimal(0)
ENDED = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")
LEGAL: Mapping[str, frozenset[str]] = {
    # What is not sent may still be refused, withdrawn, or lost in a crash; the journal knows an order from its intent.
    "CREATED": frozenset({"RISK_APPROVED", "SUBMITTED", "UNKNOWN", "CANCELLED", "REJECTED"}),
    "RISK_APPROVED": frozenset({"SUBMITTED", "UNKNOWN", "CANCELLED", "REJECTED"}),
    "SUBMITTED": frozenset({"UNKNOWN", "ACKNOWLEDGED", "TRIGGERING", "TRIGGERED", "PARTIALLY_FILLED", *ENDED}),
    "UNKNOWN": frozenset({"ACKNOWLEDGED", "TRIGGERING", "TRIGGERED", "PARTIALLY_FILLED", *ENDED}),
    "ACKNOWLEDGED": frozenset({"TRIGGERING", "TRIGGERED", "PARTIALLY_FILLED", *ENDED}),
    "TRIGGERING": frozenset({"TRIGGERED", "PARTIALLY_FILLED", *ENDED}),
    "TRIGGERED": frozenset({"PARTIALLY_FILLED", *ENDED}),
    "PARTIALLY_FILLED": frozenset(ENDED),
    **{state: frozenset() for state in ENDED},
}
NEVER = ("TRIGGERED>REJECTED", "PARTIALLY_FILLED>REJECTED")
"""Legal, so that an engine that is told so believes it; but no venue tells it: what it triggered or executed in part
it has accepted. A trigger that it refuses goes from TRIGGERING to REJECTED.
"""

OBSERVABLE = (
    "CREATED>REJECTED",
    *(
        f"{before}>{after}"
        for before, followers in LEGAL.items()
        if before not in ("CREATED", "RISK_APPROVED")
        for after in sorted(followers)
        if f"{before}>{after}" not in NEVER
    ),
)
"""The legal steps that a journal can show: an intent stands for SUBMITTED, a refusal without one for CREATED."""


def judge_transitions(evidence: Evidence) -> tuple[list[Finding], Counter[str]]:
    """Illegal steps, and how often each legal one was seen ("UNKNOWN>FILLED")."""
    found: list[Finding] = []
    seen: Counter[str] = Counter()
    states: dict[str, str] = {}
    filled: dict[str, Decimal] = {}
    booked: dict[str, Decimal] = {}
    for fact in evidence.journal.facts if evidence.journal is not None else ():
        if isinstance(fact, Intended):
            states.setdefault(fact.client_id, "SUBMITTED")
        elif isinstance(fact, Booked) and fact.client_id:
            booked[fact.client_id] = booked.get(fact.client_id, _ZERO) + fact.quantity
        elif isinstance(fact, OrderStood):
            found += _step(fact, states, seen)
            found += _amounts(fact, filled, booked)
    return found, seen


def _step(fact: OrderStood, states: dict[str, str], seen: Counter[str]) -> list[Finding]:
    before = states.get(fact.client_id, "CREATED")
    states[fact.client_id] = fact.state
    if fact.state not in LEGAL:
        return [at_record("I9", fact.seq, f"{fact.client_id} is {fact.state}, which is no state of an order")]
    if fact.state == before:
        return []
    if fact.state not in LEGAL.get(before, LEGAL["SUBMITTED"]):
        return [at_record("I9", fact.seq, f"{fact.client_id} went from {before} to {fact.state}")]
    seen[f"{before}>{fact.state}"] += 1
    return []


def _amounts(fact: OrderStood, filled: dict[str, Decimal], booked: dict[str, Decimal]) -> list[Finding]:
    """What was filled never shrinks, and an order of its own quantity is never filled beyond it."""
    before = filled.get(fact.client_id, _ZERO)
    filled[fact.client_id] = fact.filled
    name, amount = fact.client_id, plain(fact.filled)
    if fact.filled < before:
        return [at_record("I9", fact.seq, f"{name} was filled {plain(before)} and is filled {amount} now")]
    if fact.quantity is not None and fact.filled > fact.quantity:
        return [at_record("I9", fact.seq, f"{name} is filled {amount}, beyond its quantity {plain(fact.quantity)}")]
    total = booked.get(name, _ZERO)
    if fact.filled != total:
        return [
            at_record("I2", fact.seq, f"{name} is filled {amount}, and the trades booked on it sum to {plain(total)}")
        ]
    return []

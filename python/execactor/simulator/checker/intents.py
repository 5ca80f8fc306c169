"""Write-ahead: every order at the venue was journaled before, with the very same content (I7, I14)."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from .client_ids import Names
from .events import Note, Request
from .evidence import Evidence
from .fields import MalformedError, decimal_of
from .invariants import Finding, at_line, at_record
from .journal_reader import Journal
from .journal_records import Booked, Intended, OrderStood
from .requests import placed_id, reduces, true
from .restarts import ns


def judge_intents(evidence: Evidence) -> Iterator[Finding]:
    """Compare order requests with intents; nothing to say without a journal."""
    journal = evidence.journal
    if journal is None:
        return
    yield from _within(journal, evidence.names)
    intents: dict[str, Intended] = {}
    for intent in journal.of(Intended):
        intents.setdefault(intent.client_id, intent)
    disk_full = False
    excused_until = 0
    for event in evidence.among(Request, Note):
        if isinstance(event, Note):
            if disk_full and event.text == "disk restored":
                excused_until = event.t + ns(evidence.allow.in_flight_s)
            disk_full = (disk_full or event.text == "disk full") and event.text != "disk restored"
        elif isinstance(event, Request) and not (reduces(event) and (disk_full or event.t <= excused_until)):
            yield from _sent(event, intents, evidence.names)


def _sent(request: Request, intents: Mapping[str, Intended], names: Names) -> Iterator[Finding]:
    """One request beside its intent. While the disk takes nothing, what reduces risk leaves all the same."""
    client_id = placed_id(request)
    if client_id is None or not names.ours(client_id):
        return
    found = intents.get(client_id)
    if found is None:
        yield at_line("I7", request.line, f"{client_id} is sent, and the journal knows no intent of it")
    elif found.after >= request.line:
        yield at_line("I7", request.line, f"{client_id} is sent before its intent is journaled (record {found.seq})")
    else:
        different = _difference(found, request)
        if different:
            yield at_line("I7", request.line, f"{client_id} is sent otherwise than journaled: {different}")


def _within(journal: Journal, names: Names) -> Iterator[Finding]:
    """One intent for each id, made of its role and decision, before anything else about it."""
    known: set[str] = set()
    for fact in journal.facts:
        if isinstance(fact, Intended):
            if fact.client_id in known:
                yield at_record("I14", fact.seq, f"{fact.client_id} is meant a second time")
            known.add(fact.client_id)
            name = names.parse(fact.client_id)
            if name is None or (name.role, name.key) != (fact.role, fact.key):
                text = f"{fact.client_id} is not the id of the {fact.role} of decision {fact.key}"
                yield at_record("I14", fact.seq, text)
        elif isinstance(fact, OrderStood) and fact.state == "REJECTED" and fact.client_id not in known:
            continue  # refused before it became an intent: it never left
        elif isinstance(fact, OrderStood | Booked) and fact.client_id and fact.client_id not in known:
            yield at_record("I7", fact.seq, f"{fact.client_id} has a history and no intent before it")
            known.add(fact.client_id)


def _difference(intent: Intended, request: Request) -> str:
    """What the request says differently; empty when nothing."""
    params = request.params
    said: tuple[tuple[str, object, object], ...] = (
        ("symbol", intent.symbol, params.get("symbol")),
        ("side", intent.side, {"BUY": 1, "SELL": -1}.get(str(params.get("side")))),
        ("type", intent.type, params.get("type")),
        ("quantity", intent.quantity, _number(params.get("quantity"))),
        ("price", intent.price, _number(params.get("price"))),
        ("trigger price", intent.trigger, _number(params.get("triggerPrice"))),
        ("closePosition", intent.close_position, true(params, "closePosition")),
    )
    found = [f"{name} {meant} became {sent}" for name, meant, sent in said if meant != sent]
    if intent.reduce_only and not true(params, "reduceOnly"):
        found.append("it may open")
    return ", ".join(found)


def _number(value: object) -> Decimal | str | None:
    if value is None:
        return None
    try:
        return decimal_of(value, "")
    except MalformedError:
        return str(value)

"""The journal's records as typed facts: what the engine says it meant, did and knew.

Every fact begins with its place: `seq`, the record's number; `after`, the newest line that the venue log held when it
was written; `t`, when that was: nanoseconds of the venue's time where it is known, else of the engine's. Field names
are those of the stored JSON, read from the files themselves: this is a second reader, not the engine's.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from .fields import Fields


class Intended(NamedTuple):
    """An order that is about to be sent. quantity None: whatever is held; price and trigger None where it has none."""

    seq: int
    after: int
    t: int
    client_id: str
    key: str
    role: str
    symbol: str
    side: int
    type: str
    quantity: Decimal | None
    price: Decimal | None
    trigger: Decimal | None
    reduce_only: bool
    close_position: bool


class OrderStood(NamedTuple):
    """An order as it stood after a change."""

    seq: int
    after: int
    t: int
    client_id: str
    key: str
    role: str
    state: str
    quantity: Decimal | None
    filled: Decimal


class Booked(NamedTuple):
    """A venue trade was booked; client_id empty: as nobody's of ours. attributed: one booked before found its order."""

    seq: int
    after: int
    t: int
    client_id: str
    symbol: str
    trade_id: int
    side: int
    price: Decimal
    quantity: Decimal
    attributed: bool


class Planned(NamedTuple):
    """A decision was taken up; decided_ns: its own timestamp."""

    seq: int
    after: int
    t: int
    key: str
    side: int
    decided_ns: int


class PositionTaken(NamedTuple):
    """The venue's position replaced ours."""

    seq: int
    after: int
    t: int
    symbol: str
    quantity: Decimal


class BooksClosed(NamedTuple):
    """A trade ended flat."""

    seq: int
    after: int
    t: int
    symbol: str
    key: str


class EngineState(NamedTuple):
    """What the engine may do from now on."""

    seq: int
    after: int
    t: int
    state: str
    epoch: int
    reason: str


class Compared(NamedTuple):
    """A comparison with the venue ended. details: a sentence for each difference."""

    seq: int
    after: int
    t: int
    rounds: int
    settled: bool
    details: tuple[str, ...]


class Alerted(NamedTuple):
    """A person was called."""

    seq: int
    after: int
    t: int
    level: str
    code: str
    symbol: str


Fact = Intended | OrderStood | Booked | Planned | PositionTaken | BooksClosed | EngineState | Compared | Alerted


class Place(NamedTuple):
    """Where a record stands: see the module."""

    seq: int
    after: int
    t: int


def decode(kind: str, place: Place, body: Mapping[str, Any]) -> Fact | None:
    """The fact of one record, or None for a kind no rule looks at. Raises MalformedError."""
    decoder = _DECODERS.get(kind)
    return None if decoder is None else decoder(place, Fields(body))


def _intent(place: Place, record: Fields) -> Intended:
    intent = Fields(record.mapping("intent"))
    return Intended(
        *place,
        client_id=intent.text("client_id"),
        key=intent.text("decision_key"),
        role=intent.text("role"),
        symbol=intent.text("symbol"),
        side=intent.side(),
        type=intent.text("type"),
        quantity=intent.optional_decimal("quantity"),
        price=intent.optional_decimal("price"),
        trigger=intent.optional_decimal("trigger_price"),
        reduce_only=intent.flag("reduce_only"),
        close_position=intent.flag("close_position"),
    )


def _order(place: Place, record: Fields) -> OrderStood:
    order = Fields(record.mapping("order"))
    intent = Fields(order.mapping("intent"))
    return OrderStood(
        *place,
        client_id=intent.text("client_id"),
        key=intent.text("decision_key"),
        role=intent.text("role"),
        state=order.text("state"),
        quantity=intent.optional_decimal("quantity"),
        filled=order.decimal("filled"),
    )


def _booked(place: Place, record: Fields, *, attributed: bool = False) -> Booked:
    execution = Fields(record.mapping("execution"))
    return Booked(
        *place,
        client_id=record.text("client_id"),
        symbol=execution.text("symbol"),
        trade_id=int(execution.text("trade_id")),
        side=execution.side(),
        price=execution.decimal("price"),
        quantity=execution.decimal("quantity"),
        attributed=attributed,
    )


def _attributed(place: Place, record: Fields) -> Booked:
    return _booked(place, record, attributed=True)


def _plan(place: Place, record: Fields) -> Planned:
    plan = Fields(record.mapping("plan"))
    decided_ns = plan.integer("timestamp_ms") * 1_000_000
    return Planned(*place, key=plan.text("key"), side=plan.side(), decided_ns=decided_ns)


def _taken(place: Place, record: Fields) -> PositionTaken:
    position = Fields(record.mapping("position"))
    return PositionTaken(*place, symbol=position.text("symbol"), quantity=position.decimal("quantity"))


def _closed(place: Place, record: Fields) -> BooksClosed:
    return BooksClosed(*place, symbol=record.text("symbol"), key=record.text("key"))


def _engine(place: Place, record: Fields) -> EngineState:
    return EngineState(*place, state=record.text("state"), epoch=record.integer("epoch"), reason=record.text("reason"))


def _compared(place: Place, record: Fields) -> Compared:
    details = record.body.get("details") or ()
    return Compared(
        *place,
        rounds=record.optional_integer("rounds") or 1,
        settled=record.body.get("settled", True) is True,
        details=tuple(str(detail) for detail in details),
    )


def _alert(place: Place, record: Fields) -> Alerted:
    symbol = str(record.body.get("symbol") or "")
    return Alerted(*place, level=record.text("level"), code=record.text("code"), symbol=symbol)


_DECODERS: Mapping[str, Callable[[Place, Fields], Fact]] = {
    "intent": _intent,
    "order": _order,
    "execution": _booked,
    "execution_attributed": _attributed,
    "plan": _plan,
    "position_adopted": _taken,
    "position_corrected": _taken,
    "trade": _closed,
    "engine": _engine,
    "reconciled": _compared,
    "alert": _alert,
}

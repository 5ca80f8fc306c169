"""From a line of the venue log to an event."""

from collections.abc import Callable, Mapping
from typing import Any

from .events import (
    ENDED_ALGO,
    ENDED_ORDER,
    LIVE_ALGO,
    LIVE_ORDER,
    AlgoChange,
    Connection,
    DecisionFed,
    Event,
    Fault,
    Fill,
    Mark,
    Note,
    OrderChange,
    PositionChange,
    Request,
    Response,
    Start,
    Told,
)
from .fields import Fields

_DECISION_SIDES = {"buy": 1, "long": 1, "sell": -1, "short": -1}
_ORDER_STATES = LIVE_ORDER | ENDED_ORDER
_ALGO_STATES = LIVE_ALGO | ENDED_ALGO
_NO_TRADE = (None, 0, -1)


def decode(kind: str, line: int, t: int, body: Mapping[str, Any]) -> Event | None:
    """The event of one line, or None for a kind no rule looks at. Raises MalformedError."""
    decoder = _DECODERS.get(kind)
    return None if decoder is None else decoder(line, t, Fields(body))


def _request(line: int, t: int, fields: Fields) -> Request:
    body = fields.body
    params = body.get("params")
    return Request(
        line,
        t,
        body.get("id", 0),
        fields.text("method"),
        params if isinstance(params, dict) else {},
        body.get("weight", 0),
        body.get("orders", 0),
        fields.optional_decimal("mark"),
    )


def _response(line: int, t: int, fields: Fields) -> Response:
    answer = fields.body.get("body")
    error: Mapping[str, Any] = answer if isinstance(answer, dict) and fields.body.get("status") != 200 else {}
    return Response(
        line,
        t,
        fields.integer("id"),
        fields.integer("status"),
        error.get("code"),
        str(error.get("msg", "")),
        fields.optional_integer("retry_after_s"),
    )


def _told(line: int, t: int, fields: Fields) -> Told | None:
    trade_id = fields.body.get("trade_id")
    return None if trade_id in _NO_TRADE else Told(line, t, fields.integer("trade_id"))


def _connection(line: int, t: int, fields: Fields) -> Connection | None:
    return Connection(line, t, fields.body.get("weight", 0)) if fields.body.get("what") == "open" else None


def _position(line: int, t: int, fields: Fields) -> PositionChange:
    return PositionChange(line, t, fields.text("symbol"), fields.decimal("quantity"), fields.decimal("entry_price"))


def _start(line: int, t: int, fields: Fields) -> Start:
    return Start(line, t, fields.optional_decimal("wallet"), fields.mapping("limits"))


def _fault(line: int, t: int, fields: Fields) -> Fault:
    return Fault(line, t, str(fields.body.get("name", "")), fields.mapping("detail"))


def _kill(line: int, t: int, fields: Fields) -> Mark | None:
    # missing: the simulator found no process to kill, the engine was down already.
    return None if fields.flag("missing") else Mark(line, t, "kill")


def _end(line: int, t: int, _fields: Fields) -> Mark:
    return Mark(line, t, "end")


def _note(line: int, t: int, fields: Fields) -> Note | DecisionFed:
    text = fields.text("text").strip()
    if text != "decision fed":
        return Note(line, t, text, fields.body)
    decided_ms = fields.optional_integer("timestamp_ms")
    return DecisionFed(
        line,
        t,
        fields.text("key"),
        _DECISION_SIDES.get(fields.text("side").lower(), 0),
        fields.optional_decimal("quantity"),
        None if decided_ms is None else decided_ms * 1_000_000,
    )


def _fill(line: int, t: int, fields: Fields) -> Fill:
    return Fill(
        line,
        t,
        symbol=fields.text("symbol"),
        trade_id=fields.integer("trade_id"),
        order_id=fields.integer("order_id"),
        client_id=fields.text("client_id"),
        side=fields.side(),
        price=fields.size("price"),
        quantity=fields.size("quantity"),
        maker=fields.flag("maker"),
        fee=fields.decimal("commission"),
        realized=fields.decimal("realized_pnl"),
        position=fields.decimal("position"),
        entry=fields.decimal("entry_price"),
        wallet=fields.decimal("wallet"),
    )


def _order(line: int, t: int, fields: Fields) -> OrderChange:
    return OrderChange(
        line,
        t,
        order_id=fields.integer("order_id"),
        client_id=fields.text("client_id"),
        symbol=fields.text("symbol"),
        side=fields.side(),
        price=fields.decimal("price"),
        quantity=fields.decimal("quantity"),
        filled=fields.decimal("filled"),
        reduce_only=fields.flag("reduce_only"),
        status=fields.one_of("status", _ORDER_STATES),
        parent=fields.optional_integer("parent_algo_id"),
    )


def _algo(line: int, t: int, fields: Fields) -> AlgoChange:
    return AlgoChange(
        line,
        t,
        algo_id=fields.integer("algo_id"),
        client_id=fields.text("client_id"),
        symbol=fields.text("symbol"),
        side=fields.side(),
        type=fields.text("type"),
        trigger=fields.decimal("trigger_price"),
        quantity=fields.optional_decimal("quantity"),
        close_position=fields.flag("close_position"),
        reduce_only=fields.flag("reduce_only"),
        status=fields.one_of("status", _ALGO_STATES),
    )


_DECODERS: Mapping[str, Callable[[int, int, Fields], Event | None]] = {
    "request": _request,
    "response": _response,
    "order": _order,
    "algo": _algo,
    "fill": _fill,
    "position": _position,
    "event": _told,
    "connection": _connection,
    "note": _note,
    "start": _start,
    "fault": _fault,
    "kill": _kill,
    "end": _end,
}

"""The venue log's lines as typed events: the checker's only view of what happened.

Quantities, prices and money are Decimal, times wall-clock nanoseconds of the venue, sides +1 (buy) and -1 (sell).
`line` is the physical line of the log, so that a finding can be looked up with a text editor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

LIVE_ORDER = frozenset({"NEW", "PARTIALLY_FILLED"})
ENDED_ORDER = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})
LIVE_ALGO = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
ENDED_ALGO = frozenset({"FINISHED", "CANCELED", "REJECTED", "EXPIRED", "VANISHED"})

_DECISION_SIDES = {"buy": 1, "long": 1, "sell": -1, "short": -1}


class MalformedError(ValueError):
    """A line of a known kind lacks a field or holds an impossible value; the message names both."""


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that happened at one moment of the log."""

    line: int
    t: int


@dataclass(frozen=True, slots=True)
class Request(Event):
    """A call that reached the venue; `params` as sent, without credentials."""

    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrderChange(Event):
    """The state of a regular order after a change; `parent` is the conditional order that gave birth to it."""

    order_id: int
    client_id: str
    symbol: str
    side: int
    quantity: Decimal
    filled: Decimal
    reduce_only: bool
    status: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class AlgoChange(Event):
    """The state of a conditional order after a change; once triggered, it is the `parent` of a regular order."""

    algo_id: int
    client_id: str
    symbol: str
    side: int
    type: str
    trigger: Decimal
    quantity: Decimal | None
    close_position: bool
    reduce_only: bool
    status: str


@dataclass(frozen=True, slots=True)
class Fill(Event):
    """One execution, with what the venue says it did: `position`, `entry` and `wallet` are the values after it."""

    symbol: str
    trade_id: int
    order_id: int
    client_id: str
    side: int
    price: Decimal
    quantity: Decimal
    maker: bool
    fee: Decimal
    realized: Decimal
    position: Decimal
    entry: Decimal
    wallet: Decimal


@dataclass(frozen=True, slots=True)
class PositionChange(Event):
    """A position as the venue states it."""

    symbol: str
    quantity: Decimal
    entry: Decimal


@dataclass(frozen=True, slots=True)
class Note(Event):
    """What the harness wrote into the log about the engine's life."""

    text: str


@dataclass(frozen=True, slots=True)
class DecisionFed(Event):
    """A decision handed to the engine. quantity: None when the engine sizes it; side: 0 when neither long nor short."""

    key: str
    side: int
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Start(Event):
    """The venue began; wallet in quote units, None when the log does not say."""

    wallet: Decimal | None


@dataclass(frozen=True, slots=True)
class Mark(Event):
    """A kind of which only the moment matters: end, kill, fault."""

    kind: str


class _Fields:
    """Typed access to one line's fields; a missing or impossible one raises MalformedError naming it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def text(self, name: str) -> str:
        value = self._body.get(name)
        if not isinstance(value, str):
            raise MalformedError(f"{name} is {value!r}, not a string")
        return value

    def integer(self, name: str) -> int:
        value = self._body.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise MalformedError(f"{name} is {value!r}, not an integer")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._body.get(name) is None else self.integer(name)

    def flag(self, name: str) -> bool:
        return self._body.get(name) is True

    def decimal(self, name: str) -> Decimal:
        return decimal_of(self._body.get(name), name)

    def optional_decimal(self, name: str) -> Decimal | None:
        return None if self._body.get(name) is None else self.decimal(name)

    def size(self, name: str) -> Decimal:
        value = self.decimal(name)
        if value <= 0:
            raise MalformedError(f"{name} is {value}, not above zero")
        return value

    def side(self) -> int:
        match self._body.get("side"):
            case "BUY":
                return 1
            case "SELL":
                return -1
            case other:
                raise MalformedError(f"side is {other!r}, not BUY or SELL")

    def status(self, known: frozenset[str]) -> str:
        value = self.text("status")
        if value not in known:
            raise MalformedError(f"status is {value!r}, not one of {sorted(known)}")
        return value


def decimal_of(value: object, name: str) -> Decimal:
    """`value` (a decimal string, an integer or a Decimal) as a finite Decimal; MalformedError names `name`."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            parsed = Decimal(value)
        except InvalidOperation:
            parsed = Decimal("NaN")
        if parsed.is_finite():
            return parsed
    raise MalformedError(f"{name} is {value!r}, not a decimal string")


def decode(kind: str, line: int, t: int, body: Mapping[str, Any]) -> Event | None:
    """The event of one line, or None for a kind no rule looks at. Raises MalformedError."""
    fields = _Fields(body)
    match kind:
        case "fill":
            return _fill(line, t, fields)
        case "order":
            return _order(line, t, fields)
        case "algo":
            return _algo(line, t, fields)
        case "position":
            return PositionChange(
                line, t, fields.text("symbol"), fields.decimal("quantity"), fields.decimal("entry_price")
            )
        case "request":
            params = body.get("params")
            return Request(line, t, fields.text("method"), params if isinstance(params, Mapping) else {})
        case "note":
            return _note(line, t, fields)
        case "start":
            return Start(line, t, fields.optional_decimal("wallet"))
        case "kill" if fields.flag("missing"):
            return None  # the simulator found no process to kill: the engine was down already
        case "end" | "kill" | "fault":
            return Mark(line, t, kind)
        case _:
            return None


def _note(line: int, t: int, fields: _Fields) -> Note | DecisionFed:
    text = fields.text("text").strip()
    if text != "decision fed":
        return Note(line, t, text)
    side = _DECISION_SIDES.get(fields.text("side").lower(), 0)
    return DecisionFed(line, t, fields.text("key"), side, fields.optional_decimal("quantity"))


def _fill(line: int, t: int, fields: _Fields) -> Fill:
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


def _order(line: int, t: int, fields: _Fields) -> OrderChange:
    return OrderChange(
        line,
        t,
        order_id=fields.integer("order_id"),
        client_id=fields.text("client_id"),
        symbol=fields.text("symbol"),
        side=fields.side(),
        quantity=fields.decimal("quantity"),
        filled=fields.decimal("filled"),
        reduce_only=fields.flag("reduce_only"),
        status=fields.status(LIVE_ORDER | ENDED_ORDER),
        parent=fields.optional_integer("parent_algo_id"),
    )


def _algo(line: int, t: int, fields: _Fields) -> AlgoChange:
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
        status=fields.status(LIVE_ALGO | ENDED_ALGO),
    )

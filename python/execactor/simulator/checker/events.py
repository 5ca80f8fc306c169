"""The venue log's lines as typed events: the checker's only view of what happened.

Quantities, prices and money are Decimal, times wall-clock nanoseconds of the venue, sides +1 (buy) and -1 (sell).
Every event begins with `line`, the physical line of the log, so that a finding can be looked up with a text editor,
and `t`, its time. Named tuples, because a simulation judges thousands of logs and their making is most of the cost.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

LIVE_ORDER = frozenset({"NEW", "PARTIALLY_FILLED"})
ENDED_ORDER = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})
LIVE_ALGO = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
ENDED_ALGO = frozenset({"FINISHED", "CANCELED", "REJECTED", "EXPIRED", "VANISHED"})


class Request(NamedTuple):
    """A call that reached the venue; `params` as sent, without credentials.

    id: what its response names. weight, orders: what it costs. mark: the mark price that an order met, if told.
    """

    line: int
    t: int
    id: int
    method: str
    params: Mapping[str, Any]
    weight: int
    orders: int
    mark: Decimal | None


class Response(NamedTuple):
    """The venue's answer to request `id`. status 0: never answered; code: of an error; retry_after_s: asked pause."""

    line: int
    t: int
    id: int
    status: int
    code: int | None
    message: str
    retry_after_s: int | None


class OrderChange(NamedTuple):
    """The state of a regular order after a change; `parent` is the conditional order that gave birth to it."""

    line: int
    t: int
    order_id: int
    client_id: str
    symbol: str
    side: int
    price: Decimal
    quantity: Decimal
    filled: Decimal
    reduce_only: bool
    status: str
    parent: int | None


class AlgoChange(NamedTuple):
    """The state of a conditional order after a change; once triggered, it is the `parent` of a regular order."""

    line: int
    t: int
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


class Fill(NamedTuple):
    """One execution, with what the venue says it did: `position`, `entry` and `wallet` are the values after it."""

    line: int
    t: int
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


class PositionChange(NamedTuple):
    """A position as the venue states it."""

    line: int
    t: int
    symbol: str
    quantity: Decimal
    entry: Decimal


class Told(NamedTuple):
    """A private event about a trade was written to the engine's socket."""

    line: int
    t: int
    trade_id: int


class Connection(NamedTuple):
    """A connection was opened, at this weight."""

    line: int
    t: int
    weight: int


class Note(NamedTuple):
    """What the harness wrote into the log about the engine's life."""

    line: int
    t: int
    text: str
    fields: Mapping[str, Any]


class DecisionFed(NamedTuple):
    """A decision handed to the engine. quantity: None when the engine sizes it; side: 0 when neither long nor short.

    decided_ns: the decision's own timestamp, None when the note does not say.
    """

    line: int
    t: int
    key: str
    side: int
    quantity: Decimal | None
    decided_ns: int | None


class Start(NamedTuple):
    """The venue began; wallet in quote units, None when the log does not say. limits: requests by kind and window."""

    line: int
    t: int
    wallet: Decimal | None
    limits: Mapping[str, int]


class Fault(NamedTuple):
    """Something went wrong on purpose."""

    line: int
    t: int
    name: str
    detail: Mapping[str, Any]


class Mark(NamedTuple):
    """A kind of which only the moment matters: end, kill."""

    line: int
    t: int
    kind: str


Event = (
    Request
    | Response
    | OrderChange
    | AlgoChange
    | Fill
    | PositionChange
    | Told
    | Connection
    | Note
    | DecisionFed
    | Start
    | Fault
    | Mark
)

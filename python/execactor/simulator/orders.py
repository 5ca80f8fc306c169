"""Regular orders of the account and the trades they made."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from execactor.simulator import errors
from execactor.simulator.symbols import Symbol

Side = Literal["BUY", "SELL"]
OrderType = Literal["LIMIT", "MARKET"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"]

OPEN: frozenset[str] = frozenset({"NEW", "PARTIALLY_FILLED"})
KEPT_ORDERS = 200_000


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a regular order. ticks: None for MARKET."""

    symbol: Symbol
    side: Side
    type: OrderType
    lots: int
    ticks: int | None = None
    time_in_force: str = "GTC"
    reduce_only: bool = False
    client_id: str | None = None
    stp: str = "EXPIRE_MAKER"
    want_result: bool = False

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    def cut_to(self, lots: int) -> "OrderRequest":
        """The same request for fewer lots."""
        return msgspec.structs.replace(self, lots=lots)


class Order(msgspec.Struct, kw_only=True):
    """A regular order as the venue holds it. parts: sizes still to be matched one by one (fault partial_fills)."""

    id: int
    client_id: str
    symbol: Symbol
    side: Side
    type: OrderType
    original_type: str
    time_in_force: str
    ticks: int | None
    lots: int
    reduce_only: bool
    close_position: bool
    stp: str
    created_ms: int
    updated_ms: int
    status: Status = "NEW"
    filled: int = 0
    notional: Decimal = Decimal(0)
    parent_algo_id: int | None = None
    working_type: str = "CONTRACT_PRICE"
    expiry_reason: int = 0
    parts: tuple[int, ...] = ()

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> int:
        return self.lots - self.filled

    @property
    def price(self) -> Decimal:
        return self.symbol.price(self.ticks) if self.ticks is not None else Decimal(0)

    @property
    def quantity(self) -> Decimal:
        return self.symbol.quantity(self.lots)

    @property
    def filled_quantity(self) -> Decimal:
        return self.symbol.quantity(self.filled)

    @property
    def average_price(self) -> Decimal:
        return self.notional / self.filled_quantity if self.filled else Decimal(0)


class Trade(NamedTuple):
    """One execution of one of the account's orders."""

    id: int
    order_id: int
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    maker: bool
    commission: Decimal
    realized: Decimal
    time_ns: int


class Orders:
    """All regular orders: open ones by client id and symbol, ended ones until KEPT_ORDERS newer ones ended."""

    def __init__(self) -> None:
        self._by_id: dict[int, Order] = {}
        self._latest_by_client_id: dict[tuple[str, str], Order] = {}
        self._open: dict[str, dict[int, Order]] = {}
        self._ended: deque[int] = deque()

    def add(self, order: Order) -> None:
        self._by_id[order.id] = order
        self._latest_by_client_id[order.symbol.name, order.client_id] = order
        self._open.setdefault(order.symbol.name, {})[order.id] = order

    def ended(self, order: Order) -> None:
        """Takes an order that reached its end out of the open ones."""
        open_orders = self._open.get(order.symbol.name)
        if open_orders is None or open_orders.pop(order.id, None) is None:
            return
        if not open_orders:
            del self._open[order.symbol.name]
        self._ended.append(order.id)
        if len(self._ended) > KEPT_ORDERS:
            oldest = self._by_id.pop(self._ended.popleft())
            key = (oldest.symbol.name, oldest.client_id)
            if self._latest_by_client_id.get(key) is oldest:
                del self._latest_by_client_id[key]

    def check_client_id(self, symbol: str, client_id: str) -> None:
        """Raises -4116 when an OPEN order has this id. An id whose order ended is taken again: the venue's trap."""
        latest = self._latest_by_client_id.get((symbol, client_id))
        if latest is not None and latest.is_open:
            raise errors.duplicate_client_id()

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """By id when given, else the newest order with the client id. None when there is none."""
        if order_id is not None:
            order = self._by_id.get(order_id)
            return order if order is not None and order.symbol.name == symbol else None
        return self._latest_by_client_id.get((symbol, client_id)) if client_id is not None else None

    def get(self, order_id: int) -> Order | None:
        return self._by_id.get(order_id)

    def open(self, symbol: str | None = None) -> list[Order]:
        """Open orders of a symbol, or of all, oldest first."""
        if symbol is not None:
            return list(self._open.get(symbol, {}).values())
        everywhere = (order for orders in self._open.values() for order in orders.values())
        return sorted(everywhere, key=lambda order: order.id)

    def all(self, symbol: str | None) -> Iterator[Order]:
        return (order for order in self._by_id.values() if symbol is None or order.symbol.name == symbol)

    def symbols(self) -> set[str]:
        """Symbols with open orders."""
        return set(self._open)

    def has_open(self, symbol: str) -> bool:
        return symbol in self._open

    def __len__(self) -> int:
        return len(self._by_id)

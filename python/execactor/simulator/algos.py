"""Conditional (algo) orders of the account: what they are, and the rules for holding them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from execactor.simulator.orders import Side
from execactor.simulator.symbols import Symbol

AlgoType = Literal["STOP_MARKET", "TAKE_PROFIT_MARKET"]
AlgoStatus = Literal["NEW", "TRIGGERING", "TRIGGERED", "FINISHED", "CANCELED", "REJECTED", "EXPIRED", "VANISHED"]
WorkingType = Literal["MARK_PRICE", "CONTRACT_PRICE"]

MAX_CONDITIONAL_ORDERS = 200
FIRST_ALGO_ID = 1_000_000_000_000_001


class AlgoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a conditional order. lots: None exactly when close_position."""

    symbol: Symbol
    side: Side
    type: AlgoType
    trigger_ticks: int
    lots: int | None
    close_position: bool
    reduce_only: bool
    working_type: WorkingType
    time_in_force: str = "GTC"
    client_id: str | None = None
    price_protect: bool = False
    stp: str = "EXPIRE_MAKER"


class AlgoOrder(msgspec.Struct, kw_only=True):
    """A conditional order as the venue holds it. order_id: of the engine order its trigger made."""

    id: int
    client_id: str
    request: AlgoRequest
    created_ms: int
    updated_ms: int
    status: AlgoStatus = "NEW"
    order_id: int | None = None
    triggered_ms: int = 0
    executed: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    reason: str = ""

    @property
    def symbol(self) -> Symbol:
        return self.request.symbol

    @property
    def trigger_price(self) -> Decimal:
        return self.request.symbol.price(self.request.trigger_ticks)

    @property
    def is_open(self) -> bool:
        return self.status in {"NEW", "TRIGGERING", "TRIGGERED"}

    def reached(self, price: Decimal) -> bool:
        return would_trigger(self.request, price)


def would_trigger(request: AlgoRequest, price: Decimal) -> bool:
    """STOP: BUY at or above the trigger, SELL at or below. TAKE_PROFIT: the other way round (fact sheet 3.5)."""
    trigger = request.symbol.price(request.trigger_ticks)
    rises = (request.side == "BUY") == (request.type == "STOP_MARKET")
    return price >= trigger if rises else price <= trigger


class Algos:
    """All conditional orders of the account."""

    def __init__(self) -> None:
        self._by_id: dict[int, AlgoOrder] = {}
        self._by_client_id: dict[str, AlgoOrder] = {}
        self._open: dict[str, dict[int, AlgoOrder]] = {}

    def add(self, algo: AlgoOrder) -> None:
        self._by_id[algo.id] = algo
        self._by_client_id[algo.client_id] = algo
        self._open.setdefault(algo.symbol.name, {})[algo.id] = algo

    def ended(self, algo: AlgoOrder) -> None:
        open_algos = self._open.get(algo.symbol.name)
        if open_algos is not None and open_algos.pop(algo.id, None) is not None and not open_algos:
            del self._open[algo.symbol.name]

    def forget(self, algo: AlgoOrder) -> None:
        """Drops an order as if it had never been (fault algo_ack_lost)."""
        self.ended(algo)
        del self._by_id[algo.id]
        if self._by_client_id.get(algo.client_id) is algo:
            del self._by_client_id[algo.client_id]

    def find(self, algo_id: int | None, client_id: str | None) -> AlgoOrder | None:
        if algo_id is not None:
            return self._by_id.get(algo_id)
        return self._by_client_id.get(client_id) if client_id is not None else None

    def open(self, symbol: str | None = None) -> list[AlgoOrder]:
        if symbol is not None:
            return list(self._open.get(symbol, {}).values())
        return sorted((algo for algos in self._open.values() for algo in algos.values()), key=lambda algo: algo.id)

    def all(self, symbol: str | None) -> Iterator[AlgoOrder]:
        return (algo for algo in self._by_id.values() if symbol is None or algo.symbol.name == symbol)

    def open_count(self) -> int:
        return sum(len(algos) for algos in self._open.values())

    def symbols(self) -> set[str]:
        """Symbols with open conditional orders."""
        return set(self._open)

    def has_open(self, symbol: str) -> bool:
        return symbol in self._open

    def __len__(self) -> int:
        return len(self._by_id)

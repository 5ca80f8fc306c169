"""Conditional orders at work: placing, cancelling and triggering (section 3.5 of the fact sheet)."""

from typing import TYPE_CHECKING

from execactor.simulator import errors, user_events
from execactor.simulator.account import ZERO
from execactor.simulator.algos import (
    FIRST_ALGO_ID,
    MAX_CONDITIONAL_ORDERS,
    AlgoOrder,
    AlgoRequest,
    Algos,
    AlgoStatus,
    would_trigger,
)
from execactor.simulator.orders import Order, OrderRequest
from execactor.simulator.records import algo_record
from execactor.simulator.screening import check_notional, closable_lots

if TYPE_CHECKING:
    from execactor.simulator.exchange import Exchange


class ConditionalOrders:
    """The venue's algo service: NEW -> TRIGGERING -> TRIGGERED (an engine order exists) -> FINISHED.

    The engine order has its own id; its client id is the clientAlgoId (nautilus relies on it; M, so a quirk).
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self.algos = Algos()
        self._next_id = FIRST_ALGO_ID

    def place(self, request: AlgoRequest) -> AlgoOrder:
        """Takes a conditional order. Raises -4116, -4045, -4509, -4130, -2022 or -2021."""
        exchange = self._exchange
        self._screen(request)
        now_ms = exchange.now_ms()
        algo = AlgoOrder(
            id=self._next_id,
            client_id=request.client_id or exchange.new_client_id(),
            request=request,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        self._next_id += 1
        self.algos.add(algo)
        self._changed(algo)
        return algo

    def cancel(self, algo: AlgoOrder) -> None:
        """Cancels a conditional order that has not been triggered. Raises -2011 otherwise."""
        if algo.status != "NEW":
            raise errors.unknown_cancel()
        self._end(algo, "CANCELED")

    def check_client_id(self, client_id: str) -> None:
        """Raises -4116 when an open conditional order has this id."""
        known = self.algos.find(None, client_id)
        if known is not None and known.is_open:
            raise errors.duplicate_client_id()

    def vanish(self, algo: AlgoOrder, reason: str) -> None:
        """Makes an acknowledged order disappear without a word (fault algo_ack_lost)."""
        if not algo.is_open:
            return
        algo.status = "VANISHED"
        self.algos.forget(algo)
        self._exchange.algo_history.record(algo.id, None, self._exchange.now_ns(), final=True)
        self._exchange.outbox.record("algo", algo_record(algo, reason))

    def check(self, symbol: str) -> None:
        """Triggers every order whose price was reached, oldest first, until none is left."""
        market = self._exchange.markets[symbol]
        while self.algos.has_open(symbol):
            mark, last = market.mark, market.last
            reached = next(
                (
                    algo
                    for algo in self.algos.open(symbol)
                    if algo.status == "NEW"
                    and algo.reached(mark if algo.request.working_type == "MARK_PRICE" else last)
                ),
                None,
            )
            if reached is None:
                return
            self._trigger(reached)

    def triggered(self, algo: AlgoOrder, order: Order) -> None:
        """The engine took the order that this trigger made."""
        algo.order_id = order.id
        self._set(algo, "TRIGGERED")

    def finished(self, order: Order) -> None:
        """The engine order of a triggered algo ended, filled or not: look at `aq`."""
        algo = self.algos.find(order.parent_algo_id, None)
        if algo is None or algo.status != "TRIGGERED":
            return
        algo.executed = order.filled_quantity if order.filled else ZERO
        algo.average_price = order.average_price
        self._end(algo, "FINISHED")

    def position_closed(self, symbol: str) -> None:
        """Expires the orders that live only as long as the position (GTE_GTC)."""
        for algo in self.algos.open(symbol):
            gte = algo.request.time_in_force == "GTE_GTC" or (
                algo.request.close_position and self._exchange.quirks.close_position_expires_when_flat
            )
            if gte and algo.status == "NEW":
                self._end(algo, "EXPIRED")

    def _screen(self, request: AlgoRequest) -> None:
        exchange, symbol = self._exchange, request.symbol.name
        if request.client_id is not None:
            self.check_client_id(request.client_id)
            if exchange.quirks.one_namespace_of_client_ids:
                exchange.orders.check_client_id(symbol, request.client_id)
        if self.algos.open_count() >= MAX_CONDITIONAL_ORDERS:
            raise errors.too_many_conditional()
        sign = 1 if request.side == "BUY" else -1
        held = closable_lots(exchange.account.positions[symbol], request.symbol, sign)
        if request.close_position:
            if not held and exchange.quirks.close_position_needs_position:
                raise errors.close_position_without_position()
            if exchange.quirks.one_close_position_per_kind and self._has_twin(request):
                raise errors.second_close_position()
        elif request.reduce_only and not held:
            raise errors.reduce_only_rejected()
        elif not request.reduce_only:
            price = request.symbol.price(request.trigger_ticks)
            check_notional(request.symbol, request.lots or 0, price)
        market = exchange.markets[symbol]
        if would_trigger(request, market.mark if request.working_type == "MARK_PRICE" else market.last):
            raise errors.would_trigger()

    def _has_twin(self, request: AlgoRequest) -> bool:
        """An open closePosition order of the same kind and direction."""
        return any(
            algo.request.close_position and algo.request.type == request.type and algo.request.side == request.side
            for algo in self.algos.open(request.symbol.name)
        )

    def _trigger(self, algo: AlgoOrder) -> None:
        exchange, request = self._exchange, algo.request
        algo.triggered_ms = exchange.now_ms()
        self._set(algo, "TRIGGERING")
        if exchange.mischief.sticks(algo):
            return
        sign = 1 if request.side == "BUY" else -1
        held = closable_lots(exchange.account.positions[request.symbol.name], request.symbol, sign)
        lots = held if request.lots is None else request.lots
        if request.close_position and not held:
            self._end(algo, "EXPIRED", "no position to close")
            return
        if request.reduce_only:
            if not held:
                self._end(algo, "REJECTED", "Reduce Only reject")
                return
            lots = min(lots, held)
        order = OrderRequest(
            symbol=request.symbol,
            side=request.side,
            type="MARKET",
            lots=lots,
            reduce_only=request.reduce_only or request.close_position,
            client_id=algo.client_id if exchange.quirks.triggered_order_keeps_client_id else None,
            stp=request.stp,
        )
        if not exchange.covers(order):
            self._end(algo, "REJECTED", "Margin is insufficient.")
            return
        exchange.accept(order, original_type=request.type, parent=algo)

    def _set(self, algo: AlgoOrder, status: AlgoStatus) -> None:
        algo.status = status
        algo.updated_ms = self._exchange.now_ms()
        self._changed(algo)

    def _end(self, algo: AlgoOrder, status: AlgoStatus, reason: str = "") -> None:
        algo.reason = reason
        self.algos.ended(algo)
        self._set(algo, status)

    def _changed(self, algo: AlgoOrder) -> None:
        exchange = self._exchange
        exchange.algo_history.record(algo.id, algo, exchange.now_ns(), final=not algo.is_open)
        exchange.outbox.record("algo", algo_record(algo))
        exchange.outbox.event(user_events.algo_update(algo, exchange.now_ms()))

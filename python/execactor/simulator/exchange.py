"""The core of the venue: one account trading perpetual contracts. No sockets, no wall clock, no global randomness.

Every public call may leave events, log lines and wakes in `outbox`; the caller takes and delivers them. Refusals are
raised as `VenueError` and leave the state as it was.
"""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal

from execactor.simulator import errors, screening, user_events
from execactor.simulator.account import ZERO, Account, MarginType, Position
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.conditional import ConditionalOrders
from execactor.simulator.config import Quirks
from execactor.simulator.feed import Level
from execactor.simulator.history import History
from execactor.simulator.margin import Margin
from execactor.simulator.market import Market
from execactor.simulator.mischief import Mischief
from execactor.simulator.orders import Order, OrderRequest, Orders, Status, Trade
from execactor.simulator.outbox import Outbox
from execactor.simulator.records import fill_record, order_record, position_record

FIRST_ORDER_ID = 8_886_000_001
FIRST_TRADE_ID = 310_000_001
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Exchange:
    """Orders, positions and wallet of the account, and the markets they trade in."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        account: Account,
        *,
        now_ns: Callable[[], int],
        rng: random.Random,
        quirks: Quirks,
        mischief: Mischief,
        outbox: Outbox,
    ) -> None:
        self.markets = markets
        self.account = account
        self.now_ns = now_ns
        self.quirks = quirks
        self.mischief = mischief
        self.outbox = outbox
        self.orders = Orders()
        self.trades: list[Trade] = []
        self.margin = Margin(account, self.orders)
        self.order_history: History[int, Order] = History()
        self.algo_history: History[int, AlgoOrder] = History()
        self.position_history: History[str, Position] = History()
        self._rng = rng
        self._next_order_id = FIRST_ORDER_ID
        self.last_trade_id = FIRST_TRADE_ID - 1
        self.conditional = ConditionalOrders(self)
        for name, position in account.positions.items():
            self.position_history.record(name, position, 0)

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

    def market(self, symbol: str) -> Market:
        """Raises -1121 when the venue does not list the symbol."""
        market = self.markets.get(symbol)
        if market is None:
            raise errors.bad_symbol()
        return market

    def place(self, request: OrderRequest) -> Order:
        """Takes a regular order and matches it. Raises the refusals of `screening`, -2019, -2025 and -4116."""
        request = self._screened(request)
        order = self.accept(request, original_type=request.type)
        self.settle(request.symbol.name)
        return order

    def accept(self, request: OrderRequest, *, original_type: str, parent: AlgoOrder | None = None) -> Order:
        """Enters an order that passed its checks and matches it."""
        now_ms = self.now_ms()
        order = Order(
            id=self._next_order_id,
            client_id=request.client_id or self.new_client_id(),
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            original_type=original_type,
            time_in_force=request.time_in_force,
            ticks=request.ticks,
            lots=request.lots,
            reduce_only=request.reduce_only,
            close_position=parent is not None and parent.request.close_position,
            stp=request.stp,
            created_ms=now_ms,
            updated_ms=now_ms,
            parent_algo_id=None if parent is None else parent.id,
            working_type="CONTRACT_PRICE" if parent is None else parent.request.working_type,
        )
        self._next_order_id += 1
        self.orders.add(order)
        if parent is not None:
            self.conditional.triggered(parent, order)
        self.outbox.burst()
        self._changed(order, "NEW")
        self._match(order)
        return order

    def new_client_id(self) -> str:
        return "".join(self._rng.choices(_ID_LETTERS, k=22))

    def cancel(self, order: Order) -> Order:
        """Cancels an open order. Raises -2011 when it has ended."""
        if not order.is_open:
            raise errors.unknown_cancel()
        self._end(order, "CANCELED")
        return order

    def continue_order(self, order_id: int) -> None:
        """Matches the next part of an order that fills in parts (fault partial_fills)."""
        order = self.orders.get(order_id)
        if order is None or not order.is_open or not order.parts:
            return
        part, order.parts = order.parts[0], order.parts[1:]
        self.outbox.burst()
        self._take(order, part if order.parts else order.remaining)
        if not order.parts:
            self._rest_or_expire(order)
        self.settle(order.symbol.name)

    def fill_resting(self, order: Order, lots: int) -> None:
        """Executes a resting order at its own price against nobody the market shows (fault cancel_races_fill)."""
        if order.ticks is None or not order.is_open:
            return
        left = self.markets[order.symbol.name].remove(order.id)
        taken = min(lots, left)
        self.outbox.burst()
        if taken:
            self._book(order, (order.ticks, taken), maker=True)
        if order.is_open and left > taken:
            self.markets[order.symbol.name].rest(order.id, order.sign, order.ticks, left - taken)
        self.settle(order.symbol.name)

    def settle(self, symbol: str) -> None:
        """Books the account's maker executions of a market that moved, then triggers what the prices reached."""
        market = self.markets[symbol]
        while market.maker_fills:
            fills, market.maker_fills = market.maker_fills, []
            for fill in fills:
                order = self.orders.get(fill.order_id)
                if order is not None and order.is_open and order.ticks is not None:
                    self.outbox.burst()
                    self._book(order, (order.ticks, fill.lots), maker=True)
        self.conditional.check(symbol)

    def close_by_force(self, symbol: str, lots: int, client_id: str) -> Order:
        """The venue itself takes lots off a position: a liquidation ("autoclose-...") or ADL ("adl_autoclose").

        A liquidation first ends the symbol's open orders (er 5). Raises -2022 without a position.
        """
        position = self.account.positions[symbol]
        listed = self.markets[symbol].symbol
        sign = -1 if position.quantity > 0 else 1
        held = screening.closable_lots(position, listed, sign)
        if not held:
            raise errors.reduce_only_rejected()
        if client_id.startswith("autoclose-"):
            for order in self.orders.open(symbol):
                order.expiry_reason = 5
                self._end(order, "EXPIRED")
        request = OrderRequest(
            symbol=listed,
            side="BUY" if sign > 0 else "SELL",
            type="MARKET",
            lots=min(lots, held),
            reduce_only=True,
            client_id=client_id,
        )
        order = self.accept(request, original_type="LIQUIDATION")
        self.settle(symbol)
        return order

    def set_leverage(self, symbol: str, leverage: int) -> None:
        self.account.set_leverage(symbol, leverage)
        self.margin.refresh(symbol)
        self.outbox.event(user_events.leverage_update(symbol, leverage, self.now_ms()))

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Raises -4046 when it is set already, -4047 with open orders, -4048 with a position."""
        if self.account.positions[symbol].margin_type == margin_type:
            raise errors.same_margin_type()
        if self.orders.has_open(symbol):
            raise errors.margin_type_with_orders()
        if self.account.positions[symbol].quantity:
            raise errors.margin_type_with_position()
        self.account.set_margin_type(symbol, margin_type)

    def unrealized(self) -> Decimal:
        """Of all positions at their marks, USDT."""
        held = (self.account.positions[symbol] for symbol in self.account.held)
        return sum((position.unrealized(self.markets[position.symbol].mark) for position in held), ZERO)

    def watched(self) -> set[str]:
        """Symbols in which the account has something at stake, so that their markets have to move."""
        return self.orders.symbols() | self.conditional.algos.symbols() | self.account.held

    def covers(self, request: OrderRequest) -> bool:
        """Whether the margin carries this order (priced at its limit, else at the mark)."""
        mark = self.markets[request.symbol.name].mark
        price = mark if request.ticks is None else request.symbol.price(request.ticks)
        return request.reduce_only or self.margin.covers(request, price, self.unrealized())

    def _screened(self, request: OrderRequest) -> OrderRequest:
        """The request with a reduce-only size cut to the position; raises what the venue refuses."""
        symbol, market = request.symbol, self.markets[request.symbol.name]
        open_orders = self.orders.open(symbol.name)
        if request.client_id is not None:
            self.orders.check_client_id(symbol.name, request.client_id)
            if self.quirks.one_namespace_of_client_ids:
                self.conditional.check_client_id(request.client_id)
        if request.type == "LIMIT" and len(open_orders) >= symbol.max_open_orders:
            raise errors.too_many_orders()
        screening.check_price(request, market.mark)
        if request.reduce_only:
            position = self.account.positions[symbol.name]
            lots = screening.reduce_only_lots(request, position, open_orders, self.quirks)
            request = request if lots == request.lots else request.cut_to(lots)
        else:
            price = market.mark if request.ticks is None else symbol.price(request.ticks)
            screening.check_notional(symbol, request.lots, price)
        if request.type == "MARKET" and self.quirks.market_percent_price:
            screening.check_market_bound(request, market)
        screening.check_taking(request, market)
        if not self.covers(request):
            raise errors.insufficient_margin()
        return request

    def _match(self, order: Order) -> None:
        split = self.mischief.split(order, order.lots) if order.time_in_force not in {"FOK", "GTX"} else None
        if split is None:
            self._take(order, order.lots)
            self._rest_or_expire(order)
            return
        order.parts = split.parts[1:]
        self._take(order, split.parts[0])
        for number in range(1, len(split.parts)):
            self.outbox.wake(split.gap_s * number, order.id)

    def _take(self, order: Order, lots: int) -> None:
        """Executes up to so many lots of an order against the market, as far as its limit and its kind allow."""
        market = self.markets[order.symbol.name]
        if order.reduce_only:
            position = self.account.positions[order.symbol.name]
            lots = min(lots, screening.closable_lots(position, order.symbol, order.sign))
        if lots <= 0:
            return
        if order.stp == "EXPIRE_MAKER":
            self._expire_own_makers(order, market, lots)
        for level in market.take(order.sign, lots, order.ticks):
            self._book(order, level, maker=False)

    def _expire_own_makers(self, order: Order, market: Market, lots: int) -> None:
        """Self-trade prevention EXPIRE_MAKER: own orders within the taker's reach end EXPIRED_IN_MATCH.

        Each one that goes lengthens the reach, so the reach is taken again until it holds none.
        """
        while opposite := [own for own in self.orders.open(order.symbol.name) if own.sign == -order.sign]:
            _, worst = market.reachable(order.sign, lots, order.ticks)
            within = [own for own in opposite if _reaches(order.sign, worst, own.ticks)]
            if not within:
                return
            for own in within:
                own.expiry_reason = 1
                self._end(own, "EXPIRED_IN_MATCH")

    def _rest_or_expire(self, order: Order) -> None:
        """What becomes of the lots that did not fill at once."""
        if not order.is_open:
            return
        position = self.account.positions[order.symbol.name]
        if order.reduce_only and order.remaining > screening.closable_lots(position, order.symbol, order.sign):
            order.expiry_reason = 4
            self._end(order, "EXPIRED")
            return
        if order.ticks is not None and order.time_in_force in {"GTC", "GTX"}:
            self.markets[order.symbol.name].rest(order.id, order.sign, order.ticks, order.remaining)
            return
        order.expiry_reason = 9 if order.type == "MARKET" else 2
        self._end(order, "EXPIRED")

    def _book(self, order: Order, level: Level, *, maker: bool) -> None:
        """Books one execution: position, wallet, order, trade, in the venue's order of events."""
        ticks, lots = level
        symbol = order.symbol
        position = self.account.positions[symbol.name]
        assert not order.reduce_only or lots <= screening.closable_lots(position, symbol, order.sign)
        self.mischief.before_fill(order)
        now_ns, now_ms = self.now_ns(), self.now_ms()
        price, quantity = symbol.price(ticks), symbol.quantity(lots)
        realized, commission = self.account.book(symbol.name, quantity * order.sign, price, maker=maker)
        position.updated_ms = now_ms
        order.filled += lots
        order.notional += price * quantity
        order.updated_ms = now_ms
        order.status = "FILLED" if order.filled == order.lots else "PARTIALLY_FILLED"
        self.last_trade_id += 1
        trade = Trade(
            self.last_trade_id, order.id, symbol, order.side, price, quantity, maker, commission, realized, now_ns
        )
        self.trades.append(trade)
        self.outbox.record("fill", fill_record(order, trade, position, self.account.wallet))
        self.outbox.record("position", position_record(position))
        self.position_history.record(symbol.name, position, now_ns)
        if not order.is_open:
            self._retire(order)
        self.margin.refresh(symbol.name)
        self.outbox.record("order", order_record(order))
        self.order_history.record(order.id, order, now_ns, final=not order.is_open)
        mark = self.markets[symbol.name].mark
        bids, asks = self.margin.open_notional(symbol.name, reduce_only=True)
        self.outbox.lite(user_events.trade_lite(order, trade, now_ms))
        self.outbox.event(user_events.account_update(self.account, symbol.name, mark, now_ms))
        self.outbox.event(user_events.trade_update(order, trade, now_ms, bids=bids, asks=asks))
        self.mischief.after_fill(order)
        self._after_execution(order, position)

    def _after_execution(self, order: Order, position: Position) -> None:
        if order.parent_algo_id is not None and not order.is_open:
            self.conditional.finished(order)
        self._knock_out_reduce_only(order.symbol.name, position, order)
        if not position.quantity:
            self.conditional.position_closed(order.symbol.name)

    def _knock_out_reduce_only(self, symbol: str, position: Position, taker: Order) -> None:
        """Expires resting reduce-only orders that the position no longer covers, the newest first (er 4)."""
        for sign in (1, -1):
            left = None
            for own in self.orders.open(symbol):
                if own is taker or not own.reduce_only or own.sign != sign or own.parts:
                    continue
                left = screening.closable_lots(position, own.symbol, sign) if left is None else left
                if own.remaining > left:
                    own.expiry_reason = 4
                    self._end(own, "EXPIRED")
                else:
                    left -= own.remaining

    def _end(self, order: Order, status: Status) -> None:
        """Ends an open order without an execution."""
        order.status = status
        order.parts = ()
        order.updated_ms = self.now_ms()
        self._retire(order)
        self._changed(order, "CANCELED" if status == "CANCELED" else "EXPIRED")
        if order.parent_algo_id is not None:
            self.conditional.finished(order)

    def _retire(self, order: Order) -> None:
        self.markets[order.symbol.name].remove(order.id)
        self.orders.ended(order)

    def _changed(self, order: Order, execution: str) -> None:
        """Records and announces a change of an order that is not a trade."""
        self.margin.refresh(order.symbol.name)
        self.outbox.record("order", order_record(order))
        self.order_history.record(order.id, order, self.now_ns(), final=not order.is_open)
        bids, asks = self.margin.open_notional(order.symbol.name, reduce_only=True)
        self.outbox.event(user_events.order_update(order, execution, self.now_ms(), bids=bids, asks=asks))


def _reaches(sign: int, worst: int | None, ticks: int | None) -> bool:
    """Whether a taker that goes as far as `worst` passes a resting order."""
    return worst is not None and ticks is not None and (worst - ticks) * sign >= 0

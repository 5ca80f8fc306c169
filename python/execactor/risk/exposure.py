"""The exposure book: what is open, what is reserved for entries on their way, and the pre-trade check over both."""

from decimal import Decimal

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.messages.orders import RiskApproved
from execactor.domain.order import Order, OrderIntent, OrderType
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.risk.limits import Limits


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What an approved entry may still add: the highest price that it may trade at, and the unfilled base units.

    highest_price: quote per base; None when it is not known yet, then the mark price stands for it.
    """

    symbol: str
    highest_price: Decimal | None
    remaining: Decimal

    def notional(self, mark: Decimal | None) -> Decimal:
        """Worst-case notional, quote units."""
        price = self.highest_price if self.highest_price is not None else mark
        return (price or Decimal(0)) * self.remaining


class Refusal(msgspec.Struct, frozen=True):
    """Why an entry may not go out. code is stable, e.g. notional_exceeded."""

    code: str
    detail: str


class ExposureBook:
    """Positions and reservations of one account. Deterministic, without clock or I/O; RiskActor is its one owner."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.positions: dict[str, Position] = {}
        self.marks: dict[str, Decimal] = {}
        self.reservations: dict[str, Reservation] = {}
        self.conditional: set[str] = set()

    def check(self, intent: OrderIntent, state: EngineState, epoch: int, now_ns: int) -> RiskApproved | Refusal:
        """The verdict on a risk-increasing order; an approval is reserved at once.

        The engine's state is looked at first: the kill switch beats everything.
        """
        if not state.takes_risk:
            return Refusal("engine_state", f"the engine is {state}: no new risk is taken")
        if intent.client_id in self.reservations:
            return Refusal("already_approved", f"{intent.client_id} was approved before")
        mark = self.marks.get(intent.symbol)
        worst_price = self._worst_price(intent, mark)
        highest_price = self._highest_price(intent, mark)
        if worst_price is None or highest_price is None or intent.quantity is None:
            return Refusal("no_price", f"no mark price for {intent.symbol} is known yet")
        refusal = self._limit_broken(intent.symbol, highest_price * intent.quantity)
        if refusal is not None:
            return refusal
        self.reservations[intent.client_id] = Reservation(
            symbol=intent.symbol, highest_price=highest_price, remaining=intent.quantity
        )
        return RiskApproved(
            client_id=intent.client_id,
            side=intent.side,
            max_quantity=intent.quantity,
            worst_price=worst_price,
            epoch=epoch,
            expires_ns=now_ns + self.limits.approval_ns,
        )

    def exposure(self, symbol: str) -> Decimal:
        """Open notional of `symbol` plus what is reserved for its entries, quote units."""
        position = self.positions.get(symbol)
        mark = self.marks.get(symbol)
        held = Decimal(0)
        if position is not None and not position.flat:
            held = position.notional(mark if mark is not None else position.entry_price)
        reserved = [each.notional(mark) for each in self.reservations.values() if each.symbol == symbol]
        return held + sum(reserved, Decimal(0))

    def unrealized_pnl(self) -> Decimal:
        """Of all open positions at their marks, quote units; positions without a mark count 0."""
        total = Decimal(0)
        for symbol, position in self.positions.items():
            mark = self.marks.get(symbol)
            if mark is not None and not position.flat:
                total += position.unrealized_pnl(mark)
        return total

    def on_order(self, order: Order, execution: Execution | None) -> None:
        """Book what an order update says: shrink or release its reservation, move the position."""
        self.count_conditional(order)
        if execution is not None:
            before = self.positions.get(execution.symbol, Position(symbol=execution.symbol))
            self.positions[execution.symbol] = before.after(execution)
        held = self.reservations.get(order.client_id)
        if held is None:
            return
        if order.live or not order.settled:
            remaining = max((order.intent.quantity or Decimal(0)) - order.filled, Decimal(0))
            self.reservations[order.client_id] = msgspec.structs.replace(held, remaining=remaining)
        else:
            del self.reservations[order.client_id]

    def release(self, client_id: str) -> None:
        """Give back the reservation of an entry that never left."""
        self.reservations.pop(client_id, None)

    def restore(self, order: Order) -> None:
        """Rebuild from the journal what a live entry reserved."""
        self.count_conditional(order)
        intent = order.intent
        if intent.role.protective or not order.live or intent.quantity is None:
            return
        highest = self._highest_price(intent, self.marks.get(intent.symbol))
        remaining = max(intent.quantity - order.filled, Decimal(0))
        self.reservations[order.client_id] = Reservation(
            symbol=intent.symbol, highest_price=highest, remaining=remaining
        )

    def count_conditional(self, order: Order) -> None:
        """Keep the number of open conditional orders, which the venue limits over the whole account."""
        if order.intent.type.conditional:
            if order.live:
                self.conditional.add(order.client_id)
            else:
                self.conditional.discard(order.client_id)

    def _worst_price(self, intent: OrderIntent, mark: Decimal | None) -> Decimal | None:
        if intent.type is OrderType.LIMIT:
            return intent.price
        if mark is None:
            return None
        return mark * (1 + intent.side.sign * self.limits.market_margin_fraction)

    def _highest_price(self, intent: OrderIntent, mark: Decimal | None) -> Decimal | None:
        """What an order may trade at most at: a seller's limit below the market is no bound from above."""
        if intent.price is not None:
            return max(intent.price, mark) if intent.side is Side.SELL and mark is not None else intent.price
        return None if mark is None else mark * (1 + self.limits.market_margin_fraction)

    def _limit_broken(self, symbol: str, notional: Decimal) -> Refusal | None:
        limits = self.limits
        if notional > limits.max_order_notional:
            return Refusal(
                "notional_exceeded", f"order notional {notional:f} is above the limit {limits.max_order_notional:f}"
            )
        exposure = self.exposure(symbol) + notional
        if exposure > limits.max_symbol_exposure:
            return Refusal(
                "exposure_exceeded",
                f"{symbol} would reach {exposure:f}, open orders included; the limit is {limits.max_symbol_exposure:f}",
            )
        held = {name for name, position in self.positions.items() if not position.flat}
        held |= {reservation.symbol for reservation in self.reservations.values()}
        if len(held | {symbol}) > limits.max_positions:
            return Refusal("too_many_positions", f"{len(held)} symbols are in use; {limits.max_positions} is the limit")
        room = limits.max_conditional_orders - len(self.conditional)
        needed = limits.conditional_orders_per_trade * (len(self.reservations) + 1)
        if needed > room:
            return Refusal(
                "conditional_orders_exhausted",
                f"protection needs {needed} more conditional orders; the account has room for {room}",
            )
        return None

"""A tiny venue with a truth of its own: orders, trades, the position and the rules that decide what is refused."""

from collections import deque
from decimal import Decimal
from enum import StrEnum

import msgspec
from rule_makers import SYMBOL

from execactor.domain.fill import Execution
from execactor.domain.messages.reconciliation import VenuePositionSeen
from execactor.domain.order import OrderEvent, OrderIntent, OrderType, RejectCause, Role
from execactor.domain.reports import ConditionalReport, ExecutionReport, OrderReport
from execactor.domain.side import Side

TAKER = Decimal("0.0004")
Report = OrderReport | ConditionalReport | ExecutionReport | VenuePositionSeen


class Life(StrEnum):
    """Where an order of the model stands: waiting to trigger or to be matched, being matched, ended."""

    RESTING = "RESTING"
    MATCHING = "MATCHING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class ModelOrder(msgspec.Struct):
    """An order as the venue holds it. whole: what it may trade at most, known once a closing stop has triggered."""

    intent: OrderIntent
    number: int
    life: Life = Life.RESTING
    filled: Decimal = Decimal(0)
    whole: Decimal | None = None

    @property
    def live(self) -> bool:
        return self.life in (Life.RESTING, Life.MATCHING)

    @property
    def venue_id(self) -> str:
        return f"algo{self.number}" if self.intent.type.conditional else f"order{self.number}"

    @property
    def child_id(self) -> str:
        return f"child{self.number}"


class ModelVenue:
    """The truth. Everything that it tells goes into `stream`, in its order."""

    def __init__(self, mark: Decimal = Decimal(90_800)) -> None:
        self.mark = mark
        self.position = Decimal(0)
        self.orders: dict[str, ModelOrder] = {}
        self.trades: list[Execution] = []
        self.stream: deque[Report] = deque()
        self.used_ids: set[str] = set()
        self.refuse_next: RejectCause | None = None

    # Requests.

    def submit(self, intent: OrderIntent) -> RejectCause | ModelOrder:
        """Take an order or refuse it."""
        assert intent.client_id not in self.used_ids, f"{intent.client_id} was sent twice"
        self.used_ids.add(intent.client_id)
        cause, self.refuse_next = self.refuse_next, None
        cause = cause or self._refusal(intent)
        if cause is not None:
            return cause
        order = ModelOrder(intent=intent, number=len(self.used_ids), whole=intent.quantity)
        self.orders[intent.client_id] = order
        if intent.role is Role.ENTRY:
            assert self.position == 0, f"{intent.client_id} enters while {self.position} is open"
            others = [each.intent.client_id for each in self.live(Role.ENTRY) if each is not order]
            assert not others, f"{intent.client_id} and {others} are live together"
        if intent.type is OrderType.MARKET or intent.time_in_force == "IOC":
            order.life = Life.MATCHING
        self.stream.append(self.status(order))
        return order

    def _refusal(self, intent: OrderIntent) -> RejectCause | None:
        reducible = self.reducible(intent.side)
        if intent.close_position:
            twins = [each for each in self.live(Role.STOP) if each.intent.side is intent.side]
            if not reducible:
                return RejectCause.NO_POSITION
            if twins:
                return RejectCause.STOP_EXISTS
        elif intent.reduce_only and not reducible:
            return RejectCause.REDUCE_ONLY
        if intent.type.conditional and self._met(intent):
            return RejectCause.WOULD_TRIGGER
        return None

    def cancel(self, client_id: str) -> bool:
        """Cancel what rests; False when there is no such order any more."""
        order = self.orders.get(client_id)
        if order is None or order.life is not Life.RESTING:
            return False
        self._end(order, Life.CANCELLED)
        return True

    # The market.

    def move(self, mark: Decimal) -> None:
        """The mark price moves; conditions that are met trigger."""
        self.mark = mark
        for order in list(self.orders.values()):
            if order.life is Life.RESTING and order.intent.type.conditional and self._met(order.intent):
                self._trigger(order)

    def _met(self, intent: OrderIntent) -> bool:
        assert intent.trigger_price is not None
        falling = (intent.side is Side.SELL) == (intent.type is OrderType.STOP_MARKET)
        return self.mark <= intent.trigger_price if falling else self.mark >= intent.trigger_price

    def _trigger(self, order: ModelOrder) -> None:
        order.life = Life.MATCHING
        self.stream.append(self.status(order, OrderEvent.TRIGGERING))
        if order.whole is None:
            order.whole = self.reducible(order.intent.side)
        if not self.reducible(order.intent.side):
            self._end(order, Life.EXPIRED)
            return
        self.stream.append(self.status(order, OrderEvent.TRIGGERED))

    def match(self, client_id: str, quantity: Decimal) -> None:
        """Trade up to `quantity` of an order; a reducing one ends when there is nothing left to reduce."""
        order = self.orders[client_id]
        if not order.live:
            return
        assert order.whole is not None
        most = order.whole - order.filled
        if order.intent.role.protective:
            most = min(most, self.reducible(order.intent.side))
        size = min(quantity, most)
        if size > 0:
            self._trade(order, size)
        if order.live and order.intent.role.protective and not self.reducible(order.intent.side):
            self._end(order, Life.EXPIRED)

    def _trade(self, order: ModelOrder, size: Decimal) -> None:
        price = order.intent.price if order.intent.price is not None else self.mark
        intent = order.intent
        order.filled += size
        self.position += intent.side.sign * size
        self.stream.append(VenuePositionSeen(quantity=self.position))
        final = order.filled == order.whole
        trade = Execution(
            symbol=SYMBOL,
            trade_id=str(len(self.trades) + 1),
            venue_order_id=order.child_id if intent.type.conditional else order.venue_id,
            side=intent.side,
            price=price,
            quantity=size,
            client_id=intent.client_id,
            commission=size * price * TAKER,
        )
        self.trades.append(trade)
        self.stream.append(ExecutionReport(execution=trade, filled=order.filled, final=final))
        if final:
            order.life = Life.FILLED
            if intent.type.conditional:
                self.stream.append(self.status(order))

    def fail(self, client_id: str) -> None:
        """What is being matched expires with the rest untraded, as in a market without another side."""
        order = self.orders[client_id]
        if order.life is Life.MATCHING:
            self._end(order, Life.EXPIRED)

    def _end(self, order: ModelOrder, life: Life) -> None:
        order.life = life
        self.stream.append(self.status(order))

    # What there is.

    def reducible(self, side: Side) -> Decimal:
        """How much an order of `side` can reduce."""
        return max(-side.sign * self.position, Decimal(0))

    def live(self, *roles: Role) -> list[ModelOrder]:
        return [order for order in self.orders.values() if order.live and (not roles or order.intent.role in roles)]

    @property
    def matching(self) -> list[str]:
        return [name for name, order in self.orders.items() if order.life is Life.MATCHING]

    def status(self, order: ModelOrder, event: OrderEvent | None = None) -> OrderReport | ConditionalReport:
        """The order as a report; without an event as it stands now."""
        intent = order.intent
        if event is None:
            event = _EVENTS.get(order.life, OrderEvent.ACKNOWLEDGED)
            if order.life is Life.MATCHING and intent.type.conditional:
                event = OrderEvent.TRIGGERED
            elif order.live and order.filled:
                event = OrderEvent.PARTIALLY_FILLED
        if intent.type.conditional:
            triggered = event is OrderEvent.TRIGGERED or order.filled > 0
            assert intent.trigger_price is not None
            return ConditionalReport(
                symbol=SYMBOL,
                client_id=intent.client_id,
                venue_id=order.venue_id,
                event=event,
                side=intent.side,
                order_type=intent.type,
                trigger_price=intent.trigger_price,
                quantity=intent.quantity,
                close_position=intent.close_position,
                child_id=order.child_id if triggered else None,
                executed=order.filled or None,
            )
        assert intent.quantity is not None
        return OrderReport(
            symbol=SYMBOL,
            client_id=intent.client_id,
            venue_id=order.venue_id,
            event=event,
            side=intent.side,
            order_type=str(intent.type),
            quantity=intent.quantity,
            filled=order.filled,
        )


_EVENTS = {
    Life.FILLED: OrderEvent.FILLED,
    Life.CANCELLED: OrderEvent.CANCELLED,
    Life.EXPIRED: OrderEvent.EXPIRED,
}

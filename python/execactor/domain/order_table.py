"""The table of one symbol's orders: applies what the venue says and books each execution once."""

from collections.abc import Collection, Iterable

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.order import (
    NO_FACTS,
    Facts,
    Order,
    OrderEvent,
    OrderIntent,
    OrderState,
    Pending,
    advance,
    book,
    transition,
)
from execactor.domain.reports import ConditionalReport, ExecutionReport, OrderReport


def _sent(*events: OrderEvent) -> OrderState:
    state = OrderState.CREATED
    for event in events:
        following = transition(state, event)
        assert isinstance(following, OrderState), following
        state = following
    return state


_SENT_BY_APPROVAL = {False: _sent(OrderEvent.SENT), True: _sent(OrderEvent.APPROVED, OrderEvent.SENT)}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an event did.

    execution: newly booked. late: the order had ended and its end did not account for this execution. ignored: why the
    event did not count.
    """

    order: Order
    execution: Execution | None = None
    late: bool = False
    ignored: str | None = None


class OrderTable:
    """Orders by client id, the executions booked, and the venue's ids. One owner; no clock, no I/O."""

    def __init__(self, orders: Iterable[Order] = (), booked: Iterable[tuple[str, str]] = ()) -> None:
        self.orders: dict[str, Order] = {}
        self.booked: set[tuple[str, str]] = set(booked)
        self._by_venue_id: dict[str, str] = {}
        for order in orders:
            self._keep(order)

    def add(self, intent: OrderIntent) -> Order:
        """Take up a new intent; raises ValueError for an id that was used before."""
        if intent.client_id in self.orders:
            raise ValueError(f"client order id {intent.client_id} was used before")
        return self._keep(Order(intent=intent))

    def send(self, intent: OrderIntent, *, approved: bool, now_ns: int) -> Order:
        """Take up a new intent as sent: CREATED to SUBMITTED at once. Raises ValueError for an id used before."""
        if intent.client_id in self.orders:
            raise ValueError(f"client order id {intent.client_id} was used before")
        return self._keep(Order(intent=intent, state=_SENT_BY_APPROVAL[approved], sent_ns=now_ns))

    def apply(self, client_id: str, event: OrderEvent, *, now_ns: int, facts: Facts = NO_FACTS) -> Change:
        """Apply an event to an order of ours; raises KeyError for an id that is not."""
        before = self.orders[client_id]
        order, ignored = advance(before, event, now_ns=now_ns, facts=facts)
        self._keep(order)
        return Change(order=order, ignored=ignored)

    def mark_pending(self, client_id: str, pending: Pending | None) -> Order:
        """Note the request that is under way for an order."""
        return self._keep(msgspec.structs.replace(self.orders[client_id], pending=pending))

    def owner(self, client_id: str, *venue_ids: str | None) -> Order | None:
        """Our order that a report is about: by its client id, else by the venue's id of it or of its child."""
        order = self.orders.get(client_id)
        if order is not None:
            return order
        for venue_id in venue_ids:
            name = self._by_venue_id.get(venue_id) if venue_id is not None else None
            if name is not None:
                return self.orders[name]
        return None

    def report(self, report: OrderReport | ConditionalReport, *, now_ns: int, seen: bool = True) -> Change | None:
        """Apply a status; None when the order is not ours. seen: an event, query or listing showed it (verified).

        The regular order that a conditional one became reports under the same order here, as its child.
        """
        if isinstance(report, ConditionalReport):
            order = self.owner(report.client_id)
            if order is None:
                return None
            facts = Facts(
                venue_id=report.venue_id,
                child_id=report.child_id or None,
                venue_filled=report.executed if report.event is OrderEvent.FILLED else None,
                verified=seen,
                reason=report.reason,
            )
            return self.apply(order.client_id, report.event, now_ns=now_ns, facts=facts)
        order = self.owner(report.client_id, report.venue_id)
        if order is None:
            return None
        if order.intent.type.conditional:
            return self._report_child(order, report, now_ns)
        facts = Facts(venue_id=report.venue_id, venue_filled=report.filled, verified=seen, reason=report.reason)
        return self.apply(order.client_id, report.event, now_ns=now_ns, facts=facts)

    def _report_child(self, order: Order, report: OrderReport, now_ns: int) -> Change:
        facts = Facts(child_id=report.venue_id, venue_filled=report.filled, verified=True, reason=report.reason)
        event = OrderEvent.TRIGGERED if report.event is OrderEvent.ACKNOWLEDGED else report.event
        change = self.apply(order.client_id, OrderEvent.TRIGGERED, now_ns=now_ns, facts=facts)
        if event is OrderEvent.TRIGGERED:
            return change
        return self.apply(order.client_id, event, now_ns=now_ns, facts=facts)

    def execute(self, report: ExecutionReport, *, now_ns: int) -> Change | None:
        """Book an execution on its order, once; None when the order is not ours."""
        execution = report.execution
        order = self.owner(execution.client_id, execution.venue_order_id)
        if order is None:
            return None
        if execution.key in self.booked:
            return Change(order=order, ignored=f"trade {execution.trade_id} is booked already")
        if order.intent.type.conditional:
            facts = Facts(child_id=execution.venue_order_id, verified=True)
            order, _ = advance(order, OrderEvent.TRIGGERED, now_ns=now_ns, facts=facts)
        elif order.venue_id is None:
            # Its acknowledgement was lost; a listing of trades will know the order by this id alone.
            order = msgspec.structs.replace(order, venue_id=execution.venue_order_id)
        self.booked.add(execution.key)
        late = not order.live and order.filled >= order.venue_filled
        order = book(order, execution, now_ns=now_ns)
        if report.filled > order.venue_filled:
            # An execution before this one never came: the order is not settled until it is found.
            order = msgspec.structs.replace(order, venue_filled=report.filled)
        if report.final and order.live:
            order, _ = advance(order, OrderEvent.FILLED, now_ns=now_ns)
        self._keep(order)
        return Change(order=order, execution=execution, late=late)

    def attribute(self, execution: Execution, *, now_ns: int) -> Order:
        """Credit an execution that was booked as nobody's to its order; raises ValueError when that is not ours."""
        order = self.owner(execution.client_id, execution.venue_order_id)
        if order is None:
            raise ValueError(f"trade {execution.trade_id} belongs to no order of ours")
        return self._keep(book(order, execution, now_ns=now_ns))

    def forget(self, client_ids: Iterable[str]) -> None:
        """Drop ended orders whose tombstones are old enough; the journal still knows them."""
        for client_id in client_ids:
            order = self.orders.pop(client_id)
            for venue_id in (order.venue_id, order.child_id):
                if venue_id is not None:
                    self._by_venue_id.pop(venue_id, None)

    def forget_executions(self, keys: Collection[tuple[str, str]]) -> None:
        """Drop the keys of executions that the venue will never tell again."""
        self.booked.difference_update(keys)

    def _keep(self, order: Order) -> Order:
        self.orders[order.client_id] = order
        if order.venue_id is not None and not order.intent.type.conditional:
            self._by_venue_id[order.venue_id] = order.client_id
        if order.child_id is not None:
            self._by_venue_id[order.child_id] = order.client_id
        return order

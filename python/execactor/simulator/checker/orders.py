"""The orders of a log at its end, and whether the venue told one story about each of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .events import ENDED_ALGO, ENDED_ORDER, LIVE_ALGO, LIVE_ORDER, AlgoChange, Event, Fill, OrderChange
from .ledger import plain

_ZERO = Decimal(0)


@dataclass(slots=True)
class OrderTable:
    """The last state of every order; `problems` are the venue's contradictions."""

    orders: dict[int, OrderChange] = field(default_factory=dict)
    algos: dict[int, AlgoChange] = field(default_factory=dict)
    filled: dict[int, Decimal] = field(default_factory=dict)
    last_fill: dict[int, Fill] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Take note of one event."""
        match event:
            case OrderChange():
                self._absorb(event, self.orders.get(event.order_id), ENDED_ORDER, f"order {event.order_id}")
                self.orders[event.order_id] = event
            case AlgoChange():
                self._absorb(event, self.algos.get(event.algo_id), ENDED_ALGO, f"conditional order {event.algo_id}")
                self.algos[event.algo_id] = event
            case Fill():
                self.filled[event.order_id] = self.filled.get(event.order_id, _ZERO) + event.quantity
                self.last_fill[event.order_id] = event

    def live(self) -> list[OrderChange | AlgoChange]:
        """Orders that may still do something; a triggered conditional order and its child are both listed."""
        orders = [order for order in self.orders.values() if order.status in LIVE_ORDER]
        return [*orders, *(algo for algo in self.algos.values() if algo.status in LIVE_ALGO)]

    def compare_fills(self) -> None:
        """At the end of a complete log: every order's filled quantity is the sum of its fills."""
        for order_id in sorted(self.orders.keys() | self.filled.keys()):
            order, filled = self.orders.get(order_id), self.filled.get(order_id, _ZERO)
            if order is None:
                self.problems.append(
                    f"line {self.last_fill[order_id].line}: order {order_id} filled but was never logged"
                )
            elif order.filled != filled or filled > order.quantity:
                said = f"order {order_id} of {plain(order.quantity)} says {plain(order.filled)} filled"
                self.problems.append(f"line {order.line}: {said}, its fills sum to {plain(filled)}")

    def _absorb(
        self, now: OrderChange | AlgoChange, before: OrderChange | AlgoChange | None, ended: frozenset[str], name: str
    ) -> None:
        if before is not None and before.status in ended and now.status != before.status:
            self.problems.append(f"line {now.line}: {name} went from {before.status} to {now.status}")


def tabulate(events: Iterable[Event], *, complete: bool) -> OrderTable:
    """The table after `events`; `complete` when the venue closed the log itself."""
    table = OrderTable()
    for event in events:
        table.apply(event)
    if complete:
        table.compare_fills()
    return table


def live_client_ids(table: OrderTable) -> Mapping[str, OrderChange | AlgoChange]:
    """Live orders by client id; a triggered conditional order shares its id with its child."""
    return {order.client_id: order for order in table.live()}

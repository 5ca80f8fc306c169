"""The account's limits hold at every entry the venue took, orders under way included (I6).

The limits come from the note "engine limits": max_order_notional and max_symbol_exposure (quote units), max_positions.
What is held and a market order are valued at the mark price that the request met; it moves between the engine's
decision and the venue, so a breach must be larger than `_MOVED`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .client_ids import Names
from .events import LIVE_ORDER, Fill, Note, OrderChange, PositionChange, Request
from .evidence import Evidence
from .fields import Fields
from .invariants import Finding, at_line
from .ledger import plain
from .requests import placed_id

_ZERO = Decimal(0)
_MOVED = Decimal("0.01")
LIMITS = "engine limits"


@dataclass(slots=True)
class _Account:
    """What is held, what waits, and at which price; limits None: nothing to judge by."""

    names: Names
    limits: Fields | None = None
    held: dict[str, Decimal] = field(default_factory=dict)
    waiting: dict[int, OrderChange] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    met: dict[str, Decimal] = field(default_factory=dict)

    def take(self, order: OrderChange) -> Iterator[Finding]:
        """An entry of ours changed; its first state is judged."""
        known = order.order_id in self.waiting
        if order.status in LIVE_ORDER:
            self.waiting[order.order_id] = order
        else:
            self.waiting.pop(order.order_id, None)
        if not known and order.status in LIVE_ORDER and not order.filled and self.limits is not None:
            yield from self._judge(order, self.limits)

    def _judge(self, order: OrderChange, limits: Fields) -> Iterator[Finding]:
        notional = self._worth(order)
        largest = limits.decimal("max_order_notional")
        slack = _ZERO if order.price else largest * _MOVED
        if notional > largest + slack:
            yield self._breach(order, f"is worth {plain(notional)}, above the order limit {plain(largest)}")
        symbol = order.symbol
        position = abs(self.held.get(symbol, _ZERO)) * self.marks.get(symbol, _ZERO)
        exposure = position + sum((self._worth(o) for o in self.waiting.values() if o.symbol == symbol), _ZERO)
        most = limits.decimal("max_symbol_exposure")
        if exposure > most + (slack or position * _MOVED):
            yield self._breach(order, f"takes {symbol} to {plain(exposure)}, above the limit {plain(most)}")
        symbols = {name for name, quantity in self.held.items() if quantity}
        symbols |= {each.symbol for each in self.waiting.values()}
        if len(symbols) > limits.integer("max_positions"):
            yield self._breach(
                order, f"makes {len(symbols)} positions, above the limit {limits.integer('max_positions')}"
            )

    def _worth(self, order: OrderChange) -> Decimal:
        price = order.price or self.met.get(order.client_id) or self.marks.get(order.symbol, _ZERO)
        return price * (order.quantity - order.filled)

    def _breach(self, order: OrderChange, text: str) -> Finding:
        return at_line("I6", order.line, f"{order.client_id} {text}")


def judge_limits(evidence: Evidence) -> Iterator[Finding]:
    """Follow the account; a log without the note "engine limits" is not judged."""
    if not any(note.text == LIMITS for note in evidence.of(Note)):
        return
    account = _Account(evidence.names)
    for event in evidence.among(OrderChange, Fill, PositionChange, Request, Note):
        if isinstance(event, OrderChange):
            name = evidence.names.parse(event.client_id)
            if name is not None and name.opens:
                yield from account.take(event)
        elif isinstance(event, Fill):
            account.marks[event.symbol] = event.price
            account.held[event.symbol] = event.position
        elif isinstance(event, PositionChange):
            account.held[event.symbol] = event.quantity
        elif isinstance(event, Request) and event.mark is not None:
            account.marks[str(event.params.get("symbol"))] = event.mark
            account.met[placed_id(event) or ""] = event.mark
        elif isinstance(event, Note) and event.text == LIMITS:
            account.limits = Fields(event.fields)

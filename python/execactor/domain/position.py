"""A one-way position in one symbol, booked from executions."""

from decimal import Decimal

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.side import Side


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Signed position and what it earned.

    quantity: base units, positive long, negative short. entry_price: mean price of the open part, quote per base,
    0 when flat. realized_pnl: quote units before commissions; commission: quote units paid (rebates negative).
    """

    symbol: str
    quantity: Decimal = Decimal(0)
    entry_price: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)

    @property
    def flat(self) -> bool:
        """Whether nothing is open."""
        return self.quantity == 0

    @property
    def closing_side(self) -> Side:
        """The side of an order that reduces it; meaningless when flat."""
        return Side.SELL if self.quantity > 0 else Side.BUY

    def unrealized_pnl(self, mark_price: Decimal) -> Decimal:
        """Gain of the open part at `mark_price`, quote units."""
        return (mark_price - self.entry_price) * self.quantity

    def notional(self, mark_price: Decimal) -> Decimal:
        """Absolute size at `mark_price`, quote units."""
        return abs(self.quantity) * mark_price

    def after(self, execution: Execution) -> "Position":
        """The position once `execution` is booked: adds average the entry, reductions realise, a flip does both."""
        change = execution.signed_quantity
        before = self.quantity
        quantity = before + change
        realized = self.realized_pnl
        if before * change >= 0:
            entry = (self.entry_price * abs(before) + execution.price * abs(change)) / abs(quantity)
        else:
            closed = min(abs(before), abs(change)) * (1 if before > 0 else -1)
            realized += (execution.price - self.entry_price) * closed
            flipped = before * quantity < 0
            entry = execution.price if flipped else (self.entry_price if quantity else Decimal(0))
        return Position(
            symbol=self.symbol,
            quantity=quantity,
            entry_price=entry,
            realized_pnl=realized,
            commission=self.commission + execution.commission,
        )

"""An instrument and its trading rules, as the venue publishes them."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from execactor.domain.side import Side


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A linear perpetual contract.

    tick_size: quote units; step_size, min/max quantities: base units; min_notional: quote units.
    market_*: the tighter rules of MARKET orders (Binance MARKET_LOT_SIZE).
    trading: False while the venue takes no orders for it.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_step_size: Decimal
    market_min_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    trading: bool = True

    def quantity_down(self, quantity: Decimal) -> Decimal:
        """The largest quantity of whole steps that is not above `quantity` (sizes are never rounded up)."""
        return _to_grid(quantity, self.step_size, ROUND_FLOOR)

    def market_chunks(self, quantity: Decimal) -> list[Decimal]:
        """`quantity` cut into MARKET orders that the venue accepts, the largest first."""
        largest = _to_grid(self.market_max_quantity, self.market_step_size, ROUND_FLOOR)
        chunks = []
        remaining = quantity
        while remaining > 0:
            chunk = min(remaining, largest)
            chunks.append(chunk)
            remaining -= chunk
        return chunks

    def price_passive(self, price: Decimal, side: Side) -> Decimal:
        """The tick at or behind `price`: a buyer never pays more, a seller never takes less, than asked for."""
        return _to_grid(price, self.tick_size, ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)

    def stop_price(self, price: Decimal, closing_side: Side) -> Decimal:
        """The tick at or before `price` on the way of a loss: rounding never adds risk.

        closing_side: SELL protects a long (rounded up), BUY protects a short (rounded down).
        """
        return _to_grid(price, self.tick_size, ROUND_CEILING if closing_side is Side.SELL else ROUND_FLOOR)

    def target_price(self, price: Decimal, closing_side: Side) -> Decimal:
        """The tick at or before `price` on the way of a gain: rounding never moves a target out of reach."""
        return _to_grid(price, self.tick_size, ROUND_FLOOR if closing_side is Side.SELL else ROUND_CEILING)

    def refusal(self, quantity: Decimal, price: Decimal) -> str | None:
        """Why the venue would refuse to open `quantity` at `price`; None when it would not."""
        if not self.trading:
            return f"{self.symbol} is not open for trading at the venue"
        if quantity < self.min_quantity:
            return f"quantity {quantity} is below the venue's minimum {self.min_quantity} of {self.symbol}"
        if quantity > self.max_quantity:
            return f"quantity {quantity} is above the venue's maximum {self.max_quantity} of {self.symbol}"
        if quantity * price < self.min_notional:
            notional = quantity * price
            return (
                f"notional {notional.normalize():f} is below the venue's minimum {self.min_notional} of {self.symbol}"
            )
        return None


def _to_grid(value: Decimal, grid: Decimal, rounding: str) -> Decimal:
    return (value / grid).to_integral_value(rounding=rounding) * grid

"""The limits of an account; the strictest one that applies wins."""

from decimal import Decimal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in quote units, fractions of 1.

    max_order_notional, max_symbol_exposure: a value at the limit passes, one above it does not. max_positions: symbols
    with a position or an open entry. daily_loss_fraction: of the day's first equity; drawdown_fraction: of the highest
    equity; reaching either stops trading. market_margin_fraction: how much worse than the mark price a market order is
    priced. approval_ns: how long an approval holds. risk_per_trade_fraction: sizes decisions down by their stop
    distance, None leaves their size. max_leverage: decisions that ask for more are refused.
    """

    max_order_notional: Decimal = Decimal(10_000)
    max_symbol_exposure: Decimal = Decimal(50_000)
    max_positions: int = 10
    daily_loss_fraction: Decimal = Decimal("0.02")
    drawdown_fraction: Decimal = Decimal("0.10")
    market_margin_fraction: Decimal = Decimal("0.005")
    approval_ns: int = 5_000_000_000
    risk_per_trade_fraction: Decimal | None = None
    max_leverage: Decimal = Decimal(5)
    max_conditional_orders: int = 200
    conditional_orders_per_trade: int = 4

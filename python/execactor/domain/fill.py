"""An execution: one trade of one of our orders, as the venue reported it."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.side import Side


class Origin(StrEnum):
    """Whose act an order or a trade is: somebody's who holds a key of the account, or the venue's own."""

    ORDER = "ORDER"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGING = "DELEVERAGING"
    SETTLEMENT = "SETTLEMENT"

    @property
    def forced(self) -> bool:
        """Whether the venue did it on its own account."""
        return self is not Origin.ORDER


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One venue trade. (symbol, trade_id) identifies it: it is booked once, however often it is reported.

    price: quote per base; quantity: base units, > 0; commission: units of commission_asset, negative for a rebate;
    realized_pnl: quote units, as the venue states it; time_ms: the venue's trade time.
    client_id: empty when the report does not name it (a listing of trades knows only the venue's order id). origin: as
    far as the report tells; ORDER when it does not.
    """

    symbol: str
    trade_id: str
    venue_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    client_id: str = ""
    commission: Decimal = Decimal(0)
    commission_asset: str = ""
    realized_pnl: Decimal = Decimal(0)
    maker: bool = False
    origin: Origin = Origin.ORDER
    time_ms: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What makes it unique at the venue."""
        return (self.symbol, self.trade_id)

    @property
    def signed_quantity(self) -> Decimal:
        """Change of the position: positive for a buy."""
        return self.side.sign * self.quantity

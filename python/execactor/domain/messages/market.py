"""What the market shows, and whether it does."""

from decimal import Decimal
from typing import ClassVar, Self

import msgspec

from execactor.domain.lanes import MARKET, SYSTEM


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best prices of a tradable book, quote per base and base units."""

    lane: ClassVar[int] = MARKET

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_ns: int = 0

    def conflation_key(self) -> tuple[str, str]:
        """The newest quote of a symbol replaces an unread one."""
        return ("quote", self.symbol)

    def merge(self, older: Self) -> Self:  # noqa: ARG002  # the protocol of conflation
        """The newest wins."""
        return self


class MarkUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Mark price, with the lowest and highest since the last one that was read."""

    lane: ClassVar[int] = MARKET

    symbol: str
    price: Decimal
    low: Decimal
    high: Decimal

    def conflation_key(self) -> tuple[str, str]:
        """Unread marks of a symbol are merged."""
        return ("mark", self.symbol)

    def merge(self, older: Self) -> Self:
        """The newest price; extremes are kept, because a stop may lie between."""
        return msgspec.structs.replace(self, low=min(self.low, older.low), high=max(self.high, older.high))


class MarketChanged(msgspec.Struct, frozen=True, kw_only=True):
    """MarketBooks -> AccountActor: market data is lost, or flows again."""

    lane: ClassVar[int] = SYSTEM
    retry_after_restart: ClassVar[bool] = True

    up: bool
    reason: str = ""

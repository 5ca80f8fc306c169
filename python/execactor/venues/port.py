"""The protocol that every venue implements. Only the adapter knows endpoints, units, codes and symbols."""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.order import OrderIntent
from execactor.domain.reports import CancelResult, QueryResult, SubmitResult, VenueEvent


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do; tactics adapt to it.

    max_conditional_orders: over the whole account. receive_window_ms: how long after its timestamp a request may still
    be executed.
    """

    conditional_orders: bool
    close_position_stops: bool
    reduce_only: bool
    query_by_client_id: bool
    post_only: bool
    max_conditional_orders: int
    receive_window_ms: int


class OrderRef(msgspec.Struct, frozen=True, kw_only=True):
    """Names an order at the venue. conditional: it lives at the venue's service for conditional orders.

    child: ask for the regular order that a triggered conditional one became (venue_id is then the child's).
    """

    symbol: str
    client_id: str
    conditional: bool = False
    venue_id: str | None = None
    child: bool = False


class BestQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask: quote per base, base units; time_ms is the venue's."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_ms: int


class MarkPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's mark price, on which conditional orders trigger."""

    symbol: str
    price: Decimal
    time_ms: int


class MarketListener(Protocol):
    """Receives market data, synchronously, on the loop thread that the venue runs on."""

    def on_depth(self, symbol: str, frame: bytes) -> None:
        """One depth message, as it came from the socket (the Rust book reads it)."""

    def on_best_quote(self, quote: BestQuote) -> None:
        """The best bid or ask changed."""

    def on_mark_price(self, mark: MarkPrice) -> None:
        """The mark price changed."""

    def on_market_lost(self, reason: str) -> None:
        """A market connection broke: every book fed by it is stale until a new snapshot."""

    def on_market_restored(self) -> None:
        """Market data flows again; books need a snapshot."""


Guard = Callable[[], str | None]
"""Checked synchronously right before the write, after any wait: the reason why the order may not leave, or None."""


class Venue(Protocol):
    """One account at one venue. All methods run on the event-loop thread.

    `submit` and `cancel` hand the bytes to the socket before they return whenever no rate limit makes them wait, so
    that the caller can stamp the time; the future carries the answer. They never raise for what the venue or the
    network does: such outcomes are values (Rejected, NotFound, Unknown). A write is never repeated by the adapter
    unless the first one certainly had no effect; a read that failed is put again before it counts as failed.

    Raises VenueFatal from connect/snapshot when key, permission or account mode are unusable, RetryLater when the venue
    cannot be reached now.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this venue can do."""

    async def connect(self, on_event: Callable[[VenueEvent], None], market: MarketListener) -> None:
        """Open connections, check the account's settings, start both streams.

        on_event receives each private event in the venue's order, synchronously on the loop thread.
        """

    async def close(self) -> None:
        """Close connections; orders at the venue stay as they are."""

    async def instruments(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""

    async def snapshot(self, symbols: Sequence[str], trades_since_ms: Mapping[str, int]) -> VenueSnapshot:
        """Positions, open orders of both kinds, wallet, and the trades of the symbols named in trades_since_ms."""

    async def positions(self) -> Sequence[VenuePosition]:
        """The account's positions alone: the cheapest question whose answer shows a fill.

        A symbol may be listed with quantity 0; one that is not listed has none. Raises RetryLater or VenueFatal.
        """

    async def recent_trades(self, symbol: str, since_ms: int) -> Sequence[Execution]:
        """Executions of the account in `symbol` since a venue time, oldest first."""

    async def depth_snapshot(self, symbol: str) -> bytes:
        """The order book as the venue's REST answer, for the Rust book."""

    def submit(self, intent: OrderIntent, guard: Guard) -> "Future[SubmitResult]":
        """Send a new order; the guard's refusal comes back as Rejected without a write."""

    def cancel(self, order: OrderRef) -> "Future[CancelResult]":
        """Cancel an order; NotFound may mean that it filled: query, never assume."""

    async def query(self, order: OrderRef) -> QueryResult:
        """What the venue knows of one order."""

    def renew_private_stream(self, reason: str) -> None:
        """Give the private stream up and open it anew, because it did not tell what it should have.

        PrivateStreamLost and PrivateStreamRestored follow as events.
        """

    def load(self) -> float:
        """The share of the venue's request budget that is used now, from 0 to 1."""

    def clock_offset_ms(self) -> float:
        """Venue clock minus ours, milliseconds."""

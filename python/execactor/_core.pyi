"""Native arithmetic of execactor: order book, matching and histograms on integer ticks and lots.

Prices are whole ticks and sizes whole lots (price / tick size, quantity / step size); a side is +1 for buy, -1 for
sell. A value out of range is a ValueError that names the argument and says what fits; a wrong type is a TypeError. An
object may be shared between threads: each call holds the object's own lock.
"""

from typing import Final, final

__all__ = [
    "APPLIED",
    "BBO_CHANGED",
    "BUFFERED",
    "CROSSED",
    "GAP",
    "IGNORED",
    "MALFORMED",
    "SYNCED",
    "Book",
    "Histogram",
    "MatchingBook",
    "build_info",
]

BBO_CHANGED: Final = 1
"""The best bid or ask, or its size, is no longer what it was."""
APPLIED: Final = 2
"""The message's levels are in the book."""
IGNORED: Final = 4
"""Old, duplicate or not a depth message: the book is as it was."""
BUFFERED: Final = 8
"""Kept until a snapshot comes."""
GAP: Final = 16
"""A message is missing: the book is stale and needs a fresh snapshot."""
CROSSED: Final = 32
"""The best bid is not below the best ask: not tradable."""
MALFORMED: Final = 64
"""The message could not be read: the book is stale and needs a fresh snapshot."""
SYNCED: Final = 128
"""A snapshot, with what was buffered, took the book live."""

@final
class Book:
    """The L2 order book of one instrument, fed with Binance depth messages as they come off the wire.

    state: "empty" until the first message; "buffering" until the first snapshot; "live" while no message is
    missing; "stale" after a gap or an unreadable message. While not live, messages are buffered inside, and a snapshot
    that reaches them takes the book live. Call reset() on every reconnect: ids may start again.

    bbo(), vwap(), bids() and asks() show the book as last known, whatever the state: check `tradable` first.
    """

    def __new__(cls, tick_size: str, step_size: str, rule: str = "futures", window: int = 32768) -> Book:
        """tick_size, step_size: decimal text such as "0.10". A price or size that is not an exact multiple makes the
        message unreadable, never rounded. The venue's own step may be too coarse for its book: after a step change, old
        orders rest on with finer sizes (Binance spot BTCUSDT 2024-08-08: step 0.00001, a level of 25.426189). Pass a
        finer step there, such as "0.00000001", and count lots in that; 64 bits then hold 92 billion base units.

        rule: "futures" (U, u and pu) or "spot" (U and u). window: ticks per side kept in the fast ring, a power
        of two; at least eight times the span of the levels that matter. It changes speed and memory, never results.
        """

    def apply_json(self, data: bytes | bytearray | memoryview | str) -> int:
        """Apply one `depthUpdate`, bare or in the combined-stream wrapper; returns flags.

        All or nothing. An event of another kind (bookTicker, trade) is IGNORED; anything else is MALFORMED.
        """

    def apply_snapshot_json(self, data: bytes | bytearray | memoryview | str) -> int:
        """Apply one REST depth snapshot and what was buffered; returns flags.

        SYNCED: live. GAP: the snapshot is older than the buffered messages; fetch another. IGNORED: it would take the
        book back in time. MALFORMED: unreadable; the book is stale.
        """

    @property
    def state(self) -> str:
        """ "empty", "buffering", "live" or "stale"."""

    @property
    def tradable(self) -> bool:
        """Live, both sides present, and the best bid below the best ask."""

    @property
    def crossed(self) -> bool:
        """The best bid is at or above the best ask."""

    @property
    def last_update_id(self) -> int:
        """Update id (`u` or `lastUpdateId`) of what was applied last; 0 before the first snapshot."""

    def bbo(self) -> tuple[int, int, int, int] | None:
        """(bid_ticks, bid_lots, ask_ticks, ask_lots) as last known; None when a side is empty."""

    def vwap(self, side: int, lots: int) -> tuple[int, int, int]:
        """(filled_lots, notional in tick * lots, worst_tick) for an order of `lots`: +1 walks the asks, -1 the bids.

        filled_lots < lots when the book is too thin; worst_tick is 0 when nothing is filled.
        """

    def bids(self, limit: int = 0) -> list[tuple[int, int]]:
        """(ticks, lots) of up to `limit` bids, best first; 0 is all of them."""

    def asks(self, limit: int = 0) -> list[tuple[int, int]]:
        """(ticks, lots) of up to `limit` asks, best first; 0 is all of them."""

    def counters(self) -> dict[str, int]:
        """Totals since the Book was made, kept over reset().

        messages: depth messages and snapshots received; deltas: level changes applied, snapshots not counted; gaps;
        duplicates: ignored as old; parse_errors; recentres and cold_ops: window moves and writes outside the window.
        """

    def reset(self) -> None:
        """Forget levels, ids and buffered messages, as after a reconnect."""

@final
class MatchingBook:
    """Price-time priority matching of one instrument. Fills are (maker_id, maker_owner, ticks, lots), in order."""

    def __new__(cls) -> MatchingBook: ...
    def limit(
        self,
        order_id: int,
        owner: int,
        side: int,
        ticks: int,
        lots: int,
        time_in_force: str = "GTC",
        post_only: bool = False,
    ) -> tuple[list[tuple[int, int, int, int]], int, bool]:
        """Place a limit order; returns (fills, resting lots, rejected).

        time_in_force: "GTC", "IOC" (the rest is gone) or "FOK". rejected: post_only would take, or FOK cannot fill; the
        book is then untouched. Raises ValueError when order_id rests already.
        """

    def market(
        self, order_id: int, owner: int, side: int, lots: int, limit_ticks: int | None = None
    ) -> tuple[list[tuple[int, int, int, int]], int]:
        """Take what is there, at no worse than limit_ticks when given; returns (fills, unfilled lots)."""

    def cancel(self, order_id: int) -> int | None:
        """Remove an order; returns the lots it had left, None when it does not rest."""

    def amend(self, order_id: int, ticks: int, lots: int) -> tuple[list[tuple[int, int, int, int]], int]:
        """Give a resting order a new price and a new size left; returns (fills, resting lots).

        It keeps its place in the queue only at the same price with no more lots. At a new price it may take. Raises
        ValueError when order_id does not rest.
        """

    def best(self) -> tuple[int | None, int | None]:
        """Best bid and best ask in ticks."""

    def depth(self, side: int, limit: int) -> list[tuple[int, int]]:
        """(ticks, lots) of up to `limit` levels, best first: +1 the bids, -1 the asks; 0 is all of them."""

    def order(self, order_id: int) -> tuple[int, int, int] | None:
        """(side, ticks, lots left) of a resting order, else None."""

@final
class Histogram:
    """Nanosecond values to three significant digits: log-linear buckets over the whole 64-bit range."""

    def __new__(cls) -> Histogram: ...
    def record(self, nanoseconds: int) -> None:
        """Count one value >= 0."""

    def percentile(self, q: float) -> int:
        """The value that q percent (0 to 100) of the values do not exceed, at most 0.1 % too high; 0 when empty."""

    @property
    def count(self) -> int:
        """Number of values."""

    @property
    def max(self) -> int:
        """Largest value, exact; 0 when empty."""

    @property
    def mean(self) -> float:
        """Mean of the values; 0.0 when empty."""

    def reset(self) -> None:
        """Forget every value."""

    def merge(self, other: Histogram) -> None:
        """Add all of another histogram's values."""

def build_info() -> dict[str, str]:
    """version, profile, target and rustc of this build."""

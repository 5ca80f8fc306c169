"""MarketActor: one per venue connection. Depth bytes go into Rust books; quotes and marks come out, conflated."""

import logging
from decimal import Decimal
from typing import Any

import msgspec

from execactor._core import BBO_CHANGED, CROSSED, GAP, MALFORMED, SYNCED, Book
from execactor.actors.context import Context
from execactor.domain.lanes import MARKET
from execactor.domain.messages.market import MarketChanged, MarkUpdate, Quote
from execactor.runtime import LoopActor
from execactor.venues.port import BestQuote, MarkPrice

logger = logging.getLogger(__name__)

SNAPSHOT_RETRY_NS = 1_000_000_000
_BROKEN = GAP | MALFORMED


class BookChanged(msgspec.Struct, frozen=True):
    """The best prices of a book moved."""

    lane = MARKET

    symbol: str


class BookBroken(msgspec.Struct, frozen=True):
    """A book needs a snapshot."""

    symbol: str


class SnapshotFetched(msgspec.Struct, frozen=True):
    """A depth snapshot came; None: it did not."""

    symbol: str
    body: bytes | None


class BookStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A book as people see it."""

    symbol: str
    state: str
    tradable: bool
    counters: dict[str, int]


class MarketBooks:
    """The books and what the venue calls with market data; outlives a restart of the actor. Loop thread only."""

    def __init__(self, context: Context, rule: str = "futures") -> None:
        self._context = context
        self.books = {
            symbol: Book(f"{instrument.tick_size:f}", f"{instrument.step_size:f}", rule)
            for symbol, instrument in context.instruments.items()
            if symbol in context.settings.symbols
        }
        self._dirty: set[str] = set()
        self._asked: set[str] = set()

    def on_depth(self, symbol: str, frame: bytes) -> None:
        """One depth message into its book; at most one unread notice per symbol is on its way."""
        book = self.books.get(symbol)
        if book is None or self._context.closing:
            return
        flags = book.apply_json(frame)
        if flags & _BROKEN or book.state in ("buffering", "stale"):
            self._need_snapshot(symbol)
        elif flags & (BBO_CHANGED | CROSSED) and symbol not in self._dirty:
            self._dirty.add(symbol)
            self._context.market.tell(BookChanged(symbol))

    def on_best_quote(self, quote: BestQuote) -> None:
        """The book gives the quotes; the venue's own best quote serves as soon as there is no book yet."""
        book = self.books.get(quote.symbol)
        if book is not None and not book.tradable and not self._context.closing:
            self._publish(quote.symbol, quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity)

    def on_mark_price(self, mark: MarkPrice) -> None:
        """Tell the mark price to those who act on it."""
        actor = self._context.positions.get(mark.symbol)
        if actor is not None and not self._context.closing:
            self._context.marked_ns[mark.symbol] = self._context.clock.monotonic_ns()
            update = MarkUpdate(symbol=mark.symbol, price=mark.price, low=mark.price, high=mark.price)
            actor.tell(update)
            self._context.risk.tell(update)

    def on_market_lost(self, reason: str) -> None:
        """Every book is stale until its next snapshot."""
        logger.warning("market data lost: %s", reason)
        for book in self.books.values():
            book.reset()
        self._asked.clear()
        self._tell_account(MarketChanged(up=False, reason=reason))

    def on_market_restored(self) -> None:
        """Books sync again with the first messages that come."""
        logger.info("market data restored")
        self._tell_account(MarketChanged(up=True))

    def take_snapshot(self, symbol: str, body: bytes) -> bool:
        """Apply a depth snapshot; returns whether the book is live now."""
        self._asked.discard(symbol)
        flags = self.books[symbol].apply_snapshot_json(body)
        if flags & SYNCED:
            self._dirty.add(symbol)
            self._context.market.tell(BookChanged(symbol))
        return bool(flags & SYNCED)

    def read(self, symbol: str) -> None:
        """Publish the best prices of a book as they are now."""
        self._dirty.discard(symbol)
        book = self.books[symbol]
        best = book.bbo() if book.tradable else None
        if best is not None:
            instrument = self._context.instruments[symbol]
            tick, step = instrument.tick_size, instrument.step_size
            self._publish(symbol, best[0] * tick, best[1] * step, best[2] * tick, best[3] * step)

    def failed(self, symbol: str) -> None:
        """A snapshot could not be fetched: the next broken message asks again."""
        self._asked.discard(symbol)

    def status(self) -> list[BookStatus]:
        """All books for people."""
        return [
            BookStatus(symbol=symbol, state=book.state, tradable=book.tradable, counters=book.counters())
            for symbol, book in self.books.items()
        ]

    def _tell_account(self, change: MarketChanged) -> None:
        if not self._context.closing:
            self._context.account.tell(change)

    def _need_snapshot(self, symbol: str) -> None:
        if symbol not in self._asked:
            self._asked.add(symbol)
            self._context.market.tell(BookBroken(symbol))

    def _publish(self, symbol: str, bid: Decimal, bid_quantity: Decimal, ask: Decimal, ask_quantity: Decimal) -> None:
        quote = Quote(
            symbol=symbol,
            bid=bid,
            bid_quantity=bid_quantity,
            ask=ask,
            ask_quantity=ask_quantity,
            time_ns=self._context.clock.monotonic_ns(),
        )
        self._context.positions[symbol].tell(quote)


class MarketActor(LoopActor):
    """Fetches the snapshots that books need and publishes their best prices."""

    def __init__(self, context: Context, books: MarketBooks) -> None:
        super().__init__(context, books)
        self.context = context
        self.books = books

    def on_restart(self, cause: BaseException) -> None:  # noqa: ARG002  # pykka's signature
        """What the failed instance had asked for will not come."""
        for symbol in self.books.books:
            self.books.failed(symbol)

    def on_receive(self, message: Any) -> Any:
        """Keep books live."""
        match message:
            case BookChanged(symbol):
                self.books.read(symbol)
            case BookBroken(symbol):
                self._fetch(symbol)
            case SnapshotFetched(symbol, body):
                if body is None:
                    self.timers.once(("snapshot", symbol), SNAPSHOT_RETRY_NS, BookBroken(symbol))
                elif not self.books.take_snapshot(symbol, body):
                    self.timers.once(("snapshot", symbol), SNAPSHOT_RETRY_NS // 4, BookBroken(symbol))
            case _:
                return self.books.status()
        return None

    def _fetch(self, symbol: str) -> None:
        asked = self.context.venue.depth_snapshot(symbol)
        self.pipe_to_self(
            asked,
            lambda body: SnapshotFetched(symbol, body),
            lambda _error: SnapshotFetched(symbol, None),
        )

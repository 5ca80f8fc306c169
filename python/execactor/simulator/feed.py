"""What the public sees of one market: update ids, changed levels, the best prices and the trades, ready to publish.

Update ids: every change of the book takes the next id. A depth stream publishes `U` (first id since its last event),
`u` (last id) and `pu` (the `u` before), each speed with its own chain, as the venue does.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from execactor.simulator.symbols import Symbol

Level = tuple[int, int]  # (ticks, lots)
DEPTH_SPEEDS_MS = (100, 250, 500)


class PublicTrade(NamedTuple):
    """One trade as the tape shows it. seller_took: the buyer was the maker."""

    ticks: int
    lots: int
    seller_took: bool


class DepthStream:
    """Changed levels since the last event of one speed."""

    __slots__ = ("asks", "bids", "first_id", "last_id")

    def __init__(self, last_id: int) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.first_id = last_id + 1
        self.last_id = last_id


class Feed:
    """Collects one market's changes until the streams publish them.

    Depth is collected only for the speeds that somebody subscribed to (`open_depth`).
    """

    def __init__(self, symbol: Symbol, first_id: int) -> None:
        self.symbol = symbol
        self.update_id = first_id
        self.trades: list[PublicTrade] = []
        self.last_trade_id = 0
        self.ready: list[dict[str, Any]] = []  # recorded depth events, published as they are
        self._depth: dict[int, DepthStream] = {}
        self._best: tuple[Level | None, Level | None] = (None, None)

    def open_depth(self, speed_ms: int) -> None:
        self._depth.setdefault(speed_ms, DepthStream(self.update_id))

    def close_depth(self, speed_ms: int) -> None:
        self._depth.pop(speed_ms, None)

    def level(self, sign: int, ticks: int, lots: int) -> None:
        """A level of the book (sign +1: bids) now holds `lots`."""
        self.update_id += 1
        for stream in self._depth.values():
            (stream.bids if sign > 0 else stream.asks)[ticks] = lots

    def trade(self, ticks: int, lots: int, *, seller_took: bool) -> None:
        self.trades.append(PublicTrade(ticks, lots, seller_took))

    def snapshot_id(self) -> int:
        """An update id for a snapshot taken now. It lies inside the next depth event, never at the end of the last
        one, so that the first event a client applies satisfies U <= lastUpdateId <= u."""
        self.update_id += 1
        return self.update_id

    def depth_event(self, speed_ms: int, now_ms: int) -> dict[str, Any] | None:
        """The next event of a depth stream; None while nothing changed."""
        stream = self._depth.get(speed_ms)
        if stream is None or not (stream.bids or stream.asks):
            return None
        event = {
            "e": "depthUpdate",
            "E": now_ms,
            "T": now_ms,
            "s": self.symbol.name,
            "U": stream.first_id,
            "u": self.update_id,
            "pu": stream.last_id,
            "b": self.texts(stream.bids.items()),
            "a": self.texts(stream.asks.items()),
            "ps": self.symbol.name,
            "st": 1,
        }
        self._depth[speed_ms] = DepthStream(self.update_id)
        return event

    def book_ticker_event(self, best: tuple[Level | None, Level | None], now_ms: int) -> dict[str, Any] | None:
        """The best prices and sizes; None when they are as they were."""
        if best == self._best:
            return None
        self._best = best
        return self.book_ticker(best, now_ms)

    def book_ticker(self, best: tuple[Level | None, Level | None], now_ms: int) -> dict[str, Any]:
        (bid, bid_size), (ask, ask_size) = (self._text(level) if level else ("0", "0") for level in best)
        return {
            "e": "bookTicker",
            "u": self.update_id,
            "E": now_ms,
            "T": now_ms,
            "s": self.symbol.name,
            "b": bid,
            "B": bid_size,
            "a": ask,
            "A": ask_size,
            "ps": self.symbol.name,
            "st": 1,
        }

    def aggregate_trade_events(self, now_ms: int) -> list[dict[str, Any]]:
        """The trades since the last call; neighbours with one price and taker side are one aggregate."""
        events: list[dict[str, Any]] = []
        trades, self.trades = self.trades, []
        index = 0
        while index < len(trades):
            first = trades[index]
            end, lots = index, 0
            while end < len(trades) and (trades[end].ticks, trades[end].seller_took) == (
                first.ticks,
                first.seller_took,
            ):
                lots += trades[end].lots
                end += 1
            events.append(self._aggregate(first, lots, end - index, now_ms))
            index = end
        return events

    def texts(self, levels: Iterable[Level]) -> list[tuple[str, str]]:
        return [self._text(level) for level in levels]

    def _aggregate(self, trade: PublicTrade, lots: int, count: int, now_ms: int) -> dict[str, Any]:
        first_id = self.last_trade_id + 1
        self.last_trade_id += count
        price, quantity = self._text((trade.ticks, lots))
        return {
            "e": "aggTrade",
            "E": now_ms,
            "s": self.symbol.name,
            "a": self.last_trade_id,
            "p": price,
            "q": quantity,
            "nq": quantity,
            "f": first_id,
            "l": self.last_trade_id,
            "T": now_ms,
            "m": trade.seller_took,
            "st": 1,
        }

    def _text(self, level: Level) -> tuple[str, str]:
        return str(self.symbol.price(level[0])), str(self.symbol.quantity(level[1]))

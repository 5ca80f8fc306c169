"""Market data: depth as raw bytes, best quotes and mark prices decoded."""

import random
from collections import Counter
from collections.abc import Sequence
from enum import Enum

import msgspec

from execactor.venues.binance_frames import BAD_JSON
from execactor.venues.binance_usdm import wire
from execactor.venues.binance_usdm.connection import KeptConnection
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.port import BestQuote, MarketListener, MarkPrice
from execactor.venues.transport import Clock, Transport

STREAMS_PER_CONNECTION = 200
"""The venue allows 1024 per connection, but their names travel in the URL, and 8 KiB of it is a common limit."""

_HEAD = b'{"stream":"'


class _Kind(Enum):
    DEPTH = "public", "depth@100ms"
    BEST_QUOTE = "public", "bookTicker"
    MARK_PRICE = "market", "markPrice@1s"

    @property
    def route(self) -> str:
        return self.value[0]

    @property
    def suffix(self) -> str:
        return self.value[1]


class MarketStream:
    """All market connections of one adapter, reported to the listener as one."""

    def __init__(
        self,
        settings: BinanceSettings,
        transport: Transport,
        clock: Clock,
        listener: MarketListener,
        rng: random.Random,
    ) -> None:
        self._listener = listener
        self._known: dict[bytes, tuple[_Kind, str]] = {}
        self._best_quote = msgspec.json.Decoder(wire.BookTickerFrame)
        self._mark_price = msgspec.json.Decoder(wire.MarkPriceFrame)
        self._down: set[int] = set()
        self.counts: Counter[str] = Counter()
        self._connections = [
            self._connection(number, url, transport, clock, rng)
            for number, url in enumerate(self._urls(settings.urls.streams, settings.symbols))
        ]

    async def start(self) -> None:
        """Open all connections. Raises NotSent when one cannot be opened."""
        for connection in self._connections:
            await connection.start()

    async def close(self) -> None:
        """End all connections."""
        for connection in self._connections:
            await connection.close()

    def _urls(self, base: str, symbols: Sequence[str]) -> list[str]:
        by_route: dict[str, list[str]] = {}
        for kind in _Kind:
            for symbol in symbols:
                name = f"{symbol.lower()}@{kind.suffix}"
                self._known[name.encode()] = (kind, symbol)
                by_route.setdefault(kind.route, []).append(name)
        return [
            f"{base}/{route}/stream?streams={'/'.join(names[start : start + STREAMS_PER_CONNECTION])}"
            for route, names in by_route.items()
            for start in range(0, len(names), STREAMS_PER_CONNECTION)
        ]

    def _connection(
        self, number: int, url: str, transport: Transport, clock: Clock, rng: random.Random
    ) -> KeptConnection:
        async def same_url() -> str:
            return url

        return KeptConnection(
            f"market connection {number + 1}",
            transport,
            clock,
            rng,
            url=same_url,
            on_frame=lambda frame: self._on_frame(number, frame),
            on_lost=lambda reason: self._on_lost(number, reason),
            on_restored=lambda: self._on_restored(number),
        )

    def _on_frame(self, number: int, frame: bytes) -> None:
        # The name of the stream tells kind and symbol without parsing the message.
        end = frame.find(b'"', len(_HEAD)) if frame.startswith(_HEAD) else -1
        known = self._known.get(frame[len(_HEAD) : end]) if end > 0 else None
        if known is None:
            self.counts["frames of no stream"] += 1
            return
        kind, symbol = known
        if kind is _Kind.DEPTH:
            self._listener.on_depth(symbol, frame)
            return
        try:
            self._decoded(kind, frame)
        except BAD_JSON:
            self.counts["unreadable frames"] += 1
            self._connections[number].drop(f"an unreadable frame of {symbol} {kind.suffix}")

    def _decoded(self, kind: _Kind, frame: bytes) -> None:
        if kind is _Kind.BEST_QUOTE:
            ticker = self._best_quote.decode(frame).data
            quote = BestQuote(
                symbol=ticker.s,
                bid=ticker.b,
                bid_quantity=ticker.B,
                ask=ticker.a,
                ask_quantity=ticker.A,
                time_ms=ticker.T,
            )
            self._listener.on_best_quote(quote)
        else:
            mark = self._mark_price.decode(frame).data
            self._listener.on_mark_price(MarkPrice(symbol=mark.s, price=mark.p, time_ms=mark.E))

    def _on_lost(self, number: int, reason: str) -> None:
        self._down.add(number)
        self._listener.on_market_lost(reason)

    def _on_restored(self, number: int) -> None:
        self._down.discard(number)
        if not self._down:
            self._listener.on_market_restored()

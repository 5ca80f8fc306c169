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
from execactor.venues.transport import Clock, TimerHandle, Transport

STREAMS_PER_CONNECTION = 200
"""The venue allows 1024 per connection, but their names travel in the URL, and 8 KiB of it is a common limit."""

SILENCE_NS = {"market": 5_000_000_000, "public": 30_000_000_000}
"""For how long a connection of a route may tell nothing: mark prices come every second, whatever the market does; depth
and best quotes come when they change, which in a quiet symbol takes its time. Pings prove nothing: feeds have been seen
to answer them for hours without a message (spec/peers.md section 3.4)."""

_WATCH_NS = 1_000_000_000
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


class _Silence:
    """How long one connection has told nothing. frames counts what came: no clock is read on the way of a frame."""

    __slots__ = ("_seen", "_since_ns", "frames", "limit_ns")

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self.frames = 0
        self._seen = 0
        self._since_ns: int | None = None

    def is_too_long(self, now_ns: int, *, open_now: bool) -> bool:
        """Whether no frame came for the limit although it was open all the time; told once."""
        if self._since_ns is None or self.frames != self._seen or not open_now:
            self._seen, self._since_ns = self.frames, now_ns
            return False
        if now_ns - self._since_ns < self.limit_ns:
            return False
        self._since_ns = now_ns
        return True


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
        self._clock = clock
        self._listener = listener
        self._known: dict[bytes, tuple[_Kind, str]] = {}
        self._best_quote = msgspec.json.Decoder(wire.BookTickerFrame)
        self._mark_price = msgspec.json.Decoder(wire.MarkPriceFrame)
        self._down: set[int] = set()
        self.counts: Counter[str] = Counter()
        urls = self._urls(settings.urls.streams, settings.symbols)
        self._connections = [
            self._connection(number, url, transport, clock, rng) for number, (_, url) in enumerate(urls)
        ]
        self._silences = [_Silence(SILENCE_NS[route]) for route, _ in urls]
        self._watch: TimerHandle | None = None

    @property
    def up(self) -> bool:
        """Whether no connection is known to be lost."""
        return not self._down

    async def start(self) -> None:
        """Open all connections. Raises NotSent when one cannot be opened."""
        for connection in self._connections:
            await connection.start()
        self._watch_later()

    async def close(self) -> None:
        """End all connections."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for connection in self._connections:
            await connection.close()

    def _urls(self, base: str, symbols: Sequence[str]) -> list[tuple[str, str]]:
        by_route: dict[str, list[str]] = {}
        for kind in _Kind:
            for symbol in symbols:
                name = f"{symbol.lower()}@{kind.suffix}"
                self._known[name.encode()] = (kind, symbol)
                by_route.setdefault(kind.route, []).append(name)
        return [
            (route, f"{base}/{route}/stream?streams={'/'.join(names[start : start + STREAMS_PER_CONNECTION])}")
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
        self._silences[number].frames += 1
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

    def _watch_later(self) -> None:
        self._watch = self._clock.call_at(self._clock.monotonic_ns() + _WATCH_NS, self._look_for_silence)

    def _look_for_silence(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for connection, silence in zip(self._connections, self._silences, strict=True):
            if silence.is_too_long(now_ns, open_now=connection.open):
                self.counts["silent connections"] += 1
                connection.drop(f"it stands and has told nothing for {silence.limit_ns / 1e9:g} s")
        self._watch_later()

    def _on_lost(self, number: int, reason: str) -> None:
        self._down.add(number)
        self._listener.on_market_lost(reason)

    def _on_restored(self, number: int) -> None:
        self._down.discard(number)
        if not self._down:
            self._listener.on_market_restored()

"""Binance USDⓈ-M futures as a Venue: one account in one-way mode."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.errors import ConfigurationError, RetryLater, VenueFatal
from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.order import OrderIntent
from execactor.domain.reports import (
    CancelResult,
    NotFound,
    PrivateStreamRestored,
    QueryResult,
    SubmitResult,
    Unknown,
    VenueEvent,
)
from execactor.venues.binance_frames import Unreadable
from execactor.venues.binance_usdm import account, answers, encode, limits
from execactor.venues.binance_usdm.background import Background
from execactor.venues.binance_usdm.decode import Decoder
from execactor.venues.binance_usdm.error_codes import Reaction, Refusal
from execactor.venues.binance_usdm.instruments import ExchangeInfo, exchange_info
from execactor.venues.binance_usdm.market_stream import MarketStream
from execactor.venues.binance_usdm.order_entry import OrderEntry
from execactor.venues.binance_usdm.rest import Rest
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.binance_usdm.snapshot import Reader
from execactor.venues.binance_usdm.user_stream import UserStream
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.binance_usdm.ws_api import WsApi
from execactor.venues.port import Capabilities, Guard, MarketListener, OrderRef
from execactor.venues.rate_limit import RateLimiter
from execactor.venues.transport import Clock, NotSent, TimerHandle, Transport

_MEASURE_CLOCK_NS = 60_000_000_000
_DEPTH_LIMIT = 1_000

logger = logging.getLogger(__name__)


class BinanceUsdm:
    """See execactor.venues.port.Venue. It owns its transport: `close` ends that too, and both for good.

    rng spreads reconnects and repeated reads in time; a simulation passes a seeded one.
    """

    def __init__(
        self, settings: BinanceSettings, transport: Transport, clock: Clock, *, rng: random.Random | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  jitter, no secret
        self._venue_clock = VenueClock(clock)
        self._limiter = RateLimiter(clock, limits.DEFAULT)
        self._rest = Rest(settings, transport, clock, self._venue_clock, self._limiter, self._rng)
        self._reader = Reader(self._rest, clock, self._venue_clock, settings.margin_asset)
        self._decoder = Decoder(settings.margin_asset)
        self._background = Background()
        self._ws_api = (
            WsApi(settings, transport, clock, self._venue_clock, self._limiter, self._rng)
            if settings.order_path == "ws"
            else None
        )
        self._orders = OrderEntry(
            settings,
            clock,
            self._venue_clock,
            self._limiter,
            self._rest,
            self._ws_api,
            self._tell,
            self.instruments,
        )
        self._on_event: Callable[[VenueEvent], None] | None = None
        self._user_stream: UserStream | None = None
        self._market: MarketStream | None = None
        self._clock_timer: TimerHandle | None = None
        self._stumbled = False

    @property
    def capabilities(self) -> Capabilities:
        """What Binance USDⓈ-M can do; post-only is not offered because an OrderIntent cannot say it."""
        return Capabilities(
            conditional_orders=True,
            close_position_stops=True,
            reduce_only=True,
            query_by_client_id=True,
            post_only=False,
            max_conditional_orders=200,
            receive_window_ms=self._settings.recv_window_ms,
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """What happened so far, by name: refusals, ignored and unreadable events, late answers."""
        total: Counter[str] = Counter()
        for part in (self._rest, self._decoder, self._orders, self._ws_api, self._market):
            if part is not None:
                total.update(part.counts)
        return total

    async def connect(self, on_event: Callable[[VenueEvent], None], market: MarketListener) -> None:
        """See Venue.connect. Also raises ConfigurationError, for a symbol or a leverage that the venue does not have.

        An order connection that cannot be opened is no obstacle: until it stands, orders go over REST.
        """
        self._on_event = on_event
        try:
            await self._rest.measure_clock()
            skew = self._venue_clock.skew_problem()
            if skew is not None:
                logger.error("no order that takes risk will be sent: %s", skew)
            info = await self._exchange_info()
            self._limiter.configure(limits.published(info.rateLimits))
            self._check_symbols(info.instruments())
            await account.prepare(self._rest, self._settings)
            await self._open_streams(on_event, market)
        except (NotSent, Unreadable) as error:
            self._stumbled = True
            await self._shut_streams()
            raise RetryLater(str(error)) from None
        except BaseException:
            self._stumbled = True
            await self._shut_streams()
            raise
        self._stumbled = False
        self._measure_clock_later()

    async def close(self) -> None:
        """See Venue.close."""
        if self._clock_timer is not None:
            self._clock_timer.cancel()
            self._clock_timer = None
        await self._background.close()
        await self._orders.close()
        await self._shut_streams()
        await self._transport.close()

    async def instruments(self) -> Mapping[str, Instrument]:
        """See Venue.instruments: every perpetual contract of the venue. Raises RetryLater or VenueFatal."""
        await self._rest.measure_clock(samples=1)
        try:
            return (await self._exchange_info()).instruments()
        except Unreadable as error:
            raise RetryLater(str(error)) from None

    async def snapshot(self, symbols: Sequence[str], trades_since_ms: Mapping[str, int]) -> VenueSnapshot:
        """See Venue.snapshot. With more than 10 symbols, or none, the orders of every symbol are listed."""
        return await self._reader.snapshot(symbols, trades_since_ms)

    async def positions(self) -> Sequence[VenuePosition]:
        """See Venue.positions; weight 5, whatever the number of symbols."""
        return await self._reader.positions()

    async def recent_trades(self, symbol: str, since_ms: int) -> Sequence[Execution]:
        """See Venue.recent_trades; the venue keeps three months."""
        return await self._reader.trades(symbol, since_ms)

    async def depth_snapshot(self, symbol: str) -> bytes:
        """See Venue.depth_snapshot: 1000 levels a side. Raises RetryLater or VenueFatal."""
        try:
            return await self._rest.call(
                "GET", "/fapi/v1/depth", {"symbol": symbol, "limit": _DEPTH_LIMIT}, weight=20, security="none"
            )
        except Refusal as refusal:
            raise refusal.as_error() from None

    def submit(self, intent: OrderIntent, guard: Guard) -> asyncio.Future[SubmitResult]:
        """See Venue.submit."""
        return self._orders.submit(intent, guard)

    def cancel(self, order: OrderRef) -> asyncio.Future[CancelResult]:
        """See Venue.cancel: the child of a triggered conditional order is cancelled by its venue id."""
        return self._orders.cancel(order)

    async def query(self, order: OrderRef) -> QueryResult:
        """See Venue.query. Never raises for what the venue or the network does."""
        conditional = order.conditional and not order.child
        try:
            if conditional:
                by_client_id: encode.Params = {"clientAlgoId": order.client_id}
                body = await self._rest.call("GET", "/fapi/v1/algoOrder", by_client_id, weight=1, urgent=True)
                return answers.conditional(body)
            body = await self._rest.call("GET", "/fapi/v1/order", encode.named(order), weight=1, urgent=True)
            return answers.order(body)
        except Refusal as refusal:
            if refusal.rule.reaction is Reaction.NOT_FOUND:
                return NotFound(reason=str(refusal))
            return Unknown(reason=str(refusal))
        except (RetryLater, VenueFatal, Unreadable) as error:
            return Unknown(reason=str(error))

    def renew_private_stream(self, reason: str) -> None:
        """See Venue.renew_private_stream."""
        if self._user_stream is not None:
            self._user_stream.renew(reason)

    def load(self) -> float:
        """See Venue.load: request weight, counted here and corrected by the venue's headers."""
        return self._limiter.load("weight")

    def clock_offset_ms(self) -> float:
        """See Venue.clock_offset_ms."""
        return self._venue_clock.offset_ms()

    async def _exchange_info(self) -> ExchangeInfo:
        try:
            return exchange_info(await self._rest.call("GET", "/fapi/v1/exchangeInfo", weight=1, security="none"))
        except Refusal as refusal:
            raise refusal.as_error() from None

    def _check_symbols(self, instruments: Mapping[str, Instrument]) -> None:
        unknown = [symbol for symbol in self._settings.symbols if symbol not in instruments]
        if unknown:
            raise ConfigurationError("symbols", tuple(unknown), "choose perpetual contracts that the venue lists")

    async def _open_streams(self, on_event: Callable[[VenueEvent], None], market: MarketListener) -> None:
        self._user_stream = UserStream(
            self._settings, self._transport, self._clock, self._rest, self._decoder, on_event, self._rng
        )
        self._market = MarketStream(self._settings, self._transport, self._clock, market, self._rng)
        if self._ws_api is not None:
            await self._ws_api.start()
        await self._user_stream.start()
        # A connect that failed may have told that a stream was lost, and closed it before it stood again.
        if self._stumbled:
            on_event(PrivateStreamRestored(reason="connected after a failure"))
        await self._market.start()
        if self._stumbled and self._market.up:
            market.on_market_restored()

    async def _shut_streams(self) -> None:
        for stream in (self._ws_api, self._market, self._user_stream):
            if stream is not None:
                await stream.close()

    def _tell(self, event: VenueEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _measure_clock_later(self) -> None:
        due_ns = self._clock.monotonic_ns() + _MEASURE_CLOCK_NS
        self._clock_timer = self._clock.call_at(due_ns, lambda: self._background.spawn(self._measure_clock()))

    async def _measure_clock(self) -> None:
        try:
            await self._rest.measure_clock()
        except (RetryLater, VenueFatal) as error:
            logger.warning("the venue's clock could not be measured: %s", error)
        self._measure_clock_later()

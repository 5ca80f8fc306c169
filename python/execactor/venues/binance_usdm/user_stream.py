"""The private stream: its listen key, its connection, and what it tells."""

import random
from collections.abc import Callable

import msgspec

from execactor.domain.errors import RetryLater
from execactor.domain.reports import PrivateStreamLost, PrivateStreamRestored, VenueEvent
from execactor.venues.binance_frames import BAD_JSON, StreamEnded
from execactor.venues.binance_usdm.background import Background
from execactor.venues.binance_usdm.connection import KeptConnection
from execactor.venues.binance_usdm.decode import Decoder
from execactor.venues.binance_usdm.error_codes import Reaction, Refusal
from execactor.venues.binance_usdm.rest import Rest
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.transport import AnswerLost, Clock, NotSent, TimerHandle, Transport

_PATH = "/fapi/v1/listenKey"
KEEP_ALIVE_NS = 25 * 60 * 1_000_000_000
"""A listen key lives for 60 minutes; the venue asks for a renewal every 30."""
_AGAIN_NS = 30_000_000_000
_GIVE_BACK_MS = 1_000


class _ListenKey(msgspec.Struct):
    listenKey: str  # noqa: N815


class UserStream:
    """Delivers private events in the venue's order, and says at once when some may be missing.

    One listen key exists per account: a second process on the account shares it, and ends it for both.
    """

    def __init__(
        self,
        settings: BinanceSettings,
        transport: Transport,
        clock: Clock,
        rest: Rest,
        decoder: Decoder,
        on_event: Callable[[VenueEvent], None],
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._rest = rest
        self._decoder = decoder
        self._on_event = on_event
        self._background = Background()
        self._keep_alive: TimerHandle | None = None
        self._key_decoder = msgspec.json.Decoder(_ListenKey)
        self._connection = KeptConnection(
            "private stream",
            transport,
            clock,
            rng,
            url=self._url,
            on_frame=self._on_frame,
            on_lost=lambda reason: on_event(PrivateStreamLost(reason=reason)),
            on_restored=lambda: on_event(PrivateStreamRestored()),
        )

    async def start(self) -> None:
        """Open the stream. Raises RetryLater or VenueFatal."""
        await self._connection.start()

    def renew(self, reason: str) -> None:
        """Dial again although the connection seems to stand; harmless while it is being dialled."""
        self._connection.drop(reason)

    async def close(self) -> None:
        """End the stream and give the key back, if the venue can be reached."""
        if self._keep_alive is not None:
            self._keep_alive.cancel()
            self._keep_alive = None
        await self._background.close()
        was_open = self._connection.open
        await self._connection.close()
        if was_open:
            try:
                # Sent at once, whatever the rate limit: nobody waits for it, and a stream that lingers does no harm.
                await self._rest.send("DELETE", _PATH, {}, security="key", timeout_ms=_GIVE_BACK_MS)
            except (Refusal, NotSent, AnswerLost):
                self._decoder.counts["listen keys not given back"] += 1

    async def _url(self) -> str:
        # POST answers the key that is still valid, renewed, or a new one: right before every dialling.
        try:
            body = await self._rest.call("POST", _PATH, weight=1, security="key", urgent=True)
            key = self._key_decoder.decode(body).listenKey
        except Refusal as refusal:
            raise refusal.as_error() from None
        except BAD_JSON:
            raise RetryLater("the answer to the request for a listen key is unreadable") from None
        self._renew_after(KEEP_ALIVE_NS)
        return f"{self._settings.urls.streams}/private/ws?listenKey={key}"

    def _on_frame(self, frame: bytes) -> None:
        for event in self._decoder.decode(frame):
            if isinstance(event, StreamEnded):
                self._connection.drop(event.reason)
            else:
                self._on_event(event)

    def _renew_after(self, delay_ns: int) -> None:
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        due_ns = self._clock.monotonic_ns() + delay_ns
        self._keep_alive = self._clock.call_at(due_ns, lambda: self._background.spawn(self._renew()))

    async def _renew(self) -> None:
        try:
            await self._rest.call("PUT", _PATH, weight=1, security="key", urgent=True)
        except Refusal as refusal:
            if refusal.rule.reaction is Reaction.NEW_LISTEN_KEY:
                self._connection.drop("the listen key is unknown to the venue")
                return
            self._renew_after(_AGAIN_NS)
        except RetryLater:
            self._renew_after(_AGAIN_NS)
        else:
            self._renew_after(KEEP_ALIVE_NS)

"""Requests over HTTP: signed, counted, their failures told apart, and reads that failed put again."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import msgspec

from execactor.domain.errors import RetryLater
from execactor.venues.binance_frames import BAD_JSON
from execactor.venues.binance_usdm import encode, limits, wire
from execactor.venues.binance_usdm.encode import Params, Verb
from execactor.venues.binance_usdm.error_codes import Reaction, Refusal
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.rate_limit import Cost, RateLimiter
from execactor.venues.signing import HmacSigner
from execactor.venues.transport import AnswerLost, Clock, NotSent, Transport, sleep

Security = Literal["none", "key", "signed"]
Read = TypeVar("Read")

TIME_SAMPLES = 5
_NS_PER_MS = 1_000_000
_READ_PAUSES_NS = (50 * _NS_PER_MS, 100 * _NS_PER_MS)
_LONGEST_PAUSE = 1.5
"""Pauses before a read is put again, times 1 to 1.5 by chance: readers that failed together come back apart."""


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815


class Rest:
    """The REST interface of one account."""

    def __init__(
        self,
        settings: BinanceSettings,
        transport: Transport,
        clock: Clock,
        venue_clock: VenueClock,
        limiter: RateLimiter,
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._venue_clock = venue_clock
        self._limiter = limiter
        self._rng = rng
        self._signer = HmacSigner(settings.api_secret)
        self._key_header = {"X-MBX-APIKEY": settings.api_key.reveal()}
        self._time = msgspec.json.Decoder(_Time)
        self._error = msgspec.json.Decoder(wire.ErrorBody)
        self.counts: Counter[str] = Counter()

    async def send(
        self, verb: Verb, path: str, params: Params, *, security: Security = "signed", timeout_ms: int
    ) -> bytes:
        """One exchange, sent now, once; the body of its answer.

        Raises Refusal for an answer that is not 2xx, NotSent or AnswerLost when there is none.
        """
        query = encode.query_string(params)
        if security == "signed":
            window = f"recvWindow={self._settings.recv_window_ms}&timestamp={self._venue_clock.timestamp_ms()}"
            query = f"{query}&{window}" if query else window
            query = f"{query}&signature={self._signer.sign(query.encode())}"
        url = f"{self._settings.urls.rest}{path}{'?' if query else ''}{query}"
        headers = {} if security == "none" else self._key_header
        self.counts["requests"] += 1
        answer = await self._transport.request(verb, url, headers=headers, timeout_s=timeout_ms / 1000)
        limits.observe_headers(self._limiter, answer.headers)
        if 200 <= answer.status < 300:
            return answer.body
        refusal = self._refusal(answer.status, answer.headers.get("retry-after", ""), answer.body)
        limits.honour(self._limiter, refusal)
        self.counts[f"refused {refusal.code or refusal.status}"] += 1
        raise refusal

    async def call(
        self,
        verb: Verb,
        path: str,
        params: Params | None = None,
        *,
        weight: int,
        security: Security = "signed",
        urgent: bool = False,
    ) -> bytes:
        """One exchange that waits for the rate limit, sent once more after -1021, which proves that it had no effect.

        A read that failed or was not answered is put again, three times in all. Raises Refusal; RetryLater when the
        venue cannot be reached, when it has stopped us for longer than `rate_wait_ms`, or when an urgent request would
        have to wait for longer than that.
        """

        async def once() -> bytes:
            return await self._paced(verb, path, params or {}, weight=weight, security=security, urgent=urgent)

        async def ask() -> bytes:
            return await (self._read(once) if verb == "GET" else once())

        try:
            try:
                return await ask()
            except Refusal as refusal:
                if refusal.rule.reaction is not Reaction.RESEND:
                    raise
                await self.measure_clock(samples=1)
                return await ask()
        except (NotSent, AnswerLost) as error:
            raise RetryLater(str(error)) from None

    async def measure_clock(self, samples: int = TIME_SAMPLES) -> None:
        """Measure the venue's clock. Raises RetryLater when it does not answer."""
        try:
            # Put again as a whole: within one sample the pause would count as part of the round trip.
            await self._read(lambda: self._venue_clock.measure(self._server_time_ms, samples))
        except Refusal as refusal:
            raise refusal.as_error() from None
        except (NotSent, AnswerLost) as error:
            raise RetryLater(str(error)) from None

    async def _server_time_ms(self) -> int:
        body = await self._paced("GET", "/fapi/v1/time", {}, weight=1, security="none", urgent=True)
        try:
            return self._time.decode(body).serverTime
        except BAD_JSON:
            raise RetryLater("the venue's time is unreadable") from None

    async def _read(self, ask: Callable[[], Awaitable[Read]]) -> Read:
        for pause_ns in _READ_PAUSES_NS:
            try:
                return await ask()
            except Refusal as refusal:
                if not refusal.passes_at_once:
                    raise
            except (NotSent, AnswerLost):
                self.counts["reads without an answer"] += 1
            self.counts["reads put again"] += 1
            await sleep(self._clock, round(pause_ns * self._rng.uniform(1, _LONGEST_PAUSE)))
        return await ask()

    async def _paced(
        self, verb: Verb, path: str, params: Params, *, weight: int, security: Security, urgent: bool
    ) -> bytes:
        cost = Cost(weight=weight)
        while delay_ns := self._limiter.delay_ns(cost, urgent=urgent):
            self._check_wait(delay_ns if urgent else self._limiter.stopped_ns())
            await sleep(self._clock, delay_ns)
        self._limiter.spend(cost)
        return await self.send(verb, path, params, security=security, timeout_ms=self._settings.read_timeout_ms)

    def _check_wait(self, wait_ns: int) -> None:
        if wait_ns > self._settings.rate_wait_ms * _NS_PER_MS:
            reason = self._limiter.stop_reason or "the request weight is used up"
            raise RetryLater(f"rate limit: {reason}", wait_ns // _NS_PER_MS + 1)

    def _refusal(self, status: int, retry_after: str, body: bytes) -> Refusal:
        try:
            error = self._error.decode(body)
        except BAD_JSON:
            error = wire.ErrorBody(msg=body[:100].decode("utf-8", "replace"))
        return Refusal(
            status,
            error.code,
            error.msg,
            now_ms=self._venue_clock.timestamp_ms() if self._venue_clock.measured else None,
            retry_after_ms=1_000 * int(retry_after) if retry_after.isdigit() else 0,
        )

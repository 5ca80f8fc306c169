"""Orders over the venue's WebSocket API: signed per request, answers matched by id."""

import random
from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from execactor.venues.binance_usdm import encode, limits, wire
from execactor.venues.binance_usdm.connection import KeptConnection
from execactor.venues.binance_usdm.encode import Call, Params
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.rate_limit import Cost, RateLimiter
from execactor.venues.signing import HmacSigner
from execactor.venues.transport import Clock, NotSent, TimerHandle, Transport

_log = structlog.get_logger(__name__)

_CONNECT_COST = Cost(weight=5)
_LATE_KEPT = 1_000
_NS_PER_MS = 1_000_000


class Lost(msgspec.Struct, frozen=True):
    """No answer came: the request may have been executed."""

    reason: str


Outcome = wire.ApiAnswer | Lost


class _InFlight:
    __slots__ = ("on_outcome", "timer")

    def __init__(self, on_outcome: Callable[[Outcome], None]) -> None:
        self.on_outcome = on_outcome
        self.timer: TimerHandle | None = None


class WsApi:
    """The order connection. While it is down, `ready` is False and `call` raises NotSent."""

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
        self._clock = clock
        self._venue_clock = venue_clock
        self._limiter = limiter
        self._signer = HmacSigner(settings.api_secret)
        self._api_key = settings.api_key.reveal()
        self._answer = msgspec.json.Decoder(wire.ApiAnswer)
        self._encode = msgspec.json.Encoder().encode
        self._in_flight: dict[int, _InFlight] = {}
        self._late: dict[int, _InFlight] = {}
        self._last_id = 0
        self.counts: Counter[str] = Counter()
        self._connection = KeptConnection(
            "order connection",
            transport,
            clock,
            rng,
            url=self._url,
            on_frame=self._on_frame,
            on_lost=self._lose_all,
            on_restored=lambda: None,
        )

    @property
    def ready(self) -> bool:
        """Whether requests can leave now."""
        return self._connection.open

    async def start(self) -> None:
        """Connect; when that fails, keep trying in the background, while orders go over REST."""
        try:
            await self._connection.start()
        except NotSent as error:
            _log.warning("orders go over REST until the order connection stands", reason=str(error))
            self._connection.start_later()

    async def close(self) -> None:
        """End the connection; what is in flight is lost."""
        await self._connection.close()
        self._lose_all("the order connection was closed")

    def call(self, call: Call, on_outcome: Callable[[Outcome], None]) -> None:
        """Write the request now; on_outcome gets the answer or Lost. After a Lost, a late answer may still follow.

        Raises NotSent.
        """
        self._last_id = request_id = self._last_id + 1
        flight = self._in_flight[request_id] = _InFlight(on_outcome)
        try:
            self._connection.send(self._frame(request_id, call))
        except BaseException:
            del self._in_flight[request_id]
            raise
        if request_id in self._in_flight:
            due_ns = self._clock.monotonic_ns() + self._settings.answer_timeout_ms * _NS_PER_MS
            flight.timer = self._clock.call_at(due_ns, lambda: self._give_up(request_id))

    def _frame(self, request_id: int, call: Call) -> bytes:
        params: Params = {
            **call.params,
            "apiKey": self._api_key,
            "recvWindow": self._settings.recv_window_ms,
            "timestamp": self._venue_clock.timestamp_ms(),
        }
        params["signature"] = self._signer.sign(encode.sorted_payload(params))
        return self._encode({"id": request_id, "method": call.ws_method, "params": params})

    async def _url(self) -> str:
        self._limiter.spend(_CONNECT_COST)
        return f"{self._settings.urls.ws_api}/ws-fapi/v1"

    def _on_frame(self, frame: bytes) -> None:
        try:
            answer = self._answer.decode(frame)
        except wire.BAD_JSON:
            self.counts["unreadable answers"] += 1
            self._connection.drop("an unreadable answer: nobody can tell whose it was")
            return
        limits.observe_uses(self._limiter, answer.rateLimits)
        flight = self._taken(answer.id)
        if flight is not None:
            flight.on_outcome(answer)
        elif answer.id is None:
            self.counts["answers without an id"] += 1
            told = f"{answer.error.code} {answer.error.msg}" if answer.error else f"status {answer.status}"
            self._connection.drop(f"an answer without an id: {told}")
        else:
            self.counts["answers to nobody"] += 1

    def _taken(self, request_id: int | str | None) -> _InFlight | None:
        if not isinstance(request_id, int):
            return None
        flight = self._in_flight.pop(request_id, None)
        if flight is None:
            flight = self._late.pop(request_id, None)
            self.counts["late answers"] += flight is not None
        elif flight.timer is not None:
            flight.timer.cancel()
        return flight

    def _give_up(self, request_id: int) -> None:
        flight = self._in_flight.pop(request_id, None)
        if flight is None:
            return
        self._late[request_id] = flight
        if len(self._late) > _LATE_KEPT:
            del self._late[next(iter(self._late))]
        self.counts["no answer in time"] += 1
        flight.on_outcome(Lost(f"no answer within {self._settings.answer_timeout_ms} ms"))

    def _lose_all(self, reason: str) -> None:
        lost, self._in_flight = self._in_flight, {}
        self._late.clear()
        for flight in lost.values():
            if flight.timer is not None:
                flight.timer.cancel()
            flight.on_outcome(Lost(f"order connection lost: {reason}"))

"""Orders over the venue's WebSocket API: signed per request, answers matched by id."""

import logging
import random
from collections import Counter
from collections.abc import Callable

import msgspec

from execactor.venues.binance_frames import BAD_JSON
from execactor.venues.binance_usdm import limits, wire
from execactor.venues.binance_usdm.connection import KeptConnection
from execactor.venues.binance_usdm.encode import Call
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.binance_usdm.ws_request import SignedRequests
from execactor.venues.rate_limit import Cost, RateLimiter
from execactor.venues.signing import HmacSigner
from execactor.venues.transport import Clock, NotSent, TimerHandle, Transport

logger = logging.getLogger(__name__)

_CONNECT_COST = Cost(weight=5)
_LATE_KEPT = 1_000
_NS_PER_MS = 1_000_000


class Lost(msgspec.Struct, frozen=True):
    """No answer came: the request may have been executed."""

    reason: str


Outcome = wire.ApiAnswer | Lost


OnOutcome = Callable[[Outcome], None]


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
        self._requests = SignedRequests(
            settings.api_key.reveal(), HmacSigner(settings.api_secret), settings.recv_window_ms
        )
        self._patience_ns = settings.answer_timeout_ms * _NS_PER_MS
        self._answer = msgspec.json.Decoder(wire.ApiAnswer)
        self._in_flight: dict[int, tuple[OnOutcome, int]] = {}
        self._late: dict[int, OnOutcome] = {}
        self._timer: TimerHandle | None = None
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
            logger.warning("orders go over REST until the order connection stands: %s", error)
            self._connection.start_later()

    async def close(self) -> None:
        """End the connection; what is in flight is lost."""
        await self._connection.close()
        self._lose_all("the order connection was closed")

    def call(self, call: Call, on_outcome: OnOutcome) -> None:
        """Write the request now; on_outcome gets the answer or Lost. After a Lost, a late answer may still follow.

        The parameters must be plain (quirks.SAFE_UNQUOTED). Raises NotSent.
        """
        self._last_id = request_id = self._last_id + 1
        frame = self._requests.frame(request_id, call.ws_method, call.params, self._venue_clock.timestamp_ms())
        self._in_flight[request_id] = (on_outcome, self._clock.monotonic_ns() + self._patience_ns)
        try:
            self._connection.send(frame)
        except BaseException:
            del self._in_flight[request_id]
            raise
        if self._timer is None:
            self._watch_oldest()

    async def _url(self) -> str:
        self._limiter.spend(_CONNECT_COST)
        return f"{self._settings.urls.ws_api}/ws-fapi/v1"

    def _on_frame(self, frame: bytes) -> None:
        try:
            answer = self._answer.decode(frame)
        except BAD_JSON:
            self.counts["unreadable answers"] += 1
            self._connection.drop("an unreadable answer: nobody can tell whose it was")
            return
        limits.observe_uses(self._limiter, answer.rateLimits)
        on_outcome = self._taken(answer.id)
        if on_outcome is not None:
            on_outcome(answer)
        elif answer.id is None:
            self.counts["answers without an id"] += 1
            told = f"{answer.error.code} {answer.error.msg}" if answer.error else f"status {answer.status}"
            self._connection.drop(f"an answer without an id: {told}")
        else:
            self.counts["answers to nobody"] += 1

    def _taken(self, request_id: int | str | None) -> OnOutcome | None:
        if not isinstance(request_id, int):
            return None
        flight = self._in_flight.pop(request_id, None)
        if flight is not None:
            return flight[0]
        late = self._late.pop(request_id, None)
        self.counts["late answers"] += late is not None
        return late

    def _watch_oldest(self) -> None:
        """One timer for all: every request waits equally long, so they come due in the order in which they left."""
        for _, due_ns in self._in_flight.values():
            self._timer = self._clock.call_at(due_ns, self._give_up_due)
            return

    def _give_up_due(self) -> None:
        self._timer = None
        now_ns = self._clock.monotonic_ns()
        due = [request_id for request_id, (_, due_ns) in self._in_flight.items() if due_ns <= now_ns]
        for request_id in due:
            self._give_up(request_id)
        if self._timer is None:
            self._watch_oldest()

    def _give_up(self, request_id: int) -> None:
        flight = self._in_flight.pop(request_id, None)
        if flight is None:
            return
        self._late[request_id] = flight[0]
        if len(self._late) > _LATE_KEPT:
            del self._late[next(iter(self._late))]
        self.counts["no answer in time"] += 1
        flight[0](Lost(f"no answer within {self._patience_ns // _NS_PER_MS} ms"))

    def _lose_all(self, reason: str) -> None:
        lost, self._in_flight = self._in_flight, {}
        self._late.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for on_outcome, _ in lost.values():
            on_outcome(Lost(f"order connection lost: {reason}"))

"""A WebSocket that stays open: dialled again after a loss, and replaced before the venue's 24 hours are over."""

import logging
import random
from collections.abc import Awaitable, Callable

from execactor.domain.errors import RetryLater, VenueFatal
from execactor.venues.binance_usdm.background import Background
from execactor.venues.transport import Clock, NotSent, TimerHandle, Transport, WebSocketLink, sleep

MAX_AGE_NS = 23 * 3_600 * 1_000_000_000
"""The venue ends every connection after 24 hours."""

_OVERLAP_NS = 2_000_000_000
"""How long an old connection stays beside its successor: an event published just before the switch still arrives.
What comes twice does no harm: trades are told apart by id, book messages by update id."""

_REPLACE_AGAIN_NS = 60_000_000_000
_FIRST_DELAY_MS = 100
_LONGEST_DELAY_MS = 10_000

logger = logging.getLogger(__name__)


class _Dialled:
    """One connection, and why it ended, if it did."""

    __slots__ = ("ended", "link")

    def __init__(self) -> None:
        self.link: WebSocketLink | None = None
        self.ended: str | None = None


class KeptConnection:
    """Keeps one WebSocket open.

    url is asked for before each dialling (it may fetch a listen key). on_lost is called at once when the connection
    breaks, on_restored when it stands again; neither for the first opening, for a planned replacement or for `close`.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        clock: Clock,
        rng: random.Random,
        *,
        url: Callable[[], Awaitable[str]],
        on_frame: Callable[[bytes], None],
        on_lost: Callable[[str], None],
        on_restored: Callable[[], None],
    ) -> None:
        self._name = name
        self._transport = transport
        self._clock = clock
        self._rng = rng
        self._url = url
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_restored = on_restored
        self._current: _Dialled | None = None
        self._replacement: TimerHandle | None = None
        self._background = Background()
        self._wanted = False

    @property
    def open(self) -> bool:
        """Whether it stands now, as far as this side knows."""
        return self._current is not None

    async def start(self) -> None:
        """Dial for the first time. Raises NotSent, RetryLater or VenueFatal when that fails."""
        self._wanted = True
        self._adopt(await self._dial())

    def start_later(self) -> None:
        """Keep dialling in the background until it stands (on_restored tells)."""
        self._wanted = True
        self._background.spawn(self._redial())

    def send(self, data: bytes) -> None:
        """Write one message now. Raises NotSent."""
        if self._current is None or self._current.link is None:
            raise NotSent(f"{self._name} is not connected")
        self._current.link.send(data)

    def drop(self, reason: str) -> None:
        """Give the connection up and dial again."""
        if self._current is not None:
            if self._current.link is not None:
                self._current.link.close()
            self._lost(self._current, reason)

    async def close(self) -> None:
        """End it for good."""
        self._wanted = False
        self._disarm()
        current, self._current = self._current, None
        if current is not None and current.link is not None:
            current.link.close()
        await self._background.close()

    async def _dial(self) -> _Dialled:
        dialled = _Dialled()
        url = await self._url()
        dialled.link = await self._transport.open_websocket(
            url, self._on_frame, lambda reason: self._lost(dialled, reason)
        )
        if dialled.ended is not None:
            raise NotSent(f"{self._name} was closed at once: {dialled.ended}")
        return dialled

    def _adopt(self, dialled: _Dialled) -> None:
        self._current = dialled
        self._arm(MAX_AGE_NS)

    def _lost(self, dialled: _Dialled, reason: str) -> None:
        dialled.ended = reason
        if dialled is not self._current:
            return
        self._current = None
        self._disarm()
        logger.warning("%s lost: %s", self._name, reason)
        self._background.spawn(self._redial())
        self._on_lost(reason)

    async def _redial(self) -> None:
        failures = 0
        while self._wanted:
            longest_ms = min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS * 2**failures)
            await sleep(self._clock, round(self._rng.uniform(longest_ms / 2, longest_ms) * 1_000_000))
            try:
                dialled = await self._dial()
            except (NotSent, RetryLater, VenueFatal) as error:
                failures = min(failures + 1, 16)
                logger.warning("%s: dialling failed: %s", self._name, error)
                continue
            self._adopt(dialled)
            self._on_restored()
            return

    async def _replace(self) -> None:
        old = self._current
        try:
            successor = await self._dial()
        except (NotSent, RetryLater, VenueFatal) as error:
            logger.warning("%s: replacing failed: %s", self._name, error)
            if old is not None and old is self._current:
                self._arm(_REPLACE_AGAIN_NS)
            return
        if old is None or old is not self._current:
            if successor.link is not None:
                successor.link.close()
            return
        self._adopt(successor)
        try:
            await sleep(self._clock, _OVERLAP_NS)
        finally:
            if old.link is not None:
                old.link.close()

    def _arm(self, delay_ns: int) -> None:
        self._disarm()
        due_ns = self._clock.monotonic_ns() + delay_ns
        self._replacement = self._clock.call_at(due_ns, lambda: self._background.spawn(self._replace()))

    def _disarm(self) -> None:
        if self._replacement is not None:
            self._replacement.cancel()
            self._replacement = None

"""Virtual time: what is ready now, what waits for its time, and nothing else that could make two runs differ."""

import gc
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Protocol

START_NS = 1_000_000_000_000
"""Where virtual monotonic time begins; its origin means nothing, so it is not 0."""

LONGEST_INSTANT = 1_000_000
"""So many turns without time passing are a loop that never ends."""

TURNS_BETWEEN_COLLECTIONS = 250_000
"""Garbage is collected at fixed points: finalizers may have effects, and these must not depend on the process."""

_FEWEST_TO_PURGE = 1_024


class NothingLeft(Exception):
    """No call is ready and no timer is armed: time would stand still for ever."""


class Livelock(RuntimeError):
    """Calls keep calling each other and time does not pass."""


class Owner(Protocol):
    """Whose a call is."""

    def timer_fired(self, callback: Callable[..., object]) -> None:
        """A timer of this owner is due; its call is made next."""
        ...

    def call_failed(self, exc: BaseException, callback: Callable[..., object]) -> None:
        """An exception came out of a call of this owner."""
        ...


class Call:
    """A call to come, and the handle to take it back; serves as asyncio's Handle and TimerHandle."""

    __slots__ = ("__weakref__", "args", "callback", "context", "due_ns", "owner")

    def __init__(
        self, owner: Owner, callback: Callable[..., object], args: tuple[Any, ...] = (), context: Context | None = None
    ) -> None:
        self.owner = owner
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.due_ns = 0

    def cancel(self) -> None:
        """Take the call back. Harmless when it has already been made or cancelled."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self.due_ns / 1e9


class Timeline:
    """Time passes only when nothing is ready; then it jumps to the next timer. Single-threaded.

    Calls that are ready run in the order in which they came. Timers due at the same instant run in the order of the
    `rank` they were armed with, and of their arming where that is equal.
    """

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.stopping = False
        self.turns = 0
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[int, float, int, Call]] = []
        self._numbers = itertools.count()
        self._purge_at = _FEWEST_TO_PURGE

    def soon(self, call: Call) -> None:
        """Make a call in the next turn."""
        self._ready.append(call)

    def at(self, due_ns: int, call: Call, rank: float = 0.0) -> None:
        """Make a call once time has reached `due_ns`."""
        call.due_ns = due_ns
        if len(self._timers) >= self._purge_at:
            self._purge()
        heapq.heappush(self._timers, (due_ns, rank, next(self._numbers), call))

    def run(self) -> None:
        """Make calls and let time pass until `stopping` is set. Raises NothingLeft or Livelock."""
        ready, pop = self._ready, self._ready.popleft
        at_once = 0
        self.stopping = False
        while not self.stopping:
            if not ready:
                self._pass_time()
                at_once = 0
            self.turns += 1
            if not self.turns % TURNS_BETWEEN_COLLECTIONS:
                gc.collect()
            at_once += 1
            if at_once > LONGEST_INSTANT:
                raise Livelock(
                    f"{at_once - 1} turns of the loop without a pause; one that is ready: {ready[0].callback!r}"
                )
            left = len(ready)
            while left and ready:  # abandoning a program takes calls out
                left -= 1
                call = pop()
                callback = call.callback
                if callback is None:
                    continue
                try:
                    call.context.run(callback, *call.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exc:  # noqa: BLE001 - whose call it was decides
                    call.owner.call_failed(exc, callback)

    def take_all_of(self, owner: Owner) -> list[Call]:
        """Take every call of an owner out, for good, and return them."""
        taken = [call for call in self._ready if call.owner is owner]
        taken += [timer[3] for timer in self._timers if timer[3].owner is owner]
        kept = [call for call in self._ready if call.owner is not owner]
        self._ready.clear()
        self._ready.extend(kept)
        self._timers = [timer for timer in self._timers if timer[3].owner is not owner]
        heapq.heapify(self._timers)
        return taken

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][3].callback is None:
            heapq.heappop(timers)
        if not timers:
            raise NothingLeft
        self.now_ns = max(self.now_ns, timers[0][0])
        while timers and timers[0][0] <= self.now_ns:
            call = heapq.heappop(timers)[3]
            if call.callback is not None:
                call.owner.timer_fired(call.callback)
                self._ready.append(call)

    def _purge(self) -> None:
        """Deadlines are armed by the thousand and taken back long before they are due."""
        self._timers = [timer for timer in self._timers if timer[3].callback is not None]
        heapq.heapify(self._timers)
        self._purge_at = max(_FEWEST_TO_PURGE, 2 * len(self._timers))

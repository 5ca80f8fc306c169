"""The runtime's only source of time: a protocol, the system's clock and one that tests move by hand."""

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Protocol

_NS_PER_MS = 1_000_000


class TimerHandle(Protocol):
    """A pending call of a clock."""

    def cancel(self) -> None:
        """Take the call back. Harmless when it has already been made or cancelled."""
        ...


class Clock(Protocol):
    """What actors may know about time. All values are integer nanoseconds."""

    def now_ns(self) -> int:
        """Wall-clock time since the Unix epoch: for records and for venues, never for measuring a duration."""
        ...

    def monotonic_ns(self) -> int:
        """Time that never goes back: for durations and deadlines. Its origin means nothing."""
        ...

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        """Call `callback` once `monotonic_ns()` has reached the given value, never before; a past value means soon."""
        ...


class _LoopTimer:
    # Each reference to the other side is dropped once it is of no use: with the collector off a cycle would stay.
    __slots__ = ("_callback", "_due_ns", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, due_ns: int, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._due_ns = due_ns
        self._callback: Callable[[], object] | None = callback
        self._handle: asyncio.TimerHandle | None = None
        self._arm()

    def _arm(self) -> None:
        # uvloop keeps time in whole milliseconds and rounds to the nearest: without rounding up it fires too early.
        remaining_ms = max(0, -((time.monotonic_ns() - self._due_ns) // _NS_PER_MS))
        self._handle = self._loop.call_later(remaining_ms / 1_000, self._fire)

    def _fire(self) -> None:
        self._handle = None
        # libuv counts from its cached, truncated time, so even a rounded-up timer may come a fraction too early.
        if time.monotonic_ns() < self._due_ns:
            self._arm()
            return
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class SystemClock:
    """The machine's clocks, with timers on an event loop (resolution 1 to 2 ms, never early).

    `call_at` must be called on the loop's own thread; reading the time is free for all.
    """

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        return _LoopTimer(self._loop, monotonic_ns, callback)


class _ManualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until a test advances it. `start_ns` is the wall time; monotonic time starts at 0."""

    def __init__(self, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._elapsed_ns = 0
        self._armed = 0
        self._timers: list[tuple[int, int, _ManualTimer]] = []

    def now_ns(self) -> int:
        return self._start_ns + self._elapsed_ns

    def monotonic_ns(self) -> int:
        return self._elapsed_ns

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        timer = _ManualTimer(callback)
        self._armed += 1
        heapq.heappush(self._timers, (monotonic_ns, self._armed, timer))
        return timer

    def advance(self, ns: int) -> None:
        """Move time on by `ns`, making the calls that fall due on the way in their order, each at its own time.

        The calls only enqueue messages: let the dispatcher run (or `flush()` it) to see them handled.
        Raises ValueError for a negative step.
        """
        if ns < 0:
            raise ValueError(f"ns must not be negative, time never goes back; got {ns}")
        target_ns = self._elapsed_ns + ns
        while self._timers and self._timers[0][0] <= target_ns:
            due_ns, _, timer = heapq.heappop(self._timers)
            self._elapsed_ns = max(self._elapsed_ns, due_ns)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._elapsed_ns = target_ns

"""Messages an actor sends to itself later."""

import functools
from collections.abc import Callable, Hashable
from typing import Any

from execactor.runtime.clock import Clock, TimerHandle
from execactor.runtime.mailbox import Addressed, Letter, lane_of


class _Timer:
    __slots__ = ("due_ns", "handle", "interval_ns", "key", "live", "message", "queued")

    def __init__(self, key: Hashable, due_ns: int, interval_ns: int | None, message: Any) -> None:
        self.key = key
        self.due_ns = due_ns
        self.interval_ns = interval_ns
        self.message = message
        self.handle: TimerHandle | None = None
        self.live = True
        self.queued = False


class Tick(Letter, kw_only=True):
    """A message that may be void once it is reached: its timer was cancelled, or its watch was ended."""

    claim: Callable[[], bool]
    """To be called when it leaves the queue; tells whether it still counts."""


class Timers:
    """An actor's timers, each under a key. All die when the actor stops or restarts.

    A new timer replaces the one of the same key. A cancelled or replaced timer's message is not delivered even when
    it was queued already. Call these methods only from the actor's own code on the dispatcher's thread.
    """

    __slots__ = ("_by_key", "_clock", "_enqueue")

    def __init__(self, clock: Clock, enqueue: Callable[[Addressed], object]) -> None:
        self._clock = clock
        self._enqueue = enqueue
        self._by_key: dict[Hashable, _Timer] = {}

    def once(self, key: Hashable, delay_ns: int, message: Any) -> None:
        """Tell the actor `message` after `delay_ns`; a delay of 0 or less (a deadline already past) means soon."""
        self._start(_Timer(key, self._clock.monotonic_ns() + delay_ns, None, message))

    def every(self, key: Hashable, interval_ns: int, message: Any) -> None:
        """Tell the actor `message` every `interval_ns`, at a fixed rate, first after one interval.

        Ticks never pile up: while one is queued no other is, and ticks missed while the loop was busy are left out.
        Raises ValueError when the interval is not positive.
        """
        if interval_ns <= 0:
            raise ValueError(f"interval_ns must be positive, got {interval_ns} for the timer {key!r}")
        self._start(_Timer(key, self._clock.monotonic_ns() + interval_ns, interval_ns, message))

    def cancel(self, key: Hashable) -> bool:
        """Cancel the timer of that key; returns whether there was one."""
        timer = self._by_key.pop(key, None)
        if timer is None:
            return False
        timer.live = False
        if timer.handle is not None:
            timer.handle.cancel()
        return True

    def cancel_all(self) -> None:
        """Cancel every timer of the actor."""
        for key in tuple(self._by_key):
            self.cancel(key)

    def _start(self, timer: _Timer) -> None:
        lane_of(timer.message)  # a wrong message class is better reported here than when the timer fires
        self.cancel(timer.key)
        self._by_key[timer.key] = timer
        self._arm(timer)

    def _arm(self, timer: _Timer) -> None:
        timer.handle = self._clock.call_at(timer.due_ns, lambda: self._fire(timer))

    def _fire(self, timer: _Timer) -> None:
        timer.handle = None
        if not timer.live:
            return
        if timer.interval_ns is not None:
            late_ns = self._clock.monotonic_ns() - timer.due_ns
            timer.due_ns += timer.interval_ns * (1 + max(0, late_ns) // timer.interval_ns)
            self._arm(timer)
        if not timer.queued:
            timer.queued = True
            self._enqueue(Tick(timer.message, claim=functools.partial(self._claim, timer)))

    def _claim(self, timer: _Timer) -> bool:
        timer.queued = False
        if timer.live and timer.interval_ns is None:
            timer.live = False
            del self._by_key[timer.key]
            return True
        return timer.live

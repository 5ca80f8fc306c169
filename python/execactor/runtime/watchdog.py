"""Who holds the loop: handlers that take too long are named with their stack, and the loop's lag is measured."""

import logging
import sys
import threading
import traceback
from collections import deque

import msgspec

from execactor._core import Histogram
from execactor.runtime.clock import TimerHandle
from execactor.runtime.system import ActorSystem

logger = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_TIMER_RESOLUTION_NS = 2_000_000
_LOG_INTERVAL_NS = _NS_PER_S
_HANG_NS = _NS_PER_S
_KEPT = 100
_DEEPEST = 40


class LoopHeld(msgspec.Struct, frozen=True):
    """Something held the loop for longer than the limit.

    actor, message: the actor's name and the class of the message; empty when it was no handler but another callback or
    a coroutine's step. held_ns: at most a slice (0.2 ms) more than it took; for a callback, how late the loop was.
    stack: where it was when the watching thread looked; None when it was not caught.
    """

    actor: str
    message: str
    held_ns: int
    stack: str | None


class Watchdog:
    """Watches one system's loop, from `start` to `stop`; both belong on the loop's thread.

    limit_ns: from when on a handler counts as slow. The dispatcher notices every one, at no cost; stacks come from a
    thread that wakes once per limit, so one that holds the loop for two limits is always caught. Other callbacks are
    noticed by the lateness of a timer that fires every `beat_ns`.
    loop_lag: that lateness in ns, the timer's own resolution of 1 to 2 ms included. held: of slow handlers. Time is the
    system's clock; the thread sleeps by the machine's, and `start(look=False)` does without it.
    """

    def __init__(self, system: ActorSystem, *, limit_ns: int = 10_000_000, beat_ns: int = 100_000_000) -> None:
        if beat_ns <= 0:
            raise ValueError(f"beat_ns must be positive, got {beat_ns}")
        self.loop_lag = Histogram()
        self.held = Histogram()
        self.latest: deque[LoopHeld] = deque(maxlen=_KEPT)
        self._clock = system.clock
        self._dispatcher = system.dispatcher
        self._limit_ns = limit_ns
        self._beat_ns = beat_ns
        self._due_ns = 0
        self._beat: TimerHandle | None = None
        self._caught: tuple[int, str] | None = None
        self._held_since_beat = False
        self._logged_ns = -_LOG_INTERVAL_NS
        self._hang_logged = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def slow_handlers(self) -> int:
        """How many handlers held the loop longer than the limit."""
        return self.held.count

    def start(self, *, look: bool = True) -> None:
        """Begin. look: have a thread take stacks. Raises ValueError when the limit is not above the slice."""
        self._dispatcher.watch(self._limit_ns, self._on_held)
        self._arm()
        if look:
            self._ended.clear()
            self._thread = threading.Thread(target=self._keep_looking, name="execactor-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._dispatcher.watch(self._limit_ns, None)
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Take the stack if the loop is held right now. What the watching thread does once per limit."""
        which, held_ns = self._dispatcher.slice_held
        if not held_ns:
            which, held_ns = self._due_ns, self._clock.monotonic_ns() - self._due_ns - _TIMER_RESOLUTION_NS
        if held_ns < self._limit_ns or self._dispatcher.thread_id is None:
            return
        if self._caught is None or self._caught[0] != which:
            frame = sys._current_frames().get(self._dispatcher.thread_id)
            stack = "".join(traceback.format_stack(frame)[-_DEEPEST:])
            self._caught = which, stack
        if held_ns >= _HANG_NS and self._hang_logged != which:
            self._hang_logged = which
            logger.error("The loop has been held for %d ms so far:\n%s", held_ns // 1_000_000, self._caught[1])

    def _keep_looking(self) -> None:
        while not self._ended.wait(self._limit_ns / _NS_PER_S):
            self.look()

    def _arm(self) -> None:
        self._due_ns = self._clock.monotonic_ns() + self._beat_ns
        self._beat = self._clock.call_at(self._due_ns, self._on_beat)

    def _on_beat(self) -> None:
        late_ns = max(0, self._clock.monotonic_ns() - self._due_ns)
        self.loop_lag.record(late_ns)
        if late_ns >= self._limit_ns + _TIMER_RESOLUTION_NS and not self._held_since_beat:
            self._note(LoopHeld("", "", late_ns, self._stack_of(self._due_ns)))
        self._held_since_beat = False
        self._arm()

    def _on_held(self, actor: str, message_class: str, held_ns: int) -> None:
        self.held.record(held_ns)
        self._held_since_beat = True
        self._note(LoopHeld(actor, message_class, held_ns, self._stack_of(self._dispatcher.slice_held[0])))

    def _stack_of(self, which: int) -> str | None:
        caught = self._caught
        return caught[1] if caught is not None and caught[0] == which else None

    def _note(self, held: LoopHeld) -> None:
        self.latest.append(held)
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._logged_ns < _LOG_INTERVAL_NS:
            return
        self._logged_ns = now_ns
        who = (
            f"{held.actor} held the loop with {held.message}" if held.actor else "a callback or coroutine held the loop"
        )
        logger.warning("%s for %.1f ms\n%s", who, held.held_ns / 1e6, held.stack or "(its stack was not caught)")

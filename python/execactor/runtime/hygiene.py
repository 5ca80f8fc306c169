"""Keeping the interpreter's own pauses, and other threads, off the trading thread."""

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from execactor._core import Histogram
from execactor.runtime.clock import Clock, TimerHandle
from execactor.runtime.system import ActorSystem

logger = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000


def freeze_garbage() -> Callable[[], int]:
    """Take everything alive out of the garbage collector's sight and stop its automatic runs. Call it after warm-up.

    Measured on CPython 3.11 with 10,000 actors: the longest pause falls from 58 ms to 0.5 ms.
    Returns the collection to run by hand when the engine is idle; it returns how many unreachable objects it found.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    return gc.collect


def set_switch_interval(seconds: float = 0.0001) -> float:
    """Set how long another busy Python thread may keep the interpreter; returns the former value.

    A damage limiter: beside one CPU-bound thread a timer is late by about this long (5 ms by default).
    """
    former = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    return former


class IdleCollector:
    """Collects garbage only while nothing is to be done: once per `interval_ns`, as soon as the dispatcher is idle.

    allowed: asked at that moment; False puts the collection off. longest_ns: after that long without one it happens
    anyway. pauses: how long the collections took, in ns. Time is the system's clock.
    Garbage collection is the process's: there is one of these in it. Raises ValueError unless
    0 < interval_ns <= longest_ns.
    """

    def __init__(
        self,
        system: ActorSystem,
        *,
        interval_ns: int = 60 * _NS_PER_S,
        longest_ns: int = 600 * _NS_PER_S,
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        if not 0 < interval_ns <= longest_ns:
            raise ValueError(f"need 0 < interval_ns <= longest_ns, got {interval_ns} and {longest_ns}")
        self.pauses = Histogram()
        self._clock = system.clock
        self._dispatcher = system.dispatcher
        self._interval_ns = interval_ns
        self._longest_ns = longest_ns
        self._retry_ns = max(1, interval_ns // 60)
        self._allowed = allowed
        self._collected_ns = 0
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        """Freeze what is alive and take over from the automatic collection. On the loop's thread, after warm-up."""
        freeze_garbage()
        self._collected_ns = self._clock.monotonic_ns()
        self._arm(self._interval_ns)

    def stop(self) -> None:
        """Give collection back to the interpreter."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gc.unfreeze()
        gc.enable()

    def _arm(self, delay_ns: int) -> None:
        self._timer = self._clock.call_at(self._clock.monotonic_ns() + delay_ns, self._look)

    def _look(self) -> None:
        overdue = self._clock.monotonic_ns() - self._collected_ns >= self._longest_ns
        if not overdue and not (self._dispatcher.idle and self._is_allowed()):
            self._arm(self._retry_ns)
            return
        begun_ns = self._clock.monotonic_ns()
        gc.collect()
        self._collected_ns = self._clock.monotonic_ns()
        self.pauses.record(self._collected_ns - begun_ns)
        self._arm(self._interval_ns)

    def _is_allowed(self) -> bool:
        try:
            return self._allowed()
        except Exception:
            logger.exception("Whether garbage may be collected now could not be told")
            return False


class BusyThread(msgspec.Struct, frozen=True):
    """A thread of this process beside the loop's. share: of one core's time, from 0 to 1. name: as Python knows it."""

    name: str
    share: float


class ThreadTimes:
    """Which other threads use the CPU, between one look and the next. Only Linux tells; elsewhere there are none.

    A busy Python thread beside the loop makes every wake-up cost a switch interval and more; one in Rust or C that let
    go of the interpreter costs only its core.
    """

    def __init__(self, clock: Clock) -> None:
        """To be made on the loop's thread, which is left out."""
        self._own = threading.get_native_id()
        self._clock = clock
        self._looked_ns = clock.monotonic_ns()
        self._before = _thread_times_ns()

    def busy(self, threshold: float = 0.05) -> list[BusyThread]:
        """The threads that were busier than `threshold` since the last look, busiest first."""
        now_ns = self._clock.monotonic_ns()
        elapsed_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        before, self._before = self._before, _thread_times_ns()
        if elapsed_ns <= 0:
            return []
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        shares = [
            BusyThread(names.get(number, f"thread {number}"), (ns - before.get(number, 0)) / elapsed_ns)
            for number, ns in self._before.items()
            if number != self._own
        ]
        return sorted((each for each in shares if each.share >= threshold), key=lambda each: -each.share)


def _thread_times_ns() -> dict[int, int]:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return {}
    tick_ns = _NS_PER_S // os.sysconf("SC_CLK_TCK")
    times: dict[int, int] = {}
    for task in tasks.iterdir():
        try:
            # After the name, which may hold anything but ")": fields 3 ff.; user and system time are 14 and 15.
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the thread has ended meanwhile
        times[int(task.name)] = (int(fields[11]) + int(fields[12])) * tick_ns
    return times

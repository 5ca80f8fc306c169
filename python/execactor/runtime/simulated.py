"""Virtual time: programs of actors and asyncio code that run the same way again from (seed, commit)."""

import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from execactor.runtime.clock import Clock
from execactor.runtime.event_log import EventLog
from execactor.runtime.random_streams import RandomStreams
from execactor.runtime.simulated_actors import Failures
from execactor.runtime.simulated_loop import SimulatedLoop
from execactor.runtime.timeline import Call, Timeline

T = TypeVar("T")

START_WALL_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


class Simulation:
    """One virtual timeline, the world on it, and one program at a time; use it as a context manager.

    A program is a coroutine that `run` runs on a loop of its own. Everything that it does follows from the seed: who
    is served next, how late timers are, what fails (`failures`), and whatever else draws from `streams`.
    `log` holds the hash over all that happened; `kept` of its latest events are kept for their story.

    The world (a venue, a network) outlives programs: its calls are armed with `world_at`, are never late, and go on
    when a program is abandoned. Python's garbage collector runs at fixed points of a run only: what it finds may have
    effects, and when it finds it must not depend on what else the process did.
    """

    def __init__(self, seed: int, *, kept: int = 0) -> None:
        self.seed = seed
        self.streams = RandomStreams(seed)
        self.timeline = Timeline()
        self.log = EventLog(kept)
        self.failures = Failures(self.streams.of("failures"))
        self.wall_offset_ns = START_WALL_NS - self.timeline.now_ns
        self._program: SimulatedLoop | None = None
        self._dead: list[SimulatedLoop] = []
        self._world = _World()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def loop(self) -> SimulatedLoop:
        """The loop of the running program. Raises RuntimeError when none runs."""
        if self._program is None:
            raise RuntimeError("no program runs in this simulation now; make what needs a loop inside of one")
        return self._program

    @property
    def clock(self) -> Clock:
        """The clock of the running program. Raises RuntimeError when none runs."""
        return self.loop.clock

    def now_ns(self) -> int:
        """The wall clock of the program's machine."""
        return self.timeline.now_ns + self.wall_offset_ns

    def jump_wall_clock(self, ns: int) -> None:
        """Set the wall clock of the program's machine forward, or back; monotonic time and timers stay as they are."""
        self.log.record("wall clock", self.timeline.now_ns, "", ns)
        self.wall_offset_ns += ns

    def run(self, program: Coroutine[Any, Any, T]) -> T:
        """Run a program to its end and return its result; tasks that it leaves are cancelled, the oldest first.

        Raises what the program raises, Deadlock, Livelock, Abandoned, or an ExceptionGroup of the exceptions that
        nobody handled.
        """
        if self._program is not None:
            program.close()
            raise RuntimeError("a program runs already: a simulation has one at a time")
        loop = self._program = SimulatedLoop(self)
        with _collector_at_rest():
            try:
                result = loop.run_to_the_end(program)
            finally:
                self._program = None
        if loop.unhandled:
            raise BaseExceptionGroup("nobody handled these", loop.unhandled)
        return result

    def pass_time(self, ns: int) -> None:
        """Let the world go on alone for a while."""
        if self._program is not None:
            raise RuntimeError("a program runs: it passes time itself")
        self.world_at(self.timeline.now_ns + ns, self._stop)
        with _collector_at_rest():
            self.timeline.run()

    def abandon(self) -> None:
        """End the running program as `kill -9` does; harmless when none runs.

        From this instant on nothing that it does reaches anything: its tasks and timers are frozen, its loop takes no
        call any more, and the rest of the callback that is running now, if any, talks to nobody. Whoever lends the
        program something else to act on (a transport, a disk) must ask `loop.abandoned`. `run` then raises Abandoned,
        and may be called with the next program.
        """
        if self._program is not None and not self._program.abandoned:
            self.log.record("abandoned", self.timeline.now_ns, "")
            self._dead.append(self._program)
            self._program.abandon()

    def world_at(self, due_ns: int, callback: Callable[..., object], *args: Any) -> Call:
        """Have the world make a call when monotonic time has reached `due_ns`: exactly then, whatever program runs."""
        call = Call(self._world, callback, args)
        self.timeline.at(due_ns, call)
        return call

    def close(self) -> None:
        """Release what abandoned programs left."""
        dead, self._dead = self._dead, []
        for loop in dead:
            loop.bury()

    def _stop(self) -> None:
        self.timeline.stopping = True


class _World:
    def timer_fired(self, callback: Callable[..., object]) -> None:
        """What the world does shows in what it does to the programs."""

    def call_failed(self, exc: BaseException, callback: Callable[..., object]) -> NoReturn:  # noqa: ARG002 - of Owner
        raise exc


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()

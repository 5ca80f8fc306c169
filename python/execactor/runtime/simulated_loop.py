"""An asyncio event loop in virtual time: tasks, futures, timers and what asyncio builds on them, but no I/O."""

import asyncio
import math
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

from execactor.runtime.loop_without_io import LoopWithoutIo, NotSimulated
from execactor.runtime.simulated_actors import SimulatedActors
from execactor.runtime.simulated_clock import SimulatedClock
from execactor.runtime.simulated_tasks import SimulatedTasks
from execactor.runtime.timeline import Call, NothingLeft

if TYPE_CHECKING:
    from execactor.runtime.simulated import Simulation

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LATEST_TIMER_NS = 2_000_000
"""How late a timer of a real loop may be."""

SLOWEST_EXECUTOR_NS = 5_000_000
_NEVER_S = 1e10


class Deadlock(RuntimeError):
    """The program waits, and nothing can ever happen any more."""


class Abandoned(Exception):
    """The program was ended as `kill -9` ends one, before it came to its own end."""


class SimulatedLoop(LoopWithoutIo):
    """The loop of one program of a `Simulation`, which makes it.

    `call_soon` is FIFO. Timers are never early; they are late by what the stream "timers" draws (half of them not at
    all, in an order that is drawn too, the others by up to 2 ms). `run_in_executor` makes the call on this very thread
    after a drawn delay. An exception that nobody handles is kept in `unhandled`, and fails the run.
    """

    def __init__(self, simulation: "Simulation") -> None:
        self.simulation = simulation
        self.clock = SimulatedClock(self)
        self.actors = SimulatedActors(self, simulation.failures, simulation.streams.of("interleaving"))
        self.unhandled: list[BaseException] = []
        self.abandoned = False
        self._timeline = simulation.timeline
        self._log = simulation.log
        self._draw = simulation.streams.of("timers").random
        self._draw_delay = simulation.streams.of("executor").random
        self._tasks = SimulatedTasks()
        self._thread: int | None = None
        self._generators: weakref.WeakKeyDictionary[AsyncGenerator[Any, Any], None] = weakref.WeakKeyDictionary()
        self._running = self._closed = False
        self._handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self._kept: list[object] = []
        self._last_calls: list[Callable[[], object]] = []

    # Time

    def time(self) -> float:
        """Virtual monotonic time in seconds."""
        return self._timeline.now_ns / 1e9

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        call = Call(self, callback, args, context)
        if not self.abandoned:
            self._check_open()
            self._timeline.soon(call)
        return cast("asyncio.Handle", call)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon`. Raises NotSimulated on a thread other than the running program's."""
        if self._running and get_ident() != self._thread:
            raise NotSimulated("there are no other threads in virtual time: what they do depends on the machine")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        due_ns = math.ceil(min(when, _NEVER_S) * 1e9)
        if due_ns / 1e9 < when:
            due_ns += 1
        return cast("asyncio.TimerHandle", self.call_at_ns(due_ns, callback, *args, context=context))

    def call_at_ns(
        self, due_ns: int, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Call:
        """`call_at` in nanoseconds of the timeline."""
        call = Call(self, callback, args, context)
        if not self.abandoned:
            self._check_open()
            drawn = self._draw()
            late_ns = int((2 * drawn - 1) * LATEST_TIMER_NS) if drawn > 0.5 else 0
            self._timeline.at(due_ns + late_ns, call, drawn)
        return call

    def deliver_at(self, due_ns: int, callback: Callable[..., object], *args: Any) -> Call:
        """Have something from the world reach the program exactly at `due_ns`, unless the program is dead by then."""
        call = Call(self, callback, args)
        if not self.abandoned:
            self._timeline.at(due_ns, call)
        return call

    # Running

    def run_to_the_end(self, program: Coroutine[Any, Any, T]) -> T:
        """Run a program, then end what it left behind, and close. Raises Abandoned besides what the program raises."""
        try:
            result = self.run_until_complete(program)
            self._clear_up()
        except BaseException as exc:
            if self.abandoned:
                raise Abandoned(f"abandoned at {self.time():.6f} s of virtual time") from None
            for unhandled in self.unhandled:
                exc.add_note(f"besides, nobody handled {unhandled!r}")
            self._clear_up()
            raise
        finally:
            self.close()
        if self.abandoned:
            raise Abandoned(f"abandoned at {self.time():.6f} s of virtual time, at its very end")
        return result

    def _clear_up(self) -> None:
        if not self.abandoned:
            self.run_until_complete(self.shutdown_tasks())
            self.run_until_complete(self.shutdown_asyncgens())

    def run_forever(self) -> None:
        """Run until `stop()`. Raises Deadlock when nothing is left to wait for."""
        self._check_open()
        if self.abandoned:
            raise RuntimeError("this program was abandoned; start a new one")
        if self._running or asyncio.events._get_running_loop() is not None:
            raise RuntimeError("an event loop is running already")
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generator_began, finalizer=self._generator_dropped)
        self._running = True
        self._thread = get_ident()
        asyncio.events._set_running_loop(self)
        try:
            self._timeline.run()
        except NothingLeft:
            raise Deadlock(f"nothing is left to happen, yet {self._tasks.what_waits()}") from None
        finally:
            self._running = False
            asyncio.events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def run_until_complete(self, future: "asyncio.Future[T] | Coroutine[Any, Any, T]") -> T:  # type: ignore[override]  # typeshed's own signature names a private type
        """Run until the future is done and return its result. Raises Deadlock, or RuntimeError after `stop()`."""
        ours = not asyncio.isfuture(future)
        waited_for: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)
        waited_for.add_done_callback(self._stop_when_done)
        try:
            self.run_forever()
        except BaseException:
            if ours and waited_for.done() and not waited_for.cancelled():
                waited_for.exception()  # marks it as seen: the other exception is the one to tell
            raise
        finally:
            waited_for.remove_done_callback(self._stop_when_done)
        if not waited_for.done():
            raise RuntimeError("the event loop was stopped before the future was done")
        return waited_for.result()

    def stop(self) -> None:
        """End `run_forever` after this turn."""
        if not self.abandoned:
            self._timeline.stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End the loop for good; what still waits is dropped."""
        if self._running:
            raise RuntimeError("a running event loop cannot be closed")
        self._closed = True
        self.actors.unregister()
        if not self.abandoned:
            self._timeline.take_all_of(self)
            self._tasks.clear()

    # Tasks and futures

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, **options: Any
    ) -> "asyncio.Task[Any]":  # name and context, and what later Pythons add
        if not self.abandoned:
            self._check_open()
        return self._tasks.make(self, coro, **options)

    async def shutdown_tasks(self) -> None:
        """Cancel every other task, the oldest first, and wait until they have ended."""
        others = [task for task in self._tasks.pending() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        for task in others:
            try:
                await task
            except asyncio.CancelledError:
                continue
            except BaseException as exc:  # noqa: BLE001 - kept, and raised by the run
                self.unhandled.append(exc)

    async def shutdown_asyncgens(self) -> None:
        for generator in list(self._generators):
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - asyncio's signature
        return

    def run_in_executor(  # type: ignore[override]  # typeshed's own signature uses a TypeVarTuple of its own
        self, _executor: object, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Make the call on this thread, after a delay that is drawn: there are no others in virtual time."""
        outcome = self.create_future()
        delay_ns = int(self._draw_delay() * SLOWEST_EXECUTOR_NS)
        call = Call(self, _settle, (outcome, func, args))
        if not self.abandoned:
            self._timeline.at(self._timeline.now_ns + delay_ns, call)
        return outcome

    # Exceptions that nobody handles

    def get_exception_handler(self) -> Any:
        return self._handler

    def set_exception_handler(self, handler: Any) -> None:
        self._handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        if exc is None:
            exc = RuntimeError(str(context.get("message")))
        if not self.abandoned:
            exc.add_note(str(context.get("message")))
            self.unhandled.append(exc)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._handler is None or self.abandoned:
            self.default_exception_handler(context)
        else:
            self._handler(self, context)

    def timer_fired(self, callback: Callable[..., object]) -> None:
        self._log.record("timer", self._timeline.now_ns, getattr(callback, "__qualname__", type(callback).__qualname__))

    def call_failed(self, exc: BaseException, callback: Callable[..., object]) -> None:
        self.call_exception_handler({"message": f"Exception in callback {callback!r}", "exception": exc})

    # The end, as kill -9 makes it

    def when_abandoned(self, call: Callable[[], object]) -> None:
        """Have the world make a call in the instant in which the program is abandoned: cut its lines, keep its disk."""
        self._last_calls.append(call)

    def abandon(self) -> None:
        """Freeze the program where it stands. From here on nothing that it does reaches anything.

        Its tasks, calls and async generators stay referenced until `bury`: one that is garbage-collected would run its
        finally blocks.
        """
        if self.abandoned:
            return
        self.abandoned = True
        self._kept = [*self._timeline.take_all_of(self), *self._generators]
        if self._running:
            self._timeline.stopping = True
        for call in self._last_calls:
            call()

    def bury(self) -> None:
        """Release what an abandoned program left. What its finally blocks do now reaches nobody."""
        self._tasks.bury()
        self._kept.clear()

    # The rest of asyncio's interface

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        if enabled:
            raise NotSimulated("asyncio's debug mode reads the machine's clock")

    def get_task_factory(self) -> None:
        return None  # tasks are SimulatedTasks

    def _stop_when_done(self, _future: "asyncio.Future[Any]") -> None:
        self.stop()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("Event loop is closed")

    def _generator_began(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators[generator] = None

    def _generator_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators.pop(generator, None)
        if self.abandoned:
            self._kept.append(generator)
        elif not self._closed:
            self.create_task(_ended(generator))


def _settle(outcome: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if outcome.cancelled():
        return
    try:
        outcome.set_result(func(*args))
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as exc:  # noqa: BLE001 - it belongs to whoever awaits it
        outcome.set_exception(exc)


async def _ended(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()

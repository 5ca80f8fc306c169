"""A system of actors on one event loop: who is there, what went wrong, and the orderly end."""

import asyncio
import contextlib
import functools
import itertools
import logging
import random
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import pykka

from execactor.runtime.cell import Cell
from execactor.runtime.child_spec import ChildSpec
from execactor.runtime.clock import Clock, SystemClock, TimerHandle
from execactor.runtime.dead_letters import DeadLetters
from execactor.runtime.dispatcher import Dispatcher
from execactor.runtime.executors import Executors
from execactor.runtime.future import as_awaitable
from execactor.runtime.introspection import ActorSnapshot, snapshot_of
from execactor.runtime.life import Life
from execactor.runtime.loop_without_io import NotSimulated
from execactor.runtime.ref import LoopRef

if TYPE_CHECKING:
    from execactor.runtime.loop_actor import LoopActor
    from execactor.runtime.simulated_actors import SimulatedActors

logger = logging.getLogger(__name__)

A = TypeVar("A", bound="LoopActor")

Escalation = Callable[[pykka.ActorRef[Any], BaseException], object]


class ActorSystem:
    """Actors that share one event loop, its dispatcher, a clock and the dead letters.

    clock: the system's clock by default. loop: the running loop by default (RuntimeError without one); a SimulatedLoop
    brings its own clock, dispatcher and random numbers, and hears of every instance of an actor.
    seed: of the random numbers in `random`, the only ones that the runtime draws; without one each run differs.
    on_escalation: called with (ref, exception), on the loop's thread, when an actor failed more often than its
    supervision allows (and was stopped, unless that keeps trying), or when a message to be retried was given up.
    """

    def __init__(
        self, clock: Clock | None = None, loop: asyncio.AbstractEventLoop | None = None, *, seed: int | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop() if loop is None else loop
        self.simulated: SimulatedActors | None = getattr(self.loop, "actors", None)
        if self.simulated is None:
            self.clock: Clock = SystemClock(self.loop) if clock is None else clock
            self.dispatcher = Dispatcher(self.clock, self.loop)
            self.random = random.Random(seed)  # noqa: S311 - no secret is made of it
        else:
            self.clock = self.simulated.clock if clock is None else clock
            self.dispatcher = self.simulated.dispatcher(self.clock)
            self.random = self.simulated.random if seed is None else random.Random(seed)  # noqa: S311
        self.dead_letters = DeadLetters()
        self.on_escalation: list[Escalation] = []
        self._cells: dict[str, Cell] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._executors: Executors | None = None
        _systems[self.loop] = weakref.ref(self)

    @classmethod
    def current(cls) -> "ActorSystem":
        """The system that a plain `SomeLoopActor.start()` uses.

        On a thread with a running loop: that loop's system, made if need be. Elsewhere: a system whose loop runs on
        another thread; if there is none, a default one is started on a daemon thread.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return _running_elsewhere() or _default_system()
        existing = _systems.get(loop)
        system = None if existing is None else existing()
        return system or cls(loop=loop)

    @classmethod
    def in_thread(
        cls, clock: Clock | None = None, *, name: str = "execactor-runtime", seed: int | None = None
    ) -> "ActorSystem":
        """A system on an event loop of its own, running on a new daemon thread until `close()`."""
        loop = _new_event_loop()
        system = cls(clock, loop, seed=seed)
        system._thread = threading.Thread(target=system._run_loop, name=name, daemon=True)
        system._thread.start()
        return system

    def close(self) -> None:
        """End the pools of blocking work and, of a system made by `in_thread`, the thread and the loop.

        To be called on another thread when there is one, or anything runs in a pool. Stop the actors first.
        """
        if self._executors is not None:
            self._executors.shutdown()
        if self._thread is not None and self._thread.is_alive():
            self._closing.set()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    @property
    def executors(self) -> Executors:
        """The pools for work that blocks; they end with `close()`. Raises NotSimulated in virtual time."""
        if self.simulated is not None:
            raise NotSimulated("there are no threads or processes in virtual time: do the work on the loop")
        if self._executors is None:
            self._executors = Executors()
        return self._executors

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._closing.is_set():
            # Such an exception in a handler stops all actors, and they need the loop for that.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_forever()
        self.dispatcher.flush()
        self.loop.close()

    def start(self, actor_class: type[A], *args: Any, name: str | None = None, **kwargs: Any) -> pykka.ActorRef[A]:
        """Start an actor; the constructor runs here and now, `on_start` on the loop before the first message.

        name: unique among the living actors of this system (ValueError if not); by default class and number.
        """
        return self.launch(actor_class, args, kwargs, name=name)

    def launch(
        self, actor_class: type[A], args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str | None
    ) -> pykka.ActorRef[A]:
        """`start`, for actors whose constructor takes a `name` of its own."""
        return self._launch(
            Cell(self, actor_class, args, kwargs, name or f"{actor_class.__name__}-{next(self._numbers)}")
        )

    def launch_child(self, parent: Life, spec: ChildSpec) -> Cell:
        """Make a child of a supervisor, which starts it when its turn comes."""
        cell = Cell(self, spec.actor_class, spec.args, dict(spec.kwargs), spec.name, parent)
        self._launch(cell)
        return cell

    def _launch(self, cell: Cell) -> pykka.ActorRef[Any]:
        with self._lock:
            if cell.name in self._cells:
                raise ValueError(f"name: an actor called {cell.name!r} is alive in this system; choose another name")
            self._cells[cell.name] = cell
        try:
            return cell.launch()
        except BaseException:
            cell.discard()
            raise

    def unstarted_cell(self, actor_class: "type[LoopActor]") -> Cell:
        """A place for an instance made by calling its class: it has a ref and a mailbox, but nothing serves it."""
        return Cell(self, actor_class, (), {}, f"{actor_class.__name__}-{next(self._numbers)} (never started)")

    def lookup(self, name: str) -> pykka.ActorRef[Any] | None:
        """The living actor of that name, if there is one."""
        cell = self._cells.get(name)
        return None if cell is None else cell.ref

    @property
    def refs(self) -> list[pykka.ActorRef[Any]]:
        """The living actors, in the order they were started."""
        return [cell.ref for cell in tuple(self._cells.values()) if cell.ref is not None]

    def snapshot(self) -> list[ActorSnapshot]:
        """How each living actor is doing, in the order they were started; from any thread."""
        return [snapshot_of(cell) for cell in tuple(self._cells.values())]

    async def stop(self, refs: Iterable[pykka.ActorRef[Any]], deadline_ns: int | None) -> list[pykka.ActorRef[Any]]:
        """Stop actors one after the other, each as `ref.stop()` does; await it on the system's loop.

        None of them is restarted any more, whatever it makes of those that are gone already. A supervisor stops its
        children first, so that the root of a tree is all that needs to be named.
        deadline_ns: how long the whole may take, from now; None: as long as it takes. From then on an actor that does
        not stop at once is aborted (its suspended handler cancelled, its queue lost, likewise its children); returns
        these. An actor of another kind cannot be aborted, only reported.
        """
        end = self.loop.create_future()
        timer: TimerHandle | None = None
        if deadline_ns is not None:
            timer = self.clock.call_at(self.clock.monotonic_ns() + deadline_ns, functools.partial(_finish, end))
        late: list[pykka.ActorRef[Any]] = []
        leaving = list(refs)
        for ref in leaving:
            if isinstance(ref, LoopRef):
                ref.leave()
        try:
            for ref in leaving:
                if not await self._stopped_before(end, ref):
                    late.append(ref)
                    if isinstance(ref, LoopRef):
                        ref.abort()
        finally:
            if timer is not None:
                timer.cancel()
        return late

    async def _stopped_before(self, end: "asyncio.Future[None]", ref: pykka.ActorRef[Any]) -> bool:
        stopping = asyncio.ensure_future(_awaited(as_awaitable(ref.stop(block=False))))
        await asyncio.wait({stopping, end}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            return False
        return True

    def forget(self, cell: Life) -> None:
        """Drop a stopped actor: its name is free again."""
        with self._lock:
            if self._cells.get(cell.name) is cell:
                del self._cells[cell.name]

    def escalate(self, ref: pykka.ActorRef[Any], exc: BaseException) -> None:
        """Tell the owner of the system that an actor or a message was given up."""
        logger.critical("Escalation from %s: %s", ref, exc, exc_info=exc)
        for callback in tuple(self.on_escalation):
            try:
                callback(ref, exc)
            except Exception:
                logger.exception("An escalation callback failed")


_systems: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[ActorSystem]]" = weakref.WeakKeyDictionary()
_default: list[ActorSystem] = []
_default_lock = threading.Lock()


def _running_elsewhere() -> ActorSystem | None:
    for loop, reference in reversed(list(_systems.items())):
        system = reference()
        if system is not None and loop.is_running():
            return system
    return None


def _default_system() -> ActorSystem:
    with _default_lock:
        if not _default or _default[0].loop.is_closed():
            _default[:] = [ActorSystem.in_thread()]
        return _default[0]


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - not installable on Windows

    return uvloop.new_event_loop()

"""What a simulation draws for the actors that run in it: who is served next, for how long, and which handling fails."""

import enum
import random
from collections import deque
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import pykka
from pykka.messages import _ActorStop

from execactor.runtime.clock import Clock
from execactor.runtime.dispatcher import Dispatcher, Served

if TYPE_CHECKING:
    from execactor.runtime.loop_actor import LoopActor
    from execactor.runtime.simulated_loop import SimulatedLoop

LETS_GO_SHARE = 0.5
"""How often a mailbox lets go after a message although it need not."""


class Fate(enum.Enum):
    """What becomes of the handling of a message."""

    GOES_WELL = enum.auto()
    FAILS_BEFORE = enum.auto()
    FAILS_AFTER = enum.auto()


class InjectedFailure(Exception):
    """A handler was made to fail, before or after it did its work."""


class DrawnQueue(deque[Served]):
    """A run-queue that hands out any of its mailboxes."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__()
        self._draw = draw

    def popleft(self) -> Served:
        waiting = len(self)
        if waiting > 1:
            self.rotate(-int(self._draw() * waiting))
        return super().popleft()


class SimulatedDispatcher(Dispatcher):
    """Serves the mailboxes in a drawn order, for a drawn number of messages each; hot ones still go first."""

    def __init__(self, clock: Clock, loop: "SimulatedLoop", interleaving: random.Random) -> None:
        self._draw = interleaving.random
        super().__init__(clock, loop, run_queue=lambda: DrawnQueue(self._draw))

    def must_yield(self) -> bool:
        return super().must_yield() or self._draw() < LETS_GO_SHARE


class Failures:
    """Which handlings fail: none by default.

    share: of the handlings that `concerns(actor's name, message)`, from 0 to 1; half of them fail before the handler,
    half after it did its work. A restart is a handling too; its message is the exception that caused it.
    """

    def __init__(self, rng: random.Random) -> None:
        self.share = 0.0
        self.concerns: Callable[[str, Any], bool] = lambda _actor, _message: True
        self._draw = rng.random

    def drawn(self, actor: str, message: Any) -> Fate:
        """What becomes of a handling."""
        if type(message) is _ActorStop or not self.concerns(actor, message):
            return Fate.GOES_WELL
        drawn = self._draw()
        if drawn >= self.share:
            return Fate.GOES_WELL
        return Fate.FAILS_BEFORE if drawn < self.share / 2 else Fate.FAILS_AFTER


class SimulatedActors:
    """How the actors of one simulated program run: the loop hands this to every ActorSystem that is made on it."""

    def __init__(self, loop: "SimulatedLoop", failures: Failures, interleaving: random.Random) -> None:
        self._loop = loop
        self._failures = failures
        self._interleaving = interleaving
        self._log = loop.simulation.log
        self._timeline = loop.simulation.timeline
        self._refs: dict[str, pykka.ActorRef[Any]] = {}

    @property
    def clock(self) -> Clock:
        """The clock of a system that was given none."""
        return self._loop.clock

    @property
    def random(self) -> random.Random:
        """The random numbers of a system that was given no seed."""
        return self._loop.simulation.streams.of("actors")

    def dispatcher(self, clock: Clock) -> Dispatcher:
        """The dispatcher of a system."""
        return SimulatedDispatcher(clock, self._loop, self._interleaving)

    def adopted(self, name: str, actor: "LoopActor") -> None:
        """See to it that a new instance of the actor `name` logs what it handles, and fails where that is drawn."""
        self._refs[name] = actor.actor_ref
        instance: Any = actor  # its own attributes shadow the methods of its class
        instance.on_start = self._logged("start", name, actor.on_start)
        instance.on_restart = self._observed("restart", name, actor.on_restart)
        instance.on_receive = self._observed("handle", name, actor.on_receive)
        instance._handle_receive = self._observed("handle", name, actor._handle_receive)

    def unregister(self) -> None:
        """Take the program's actors out of pykka's registry, which all programs of this process share."""
        for ref in self._refs.values():
            pykka.ActorRegistry.unregister(ref)
        self._refs.clear()

    def _logged(self, kind: str, name: str, hook: Callable[[], None]) -> Callable[[], None]:
        def logged() -> None:
            self._log.record(kind, self._timeline.now_ns, name)
            hook()

        return logged

    def _observed(self, kind: str, name: str, receive: Callable[[Any], Any]) -> Callable[[Any], Any]:
        log, timeline, failures, loop = self._log.record, self._timeline, self._failures, self._loop

        def observed(message: Any) -> Any:
            if loop.abandoned:  # in the midst of a turn, whose other messages nobody handles
                return None
            log(kind, timeline.now_ns, name, message)
            fate = failures.drawn(name, message) if failures.share else Fate.GOES_WELL
            try:
                if fate is Fate.FAILS_BEFORE:
                    raise InjectedFailure("before the handler")
                response = receive(message)
                if type(response) is CoroutineType:
                    return self._observed_async(name, _Handler(response), fate)
                if fate is Fate.FAILS_AFTER:
                    raise InjectedFailure("after the handler")
            except BaseException as exc:
                log("failure", timeline.now_ns, name, exc)
                raise
            return response

        return observed

    async def _observed_async(self, name: str, handler: "_Handler", fate: Fate) -> Any:
        try:
            response = await handler.coroutine
            if fate is Fate.FAILS_AFTER:
                raise InjectedFailure("after the handler")
        except BaseException as exc:
            if not self._loop.abandoned:
                self._log.record("failure", self._timeline.now_ns, name, exc)
            raise
        return response


class _Handler:
    """An async handler's coroutine. One whose task was cancelled before its first step ends without a warning."""

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: "CoroutineType[Any, Any, Any]") -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()

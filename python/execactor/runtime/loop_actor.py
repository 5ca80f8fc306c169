"""The base class of all actors that share one event loop."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, ClassVar, NoReturn, Self, TypeVar

import pykka

from execactor.runtime.clock import Clock
from execactor.runtime.construction import cell_under_construction
from execactor.runtime.future import LoopFuture
from execactor.runtime.overflow import MailboxSpec
from execactor.runtime.ref import LoopRef
from execactor.runtime.stash import Stash
from execactor.runtime.stop_flag import StopFlag
from execactor.runtime.supervision import Supervision
from execactor.runtime.system import ActorSystem
from execactor.runtime.timers import Timers

T = TypeVar("T")

_SYNC_HOOKS = ("on_start", "on_stop", "on_failure", "on_restart")


class LoopActor(pykka.Actor):
    """A pykka actor that runs on its system's event loop instead of a thread of its own.

    Override `on_receive` (sync, or `async def`: while it is suspended the actor takes no other message, others run)
    and the hooks `on_start`, `on_stop`, `on_failure`, `on_restart` (all sync). Nothing in an actor may block.

    When a told message's handler raises, the message becomes a dead letter and the actor is restarted as
    `supervision` says: `on_failure` on the old instance, then the class is called again with the original arguments,
    then `on_restart`. Ref and mailbox stay; timers and tasks end. A message class with `retry_after_restart = True`
    is handled again first, up to 3 times in all; then it is a dead letter and escalated, and the actor goes on.
    """

    supervision: ClassVar[Supervision] = Supervision()
    mailbox: ClassVar[MailboxSpec] = MailboxSpec()
    stash_capacity: ClassVar[int] = 0

    clock: Clock
    system: ActorSystem

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for hook in _SYNC_HOOKS:
            if iscoroutinefunction(getattr(cls, hook)):
                raise TypeError(f"{cls.__qualname__}.{hook} must not be async: use spawn() or pipe_to_self() in it")

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Self]:
        """Start an actor in the current system (see ActorSystem.current), under a name made from its class."""
        return ActorSystem.current().launch(cls, args, kwargs, name=None)

    @classmethod
    def start_in_cell(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Self]:
        """pykka's own start, which makes, registers and begins the instance. The system calls it."""
        return super().start(*args, **kwargs)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        cell = cell_under_construction()
        if cell is None or cell.actor_class is not type(self):
            cell = ActorSystem.current().unstarted_cell(type(self))
        self._cell = cell
        # What pykka's own __init__ sets. It makes an Event, a second ref and a slow URN: half of an actor's start.
        self.actor_urn = _new_urn()
        self.actor_inbox = cell
        self.actor_stopped = StopFlag()
        cell.adopt(self)
        self.clock = cell.system.clock
        self.system = cell.system

    @staticmethod
    def _create_actor_inbox() -> NoReturn:
        raise NotImplementedError("A LoopActor's inbox is the cell that it is made in")

    @staticmethod
    def _create_future() -> LoopFuture[Any]:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        self._cell.begin()

    def _stop(self) -> None:
        self._cell.stop()

    def __str__(self) -> str:
        return str(self.actor_ref)

    def on_restart(self, cause: BaseException) -> None:  # noqa: ARG002 - for those who override it
        """Called on the new instance instead of `on_start`; by default it calls that."""
        self.on_start()

    @property
    def timers(self) -> Timers:
        """The actor's timers. Raises RuntimeError for an instance that is no longer, or not on its own thread."""
        self._check_own("timers")
        return self._cell.timers

    @property
    def stash(self) -> Stash:
        """Messages put aside for later; a class that uses it says in `stash_capacity` how many may be.

        Raises RuntimeError for a class that does not, and as `timers` does.
        """
        self._check_own("stash")
        if self._cell.stash is None:
            raise RuntimeError(f"{type(self).__qualname__}.stash_capacity is 0: set it to use the stash")
        return self._cell.stash

    def pipe_to_self(
        self,
        awaitable: Awaitable[T] | pykka.Future[T],
        wrap: Callable[[T], Any],
        on_error: Callable[[BaseException], Any],
    ) -> "asyncio.Task[T]":
        """Run `awaitable` beside the actor, then tell it `wrap(result)` or `on_error(exception)`.

        Takes coroutines, asyncio futures and any pykka future. When the actor stops or restarts, the task is
        cancelled and neither is called. An exception in `wrap` or `on_error` is the actor's failure.
        """
        self._check_own("pipe_to_self()")
        return self._cell.tasks.pipe(awaitable, wrap, on_error)

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str | None = None) -> "asyncio.Task[T]":
        """Run a coroutine beside the actor until it ends or the actor stops or restarts.

        It runs on the same thread between the actor's messages. Its exception is the actor's failure.
        """
        self._check_own("spawn()")
        return self._cell.tasks.spawn(coro, name)

    def watch(self, ref: pykka.ActorRef[Any]) -> None:
        """Be told `Terminated(ref, reason)` once the actor has ended for good, at once when it is dead already.

        On lane SYSTEM, exactly once however often it is watched, and not when it restarts. A watch outlives the
        watcher's own restarts. Raises TypeError for an actor that is no LoopActor, ValueError for itself.
        """
        self._check_own("watch()")
        if not isinstance(ref, LoopRef):
            raise TypeError(f"only LoopActors can be watched, not {ref}")
        if ref == self.actor_ref:
            raise ValueError(f"{self} cannot watch itself")
        self._cell.watches.begin(ref)

    def unwatch(self, ref: pykka.ActorRef[Any]) -> bool:
        """Watch the actor no more: not even a `Terminated` that waits is delivered. Returns whether it was watched."""
        self._check_own("unwatch()")
        return self._cell.watches.end(ref)

    def _check_own(self, what: str) -> None:
        if self._cell.actor is not self or not self.actor_ref.is_alive():
            raise RuntimeError(f"{what} of {self}: this instance has stopped or was replaced by a restart")
        dispatcher = self._cell.system.dispatcher
        if dispatcher.thread_id is not None and not dispatcher.on_own_thread:
            raise RuntimeError(f"{what} of {self} must be used on the dispatcher's thread: in on_start, not __init__")


def _new_urn() -> str:
    """`uuid.uuid4().urn`, which takes four times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

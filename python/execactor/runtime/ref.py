"""The address of a LoopActor: pykka's ActorRef, plus dead letters and no blocking on the dispatcher's own thread."""

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import pykka
from pykka.messages import _ActorStop

from execactor.runtime.future import derived_future, refuse_to_block
from execactor.runtime.mailbox import Letter
from execactor.runtime.recovery import Phase

if TYPE_CHECKING:
    from execactor.runtime.life import Life
    from execactor.runtime.watch import Watch

A = TypeVar("A", bound=pykka.Actor)

_STOPPED = Phase.STOPPED


class LoopRef(pykka.ActorRef[A]):
    """Used exactly like a pykka.ActorRef, from any thread. It stays valid across restarts of the actor."""

    __slots__ = ("_cell",)  # beside pykka's instance dict, which a tell then does not touch

    def __init__(self, actor: A, cell: "Life") -> None:
        super().__init__(actor)
        self._cell = cell

    def __str__(self) -> str:
        return str(self._cell)

    @property
    def name(self) -> str:
        """The actor's name in its system."""
        return self._cell.name

    def point_at(self, actor: A) -> None:
        """Make proxies see the new instance after a restart (pykka 4.5 keeps a weak reference for them)."""
        self._actor_weakref = weakref.ref(actor)

    def abort(self) -> None:
        """Stop the actor now: a suspended handler is cancelled (it sees that after on_stop), the queue is lost."""
        self._cell.on_dispatcher(self._cell.stop)

    def leave(self) -> None:
        """The actor is about to be stopped: from now on a failure ends it, and so does a restart that is due later."""
        self._cell.on_dispatcher(self._cell.leave)

    def add_watch(self, watch: "Watch") -> None:
        """Have the actor's end reported. One whose loop is closed has ended."""
        try:
            self._cell.on_dispatcher(lambda: self._cell.add_watch(watch))
        except pykka.ActorDeadError:
            watch.report("stopped")

    def remove_watch(self, watch: "Watch") -> None:
        """Have the actor's end not reported any more."""
        with contextlib.suppress(pykka.ActorDeadError):
            self._cell.on_dispatcher(lambda: self._cell.remove_watch(watch))

    def tell(self, message: Any) -> None:
        """Queue a message and go on. Raises ActorDeadError, leaving a dead letter, when the actor is dead."""
        cell = self._cell
        if cell.phase is _STOPPED:
            cell.refuse(Letter(message))
            raise pykka.ActorDeadError(f"{self} not found")
        cell.put(Letter(message))

    @overload
    def ask(self, message: Any, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[Any]: ...
    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...
    @overload
    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | pykka.Future[Any]: ...

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | pykka.Future[Any]:
        """Queue a message and get its answer, or with `block=False` a future of it, which can be awaited.

        A future of a dead actor holds ActorDeadError. Raises WouldDeadlock, before anything is sent, for `block=True`
        on a thread that serves actors; pykka.Timeout after `timeout` seconds.
        """
        future = self.actor_class._create_future()
        cell = self._cell
        if cell.phase is _STOPPED or cell.system.loop.is_closed():
            cell.refuse(Letter(message, reply_to=future))
        else:
            if block:
                refuse_to_block("A blocking ask or stop")
            try:
                cell.put(Letter(message, reply_to=future))
            except pykka.ActorDeadError:
                future.set_exception()
        return future.get(timeout=timeout) if block else future

    @overload
    def stop(self, *, block: Literal[True], timeout: float | None = None) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[bool]: ...
    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | pykka.Future[bool]: ...

    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | pykka.Future[bool]:
        """Stop the actor after everything queued before in its SYSTEM, URGENT and NORMAL lanes.

        The request waits in the NORMAL lane. What comes later there, and all of the BULK lane, become dead letters;
        asks among them fail with ActorDeadError. A suspended handler, or a restart that backs off, is waited for.
        True: stopped by this or another request; False: was dead already.
        """
        if block and self.is_alive():
            refuse_to_block("A blocking ask or stop")
        request = self.ask(_ActorStop(), block=False)

        def stopped(timeout: float | None) -> bool:
            try:
                request.get(timeout=timeout)
            except pykka.ActorDeadError:
                return False
            return True

        future = derived_future(stopped, request)
        return future.get(timeout=timeout) if block else future

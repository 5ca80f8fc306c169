"""The address of a LoopActor: pykka's ActorRef, plus dead letters and no blocking on the dispatcher's own thread."""

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import pykka
from pykka.messages import _ActorStop

from execactor.runtime.admission import call, seems_full, send
from execactor.runtime.future import derived_future, refuse_to_block
from execactor.runtime.mailbox import Letter, lane_of
from execactor.runtime.overflow import MailboxFull
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
        """Queue a message and go on.

        A full lane with BACKPRESSURE: on the loop's thread (and on any that serves actors) this raises MailboxFull and
        nothing is queued; another thread waits until there is room, as pykka documents it.
        Raises ActorDeadError, leaving a dead letter, when the actor is dead or dies while the sender waits.
        """
        cell = self._cell
        if cell.phase is _STOPPED:
            raise self._dead(message)
        cell.put(Letter(message))

    def try_tell(self, message: Any) -> bool:
        """`tell`, on any thread, without waiting: False, and nothing queued, when there is no room.

        A lane that drops messages takes this one too. On a foreign thread the answer is a guess on the safe side; a
        message that was taken is never refused later. Raises ActorDeadError as `tell` does.
        """
        cell = self._cell
        if cell.phase is _STOPPED:
            raise self._dead(message)
        letter = Letter(message)
        if not cell.system.dispatcher.on_own_thread and seems_full(cell, letter, lane_of(message)):
            return False
        try:
            cell.put(letter)
        except MailboxFull:
            return False
        return True

    async def send(self, message: Any) -> None:
        """Queue a message as soon as there is room; those who wait are served first come, first served.

        For any event loop. Cancelled while it waits, it queues nothing; a cancellation in the very moment in which room
        comes may leave the message queued. Two actors that send to each other from suspended handlers can wait for each
        other for ever: use try_tell() one way. Raises ActorDeadError, leaving a dead letter, when the actor is dead or
        stops meanwhile, and MailboxFull in a suspended handler of that very actor, which would wait for itself.
        """
        if self._cell.phase is _STOPPED:
            raise self._dead(message)
        await send(self._cell, message)

    async def call(self, message: Any, *, timeout_ns: int) -> Any:
        """Ask, waiting for room and for the answer `timeout_ns` of the system's clock in all; for any event loop.

        A message that the actor reaches after that is not handled but a dead letter "expired". Raises pykka.Timeout,
        the handler's exception, ActorDeadError when the actor is dead or stops, ValueError for a timeout below 1.
        """
        if timeout_ns < 1:
            raise ValueError(f"timeout_ns must be positive, got {timeout_ns}")
        if self._cell.phase is _STOPPED:
            raise self._dead(message)
        return await call(self._cell, message, timeout_ns)

    def _dead(self, message: Any) -> pykka.ActorDeadError:
        self._cell.refuse(Letter(message))
        return pykka.ActorDeadError(f"{self} not found")

    @overload
    def ask(self, message: Any, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[Any]: ...
    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...
    @overload
    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | pykka.Future[Any]: ...

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | pykka.Future[Any]:
        """Queue a message and get its answer, or with `block=False` a future of it, which can be awaited.

        A future of a dead actor holds ActorDeadError, and one for which there was no room, where `tell` would raise it,
        MailboxFull. Raises WouldDeadlock, before anything is sent, for `block=True`
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
            except (pykka.ActorDeadError, MailboxFull):
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

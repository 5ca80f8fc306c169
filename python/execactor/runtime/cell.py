"""The life of one actor under its ref: birth, inbox, service, end. Failures are the business of `recovery`."""

import asyncio
import functools
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

import pykka
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from execactor.runtime.answers import answer, answer_error, answer_lost
from execactor.runtime.dead_letters import DeadLetter, Reason
from execactor.runtime.mailbox import Addressed, Lane, Letter, Mailbox, known_lanes, lane_of
from execactor.runtime.recovery import Phase, Recovery
from execactor.runtime.ref import LoopRef
from execactor.runtime.tasks import OwnedTasks
from execactor.runtime.timers import Tick, Timers

if TYPE_CHECKING:
    from execactor.runtime.loop_actor import LoopActor
    from execactor.runtime.system import ActorSystem

logger = logging.getLogger(__name__)

_PYKKA_MESSAGES = frozenset({_ActorStop, ProxyCall, ProxyGetAttr, ProxySetAttr})
_URGENT = int(Lane.URGENT)
_READY, _STOPPED = Phase.READY, Phase.STOPPED
_construction = threading.local()


class Cell:
    """What outlives the instances of an actor: the ref and the run-queue know only the cell.

    Apart from `launch`, `put` and `refuse`, everything runs on the dispatcher's thread.
    """

    __slots__ = (
        "__weakref__",
        "_args",
        "_dispatcher",
        "_in_flight",
        "_kwargs",
        "_recovery",
        "_tasks",
        "_timers",
        "actor",
        "actor_class",
        "in_hot",
        "in_ready",
        "last_error",
        "leaving",
        "mailbox",
        "name",
        "phase",
        "processed",
        "ref",
        "restarts",
        "system",
        "urn",
    )

    def __init__(
        self,
        system: "ActorSystem",
        actor_class: "type[LoopActor]",
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
    ) -> None:
        self.system = system
        self.actor_class = actor_class
        self.name = name
        self.mailbox = Mailbox(actor_class.bulk_capacity)
        self.ref: LoopRef[Any] | None = None
        self.actor: LoopActor | None = None
        self.phase = Phase.STARTING
        self.in_hot = self.in_ready = False
        self.urn = ""
        self.processed = 0
        self.restarts = 0
        self.last_error: str | None = None
        self.leaving = False
        self._args = args
        self._kwargs = kwargs
        self._dispatcher = system.dispatcher
        self._timers: Timers | None = None
        self._tasks: OwnedTasks | None = None
        self._in_flight: tuple[asyncio.Task[Any], Addressed] | None = None
        self._recovery: Recovery | None = None

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} {self.name!r} ({self.urn})"

    @property
    def timers(self) -> Timers:
        if self._timers is None:
            self._timers = Timers(self.system.clock, self.put)
        return self._timers

    @property
    def tasks(self) -> OwnedTasks:
        if self._tasks is None:
            self._tasks = OwnedTasks(self._dispatcher.loop, lambda message: self.put(Letter(message)), self.crash)
        return self._tasks

    # Birth

    def launch(self) -> pykka.ActorRef[Any]:
        """Make the first instance, on the calling thread, and have the dispatcher start it."""
        with constructing(self):
            return self.actor_class.start_in_cell(*self._args, **self._kwargs)

    def renew(self) -> "LoopActor":
        """Make a new instance behind the same ref."""
        with constructing(self):
            actor = self.actor_class(*self._args, **self._kwargs)
        self.restarts += 1
        return actor

    def adopt(self, actor: "LoopActor") -> None:
        """Take in an instance under construction; all but the first inherit the ref."""
        if self.ref is None:
            self.urn = actor.actor_urn
            self.ref = LoopRef(actor, self)
        else:
            actor.actor_urn = self.urn
            actor.actor_stopped = self.ref.actor_stopped
            self.ref.point_at(actor)
        actor._actor_ref = self.ref
        self.actor = actor

    def begin(self) -> None:
        """Queue the actor for its start."""
        self.on_dispatcher(lambda: self._dispatcher.schedule(self, hot=False))

    def on_dispatcher(self, call: Callable[[], object]) -> None:
        """Make a call on the dispatcher's thread. Raises ActorDeadError when the loop is closed."""
        if self._dispatcher.on_own_thread:
            call()
        elif not self._dispatcher.post(call):
            raise pykka.ActorDeadError(f"The event loop of {self.name} is closed")

    # The inbox, as pykka knows it

    def put(self, letter: Addressed) -> None:
        """Queue a message, from any thread.

        Raises TypeError when its class names no valid lane, and ActorDeadError when the system's loop is closed.
        """
        lane = known_lanes.get(type(letter.message))
        if lane is None:
            lane = lane_of(letter.message)
        dispatcher = self._dispatcher
        if get_ident() != dispatcher.thread_id:
            self.on_dispatcher(functools.partial(self._put_posted, letter))
        elif self.phase is _STOPPED:
            self.lose(letter, "undeliverable")
        else:
            dropped = self.mailbox.push(letter, lane)
            if self.phase is _READY:
                if lane <= _URGENT:
                    if not self.in_hot:
                        dispatcher.schedule(self, hot=True)
                elif not self.in_ready:
                    dispatcher.schedule(self, hot=False)
            if dropped is not None:
                self.lose(dropped, "dropped")

    def _put_posted(self, letter: Addressed) -> None:
        try:
            self.put(letter)
        except Exception as exc:
            # The class's merge() or conflation_key() failed, and the sender has gone on.
            logger.exception("%s could not take a message", self)
            self.lose(letter, "failed", exc)

    def get(self) -> NoReturn:
        raise RuntimeError("A LoopActor's mailbox is served by its dispatcher; nobody else may take from it")

    def empty(self) -> bool:
        return self.mailbox.pending() is None

    def refuse(self, letter: Addressed) -> None:
        """Account for a message to the dead actor, from any thread. Whoever waits for an answer is told at once."""
        answer_lost(letter, self, "undeliverable")
        bury = functools.partial(self._bury, letter.message, "undeliverable", None)
        if self._dispatcher.on_own_thread or not self._dispatcher.post(bury):
            bury()

    # Service

    def wants(self) -> bool | None:
        if self.phase is _READY:
            return self.mailbox.pending()
        # From the ready queue: an actor that fails at every restart must not starve the others.
        return False if self.phase is Phase.RESTARTING else None

    def visit(self, *, hot: bool) -> bool | None:
        dispatcher, mailbox, actor = self._dispatcher, self.mailbox, self.actor
        if self.phase is not _READY or actor is None:
            self._change_phase()
            dispatcher.must_yield()
            return self.wants()
        while True:
            letter = mailbox.pop_hot() if hot else mailbox.pop()
            if letter is None:
                return self.wants() if hot else None
            if type(letter) is Tick and not letter.claim():
                continue
            self.processed += 1
            message = letter.message
            try:
                if type(message) in _PYKKA_MESSAGES:
                    response = actor._handle_receive(message)
                else:
                    response = actor.on_receive(message)
            except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001 - a handler may raise anything
                self._failed(letter, exc)
                del letter  # the traceback keeps this frame: the asker's future would be in a cycle with its exception
            except BaseException as exc:
                self.lose(letter, "failed", exc)
                raise
            else:
                if type(response) is CoroutineType:
                    self._suspend(letter, response)
                elif letter.reply_to is not None:
                    answer(letter.reply_to, response)
            if dispatcher.must_yield() or self.phase is not _READY:
                return self.wants()

    def visit_failed(self, exc: BaseException) -> None:
        """As in pykka, an exception that is no Exception stops all actors; any other is this actor's failure."""
        if isinstance(exc, (Exception, asyncio.CancelledError)):
            self.crash(exc)
            return
        self._stop_everything(exc)
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise exc

    def _change_phase(self) -> None:
        if self.phase is Phase.RESTARTING and self._recovery is not None:
            self._recovery.restart()
            return
        if self.phase is not Phase.STARTING or self.actor is None:
            return
        self.phase = _READY
        try:
            self.actor.on_start()
        except Exception as exc:  # noqa: BLE001 - the actor's own code
            # As in pykka, on_failure is for actors that had started.
            self.crash(exc, instance_ran=False)

    def _suspend(self, letter: Addressed, handler: "CoroutineType[Any, Any, Any]") -> None:
        task = self._dispatcher.loop.create_task(handler, name=f"{self.name} {type(letter.message).__qualname__}")
        self._in_flight = (task, letter)
        self.phase = Phase.SUSPENDED
        task.add_done_callback(self._resume)

    def _resume(self, task: asyncio.Task[Any]) -> None:
        exc = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._in_flight is None or self._in_flight[0] is not task:
            return  # the actor restarted or stopped meanwhile, which accounted for the message
        letter = self._in_flight[1]
        self._in_flight = None
        self.phase = _READY
        if exc is None:
            if letter.reply_to is not None:
                answer(letter.reply_to, task.result())
        elif isinstance(exc, (Exception, asyncio.CancelledError)):
            self._failed(letter, exc)
        else:
            self.lose(letter, "failed", exc)
            self._stop_everything(exc)
        wants_hot = self.wants()
        if wants_hot is not None:
            self._dispatcher.schedule(self, hot=wants_hot)

    # Failure and end

    def _failed(self, letter: Addressed, exc: BaseException) -> None:
        if letter.reply_to is None:
            self.crash(exc, letter)
            return
        # As in pykka, the exception of an ask belongs to the asker.
        logger.info("Exception returned from %s to caller:", self, exc_info=exc)
        answer_error(letter.reply_to, exc)

    def crash(self, exc: BaseException, letter: Addressed | None = None, *, instance_ran: bool = True) -> None:
        """The actor failed, at `letter` or by itself: restart it, or stop it for good and escalate.

        instance_ran: whether the failing instance had started, so that its `on_failure` is due.
        """
        logger.error("Unhandled exception in %s:", self, exc_info=exc)
        self.last_error = f"{type(exc).__qualname__}: {exc}"
        if self.phase is _STOPPED:
            return
        if self._recovery is None:
            self._recovery = Recovery(self)
        self._recovery.begin(exc, letter or self._withdraw(), instance_ran=instance_ran)

    def leave(self) -> None:
        """The actor is about to be stopped: it is not restarted any more."""
        self.leaving = True
        if self.phase is Phase.BACKING_OFF:
            self.stop()

    def stop(self) -> None:
        """Stop now: what is queued, and the message of a suspended handler, become dead letters."""
        if self.phase is _STOPPED:
            return
        started = self.phase in {_READY, Phase.SUSPENDED}
        actor = self.actor
        in_flight = self._withdraw()
        self.retire()
        try:
            if started and actor is not None:
                actor.on_stop()
        except Exception as exc:
            self.last_error = f"{type(exc).__qualname__}: {exc}"
            logger.exception("Unhandled exception in %s:", self)
        finally:
            if in_flight is not None:
                self.lose(in_flight, "stopped")
            self.clear()

    def retire(self) -> None:
        """Take the actor out of service: from here on nothing reaches it."""
        assert self.ref is not None
        self.phase = _STOPPED
        self.release()
        if self._recovery is not None:
            self._recovery.end()
        pykka.ActorRegistry.unregister(self.ref)
        self.system.forget(self)
        self.ref.actor_stopped.set()
        logger.debug("Stopped %s", self)

    def release(self) -> None:
        """End what the instance owns."""
        if self._timers is not None:
            self._timers.cancel_all()
        if self._tasks is not None:
            self._tasks.cancel_all()

    def clear(self) -> None:
        """Empty the mailbox of the stopped actor. A second stop that waits there is answered, not lost."""
        while (letter := self.mailbox.pop()) is not None:
            if type(letter.message) is _ActorStop:
                if letter.reply_to is not None:
                    answer(letter.reply_to, None)
            elif type(letter) is not Tick:
                self.lose(letter, "stopped")
        # With the collector off, a cycle of a stopped actor would stay for ever.
        self.actor = self.ref = None
        self._timers = self._tasks = self._recovery = None

    def lose(self, letter: Addressed, reason: Reason, exc: BaseException | None = None) -> None:
        """Turn a message into a dead letter; whoever waits for its answer gets an error at once."""
        if type(letter) is Tick:
            letter.claim()
        answer_lost(letter, self, reason, exc)
        self._bury(letter.message, reason, exc)

    def _bury(self, message: Any, reason: Reason, exc: BaseException | None) -> None:
        if type(message) is not _ActorStop:
            trace = None if exc is None else "".join(traceback.format_exception(exc))
            self.system.dead_letters.record(DeadLetter(self.name, message, reason, trace))

    def _withdraw(self) -> Addressed | None:
        if self._in_flight is None:
            return None
        task, letter = self._in_flight
        self._in_flight = None
        task.cancel()
        return letter

    def _stop_everything(self, exc: BaseException) -> None:
        logger.critical("%r in %s. Stopping all actors.", exc, self, exc_info=exc)
        self.last_error = f"{type(exc).__qualname__}: {exc}"
        self.stop()
        pykka.ActorRegistry.stop_all(block=False)


def cell_under_construction() -> Cell | None:
    """The cell for which this thread is constructing an actor, if it is."""
    cell: Cell | None = getattr(_construction, "cell", None)
    return cell


@contextmanager
def constructing(cell: Cell) -> Iterator[None]:
    """Make the next instance of the cell's class, on this thread, the cell's actor."""
    outer = getattr(_construction, "cell", None)
    _construction.cell = cell
    try:
        yield
    finally:
        _construction.cell = outer

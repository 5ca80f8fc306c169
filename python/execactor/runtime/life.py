"""The life of one actor under its ref: birth, failure and end. What it receives is the business of `cell`."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pykka
from pykka.messages import _ActorStop

from execactor.runtime.admission import release_senders
from execactor.runtime.answers import answer, answer_error, answer_lost
from execactor.runtime.construction import construct
from execactor.runtime.dead_letters import DeadLetter, Reason
from execactor.runtime.failure import in_words
from execactor.runtime.mailbox import Addressed, Letter, Mailbox
from execactor.runtime.recovery import Phase, Recovery, RetriedLetter
from execactor.runtime.ref import LoopRef
from execactor.runtime.service import Service
from execactor.runtime.stash import Stash, StashingMailbox
from execactor.runtime.tasks import OwnedTasks
from execactor.runtime.timers import Tick, Timers
from execactor.runtime.watch import End, Watch, Watchers, Watches

if TYPE_CHECKING:
    from execactor.runtime.children import Children
    from execactor.runtime.loop_actor import LoopActor
    from execactor.runtime.system import ActorSystem

logger = logging.getLogger(__name__)

M = TypeVar("M")

_READY, _STOPPED = Phase.READY, Phase.STOPPED


class Life(Service):
    """What outlives the instances of an actor, as far as starting, failing and stopping go.

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
        "_watchers",
        "_watches",
        "actor",
        "actor_class",
        "ended",
        "group",
        "in_hot",
        "in_ready",
        "last_error",
        "leaving",
        "lost",
        "mailbox",
        "name",
        "parent",
        "phase",
        "processed",
        "ref",
        "restarts",
        "stash",
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
        parent: "Life | None" = None,
    ) -> None:
        self.system = system
        self.actor_class = actor_class
        self.name = name
        self.parent = parent
        self.group: Children | None = None
        self.mailbox = Mailbox(actor_class.mailbox)
        self.stash: Stash | None = None
        if actor_class.stash_capacity > 0:
            self.mailbox = mailbox = StashingMailbox(actor_class.mailbox)
            self.stash = Stash(self, mailbox, actor_class.stash_capacity)
        self.ref: LoopRef[Any] | None = None
        self.actor: LoopActor | None = None
        self.phase = Phase.STARTING
        self.in_hot = self.in_ready = False
        self.urn = ""
        self.processed = 0
        self.restarts = self.lost = 0
        self.last_error: str | None = None
        self.leaving = False
        self.ended: End | None = None
        self._args = args
        self._kwargs = kwargs
        self._dispatcher = system.dispatcher
        self._timers: Timers | None = None
        self._tasks: OwnedTasks | None = None
        self._in_flight: tuple[asyncio.Task[Any], Addressed] | None = None
        self._recovery: Recovery | None = None
        self._watches: Watches | None = None
        self._watchers: Watchers | None = None

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} {self.name!r} ({self.urn})"

    @property
    def timers(self) -> Timers:
        if self._timers is None:
            self._timers = Timers(self.system.clock, self.put_own)
        return self._timers

    @property
    def tasks(self) -> OwnedTasks:
        if self._tasks is None:
            self._tasks = OwnedTasks(self._dispatcher.loop, lambda message: self.put_own(Letter(message)), self.crash)
        return self._tasks

    @property
    def watches(self) -> Watches:
        """Whom the actor watches."""
        if self._watches is None:
            self._watches = Watches(self)
        return self._watches

    def add_watch(self, watch: Watch) -> None:
        """Have the end of this actor reported; at once when it is dead."""
        if self.ended is not None:
            watch.report(self.ended)
            return
        if self._watchers is None:
            self._watchers = Watchers()
        self._watchers.add(watch)

    def remove_watch(self, watch: Watch) -> None:
        if self._watchers is not None:
            self._watchers.remove(watch)

    @property
    def supervisor(self) -> "Children | None":
        """Among whose children the actor is."""
        return None if self.parent is None else self.parent.group

    @property
    def children(self) -> "list[Life]":
        """A supervisor's children, in the order of their start."""
        return [] if self.group is None else self.group.cells

    # Birth

    def launch(self) -> pykka.ActorRef[Any]:
        """Make the first instance, on the calling thread, and have the dispatcher start it."""
        return self._construct(self.actor_class.start_in_cell)

    def renew(self) -> "LoopActor":
        """Make a new instance behind the same ref."""
        actor = self._construct(self.actor_class)
        self.restarts += 1
        return actor

    def _construct(self, make: Callable[..., M]) -> M:
        return construct(self, make, *self._args, **self._kwargs)

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
        if self.system.simulated is not None:
            self.system.simulated.adopted(self.name, actor)

    def begin(self) -> None:
        """Queue the actor for its start; a child's turn comes by its supervisor."""
        if self.parent is None:
            self.on_dispatcher(lambda: self._dispatcher.schedule(self, hot=False))

    def set_going(self) -> bool:
        """A child's turn to start or restart; returns whether it is about to."""
        if self.phase is Phase.BACKING_OFF and self._recovery is not None:
            self._recovery.restart_now()
        elif self.phase is Phase.STARTING:
            self._dispatcher.schedule(self, hot=False)
        return self.phase in {Phase.STARTING, Phase.RESTARTING}

    def is_up(self) -> None:
        """The actor has started, or restarted: now its children, then its next sibling."""
        if self.phase is _READY and self.group is not None:
            self.group.start()
        elif self.phase is _READY:
            self.children_are_up()

    def children_are_up(self) -> None:
        if self.supervisor is not None:
            self.supervisor.started(self)

    def discard(self) -> None:
        """Take back an actor that was made and never started."""
        if self.group is not None:
            for child in reversed(self.children):
                child.discard()
        if self.ref is not None:
            self.retire("stopped")
        self.system.forget(self)

    def on_dispatcher(self, call: Callable[[], object]) -> None:
        """Make a call on the dispatcher's thread. Raises ActorDeadError when the loop is closed."""
        if self._dispatcher.on_own_thread:
            call()
        elif not self._dispatcher.post(call):
            raise pykka.ActorDeadError(f"The event loop of {self.name} is closed")

    # Failure and end

    def crash(self, exc: BaseException, letter: Addressed | None = None, *, instance_ran: bool = True) -> None:
        """The actor failed, at `letter` or by itself: restart it, or stop it for good and escalate.

        instance_ran: whether the failing instance had started, so that its `on_failure` is due.
        """
        logger.error("Unhandled exception in %s:", self, exc_info=exc)
        self.last_error = in_words(exc)
        if self.phase is not _STOPPED:
            self._recover().begin(exc, letter or self._withdraw(), instance_ran=instance_ran)
        elif letter is not None:
            self.lose(letter, "failed", exc)  # its handler had aborted the actor before

    def set_back(self, exc: BaseException) -> None:
        """Another actor failed, and this one has to start anew with it: take it out of service until `set_going`."""
        if self.phase is not _STOPPED:
            self._recover().set_back(exc, self._withdraw())

    def _recover(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(self)
        return self._recovery

    def look_again(self) -> None:
        """The mailbox was filled by other hands than the senders': see that it is served."""
        wants_hot = self.wants()
        if wants_hot is not None:
            self._dispatcher.schedule(self, hot=wants_hot)

    def hold_children(self, exc: BaseException) -> None:
        if self.group is not None:
            self.group.hold(exc)

    def leave(self) -> None:
        """The actor is about to be stopped: it is not restarted any more, nor are its children."""
        self.leaving = True
        if self.group is not None:
            self.group.leave()
        if self.phase is Phase.BACKING_OFF:
            self.stop()

    def stop(self) -> None:
        """Stop now: what is queued, and the message of a suspended handler, become dead letters."""
        if self.phase is _STOPPED:
            return
        started = self.phase in {_READY, Phase.SUSPENDED}
        in_flight = self._withdraw()
        self.retire("stopped")
        try:
            if started:
                self.call_on_stop()
        finally:
            if in_flight is not None:
                self._leave_unhandled(in_flight)
            self.clear()

    def call_on_stop(self) -> None:
        """Tell the instance that it ends."""
        if self.actor is None:
            return
        try:
            self.actor.on_stop()
        except Exception as exc:
            self.last_error = in_words(exc)
            logger.exception("Unhandled exception in %s:", self)

    def retire(self, how: End) -> None:
        """Take the actor out of service, its children first: from here on nothing reaches it."""
        assert self.ref is not None
        if self.group is not None:
            self.group.abort()
        self.ended = how
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
        if self.stash is not None:
            self.stash.release()

    def clear(self) -> None:
        """Empty the mailbox of the stopped actor. A second stop that waits there is answered, not lost."""
        release_senders(self)
        while (letter := self.mailbox.pop()) is not None:
            self._leave_unhandled(letter)
        if self._watches is not None:
            self._watches.end_all()
        if self._watchers is not None:
            self._watchers.report(self.ended or "stopped")
        if self.supervisor is not None:
            self.supervisor.ended(self)
        # With the collector off, a cycle of a stopped actor would stay for ever.
        self.actor = self.ref = self.group = None
        self._timers = self._tasks = self._recovery = self._watches = self._watchers = self.stash = None

    def _leave_unhandled(self, letter: Addressed) -> None:
        if type(letter.message) is _ActorStop:
            if letter.reply_to is not None:
                answer(letter.reply_to, None)
        elif type(letter) is RetriedLetter:
            self.lose(letter, "failed", letter.cause)
        elif type(letter) is not Tick:
            self.lose(letter, "stopped")

    def lose(self, letter: Addressed, reason: Reason, exc: BaseException | None = None) -> None:
        """Turn a message into a dead letter; whoever waits for its answer gets an error at once."""
        if type(letter) is Tick:
            letter.claim()
        answer_lost(letter, self, reason, exc)
        self._bury(letter.message, reason, exc)

    def _bury(self, message: Any, reason: Reason, exc: BaseException | None) -> None:
        if type(message) is not _ActorStop:
            self.lost += 1
            trace = None if exc is None else "".join(traceback.format_exception(exc))
            self.system.dead_letters.record(DeadLetter(self.name, message, reason, trace))

    def _withdraw(self) -> Addressed | None:
        """Take back the message of the suspended handler. None: there is none, or its handler has just ended."""
        if self._in_flight is None:
            return None
        task, letter = self._in_flight
        self._in_flight = None
        if not task.done():
            task.cancel()
            self._unstash(letter)
            return letter
        exc = asyncio.CancelledError() if task.cancelled() else task.exception()
        if exc is not None:
            self._unstash(letter)
        if letter.reply_to is None:
            return None if exc is None else letter
        if exc is None:
            answer(letter.reply_to, task.result())
        else:
            answer_error(letter.reply_to, exc)
        return None

    def _unstash(self, letter: Addressed) -> None:
        """The handler of this letter failed or was cut short: that it was held for later does not count."""
        if self.stash is not None:
            self.stash.give_back(letter)

    def _stop_everything(self, exc: BaseException) -> None:
        logger.critical("%r in %s. Stopping all actors.", exc, self, exc_info=exc)
        self.last_error = in_words(exc)
        self.stop()
        pykka.ActorRegistry.stop_all(block=False)

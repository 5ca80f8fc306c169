"""What an actor receives: the inbox that its ref knows, and the service that the dispatcher gives it."""

import asyncio
import functools
import logging
from threading import get_ident
from types import CoroutineType
from typing import Any, NoReturn

from execactor.runtime.admission import mailbox_full, put_from_outside
from execactor.runtime.answers import answer, answer_error, answer_lost
from execactor.runtime.introspection import FIRST_SAMPLE, HandlerClock, next_sample
from execactor.runtime.life import Life
from execactor.runtime.mailbox import (
    PYKKA_MESSAGES,
    Addressed,
    CallLetter,
    ConflatedLetter,
    Lane,
    Letter,
    classes_apart,
    known_lanes,
    lane_of,
)
from execactor.runtime.recovery import Phase
from execactor.runtime.timers import Tick

logger = logging.getLogger(__name__)

_URGENT = int(Lane.URGENT)
_READY, _STOPPED = Phase.READY, Phase.STOPPED


class Cell(Life):
    """The mailbox side of an actor: the ref and the run-queue know only the cell.

    Apart from `put` and `refuse`, everything runs on the dispatcher's thread.
    """

    __slots__ = ("_next_sample", "_sampled_since_ns", "handler_clock")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.handler_clock: HandlerClock | None = None
        self._next_sample = FIRST_SAMPLE
        self._sampled_since_ns: int | None = None

    # The inbox, as pykka knows it

    def put(self, letter: Addressed) -> None:
        """Queue a message, from any thread; a foreign one waits until there is room.

        Raises TypeError when its class names no valid lane, MailboxFull when there is no room and the thread may not
        wait, and ActorDeadError when the system's loop is closed.
        """
        try:
            lane = known_lanes[type(letter.message)]
        except KeyError:
            lane = lane_of(letter.message)
        dispatcher = self._dispatcher
        if get_ident() != dispatcher.thread_id:
            put_from_outside(self, letter, lane)
        elif self.phase is _STOPPED:
            self.lose(letter, "undeliverable")
        else:
            gone = self.mailbox.push(letter, lane)
            if self.phase is _READY:
                if lane <= _URGENT:
                    if not self.in_hot:
                        dispatcher.schedule(self, hot=True)
                elif not self.in_ready:
                    dispatcher.schedule(self, hot=False)
            if gone is not None:
                if gone is letter and self.mailbox.waits_for_room(lane):
                    raise mailbox_full(self, lane)
                self.lose(gone, "dropped")

    def put_own(self, letter: Addressed) -> None:
        """Queue what the actor sends itself, a tick or a result: one of few at a time, so there is always room."""
        lane = lane_of(letter.message)
        if self.phase is _STOPPED or self.mailbox.depth(lane) < self.mailbox.capacity(lane):
            self.put(letter)
        else:
            self.mailbox.push_beyond(letter, lane)  # a full lane is in the run-queue already

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
            return self._let_go("start or restart")
        if self.processed >= self._next_sample:
            return self._visit_timed(hot=hot)
        while True:
            letter = mailbox.pop_hot() if hot else mailbox.pop()
            if letter is None:
                return self.wants() if hot else None
            message, kind = letter.message, type(letter)
            receive = actor.on_receive
            if (kind is not Letter and kind is not ConflatedLetter) or type(message) in classes_apart:
                if self._is_void(letter):
                    if dispatcher.must_yield() or self.phase is not _READY:
                        return self._let_go(type(message).__qualname__)
                    continue
                if type(message) in PYKKA_MESSAGES:
                    receive = actor._handle_receive
            self.processed += 1
            try:
                response = receive(message)
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
                return self._let_go(type(message).__qualname__)

    def _let_go(self, after: str) -> bool | None:
        if self._dispatcher.held_ns:
            self._dispatcher.report_held(self.name, after)
        return self.wants()

    def _visit_timed(self, *, hot: bool) -> bool | None:
        """A visit for one message, to see how long its handler takes."""
        monotonic_ns = self.system.clock.monotonic_ns
        before = self.processed
        self._next_sample = next_sample(before)
        self._dispatcher.one_message_only()
        started_ns = monotonic_ns()
        wants_hot = self.visit(hot=hot)
        if self.phase is Phase.SUSPENDED:
            self._sampled_since_ns = started_ns
        elif self.processed > before:
            self._record_time(monotonic_ns() - started_ns)
        return wants_hot

    def _record_time(self, duration_ns: int) -> None:
        if self.handler_clock is None:
            self.handler_clock = HandlerClock()
        self.handler_clock.record(duration_ns)

    def _is_void(self, letter: Addressed) -> bool:
        """Whether a letter is not to be handled: its timer was cancelled, or it has expired."""
        if type(letter) is Tick and not letter.claim():
            return True
        expires_at_ns = getattr(letter if type(letter) is CallLetter else letter.message, "expires_at_ns", None)
        if expires_at_ns is None or self.system.clock.monotonic_ns() < expires_at_ns:
            return False
        self.lose(letter, "expired")
        return True

    def is_suspended_in(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether the actor waits for its async handler, which is this task."""
        return self._in_flight is not None and self._in_flight[0] is task

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
        else:
            self.is_up()

    def _suspend(self, letter: Addressed, handler: "CoroutineType[Any, Any, Any]") -> None:
        if self.phase is not _READY:
            handler.close()  # what made it has stopped this actor, so nobody is there to go on
            self._leave_unhandled(letter)
            return
        task = self._dispatcher.loop.create_task(handler, name=f"{self.name} {type(letter.message).__qualname__}")
        self._in_flight = (task, letter)
        self._sampled_since_ns = None
        self.phase = Phase.SUSPENDED
        task.add_done_callback(self._resume)

    def _resume(self, task: asyncio.Task[Any]) -> None:
        exc = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._in_flight is None or self._in_flight[0] is not task:
            return  # the actor restarted or stopped meanwhile, which accounted for the message
        letter = self._in_flight[1]
        self._in_flight = None
        self.phase = _READY
        if self._sampled_since_ns is not None:
            self._record_time(self.system.clock.monotonic_ns() - self._sampled_since_ns)
            self._sampled_since_ns = None
        if exc is None:
            if letter.reply_to is not None:
                answer(letter.reply_to, task.result())
        elif isinstance(exc, (Exception, asyncio.CancelledError)):
            self._failed(letter, exc)
        else:
            self.lose(letter, "failed", exc)
            self._stop_everything(exc)
        self.look_again()

    def _failed(self, letter: Addressed, exc: BaseException) -> None:
        self._unstash(letter)
        if letter.reply_to is None:
            self.crash(exc, letter)
            return
        # As in pykka, the exception of an ask belongs to the asker.
        logger.info("Exception returned from %s to caller:", self, exc_info=exc)
        answer_error(letter.reply_to, exc)

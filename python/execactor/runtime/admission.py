"""Senders who wait for room in a mailbox: on the loop, on other loops and on other threads."""

import asyncio
import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

import pykka
from pykka.messages import _ActorStop

from execactor.runtime.answers import answer_error, answer_lost
from execactor.runtime.dispatcher import on_dispatcher_thread
from execactor.runtime.future import LoopFuture
from execactor.runtime.mailbox import Addressed, CallLetter, Lane, Letter, Waiting, lane_of
from execactor.runtime.overflow import MailboxFull
from execactor.runtime.recovery import Phase

if TYPE_CHECKING:
    from execactor.runtime.life import Life

logger = logging.getLogger(__name__)

LARGEST_BACKLOG = 65_536
"""Letters of foreign threads on their way to the loop: beyond this, senders to a lane that drops are held up too."""

_LOOP_CLOSED_LOOK_S = 0.1


def mailbox_full(cell: "Life", lane: int) -> MailboxFull:
    """The error of a sender that found no room and may not wait."""
    return MailboxFull(
        f"{cell}: {cell.mailbox.capacity(lane)} messages wait in its {Lane(lane).name} lane, its capacity; "
        "`await ref.send(message)` waits for room, `ref.try_tell(message)` tells whether there is any"
    )


def seems_full(cell: "Life", letter: Addressed, lane: int) -> bool:
    """Whether a foreign thread should wait; a guess from outside, on the safe side."""
    dispatcher, mailbox = cell.system.dispatcher, cell.mailbox
    if lane <= Lane.URGENT or dispatcher.thread_id is None or type(letter.message) is _ActorStop:
        return False
    if mailbox.waits_for_room(lane):
        return mailbox.depth(lane) + dispatcher.backlog >= mailbox.capacity(lane)
    return dispatcher.backlog >= LARGEST_BACKLOG


def put_from_outside(cell: "Life", letter: Addressed, lane: int) -> None:
    """`tell` of a foreign thread: goes on at once while there is room, else blocks until the letter is queued.

    A guess that was wrong costs nothing: the letter waits for room without its sender. Raises MailboxFull on a thread
    that serves actors of another system, and ActorDeadError when the actor or its loop ends meanwhile.
    """
    if not seems_full(cell, letter, lane):
        cell.on_dispatcher(functools.partial(admit, cell, Waiting(letter, lane, None)))
        return
    if on_dispatcher_thread():
        raise mailbox_full(cell, lane)
    admitted: LoopFuture[None] = LoopFuture()
    cell.on_dispatcher(functools.partial(admit, cell, Waiting(letter, lane, admitted)))
    while True:
        try:
            admitted.get(timeout=_LOOP_CLOSED_LOOK_S)
        except pykka.Timeout:
            if cell.system.loop.is_closed():
                raise pykka.ActorDeadError(f"The event loop of {cell.name} was closed") from None
        else:
            return


def admit(cell: "Life", waiting: Waiting) -> None:
    """Queue a letter, or let it wait for room; on the dispatcher's thread."""
    letter, admitted = waiting.letter, waiting.admitted
    if admitted is not None and cell.phase is Phase.STOPPED:
        cell.lose(letter, "undeliverable")
        answer_error(admitted, pykka.ActorDeadError(f"{cell} not found"))
        return
    try:
        cell.put(letter)
    except MailboxFull:
        cell.mailbox.wait(waiting)
    except Exception as exc:
        # The class's merge() or conflation_key() failed.
        if admitted is not None:
            answer_error(admitted, exc)
            return
        logger.exception("%s could not take a message", cell)
        cell.lose(letter, "failed", exc)
    else:
        if admitted is not None:
            admitted.set()


async def send(cell: "Life", message: Any) -> None:
    """Queue a message as soon as there is room, after those who wait already."""
    waiting = Waiting(Letter(message), lane_of(message), LoopFuture())
    if not cell.system.dispatcher.on_own_thread:
        cell.on_dispatcher(functools.partial(admit, cell, waiting))
    else:
        try:
            cell.put(waiting.letter)
        except MailboxFull:
            if cell.is_suspended_in(asyncio.current_task()):
                raise  # it would wait for itself
            cell.mailbox.wait(waiting)
        else:
            return
    assert waiting.admitted is not None
    try:
        await waiting.admitted
    except asyncio.CancelledError:
        with contextlib.suppress(pykka.ActorDeadError):
            cell.on_dispatcher(functools.partial(cell.mailbox.withdraw, waiting))
        raise


async def call(cell: "Life", message: Any, timeout_ns: int) -> Any:
    """Ask, with a deadline that travels with the letter."""
    reply: LoopFuture[Any] = LoopFuture()
    expires_at_ns = cell.system.clock.monotonic_ns() + timeout_ns
    letter = CallLetter(message, reply_to=reply, expires_at_ns=expires_at_ns)
    waiting = Waiting(letter, lane_of(message), None)
    cell.on_dispatcher(functools.partial(_place_call, cell, waiting, reply, expires_at_ns))
    return await reply


def _place_call(cell: "Life", waiting: Waiting, reply: LoopFuture[Any], expires_at_ns: int) -> None:
    timer = cell.system.clock.call_at(expires_at_ns, functools.partial(_give_up, cell, waiting, reply))
    reply.when_settled(timer.cancel)
    admit(cell, waiting)


def _give_up(cell: "Life", waiting: Waiting, reply: LoopFuture[Any]) -> None:
    if cell.mailbox.withdraw(waiting):
        cell.lose(waiting.letter, "expired")
    else:
        # The letter knows its asker no more while it is in a stash.
        answer_lost(Letter(waiting.letter.message, reply), cell, "expired")


def release_senders(cell: "Life") -> None:
    """The actor has stopped: what waits for room is a dead letter, and the senders are told."""
    for waiting in cell.mailbox.abandon():
        cell.lose(waiting.letter, "stopped")
        if waiting.admitted is not None:
            answer_error(waiting.admitted, pykka.ActorDeadError(f"{cell} was stopped before there was room"))

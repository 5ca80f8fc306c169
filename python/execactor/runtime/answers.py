"""Answering those who asked, which must never hurt the one who answers."""

import logging
from typing import Any

import pykka

from execactor.runtime.dead_letters import Reason
from execactor.runtime.future import LoopFuture
from execactor.runtime.mailbox import Addressed

logger = logging.getLogger(__name__)


class MessageDropped(RuntimeError):
    """The answer to an ask for which a lane that drops had no room."""


def answer(future: pykka.Future[Any], value: Any) -> None:
    """Resolve an asker's future. One that is resolved already is left alone and logged."""
    try:
        future.set(value)
    except Exception:
        logger.warning("An answer came too late", exc_info=True)


def answer_error(future: pykka.Future[Any], exc: BaseException) -> None:
    """Resolve an asker's future with an exception. One that is resolved already is left alone and logged."""
    try:
        future.set_exception((type(exc), exc, exc.__traceback__))
    except Exception:
        logger.warning("An answer came too late", exc_info=True)


def answer_lost(letter: Addressed, ref: object, reason: Reason, cause: BaseException | None = None) -> None:
    """Tell the asker, if there is one, that the actor `ref` will not handle the message."""
    asker = letter.reply_to
    if asker is None or (isinstance(asker, LoopFuture) and asker.is_settled):
        return  # nobody asked, or gave up at the deadline
    kind = type(letter.message).__qualname__
    error: Exception
    if reason == "dropped":
        error = MessageDropped(f"{ref} had no room for this {kind}")
    elif reason == "expired":
        error = pykka.Timeout(f"{ref} did not get to this {kind} before it expired")
    elif reason == "undeliverable":
        error = pykka.ActorDeadError(f"{ref} not found")
    else:
        error = pykka.ActorDeadError(f"{ref} did not answer this {kind}: {reason}")
    error.__cause__ = cause
    answer_error(asker, error)

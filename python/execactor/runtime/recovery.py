"""What happens after an actor failed: restart it behind the same ref, or give up and escalate."""

import enum
import logging
from typing import TYPE_CHECKING

from execactor.runtime.clock import TimerHandle
from execactor.runtime.mailbox import Addressed, Letter
from execactor.runtime.supervisor import RestartHistory

if TYPE_CHECKING:
    from execactor.runtime.cell import Cell

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""How often a message with `retry_after_restart` is handled before it is given up."""


class Phase(enum.Enum):
    """Where an actor is in its life."""

    STARTING = enum.auto()  # on_start comes next
    READY = enum.auto()
    SUSPENDED = enum.auto()  # inside an async handler
    BACKING_OFF = enum.auto()  # failed; a timer leads to RESTARTING
    RESTARTING = enum.auto()  # a new instance is made at the next visit
    STOPPED = enum.auto()


class RetriedLetter(Letter, kw_only=True):
    """A message that the restarted actor handles before any other."""

    attempts: int


class Recovery:
    """The restarts of one actor. Made at its first failure."""

    __slots__ = ("_backoff", "_cause", "_cell", "_history")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._history = RestartHistory(cell.actor_class.supervision)
        self._cause: BaseException | None = None
        self._backoff: TimerHandle | None = None

    def begin(self, exc: BaseException, letter: Addressed | None, *, instance_ran: bool) -> None:
        """Deal with a failure. `letter` is the message it happened at, or that was interrupted by it."""
        cell, ref = self._cell, self._cell.ref
        assert ref is not None
        now_ns = cell.system.clock.monotonic_ns()
        delay_ns = self._history.next_delay_ns(now_ns)
        too_often = delay_ns is None
        if delay_ns is None:
            delay_ns = cell.actor_class.supervision.keep_trying_ns
        if cell.leaving:
            delay_ns = None
        given_up = letter is not None and not self._set_aside(letter, exc, again=delay_ns is not None)
        if delay_ns is None:
            cell.retire()
        if instance_ran:
            self._call_on_failure(exc)
        cell.release()
        if delay_ns is None:
            cell.clear()
        else:
            self._cause = exc
            cell.phase = Phase.BACKING_OFF
            if delay_ns == 0:
                self._restart_is_due()
            else:
                self._backoff = cell.system.clock.call_at(now_ns + delay_ns, self._restart_is_due)
        if (too_often or given_up) and not cell.leaving:
            cell.system.escalate(ref, exc)

    def restart(self) -> None:
        """Make the new instance, tell it why, and have it handle the message that is due again first."""
        cell, cause = self._cell, self._cause
        assert cause is not None
        self._cause = None
        try:
            actor = cell.renew()
            cell.phase = Phase.READY
            actor.on_restart(cause)
        except Exception as exc:  # noqa: BLE001 - the actor's own code
            cell.crash(exc, instance_ran=False)

    def end(self) -> None:
        """The actor stops: no restart any more."""
        if self._backoff is not None:
            self._backoff.cancel()
            self._backoff = None

    def _set_aside(self, letter: Addressed, exc: BaseException, *, again: bool) -> bool:
        """Queue the message for the next instance if its class says so, else lose it; False when it is given up."""
        retries = bool(getattr(type(letter.message), "retry_after_restart", False)) and letter.reply_to is None
        attempts = letter.attempts if type(letter) is RetriedLetter else 1
        if again and retries and attempts < MAX_ATTEMPTS:
            self._cell.mailbox.push_front(RetriedLetter(letter.message, attempts=attempts + 1))
            return True
        self._cell.lose(letter, "failed", exc)
        return not retries

    def _restart_is_due(self) -> None:
        self._backoff = None
        self._cell.phase = Phase.RESTARTING
        self._cell.system.dispatcher.schedule(self._cell, hot=False)

    def _call_on_failure(self, exc: BaseException) -> None:
        actor = self._cell.actor
        if actor is None:
            return
        try:
            actor.on_failure(type(exc), exc, exc.__traceback__)
        except Exception:
            logger.exception("Unhandled exception in %s:", self._cell)

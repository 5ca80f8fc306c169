"""What happens after an actor failed: restart it behind the same ref, or give up and escalate."""

import enum
import logging
from typing import TYPE_CHECKING

from execactor.runtime.clock import TimerHandle
from execactor.runtime.mailbox import Addressed, Letter
from execactor.runtime.supervision import RestartHistory, Verdict

if TYPE_CHECKING:
    from execactor.runtime.life import Life

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""How often a message with `retry_after_restart` is handled before it is given up."""


class Phase(enum.Enum):
    """Where an actor is in its life."""

    STARTING = enum.auto()  # on_start comes next
    READY = enum.auto()
    SUSPENDED = enum.auto()  # inside an async handler
    BACKING_OFF = enum.auto()  # out of service, by its own failure or with its siblings; RESTARTING comes next
    RESTARTING = enum.auto()  # a new instance is made at the next visit
    STOPPED = enum.auto()


class RetriedLetter(Letter, kw_only=True):
    """A message that the restarted actor handles before any other. cause: the failure that it must be retried for."""

    attempts: int
    cause: BaseException


class Recovery:
    """The restarts of one actor. Made when it is first needed.

    What follows a failure is for the actor's supervisor to say, or for its class's `supervision` when it has none.
    """

    __slots__ = ("_alone", "_backoff", "_cause", "_cell")

    def __init__(self, cell: "Life") -> None:
        self._cell = cell
        self._alone: RestartHistory | None = None
        self._cause: BaseException | None = None
        self._backoff: TimerHandle | None = None

    def begin(self, exc: BaseException, letter: Addressed | None, *, instance_ran: bool) -> None:
        """Deal with a failure. `letter` is the message it happened at, or that was interrupted by it."""
        cell, ref, supervisor = self._cell, self._cell.ref, self._cell.supervisor
        assert ref is not None
        verdict = self._judge()
        # A supervisor that gives up fails itself, and whoever is above it decides.
        again = verdict.delay_ns is not None or (supervisor is not None and verdict.too_often)
        given_up = letter is not None and not self._set_aside(letter, exc, again=again)
        if again:
            cell.hold_children(exc)
        else:
            cell.retire("failed")
        if instance_ran:
            self._call_on_failure(exc)
        cell.release()
        if not again:
            cell.clear()
        elif cell.phase is not Phase.STOPPED:
            self._cause = exc
            cell.phase = Phase.BACKING_OFF
            if supervisor is not None:
                supervisor.follow(cell, verdict, exc)
            else:
                self._restart_after(verdict.delay_ns or 0)
        beyond = verdict.too_often and (supervisor is None or verdict.delay_ns is not None)
        if (beyond or given_up) and not cell.leaving:
            cell.system.escalate(ref, exc)

    def set_back(self, exc: BaseException, letter: Addressed | None) -> None:
        """Another actor failed, and this one is to start anew with it. `letter` is the message this interrupted."""
        cell = self._cell
        ran = cell.phase in {Phase.READY, Phase.SUSPENDED}
        if letter is not None:
            self._set_aside(letter, exc, again=True, counted=False)
        cell.hold_children(exc)
        if ran:
            cell.call_on_stop()
        cell.release()
        if cell.phase is not Phase.STOPPED:
            cell.phase = Phase.BACKING_OFF
            self._cause = self._cause or exc

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
        else:
            cell.is_up()

    def restart_now(self) -> None:
        """The wait is over."""
        self._backoff = None
        self._cell.phase = Phase.RESTARTING
        self._cell.system.dispatcher.schedule(self._cell, hot=False)

    def end(self) -> None:
        """The actor stops: no restart any more."""
        if self._backoff is not None:
            self._backoff.cancel()
            self._backoff = None

    def _judge(self) -> Verdict:
        cell = self._cell
        if cell.supervisor is not None:
            return cell.supervisor.judge(cell)
        if cell.leaving:
            return Verdict(None, too_often=False)
        if self._alone is None:
            self._alone = RestartHistory(cell.actor_class.supervision, cell.system.random)
        return self._alone.judge(cell.system.clock.monotonic_ns())

    def _restart_after(self, delay_ns: int) -> None:
        if delay_ns:
            clock = self._cell.system.clock
            self._backoff = clock.call_at(clock.monotonic_ns() + delay_ns, self.restart_now)
        else:
            self.restart_now()

    def _set_aside(self, letter: Addressed, exc: BaseException, *, again: bool, counted: bool = True) -> bool:
        """Queue the message for the next instance if its class says so, else lose it; False when it is given up.

        counted: whether the message may be to blame, so that this was one of its attempts.
        """
        retries = bool(getattr(type(letter.message), "retry_after_restart", False)) and letter.reply_to is None
        attempts = (letter.attempts if type(letter) is RetriedLetter else 1) + counted
        if again and retries and attempts <= MAX_ATTEMPTS:
            self._cell.mailbox.push_front(RetriedLetter(letter.message, attempts=attempts, cause=exc))
            return True
        self._cell.lose(letter, "failed", exc)
        return not retries

    def _call_on_failure(self, exc: BaseException) -> None:
        actor = self._cell.actor
        if actor is None:
            return
        try:
            actor.on_failure(type(exc), exc, exc.__traceback__)
        except Exception:
            logger.exception("Unhandled exception in %s:", self._cell)

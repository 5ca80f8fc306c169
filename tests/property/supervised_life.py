"""What supervision owes each actor, worked out apart from the runtime: when it comes back and with whom, or its end."""

from collections.abc import Hashable
from typing import Any

import pykka
from supervised_family import NORMAL_CAPACITY, Armed, Boom, Family, History, Rang, World
from supervision_ledger import Entry

from execactor.runtime import Restart, Supervision

MAX_ATTEMPTS = 3


class Life:
    """One actor across its instances. `births` says which of them fail while they are made ("init", "hook").

    An actor has a supervisor, in whose family it is, or its own `supervision`.
    """

    def __init__(
        self,
        world: World,
        births: list[str],
        supervision: Supervision | None = None,
        family: Family | None = None,
        restart: Restart = Restart.TRANSIENT,
    ) -> None:
        self.world = world
        self.births = births
        self.family = family
        self.restart = restart
        self.history = History(supervision or Supervision()) if family is None else family.history()
        self.name = f"worker {len(world.lives)}"
        self.ref: pykka.ActorRef[Any]
        self.instances = 0
        self.instance: object = None
        self.up = False
        self.aborted = self.leaving = self.doomed = False
        self.busy: Entry | None = None
        self.again: Entry | None = None
        self.stop_asked_at: int | None = None
        self.stops = 0
        self.due_ns: int | None = None
        self.set_back_until_ns: int | None = None
        self.armed: dict[Hashable, Armed] = {}
        self.watching: dict[int, Life] = {}
        self.ended: str | None = None
        world.lives.append(self)
        if family is not None:
            family.children.append(self)

    @property
    def dead(self) -> bool:
        # One that was aborted, leaves or goes with a sibling may end between two instances: then no hook of it runs.
        may_end = self.aborted or self.leaving or self.doomed
        return self.ended is not None or (may_end and not self.ref.is_alive())

    @property
    def is_between(self) -> bool:
        """Whether it has ended once and is to come back."""
        return self.due_ns is not None

    @property
    def room_at_least(self) -> int:
        return NORMAL_CAPACITY - self.stops  # a stop takes room as well

    def blame(self, text: str) -> None:
        self.world.ledger.blame(f"{self.name} {text}")

    def is_current(self, instance: object) -> bool:
        return instance is self.instance

    def asked_to_stop(self) -> None:
        self.stops += 1
        if self.stop_asked_at is None:
            self.stop_asked_at = len(self.world.ledger.entries)

    def died(self, how: str) -> None:
        if self.ended is not None:
            self.blame("died twice")
        self.ended = how
        self._let_go()
        self.due_ns = None

    def _let_go(self) -> None:
        self.up = False
        self.armed.clear()

    # What happens to it.

    def born(self, instance: object) -> None:
        """A constructor has run as far as the actor's own code."""
        self.instances += 1
        self.instance = instance
        if self.instances > 1:
            self._check_birth()
        self._maybe_fail("init", instance)

    def _check_birth(self) -> None:
        now_ns = self.world.clock.monotonic_ns()
        if self.dead:
            self.blame("was restarted after its death")
        elif self.due_ns is None:
            self.blame("was restarted twice for one failure, or for none")
        elif now_ns < self.due_ns:
            self.blame(f"was restarted {self.due_ns - now_ns} ns early")
        if self.family is not None and self.family.is_out_of_order(self):
            self.blame("came back before one that was started earlier")
        self.due_ns = None

    def begun(self, instance: object, *, first: bool) -> None:
        """on_start or on_restart runs."""
        if first != (self.instances == 1):
            self.blame(f"began its instance {self.instances} as first={first}")
        if not self.is_current(instance):
            self.blame("began a replaced instance")
        self._maybe_fail("hook", instance)
        self.up = True

    def _maybe_fail(self, stage: str, instance: object) -> None:
        fate = self.births[self.instances - 1] if self.instances <= len(self.births) else "fine"
        if fate == stage:
            boom = Boom(f"{stage} of instance {self.instances}")
            self.failed(instance, boom)
            raise boom

    def failed(self, instance: object, exc: BaseException) -> None:
        """The actor failed: work out what has to follow."""
        if not self.is_current(instance):
            self.blame("failed in a replaced instance")
        if self.is_between or self.ended is not None or self.aborted:
            self.blame("failed again before it was restarted")
        self._let_go()
        now_ns = self.world.clock.monotonic_ns()
        delay_ns, too_often = None, False
        if not self.leaving and self.restart is not Restart.TEMPORARY:
            delay_ns, too_often = self.history.judge(now_ns)
        family_gives_up = too_often and delay_ns is None and self.family is not None
        again = delay_ns is not None or family_gives_up
        given_up = not self._set_aside(again=again, counted=True)
        if family_gives_up and self.family is not None:
            self.world.escalations_due.append(self.family.name)
            self.family.leave()
        elif delay_ns is None:
            self.died("failed")
        else:
            self.due_ns = now_ns + delay_ns
            if self.family is not None:
                self.family.set_back(self, self.due_ns)
        beyond = too_often and not family_gives_up
        if (beyond or given_up) and not self.leaving:
            self.world.escalations_due.append(self.name)

    def was_told_to_stop(self, instance: object) -> None:
        """on_stop runs: this instance ends, and for good unless a sibling's failure is why."""
        if not self.is_current(instance):
            self.blame("was stopped in a replaced instance")
        if not self.up:
            self.blame("was stopped, and it was not up")
        until_ns, self.set_back_until_ns = self.set_back_until_ns, None
        in_line = until_ns is not None or (self.family is not None and self.family.leaving)
        if (
            self.family is not None
            and in_line
            and not (self.stops or self.aborted)
            and self.family.ends_out_of_order(self)
        ):
            self.blame("was stopped before one that was started later")
        if until_ns is None:
            self.died("stopped")
        else:
            self._let_go()
            self._set_aside(again=True, counted=False)
            self.due_ns = until_ns

    def _set_aside(self, *, again: bool, counted: bool) -> bool:
        """What becomes of the message that this interrupts; False when it is given up."""
        victim, self.busy = self.busy, None
        if victim is None or not victim.retries:
            return True
        victim.failures += counted
        if again and victim.failures < MAX_ATTEMPTS:
            self.again = victim
            return True
        return False

    def rang(self, instance: object, tick: Rang) -> None:
        armed = self.armed.get(tick.key)
        if not self.is_current(instance) or tick.instance != self.instances or self.dead or self.is_between:
            self.blame("got a timer's message of an instance that is no more")
        elif armed is None or armed.serial != tick.serial:
            self.blame("got the message of a timer that was cancelled or replaced")
        else:
            if self.world.clock.monotonic_ns() < armed.due_ns:
                self.blame("got a timer's message early")
            if armed.interval_ns is None:
                del self.armed[tick.key]
            else:
                armed.due_ns += armed.interval_ns
        self.not_in_between("a timer's message")

    def not_in_between(self, what: str) -> None:
        if self.busy is not None or self.again is not None:
            self.blame(f"got {what} in between")

    def was_told_of(self, other: "Life | None", reason: str) -> None:
        """A Terminated arrived."""
        if other is None or self.watching.pop(id(other), None) is None:
            self.blame(f"was told of the end of {other and other.name}, which it does not watch (any more)")
        elif not other.dead:
            self.blame(f"was told of the end of {other.name}, which lives")
        elif other.ended not in {None, reason}:
            self.blame(f"was told that {other.name} has {reason}; it has {other.ended}")

    @property
    def awaits(self) -> bool:
        """Whether something of its own is still to come."""
        due = self.is_between or any(armed.interval_ns is None for armed in self.armed.values())
        return not self.dead and (due or any(other.dead for other in self.watching.values()))

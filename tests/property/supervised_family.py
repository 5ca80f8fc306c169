"""What all actors of a run share, and what a supervisor owes its children, worked out apart from the runtime."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pykka
from supervision_ledger import Ledger

from execactor.runtime import ActorSystem, Lane, ManualClock, Restart, Strategy, Supervision

if TYPE_CHECKING:
    from supervised_life import Life

MS = 1_000_000
NORMAL_CAPACITY = 5


class Boom(Exception):
    """The failures of this world."""


class Rang(msgspec.Struct, frozen=True, eq=False):
    """A timer's message."""

    lane: ClassVar[Lane] = Lane.URGENT

    instance: int
    key: Hashable
    serial: int


class Armed:
    """A timer that an instance has started."""

    def __init__(self, serial: int, due_ns: int, interval_ns: int | None) -> None:
        self.serial = serial
        self.due_ns = due_ns
        self.interval_ns = interval_ns


class World:
    """What all actors of one run share."""

    def __init__(self, system: ActorSystem, clock: ManualClock) -> None:
        self.system = system
        self.clock = clock
        self.ledger = Ledger(clock.monotonic_ns)
        self.lives: list[Life] = []
        self.families: list[Family] = []
        self.gates: deque[asyncio.Future[None]] = deque()
        self.serial = 0
        self.escalations_due: list[str] = []

    def gate(self) -> "asyncio.Future[None]":
        """Something to wait for until the run opens it."""
        gate = self.system.loop.create_future()
        self.gates.append(gate)
        return gate

    @property
    def living(self) -> list["Life"]:
        return [life for life in self.lives if not life.dead]

    def life(self, number: int) -> "Life":
        """A living actor by preference; now and then a dead one."""
        choice = self.lives if number % 7 == 6 else self.living or self.lives
        return choice[number % len(choice)]


class History:
    """The restarts that count against an intensity."""

    def __init__(self, rules: Supervision) -> None:
        self.rules = rules
        self._recent_ns: list[int] = []

    def judge(self, now_ns: int) -> tuple[int | None, bool]:
        """The wait before the restart (None: no restart), and whether there were too many."""
        rules = self.rules
        self._recent_ns = [then for then in self._recent_ns if now_ns - then <= rules.within_ns]
        earlier = len(self._recent_ns)
        if earlier >= rules.max_restarts:
            return rules.keep_trying_ns, True
        self._recent_ns.append(now_ns)
        return min(rules.backoff_max_ns, rules.backoff_min_ns * 2**earlier), False


class Family:
    """The children of one supervisor, in the order of their start."""

    def __init__(self, world: World, strategy: Strategy, intensity: Supervision) -> None:
        self.strategy = strategy
        self._intensity = intensity
        self._history = History(intensity)
        self.name = f"supervisor {len(world.families)}"
        self.children: list[Life] = []
        self.ref: pykka.ActorRef[Any]
        self.leaving = False
        world.families.append(self)

    def history(self) -> History:
        """That of one more child: its own where it is restarted alone, else that of all."""
        return History(self._intensity) if self.strategy is Strategy.ONE_FOR_ONE else self._history

    def leave(self) -> None:
        """The supervisor stops or gives up, its children with it."""
        self.leaving = True
        for child in self.children:
            child.leaving = True

    def restarted_with(self, failed: "Life") -> list["Life"]:
        """Those that are restarted with the one that failed, if they are alive."""
        if self.strategy is Strategy.ONE_FOR_ONE:
            return []
        first = 0 if self.strategy is Strategy.ALL_FOR_ONE else self.children.index(failed)
        return [child for child in self.children[first:] if child is not failed and not child.dead]

    def set_back(self, failed: "Life", due_ns: int) -> None:
        """Work out what a failure means for the siblings."""
        for child in self.restarted_with(failed):
            if child.leaving or child.restart is Restart.TEMPORARY:
                child.doomed = True
            elif child.up:
                child.set_back_until_ns = due_ns
            else:
                child.due_ns = due_ns
        if self.strategy is not Strategy.ONE_FOR_ONE:
            # Who waits already comes back with these, in one line.
            for child in self.children:
                if child.due_ns is not None:
                    child.due_ns = due_ns

    def is_out_of_order(self, born: "Life") -> bool:
        """Whether somebody should have come back before this one."""
        earlier = self.children[: self.children.index(born)]
        in_line = self.strategy is not Strategy.ONE_FOR_ONE
        return in_line and any(child.due_ns is not None and not child.dead for child in earlier)

    def ends_out_of_order(self, ending: "Life") -> bool:
        """Whether somebody should have ended before this one."""
        later = self.children[self.children.index(ending) + 1 :]
        return any(child.up and not child.dead for child in later)

"""An actor that does what its messages say, and the record of its life with what supervision owes it."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import msgspec
import pykka
from supervision_ledger import MAX_ATTEMPTS, Deed, Entry, Ledger, NormalWork, UrgentWork, Work

from execactor.runtime import ActorSystem, LoopActor, ManualClock, Supervision

MS = 1_000_000


class Boom(Exception):
    """The failures of this world."""


class Rang(msgspec.Struct, frozen=True, eq=False):
    """A timer's message."""

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
        self.ledger = Ledger()
        self.lives: list[Life] = []
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


class Life:
    """One actor across its instances. `births` says which of them fail while they are made ("init", "hook")."""

    def __init__(self, world: World, supervision: Supervision, births: list[str]) -> None:
        self.world = world
        self.supervision = supervision
        self.births = births
        self.name = f"worker {len(world.lives)}"
        self.instances = 0
        self.failures = 0
        self.instance: object = None
        self.aborted = self.leaving = False
        self.busy: Entry | None = None
        self.again: Entry | None = None
        self.stop_asked_at: int | None = None
        self.due_ns: int | None = None
        self.armed: dict[Hashable, Armed] = {}
        self._dead = False
        self._recent_ns: list[int] = []
        world.lives.append(self)
        worker = type("SupervisedWorker", (Worker,), {"supervision": supervision})
        self.ref: pykka.ActorRef[Any] = world.system.start(worker, self, name=self.name)

    @property
    def dead(self) -> bool:
        # An actor that was aborted, or told to leave, may end between two instances: then none of its hooks runs.
        return self._dead or ((self.aborted or self.leaving) and not self.ref.is_alive())

    def is_current(self, instance: object) -> bool:
        return instance is self.instance

    def died(self) -> None:
        if self._dead:
            self.world.ledger.blame(f"{self.name} died twice")
        self._dead = True
        self.due_ns = None
        self.armed.clear()

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
            self.world.ledger.blame(f"{self.name} was restarted after its death")
        elif self.due_ns is None:
            self.world.ledger.blame(f"{self.name} was restarted twice for one failure")
        elif now_ns < self.due_ns:
            self.world.ledger.blame(f"{self.name} was restarted {self.due_ns - now_ns} ns early")
        self.due_ns = None

    def begun(self, instance: object, *, first: bool) -> None:
        """on_start or on_restart runs."""
        if first != (self.instances == 1):
            self.world.ledger.blame(f"instance {self.instances} of {self.name} began as first={first}")
        if not self.is_current(instance):
            self.world.ledger.blame(f"a replaced instance of {self.name} began")
        self._maybe_fail("hook", instance)

    def _maybe_fail(self, stage: str, instance: object) -> None:
        fate = self.births[self.instances - 1] if self.instances <= len(self.births) else "fine"
        if fate == stage:
            boom = Boom(f"{stage} of instance {self.instances}")
            self.failed(instance, boom)
            raise boom

    def failed(self, instance: object, exc: BaseException) -> None:
        """The actor failed: work out, apart from the runtime, what has to follow."""
        self.failures += 1
        ledger = self.world.ledger
        if not self.is_current(instance):
            ledger.blame(f"a replaced instance of {self.name} failed")
        if self.due_ns is not None or self._dead or self.aborted:
            ledger.blame(f"{self.name} failed again before it was restarted")
        now_ns = self.world.clock.monotonic_ns()
        delay_ns = self._next_delay_ns(now_ns)
        too_often = delay_ns is None
        if too_often:
            delay_ns = self.supervision.keep_trying_ns
        if self.leaving:
            delay_ns = None
        victim, self.busy, given_up = self.busy, None, False
        if victim is not None and victim.retries:
            given_up = delay_ns is None or victim.begun >= MAX_ATTEMPTS
            if not given_up:
                self.again = victim
        self.armed.clear()
        if (too_often or given_up) and not self.leaving:
            self.world.escalations_due.append(f"{self.name}: {exc}")
        if delay_ns is None:
            self.died()
        else:
            self.due_ns = now_ns + delay_ns

    def _next_delay_ns(self, now_ns: int) -> int | None:
        rules = self.supervision
        self._recent_ns = [then for then in self._recent_ns if now_ns - then <= rules.within_ns]
        earlier = len(self._recent_ns)
        if earlier >= rules.max_restarts:
            return None
        self._recent_ns.append(now_ns)
        return min(rules.backoff_max_ns, rules.backoff_min_ns * 2**earlier)

    def rang(self, instance: object, tick: Rang) -> None:
        ledger, armed = self.world.ledger, self.armed.get(tick.key)
        if not self.is_current(instance) or tick.instance != self.instances or self.dead:
            ledger.blame(f"a timer of an instance that is no more reached {self.name}")
        elif armed is None or armed.serial != tick.serial:
            ledger.blame(f"a timer of {self.name} that was cancelled or replaced has fired")
        else:
            if self.world.clock.monotonic_ns() < armed.due_ns:
                ledger.blame(f"a timer of {self.name} is early")
            if armed.interval_ns is None:
                del self.armed[tick.key]
            else:
                armed.due_ns += armed.interval_ns
        if self.busy is not None or self.again is not None:
            ledger.blame(f"a timer's message came in between at {self.name}")


class Worker(LoopActor):
    """Does the deeds of its messages."""

    bulk_capacity = 4

    def __init__(self, life: Life) -> None:
        super().__init__()
        self.life = life
        self.ledger = life.world.ledger
        life.born(self)
        self.number = life.instances

    def on_start(self) -> None:
        self.life.begun(self, first=True)

    def on_restart(self, cause: BaseException) -> None:
        self.life.begun(self, first=False)

    def on_failure(self, *failure: Any) -> None:
        self.life.failed(self, failure[1])
        if not self.life.dead:
            # Told by the failed instance, handled by the next.
            self.ledger.send(self.life, UrgentWork, Deed("do"))

    def on_stop(self) -> None:
        if not self.life.is_current(self):
            self.ledger.blame(f"a replaced instance of {self.life.name} was stopped")
        self.life.died()

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Rang):
            return self.life.rang(self, message)
        entry = self.ledger.begins(self, message)
        result = self.DEEDS[message.deed.kind](self, entry, message.deed)
        if not asyncio.iscoroutine(result):
            self.ledger.finished(entry, entry.begun)
        return result

    def do_nothing(self, entry: Entry, deed: Deed) -> None:
        pass

    def fail(self, entry: Entry, deed: Deed) -> None:
        if entry.asked:
            self.ledger.raised(entry)
        raise Boom(f"at {entry.message.number}")

    async def suspend(self, entry: Entry, deed: Deed) -> None:
        attempt = entry.begun
        await self.life.world.gate()
        self.ledger.finished(entry, attempt)

    async def suspend_and_fail(self, entry: Entry, deed: Deed) -> None:
        await self.life.world.gate()
        self.fail(entry, deed)

    async def suspend_against_all_odds(self, entry: Entry, deed: Deed) -> None:
        attempt = entry.begun
        try:
            await self.life.world.gate()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        self.ledger.finished(entry, attempt)

    def tell_another(self, entry: Entry, deed: Deed) -> None:
        other = self.life.world.life(deed.other)
        for kind in (NormalWork, UrgentWork):
            self.ledger.send(other, kind, Deed("do"))

    def spawn_failure(self, entry: Entry, deed: Deed) -> None:
        async def failing() -> None:
            await self.life.world.gate()
            raise Boom("beside the actor")

        self.spawn(failing())

    def pipe(self, entry: Entry, deed: Deed) -> None:
        async def working() -> None:
            await self.life.world.gate()

        def work(_outcome: object) -> Work:
            return self.ledger.write(self.life, UrgentWork, Deed("do")).message

        self.pipe_to_self(working(), work, work)

    def start_timer(self, entry: Entry, deed: Deed) -> None:
        self._arm(deed, None)
        self.timers.once(deed.other % 2, deed.ns, self._tick(deed))

    def start_ticks(self, entry: Entry, deed: Deed) -> None:
        interval_ns = deed.ns + 500 * MS
        self._arm(deed, interval_ns)
        self.timers.every(deed.other % 2, interval_ns, self._tick(deed))

    def _arm(self, deed: Deed, interval_ns: int | None) -> None:
        world = self.life.world
        world.serial += 1
        due_ns = world.clock.monotonic_ns() + (deed.ns if interval_ns is None else interval_ns)
        self.life.armed[deed.other % 2] = Armed(world.serial, due_ns, interval_ns)

    def _tick(self, deed: Deed) -> Rang:
        return Rang(self.number, deed.other % 2, self.life.world.serial)

    def cancel_timer(self, entry: Entry, deed: Deed) -> None:
        if self.timers.cancel(deed.other % 2) != (self.life.armed.pop(deed.other % 2, None) is not None):
            self.ledger.blame(f"cancelling a timer of {self.life.name} said the wrong thing")

    def stop_self(self, entry: Entry, deed: Deed) -> None:
        if self.life.stop_asked_at is None:
            self.life.stop_asked_at = len(self.ledger.entries)
        self.stop()

    def abort_another(self, entry: Entry, deed: Deed) -> None:
        abort(self.life.world.life(deed.other))

    def abort_self(self, entry: Entry, deed: Deed) -> None:
        abort(self.life)

    def abort_self_and_fail(self, entry: Entry, deed: Deed) -> None:
        abort(self.life)
        self.fail(entry, deed)

    DEEDS: ClassVar[dict[str, Callable[["Worker", Entry, Deed], Any]]] = {
        "do": do_nothing,
        "fail": fail,
        "suspend": suspend,
        "suspend and fail": suspend_and_fail,
        "suspend against all odds": suspend_against_all_odds,
        "tell": tell_another,
        "spawn a failure": spawn_failure,
        "pipe": pipe,
        "start a timer": start_timer,
        "start ticks": start_ticks,
        "cancel a timer": cancel_timer,
        "stop self": stop_self,
        "abort another": abort_another,
        "abort self": abort_self,
        "abort self and fail": abort_self_and_fail,
    }


def abort(life: Life) -> None:
    life.aborted = True
    life.ref.abort()
    if not life.dead:
        life.world.ledger.blame(f"{life.name} was aborted and lives")

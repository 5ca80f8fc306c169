"""An actor that does what its messages say, and tells the record of its life what happens to it."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from supervised_family import MS, Armed, Boom, Rang
from supervised_life import Life
from supervision_ledger import Deed, Entry, NormalWork, UrgentWork, Work

from execactor.runtime import LoopActor, Supervisor, Terminated


class Worker(LoopActor):
    """Does the deeds of its messages."""

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
        self.life.was_told_to_stop(self)

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Rang):
            return self.life.rang(self, message)
        if isinstance(message, Terminated):
            return self.is_told_of_an_end(message)
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

    def watch_another(self, entry: Entry, deed: Deed) -> None:
        other = self.life.world.life(deed.other)
        if other is not self.life:
            self.life.watching[id(other)] = other
            self.watch(other.ref)

    def unwatch_another(self, entry: Entry, deed: Deed) -> None:
        other = self.life.world.life(deed.other)
        if self.unwatch(other.ref) != (self.life.watching.pop(id(other), None) is not None):
            self.ledger.blame(f"unwatching {other.name} said the wrong thing to {self.life.name}")

    def is_told_of_an_end(self, message: Terminated) -> None:
        others = [other for other in self.life.world.lives if other.ref is message.ref]
        self.life.was_told_of(others[0] if others else None, message.reason)
        self.life.not_in_between("the news of an end")

    def stop_self(self, entry: Entry, deed: Deed) -> None:
        self.life.asked_to_stop()
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
        "watch": watch_another,
        "unwatch": unwatch_another,
        "stop self": stop_self,
        "abort another": abort_another,
        "abort self": abort_self,
        "abort self and fail": abort_self_and_fail,
    }


def abort(life: Life) -> None:
    life.aborted = True
    life.ref.abort()
    if not life.dead:
        life.blame("was aborted and lives")


class FamilySupervisor(Supervisor):
    """A supervisor that tells the record when it begins to leave."""

    def __init__(self, on_leave: Callable[[], None], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_leave = on_leave

    def _stop(self) -> Any:
        self._on_leave()
        return super()._stop()

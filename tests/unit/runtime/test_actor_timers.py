"""Timers of an actor: on time, replaceable, never piling up, dead when the actor is."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxSpec, ManualClock, TimerHandle, Timers

SECOND_NS = 1_000_000_000


class Beat(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK


class Sleeper(LoopActor):
    """Runs what it is told with its timers, notes everything else with the time."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.seen.append((self.clock.monotonic_ns() // SECOND_NS, message))
        return None


@pytest.fixture
def sleeper(system: ActorSystem, seen: list[Any]):
    return system.start(Sleeper, seen)


@pytest.fixture
def do(system, sleeper):
    """Have the actor use its timers now."""

    def do(action: Any) -> None:
        sleeper.tell(action)
        system.dispatcher.flush()

    return do


@pytest.fixture
def pass_time(system: ActorSystem, clock: ManualClock):
    def pass_time(seconds: int) -> None:
        for _ in range(seconds):
            clock.advance(SECOND_NS)
            system.dispatcher.flush()

    return pass_time


def test_once_comes_once_and_not_early(do, pass_time, seen):
    do(lambda actor: actor.timers.once("a", 3 * SECOND_NS, "ring"))
    pass_time(2)
    assert seen == []
    pass_time(5)
    assert seen == [(3, "ring")]


@pytest.mark.parametrize("delay_ns", [0, -5])
def test_a_deadline_already_past_means_soon(do, pass_time, clock, system, seen, delay_ns):
    do(lambda actor: actor.timers.once("a", delay_ns, "ring"))
    clock.advance(0)
    system.dispatcher.flush()
    assert seen == [(0, "ring")]


def test_every_comes_at_a_fixed_rate_until_it_is_cancelled(do, pass_time, seen):
    do(lambda actor: actor.timers.every("a", 2 * SECOND_NS, "tick"))
    pass_time(5)
    do(lambda actor: actor.timers.cancel("a"))
    pass_time(5)
    assert seen == [(2, "tick"), (4, "tick")]


@pytest.mark.parametrize("interval_ns", [0, -1])
def test_an_interval_has_to_be_positive(system, sleeper, interval_ns):
    answer = sleeper.ask(lambda actor: actor.timers.every("a", interval_ns, "tick"), block=False)
    system.dispatcher.flush()
    with pytest.raises(ValueError, match="interval_ns must be positive"):
        answer.get()


def test_periodic_ticks_never_pile_up(do, clock, system, seen):
    do(lambda actor: actor.timers.every("a", SECOND_NS, "tick"))
    for _ in range(10):
        clock.advance(SECOND_NS)  # ten intervals without a turn of the dispatcher
    system.dispatcher.flush()
    assert seen == [(10, "tick")]


class StalledClock(ManualClock):
    """Fires everything only when the stall is over, as a busy loop does."""

    stalled_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.stalled_ns

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        return super().call_at(monotonic_ns - self.stalled_ns, callback)


def test_ticks_missed_in_a_stall_are_left_out_and_the_rate_is_kept():
    clock, queued = StalledClock(), []
    timers = Timers(clock, lambda tick: queued.append(clock.monotonic_ns() // SECOND_NS) or tick.claim())
    timers.every("a", 4 * SECOND_NS, "tick")
    clock.stalled_ns = 9 * SECOND_NS  # the tick of second 4 comes at 13; those of 8 and 12 are gone
    clock.advance(8 * SECOND_NS)
    assert queued == [13, 16]


def test_a_newer_timer_replaces_the_older_of_its_key(do, pass_time, seen):
    do(lambda actor: actor.timers.once("a", 2 * SECOND_NS, "old"))
    do(lambda actor: actor.timers.once("b", 2 * SECOND_NS, "other"))
    do(lambda actor: actor.timers.once("a", 3 * SECOND_NS, "new"))
    pass_time(5)
    assert seen == [(2, "other"), (3, "new")]


def test_cancel_says_whether_there_was_one(do, pass_time, seen):
    results = []
    do(lambda actor: actor.timers.once("a", SECOND_NS, "ring"))
    do(lambda actor: results.append(actor.timers.cancel("a")))
    do(lambda actor: results.append(actor.timers.cancel("a")))
    pass_time(2)
    assert results == [True, False]
    assert seen == []


def test_cancel_all(do, pass_time, seen):
    do(lambda actor: actor.timers.once("a", SECOND_NS, "ring"))
    do(lambda actor: actor.timers.every("b", SECOND_NS, "tick"))
    do(lambda actor: actor.timers.cancel_all())
    pass_time(3)
    assert seen == []


@pytest.mark.parametrize("start", ["once", "every"])
def test_a_cancelled_timer_does_not_fire_even_when_it_is_queued(do, clock, sleeper, system, seen, start):
    do(lambda actor: getattr(actor.timers, start)("a", SECOND_NS, "ring"))
    sleeper.tell(lambda actor: actor.timers.cancel("a"))
    clock.advance(SECOND_NS)  # its message now waits behind the cancellation
    system.dispatcher.flush()
    assert seen == []


def test_a_replaced_timer_does_not_fire_even_when_it_is_queued(do, clock, sleeper, system, pass_time, seen):
    do(lambda actor: actor.timers.once("a", SECOND_NS, "old"))
    sleeper.tell(lambda actor: actor.timers.once("a", SECOND_NS, "new"))
    clock.advance(SECOND_NS)
    system.dispatcher.flush()
    pass_time(1)
    assert seen == [(2, "new")]


def test_a_timer_may_be_started_again_from_its_own_message(system, pass_time):
    class Rearming(LoopActor):
        rounds = 0

        def on_start(self) -> None:
            self.timers.once("a", SECOND_NS, "ring")

        def on_receive(self, message: Any) -> Any:
            self.rounds += 1
            self.timers.once("a", SECOND_NS, "ring")

    ref = system.start(Rearming)
    system.dispatcher.flush()
    pass_time(3)
    rounds = ref.proxy().rounds
    system.dispatcher.flush()
    assert rounds.get() == 3


def test_timers_die_with_a_restart(do, pass_time, seen, clock, sleeper, system):
    do(lambda actor: actor.timers.every("a", SECOND_NS, "tick"))
    do(lambda actor: actor.timers.once("b", SECOND_NS, "ring"))
    sleeper.tell(lambda actor: 1 / 0)
    clock.advance(SECOND_NS)  # both are queued behind the failure
    system.dispatcher.flush()
    pass_time(3)
    assert seen == []
    assert system.snapshot()[0].restarts == 1


def test_timers_die_with_a_stop_and_leave_no_dead_letter(do, pass_time, seen, clock, sleeper, system):
    do(lambda actor: actor.timers.every("a", SECOND_NS, "tick"))
    sleeper.stop(block=False)
    clock.advance(SECOND_NS)
    system.dispatcher.flush()
    pass_time(3)
    assert seen == []
    assert not system.dead_letters.counts


def test_the_timers_of_a_replaced_instance_cannot_be_used(do, system):
    instances = []
    do(instances.append)
    do(lambda actor: 1 / 0)
    with pytest.raises(RuntimeError, match="replaced by a restart"):
        instances[0].timers.once("a", 1, "ring")


def test_timers_belong_to_the_dispatcher_s_thread(do, in_thread):
    instances = []
    do(instances.append)
    with pytest.raises(RuntimeError, match="on the dispatcher's thread"):
        in_thread(lambda: instances[0].timers)


def test_a_bulk_tick_that_was_dropped_comes_again(system, pass_time, clock):
    seen: list[Any] = []

    class Narrow(Sleeper):
        mailbox = MailboxSpec(bulk_capacity=1)

    ref = system.start(Narrow, seen)
    ref.tell(lambda actor: actor.timers.every("a", SECOND_NS, Beat()))
    system.dispatcher.flush()
    clock.advance(SECOND_NS)
    ref.tell(type("Noise", (), {"lane": Lane.BULK})())
    system.dispatcher.flush()
    assert system.dead_letters.counts == {"dropped": 1}
    pass_time(1)
    assert seen[-1] == (2, Beat())


def test_a_message_of_no_lane_is_refused_when_the_timer_is_started(system, sleeper):
    wrong = type("Wrong", (), {"lane": "soon"})()
    answer = sleeper.ask(lambda actor: actor.timers.once("a", 1, wrong), block=False)
    system.dispatcher.flush()
    with pytest.raises(TypeError, match="Wrong"):
        answer.get()

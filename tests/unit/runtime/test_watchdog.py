"""Who holds the loop is named."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from execactor.runtime import ActorSystem, LoopActor, LoopHeld, Watchdog

MS = 1_000_000


class Sleeper(LoopActor):
    """Takes as long as its message says, by the manual clock; then does what else it says."""

    def on_start(self) -> None:
        self.held: list[Any] = []

    def on_receive(self, message: Any) -> Any:
        took_ns, then = message
        hold(self.clock, took_ns)
        if then is not None:
            return then()
        return None


def hold(clock: Any, ns: int) -> None:
    """Time goes on and no timer fires, as when the loop is held."""
    clock._elapsed_ns += ns


@pytest.fixture
def watchdog(system: ActorSystem) -> Iterator[Watchdog]:
    watchdog = Watchdog(system)
    watchdog.start(look=False)
    yield watchdog
    watchdog.stop()


@pytest.fixture
def ref(system: ActorSystem, watchdog: Watchdog) -> Any:
    ref = system.start(Sleeper, name="sleeper")
    system.dispatcher.flush()
    return ref


def flushed(system: ActorSystem) -> None:
    while not system.dispatcher.flush():
        pass


class TestHandlers:
    def test_one_beyond_the_limit_is_counted_and_named(self, system, ref, watchdog, caplog):
        ref.tell((25 * MS, None))
        flushed(system)
        assert list(watchdog.latest) == [LoopHeld("sleeper", "tuple", 25 * MS, None)]
        assert watchdog.slow_handlers == 1
        assert watchdog.held.max == 25 * MS
        assert "sleeper held the loop with tuple for 25.0 ms" in caplog.text

    @pytest.mark.parametrize(("took_ns", "slow"), [(10 * MS - 1, 0), (10 * MS, 1)])
    def test_the_limit_is_exact_for_a_handler_that_begins_a_slice(self, system, ref, watchdog, took_ns, slow):
        ref.tell((took_ns, None))
        flushed(system)
        assert watchdog.slow_handlers == slow

    def test_many_short_ones_are_none(self, system, ref, watchdog):
        for _ in range(100):
            ref.tell((MS, None))
        flushed(system)
        assert watchdog.slow_handlers == 0

    def test_the_slow_one_of_a_visit_is_named_and_not_the_next(self, system, ref, watchdog):
        for took_ns in (0, 20 * MS, 0, 0):
            ref.tell((took_ns, None))
        flushed(system)
        assert [held.held_ns for held in watchdog.latest] == [20 * MS]

    def test_one_that_raises_is_named_too(self, system, ref, watchdog):
        ref.tell((20 * MS, lambda: 1 / 0))
        flushed(system)
        assert [held.actor for held in watchdog.latest] == ["sleeper"]

    def test_a_start_that_takes_long(self, system, watchdog, clock):
        class Slow(LoopActor):
            def on_start(self) -> None:
                hold(clock, 20 * MS)

        system.start(Slow, name="slow")
        flushed(system)
        assert [(held.actor, held.message) for held in watchdog.latest] == [("slow", "start or restart")]

    def test_after_stop_nothing_is_counted(self, system, ref, watchdog):
        watchdog.stop()
        ref.tell((20 * MS, None))
        flushed(system)
        assert watchdog.slow_handlers == 0

    def test_a_flood_is_logged_once_a_second(self, system, ref, watchdog, caplog):
        for _ in range(50):
            ref.tell((40 * MS, None))
        flushed(system)
        assert watchdog.slow_handlers == 50
        assert len([record for record in caplog.records if "held the loop" in record.message]) == 2

    @pytest.mark.parametrize("limit_ns", [0, 200_000])
    def test_a_limit_within_a_slice_is_refused(self, system, limit_ns):
        with pytest.raises(ValueError, match="limit_ns must be above a slice"):
            Watchdog(system, limit_ns=limit_ns).start(look=False)


class TestStacks:
    def test_the_stack_shows_where_the_handler_was(self, system, ref, watchdog):
        def deep_inside() -> None:
            thread = threading.Thread(target=watchdog.look)
            thread.start()
            thread.join()

        ref.tell((20 * MS, deep_inside))
        flushed(system)
        (held,) = watchdog.latest
        assert held.stack is not None
        assert "deep_inside" in held.stack
        assert "on_receive" in held.stack

    def test_a_look_before_the_limit_takes_none(self, system, ref, watchdog):
        ref.tell((5 * MS, watchdog.look))
        flushed(system)
        assert watchdog._caught is None

    def test_a_hang_is_logged_before_it_ends(self, system, ref, watchdog, caplog):
        def logged_now() -> None:
            watchdog.look()
            watchdog.look()
            assert caplog.text.count("The loop has been held for 3000 ms so far") == 1
            assert "logged_now" in caplog.text

        ref.tell((3_000 * MS, logged_now))
        flushed(system)
        assert system.dead_letters.counts == {}

    def test_the_thread_catches_a_real_handler(self):
        system = ActorSystem.in_thread()
        watchdog = Watchdog(system, limit_ns=2 * MS)

        class Blocking(LoopActor):
            def on_receive(self, message: Any) -> Any:
                until = time.monotonic() + 5
                while watchdog._caught is None and time.monotonic() < until:
                    time.sleep(0.001)

        try:
            ref = system.start(Blocking, name="blocking")
            ref.ask("hello")
            system.loop.call_soon_threadsafe(watchdog.start)
            ref.ask("block")
            ref.stop()
            system.loop.call_soon_threadsafe(watchdog.stop)
        finally:
            system.close()
        stacks = [held.stack for held in watchdog.latest if held.actor == "blocking"]
        assert any(stack is not None and "in on_receive" in stack for stack in stacks)
        assert not [thread for thread in threading.enumerate() if thread.name == "execactor-watchdog"]


class TestLoopLag:
    def test_each_beat_records_how_late_it_is(self, system, watchdog, clock):
        clock.advance(100 * MS)
        hold(clock, 103 * MS)
        clock.advance(0)
        assert watchdog.loop_lag.count == 2
        assert watchdog.loop_lag.max == 3 * MS
        assert not watchdog.latest

    def test_a_late_beat_without_a_slow_handler_was_some_other_callback(self, system, watchdog, clock, caplog):
        hold(clock, 130 * MS)
        clock.advance(0)
        assert list(watchdog.latest) == [LoopHeld("", "", 30 * MS, None)]
        assert "a callback or coroutine held the loop for 30.0 ms" in caplog.text
        assert watchdog.slow_handlers == 0

    def test_its_stack_is_taken_while_it_lasts(self, system, watchdog, clock):
        system.dispatcher.flush()
        hold(clock, 130 * MS)
        watchdog.look()
        clock.advance(0)
        (held,) = watchdog.latest
        assert held.stack is not None
        assert "test_its_stack_is_taken_while_it_lasts" in held.stack

    def test_a_beat_made_late_by_a_slow_handler_is_not_counted_twice(self, system, ref, watchdog, clock):
        ref.tell((130 * MS, None))
        flushed(system)
        clock.advance(0)
        assert [held.actor for held in watchdog.latest] == ["sleeper"]
        assert watchdog.loop_lag.max == 30 * MS

    def test_a_stopped_watchdog_leaves_no_timer(self, system, clock):
        watchdog = Watchdog(system)
        watchdog.start(look=False)
        watchdog.stop()
        clock.advance(1_000 * MS)
        assert watchdog.loop_lag.count == 0

    @pytest.mark.parametrize("beat_ns", [0, -1])
    def test_a_beat_that_is_none_is_refused(self, system, beat_ns):
        with pytest.raises(ValueError, match="beat_ns"):
            Watchdog(system, beat_ns=beat_ns)


async def test_on_the_real_clock_beats_go_on():
    system = ActorSystem()
    watchdog = Watchdog(system, beat_ns=MS)
    watchdog.start()
    while watchdog.loop_lag.count < 3:
        await asyncio.sleep(0.001)
    watchdog.stop()

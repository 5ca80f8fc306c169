"""Clocks: never early, in order, and never going back."""

import asyncio
import time

import pytest
import uvloop

from execactor.runtime import ManualClock, SystemClock

LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(uvloop.new_event_loop, id="uvloop")]


class TestManualClock:
    def test_wall_and_monotonic_time_move_together(self):
        clock = ManualClock(start_ns=100)
        clock.advance(7)
        assert (clock.now_ns(), clock.monotonic_ns()) == (107, 7)

    def test_timers_fire_in_the_order_of_their_time_each_at_its_own(self):
        clock = ManualClock()
        fired = []
        for name, due_ns in [("late", 30), ("early", 10), ("also early", 10), ("never", 31)]:
            clock.call_at(due_ns, lambda name=name: fired.append((clock.monotonic_ns(), name)))
        clock.advance(30)
        assert fired == [(10, "early"), (10, "also early"), (30, "late")]

    def test_a_timer_started_by_a_timer_fires_in_the_same_advance(self):
        clock = ManualClock()
        fired = []
        clock.call_at(10, lambda: clock.call_at(20, lambda: fired.append(clock.monotonic_ns())))
        clock.advance(25)
        assert fired == [20]

    def test_a_timer_in_the_past_fires_at_once_and_time_does_not_go_back(self):
        clock = ManualClock()
        clock.advance(50)
        fired = []
        clock.call_at(10, lambda: fired.append(clock.monotonic_ns()))
        clock.advance(0)
        assert fired == [50]

    def test_a_cancelled_timer_does_not_fire(self):
        clock = ManualClock()
        fired = []
        handle = clock.call_at(10, lambda: fired.append(1))
        handle.cancel()
        handle.cancel()
        clock.advance(20)
        assert fired == []

    def test_time_never_goes_back(self):
        with pytest.raises(ValueError, match="ns must not be negative"):
            ManualClock().advance(-1)


@pytest.mark.parametrize("new_loop", LOOPS)
class TestSystemClock:
    def run(self, new_loop, scenario):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(scenario())

    def test_it_tells_the_machine_s_time(self, new_loop):
        async def scenario():
            clock = SystemClock(asyncio.get_running_loop())
            before = time.time_ns(), time.monotonic_ns()
            told = clock.now_ns(), clock.monotonic_ns()
            after = time.time_ns(), time.monotonic_ns()
            assert before <= told <= after

        self.run(new_loop, scenario)

    def test_no_timer_is_early(self, new_loop):
        async def scenario():
            clock = SystemClock(asyncio.get_running_loop())
            early_ns, done = [], asyncio.Event()
            delays_ns = [0, 1, 100_000, 400_000, 600_000, *range(1_000_000, 5_000_000, 99_999)]

            def check(due_ns):
                early_ns.append(max(0, due_ns - clock.monotonic_ns()))
                if len(early_ns) == len(delays_ns):
                    done.set()

            for delay_ns in delays_ns:
                due_ns = clock.monotonic_ns() + delay_ns
                clock.call_at(due_ns, lambda due_ns=due_ns: check(due_ns))
            loop = asyncio.get_running_loop()

            def spin():  # a loop that never sleeps notices a timer at the first chance
                if not done.is_set():
                    loop.call_soon(spin)

            spin()
            await done.wait()
            assert early_ns == [0] * len(delays_ns)

        self.run(new_loop, scenario)

    def test_a_cancelled_timer_does_not_fire(self, new_loop):
        async def scenario():
            clock = SystemClock(asyncio.get_running_loop())
            fired, done = [], asyncio.Event()
            clock.call_at(clock.monotonic_ns(), lambda: fired.append(1)).cancel()
            clock.call_at(clock.monotonic_ns() + 1_000_000, done.set)
            await done.wait()
            assert fired == []

        self.run(new_loop, scenario)

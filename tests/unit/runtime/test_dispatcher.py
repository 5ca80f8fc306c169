"""The run-queue: fair, bounded between two polls of I/O, and woken once."""

import asyncio
import threading
from typing import Any

import pykka
import pytest
import uvloop
from recorder import Recorder, turns

from execactor.runtime import ActorSystem, Dispatcher, LoopActor, ManualClock


async def test_at_most_eight_messages_per_visit(system, seen):
    first, second = system.start(Recorder, seen, "first"), system.start(Recorder, seen, "second")
    system.dispatcher.flush()
    for number in range(10):
        first.tell(number)
        second.tell(number)
    system.dispatcher.flush()
    assert [tag for tag, _ in seen] == ["first"] * 8 + ["second"] * 8 + ["first"] * 2 + ["second"] * 2


async def test_at_most_sixteen_messages_before_io_is_polled(system, seen):
    ref = system.start(Recorder, seen)
    system.dispatcher.flush()
    handled_per_turn = []
    for number in range(40):
        ref.tell(number)
    while len(seen) < 40:
        before = len(seen)
        await turns()
        handled_per_turn.append(len(seen) - before)
    assert max(handled_per_turn) == 16


async def test_a_time_slice_ends_a_turn_even_when_the_budget_does_not():
    clock = ManualClock()
    system = ActorSystem(clock)
    handled = []

    class Slow(LoopActor):
        def on_receive(self, message: Any) -> Any:
            clock.advance(150_000)
            handled.append(message)

    ref = system.start(Slow)
    system.dispatcher.flush()
    for number in range(4):
        ref.tell(number)
    assert system.dispatcher.flush() is False
    assert handled == [0, 1]
    assert system.dispatcher.flush() is True
    assert handled == [0, 1, 2, 3]
    ref.abort()


async def test_flush_handles_everything_told_on_the_way(system, seen):
    class Relay(LoopActor):
        def __init__(self, following: pykka.ActorRef[Any]) -> None:
            super().__init__()
            self.following = following

        def on_receive(self, message: Any) -> Any:
            self.following.tell(message)

    ref: pykka.ActorRef[Any] = system.start(Recorder, seen)
    for _ in range(50):
        ref = system.start(Relay, ref)
    ref.tell("through")
    assert system.dispatcher.flush() is True
    assert seen == [("", "through")]


async def test_flush_inside_a_handler_does_nothing(system, seen):
    class Nested(Recorder):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(("begin", message))
            self.system.dispatcher.flush()
            super().on_receive(("end", message))

    ref = system.start(Nested, seen)
    ref.tell(1)
    ref.tell(2)
    system.dispatcher.flush()
    assert [entry for _, entry in seen] == [("begin", 1), ("end", 1), ("begin", 2), ("end", 2)]


async def test_flush_on_another_thread_is_refused(system, in_thread):
    with pytest.raises(RuntimeError, match="own thread"):
        in_thread(system.dispatcher.flush)


async def test_repeated_flushes_do_not_multiply_the_work_between_polls(system, seen):
    ref = system.start(Recorder, seen)
    for number in range(200):
        ref.tell(number)
        if number % 20 == 0:
            system.dispatcher.flush()
    for number in range(200):
        ref.tell(number)
    before = len(seen)
    await turns()
    assert len(seen) - before <= 16


async def test_flushes_that_end_with_their_slice_do_not_multiply_the_work_between_polls():
    clock = ManualClock()
    system = ActorSystem(clock)
    handled = []

    class Slow(LoopActor):
        step_ns = 300_000

        def on_receive(self, message: Any) -> Any:
            clock.advance(self.step_ns)
            handled.append(message)

    ref = system.start(Slow)
    system.dispatcher.flush()
    for number in range(200):
        ref.tell(number)
    for _ in range(5):
        assert system.dispatcher.flush() is False
    Slow.step_ns = 0
    handled.clear()
    await turns()
    assert len(handled) == 16
    ref.abort()


async def test_a_visit_cut_short_by_urgent_work_goes_on_before_the_others(system, seen):
    urgent = type("Urgent", (), {"lane": 1})()

    class Alarmed(Recorder):
        def on_receive(self, message: Any) -> Any:
            if message == 1:
                watcher.tell(urgent)
            return super().on_receive(message)

    alarmed, other = system.start(Alarmed, seen, "alarmed"), system.start(Recorder, seen, "other")
    watcher = system.start(Recorder, seen, "watcher")
    system.dispatcher.flush()
    for number in range(3):
        alarmed.tell(number)
        other.tell(number)
    system.dispatcher.flush()
    assert [tag for tag, _ in seen] == ["alarmed"] * 2 + ["watcher"] + ["alarmed"] + ["other"] * 3


async def test_urgent_work_from_another_thread_preempts_between_two_messages(system, seen, in_thread):
    urgent = type("Urgent", (), {"lane": 1})()

    class Interrupted(Recorder):
        def on_receive(self, message: Any) -> Any:
            if message == 1:
                in_thread(lambda: watcher.tell(urgent))
            return super().on_receive(message)

    interrupted = system.start(Interrupted, seen, "interrupted")
    watcher = system.start(Recorder, seen, "watcher")
    system.dispatcher.flush()
    for number in range(4):
        interrupted.tell(number)
    system.dispatcher.flush()
    assert [tag for tag, _ in seen] == ["interrupted"] * 2 + ["watcher"] + ["interrupted"] * 2


async def test_calls_posted_without_end_do_not_hold_the_dispatcher(system, seen):
    def again() -> None:
        system.dispatcher.post(again)

    ref = system.start(Recorder, seen)
    again()
    ref.tell("x")
    system.dispatcher.flush()
    await turns(3)
    assert seen == [("", "x")]


async def test_another_thread_wakes_the_loop_once_for_many_messages(system, seen, in_thread, monkeypatch):
    ref = system.start(Recorder, seen)
    system.dispatcher.flush()
    wakes = []
    loop = CountingLoop(system.loop, wakes)
    monkeypatch.setattr(system.dispatcher, "loop", loop)
    in_thread(lambda: [ref.tell(number) for number in range(100)])
    assert len(wakes) == 1
    while len(seen) < 100:
        await turns()
    assert [number for _, number in seen] == list(range(100))
    in_thread(lambda: ref.tell("again"))
    assert len(wakes) == 2


class CountingLoop:
    def __init__(self, loop: asyncio.AbstractEventLoop, wakes: list[int]) -> None:
        self._loop = loop
        self._wakes = wakes

    def call_soon_threadsafe(self, *args: Any) -> Any:
        self._wakes.append(1)
        return self._loop.call_soon_threadsafe(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_many_threads_lose_no_message_and_keep_their_own_order(loop_factory):
    threads_count, messages_count = 8, 2_000

    async def scenario() -> None:
        system = ActorSystem()
        done = asyncio.Event()
        seen: dict[int, list[int]] = {number: [] for number in range(threads_count)}

        class Counting(LoopActor):
            total = 0

            def on_receive(self, message: tuple[int, int]) -> Any:
                thread, number = message
                seen[thread].append(number)
                self.total += 1
                if self.total == threads_count * messages_count:
                    done.set()

        ref = system.start(Counting)
        threads = [
            threading.Thread(target=lambda name=name: [ref.tell((name, number)) for number in range(messages_count)])
            for name in range(threads_count)
        ]
        for thread in threads:
            thread.start()
        await done.wait()
        assert all(numbers == list(range(messages_count)) for numbers in seen.values())
        assert system.snapshot()[0].processed == threads_count * messages_count
        ref.abort()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("wrong", [{"throughput": 0}, {"budget": 0}, {"slice_ns": 0}])
async def test_bounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        Dispatcher(ManualClock(), asyncio.get_running_loop(), **wrong)

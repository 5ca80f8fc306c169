"""The run-queue: fair, bounded between two polls of I/O, woken once, and impossible to freeze."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
import uvloop

from execactor.runtime import ActorSystem, Dispatcher, LoopActor, ManualClock, Supervision


class Recorder(LoopActor):
    def __init__(self, seen: list[Any], tag: str = "") -> None:
        super().__init__()
        self.seen = seen
        self.tag = tag

    def on_receive(self, message: Any) -> Any:
        self.seen.append((self.tag, message))
        return message


class Weird:
    """Something in the run-queue that breaks in the given method."""

    def __init__(self, broken: str) -> None:
        self.in_hot = self.in_ready = False
        self.broken = broken
        self.visits = 0
        self.reported: list[BaseException] = []

    def visit(self, *, hot: bool) -> bool | None:
        self.visits += 1
        raise RuntimeError("visit")

    def visit_failed(self, exc: BaseException) -> None:
        self.reported.append(exc)
        if self.broken == "visit_failed":
            raise RuntimeError("visit_failed")

    def wants(self) -> bool | None:
        if self.broken == "wants":
            raise RuntimeError("wants")
        return None


async def turns(count: int = 1) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def seen() -> list[Any]:
    return []


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


class TestNeverFreezes:
    @pytest.mark.parametrize("broken", ["visit", "visit_failed", "wants"])
    @pytest.mark.parametrize("hot", [True, False])
    async def test_whatever_breaks_in_the_run_queue_the_others_are_served(self, system, seen, broken, hot):
        raised = []
        system.loop.set_exception_handler(lambda loop, context: raised.append(context["exception"]))
        ref = system.start(Recorder, seen)
        system.dispatcher.flush()
        weird = Weird(broken)
        system.dispatcher.schedule(weird, hot=hot)
        ref.tell("x")
        await turns(5)
        assert seen == [("", "x")]
        assert weird.visits == 1
        assert [str(exc) for exc in weird.reported] == ["visit"]
        assert [str(exc) for exc in raised] == ([] if broken == "visit" else [broken])

    @pytest.mark.parametrize("exit_class", [KeyboardInterrupt, SystemExit])
    def test_an_exit_in_a_handler_stops_all_actors_and_leaves_the_loop(self, exit_class):
        stopped = []

        class Leaving(LoopActor):
            def on_receive(self, message: Any) -> Any:
                raise exit_class("leaving")

            def on_stop(self) -> None:
                stopped.append(self.actor_urn)

        loop = asyncio.new_event_loop()
        system = ActorSystem(loop=loop)
        refs = [system.start(Leaving) for _ in range(3)]
        refs[1].tell("x")
        with pytest.raises(exit_class, match="leaving"):
            loop.run_forever()
        loop.run_until_complete(turns(5))
        assert {ref.actor_urn for ref in refs} == set(stopped)
        assert system.refs == []
        loop.close()

    @pytest.mark.parametrize("exit_class", [KeyboardInterrupt, SystemExit])
    def test_an_exit_in_a_handler_of_a_system_in_a_thread_lets_the_others_stop(self, exit_class):
        class Leaving(LoopActor):
            def on_receive(self, message: Any) -> Any:
                raise exit_class("leaving")

        system = ActorSystem.in_thread()
        refs = [system.start(Leaving) for _ in range(3)]
        refs[1].tell("x")
        assert all(ref.actor_stopped.wait(5) for ref in refs)
        system.close()

    async def test_a_failing_posted_call_holds_up_nothing(self, system, caplog):
        called = []
        system.dispatcher.post(lambda: 1 / 0)
        system.dispatcher.post(lambda: called.append(1))
        system.dispatcher.flush()
        assert called == [1]
        assert "posted from another thread failed" in caplog.text

    async def test_a_thousand_crashes_leave_it_running(self, system, seen, caplog):
        caplog.set_level(logging.CRITICAL + 1)

        class Crashing(Recorder):
            supervision = Supervision(max_restarts=10_000)

            def on_receive(self, message: Any) -> Any:
                raise ValueError(message)

        crashing, other = system.start(Crashing, []), system.start(Recorder, seen)
        for number in range(1_500):
            crashing.tell(number)
        other.tell("x")
        while system.snapshot()[0].restarts < 1_500:
            await turns()
        assert seen == [("", "x")]

    async def test_a_flush_ends_even_while_an_actor_restarts_without_end(self, caplog):
        caplog.set_level(logging.CRITICAL + 1)
        clock = ManualClock()
        system = ActorSystem(clock)

        class Hopeless(LoopActor):
            supervision = Supervision(max_restarts=10**9)

            def on_restart(self, cause: BaseException) -> None:
                clock.advance(1_000)
                raise RuntimeError("hopeless")

            def on_receive(self, message: Any) -> Any:
                raise ValueError

        ref = system.start(Hopeless)
        ref.tell("x")
        assert system.dispatcher.flush() is False
        ref.abort()

    async def test_a_flush_ends_even_while_ever_more_handlers_suspend(self):
        clock = ManualClock()
        system = ActorSystem(clock)

        class Suspending(LoopActor):
            def on_receive(self, message: Any) -> Any:
                clock.advance(50_000)
                return asyncio.sleep(0)

        refs = [system.start(Suspending) for _ in range(20)]
        system.dispatcher.flush()
        for ref in refs:
            ref.tell("x")
        assert system.dispatcher.flush() is False
        for ref in refs:
            ref.abort()

    async def test_actors_that_tell_each_other_for_ever_let_the_loop_do_its_work(self, system):
        class Pinger(LoopActor):
            rounds = 0

            def on_receive(self, message: pykka.ActorRef[Any]) -> Any:
                self.rounds += 1
                message.tell(self.actor_ref)

        left, right = system.start(Pinger), system.start(Pinger)
        left.tell(right)
        await turns(100)
        assert system.snapshot()[0].processed > 100


class TestClosedLoop:
    @pytest.fixture
    def orphan(self) -> Iterator[pykka.ActorRef[Any]]:
        """The ref of an actor whose loop went away under it."""
        loop = asyncio.new_event_loop()
        system = ActorSystem(loop=loop)
        ref = system.start(Recorder, [])
        loop.run_until_complete(turns(3))
        loop.close()
        yield ref
        pykka.ActorRegistry.unregister(ref)

    def test_tell_and_ask_say_that_the_actor_is_dead(self, orphan):
        with pytest.raises(pykka.ActorDeadError, match="closed"):
            orphan.tell("x")
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            orphan.ask("x")
        assert orphan.stop() is False

    def test_on_another_thread_too(self, orphan, in_thread):
        with pytest.raises(pykka.ActorDeadError, match="closed"):
            in_thread(lambda: orphan.tell("x"))
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            in_thread(lambda: orphan.ask("x"))

    async def test_a_living_actor_that_answers_or_tells_a_gone_one_goes_on(self, system, orphan):
        class Telling(LoopActor):
            def on_receive(self, message: Any) -> Any:
                try:
                    orphan.tell(message)
                except pykka.ActorDeadError:
                    return "gone"

        assert await system.start(Telling).ask("x", block=False) == "gone"


@pytest.mark.parametrize("wrong", [{"throughput": 0}, {"budget": 0}, {"slice_ns": 0}])
async def test_bounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        Dispatcher(ManualClock(), asyncio.get_running_loop(), **wrong)

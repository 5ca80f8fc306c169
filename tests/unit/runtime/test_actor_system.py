"""The system: names, order of stopping, what it shows, and which one a plain start() uses."""

import asyncio
import threading
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor, ManualClock

SECOND_NS = 1_000_000_000


class Echo(LoopActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return message


class Stuck(LoopActor):
    async def on_receive(self, message: Any) -> Any:
        await asyncio.Event().wait()


class TestNames:
    async def test_an_actor_is_found_by_its_name_until_it_stops(self, system):
        ref = system.start(Echo, name="risk")
        assert system.lookup("risk") is ref
        assert ref.name == "risk"
        assert system.lookup("nobody") is None
        await ref.stop(block=False)
        assert system.lookup("risk") is None

    async def test_a_name_is_taken_once_and_free_after_a_stop(self, system):
        ref = system.start(Echo, name="risk")
        with pytest.raises(ValueError, match="'risk' is alive"):
            system.start(Echo, name="risk")
        await ref.stop(block=False)
        system.start(Echo, name="risk")

    async def test_without_a_name_it_gets_one_from_its_class(self, system):
        first, second = system.start(Echo), system.start(Echo)
        assert first.name.startswith("Echo-")
        assert first.name != second.name

    async def test_a_failing_constructor_leaves_nothing_behind(self, system):
        class Failing(LoopActor):
            def __init__(self) -> None:
                super().__init__()
                self.timers.once("a", 1, "x")
                raise ValueError("no")

        registered = pykka.ActorRegistry.get_all()
        with pytest.raises(ValueError, match="no"):
            system.start(Failing, name="x")
        assert system.lookup("x") is None
        assert system.refs == []
        assert pykka.ActorRegistry.get_all() == registered
        system.start(Echo, name="x")

    async def test_refs_come_in_the_order_of_starting(self, system):
        refs = [system.start(Echo) for _ in range(3)]
        assert system.refs == refs

    async def test_an_actor_may_start_others_in_its_constructor(self, system):
        class Parent(LoopActor):
            def __init__(self) -> None:
                self.child = self_system.start(Echo, name="before")
                super().__init__()
                self.second = self.system.start(Echo, name="after")

            def on_receive(self, message: Any) -> Any:
                return self.child, self.second

        self_system = system
        children = await system.start(Parent, name="parent").ask("x", block=False)
        assert [child.name for child in children] == ["before", "after"]
        assert [type(ref._actor_weakref()) for ref in children] == [Echo, Echo]


class TestStop:
    async def test_actors_stop_in_the_order_given_each_before_the_next(self, system):
        order = []

        class Ordered(LoopActor):
            def __init__(self, number: int) -> None:
                super().__init__()
                self.number = number

            def on_stop(self) -> None:
                order.append(self.number)

        refs = [system.start(Ordered, number) for number in range(4)]
        assert await system.stop([refs[2], refs[0], refs[3], refs[1]], SECOND_NS) == []
        assert order == [2, 0, 3, 1]

    async def test_what_is_late_is_aborted_at_the_deadline_and_returned(self, system, clock):
        stuck, also_stuck, other = system.start(Stuck), system.start(Stuck), system.start(Echo)
        stuck.tell("x")
        also_stuck.tell("x")
        stopping = asyncio.ensure_future(system.stop([stuck, other, also_stuck], SECOND_NS))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not stopping.done()
        clock.advance(SECOND_NS)
        assert await stopping == [stuck, also_stuck]
        assert not any(ref.is_alive() for ref in (stuck, also_stuck, other))
        assert system.refs == []

    async def test_the_dead_are_no_trouble(self, system):
        ref = system.start(Echo)
        await ref.stop(block=False)
        assert await system.stop([ref, ref], SECOND_NS) == []

    async def test_a_threading_actor_is_stopped_too(self, system):
        ref = pykka.ThreadingActor.start()
        assert await system.stop([ref], 60 * SECOND_NS) == []
        assert not ref.is_alive()


class TestSnapshot:
    async def test_it_shows_what_waits_what_was_done_and_what_went_wrong(self, system):
        ref = system.start(Echo, name="echo")
        ref.tell("x")
        ref.tell(ValueError("boom"))
        system.dispatcher.flush()
        for lane in (0, 1, 1, 3):
            ref.tell(type("Message", (), {"lane": lane})())
        ref.tell("x")
        (shown,) = system.snapshot()
        assert (shown.name, shown.actor_class) == ("echo", "Echo")
        assert shown.depths == (1, 2, 1, 1)
        assert (shown.processed, shown.restarts, shown.last_error) == (2, 1, "ValueError: boom")


class TestCurrent:
    async def test_on_a_loop_with_a_system_a_plain_start_uses_it(self, system):
        ref = Echo.start()
        assert ref in system.refs
        assert await ref.ask("x", block=False) == "x"

    async def test_a_constructor_may_take_a_name_of_its_own(self, system):
        class Named(LoopActor):
            def __init__(self, name: str) -> None:
                super().__init__()
                self.own_name = name

            def on_receive(self, message: Any) -> Any:
                return self.own_name

        assert await Named.start(name="own").ask("x", block=False) == "own"

    async def test_on_a_loop_without_one_it_makes_one(self):
        ref = Echo.start()
        assert await ref.ask("x", block=False) == "x"
        ref.abort()

    def test_on_a_thread_without_a_loop_the_running_system_is_used(self):
        system = ActorSystem.in_thread()
        assert ActorSystem.current().loop.is_running()
        ref = Echo.start()
        assert ref.ask("x", timeout=5) == "x"
        ref.stop()
        system.close()

    def test_without_any_a_default_one_is_started(self):
        ref = Echo.start()
        assert ref.ask("x", timeout=5) == "x"
        assert ref.stop() is True

    def test_without_a_loop_a_system_says_what_it_needs(self):
        with pytest.raises(RuntimeError, match="no running event loop"):
            ActorSystem()


class TestInThread:
    def test_it_serves_from_a_thread_of_its_own_until_it_is_closed(self):
        system = ActorSystem.in_thread(name="actors")
        threads = []

        class Where(LoopActor):
            def on_start(self) -> None:
                threads.append(threading.current_thread().name)

            def on_receive(self, message: Any) -> Any:
                return threading.current_thread().name

        ref = system.start(Where)
        assert ref.ask("x", timeout=5) == "actors"
        assert threads == ["actors"]
        ref.stop()
        system.close()
        system.close()
        assert system.loop.is_closed()
        with pytest.raises(pykka.ActorDeadError):
            ref.tell("x")

    def test_it_may_have_a_clock_of_its_own(self):
        clock = ManualClock()
        system = ActorSystem.in_thread(clock)
        assert system.clock is clock
        system.close()

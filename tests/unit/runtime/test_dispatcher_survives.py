"""Nothing freezes the run-queue: not what breaks in it, not an exit, not endless work, not a loop that is gone."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from recorder import Recorder, turns

from execactor.runtime import ActorSystem, LoopActor, ManualClock, Supervision


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

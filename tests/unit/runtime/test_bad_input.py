"""Bad input whose outcome no other file shows. docs/runtime.md lists every case, with the test of each."""

import asyncio
import gc
import logging
import threading
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor, ManualClock


class Unprintable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Recorder(LoopActor):
    """Notes what it gets; raises an exception that it is told."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        self.seen.append(message)
        return message

    def on_restart(self, cause: BaseException) -> None:
        self.seen.append(f"restarted: {type(cause).__name__}")

    def on_stop(self) -> None:
        self.seen.append("stopped")


@pytest.fixture
async def ref(system: ActorSystem, seen: list[Any]):
    return system.start(Recorder, seen, name="recorder")


def reasons(system: ActorSystem) -> list[tuple[Any, str]]:
    return [(letter.message, letter.reason) for letter in system.dead_letters]


class TestAMessageOfAnUnknownType:
    @pytest.mark.parametrize("message", [None, object(), 1.5, type, ..., {"a": 1}], ids=str)
    async def test_is_handled_like_any_other(self, system, ref, seen, message):
        ref.tell(message)
        system.dispatcher.flush()
        assert seen == [message]

    async def test_which_nobody_expects_is_logged_and_the_actor_goes_on(self, system, caplog):
        ref = system.start(LoopActor)
        ref.tell("what?")
        assert await ref.ask("and this?", block=False) is None
        assert caplog.text.count("Unexpected message received") == 2
        assert not system.dead_letters.counts


class TestAHandlerThatRaises:
    async def test_an_exception_without_a_text_is_a_failure_like_any_other(self, system, ref, seen):
        told = Unprintable()
        ref.tell(told)
        ref.tell("next")
        system.dispatcher.flush()
        assert reasons(system) == [(told, "failed")]
        assert seen == ["restarted: Unprintable", "next"]
        assert "Unprintable" in system.snapshot()[0].last_error

    async def test_the_asker_gets_that_one_too(self, ref):
        with pytest.raises(Unprintable):
            await ref.ask(Unprintable(), block=False)


class TestAReplyNobodyWaitsFor:
    async def test_is_dropped_with_its_future(self, system, ref, seen):
        ref.ask("x", block=False)
        gc.collect()
        ref.tell("next")
        system.dispatcher.flush()
        assert seen == ["x", "next"]

    async def test_an_exception_in_it_is_logged_and_restarts_nothing(self, system, ref, seen, caplog):
        caplog.set_level(logging.INFO)
        ref.ask(ValueError("unheard"), block=False)
        ref.tell("next")
        system.dispatcher.flush()
        assert seen == ["next"]
        assert "unheard" in caplog.text

    async def test_an_asker_that_is_cancelled_does_not_disturb_the_others(self, ref, seen):
        answer = ref.ask("x", block=False)
        first, second = asyncio.ensure_future(wait_for(answer)), asyncio.ensure_future(wait_for(answer))
        first.cancel()
        assert await second == "x"
        assert seen == ["x"]


class TestAStopDuringAHandler:
    def test_from_another_thread_waits_for_it(self):
        system = ActorSystem.in_thread()
        inside, go_on, seen = threading.Event(), threading.Event(), []

        class Slow(Recorder):
            def on_receive(self, message: Any) -> Any:
                inside.set()
                go_on.wait(5)
                return super().on_receive(message)

        ref = system.start(Slow, seen)
        ref.tell("x")
        assert inside.wait(5)
        ref.abort()
        assert ref.is_alive()
        go_on.set()
        assert ref.actor_stopped.wait(5)
        system.close()
        assert seen == ["x", "stopped"]

    async def test_by_itself_lets_the_handler_answer_and_nothing_come_after(self, system, seen):
        class Leaving(Recorder):
            def on_receive(self, message: Any) -> Any:
                self.actor_ref.abort()
                return super().on_receive(message)

        ref = system.start(Leaving, seen)
        answer = ref.ask("x", block=False)
        ref.tell("late")
        assert await answer == "x"
        assert seen == ["stopped", "x"]
        assert reasons(system) == [("late", "stopped")]


class TestAnActorStoppedTwice:
    @pytest.mark.parametrize("first", ["stop", "abort"])
    @pytest.mark.parametrize("second", ["stop", "abort"])
    async def test_stops_once_and_leaves_no_dead_letter(self, system, ref, seen, first, second):
        system.dispatcher.flush()
        for how in (first, second):
            if how == "stop":
                ref.stop(block=False)
            else:
                ref.abort()
        system.dispatcher.flush()
        assert seen == ["stopped"]
        assert not ref.is_alive()
        assert not system.dead_letters.counts

    async def test_also_in_its_own_on_stop(self, system, seen):
        class Insistent(Recorder):
            def on_stop(self) -> None:
                super().on_stop()
                self.actor_ref.abort()
                with pytest.raises(pykka.ActorDeadError):
                    self.stop()

        assert await system.start(Insistent, seen).stop(block=False) is True
        assert seen == ["stopped"]


class TestATimerOnAStoppedActor:
    async def test_started_in_on_stop_is_refused(self, system, clock, caplog):
        class Late(LoopActor):
            def on_stop(self) -> None:
                self.timers.once("key", 1, "never")

        ref = system.start(Late)
        system.dispatcher.flush()
        ref.abort()
        assert "has stopped or was replaced" in caplog.text
        clock.advance(10)
        system.dispatcher.flush()
        assert not system.dead_letters.counts


class TestAnExceptionInTheDispatcher:
    async def test_a_clock_that_fails_once_holds_up_nobody_for_long(self, seen):
        class Failing(ManualClock):
            failures = 0

            def monotonic_ns(self) -> int:
                if self.failures:
                    self.failures -= 1
                    raise OSError("no time")
                return super().monotonic_ns()

        clock = Failing()
        system = ActorSystem(clock)
        reported = []
        system.loop.set_exception_handler(lambda loop, context: reported.append(str(context["exception"])))
        ref = system.start(Recorder, seen)
        system.dispatcher.flush()
        ref.tell("x")
        clock.failures = 1
        for _ in range(5):
            await asyncio.sleep(0)
        ref.tell("y")
        for _ in range(5):
            await asyncio.sleep(0)
        assert reported == ["no time"]
        assert seen == ["x", "y"]
        ref.abort()

    async def test_a_failing_subscriber_and_a_failing_escalation_cost_no_message(self, system, ref, seen):
        def failing(*_args: object) -> None:
            raise RuntimeError("callback")

        system.dead_letters.subscribe(failing)
        system.on_escalation.append(failing)
        for number in range(5):
            ref.tell(ValueError(number))
        ref.abort()
        assert sum(system.dead_letters.counts.values()) == 5


async def wait_for(future: pykka.Future[Any]) -> Any:
    return await future

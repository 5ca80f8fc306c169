"""Futures of LoopActors: awaited on a loop, waited for on a thread, and never a deadlock."""

import asyncio
import threading
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor, LoopFuture, WouldDeadlock


class Echo(LoopActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return message


class TestOnTheLoop:
    async def test_an_ask_can_be_awaited(self, system):
        assert await system.start(Echo).ask("x", block=False) == "x"

    async def test_its_exception_is_raised_at_the_await(self, system):
        with pytest.raises(ValueError, match="boom"):
            await system.start(Echo).ask(ValueError("boom"), block=False)

    async def test_a_resolved_future_is_awaited_at_once(self):
        future: LoopFuture[int] = LoopFuture()
        future.set(1)
        assert [await future, await future] == [1, 1]

    async def test_several_tasks_may_await_one_future(self):
        future: LoopFuture[int] = LoopFuture()
        waiting = [asyncio.ensure_future(wait_for(future)) for _ in range(3)]
        await asyncio.sleep(0)
        future.set(7)
        assert await asyncio.gather(*waiting) == [7, 7, 7]

    async def test_map_filter_join_and_reduce_can_be_awaited_before_the_value_is_there(self, system):
        ref = system.start(Echo)
        numbers = ref.ask([1, 2, 3], block=False)
        other = ref.ask("x", block=False)
        assert await numbers.map(sum) == 6
        assert await numbers.filter(lambda number: number > 1) == [2, 3]
        assert await numbers.join(other) == [[1, 2, 3], "x"]
        assert await numbers.reduce(lambda left, right: left + right, 10) == 16
        assert await numbers.map(sum).map(str) == "6"

    async def test_a_mapped_exception_is_raised(self, system):
        failing = system.start(Echo).ask(ValueError("boom"), block=False)
        with pytest.raises(ValueError, match="boom"):
            await failing.map(str)

    async def test_proxy_calls_can_be_awaited_without_holding_up_the_loop(self, system):
        class Slow(LoopActor):
            async def answer(self) -> str:
                await gate.wait()
                return "at last"

        gate = asyncio.Event()
        answer = asyncio.ensure_future(wait_for(system.start(Slow).proxy().answer()))
        await asyncio.sleep(0)
        gate.set()
        assert await answer == "at last"

    async def test_stop_can_be_awaited(self, system):
        ref = system.start(Echo)
        assert await ref.stop(block=False) is True
        assert await ref.stop(block=False) is False

    async def test_a_future_of_a_dead_actor_raises(self, system):
        ref = system.start(Echo)
        ref.abort()
        with pytest.raises(pykka.ActorDeadError):
            await ref.ask("x", block=False)

    async def test_a_waiter_that_gave_up_does_not_disturb_the_answer(self, system):
        future: LoopFuture[int] = LoopFuture()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait_for(future), 0)
        future.set(1)
        assert await future == 1

    async def test_a_value_set_on_another_thread_wakes_the_waiter(self):
        future: LoopFuture[int] = LoopFuture()
        waiting = asyncio.ensure_future(wait_for(future))
        await asyncio.sleep(0)
        threading.Thread(target=future.set, args=[3]).start()
        assert await waiting == 3

    async def test_a_foreign_get_hook_is_awaited_on_a_thread_of_its_own(self):
        future: LoopFuture[int] = LoopFuture()
        future.set_get_hook(lambda timeout: threading.get_ident())
        assert await future != threading.get_ident()

    async def test_a_hook_set_while_it_is_awaited_is_used(self):
        future: LoopFuture[str] = LoopFuture()
        waiting = asyncio.ensure_future(wait_for(future))
        await asyncio.sleep(0)
        future.set_get_hook(lambda timeout: "hooked")
        assert await waiting == "hooked"


class TestBlockingIsRefused:
    async def test_get_on_the_dispatcher_s_thread(self, system):
        answer = system.start(Echo).ask("x", block=False)
        with pytest.raises(WouldDeadlock, match="await the future"):
            answer.get()
        system.dispatcher.flush()
        assert answer.get() == "x"

    async def test_a_blocking_ask_before_anything_is_sent(self, system):
        seen = []

        class Noting(LoopActor):
            def on_receive(self, message: Any) -> Any:
                seen.append(message)

        ref = system.start(Noting)
        with pytest.raises(WouldDeadlock):
            ref.ask("x")
        system.dispatcher.flush()
        assert seen == []

    async def test_a_blocking_stop_before_anything_is_stopped(self, system):
        ref = system.start(Echo)
        with pytest.raises(WouldDeadlock):
            ref.stop()
        system.dispatcher.flush()
        assert ref.is_alive()

    async def test_a_derived_future(self, system):
        with pytest.raises(WouldDeadlock):
            system.start(Echo).ask([1], block=False).map(sum).get()

    async def test_inside_a_handler_too(self, system):
        class Asking(LoopActor):
            def on_receive(self, message: pykka.ActorRef[Any]) -> Any:
                return message.ask("x")

        with pytest.raises(WouldDeadlock):
            await system.start(Asking).ask(system.start(Echo), block=False)

    async def test_but_asking_or_stopping_the_dead_is_answered(self, system):
        ref = system.start(Echo)
        ref.abort()
        assert ref.stop() is False
        with pytest.raises(pykka.ActorDeadError):
            ref.ask("x")

    def test_and_a_loop_without_actors_may_block_itself(self):
        system = ActorSystem.in_thread()
        ref = system.start(Echo)

        async def foreign() -> Any:
            return ref.ask("x", timeout=5)

        assert asyncio.run(foreign()) == "x"
        ref.stop()
        system.close()


class TestLateAnswers:
    def test_a_gone_asker_does_not_keep_the_answer_from_the_others(self):
        future: LoopFuture[str] = LoopFuture()

        async def ask_and_leave() -> None:
            asyncio.ensure_future(wait_for(future))  # noqa: RUF006 - to be left behind
            await asyncio.sleep(0)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask_and_leave())
        leftovers = asyncio.all_tasks(loop)
        loop.close()

        async def still_there() -> str:
            waiting = asyncio.ensure_future(wait_for(future))
            await asyncio.sleep(0)
            future.set("x")
            return await waiting

        assert asyncio.run(still_there()) == "x"
        assert len(leftovers) == 1

    def test_one_who_polls_with_a_timeout_leaves_nothing_behind(self):
        future: LoopFuture[str] = LoopFuture()
        for _ in range(3):
            with pytest.raises(pykka.Timeout):
                future.get(timeout=0)
        assert future._waiters == []

    def test_an_asker_that_is_gone_with_its_loop_does_not_hurt_the_one_who_answers(self):
        system = ActorSystem.in_thread()
        gate = threading.Event()

        class Slow(LoopActor):
            def on_receive(self, message: Any) -> Any:
                if message == "wait":
                    gate.wait(5)
                return message

        ref = system.start(Slow)

        async def ask_and_leave() -> None:
            answer = asyncio.ensure_future(wait_for(ref.ask("wait", block=False)))
            await asyncio.sleep(0)
            assert not answer.done()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask_and_leave())
        leftovers = asyncio.all_tasks(loop)
        loop.close()
        gate.set()
        assert ref.ask("still there", timeout=5) == "still there"
        assert not system.dead_letters.counts
        assert len(leftovers) == 1
        ref.stop()
        system.close()

    async def test_a_future_somebody_else_has_resolved_already(self, system, caplog):
        class Slow(LoopActor):
            async def on_receive(self, message: Any) -> Any:
                await gate.wait()
                return message

        gate = asyncio.Event()
        ref = system.start(Slow)
        answer = ref.ask("x", block=False)
        await asyncio.sleep(0)
        answer.set("from elsewhere")
        gate.set()
        assert await ref.ask("next", block=False) == "next"
        assert await answer == "from elsewhere"
        assert "came too late" in caplog.text


async def wait_for(future: pykka.Future[Any]) -> Any:
    return await future

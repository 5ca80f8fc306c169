"""pipe_to_self and spawn: work beside the actor that comes back as a message, or dies with it."""

import asyncio
import gc
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor


class Piping(LoopActor):
    """Runs what it is told with itself; notes every other message."""

    def __init__(self, seen: asyncio.Queue[Any]) -> None:
        super().__init__()
        self.seen = seen

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.seen.put_nowait(message)
        return None

    def pipe(self, awaitable: Any) -> Any:
        return self.pipe_to_self(
            awaitable, lambda result: ("result", result), lambda exc: ("error", type(exc), str(exc))
        )


@pytest.fixture
async def seen() -> asyncio.Queue[Any]:
    return asyncio.Queue()


@pytest.fixture
async def ref(system: ActorSystem, seen: asyncio.Queue[Any]):
    ref = system.start(Piping, seen)
    system.dispatcher.flush()
    return ref


@pytest.fixture
async def do(system, ref):
    def do(action: Any) -> None:
        ref.tell(action)
        system.dispatcher.flush()

    return do


async def turns(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def result_of(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


def asyncio_future() -> "asyncio.Future[str]":
    future = asyncio.get_running_loop().create_future()
    future.set_result("x")
    return future


def pykka_future() -> "pykka.Future[str]":
    future = pykka.ThreadingFuture()
    future.set("x")
    return future


class TestPipeToSelf:
    @pytest.mark.parametrize(
        "awaitable", [lambda: result_of("x"), asyncio_future, pykka_future], ids=["coroutine", "asyncio", "pykka"]
    )
    async def test_the_result_comes_as_a_message(self, do, seen, awaitable):
        do(lambda actor: actor.pipe(awaitable()))
        assert await seen.get() == ("result", "x")

    async def test_an_ask_can_be_piped(self, system, do, seen):
        class Echo(LoopActor):
            def on_receive(self, message: Any) -> Any:
                return message

        do(lambda actor: actor.pipe(system.start(Echo).ask("x", block=False)))
        assert await seen.get() == ("result", "x")

    async def test_so_does_an_exception(self, do, seen):
        do(lambda actor: actor.pipe(result_of(ValueError("boom"))))
        assert await seen.get() == ("error", ValueError, "boom")

    async def test_a_cancellation_by_somebody_else_is_an_error(self, do, seen):
        tasks = []
        do(lambda actor: tasks.append(actor.pipe(asyncio.Event().wait())))
        await turns()
        tasks[0].cancel()
        assert await seen.get() == ("error", asyncio.CancelledError, "")

    @pytest.mark.parametrize("ending", ["stop", "restart", "abort"])
    @pytest.mark.parametrize("outcome", ["x", ValueError("boom")], ids=["result", "error"])
    async def test_nothing_comes_after_a_stop_or_restart(self, do, ref, seen, ending, outcome):
        started = []

        async def slow() -> Any:
            started.append(1)
            await asyncio.sleep(0)
            return await result_of(outcome)

        do(lambda actor: actor.pipe(slow()))
        await asyncio.sleep(0)
        assert started
        match ending:
            case "stop":
                await ref.stop(block=False)
            case "restart":
                do(lambda actor: 1 / 0)
            case "abort":
                ref.abort()
        await turns(10)
        assert seen.empty()

    @pytest.mark.filterwarnings("error")
    async def test_work_that_had_not_begun_before_a_restart_is_put_away_quietly(self, do, seen):
        do(lambda actor: actor.pipe(result_of("x")))
        do(lambda actor: 1 / 0)
        await turns()
        gc.collect()
        assert seen.empty()

    @pytest.mark.parametrize("value", ["x", ValueError("boom")], ids=["wrap", "on_error"])
    async def test_a_failing_wrap_is_the_actor_s_failure(self, system, do, value):
        do(lambda actor: actor.pipe_to_self(result_of(value), lambda result: 1 / 0, lambda exc: 1 / 0))
        await turns()
        assert system.snapshot()[0].restarts == 1
        assert system.snapshot()[0].last_error == "ZeroDivisionError: division by zero"


class TestSpawn:
    async def test_it_runs_beside_the_actor_under_its_name(self, do, seen):
        names = []

        async def note() -> None:
            names.append(asyncio.current_task().get_name())

        do(lambda actor: actor.spawn(note(), name="listener"))
        await turns()
        assert names == ["listener"]

    @pytest.mark.parametrize("ending", ["stop", "restart", "abort"])
    async def test_it_is_cancelled_at_a_stop_or_restart(self, do, ref, ending):
        tasks = []
        do(lambda actor: tasks.append(actor.spawn(asyncio.Event().wait())))
        await turns()
        match ending:
            case "stop":
                await ref.stop(block=False)
            case "restart":
                do(lambda actor: 1 / 0)
            case "abort":
                ref.abort()
        await turns()
        assert tasks[0].cancelled()

    async def test_its_failure_is_the_actor_s(self, system, do):
        do(lambda actor: actor.spawn(result_of(ValueError("boom"))))
        await turns()
        (snapshot,) = system.snapshot()
        assert (snapshot.restarts, snapshot.last_error) == (1, "ValueError: boom")
        assert not system.dead_letters.counts

    async def test_being_cancelled_by_somebody_else_is_no_failure(self, system, do):
        tasks = []
        do(lambda actor: tasks.append(actor.spawn(asyncio.Event().wait())))
        tasks[0].cancel()
        await turns()
        assert system.snapshot()[0].restarts == 0

    async def test_a_failure_in_its_cleanup_after_a_restart_is_nobody_s(self, system, do):
        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("in cleanup")

        do(lambda actor: actor.spawn(stubborn()))
        await turns()
        do(lambda actor: 1 / 0)
        await turns()
        assert system.snapshot()[0].restarts == 1


async def test_a_replaced_instance_starts_nothing(system, do):
    instances = []
    do(instances.append)
    do(lambda actor: 1 / 0)
    work = result_of("x")
    with pytest.raises(RuntimeError, match="replaced by a restart"):
        instances[0].spawn(work)
    work.close()


async def test_a_stopped_actor_starts_nothing(system):
    refused = []

    class Leaving(LoopActor):
        def on_stop(self) -> None:
            work = result_of("x")
            try:
                self.spawn(work)
            except RuntimeError as error:
                refused.append(str(error))
            work.close()

    await system.start(Leaving).stop(block=False)
    assert len(refused) == 1
    assert "has stopped" in refused[0]


async def test_tasks_belong_to_the_dispatcher_s_thread(do, in_thread):
    instances = []
    do(instances.append)
    work = result_of("x")
    with pytest.raises(RuntimeError, match="on the dispatcher's thread"):
        in_thread(lambda: instances[0].spawn(work))
    work.close()

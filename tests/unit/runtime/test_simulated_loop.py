"""asyncio in virtual time: what asyncio promises holds, time costs nothing, and what can never go on is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from execactor.runtime import Deadlock, Livelock, NotSimulated, Simulation
from execactor.runtime import timeline as timelines
from execactor.runtime.simulated_loop import LATEST_TIMER_NS

MS = 1_000_000
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Simulation(1) as simulation:
        yield simulation


@pytest.fixture
def run(simulation: Simulation) -> Run:
    return simulation.run


def now() -> float:
    return asyncio.get_running_loop().time()


# What asyncio promises


def test_the_result_is_the_programs(run: Run) -> None:
    async def program() -> str:
        await asyncio.sleep(0)
        return "done"

    assert run(program()) == "done"


def test_so_is_its_exception(run: Run) -> None:
    async def program() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(program())


def test_calls_are_made_in_the_order_in_which_they_came(run: Run) -> None:
    made: list[int] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        for number in range(100):
            (loop.call_soon if number % 2 else loop.call_soon_threadsafe)(made.append, number)
        loop.call_soon(made.append, "taken back").cancel()  # type: ignore[arg-type]
        await asyncio.sleep(0.001)

    run(program())
    assert made == list(range(100))


@pytest.mark.parametrize("seed", range(5))
def test_a_timer_is_never_early_and_at_most_2_ms_late(seed: int) -> None:
    late: list[float] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        for number in range(1, 500):
            due = loop.time() + number / 7_000
            loop.call_at(due, lambda due=due: late.append(loop.time() - due))
        loop.call_later(0.01, late.append, -1.0).cancel()
        await asyncio.sleep(1)

    with Simulation(seed) as simulation:
        simulation.run(program())
    assert len(late) == 499
    assert min(late) >= 0
    assert 0.001 < max(late) <= LATEST_TIMER_NS / 1e9 + 1e-9
    assert 100 < sum(lateness < 1e-6 for lateness in late) < 400


def test_timers_due_at_the_same_instant_fire_in_any_order() -> None:
    def order(seed: int) -> tuple[int, ...]:
        fired: list[int] = []

        async def program() -> None:
            loop = asyncio.get_running_loop()
            for number in range(4):
                loop.call_at(loop.time() + 1, fired.append, number)
            await asyncio.sleep(2)

        with Simulation(seed) as simulation:
            simulation.run(program())
        return tuple(fired)

    orders = [order(seed) for seed in range(200)]
    assert orders == [order(seed) for seed in range(200)]
    assert len(set(orders)) == 24


def test_timeouts_waits_queues_groups_and_events_work(run: Run) -> None:
    async def program() -> list[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        event = asyncio.Event()
        seen: list[Any] = []

        async def produce() -> None:
            for number in range(3):
                await queue.put(number)
                await asyncio.sleep(1)
            event.set()

        async def consume() -> None:
            while not (event.is_set() and queue.empty()):
                with_timeout = asyncio.wait_for(queue.get(), 0.4)
                try:
                    seen.append(await with_timeout)
                except TimeoutError:
                    seen.append("late")

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(consume())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        async with asyncio.Lock(), asyncio.Semaphore(2), asyncio.Condition():
            seen.append(await asyncio.gather(asyncio.sleep(3, "a"), asyncio.shield(asyncio.sleep(1, "b"))))
        done, waiting = await asyncio.wait([asyncio.create_task(asyncio.sleep(9))], timeout=1)
        return [*seen, len(done), len(waiting)]

    assert run(program()) == [0, "late", "late", 1, "late", "late", 2, *["late"] * 3, ["a", "b"], 0, 1]


def test_context_variables_are_each_tasks_own(run: Run) -> None:
    import contextvars

    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def program() -> list[str]:
        async def named(name: str) -> str:
            who.set(name)
            await asyncio.sleep(1)
            return who.get()

        return [*await asyncio.gather(named("a"), named("b")), who.get()]

    assert run(program()) == ["a", "b", "nobody"]


def test_a_group_that_fails_cancels_its_tasks_in_the_same_order_in_every_process(run: Run) -> None:
    ended: list[int] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(number)

    async def family() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(child(number))
            await asyncio.sleep(1)
            raise ValueError

    async def program() -> None:
        with pytest.raises(ExceptionGroup):
            await family()

    run(program())
    assert ended == sorted(ended)


def test_an_executors_call_is_made_on_this_thread_a_little_later(run: Run) -> None:
    import threading

    async def program() -> tuple[int, float]:
        began = now()
        ident = await asyncio.to_thread(threading.get_ident)
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)
        return ident, now() - began

    ident, took = run(program())
    assert ident == threading.get_ident()
    assert 0 < took <= 0.01


# Virtual time


def test_a_day_passes_at_once(run: Run) -> None:
    async def program() -> int:
        beats = 0
        end = now() + 86_400
        while now() < end:
            await asyncio.sleep(1)
            beats += 1
        return beats

    began = time.monotonic()
    assert 86_200 < run(program()) <= 86_400
    assert time.monotonic() - began < 60  # a hang's bound, no speed


def test_thousands_of_deadlines_that_are_taken_back_do_not_pile_up(simulation: Simulation) -> None:
    async def program() -> int:
        for _ in range(20_000):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(0)
        return len(simulation.timeline._timers)

    assert simulation.run(program()) < 3_000


def test_time_goes_on_with_the_next_program(simulation: Simulation) -> None:
    async def program() -> float:
        await asyncio.sleep(10)
        return now()

    first = simulation.run(program())
    simulation.pass_time(5_000 * MS)
    assert simulation.run(program()) - first == pytest.approx(15, abs=0.003)


# What can never go on, and what nobody handled


def test_a_program_that_waits_for_nothing_is_told_who_waits(run: Run) -> None:
    async def program() -> None:
        async def forgotten() -> None:
            await asyncio.Event().wait()

        await asyncio.create_task(forgotten(), name="the forgotten one")

    with pytest.raises(Deadlock, match=r"2 tasks wait: .*the forgotten one \(.*forgotten line \d+\)"):
        run(program())


def test_a_loop_without_a_pause_is_told_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "LONGEST_INSTANT", 1_000)

    async def program() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Livelock, match="1000 turns"):
        run(program())


def test_exceptions_that_nobody_handles_fail_the_run(run: Run) -> None:
    async def program() -> str:
        async def fails() -> None:
            raise KeyError("in a task")

        asyncio.get_running_loop().call_soon(int, "in a callback")
        asyncio.create_task(fails())  # noqa: RUF006 - forgotten on purpose
        await asyncio.sleep(1)
        return "done"

    with pytest.raises(BaseExceptionGroup) as caught:
        run(program())
    assert [type(exc) for exc in caught.value.exceptions] == [ValueError, KeyError]
    assert "exception was never retrieved" in caught.value.exceptions[1].__notes__[0]


def test_they_are_told_beside_the_programs_own(run: Run) -> None:
    async def program() -> None:
        asyncio.get_running_loop().call_soon(int, "in a callback")
        await asyncio.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        run(program())
    assert "besides, nobody handled ValueError" in caught.value.__notes__[0]


def test_a_handler_of_the_program_takes_them(run: Run) -> None:
    seen: list[dict[str, Any]] = []

    async def program() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
        asyncio.get_running_loop().call_soon(int, "in a callback")
        await asyncio.sleep(1)

    run(program())
    assert isinstance(seen[0]["exception"], ValueError)


def test_what_a_program_leaves_behind_is_cancelled_in_the_order_in_which_it_was_made(run: Run) -> None:
    ended: list[Any] = []

    @asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(1)
            ended.append("resource")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append("generator")

    async def left(number: int) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append(number)

    async def holds() -> None:
        async with resource():
            await asyncio.sleep(1_000)

    kept = numbers()

    async def program() -> None:
        tasks = [asyncio.create_task(left(number)) for number in range(20)]
        tasks.append(asyncio.create_task(holds()))
        assert await anext(kept) == 1
        await asyncio.sleep(1)

    run(program())
    assert ended == [*range(20), "resource", "generator"]


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(lambda: asyncio.open_connection("127.0.0.1", 1), id="a connection"),
        pytest.param(lambda: asyncio.start_server(lambda *_: None, "127.0.0.1", 0), id="a server"),
        pytest.param(lambda: asyncio.create_subprocess_exec("true"), id="a process"),
        pytest.param(lambda: asyncio.get_running_loop().getaddrinfo("localhost", 1), id="a name"),
    ],
)
def test_input_and_output_are_refused_with_a_clear_word(run: Run, service: Callable[[], Any]) -> None:
    async def program() -> None:
        with pytest.raises(NotSimulated, match="does not exist in virtual time"):
            await service()

    run(program())


def test_another_thread_is_refused(run: Run) -> None:
    import concurrent.futures

    async def program() -> None:
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(loop.call_soon_threadsafe, print)
            with pytest.raises(NotSimulated, match="no other threads in virtual time"):
                asked.result()

    run(program())


def test_one_program_at_a_time(run: Run) -> None:
    async def inner() -> None:
        raise AssertionError("never reached")

    async def program() -> None:
        with pytest.raises(RuntimeError, match="one at a time"):
            run(inner())

    run(program())


def test_a_closed_loop_says_so(simulation: Simulation) -> None:
    async def program() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = simulation.run(program())
    assert loop.is_closed()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_soon(print)

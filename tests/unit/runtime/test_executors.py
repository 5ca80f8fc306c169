"""Blocking work goes to named pools, whose queues are bounded."""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from execactor.runtime import ActorSystem, BlockingPool, Executors, LoopActor, NotSimulated, PoolFull, Simulation


@pytest.fixture
def opened() -> Iterator[threading.Event]:
    """What jobs wait for."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def pool(opened: threading.Event) -> Iterator[BlockingPool]:
    pool = BlockingPool("journal", workers=1, capacity=2)
    yield pool
    opened.set()
    pool.shutdown()


def test_jobs_run_on_a_thread_of_that_name(pool):
    assert pool.submit(lambda: threading.current_thread().name).result(5).startswith("journal")


def test_one_worker_keeps_the_order(pool, opened):
    done: list[int] = []
    jobs = [pool.submit(opened.wait), *(pool.submit(done.append, number) for number in range(2))]
    opened.set()
    for job in jobs:
        job.result(5)
    assert done == [0, 1]


def test_a_full_queue_refuses_with_name_and_numbers(pool, opened):
    jobs = [pool.submit(opened.wait) for _ in range(3)]
    with pytest.raises(PoolFull, match=r"pool 'journal': 2 jobs wait already for its 1 threads"):
        pool.submit(print)
    found = pool.snapshot()
    assert (found.unfinished, found.refused) == (3, 1)
    opened.set()
    for job in jobs:
        job.result(5)
    assert pool.submit(lambda: "room again").result(5) == "room again"


def test_a_job_that_raises_raises_at_whoever_waits_and_makes_room(pool):
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result(5)


async def test_awaited_on_a_loop_it_does_not_hold_it(pool, opened):
    job = pool.run(opened.wait)
    await asyncio.sleep(0)
    assert not job.done()
    opened.set()
    assert await asyncio.wait_for(job, 5) is True


async def test_a_cancelled_job_that_has_not_begun_is_left_out_and_makes_room(pool, opened):
    done: list[str] = []
    running, waiting = pool.run(opened.wait), pool.run(done.append, "waited")
    waiting.cancel()
    await asyncio.sleep(0)
    opened.set()
    await running
    assert await pool.run(lambda: "next") == "next"
    assert done == []


class Archivist(LoopActor):
    """Compresses in a pool what it is told, and keeps what came back."""

    def __init__(self, pool: BlockingPool) -> None:
        super().__init__()
        self.pool = pool
        self.kept: list[Any] = []

    def on_receive(self, message: Any) -> Any:
        match message:
            case ("job", call):
                self.pipe_to_self(self.pool.run(call), lambda found: ("found", found), lambda exc: ("failed", exc))
            case "kept":
                return self.kept
            case _:
                self.kept.append(message)
        return None


async def test_an_actor_gets_the_outcome_as_a_message(pool):
    system = ActorSystem()
    ref = system.start(Archivist, pool)
    ref.tell(("job", lambda: 42))
    ref.tell(("job", lambda: 1 / 0))
    while len(kept := await ref.ask("kept", block=False)) < 2:
        await asyncio.sleep(0)
    assert kept[0] == ("found", 42)
    assert isinstance(kept[1][1], ZeroDivisionError)
    ref.abort()


async def test_processes_run_beside_this_one():
    pool = BlockingPool("model", kind="processes", capacity=1)
    try:
        assert await pool.run(os.getpid) != os.getpid()
    finally:
        pool.shutdown()


def test_after_the_shutdown_nothing_is_taken_and_what_waited_is_cancelled(pool, opened):
    running, waiting = pool.submit(opened.wait), pool.submit(print)
    pool.shutdown(wait=False)
    opened.set()
    assert running.result(5) is True
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(print)
    assert pool.snapshot().unfinished == 0


@pytest.mark.parametrize(("workers", "capacity"), [(0, 1), (1, -1)])
def test_a_pool_without_workers_or_room_is_refused(workers, capacity):
    with pytest.raises(ValueError, match="pool 'x' needs workers >= 1 and capacity >= 0"):
        BlockingPool("x", workers=workers, capacity=capacity)


class TestExecutors:
    def test_pools_have_names_of_their_own(self):
        executors = Executors()
        pool = executors.open("files", workers=2, capacity=3)
        assert executors["files"] is pool
        with pytest.raises(ValueError, match="'files'"):
            executors.open("files")
        assert [(each.name, each.kind, each.workers, each.capacity) for each in executors.snapshot()] == [
            ("files", "threads", 2, 3)
        ]
        executors.shutdown()

    def test_they_end_with_their_system(self):
        system = ActorSystem.in_thread()
        pool = system.executors.open("files")
        pool.submit(print).result(5)
        system.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            pool.submit(print)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("files")]

    def test_there_are_none_in_virtual_time(self):
        async def program() -> None:
            with pytest.raises(NotSimulated, match="threads"):
                _ = ActorSystem().executors

        Simulation(seed=1).run(program())

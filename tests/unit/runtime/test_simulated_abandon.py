"""A program ended as `kill -9` ends one: nothing of it happens any more, and another goes on where time stands."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pykka
import pytest

from execactor.runtime import Abandoned, ActorSystem, LoopActor, Simulation

SECOND = 1_000_000_000


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Simulation(1, kept=1_000) as simulation:
        yield simulation


class Program:
    """Tasks, generators, timers and an actor, each of which would write into `done` when it ends."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.done: list[str] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.system = ActorSystem()
        self.ref = self.system.start(Watcher, self.done, name="watcher")
        self.tasks = [asyncio.create_task(self.wait()), asyncio.create_task(self.read())]
        asyncio.create_task(self.wait())  # noqa: RUF006 - nobody holds it
        loop.call_later(5, self.done.append, "timer")
        loop.run_in_executor(None, self.done.append, "executor")
        await asyncio.sleep(100)

    async def wait(self) -> None:
        try:
            await asyncio.sleep(50)
        finally:
            self.done.append("wait")
            await asyncio.sleep(1)
            self.done.append("wait on")

    async def read(self) -> None:
        async for _ in self.numbers():
            await asyncio.get_running_loop().create_future()

    async def numbers(self) -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            self.done.append("numbers")


class Watcher(LoopActor):
    def __init__(self, done: list[str]) -> None:
        super().__init__(done)
        self.done = done

    def on_start(self) -> None:
        self.timers.every("tick", SECOND, "tick")

    def on_receive(self, message: Any) -> None:
        self.done.append(str(message))

    def on_stop(self) -> None:
        self.done.append("stop")


def killed(program: Program, after_s: float = 2.5) -> None:
    """Run it and end it from the outside."""
    simulation = program.simulation
    simulation.world_at(simulation.timeline.now_ns + int(after_s * 1e9), simulation.abandon)
    with pytest.raises(Abandoned, match="virtual time"):
        simulation.run(program.run())


def test_nothing_of_it_happens_any_more(simulation: Simulation) -> None:
    program = Program(simulation)
    killed(program)
    assert program.done == ["executor", "tick", "tick"]
    count = simulation.log.counts.total()
    simulation.pass_time(1_000 * SECOND)
    del program.tasks, program.system
    gc.collect()
    assert program.done == ["executor", "tick", "tick"]
    assert simulation.log.counts.total() == count
    assert not pykka.ActorRegistry.get_by_class(Watcher)


def test_the_next_program_goes_on_where_time_stands(simulation: Simulation) -> None:
    began = simulation.timeline.now_ns
    first, second = Program(simulation), Program(simulation)
    killed(first)
    killed(second)
    assert second.done == ["executor", "tick", "tick"]
    assert simulation.timeline.now_ns - began == 5 * SECOND

    async def last() -> str:
        await asyncio.sleep(1_000)
        return "done"

    assert simulation.run(last()) == "done"
    assert first.done == second.done == ["executor", "tick", "tick"]


def test_what_it_still_tries_reaches_nobody(simulation: Simulation) -> None:
    done: list[str] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        clock = simulation.clock
        ref = ActorSystem().start(Watcher, done)
        await asyncio.sleep(0.5)
        simulation.abandon()
        loop.call_soon(done.append, "soon")
        loop.call_soon_threadsafe(done.append, "threadsafe")
        loop.call_later(1, done.append, "later")
        clock.call_at(0, lambda: done.append("clock"))
        loop.run_in_executor(None, done.append, "executor")
        loop.call_exception_handler({"message": "who hears it?"})
        ref.tell("told")
        done.append("the callback that runs now ends")
        asyncio.create_task(other())  # noqa: RUF006
        await asyncio.sleep(0)
        done.append("and not the one after it")

    async def other() -> None:
        done.append("task")

    with pytest.raises(Abandoned):
        simulation.run(program())
    simulation.pass_time(10 * SECOND)
    assert done == ["the callback that runs now ends"]


def test_what_waits_in_mailboxes_is_not_handled(simulation: Simulation) -> None:
    done: list[str] = []

    class Fatal(Watcher):
        def on_receive(self, message: Any) -> None:
            super().on_receive(message)
            if message == "die":
                simulation.abandon()

    async def program() -> None:
        refs = [ActorSystem.current().start(Fatal, done) for _ in range(5)]
        await asyncio.sleep(0.1)
        for ref in refs:
            ref.tell("die")
            ref.tell("never handled")
        await asyncio.sleep(1)

    with pytest.raises(Abandoned):
        simulation.run(program())
    assert done == ["die"]
    assert simulation.log.counts["handle"] == 1


def test_at_its_very_end_it_is_abandoned_too(simulation: Simulation) -> None:
    async def program() -> None:
        simulation.abandon()

    with pytest.raises(Abandoned):
        simulation.run(program())


def test_while_it_ends_it_is_abandoned_too(simulation: Simulation) -> None:
    done: list[str] = []

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(10)
            done.append("ended")

    async def program() -> None:
        asyncio.create_task(slow_to_end())  # noqa: RUF006
        await asyncio.sleep(1)

    simulation.world_at(simulation.timeline.now_ns + 5 * SECOND, simulation.abandon)
    with pytest.raises(Abandoned):
        simulation.run(program())
    assert done == []


def test_the_world_goes_on(simulation: Simulation) -> None:
    seen: list[int] = []

    def beat(left: int) -> None:
        seen.append(left)
        if left:
            simulation.world_at(simulation.timeline.now_ns + SECOND, beat, left - 1)

    beat(5)
    killed(Program(simulation))
    assert seen == [5, 4, 3]
    simulation.pass_time(10 * SECOND)
    assert seen == [5, 4, 3, 2, 1, 0]


def test_a_mistake_of_the_world_ends_the_run(simulation: Simulation) -> None:
    simulation.world_at(0, int, "no number")
    with pytest.raises(ValueError, match="no number"):
        simulation.run(asyncio.sleep(1))


def test_where_it_was_abandoned_shows_in_the_hash() -> None:
    def digest(after_s: float) -> str:
        with Simulation(1) as simulation:
            killed(Program(simulation), after_s)
            return simulation.log.digest

    assert digest(2.5) == digest(2.5) != digest(2.6)


def test_abandoning_nothing_does_no_harm(simulation: Simulation) -> None:
    simulation.abandon()
    assert simulation.run(asyncio.sleep(1, "done")) == "done"


def test_closing_releases_what_the_dead_left(recwarn: pytest.WarningsRecorder) -> None:
    with Simulation(1) as simulation:
        program = Program(simulation)

        def kill() -> None:
            program.tasks.append(loop.create_task(program.wait()))  # which never begins
            simulation.abandon()

        async def run() -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            await program.run()

        loop: asyncio.AbstractEventLoop
        simulation.world_at(simulation.timeline.now_ns + 2 * SECOND, kill)
        with pytest.raises(Abandoned):
            simulation.run(run())
    simulation.close()
    gc.collect()
    assert all(task.get_coro().cr_frame is None for task in program.tasks)  # type: ignore[union-attr]
    assert "timer" not in program.done
    assert not recwarn.list

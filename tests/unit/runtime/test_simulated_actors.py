"""Actors in virtual time: the seed decides who is served, and what fails; the event log tells two runs apart."""

import asyncio
import contextlib
import itertools
import warnings
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pykka
import pytest

from execactor.runtime import (
    ActorSystem,
    EventLog,
    InjectedFailure,
    Lane,
    LoopActor,
    ManualClock,
    RandomStreams,
    Simulation,
    Supervision,
)
from execactor.runtime.future import LoopFuture

MS = 1_000_000
SECOND = 1_000 * MS


class Note(msgspec.Struct, frozen=True):
    text: str


class Urgent(msgspec.Struct, frozen=True):
    lane = Lane.URGENT

    text: str


class Tick(msgspec.Struct, frozen=True):
    pass


class Listener(LoopActor):
    """Writes down what it gets, in a list that all share."""

    supervision = Supervision(max_restarts=10_000, backoff_min_ns=MS, backoff_max_ns=MS)

    def __init__(self, name: str, heard: list[str]) -> None:
        super().__init__(name, heard)
        self.name = name
        self.heard = heard

    def on_receive(self, message: Any) -> None:
        self.heard.append(f"{self.name}{message.text}")


class Waiting(Listener):
    async def on_receive(self, message: Any) -> None:  # type: ignore[override]  # pykka's is sync
        await asyncio.sleep(0.001)
        self.heard.append(f"{self.name}{message.text}")


class Clockwork(LoopActor):
    """Ticks once a second."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0

    def on_start(self) -> None:
        self.timers.every("tick", SECOND, Tick())

    def on_receive(self, message: Any) -> int:
        self.ticks += isinstance(message, Tick)
        return self.ticks


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Simulation(1, kept=10_000) as simulation:
        yield simulation


async def stopped(system: ActorSystem) -> None:
    assert await system.stop(system.refs, SECOND) == []


# Interleaving


def heard_by(seed: int, *classes: type[Listener]) -> list[str]:
    """What actors a, b and c write down of three notes each, told in turn."""
    heard: list[str] = []

    async def program() -> None:
        system = ActorSystem()
        refs = [system.start(kind, name, heard, name=name) for name, kind in zip("abc", classes, strict=True)]
        for text in "123":
            for ref in refs:
                ref.tell(Note(text))
        await asyncio.sleep(0.1)
        await stopped(system)

    with Simulation(seed) as simulation:
        simulation.run(program())
    return heard


def test_the_seed_decides_who_is_served_next() -> None:
    orders = [tuple(heard_by(seed, Listener, Listener, Listener)) for seed in range(200)]
    assert orders == [tuple(heard_by(seed, Listener, Listener, Listener)) for seed in range(200)]
    assert len(set(orders)) > 80
    assert {order[0] for order in orders} == {"a1", "b1", "c1"}
    for order in orders:
        for name in "abc":
            assert [each for each in order if each[0] == name] == [f"{name}1", f"{name}2", f"{name}3"]


def test_async_handlers_interleave_too() -> None:
    orders = {tuple(heard_by(seed, Waiting, Listener, Waiting)) for seed in range(100)}
    assert len(orders) > 12


@pytest.mark.parametrize("seed", range(10))
def test_what_is_urgent_still_goes_first(seed: int) -> None:
    heard: list[str] = []

    async def program() -> None:
        system = ActorSystem()
        refs = [system.start(Listener, name, heard, name=name) for name in "abc"]
        await asyncio.sleep(0.1)
        for ref in refs:
            ref.tell(Note("1"))
            ref.tell(Urgent("!"))
        await asyncio.sleep(0.1)
        await stopped(system)

    with Simulation(seed) as simulation:
        simulation.run(program())
    assert sorted(heard[:3]) == ["a!", "b!", "c!"]


# Time


def test_a_day_of_timers_passes_at_once(simulation: Simulation) -> None:
    async def program() -> int:
        system = ActorSystem()
        ref = system.start(Clockwork)
        await asyncio.sleep(86_400.5)
        ticks: int = await ref.ask("how many", block=False)
        await stopped(system)
        return ticks

    assert simulation.run(program()) == 86_400


def test_a_wall_clock_that_jumps_moves_no_timer(simulation: Simulation) -> None:
    async def program() -> tuple[int, int]:
        system = ActorSystem()
        clock = system.clock
        assert clock is simulation.clock
        ref = system.start(Clockwork)
        before = clock.now_ns(), clock.monotonic_ns()
        simulation.jump_wall_clock(-3_600 * SECOND)
        await asyncio.sleep(10.5)
        passed = clock.now_ns() - before[0], clock.monotonic_ns() - before[1]
        assert await ref.ask("how many", block=False) == 10
        assert simulation.now_ns() == clock.now_ns()
        await stopped(system)
        return passed

    wall, monotonic = simulation.run(program())
    assert wall == monotonic - 3_600 * SECOND
    assert 10.5 * SECOND <= monotonic <= 10.503 * SECOND


def test_a_clock_of_its_own_serves_a_system_too(simulation: Simulation) -> None:
    async def program() -> None:
        clock = ManualClock()
        assert ActorSystem(clock).clock is clock

    simulation.run(program())


def test_there_is_no_clock_without_a_program(simulation: Simulation) -> None:
    with pytest.raises(RuntimeError, match="no program runs"):
        simulation.clock  # noqa: B018 - reading it is the test


# Failures


async def many_notes(heard: list[str], kind: type[Listener] = Listener) -> None:
    system = ActorSystem()
    refs = [system.start(kind, name, heard, name=name) for name in "abc"]
    for number in range(200):
        for ref in refs:
            ref.tell(Note(str(number)))
        await asyncio.sleep(0.01)
    await stopped(system)


@pytest.mark.parametrize("kind", [Listener, Waiting])
def test_a_share_of_the_handlings_fails_before_or_after_the_handler(
    simulation: Simulation, kind: type[Listener]
) -> None:
    simulation.failures.share = 0.2
    simulation.failures.concerns = lambda actor, _message: actor != "c"
    heard: list[str] = []
    simulation.run(many_notes(heard, kind))
    failed = Counter(line.split()[2] for line in simulation.log.story() if line.split()[1] == "failure")
    assert set(failed) == {"a", "b"}
    assert 40 < failed["a"] < 130
    assert sum(note[0] == "c" for note in heard) == 200
    assert 160 < sum(note[0] == "a" for note in heard) < 200  # the half that failed afterwards was heard


def test_restarts_fail_too(simulation: Simulation) -> None:
    simulation.failures.share = 0.5
    simulation.failures.concerns = lambda _actor, message: isinstance(message, InjectedFailure) or "7" in message.text
    simulation.run(many_notes([]))
    lines = [line.split()[1:4] for line in simulation.log.story()]
    after_a_restart = [later[0] for earlier, later in itertools.pairwise(lines) if earlier[0] == "restart"]
    assert "failure" in after_a_restart


def test_an_async_handler_that_is_cancelled_before_its_first_step_ends_in_silence(simulation: Simulation) -> None:
    async def program() -> None:
        system = ActorSystem()
        ref = system.start(Waiting, "a", [], name="a")
        await asyncio.sleep(0.1)
        ref.tell(Note("1"))
        system.dispatcher.flush()
        ref.abort()  # type: ignore[attr-defined]  # a LoopRef
        await asyncio.sleep(0.1)

    with warnings.catch_warnings(action="error"):
        simulation.run(program())


def test_an_asker_gets_the_failure(simulation: Simulation) -> None:
    simulation.failures.share = 1.0

    async def program() -> None:
        system = ActorSystem()
        ref = system.start(Clockwork)
        with pytest.raises(InjectedFailure):
            await ref.ask("how many", block=False)
        await stopped(system)

    simulation.run(program())


def test_a_proxys_call_is_a_handling(simulation: Simulation) -> None:
    async def program() -> None:
        system = ActorSystem()
        proxy = system.start(Clockwork, name="clockwork").proxy()
        assert await proxy.ticks == 0
        await stopped(system)

    simulation.run(program())
    assert any("handle clockwork ProxyGetAttr" in line for line in simulation.log.story())


def test_actors_that_a_program_leaves_are_gone_from_pykkas_registry(simulation: Simulation) -> None:
    async def program() -> None:
        system = ActorSystem()
        system.start(Clockwork)
        await asyncio.sleep(0.1)
        assert pykka.ActorRegistry.get_by_class(Clockwork)

    simulation.run(program())
    assert not pykka.ActorRegistry.get_by_class(Clockwork)


# Random numbers and the log


def test_streams_are_independent_of_each_other() -> None:
    one, other = RandomStreams(5), RandomStreams(5)
    first = [one.of("a").random() for _ in range(5)]
    other.of("z").random()
    drawn = [(other.of("b").random(), other.of("a").random())[1] for _ in range(5)]
    assert drawn == first
    assert first != [RandomStreams(6).of("a").random() for _ in range(5)]
    assert first[0] == pytest.approx(0.4, abs=0.6)


class Kind(msgspec.Struct, frozen=True):
    price: Any


def digest(*subjects: Any, kind: str = "handle", at: int = 1, name: str = "a") -> str:
    log = EventLog()
    for subject in subjects:
        log.record(kind, at, name, subject)
    return log.digest


@pytest.mark.parametrize(
    "other",
    [
        digest(Kind(Decimal("1.50"))),
        digest(Kind(Decimal("1.5")), kind="failure"),
        digest(Kind(Decimal("1.5")), at=2),
        digest(Kind(Decimal("1.5")), name="b"),
        digest(Note("1.5")),
        digest(Kind(Decimal("1.5")), Kind(Decimal("1.5"))),
        digest(),
    ],
)
def test_whatever_differs_shows_in_the_hash(other: str) -> None:
    assert digest(Kind(Decimal("1.5"))) != other


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(LoopFuture, id="a future"),
        pytest.param(object, id="an object"),
        pytest.param(lambda: lambda: None, id="a function"),
        pytest.param(lambda: {object(): 1}, id="an object as a key"),
        pytest.param(lambda: 2**200, id="a number that is too large"),
        pytest.param(lambda: ValueError(object()), id="an exception"),
        pytest.param(lambda: {"c", "a", "b"}, id="a set"),
        pytest.param(lambda: Lane.BULK, id="an enum"),
    ],
)
def test_no_address_gets_in(make: Any) -> None:
    kept = [make() for _ in range(2)]
    assert digest(Kind(kept[0])) == digest(Kind(kept[1]))


def test_what_holds_itself_counts_by_its_class() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert digest(Kind(endless)) == digest(Kind([endless]))


def test_the_story_reads_as_lines() -> None:
    log = EventLog(kept=2)
    for text in ("one", "two", "three"):
        log.record("handle", 1_500_000, "a", Note(text))
    assert list(log.story()) == [
        "1.500000 handle a Note {'text': 'two'}",
        "1.500000 handle a Note {'text': 'three'}",
    ]
    assert log.counts == {"handle": 3}
    with contextlib.suppress(StopIteration):
        assert next(iter(EventLog().story())) is None

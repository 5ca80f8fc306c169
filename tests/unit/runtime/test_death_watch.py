"""Who watches an actor is told once, and only once, that it is dead for good."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from family import SECOND, Fail, Member

from execactor.runtime import ActorSystem, LoopActor, ManualClock, Supervision, Terminated


class Watcher(Member):
    """Watches whom it is told, unless told so in a pair with False; writes down who is dead."""

    def on_receive(self, message: Any) -> Any:
        match message:
            case pykka.ActorRef():
                self.watch(message)
            case (pykka.ActorRef() as ref, False):
                return self.unwatch(ref)
            case Terminated(ref, reason):
                self.note(f"{ref.name} {reason}")
            case _:
                return super().on_receive(message)
        return None

    def on_start(self) -> None:
        pass

    def on_stop(self) -> None:
        pass


class Mortal(LoopActor):
    supervision = Supervision(max_restarts=1, within_ns=10**18)

    def on_receive(self, message: Any) -> Any:
        if message == Fail():
            raise RuntimeError("as told")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def watcher(system: ActorSystem, log: list[str]) -> pykka.ActorRef[Any]:
    return system.start(Watcher, "w", log, name="w")


@pytest.fixture
def mortal(system: ActorSystem) -> pykka.ActorRef[Any]:
    return system.start(Mortal, name="m")


def fail_twice(ref: pykka.ActorRef[Any]) -> None:
    ref.tell(Fail())
    ref.tell(Fail())


@pytest.mark.parametrize(
    ("ending", "then"),
    [
        (lambda ref: ref.stop(block=False), "w: m stopped"),
        (lambda ref: ref.abort(), "w: m stopped"),
        (fail_twice, "w: m failed"),
    ],
    ids=["a stop", "an abort", "too many failures"],
)
@pytest.mark.parametrize("watched_first", [True, False], ids=["watched", "dead already"])
def test_each_end_is_told_once_also_when_it_came_before_the_watch(
    system: ActorSystem,
    watcher: Any,
    mortal: Any,
    log: list[str],
    ending: Callable[[Any], object],
    then: str,
    watched_first: bool,
) -> None:
    if watched_first:
        watcher.tell(mortal)
        system.dispatcher.flush()
    ending(mortal)
    system.dispatcher.flush()
    if not watched_first:
        watcher.tell(mortal)
    system.dispatcher.flush()
    assert log == [then]
    system.dispatcher.flush()
    assert log == [then]
    assert "Terminated" not in {type(letter.message).__name__ for letter in system.dead_letters}


def test_a_restart_is_no_death(system: ActorSystem, watcher: Any, mortal: Any, log: list[str]) -> None:
    watcher.tell(mortal)
    mortal.tell(Fail())
    system.dispatcher.flush()
    assert log == []
    mortal.tell(Fail())
    system.dispatcher.flush()
    assert log == ["w: m failed"]


def test_watching_twice_is_watching_once(system: ActorSystem, watcher: Any, mortal: Any, log: list[str]) -> None:
    watcher.tell(mortal)
    watcher.tell(mortal)
    mortal.stop(block=False)
    system.dispatcher.flush()
    assert log == ["w: m stopped"]


def test_a_watch_outlives_restarts_of_the_watcher(
    system: ActorSystem, watcher: Any, mortal: Any, log: list[str]
) -> None:
    watcher.tell(mortal)
    watcher.tell(Fail())
    system.dispatcher.flush()
    mortal.stop(block=False)
    system.dispatcher.flush()
    assert log[-1] == "w: m stopped"


def test_a_notice_waits_out_the_backoff_of_the_watcher(
    system: ActorSystem, clock: ManualClock, mortal: Any, log: list[str]
) -> None:
    class Patient(Watcher):
        supervision = Supervision(backoff_min_ns=SECOND)

    watcher = system.start(Patient, "w", log)
    watcher.tell(mortal)
    watcher.tell(Fail())
    system.dispatcher.flush()
    mortal.stop(block=False)
    system.dispatcher.flush()
    assert "w: m stopped" not in log
    clock.advance(SECOND)
    system.dispatcher.flush()
    assert log[-1] == "w: m stopped"


def test_a_notice_whose_handler_fails_comes_again(system: ActorSystem, mortal: Any, log: list[str]) -> None:
    class Clumsy(Watcher):
        def on_receive(self, message: Any) -> Any:
            if isinstance(message, Terminated) and "w: clumsy" not in log:
                self.note("clumsy")
                raise RuntimeError("dropped it")
            return super().on_receive(message)

    watcher = system.start(Clumsy, "w", log)
    watcher.tell(mortal)
    mortal.stop(block=False)
    system.dispatcher.flush()
    assert log[0] == "w: clumsy"
    assert log[-1] == "w: m stopped"


def test_after_unwatch_nothing_is_told_even_if_it_waited_already(
    system: ActorSystem, watcher: Any, mortal: Any, log: list[str]
) -> None:
    class Deaf(Watcher):
        def on_receive(self, message: Any) -> Any:
            if message == "end":
                mortal.abort()
                return self.unwatch(mortal), self.unwatch(mortal)
            return super().on_receive(message)

    deaf = system.start(Deaf, "d", log)
    deaf.tell(mortal)
    answer = deaf.ask("end", block=False)
    system.dispatcher.flush()
    assert answer.get() == (True, False)
    assert log == []


def test_it_may_be_watched_again_after_unwatch(system: ActorSystem, watcher: Any, mortal: Any, log: list[str]) -> None:
    for message in (mortal, (mortal, False), mortal):
        watcher.tell(message)
    mortal.stop(block=False)
    system.dispatcher.flush()
    assert log == ["w: m stopped"]


def test_a_notice_goes_before_everything_that_waits(
    system: ActorSystem, watcher: Any, mortal: Any, log: list[str]
) -> None:
    watcher.tell(mortal)
    system.dispatcher.flush()
    watcher.tell("ordinary")
    mortal.abort()
    system.dispatcher.flush()
    assert log == ["w: m stopped", "w: ordinary"]


def test_a_dead_watcher_is_told_nothing_and_leaves_nothing_behind(
    system: ActorSystem, watcher: Any, mortal: Any
) -> None:
    watcher.tell(mortal)
    system.dispatcher.flush()
    watcher.abort()
    mortal.abort()
    system.dispatcher.flush()
    assert not system.dead_letters.counts


def test_watchers_that_come_and_go_are_forgotten(system: ActorSystem, mortal: Any, log: list[str]) -> None:
    for _ in range(100):
        watcher = system.start(Watcher, "w", log)
        watcher.tell(mortal)
        watcher.stop(block=False)
        system.dispatcher.flush()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Watcher)]


@pytest.mark.parametrize("closed", [False, True], ids=["a loop that runs", "a loop that is closed"])
async def test_actors_of_other_systems_can_be_watched(
    system: ActorSystem, watcher: Any, log: list[str], closed: bool
) -> None:
    other = ActorSystem.in_thread()
    far = other.start(Mortal, name="far")
    try:
        if closed:
            other.close()
        watcher.tell(far)
        system.dispatcher.flush()
        if not closed:
            await far.stop(block=False)
        async with asyncio.timeout(10):
            while not log:
                await asyncio.sleep(0.001)
        assert log == ["w: far stopped"]
    finally:
        other.close()
        pykka.ActorRegistry.unregister(far)  # nobody can stop an actor whose loop is closed


class Thread(pykka.ThreadingActor):
    pass


@pytest.mark.usefixtures("stop_all")
def test_only_loop_actors_and_only_others_can_be_watched(system: ActorSystem, watcher: Any) -> None:
    own, threaded = watcher.ask(watcher, block=False), watcher.ask(Thread.start(), block=False)
    system.dispatcher.flush()
    with pytest.raises(ValueError, match="cannot watch itself"):
        own.get(timeout=0)
    with pytest.raises(TypeError, match="only LoopActors can be watched"):
        threaded.get(timeout=0)

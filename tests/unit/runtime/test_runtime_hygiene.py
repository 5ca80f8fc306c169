"""Garbage collection and thread switching are set as asked, and can be put back."""

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, IdleCollector, LoopActor, ThreadTimes, freeze_garbage, set_switch_interval
from execactor.runtime.hygiene import _thread_times_ns


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.enable()
    sys.setswitchinterval(interval)


def test_frozen_garbage_is_collected_only_by_hand():
    collect = freeze_garbage()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert collect() >= 1


def test_the_switch_interval_is_set_and_the_former_one_returned():
    former = sys.getswitchinterval()
    assert set_switch_interval(0.001) == former
    assert sys.getswitchinterval() == pytest.approx(0.001)


S = 1_000_000_000


class TestIdleCollector:
    """Once per minute of the manual clock, when idle; after ten minutes at the latest."""

    @pytest.fixture
    def collector(self, system: ActorSystem) -> Iterator[IdleCollector]:
        collector = IdleCollector(system)
        collector.start()
        yield collector
        collector.stop()

    def test_it_takes_over_from_the_automatic_collection_and_gives_it_back(self, collector):
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        collector.stop()
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0

    def test_it_collects_once_per_interval(self, collector, clock):
        gone = weakref.ref(InACycle())
        assert gone() is not None
        clock.advance(60 * S - 1)
        assert collector.pauses.count == 0
        clock.advance(1)
        assert collector.pauses.count == 1
        assert gone() is None
        clock.advance(120 * S)
        assert collector.pauses.count == 3

    def test_it_waits_while_something_is_queued(self, system, collector, clock):
        ref = system.start(Worker)
        ref.tell("x")
        clock.advance(90 * S)
        assert collector.pauses.count == 0
        while not system.dispatcher.flush():
            pass
        clock.advance(1 * S)
        assert collector.pauses.count == 1

    def test_it_waits_until_it_is_allowed_but_not_for_ever(self, system, clock):
        collector = IdleCollector(system, allowed=lambda: False)
        collector.start()
        clock.advance(599 * S)
        assert collector.pauses.count == 0
        clock.advance(1 * S)
        assert collector.pauses.count == 1
        collector.stop()

    def test_a_question_that_fails_means_not_now(self, system, clock, caplog):
        collector = IdleCollector(system, allowed=lambda: 1 / 0 > 0)
        collector.start()
        clock.advance(60 * S)
        assert "could not be told" in caplog.text
        clock.advance(540 * S)
        assert collector.pauses.count == 1
        collector.stop()

    def test_after_a_stop_it_collects_no_more(self, collector, clock):
        collector.stop()
        clock.advance(1_000 * S)
        assert collector.pauses.count == 0

    @pytest.mark.parametrize(("interval_ns", "longest_ns"), [(0, 1), (2, 1)])
    def test_crossed_intervals_are_refused(self, system, interval_ns, longest_ns):
        with pytest.raises(ValueError, match="interval_ns"):
            IdleCollector(system, interval_ns=interval_ns, longest_ns=longest_ns)


class InACycle:
    """Only a collection ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the time of each thread")
class TestThreadTimes:
    def test_a_thread_that_computes_is_busy_and_one_that_waits_is_not(self, clock):
        times = ThreadTimes(clock)
        ended = threading.Event()

        def compute() -> None:
            begun = time.thread_time_ns()
            while time.thread_time_ns() - begun < 50_000_000:
                pass
            ended.wait()

        threads = [
            threading.Thread(target=compute, name="computing"),
            threading.Thread(target=ended.wait, name="waiting"),
        ]
        for thread in threads:
            thread.start()
        while sum(_thread_times_ns().get(thread.native_id, 0) for thread in threads) < 40_000_000:
            time.sleep(0)
        clock.advance(100_000_000)
        busy = times.busy(threshold=0.2)
        ended.set()
        for thread in threads:
            thread.join()
        assert [each.name for each in busy] == ["computing"]
        assert 0.3 <= busy[0].share <= 0.7

    def test_the_loop_s_own_thread_is_left_out(self, clock):
        times = ThreadTimes(clock)
        begun = time.thread_time_ns()
        while time.thread_time_ns() - begun < 30_000_000:
            pass
        clock.advance(30_000_000)
        assert "MainThread" not in [each.name for each in times.busy()]

    def test_no_time_no_shares(self, clock):
        assert ThreadTimes(clock).busy() == []


URGENT = type("Urgent", (), {"lane": 1})()


class Worker(LoopActor):
    """Does what its message says, in each way an actor can."""

    def on_receive(self, message: str) -> Any:
        match message:
            case "timers":
                self.timers.once("once", 0, "fired")
                self.timers.once("replaced", 10**12, "never")
                self.timers.once("replaced", 10**12, "never")
                self.timers.cancel("replaced")
                self.timers.every("every", 1, "tick")
            case "tasks":
                self.pipe_to_self(asyncio.sleep(0), lambda _: "piped", lambda _: "failed")
                self.spawn(asyncio.sleep(0))
            case "async":
                return asyncio.sleep(0)
            case "fail":
                self.actor_ref.tell(URGENT)  # ends the visit at this very message
                raise ValueError
        return message


async def ask_and_fail(ref: pykka.ActorRef[Any]) -> None:
    with contextlib.suppress(ValueError):
        await ref.ask("fail", block=False)


async def start_and_stop(ref: pykka.ActorRef[Any]) -> None:
    other = Worker.start()
    for message in ("timers", "tasks", "x"):
        other.tell(message)
    await other.stop(block=False)


async def crash(ref: pykka.ActorRef[Any]) -> None:
    ref.tell("fail")
    await ref.ask("x", block=False)


async def ask_a_mapped_answer(ref: pykka.ActorRef[Any]) -> None:
    await ref.ask("x", block=False).map(str)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda ref: ref.ask("x", block=False), id="an ask"),
        pytest.param(lambda ref: ref.ask("timers", block=False), id="timers"),
        pytest.param(lambda ref: ref.ask("tasks", block=False), id="tasks"),
        pytest.param(lambda ref: ref.ask("async", block=False), id="an async handler"),
        pytest.param(lambda ref: ref.call("x", timeout_ns=10**12), id="a call"),
        pytest.param(ask_a_mapped_answer, id="a derived future"),
        pytest.param(ask_and_fail, id="a failing ask"),
        pytest.param(crash, id="a restart"),
        pytest.param(start_and_stop, id="a start and stop"),
    ],
)
async def test_with_the_collector_off_nothing_is_left_behind_by(work):
    """The engine runs without automatic collection: a reference cycle per message would be a leak."""
    system = ActorSystem()
    ref = system.start(Worker)
    logging.disable()  # pytest keeps log records, and these keep tracebacks
    try:
        await ref.ask("x", block=False)
        gc.collect()
        gc.disable()
        for _ in range(3):
            await work(ref)
            await asyncio.sleep(0)
        system.dispatcher.flush()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert gc.collect() == 0
    finally:
        logging.disable(logging.NOTSET)
        ref.abort()

"""Garbage collection and thread switching are set as asked, and can be put back."""

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor, freeze_garbage, set_switch_interval


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

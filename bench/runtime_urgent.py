"""An urgent message into an overloaded system: with the mailbox's lanes, and with one FIFO queue as the contender.

100 actors get 60,000 quotes a second, each worth 20 µs of work: 1.2 times what a core can do, so the backlog grows.
Every 10 ms two of them get an urgent message. Its time runs from `tell` until its handler begins. `lanes` and `fifo`
tell it from the loop's own thread, `lanes_from_thread` from another one, with which the loop then shares the
interpreter.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec
import pykka
import uvloop

from execactor.runtime import ActorSystem, Lane, LoopActor, freeze_garbage, set_switch_interval

ACTORS = 100
QUOTES_PER_S = 60_000
WORK_NS = 20_000
URGENT_EVERY_S = 0.01
TICK_S = 0.001
SEED = 20261120
MAILBOXES = ("lanes", "fifo", "lanes_from_thread")


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Market data worth 20 µs of work."""

    lane: ClassVar[Lane] = Lane.BULK


class Urgent(msgspec.Struct, frozen=True, gc=False):
    """What must not wait."""

    lane: ClassVar[Lane] = Lane.URGENT
    told_ns: int


class FifoQuote(Quote):
    """The same without a lane of its own."""

    lane: ClassVar[Lane] = Lane.NORMAL


class FifoUrgent(Urgent):
    """The same without a lane of its own."""

    lane: ClassVar[Lane] = Lane.NORMAL


class Worker(LoopActor):
    """Burns time for quotes and notes how long urgent messages waited."""

    def __init__(self, waited_ns: list[int]) -> None:
        super().__init__()
        self.waited_ns = waited_ns

    def on_receive(self, message: Any) -> None:
        now_ns = time.perf_counter_ns()
        if isinstance(message, Urgent):
            self.waited_ns.append(now_ns - message.told_ns)
            return
        while time.perf_counter_ns() - now_ns < WORK_NS:
            pass


class _Overload:
    """Tells quotes at their rate, and urgent messages too unless a thread does."""

    def __init__(self, refs: list[pykka.ActorRef[Worker]], mailbox: str) -> None:
        self.refs = refs
        fifo = mailbox.startswith("fifo")
        self.quote: Quote = FifoQuote() if fifo else Quote()
        self.urgent: type[Urgent] = FifoUrgent if fifo else Urgent
        self.told_quotes = 0
        self.told_urgent = 0
        self.random = random.Random(SEED)

    def tell_two(self) -> None:
        for ref in self.random.sample(self.refs, 2):
            ref.tell(self.urgent(time.perf_counter_ns()))
            self.told_urgent += 1

    async def run(self, seconds: float, *, with_urgent: bool) -> None:
        started = time.perf_counter()
        urgent_due = started
        while (now := time.perf_counter()) - started < seconds:
            due = int((now - started) * QUOTES_PER_S)
            for number in range(self.told_quotes, due):
                self.refs[number % ACTORS].tell(self.quote)
            self.told_quotes = due
            if with_urgent and now >= urgent_due:
                urgent_due = now + URGENT_EVERY_S
                self.tell_two()
            await asyncio.sleep(TICK_S)


@contextmanager
def _told_by_a_thread(overload: _Overload) -> Iterator[None]:
    over = threading.Event()

    def tell() -> None:
        while not over.wait(URGENT_EVERY_S):
            overload.tell_two()

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def _until(reached: Callable[[], bool]) -> None:
    while True:
        if reached():
            return
        await asyncio.sleep(0.01)


async def _measure(mailbox: str, seconds: float) -> tuple[list[int], dict[str, float]]:
    system = ActorSystem()
    waited_ns: list[int] = []
    refs = [system.start(Worker, waited_ns) for _ in range(ACTORS)]
    await _Overload(refs, mailbox).run(0.2, with_urgent=True)
    freeze_garbage()
    await _until(lambda: not any(any(actor.depths) for actor in system.snapshot()))
    waited_ns.clear()
    overload = _Overload(refs, mailbox)
    if mailbox.endswith("from_thread"):
        with _told_by_a_thread(overload):
            await overload.run(seconds, with_urgent=False)
    else:
        await overload.run(seconds, with_urgent=True)
    backlog = sum(sum(actor.depths) for actor in system.snapshot())
    await _until(lambda: len(waited_ns) == overload.told_urgent)
    for ref in refs:
        ref.abort()
    return waited_ns, {"samples": len(waited_ns), "quotes_per_s": overload.told_quotes / seconds, "backlog": backlog}


def measure(mailbox: str, seconds: float) -> tuple[list[int], dict[str, float]]:
    """Nanoseconds that each urgent message waited, and the load. Raises ValueError for an unknown mailbox."""
    if mailbox not in MAILBOXES:
        raise ValueError(f"mailbox: one of {', '.join(MAILBOXES)}, not {mailbox!r}")
    set_switch_interval()
    return uvloop.run(_measure(mailbox, seconds))

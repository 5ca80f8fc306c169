"""What a snapshot tells of each actor."""

import asyncio
from typing import Any

import pytest

from execactor.runtime import ActorSnapshot, ActorSystem, ChildSpec, HandlerTimes, LoopActor, MailboxSpec, Supervisor
from execactor.runtime.introspection import FIRST_SAMPLE, HandlerClock

US = 1_000


class Worker(LoopActor):
    """Takes as long as its message says, in ns of the manual clock."""

    mailbox = MailboxSpec(normal_capacity=200)

    def on_receive(self, message: Any) -> Any:
        if message == "fail":
            raise ValueError("failed as told")
        if isinstance(message, asyncio.Event):
            return message.wait()
        self.clock.advance(message)  # type: ignore[attr-defined]  # a ManualClock
        return None


def of(system: ActorSystem, name: str) -> ActorSnapshot:
    return next(each for each in system.snapshot() if each.name == name)


def flushed(system: ActorSystem) -> None:
    while not system.dispatcher.flush():
        pass


def test_what_an_actor_has_done_and_what_waits_for_it(system):
    ref = system.start(Worker, name="worker")
    ref.tell(0)
    ref.tell("fail")
    flushed(system)
    ref.tell(0)
    assert of(system, "worker") == ActorSnapshot(
        name="worker",
        actor_class="Worker",
        depths=(0, 0, 1, 0),
        processed=2,
        restarts=1,
        last_error="ValueError: failed as told",
        phase="ready",
        parent=None,
        children=(),
        senders_waiting=0,
        dead_letters=1,
        handlers=None,
    )


def test_the_tree_of_supervisors_and_children(system):
    lower = ChildSpec(name="lower", actor_class=Supervisor, args=([ChildSpec(name="leaf", actor_class=Worker)],))
    system.start(Supervisor, [ChildSpec(name="first", actor_class=Worker), lower], name="upper")
    flushed(system)
    family = {each.name: (each.parent, each.children) for each in system.snapshot()}
    assert family == {
        "upper": (None, ("first", "lower")),
        "first": ("upper", ()),
        "lower": ("upper", ("leaf",)),
        "leaf": ("lower", ()),
    }


async def test_senders_who_wait_for_room(system):
    ref = system.start(Worker, name="worker")
    opened = asyncio.Event()
    ref.tell(opened)
    system.dispatcher.flush()
    for _ in range(200):
        ref.tell(0)
    sending = asyncio.ensure_future(ref.send(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    found = of(system, "worker")
    assert (found.phase, found.senders_waiting) == ("suspended", 1)
    opened.set()
    await sending


class TestHandlerTimes:
    def test_few_messages_are_timed(self, system):
        ref = system.start(Worker, name="worker")
        timed = []
        for number in range(1_000):
            ref.tell(0)
            flushed(system)
            handlers = of(system, "worker").handlers
            if handlers is not None and handlers.samples > len(timed):
                timed.append(number)
        assert timed == [64, 128, 256, 512, 768]

    def test_percentiles_mean_and_maximum_are_in_ns(self, system):
        ref = system.start(Worker, name="worker")
        for number in range(300):
            ref.tell(number * US)
            flushed(system)
        handlers = of(system, "worker").handlers
        assert handlers is not None
        assert (handlers.samples, handlers.p50_ns, handlers.p99_ns, handlers.max_ns) == (
            3,
            128 * US,
            256 * US,
            256 * US,
        )
        assert handlers.mean_ns == pytest.approx(448 * US / 3)

    def test_a_message_is_timed_by_itself_and_keeps_its_turn(self, system):
        seen: list[str] = []

        class Noting(Worker):
            def on_receive(self, message: Any) -> Any:
                seen.append(self._cell.name)
                return super().on_receive(message)

        first, second = (system.start(Noting, name=name) for name in ("first", "second"))
        for _ in range(FIRST_SAMPLE):
            first.tell(0)
        flushed(system)
        seen.clear()
        for _ in range(3):
            first.tell(10 * US)
            second.tell(0)
        flushed(system)
        assert seen == ["first"] * 3 + ["second"] * 3
        assert of(system, "first").handlers == HandlerTimes(
            samples=1, mean_ns=10 * US, p50_ns=10 * US, p99_ns=10 * US, max_ns=10 * US
        )

    async def test_an_async_handler_counts_until_its_end(self, system, clock):
        ref = system.start(Worker, name="worker")
        for _ in range(FIRST_SAMPLE):
            ref.tell(0)
        opened = asyncio.Event()
        ref.tell(opened)
        flushed(system)
        assert of(system, "worker").handlers is None
        clock.advance(50 * US)
        opened.set()
        await ref.ask(0, block=False)
        handlers = of(system, "worker").handlers
        assert handlers is not None
        assert (handlers.samples, handlers.max_ns) == (1, 50 * US)

    async def test_one_that_was_cancelled_by_a_restart_does_not_count(self, system, clock):
        ref = system.start(Worker, name="worker")
        for _ in range(FIRST_SAMPLE):
            ref.tell(0)
        ref.tell(asyncio.Event())
        flushed(system)
        clock.advance(50 * US)
        ref._cell.crash(ValueError("from outside"))
        flushed(system)
        opened = asyncio.Event()
        ref.tell(opened)
        flushed(system)
        opened.set()
        await ref.ask(0, block=False)
        assert of(system, "worker").handlers is None

    @pytest.mark.parametrize(
        ("duration_ns", "counted_ns"), [(0, 0), (49, 0), (50, 100), (149, 100), (1_234_567, 1_234_600)]
    )
    def test_they_are_counted_in_steps_of_100_ns(self, duration_ns, counted_ns):
        clock = HandlerClock()
        clock.record(duration_ns)
        assert clock.times.max_ns == counted_ns

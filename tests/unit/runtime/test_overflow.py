"""A full mailbox: who waits, who is refused, what is dropped."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable
from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxFull, MailboxSpec, MessageDropped, Overflow


class Kill(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.SYSTEM
    number: int


class Fill(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.URGENT
    number: int


class Trade(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK
    number: int


class Quote(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK
    symbol: str
    price: int

    def conflation_key(self) -> str:
        return self.symbol

    def merge(self, older: "Quote") -> "Quote":
        if self.price < 0:
            raise ValueError("a price below zero")
        return Quote(self.symbol, self.price + older.price)


class Recorder(LoopActor):
    """Keeps what it was told; "hold" suspends it until the gate opens, and its mailbox fills up meanwhile."""

    mailbox = MailboxSpec(normal_capacity=2, bulk_capacity=2, bulk_overflow=Overflow.BACKPRESSURE)

    def __init__(self, seen: list[Any], gate: asyncio.Event) -> None:
        super().__init__()
        self.seen = seen
        self.gate = gate

    def on_receive(self, message: Any) -> Any:
        match message:
            case "hold":
                return self.gate.wait()
            case "fail":
                raise ValueError("failed as told")
            case "send to yourself":
                return self.send_to_itself()
        self.seen.append(message)
        return message

    async def send_to_itself(self) -> None:
        await self.gate.wait()
        await self.actor_ref.send("to myself")


class NewestLost(Recorder):
    mailbox = MailboxSpec(normal_capacity=2, normal_overflow=Overflow.DROP_NEWEST)


class OldestLost(Recorder):
    mailbox = MailboxSpec(normal_capacity=2, normal_overflow=Overflow.DROP_OLDEST)


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


def held(system: ActorSystem, *args: Any, kind: type[LoopActor] = Recorder) -> Any:
    """An actor that takes no message until the gate opens."""
    ref = system.start(kind, *args, name="recorder")
    ref.tell("hold")
    system.dispatcher.flush()
    return ref


@pytest.fixture
def full(system: ActorSystem, seen: list[Any], gate: asyncio.Event) -> Any:
    """A held actor whose NORMAL lane has no room."""
    ref = held(system, seen, gate)
    ref.tell(1)
    ref.tell(2)
    return ref


async def begun(*sends: Awaitable[Any]) -> list["asyncio.Future[Any]"]:
    """Let each run until it waits, one after the other."""
    tasks = []
    for send in sends:
        tasks.append(asyncio.ensure_future(send))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def served(system: ActorSystem, gate: asyncio.Event) -> None:
    """Let the actor go on, and all that follows happen."""
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
        system.dispatcher.flush()


def until(condition: Any) -> None:
    """Let another thread get there."""
    while not condition():
        time.sleep(0)


def dead(system: ActorSystem) -> list[tuple[Any, str]]:
    return [(letter.message, letter.reason) for letter in system.dead_letters]


class TestRefused:
    async def test_a_tell_on_the_loop_is_refused_with_actor_lane_and_capacity(self, system, full, gate, seen):
        with pytest.raises(MailboxFull, match=r"Recorder 'recorder' .*: 2 messages wait in its NORMAL lane.*ref\.send"):
            full.tell(3)
        await served(system, gate)
        assert seen == [1, 2]
        assert not system.dead_letters.counts

    async def test_try_tell_answers_whether_there_was_room(self, system, full, gate, seen):
        assert full.try_tell(3) is False
        await served(system, gate)
        assert full.try_tell(4) is True
        await served(system, gate)
        assert seen == [1, 2, 4]

    async def test_the_future_of_an_ask_holds_the_refusal(self, full):
        with pytest.raises(MailboxFull):
            await full.ask(3, block=False)

    async def test_system_and_urgent_messages_are_never_refused(self, system, full, gate, seen):
        urgent = [make(number) for make in (Kill, Fill) for number in range(100)]
        for message in urgent:
            full.tell(message)
        await served(system, gate)
        assert seen == [*urgent, 1, 2]

    async def test_a_stop_is_never_refused(self, system, full, gate):
        stopped = full.stop(block=False)
        await served(system, gate)
        assert await stopped is True
        assert not system.dead_letters.counts

    async def test_what_an_actor_sends_itself_is_never_refused(self, system, full, gate, seen, clock):
        full._cell.timers.once("tick", 1_000, "tick")
        full._cell.tasks.pipe(asyncio.sleep(0), lambda _: "piped", lambda _: "failed")
        clock.advance(1_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await served(system, gate)
        assert seen == [1, 2, "tick", "piped"]

    async def test_a_bulk_message_that_is_merged_needs_no_room(self, system, seen, gate):
        ref = held(system, seen, gate)
        ref.tell(Quote("A", 1))
        ref.tell(Quote("B", 1))
        ref.tell(Quote("A", 2))
        with pytest.raises(MailboxFull, match="BULK"):
            ref.tell(Quote("C", 1))
        await served(system, gate)
        assert seen == [Quote("A", 3), Quote("B", 1)]

    def test_the_default_bound_of_the_normal_lane_is_16384(self, system):
        ref = system.start(LoopActor)
        for number in range(16_384):
            ref.tell(number)
        with pytest.raises(MailboxFull):
            ref.tell("one too many")


class TestDropped:
    async def test_the_newest(self, system, seen, gate):
        ref = held(system, seen, gate, kind=NewestLost)
        for number in range(4):
            ref.tell(number)
        await served(system, gate)
        assert seen == [0, 1]
        assert dead(system) == [(2, "dropped"), (3, "dropped")]

    async def test_the_oldest(self, system, seen, gate):
        ref = held(system, seen, gate, kind=OldestLost)
        for number in range(4):
            ref.tell(number)
        await served(system, gate)
        assert seen == [2, 3]
        assert dead(system) == [(0, "dropped"), (1, "dropped")]

    @pytest.mark.parametrize("kind", [NewestLost, OldestLost])
    async def test_a_sender_who_would_wait_does_not(self, system, seen, gate, kind):
        ref = held(system, seen, gate, kind=kind)
        for number in range(2):
            ref.tell(number)
        await ref.send(2)
        assert ref.try_tell(3) is True
        assert system.dead_letters.counts == {"dropped": 2}

    async def test_an_asker_whose_message_is_dropped_is_told(self, system, seen, gate):
        ref = held(system, seen, gate, kind=NewestLost)
        for number in range(2):
            ref.tell(number)
        with pytest.raises(MessageDropped, match="no room"):
            await ref.ask(2, block=False)

    @pytest.mark.parametrize("kind", [NewestLost, OldestLost])
    async def test_a_stop_is_never_dropped(self, system, seen, gate, kind):
        ref = held(system, seen, gate, kind=kind)
        stopped = ref.stop(block=False)
        for number in range(5):
            ref.tell(number)
        await served(system, gate)
        assert await stopped is True
        assert seen == []


class TestSend:
    async def test_with_room_it_does_not_wait(self, system, seen, gate):
        ref = held(system, seen, gate)
        sending = asyncio.ensure_future(ref.send(1))
        await asyncio.sleep(0)
        assert sending.done()

    async def test_senders_wait_and_are_let_in_first_come_first_served(self, system, full, gate, seen):
        sends = await begun(*(full.send(number) for number in range(3, 8)))
        assert not any(send.done() for send in sends)
        assert full._cell.mailbox.senders_waiting == 5
        await served(system, gate)
        assert seen == [1, 2, 3, 4, 5, 6, 7]
        assert all(send.done() for send in sends)

    async def test_nobody_overtakes_those_who_wait(self, system, full, gate, seen):
        await begun(full.send(3))
        full._cell.mailbox.pop()  # takes 1, which lets 3 in
        with pytest.raises(MailboxFull):
            full.tell(4)
        await served(system, gate)
        assert seen == [2, 3]

    async def test_a_cancelled_sender_queues_nothing_and_gives_its_place_up(self, system, full, gate, seen):
        third, fourth = await begun(full.send(3), full.send(4))
        third.cancel()
        await served(system, gate)
        assert seen == [1, 2, 4]
        assert third.cancelled()
        assert fourth.done()

    async def test_after_the_last_of_them_gave_up_all_is_as_before(self, system, full, gate, seen):
        (third,) = await begun(full.send(3))
        third.cancel()
        await served(system, gate)
        full.tell(4)
        await served(system, gate)
        assert seen == [1, 2, 4]

    async def test_a_stop_releases_them_with_an_error_and_leaves_dead_letters(self, system, full, gate):
        sends = await begun(full.send(3), full.send(4))
        full.abort()
        for send in sends:
            with pytest.raises(pykka.ActorDeadError, match="stopped before there was room"):
                await send
        assert dead(system) == [("hold", "stopped"), (3, "stopped"), (4, "stopped"), (1, "stopped"), (2, "stopped")]

    async def test_a_restart_keeps_mailbox_and_waiting_senders(self, system, seen, gate):
        ref = held(system, seen, gate)
        ref.tell("fail")
        ref.tell(2)
        sends = await begun(ref.send(3), ref.send(4))
        await served(system, gate)
        assert seen == [2, 3, 4]
        assert all(send.done() for send in sends)
        assert system.snapshot()[0].restarts == 1

    async def test_to_a_dead_actor_it_raises_and_leaves_a_dead_letter(self, system, full):
        full.abort()
        with pytest.raises(pykka.ActorDeadError):
            await full.send("late")
        assert dead(system)[-1] == ("late", "undeliverable")

    async def test_a_handler_that_would_wait_for_its_own_actor_is_refused(self, system, seen, gate):
        ref = system.start(Recorder, seen, gate)
        answer = ref.ask("send to yourself", block=False)
        system.dispatcher.flush()
        ref.tell(1)
        ref.tell(2)
        await served(system, gate)
        with pytest.raises(MailboxFull):
            await answer
        assert seen == [1, 2]

    async def test_a_failing_merge_is_the_sender_s_error(self, system, seen, gate):
        ref = held(system, seen, gate)
        await ref.send(Quote("A", 1))
        with pytest.raises(ValueError, match="below zero"):
            await ref.send(Quote("A", -1))

    async def test_waiting_messages_of_one_key_are_merged_in_the_order_of_their_senders(self, system, seen, gate):
        ref = held(system, seen, gate)
        ref.tell(Trade(1))
        ref.tell(Trade(2))
        await begun(ref.send(Quote("A", 1)), ref.send(Quote("A", 2)), ref.send(Quote("A", -1)), ref.send(Trade(3)))
        await served(system, gate)
        # The third could not be merged, when nobody was there to be told: it goes by itself.
        assert seen == [Trade(1), Trade(2), Quote("A", 3), Quote("A", -1), Trade(3)]


class TestOtherThreads:
    """A foreign thread sees the mailbox from outside: it may wait, and nothing it sent is refused later."""

    @pytest.fixture
    def system(self) -> Any:
        system = ActorSystem.in_thread()
        yield system
        for ref in system.refs:
            with contextlib.suppress(pykka.ActorDeadError):
                ref.abort()
            pykka.ActorRegistry.unregister(ref)
        system.close()

    @pytest.fixture
    def full(self, system, seen, gate) -> Any:
        ref = system.start(Recorder, seen, gate)
        ref.tell("hold")
        until(lambda: system.snapshot()[0].processed)
        ref.tell(1)
        ref.tell(2)
        return ref

    @staticmethod
    def opened(system: ActorSystem, gate: asyncio.Event) -> None:
        system.loop.call_soon_threadsafe(gate.set)

    def test_its_tell_waits_until_there_is_room(self, system, full, gate, seen):
        told = threading.Event()

        def tell() -> None:
            full.tell(3)
            told.set()

        thread = threading.Thread(target=tell)
        thread.start()
        until(lambda: full._cell.mailbox.senders_waiting)
        assert not told.is_set()
        self.opened(system, gate)
        thread.join(5)
        assert told.is_set()
        assert full.ask(4, timeout=5) == 4
        assert seen == [1, 2, 3, 4]

    def test_a_thousand_tells_pass_a_mailbox_of_two_in_their_order(self, system, seen, gate):
        ref = system.start(Recorder, seen, gate)
        for number in range(1_000):
            ref.tell(number)
        assert ref.ask("last", timeout=5) == "last"
        assert seen == [*range(1_000), "last"]
        assert not system.dead_letters.counts

    def test_its_try_tell_does_not_wait(self, full):
        assert full.try_tell(3) is False

    def test_its_send_waits_on_its_own_loop(self, system, full, gate, seen):
        async def send() -> None:
            sending = asyncio.ensure_future(full.send(3))
            while not full._cell.mailbox.senders_waiting:
                await asyncio.sleep(0)
            assert not sending.done()
            self.opened(system, gate)
            await asyncio.wait_for(sending, 5)

        asyncio.run(send())
        assert full.ask(4, timeout=5) == 4
        assert seen == [1, 2, 3, 4]

    def test_a_send_cancelled_there_queues_nothing(self, system, full, gate, seen):
        async def send() -> None:
            sending = asyncio.ensure_future(full.send(3))
            while not full._cell.mailbox.senders_waiting:
                await asyncio.sleep(0)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

        asyncio.run(send())
        self.opened(system, gate)
        assert full.ask(4, timeout=5) == 4
        assert seen == [1, 2, 4]

    def test_a_stop_releases_it_with_an_error(self, full):
        def stop_once_it_waits() -> None:
            until(lambda: full._cell.mailbox.senders_waiting)
            full.abort()

        thread = threading.Thread(target=stop_once_it_waits)
        thread.start()
        with pytest.raises(pykka.ActorDeadError):
            full.tell(3)
        thread.join()

    def test_the_end_of_the_loop_releases_it_too(self, system, full):
        def close_once_it_waits() -> None:
            until(lambda: full._cell.mailbox.senders_waiting)
            system.close()

        thread = threading.Thread(target=close_once_it_waits)
        thread.start()
        with pytest.raises(pykka.ActorDeadError, match="loop"):
            full.tell(3)
        thread.join()

    def test_its_stop_does_not_wait_for_room(self, system, full, gate):
        stopped = full.stop(block=False)
        self.opened(system, gate)
        assert stopped.get(timeout=5) is True

    async def test_a_thread_that_serves_actors_itself_is_refused_instead(self, full):
        here = ActorSystem()
        here.dispatcher.flush()
        with pytest.raises(MailboxFull):
            full.tell(3)

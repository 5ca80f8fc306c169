"""Messages that are worth nothing after a while: calls with a deadline, and classes with an expiry."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxSpec

MS = 1_000_000


class Offer(msgspec.Struct, frozen=True):
    """Good until then, by the system's monotonic clock."""

    expires_at_ns: int | None
    name: str = "offer"


class OfferQuote(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK
    expires_at_ns: int
    price: int

    def conflation_key(self) -> str:
        return "all"

    def merge(self, older: "OfferQuote") -> "OfferQuote":
        return self


class Echo(LoopActor):
    mailbox = MailboxSpec(normal_capacity=2)

    def __init__(self, seen: list[Any], gate: asyncio.Event) -> None:
        super().__init__()
        self.seen = seen
        self.gate = gate

    def on_receive(self, message: Any) -> Any:
        self.seen.append(message)
        if message == "hold":
            return self.gate.wait()
        if message == "fail":
            raise ValueError("failed as asked")
        return message


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def ref(system: ActorSystem, seen: list[Any], gate: asyncio.Event) -> Any:
    ref = system.start(Echo, seen, gate, name="echo")
    system.dispatcher.flush()
    return ref


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def dead(system: ActorSystem) -> list[tuple[Any, str]]:
    return [(letter.message, letter.reason) for letter in system.dead_letters]


class TestCall:
    async def test_it_is_an_ask_that_is_awaited(self, ref):
        assert await ref.call("x", timeout_ns=MS) == "x"

    async def test_the_handler_s_exception_is_the_asker_s(self, system, ref):
        with pytest.raises(ValueError, match="failed as asked"):
            await ref.call("fail", timeout_ns=MS)
        assert system.snapshot()[0].restarts == 0

    async def test_after_its_deadline_the_asker_gives_up_and_the_message_is_not_handled(
        self, system, ref, clock, seen, gate
    ):
        ref.tell("hold")
        call = asyncio.ensure_future(ref.call("late", timeout_ns=MS))
        await turns()
        clock.advance(MS)
        with pytest.raises(pykka.Timeout, match="did not get to this str before it expired"):
            await call
        assert dead(system) == []
        gate.set()
        await turns()
        assert dead(system) == [("late", "expired")]
        assert seen == ["hold"]

    async def test_a_handler_that_has_begun_goes_on(self, system, ref, clock, gate):
        call = asyncio.ensure_future(ref.call("hold", timeout_ns=MS))
        await turns()
        clock.advance(MS)
        with pytest.raises(pykka.Timeout):
            await call
        gate.set()
        await turns()
        assert await ref.call("next", timeout_ns=MS) == "next"
        assert not system.dead_letters.counts

    async def test_waiting_for_room_counts_too(self, system, ref, clock, seen, gate):
        for message in ("hold", 1, 2):
            ref.tell(message)
            system.dispatcher.flush()
        call = asyncio.ensure_future(ref.call("no room", timeout_ns=MS))
        await turns()
        clock.advance(MS)
        with pytest.raises(pykka.Timeout):
            await call
        assert dead(system) == [("no room", "expired")]
        gate.set()
        await turns()
        assert seen == ["hold", 1, 2]

    async def test_a_timer_that_is_late_changes_nothing(self, system, ref, clock, gate):
        """The clock has moved on before its timers were called, as on a loop that was held up."""
        ref.tell("hold")
        call = asyncio.ensure_future(ref.call("late", timeout_ns=MS))
        await turns()
        clock._elapsed_ns += MS
        gate.set()
        with pytest.raises(pykka.Timeout):
            await call
        clock.advance(0)
        assert system.dead_letters.counts == {"expired": 1}

    async def test_a_dead_actor(self, system, ref):
        ref.abort()
        with pytest.raises(pykka.ActorDeadError):
            await ref.call("x", timeout_ns=MS)
        assert dead(system) == [("x", "undeliverable")]

    async def test_a_stop_answers_it(self, system, ref):
        ref.tell("hold")
        call = asyncio.ensure_future(ref.call("x", timeout_ns=MS))
        await turns()
        ref.abort()
        with pytest.raises(pykka.ActorDeadError):
            await call

    @pytest.mark.parametrize("timeout_ns", [0, -1])
    async def test_a_timeout_that_is_none_is_refused(self, ref, timeout_ns):
        with pytest.raises(ValueError, match="timeout_ns must be positive"):
            await ref.call("x", timeout_ns=timeout_ns)

    def test_from_another_loop(self, seen):
        system = ActorSystem.in_thread()
        ref = system.start(Echo, seen, asyncio.Event())
        try:
            assert asyncio.run(ref.call("x", timeout_ns=5_000 * MS)) == "x"
        finally:
            ref.stop()
            system.close()

    async def test_no_timer_is_left_behind_by_an_answer(self, ref, clock):
        await ref.call("x", timeout_ns=MS)
        assert all(timer.callback is None for _, _, timer in clock._timers)


class TestMessageClassesWithAnExpiry:
    def test_reached_in_time_they_are_handled(self, system, ref, seen):
        ref.tell(Offer(1))
        system.dispatcher.flush()
        assert seen == [Offer(1)]

    @pytest.mark.parametrize("late_ns", [0, 1])
    def test_reached_at_their_expiry_or_later_they_are_dead_letters(self, system, ref, clock, seen, late_ns):
        ref.tell(Offer(MS))
        ref.tell("other")
        clock.advance(MS + late_ns)
        system.dispatcher.flush()
        assert seen == ["other"]
        assert dead(system) == [(Offer(MS), "expired")]
        assert system.snapshot()[0].processed == 1

    def test_none_means_never(self, system, ref, clock, seen):
        ref.tell(Offer(None))
        clock.advance(10**18)
        system.dispatcher.flush()
        assert seen == [Offer(None)]

    async def test_an_asker_gets_a_timeout(self, ref, clock):
        answer = ref.ask(Offer(0), block=False)
        with pytest.raises(pykka.Timeout):
            await answer

    def test_they_may_be_conflated(self, system, ref, clock, seen):
        ref.tell(OfferQuote(MS, 1))
        ref.tell(OfferQuote(2 * MS, 2))
        clock.advance(MS)
        system.dispatcher.flush()
        assert seen == [OfferQuote(2 * MS, 2)]
        ref.tell(OfferQuote(MS, 3))
        system.dispatcher.flush()
        assert dead(system) == [(OfferQuote(MS, 3), "expired")]

    def test_a_timer_s_message_may_expire_too(self, system, ref, clock, seen):
        ref._cell.timers.once("offer", MS, Offer(MS))
        clock.advance(MS)
        system.dispatcher.flush()
        assert dead(system) == [(Offer(MS), "expired")]
        assert seen == []

    async def test_a_flood_of_them_does_not_hold_the_loop(self, system, seen, gate):
        class Roomy(Echo):
            mailbox = MailboxSpec()

        ref = system.start(Roomy, seen, gate)
        system.dispatcher.flush()
        for number in range(100):
            ref.tell(Offer(0, str(number)))
        lost_per_turn = []
        while (before := system.dead_letters.counts["expired"]) < 100:
            await asyncio.sleep(0)
            lost_per_turn.append(system.dead_letters.counts["expired"] - before)
        assert max(lost_per_turn) == 16

"""Messages put aside while an actor recovers: kept in order, bounded, never lost silently."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxSpec, ManualClock, MessageDropped, Overflow

SECOND = 1_000_000_000


class Command(msgspec.Struct, frozen=True):
    number: int


class Urgent(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.URGENT
    number: int


class Bulk(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK
    number: int

    def conflation_key(self) -> str:
        return "all"

    def merge(self, older: "Bulk") -> "Bulk":
        return Bulk(self.number + older.number)


class Fragile(msgspec.Struct, frozen=True):
    """Retried after a restart; fails whenever it is really handled."""

    retry_after_restart: ClassVar[bool] = True


class Recovering(LoopActor):
    """Puts commands aside until told "ready"."""

    stash_capacity = 4

    def __init__(self, log: list[Any]) -> None:
        super().__init__()
        self.log = log
        self.ready = False

    def on_restart(self, cause: BaseException) -> None:
        self.log.append("restarted")

    def on_receive(self, message: Any) -> Any:
        match message:
            case "ready":
                self.ready = True
                return self.stash.release()
            case "how many":
                return len(self.stash)
            case "fail":
                raise RuntimeError("as told")
            case "hold and fail":
                self.stash.hold(message)
                raise RuntimeError("after holding")
            case "in a second":
                self.timers.once("later", SECOND, Command(99))
            case Fragile() if self.ready:
                raise RuntimeError("fragile")
            case Command() | Urgent() | Bulk() | Fragile() if not self.ready:
                self.log.append(("held", self.stash.hold(message)))
            case _:
                self.log.append(message)
                return message
        return None


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def ref(system: ActorSystem, log: list[Any]) -> pykka.ActorRef[Any]:
    return system.start(Recovering, log, name="r")


def run(system: ActorSystem, ref: pykka.ActorRef[Any], *messages: Any) -> None:
    for message in messages:
        ref.tell(message)
    while not system.dispatcher.flush():
        pass


def lost(system: ActorSystem) -> list[tuple[Any, str]]:
    return [(letter.message, letter.reason) for letter in system.dead_letters]


def test_what_was_held_goes_before_what_waits_in_its_lane_and_keeps_its_order(
    system: ActorSystem, ref: Any, log: list[Any]
) -> None:
    run(system, ref, Command(1), Urgent(2), Command(3))
    log.clear()
    for message in ("ready", Command(4)):
        ref.tell(message)
    run(system, ref)
    assert log == [Urgent(2), Command(1), Command(3), Command(4)]


def test_it_is_released_before_what_came_to_the_lane_meanwhile(system: ActorSystem, ref: Any, log: list[Any]) -> None:
    run(system, ref, Command(1), Command(2), "ready", Command(3))
    assert log[2:] == [Command(1), Command(2), Command(3)]


def test_an_ask_is_answered_when_it_is_handled_in_the_end(system: ActorSystem, ref: Any) -> None:
    answer = ref.ask(Command(1), block=False)
    run(system, ref)
    with pytest.raises(pykka.Timeout):
        answer.get(timeout=0)
    run(system, ref, "ready")
    assert answer.get(timeout=0) == Command(1)


def test_what_has_no_room_is_dropped_and_its_asker_told(system: ActorSystem, ref: Any, log: list[Any]) -> None:
    run(system, ref, *map(Command, range(4)))
    asked = ref.ask(Command(4), block=False)
    run(system, ref, Command(5))
    assert lost(system) == [(Command(4), "dropped"), (Command(5), "dropped")]
    assert [held for _, held in log] == [True] * 4 + [False] * 2
    with pytest.raises(MessageDropped):
        asked.get(timeout=0)


def test_a_restart_puts_all_back_in_front_of_their_lanes(system: ActorSystem, ref: Any, log: list[Any]) -> None:
    run(system, ref, Command(1), Urgent(2))
    asked = ref.ask(Command(3), block=False)
    run(system, ref)
    log.clear()
    run(system, ref, "fail", Command(4))
    assert log == ["restarted", *[("held", True)] * 4]
    log.clear()
    run(system, ref, "ready")
    assert log == [Urgent(2), Command(1), Command(3), Command(4)]
    assert asked.get(timeout=0) == Command(3)
    assert lost(system) == [("fail", "failed")]


@pytest.mark.parametrize("abort", [True, False])
def test_a_stop_makes_them_dead_letters(system: ActorSystem, ref: Any, abort: bool) -> None:
    asked = ref.ask(Command(1), block=False)
    run(system, ref, Command(2))
    if abort:
        ref.abort()
    else:
        ref.stop(block=False)
    system.dispatcher.flush()
    assert lost(system) == [(Command(1), "stopped"), (Command(2), "stopped")]
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=0)


@pytest.mark.parametrize("asked", [True, False])
def test_a_handler_that_fails_after_holding_counts_as_failed_once(
    system: ActorSystem, ref: Any, log: list[Any], asked: bool
) -> None:
    if asked:
        answer = ref.ask("hold and fail", block=False)
        run(system, ref)
        with pytest.raises(RuntimeError, match="after holding"):
            answer.get(timeout=0)
        assert log == []
    else:
        run(system, ref, "hold and fail")
        assert lost(system) == [("hold and fail", "failed")]
        assert log == ["restarted"]
    count = ref.ask("how many", block=False)
    run(system, ref)
    assert count.get(timeout=0) == 0


def test_a_poisonous_message_is_not_tried_more_often_for_having_been_held(
    system: ActorSystem, ref: Any, log: list[Any]
) -> None:
    escalated: list[str] = []
    system.on_escalation.append(lambda ref, exc: escalated.append(str(exc)))
    run(system, ref, Fragile())
    for _ in range(5):
        run(system, ref, "ready")  # a restarted actor is not ready again, and holds what is retried
    assert lost(system) == [(Fragile(), "failed")]
    assert escalated == ["fragile"]
    assert log.count("restarted") == 3
    assert ref.is_alive()


def test_held_market_data_is_not_merged_any_more_and_breaks_nothing(
    system: ActorSystem, ref: Any, log: list[Any]
) -> None:
    run(system, ref, Bulk(1))
    run(system, ref, Bulk(2), "ready", Bulk(3), Bulk(4))
    assert sum(message.number for message in log if isinstance(message, Bulk)) == 10
    run(system, ref, Bulk(5), Bulk(6))
    assert log[-1] == Bulk(11)


def test_a_timers_message_may_be_held_after_the_timer_is_over(
    system: ActorSystem, clock: ManualClock, ref: Any, log: list[Any]
) -> None:
    run(system, ref, "in a second")
    clock.advance(SECOND)
    run(system, ref)
    assert log == [("held", True)]
    run(system, ref, "ready")
    assert log[-1] == Command(99)


def test_the_room_that_holding_makes_is_used_and_nothing_that_was_held_is_refused(
    system: ActorSystem, log: list[Any]
) -> None:
    class Small(Recovering):
        mailbox = MailboxSpec(normal_capacity=2, normal_overflow=Overflow.DROP_NEWEST)

    ref = system.start(Small, log)
    for number in range(4):
        run(system, ref, Command(number))
    log.clear()
    run(system, ref, "ready", Command(4))
    assert log == [Command(number) for number in range(5)]
    assert lost(system) == []


async def test_an_async_handler_may_hold_its_message(system: ActorSystem, log: list[Any]) -> None:
    class Slow(Recovering):
        async def on_receive(self, message: Any) -> Any:
            await asyncio.sleep(0)
            return super().on_receive(message)

    ref = system.start(Slow, log)
    asked = ref.ask(Command(1), block=False)
    assert await ref.ask("how many", block=False) == 1
    assert await ref.ask("ready", block=False) == 1
    assert await asked == Command(1)


async def test_a_call_that_expires_while_it_is_held_is_not_handled(
    system: ActorSystem, clock: ManualClock, ref: Any, log: list[Any]
) -> None:
    calling = asyncio.ensure_future(ref.call(Command(1), timeout_ns=SECOND))
    async with asyncio.timeout(10):
        while log != [("held", True)]:
            await asyncio.sleep(0)
    clock.advance(SECOND)
    with pytest.raises(pykka.Timeout):
        await calling
    run(system, ref, "ready")
    assert Command(1) not in log
    assert lost(system) == [(Command(1), "expired")]


def test_a_class_that_names_no_capacity_has_no_stash(system: ActorSystem) -> None:
    class Plain(LoopActor):
        def on_receive(self, message: Any) -> Any:
            return self.stash.hold(message)

    answer = system.start(Plain).ask("x", block=False)
    system.dispatcher.flush()
    with pytest.raises(RuntimeError, match="stash_capacity is 0"):
        answer.get(timeout=0)

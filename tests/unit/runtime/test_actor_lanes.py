"""What is handled first, what is merged, and what has to go."""

from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxSpec, MessageDropped


class Kill(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.SYSTEM
    number: int = 0


class Fill(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.URGENT
    number: int = 0


class Decision(msgspec.Struct, frozen=True):
    number: int = 0


class Trade(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK
    number: int = 0


class Quote(msgspec.Struct, frozen=True):
    """Conflated by symbol with the lowest price since the last read."""

    lane: ClassVar[Lane] = Lane.BULK
    symbol: str
    price: int
    lowest: int

    def conflation_key(self) -> str:
        return self.symbol

    def merge(self, older: "Quote") -> "Quote":
        return Quote(self.symbol, self.price, min(self.lowest, older.lowest))


class Unmergeable(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK

    def conflation_key(self) -> str:
        return "all"

    def merge(self, older: "Unmergeable") -> "Unmergeable":
        raise ValueError("cannot be merged")


class Misplaced(msgspec.Struct, frozen=True):
    lane: str  # a field, where the runtime looks for a class variable


class Recorder(LoopActor):
    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def on_receive(self, message: Any) -> Any:
        self.seen.append(message)
        return len(self.seen)


class NarrowRecorder(Recorder):
    mailbox = MailboxSpec(bulk_capacity=3)


@pytest.fixture
def ref(system: ActorSystem, seen: list[Any]) -> pykka.ActorRef[Recorder]:
    return system.start(Recorder, seen, name="recorder")


def test_lanes_go_by_strict_priority_and_keep_their_own_order(system, ref, seen):
    sent = [Trade(1), "text", Fill(1), Kill(1), Trade(2), Decision(2), Fill(2), Kill(2)]
    for message in sent:
        ref.tell(message)
    system.dispatcher.flush()
    assert seen == [Kill(1), Kill(2), Fill(1), Fill(2), "text", Decision(2), Trade(1), Trade(2)]


def test_urgent_work_of_one_actor_goes_before_the_queued_work_of_another(system):
    seen: list[Any] = []
    busy, idle = system.start(Recorder, seen), system.start(Recorder, seen)
    system.dispatcher.flush()
    for number in range(20):
        busy.tell(Decision(number))
    idle.tell(Fill())
    system.dispatcher.flush()
    assert seen[0] == Fill()
    assert len(seen) == 21


def test_urgent_work_of_a_busy_actor_keeps_its_priorities(system, ref, seen):
    system.dispatcher.flush()
    sent = [Decision(1), Fill(1), Kill(1), Fill(2)]
    for message in sent:
        ref.tell(message)
    system.dispatcher.flush()
    assert seen == [Kill(1), Fill(1), Fill(2), Decision(1)]


def test_nobody_but_the_dispatcher_takes_from_a_mailbox(system, ref):
    ref.tell("x")
    assert not ref.actor_inbox.empty()
    with pytest.raises(RuntimeError, match="served by its dispatcher"):
        ref.actor_inbox.get()
    system.dispatcher.flush()
    assert ref.actor_inbox.empty()


def test_urgent_work_preempts_between_two_messages(system):
    seen: list[Any] = []

    class Alarmed(Recorder):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(message)
            if message == Decision(1):
                watcher.tell(Fill())

    watcher, alarmed = system.start(Recorder, seen), system.start(Alarmed, seen)
    for number in range(4):
        alarmed.tell(Decision(number))
    system.dispatcher.flush()
    assert seen == [Decision(0), Decision(1), Fill(), Decision(2), Decision(3)]


@pytest.mark.parametrize("value", ["urgent", 4, -1, None])
def test_a_class_with_a_lane_that_is_none_is_refused_at_the_sender(system, ref, value):
    wrong = type("Wrong", (), {"lane": value})
    with pytest.raises(TypeError, match=r"Wrong\.lane must be a ClassVar"):
        ref.tell(wrong())


def test_a_field_called_lane_is_no_lane(system, ref):
    with pytest.raises(TypeError, match=r"Misplaced\.lane must be a ClassVar"):
        ref.tell(Misplaced("urgent"))


def test_bulk_messages_of_one_key_are_merged_and_keep_the_older_one_s_place(system, ref, seen):
    for message in [Quote("A", 10, 10), Quote("B", 5, 5), Trade(1), Quote("A", 8, 8), Quote("A", 9, 9)]:
        ref.tell(message)
    system.dispatcher.flush()
    assert seen == [Quote("A", 9, 8), Quote("B", 5, 5), Trade(1)]


def test_a_key_is_free_again_once_its_message_was_handled(system, ref, seen):
    ref.tell(Quote("A", 10, 10))
    system.dispatcher.flush()
    ref.tell(Quote("A", 12, 12))
    system.dispatcher.flush()
    assert seen == [Quote("A", 10, 10), Quote("A", 12, 12)]


async def test_an_ask_is_never_merged_away(system, ref, seen):
    ref.tell(Quote("A", 10, 10))
    answer = ref.ask(Quote("A", 9, 9), block=False)
    assert await answer == 2
    assert seen == [Quote("A", 10, 10), Quote("A", 9, 9)]


def test_a_failing_merge_is_the_sender_s_error(system, ref, seen):
    ref.tell(Unmergeable())
    with pytest.raises(ValueError, match="cannot be merged"):
        ref.tell(Unmergeable())
    system.dispatcher.flush()
    assert seen == [Unmergeable()]
    assert ref.is_alive()


def test_a_failing_merge_of_a_message_from_another_thread_is_a_dead_letter(system, ref, in_thread):
    def tell_twice() -> None:
        ref.tell(Unmergeable())
        ref.tell(Unmergeable())

    in_thread(tell_twice)
    system.dispatcher.flush()
    assert [letter.reason for letter in system.dead_letters] == ["failed"]
    assert "cannot be merged" in system.dead_letters[0].traceback


def test_a_full_bulk_lane_drops_its_oldest(system, seen):
    ref = system.start(NarrowRecorder, seen, name="narrow")
    for number in range(5):
        ref.tell(Trade(number))
    system.dispatcher.flush()
    assert seen == [Trade(2), Trade(3), Trade(4)]
    assert [(letter.actor, letter.message, letter.reason) for letter in system.dead_letters] == [
        ("narrow", Trade(0), "dropped"),
        ("narrow", Trade(1), "dropped"),
    ]


async def test_a_dropped_ask_is_answered_with_an_error(system, seen):
    ref = system.start(NarrowRecorder, seen)
    answer = ref.ask(Trade(0), block=False)
    for number in range(1, 4):
        ref.tell(Trade(number))
    with pytest.raises(MessageDropped, match="Trade"):
        await answer


def test_only_the_bulk_lane_is_bounded(system, seen):
    ref = system.start(NarrowRecorder, seen)
    sent = [message(number) for message in (Kill, Fill, Decision) for number in range(50)]
    for message in sent:
        ref.tell(message)
    system.dispatcher.flush()
    assert seen == sent
    assert not system.dead_letters.counts


def test_the_default_bound_of_the_bulk_lane_is_4096(system, ref):
    for number in range(4_100):
        ref.tell(Trade(number))
    assert system.dead_letters.counts == {"dropped": 4}
    assert system.snapshot()[0].depths == (0, 0, 0, 4_096)


@pytest.mark.parametrize("name", ["normal_capacity", "bulk_capacity"])
def test_a_lane_without_room_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        MailboxSpec(**{name: 0})

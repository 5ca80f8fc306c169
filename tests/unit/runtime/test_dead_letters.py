"""No message disappears without a trace."""

from typing import Any

import pykka
import pytest

from execactor.runtime import ActorSystem, DeadLetter, DeadLetters, LoopActor


class Echo(LoopActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return message


@pytest.fixture
def ref(system: ActorSystem):
    ref = system.start(Echo, name="echo")
    system.dispatcher.flush()
    return ref


def reasons(system: ActorSystem) -> list[tuple[Any, str]]:
    return [(letter.message, letter.reason) for letter in system.dead_letters]


def test_a_message_to_a_dead_actor_is_undeliverable_and_the_teller_knows(system, ref):
    ref.abort()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("late")
    assert reasons(system) == [("late", "undeliverable")]


def test_so_is_an_ask(system, ref):
    ref.abort()
    answer = ref.ask("late", block=False)
    with pytest.raises(pykka.ActorDeadError):
        answer.get()
    assert reasons(system) == [("late", "undeliverable")]


def test_a_message_from_another_thread_that_arrives_after_the_end_is_undeliverable(system, ref, in_thread):
    def send() -> pykka.Future[Any]:
        ref.tell("on its way")
        return ref.ask("on its way too", block=False)

    answer = in_thread(send)
    ref.abort()
    system.dispatcher.flush()
    assert reasons(system) == [("on its way", "undeliverable"), ("on its way too", "undeliverable")]
    with pytest.raises(pykka.ActorDeadError):
        answer.get()


def test_what_another_thread_tells_a_dead_actor_is_counted_on_the_loop(system, ref, in_thread):
    ref.abort()
    with pytest.raises(pykka.ActorDeadError):
        in_thread(lambda: ref.tell("late"))
    with pytest.raises(pykka.ActorDeadError):
        in_thread(lambda: ref.ask("late"))
    system.dispatcher.flush()
    assert system.dead_letters.counts == {"undeliverable": 2}


def test_stopping_a_dead_actor_again_is_no_dead_letter(system, ref):
    ref.abort()
    assert ref.stop(block=False).get() is False
    assert not system.dead_letters.counts


def test_messages_behind_a_stop_and_all_bulk_messages_are_left_over(system, ref):
    bulk = type("Bulk", (), {"lane": 3})()
    ref.tell(bulk)
    stopped = ref.stop(block=False)
    ref.tell("behind")
    answer = ref.ask("asked behind", block=False)
    system.dispatcher.flush()
    assert stopped.get() is True
    assert reasons(system) == [("behind", "stopped"), ("asked behind", "stopped"), (bulk, "stopped")]
    with pytest.raises(pykka.ActorDeadError, match="stopped"):
        answer.get()


def test_a_message_whose_handler_aborts_its_own_actor_and_then_raises_is_failed(system):
    class Suicidal(LoopActor):
        def on_receive(self, message: Any) -> Any:
            self.actor_ref.abort()
            raise ValueError(message)

    ref = system.start(Suicidal)
    ref.tell("told")
    system.dispatcher.flush()
    assert reasons(system) == [("told", "failed")]
    assert "ValueError: told" in system.dead_letters[0].traceback


def test_a_stop_waits_for_more_urgent_work_that_comes_after_it(system):
    seen = []

    class Noting(LoopActor):
        def on_receive(self, message: Any) -> Any:
            seen.append(type(message).__name__)

    ref = system.start(Noting)
    ref.stop(block=False)
    for lane, name in [(0, "System"), (1, "Urgent"), (2, "Normal")]:
        ref.tell(type(name, (), {"lane": lane})())
    system.dispatcher.flush()
    assert seen == ["System", "Urgent"]


def test_subscribers_see_each_letter_until_they_unsubscribe(system, ref):
    letters = []
    unsubscribe = system.dead_letters.subscribe(letters.append)
    ref.tell(ValueError("first"))
    system.dispatcher.flush()
    unsubscribe()
    ref.tell(ValueError("second"))
    system.dispatcher.flush()
    assert [str(letter.message) for letter in letters] == ["first"]


def test_a_failing_subscriber_hides_nothing_from_the_next(system, ref):
    letters = []
    system.dead_letters.subscribe(lambda letter: 1 / 0)
    system.dead_letters.subscribe(letters.append)
    ref.tell(ValueError("boom"))
    system.dispatcher.flush()
    assert len(letters) == 1
    assert ref.is_alive()


def test_a_subscriber_that_causes_dead_letters_itself_does_not_recurse(system, ref):
    alert = system.start(Echo, name="alert")
    alert.abort()
    system.dead_letters.subscribe(lambda letter: alert.tell(letter.reason))
    ref.tell(ValueError("boom"))
    system.dispatcher.flush()
    assert system.dead_letters.counts == {"failed": 1, "undeliverable": 1}


def test_the_list_is_bounded_and_the_counts_are_not():
    letters = DeadLetters(capacity=2)
    for number in range(5):
        letters.record(DeadLetter("a", number, "dropped"))
    assert [letter.message for letter in letters] == [3, 4]
    assert (len(letters), letters[0].message) == (2, 3)
    assert letters.counts == {"dropped": 5}


def test_the_log_names_the_class_of_a_message_but_never_its_content(system, ref, caplog):
    ref.abort()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("hunter2")
    assert "Dead letter for echo: str undeliverable" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_flood_is_logged_at_each_doubling(caplog):
    letters = DeadLetters()
    for number in range(1_000):
        letters.record(DeadLetter("a", number, "dropped"))
    assert len(caplog.records) == 10

"""What pykka 4.5 documents for ActorRef: tell, ask, stop, and what a ref tells of its actor."""

import threading
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S, Events

pytestmark = pytest.mark.usefixtures("stop_all")


@pytest.fixture
def ref(actor_class: type[pykka.Actor], events: Events) -> pykka.ActorRef[Any]:
    return actor_class.start(events)


@pytest.fixture
def busy(ref: pykka.ActorRef[Any]) -> threading.Event:
    """The actor is held inside a handler until this is set."""
    gate = threading.Event()
    ref.tell(gate)
    return gate


class TestWhatItIs:
    def test_it_knows_the_class_urn_inbox_and_stopped_flag_of_its_actor(self, ref, actor_class):
        actor = ref.ask("yourself")
        assert isinstance(ref, pykka.ActorRef)
        assert ref.actor_class is actor_class
        assert ref.actor_urn == actor.actor_urn
        assert ref.actor_inbox is actor.actor_inbox
        assert ref.actor_stopped is actor.actor_stopped
        assert actor.actor_ref is ref

    def test_str_and_repr_name_the_class_and_the_urn(self, ref):
        for text in (str(ref), repr(ref)):
            assert "Subject" in text
            assert ref.actor_urn in text
        assert repr(ref) == f"<ActorRef for {ref}>"

    def test_it_may_be_passed_around_and_used_by_whoever_gets_it(self, kind, ref):
        class Messenger(kind.actor):
            def on_receive(self, message: pykka.ActorRef[Any]) -> Any:
                message.tell("greetings")
                return message

        assert Messenger.start().ask(ref) is ref
        assert ref.proxy().events.get(timeout=PATIENCE_S).greeted.wait(PATIENCE_S)

    def test_it_may_be_used_from_many_threads_at_once(self, ref):
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda n=n: answers.append(ref.ask(n))) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert sorted(answers) == [("echo", n) for n in range(20)]

    def test_it_is_alive_until_the_actor_has_stopped(self, ref):
        assert ref.is_alive() is True
        ref.stop()
        assert ref.is_alive() is False
        assert ref.actor_stopped.is_set()


class TestTell:
    def test_it_returns_nothing_and_does_not_wait(self, ref, busy):
        assert ref.tell("x") is None
        busy.set()

    def test_messages_are_handled_in_the_order_sent(self, kind):
        seen = []

        class Collector(kind.actor):
            def on_receive(self, message: Any) -> Any:
                seen.append(message)

        ref = Collector.start()
        for number in range(100):
            ref.tell(number)
        ref.ask("end")
        assert seen == [*range(100), "end"]

    def test_the_message_itself_arrives_and_no_copy(self, ref):
        message = ["mutable"]
        assert ref.ask(message)[1] is message

    def test_the_dead_are_an_error(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError, match=r".*urn:uuid.* not found"):
            ref.tell("x")


class TestAsk:
    @pytest.mark.parametrize("message", [123, 1.5, {"a": "dict"}, ("a", "tuple"), ["a", "list"], None, object()])
    def test_any_object_is_a_message(self, ref, message):
        assert ref.ask(message) == ("echo", message)

    def test_nothing_returned_is_the_answer_none(self, ref):
        assert ref.ask("greetings") is None

    def test_without_blocking_it_returns_a_future_at_once(self, ref, busy):
        future = ref.ask("x", block=False)
        assert isinstance(future, pykka.Future)
        with pytest.raises(pykka.Timeout):
            future.get(timeout=0)
        busy.set()
        assert future.get(timeout=PATIENCE_S) == ("echo", "x")

    @pytest.mark.parametrize("timeout", [0, 0.001])
    def test_it_gives_up_after_its_timeout(self, ref, busy, timeout):
        with pytest.raises(pykka.Timeout, match=f"{timeout} seconds"):
            ref.ask("x", timeout=timeout)
        busy.set()

    def test_what_was_asked_in_vain_is_handled_all_the_same(self, ref, busy, events):
        with pytest.raises(pykka.Timeout):
            ref.ask("greetings", timeout=0)
        busy.set()
        assert events.greeted.wait(PATIENCE_S)

    def test_an_exception_is_raised_at_the_asker_and_the_actor_goes_on(self, ref, events):
        with pytest.raises(ValueError, match="as told"):
            ref.ask("raise")
        assert ref.ask("x") == ("echo", "x")
        assert not events.failed.is_set()

    def test_or_at_the_get_of_its_future(self, ref):
        future = ref.ask("raise", block=False)
        with pytest.raises(ValueError, match="as told"):
            future.get(timeout=PATIENCE_S)

    def test_the_dead_are_an_error_at_once_or_in_the_future(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.ask("x")
        future = ref.ask("x", block=False)
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            future.get(timeout=PATIENCE_S)


class TestStop:
    def test_it_calls_on_stop_and_tells_whether_the_actor_was_alive(self, ref, events):
        assert ref.stop() is True
        assert events.stopped.is_set()
        assert not ref.is_alive()
        assert ref not in pykka.ActorRegistry.get_all()
        assert ref.stop() is False

    def test_without_blocking_it_returns_a_future_of_that(self, ref):
        assert ref.stop(block=False).get(timeout=PATIENCE_S) is True
        assert ref.stop(block=False).get(timeout=PATIENCE_S) is False

    def test_it_gives_up_waiting_after_its_timeout_and_the_actor_stops_later(self, ref, busy, events):
        with pytest.raises(pykka.Timeout):
            ref.stop(timeout=0)
        assert ref.is_alive()
        busy.set()
        assert events.stopped.wait(PATIENCE_S)

    def test_messages_sent_before_are_handled(self, ref, busy, events):
        ref.tell("greetings")
        before = ref.ask("x", block=False)
        stopped = ref.stop(block=False)
        busy.set()
        assert stopped.get(timeout=PATIENCE_S) is True
        assert events.greeted.is_set()
        assert before.get(timeout=0) == ("echo", "x")

    def test_asks_sent_after_it_are_answered_that_the_actor_is_dead(self, ref, busy, events):
        ref.stop(block=False)
        too_late = ref.ask("greetings", block=False)
        ref.tell("greetings")
        busy.set()
        with pytest.raises(pykka.ActorDeadError):
            too_late.get(timeout=PATIENCE_S)
        assert not events.greeted.is_set()

    def test_an_actor_that_was_being_stopped_counts_as_stopped(self, ref, busy):
        first, second = ref.stop(block=False), ref.stop(block=False)
        busy.set()
        assert first.get(timeout=PATIENCE_S) is True
        assert second.get(timeout=PATIENCE_S) is True

    def test_a_stop_behind_the_actor_s_failure_is_answered_true(self, ref, busy):
        ref.tell("raise")
        stopped = ref.stop(block=False)
        busy.set()
        assert stopped.get(timeout=PATIENCE_S) is True

    def test_many_threads_may_stop_one_actor(self, ref, events):
        answers: list[bool] = []
        threads = [threading.Thread(target=lambda: answers.append(ref.stop())) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert len(answers) == 10
        assert True in answers
        assert events.stopped.is_set()

    def test_a_stopped_actor_stays_stopped(self, ref):
        ref.stop()
        for _ in range(2):
            assert ref.stop() is False
            with pytest.raises(pykka.ActorDeadError):
                ref.tell("x")


class TestPykkaMessages:
    """pykka.messages: what a proxy sends may be sent without one."""

    def test_a_call_can_be_asked(self, ref):
        call = pykka.messages.ProxyCall(attr_path=("paint",), args=("blue",), kwargs={"coats": 2})
        assert ref.ask(call) == "painted blue 2 times"

    def test_or_told(self, ref):
        ref.tell(pykka.messages.ProxyCall(attr_path=("paint",), args=("blue",), kwargs={}))
        assert ref.ask(pykka.messages.ProxyGetAttr(attr_path=("colour",))) == "blue"

    def test_attributes_can_be_read_and_set(self, ref):
        assert ref.ask(pykka.messages.ProxySetAttr(attr_path=("colour",), value="green")) is None
        assert ref.ask(pykka.messages.ProxyGetAttr(attr_path=("colour",))) == "green"

"""What pykka 4.5 documents for Actor: its birth, hooks, failure, and the log. Each on its own threads and on our loop.

The tests run on a thread that serves no actors, as any caller of pykka does.
"""

import logging
import threading
import uuid
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S, Events

pytestmark = pytest.mark.usefixtures("stop_all")


@pytest.fixture
def ref(actor_class: type[pykka.Actor], events: Events) -> pykka.ActorRef[Any]:
    return actor_class.start(events)


class TestBirth:
    def test_start_passes_its_arguments_to_the_constructor(self, kind):
        class Greeter(kind.actor):
            def __init__(self, greeting: str, *, name: str = "nobody") -> None:
                super().__init__()
                self.greeting = f"{greeting}, {name}"

        assert Greeter.start("Hi").proxy().greeting.get(timeout=PATIENCE_S) == "Hi, nobody"
        assert Greeter.start("Hi", name="you").proxy().greeting.get(timeout=PATIENCE_S) == "Hi, you"

    def test_urn_inbox_ref_and_stopped_flag_are_there_before_the_constructor_s_own_code(self, kind):
        found = {}

        class Curious(kind.actor):
            def __init__(self) -> None:
                super().__init__()
                found.update(urn=self.actor_urn, inbox=self.actor_inbox, ref=self.actor_ref)
                found.update(stopped=self.actor_stopped.is_set())
                found.update(registered=pykka.ActorRegistry.get_by_urn(self.actor_urn))

        ref = Curious.start()
        assert found == {
            "urn": ref.actor_urn,
            "inbox": ref.actor_inbox,
            "ref": ref,
            "stopped": False,
            "registered": None,
        }

    def test_the_base_constructor_may_be_called_by_its_class(self, kind):
        class Direct(kind.actor):
            def __init__(self, colour: str) -> None:
                kind.actor.__init__(self)
                self.colour = colour

        assert Direct.start("red").proxy().colour.get(timeout=PATIENCE_S) == "red"

    def test_the_base_constructor_takes_the_arguments_of_mixins_along(self, kind):
        class Mixin:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.mixed = True

        class Mixed(Mixin, kind.actor):
            pass

        assert Mixed.start(1, two=2).proxy().mixed.get(timeout=PATIENCE_S) is True

    def test_a_constructor_that_forgets_its_base_is_refused_and_leaves_nothing_registered(self, kind):
        class Forgetful(kind.actor):
            def __init__(self) -> None:
                pass

        with pytest.raises(AttributeError, match="_actor_ref"):
            Forgetful.start()
        assert pykka.ActorRegistry.get_by_class(Forgetful) == []

    def test_a_failing_constructor_is_the_caller_s_error_and_leaves_nothing_registered(self, kind):
        class Failing(kind.actor):
            def __init__(self) -> None:
                super().__init__()
                raise LookupError("no such file")

        with pytest.raises(LookupError, match="no such file"):
            Failing.start()
        assert pykka.ActorRegistry.get_by_class(Failing) == []

    def test_a_started_actor_is_alive_registered_and_has_a_uuid_urn(self, ref):
        assert ref.is_alive()
        assert ref in pykka.ActorRegistry.get_all()
        assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
        assert uuid.UUID(ref.actor_urn).version == 4

    def test_no_two_actors_share_a_urn(self, actor_class):
        urns = set()
        for _ in range(20):
            events = Events()
            urns.add(actor_class.start(events).actor_urn)
            assert events.started.wait(PATIENCE_S)  # coverage on 3.11 cannot follow two threads that start at once
        assert len(urns) == 20

    def test_on_start_runs_before_the_first_message_and_after_registration(self, ref, events):
        assert ref.ask("x") == ("echo", "x")
        assert events.started.is_set()
        assert ref.proxy().registered.get(timeout=PATIENCE_S)

    def test_an_instance_made_by_calling_the_class_has_a_ref_but_never_runs(self, actor_class, events):
        actor = actor_class(events)
        actor.actor_ref.tell("x")
        assert actor.actor_urn in str(actor)
        assert not events.started.is_set()

    def test_str_names_the_class_and_the_urn(self, ref):
        text = str(ref.ask("yourself"))
        assert "Subject" in text
        assert ref.actor_urn in text


class TestContext:
    def test_the_constructor_runs_on_the_caller_s_thread_all_else_on_the_actor_s_own(self, ref, events):
        ref.ask("x")
        assert ref.proxy().thread().get(timeout=PATIENCE_S) == events.threads["on_receive"]
        ref.stop()
        assert events.threads.pop("__init__") == threading.get_ident()
        assert set(events.threads) == {"on_start", "on_receive", "on_stop"}
        assert len(set(events.threads.values())) == 1
        assert threading.get_ident() not in events.threads.values()

    def test_on_failure_runs_there_too(self, ref, events):
        ref.tell("raise")
        assert events.failed.wait(PATIENCE_S)
        assert events.threads["on_failure"] == events.threads["on_receive"]

    def test_an_actor_handles_one_message_at_a_time(self, kind):
        class Counter(kind.actor):
            inside = 0
            most = 0
            count = 0

            def on_receive(self, message: Any) -> Any:
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.count += 1
                self.inside -= 1

        ref = Counter.start()
        threads = [threading.Thread(target=lambda: [ref.tell("x") for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        proxy = ref.proxy()
        assert proxy.count.get(timeout=PATIENCE_S) == 800
        assert proxy.most.get(timeout=PATIENCE_S) == 1


class TestUnexpectedMessages:
    def test_they_are_logged_as_a_warning_and_answered_none(self, kind, caplog):
        ref = kind.actor.start()
        assert ref.ask("what?") is None
        (record,) = [each for each in caplog.records if "Unexpected" in each.getMessage()]
        assert record.getMessage() == f"Unexpected message received by {ref}: what?"
        assert record.levelno == logging.WARNING

    def test_an_override_may_pass_them_on(self, kind, caplog):
        class Choosy(kind.actor):
            def on_receive(self, message: Any) -> Any:
                return "Hi there!" if message == "Hi?" else super().on_receive(message)

        ref = Choosy.start()
        assert ref.ask("Hi?") == "Hi there!"
        assert ref.ask("Bye?") is None
        assert f"Unexpected message received by {ref}: Bye?" in caplog.text


class TestFailure:
    def test_an_exception_in_a_told_message_ends_the_actor_through_on_failure(self, ref, events):
        ref.tell("raise")
        assert events.failed.wait(PATIENCE_S)
        assert ref.actor_stopped.wait(PATIENCE_S)
        exception_type, exception, traceback = events.failure
        assert exception_type is ValueError
        assert str(exception) == "as told"
        assert traceback is not None
        assert not events.stopped.is_set()
        assert ref not in pykka.ActorRegistry.get_all()

    def test_on_start_failing_ends_the_actor_without_on_failure_or_on_stop(self, kind, events, caplog):
        class FailsAtStart(kind.actor):
            def on_start(self) -> None:
                raise RuntimeError("no")

            def on_failure(self, *failure: Any) -> None:
                events.failed.set()

            def on_stop(self) -> None:
                events.stopped.set()

        ref = FailsAtStart.start()
        assert ref.actor_stopped.wait(PATIENCE_S)
        assert ref not in pykka.ActorRegistry.get_all()
        assert not events.failed.is_set()
        assert not events.stopped.is_set()
        assert f"Unhandled exception in {ref}:" in caplog.text

    def test_on_failure_failing_ends_the_actor_all_the_same(self, kind):
        class FailsTwice(kind.actor):
            def on_receive(self, message: Any) -> Any:
                raise ValueError("first")

            def on_failure(self, *failure: Any) -> None:
                tried.set()
                raise RuntimeError("second")

        tried = threading.Event()
        ref = FailsTwice.start()
        ref.tell("x")
        assert ref.actor_stopped.wait(PATIENCE_S)
        assert tried.wait(PATIENCE_S)
        assert ref not in pykka.ActorRegistry.get_all()

    def test_on_stop_failing_is_logged_and_the_actor_is_stopped(self, kind, caplog):
        class FailsAtStop(kind.actor):
            def on_stop(self) -> None:
                raise RuntimeError("no")

        ref = FailsAtStop.start()
        assert ref.stop() is True
        assert f"Unhandled exception in {ref}:" in caplog.text
        assert not ref.is_alive()

    def test_an_exception_that_is_no_exception_stops_all_actors(self, actor_class, events):
        others = [Events(), Events()]
        refs = [actor_class.start(other) for other in others]
        actor_class.start(events).tell("raise base")
        for each in (*others, events):
            assert each.stopped.wait(PATIENCE_S)
        for ref in refs:
            assert ref.actor_stopped.wait(PATIENCE_S)


class TestStoppingItself:
    def test_an_actor_may_stop_itself(self, ref, events):
        ref.tell("stop")
        assert events.stopped.wait(PATIENCE_S)
        assert ref.actor_stopped.wait(PATIENCE_S)

    def test_it_handles_what_it_told_itself_before(self, ref, events):
        ref.ask("greet self, then stop")
        assert events.stopped.wait(PATIENCE_S)
        assert events.greeted.is_set()

    def test_it_may_do_so_twice(self, ref, events):
        ref.ask("stop twice")
        assert events.stopped.wait(PATIENCE_S)

    def test_and_already_in_on_start(self, kind, events):
        class Brief(kind.actor):
            def on_start(self) -> None:
                self.stop()

            def on_stop(self) -> None:
                events.stopped.set()

        ref = Brief.start()
        assert events.stopped.wait(PATIENCE_S)
        assert not ref.is_alive()


class TestLog:
    """The levels of pykka's logging guide."""

    def test_an_unhandled_exception_is_an_error_with_its_traceback(self, ref, events, caplog):
        ref.tell("raise")
        assert events.failed.wait(PATIENCE_S)
        (record,) = [each for each in caplog.records if each.getMessage() == f"Unhandled exception in {ref}:"]
        assert record.levelno == logging.ERROR
        assert record.exc_info[1] is events.failure[1]

    def test_an_exception_that_the_asker_gets_is_an_info_with_its_traceback(self, ref, caplog):
        caplog.set_level(logging.INFO)
        with pytest.raises(ValueError, match="as told") as caught:
            ref.ask("raise")
        (record,) = [each for each in caplog.records if each.getMessage().startswith("Exception returned from")]
        assert record.getMessage() == f"Exception returned from {ref} to caller:"
        assert record.levelno == logging.INFO
        assert record.exc_info[1] is caught.value

    def test_starting_registering_unregistering_and_stopping_are_debug(self, kind, caplog):
        caplog.set_level(logging.DEBUG)
        ref = kind.actor.start()
        ref.stop()
        steps = [each.getMessage() for each in caplog.records if ref.actor_urn in each.getMessage()]
        assert steps == [f"{step} {ref}" for step in ("Registered", "Starting", "Unregistered", "Stopped")]

"""What pykka's documentation promises, checked on its own threads and on our loop with the same tests."""

import queue
import threading
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pykka
import pytest

from execactor.runtime import LoopActor, LoopFuture, Supervision

pytestmark = pytest.mark.usefixtures("stop_all")

PATIENCE_S = 5


class NeverRestarted(LoopActor):
    """pykka's own failure policy: an exception ends the actor."""

    supervision = Supervision(max_restarts=0)


class Unstoppable(BaseException):
    """Neither an Exception nor one that asyncio knows."""


class Kind(NamedTuple):
    actor: type[pykka.Actor]
    future: Callable[[], pykka.Future[Any]]


@pytest.fixture(
    params=[Kind(pykka.ThreadingActor, pykka.ThreadingFuture), Kind(NeverRestarted, LoopFuture)], ids=["thread", "loop"]
)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


class Events:
    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()
        self.failed = threading.Event()
        self.greeted = threading.Event()
        self.failure: tuple[Any, ...] = ()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def actor_class(kind: Kind) -> type[pykka.Actor]:
    class Subject(kind.actor):
        colour = "red"

        def __init__(self, events: Events) -> None:
            super().__init__()
            self.events = events

        def on_start(self) -> None:
            self.registered = pykka.ActorRegistry.get_by_urn(self.actor_urn) is not None
            self.events.started.set()

        def on_stop(self) -> None:
            self.events.stopped.set()

        def on_failure(self, *failure: Any) -> None:
            self.events.failure = failure
            self.events.failed.set()

        def on_receive(self, message: Any) -> Any:
            match message:
                case "raise":
                    raise ValueError("as told")
                case "raise base":
                    raise Unstoppable
                case "stop twice":
                    self.stop()
                    self.stop()
                case "greet self, then stop":
                    self.actor_ref.tell("greetings")
                    self.stop()
                case "greetings":
                    self.events.greeted.set()
                case threading.Event():
                    message.wait(PATIENCE_S)
                case _:
                    return ("echo", message)
            return None

        def paint(self, colour: str) -> str:
            self.colour = colour
            return f"painted {colour}"

        def break_down(self) -> None:
            raise ValueError("as called")

    return Subject


@pytest.fixture
def ref(actor_class: type[pykka.Actor], events: Events) -> pykka.ActorRef[Any]:
    return actor_class.start(events)


class TestLife:
    def test_a_started_actor_is_alive_registered_and_has_a_uuid_urn(self, ref):
        assert ref.is_alive()
        assert ref in pykka.ActorRegistry.get_all()
        assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
        assert uuid.UUID(ref.actor_urn).version == 4

    def test_on_start_runs_before_the_first_message_and_after_registration(self, ref, events):
        assert ref.ask("x") == ("echo", "x")
        assert events.started.is_set()
        assert ref.proxy().registered.get(timeout=PATIENCE_S)

    def test_str_and_repr_name_the_class_and_the_urn(self, ref):
        for text in (str(ref), repr(ref)):
            assert "Subject" in text
            assert ref.actor_urn in text

    def test_an_instance_made_by_calling_the_class_has_a_ref_but_never_runs(self, actor_class, events):
        actor = actor_class(events)
        actor.actor_ref.tell("x")
        assert actor.actor_urn in str(actor)
        assert not events.started.is_set()

    def test_on_start_failing_ends_the_actor_without_on_failure_or_on_stop(self, kind, events):
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

    def test_an_actor_may_stop_in_on_start(self, kind, events):
        class Brief(kind.actor):
            def on_start(self) -> None:
                self.stop()

            def on_stop(self) -> None:
                events.stopped.set()

        ref = Brief.start()
        assert events.stopped.wait(PATIENCE_S)
        assert not ref.is_alive()


class TestTellAndAsk:
    @pytest.mark.parametrize("message", [123, 1.5, {"a": "dict"}, ("a", "tuple"), ["a", "list"], None])
    def test_any_object_is_a_message(self, ref, message):
        assert ref.ask(message) == ("echo", message)

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

    def test_ask_without_blocking_returns_a_future(self, ref):
        assert ref.ask("x", block=False).get(timeout=PATIENCE_S) == ("echo", "x")

    def test_a_blocking_ask_gives_up_after_its_timeout(self, ref):
        gate = threading.Event()
        ref.tell(gate)
        with pytest.raises(pykka.Timeout):
            ref.ask("x", timeout=0)
        gate.set()

    def test_an_exception_is_raised_at_the_asker_and_the_actor_goes_on(self, ref, events):
        with pytest.raises(ValueError, match="as told"):
            ref.ask("raise")
        assert ref.ask("x") == ("echo", "x")
        assert not events.failed.is_set()

    def test_tell_to_a_dead_actor_raises(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.tell("x")

    def test_ask_of_a_dead_actor_raises_or_fails_the_future(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.ask("x")
        with pytest.raises(pykka.ActorDeadError):
            ref.ask("x", block=False).get(timeout=PATIENCE_S)

    def test_unexpected_messages_are_logged_by_default(self, kind, caplog):
        ref = kind.actor.start()
        ref.ask("what?")
        assert f"Unexpected message received by {ref}" in caplog.text


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

    def test_it_is_logged(self, ref, caplog):
        ref.tell("raise")
        assert ref.actor_stopped.wait(PATIENCE_S)
        assert any(record.getMessage() == f"Unhandled exception in {ref}:" for record in caplog.records)

    def test_on_failure_failing_ends_the_actor_all_the_same(self, kind):
        class FailsTwice(kind.actor):
            def on_receive(self, message: Any) -> Any:
                raise ValueError("first")

            def on_failure(self, *failure: Any) -> None:
                raise RuntimeError("second")

        ref = FailsTwice.start()
        ref.tell("x")
        assert ref.actor_stopped.wait(PATIENCE_S)

    def test_an_exception_that_is_no_exception_stops_all_actors(self, actor_class, events):
        others = [Events(), Events()]
        refs = [actor_class.start(other) for other in others]
        actor_class.start(events).tell("raise base")
        for each in (*others, events):
            assert each.stopped.wait(PATIENCE_S)
        for ref in refs:
            assert ref.actor_stopped.wait(PATIENCE_S)


class TestStop:
    def test_stop_calls_on_stop_and_tells_whether_the_actor_was_alive(self, ref, events):
        assert ref.stop() is True
        assert events.stopped.is_set()
        assert not ref.is_alive()
        assert ref not in pykka.ActorRegistry.get_all()
        assert ref.stop() is False

    def test_stop_without_blocking_returns_a_future(self, ref):
        assert ref.stop(block=False).get(timeout=PATIENCE_S) is True

    def test_messages_sent_before_are_handled(self, ref, events):
        ref.tell("greetings")
        ref.stop()
        assert events.greeted.is_set()

    def test_an_actor_handles_what_it_told_itself_before_it_stopped_itself(self, ref, events):
        ref.ask("greet self, then stop")
        assert events.stopped.wait(PATIENCE_S)
        assert events.greeted.is_set()

    def test_an_actor_may_stop_itself_twice(self, ref, events):
        ref.ask("stop twice")
        assert events.stopped.wait(PATIENCE_S)

    def test_asks_left_in_the_mailbox_fail(self, ref):
        gate = threading.Event()
        ref.tell(gate)
        ref.stop(block=False)
        too_late = ref.ask("x", block=False)
        gate.set()
        with pytest.raises(pykka.ActorDeadError):
            too_late.get(timeout=PATIENCE_S)

    def test_a_second_stop_left_in_the_mailbox_is_answered_true(self, ref):
        gate = threading.Event()
        ref.tell(gate)
        first, second = ref.stop(block=False), ref.stop(block=False)
        gate.set()
        assert first.get(timeout=PATIENCE_S) is True
        assert second.get(timeout=PATIENCE_S) is True

    def test_on_stop_failing_is_logged_and_the_actor_is_stopped(self, kind, caplog):
        class FailsAtStop(kind.actor):
            def on_stop(self) -> None:
                raise RuntimeError("no")

        ref = FailsAtStop.start()
        assert ref.stop() is True
        assert f"Unhandled exception in {ref}:" in caplog.text


class TestProxy:
    def test_methods_attributes_and_assignment(self, ref):
        proxy = ref.proxy()
        assert proxy.colour.get() == "red"
        assert proxy.paint("blue").get() == "painted blue"
        proxy.colour = "green"
        assert proxy.colour.get() == "green"

    def test_a_method_s_exception_reaches_the_caller(self, ref):
        with pytest.raises(ValueError, match="as called"):
            ref.proxy().break_down().get()
        assert ref.is_alive()

    def test_a_deferred_call_s_exception_is_the_actor_s_failure(self, ref, events):
        ref.proxy().break_down.defer()
        assert events.failed.wait(PATIENCE_S)

    def test_a_proxy_of_a_dead_actor_is_refused(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError):
            ref.proxy()


class TestRegistry:
    def test_broadcast_reaches_the_actors_of_a_class(self, actor_class):
        all_events = [Events() for _ in range(3)]
        for events in all_events:
            actor_class.start(events)
        pykka.ActorRegistry.broadcast("greetings", target_class=actor_class)
        assert all(events.greeted.wait(PATIENCE_S) for events in all_events)

    def test_stop_all_stops_the_last_started_first(self, kind):
        order = []

        class Numbered(kind.actor):
            def __init__(self, number: int) -> None:
                super().__init__()
                self.number = number

            def on_stop(self) -> None:
                order.append(self.number)

        for number in range(4):
            Numbered.start(number)
        assert pykka.ActorRegistry.stop_all() == [True] * 4
        assert order == [3, 2, 1, 0]


class TestFuture:
    def test_a_value_can_be_got_many_times(self, kind):
        future = kind.future()
        future.set("foo")
        assert [future.get(), future.get(timeout=0)] == ["foo", "foo"]

    def test_it_is_set_once(self, kind):
        future = kind.future()
        future.set(None)
        with pytest.raises(queue.Full):
            future.set(1)
        with pytest.raises(queue.Full):
            future.set_exception((ValueError, ValueError(), None))
        with pytest.raises(queue.Full):
            future.set_get_hook(lambda timeout: 1)
        assert future.get() is None

    def test_get_raises_timeout_while_there_is_nothing(self, kind):
        with pytest.raises(pykka.Timeout):
            kind.future().get(timeout=0)

    def test_get_wakes_when_another_thread_sets(self, kind):
        future = kind.future()
        threading.Thread(target=future.set, args=["foo"]).start()
        assert future.get(timeout=PATIENCE_S) == "foo"

    def test_set_exception_takes_the_current_exception_with_its_traceback(self, kind):
        future = kind.future()
        try:
            raise NameError("foo")
        except NameError:
            future.set_exception()
        with pytest.raises(NameError, match="foo") as caught:
            future.get()
        assert any(entry.name.startswith("test_set_exception") for entry in caught.traceback)

    def test_a_get_hook_runs_once(self, kind):
        calls = []
        future = kind.future()
        future.set_get_hook(calls.append)
        assert future.get(timeout=3) is None
        assert future.get() is None
        assert calls == [3]

    def test_map_filter_join_and_reduce(self, kind):
        numbers, more = kind.future(), kind.future()
        mapped = numbers.map(sum)
        filtered = numbers.filter(lambda number: number > 1)
        joined = numbers.join(more)
        reduced = numbers.reduce(lambda left, right: left + right, 10)
        numbers.set([1, 2, 3])
        more.set("more")
        assert mapped.get(timeout=0) == 6
        assert filtered.get(timeout=0) == [2, 3]
        assert joined.get(timeout=0) == [[1, 2, 3], "more"]
        assert reduced.get(timeout=0) == 16

    @pytest.mark.parametrize(
        "derive",
        [lambda f: f.map(str), lambda f: f.filter(bool), lambda f: f.join(f), lambda f: f.reduce(max)],
        ids=["map", "filter", "join", "reduce"],
    )
    def test_derived_futures_keep_the_timeout(self, kind, derive):
        with pytest.raises(pykka.Timeout):
            derive(kind.future()).get(timeout=0)

    def test_get_all(self, kind):
        futures = [kind.future() for _ in range(3)]
        for number, future in enumerate(futures):
            future.set(number)
        assert pykka.get_all(futures, timeout=0) == [0, 1, 2]

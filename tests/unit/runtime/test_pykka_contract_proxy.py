"""What pykka 4.5 documents for ActorProxy, CallableProxy and traversable()."""

import asyncio
import threading
from typing import Any

import pykka
import pykka.typing
import pytest
from pykka_subject import PATIENCE_S, Events

pytestmark = pytest.mark.usefixtures("stop_all")


@pytest.fixture
def ref(actor_class: type[pykka.Actor], events: Events) -> pykka.ActorRef[Any]:
    return actor_class.start(events)


@pytest.fixture
def proxy(ref: pykka.ActorRef[Any]) -> Any:
    return ref.proxy()


class TestMaking:
    def test_proxy_of_a_ref_and_the_class_itself_make_equal_ones(self, ref):
        one, other = ref.proxy(), pykka.ActorProxy(actor_ref=ref)
        assert one == other
        assert hash(one) == hash(other)
        assert one.actor_ref is ref

    def test_those_of_two_actors_differ(self, actor_class, ref):
        assert ref.proxy() != actor_class.start(Events()).proxy()
        assert ref.proxy() != ref

    def test_repr_and_dir_show_the_actor_and_its_public_attributes(self, ref, proxy):
        assert repr(proxy) == f"<ActorProxy for {ref}, attr_path=()>"
        assert {"actor_ref", "colour", "paint", "on_receive", "stop", "__class__"} <= set(dir(proxy))

    def test_the_dead_are_refused(self, ref):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.proxy()
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            pykka.ActorProxy(actor_ref=ref)


class TestAttributes:
    def test_they_are_read_as_futures_and_assigned_at_once(self, proxy):
        assert proxy.colour.get(timeout=PATIENCE_S) == "red"
        proxy.colour = "green"
        assert proxy.colour.get(timeout=PATIENCE_S) == "green"

    def test_one_that_came_later_is_found(self, kind):
        class Growing(kind.actor):
            def grow(self) -> None:
                self.later = "here"
                self.called_later = lambda: "called"

        proxy = Growing.start().proxy()
        with pytest.raises(AttributeError, match="has no attribute 'later'"):
            proxy.later  # noqa: B018 - reading is what is tested
        proxy.grow().get(timeout=PATIENCE_S)
        assert proxy.later.get(timeout=PATIENCE_S) == "here"
        assert proxy.called_later().get(timeout=PATIENCE_S) == "called"

    def test_private_ones_are_not_mirrored(self, kind):
        class Shy(kind.actor):
            _secret = 1

            def _whisper(self) -> None:
                pass

        proxy = Shy.start().proxy()
        for name in ("_secret", "_whisper"):
            with pytest.raises(AttributeError, match="has no attribute"):
                getattr(proxy, name)

    def test_properties_run_in_the_actor_and_their_errors_reach_the_caller(self, kind):
        class Guarded(kind.actor):
            def __init__(self) -> None:
                super().__init__()
                self._level = 1

            @property
            def level(self) -> tuple[int, int]:
                return self._level, threading.get_ident()

            @level.setter
            def level(self, value: int) -> None:
                if value < 0:
                    raise ValueError("must not be negative")
                self._level = value

        proxy = Guarded.start().proxy()
        proxy.level = 2
        level, thread = proxy.level.get(timeout=PATIENCE_S)
        assert level == 2
        assert thread != threading.get_ident()
        with pytest.raises(ValueError, match="must not be negative"):
            proxy.level = -1

    def test_of_an_actor_that_died_meanwhile_there_are_only_errors(self, ref, proxy):
        ref.stop()
        with pytest.raises(pykka.ActorDeadError):
            proxy.colour.get(timeout=PATIENCE_S)
        with pytest.raises(pykka.ActorDeadError):
            proxy.paint("blue").get(timeout=PATIENCE_S)
        with pytest.raises(pykka.ActorDeadError):
            proxy.paint.defer("blue")
        with pytest.raises(pykka.ActorDeadError):
            proxy.colour = "blue"


class TestCalls:
    def test_they_take_all_arguments_and_return_futures(self, proxy):
        assert proxy.paint("blue", coats=2).get(timeout=PATIENCE_S) == "painted blue 2 times"

    def test_they_are_made_in_order_whether_anybody_waits_or_not(self, proxy):
        for colour in ("blue", "green", "black"):
            proxy.paint(colour)
        assert proxy.colour.get(timeout=PATIENCE_S) == "black"

    def test_they_run_in_the_actor(self, proxy):
        assert proxy.thread().get(timeout=PATIENCE_S) != threading.get_ident()

    def test_their_results_can_be_awaited_on_any_loop(self, proxy):
        async def painting() -> Any:
            return await proxy.paint("blue"), await proxy.colour

        assert asyncio.run(painting()) == ("painted blue 1 times", "blue")

    def test_an_exception_reaches_the_caller_and_the_actor_goes_on(self, ref, proxy, events):
        with pytest.raises(ValueError, match="as called"):
            proxy.break_down().get(timeout=PATIENCE_S)
        assert ref.is_alive()
        assert not events.failed.is_set()

    def test_one_whose_future_nobody_uses_hurts_nobody(self, proxy):
        proxy.break_down()
        assert proxy.colour.get(timeout=PATIENCE_S) == "red"

    def test_a_method_not_called_is_a_callable_proxy(self, proxy):
        paint = proxy.paint
        assert isinstance(paint, pykka.CallableProxy)
        assert paint("blue").get(timeout=PATIENCE_S) == "painted blue 1 times"

    def test_a_deferred_call_returns_nothing_and_is_made(self, proxy):
        assert proxy.paint.defer("blue", coats=3) is None
        assert proxy.colour.get(timeout=PATIENCE_S) == "blue"

    def test_its_exception_is_the_actor_s_failure(self, proxy, events):
        proxy.break_down.defer()
        assert events.failed.wait(PATIENCE_S)
        assert str(events.failure[1]) == "as called"

    def test_the_actor_s_own_methods_can_be_called_as_pykka_typing_lists_them(self, ref, proxy, events):
        assert {"stop", "on_start", "on_stop", "on_failure", "on_receive"} <= set(dir(pykka.typing.ActorMemberMixin))
        assert proxy.on_receive("x").get(timeout=PATIENCE_S) == ("echo", "x")
        proxy.stop()
        assert events.stopped.wait(PATIENCE_S)
        assert ref.actor_stopped.wait(PATIENCE_S)


class TestProxyToItself:
    @pytest.mark.parametrize("made_in", ["__init__", "on_start"])
    def test_work_for_itself_is_done_after_what_waits_already(self, kind, made_in):
        steps = []
        gate, done = threading.Event(), threading.Event()

        class Cooperative(kind.actor):
            def __init__(self) -> None:
                super().__init__()
                if made_in == "__init__":
                    self._in_future = self.actor_ref.proxy()

            def on_start(self) -> None:
                if made_in == "on_start":
                    self._in_future = self.actor_ref.proxy()

            def work(self, part: int) -> None:
                gate.wait(PATIENCE_S)
                steps.append(part)
                if part < 3:
                    self._in_future.work(part + 1)
                else:
                    done.set()

            def on_receive(self, message: Any) -> Any:
                steps.append(message)

        ref = Cooperative.start()
        ref.proxy().work(1)
        ref.tell("between")
        gate.set()
        assert done.wait(PATIENCE_S)
        assert steps == [1, "between", 2, 3]

    def test_and_a_stop_gets_in_between(self, kind, events):
        class Endless(kind.actor):
            def on_start(self) -> None:
                self._in_future = self.actor_ref.proxy()
                self._in_future.work.defer()

            def work(self) -> None:
                events.started.set()
                self._in_future.work.defer()

        ref = Endless.start()
        assert events.started.wait(PATIENCE_S)
        assert ref.stop(timeout=PATIENCE_S) is True

    def test_a_public_one_is_warned_of(self, kind, caplog):
        class Naive(kind.actor):
            def on_start(self) -> None:
                self.me = self.actor_ref.proxy()

        ref = Naive.start()
        ref.ask("has it started?")
        ref.proxy()
        assert "attribute 'me' is a proxy to itself" in caplog.text
        assert "'_me'" in caplog.text

"""What pykka 4.5 documents for ActorRegistry."""

import logging
import threading
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S, Events

pytestmark = pytest.mark.usefixtures("stop_all")


@pytest.fixture
def family(kind):
    """A class of this test alone, and a subclass of it."""

    class Parent(kind.actor):
        def on_start(self) -> None:
            self.seen: list[Any] = []

        def on_receive(self, message: Any) -> Any:
            if message == "seen":
                return self.seen
            self.seen.append(message)
            return None

    class Child(Parent):
        pass

    return Parent, Child


class TestLookup:
    def test_all_running_actors_come_in_the_order_of_their_start(self, family):
        parent, child = family
        refs = [parent.start(), child.start(), parent.start()]
        assert [ref for ref in pykka.ActorRegistry.get_all() if ref in refs] == refs

    def test_the_list_is_the_caller_s_own(self, family):
        ref = family[0].start()
        pykka.ActorRegistry.get_all().clear()
        assert ref in pykka.ActorRegistry.get_all()

    def test_by_class_with_its_subclasses(self, family):
        parent, child = family
        refs = [parent.start(), child.start()]
        assert pykka.ActorRegistry.get_by_class(parent) == refs
        assert pykka.ActorRegistry.get_by_class(child) == refs[1:]

    def test_by_the_name_of_the_class_alone(self, family):
        parent, child = family
        refs = [parent.start(), child.start()]
        assert pykka.ActorRegistry.get_by_class_name("Parent") == refs[:1]
        assert pykka.ActorRegistry.get_by_class_name("Child") == refs[1:]
        assert pykka.ActorRegistry.get_by_class_name("Stranger") == []

    def test_by_urn(self, family):
        ref = family[0].start()
        assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
        assert pykka.ActorRegistry.get_by_urn("urn:uuid:nobody") is None

    def test_the_stopped_are_not_found(self, family):
        ref = family[0].start()
        ref.stop()
        assert ref not in pykka.ActorRegistry.get_all()
        assert pykka.ActorRegistry.get_by_class(family[0]) == []
        assert pykka.ActorRegistry.get_by_class_name("Parent") == []
        assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is None

    def test_many_threads_may_start_and_stop_actors(self, family):
        kept: list[pykka.ActorRef[Any]] = []

        def starting() -> None:
            for _ in range(10):
                family[0].start().stop()
                kept.append(family[0].start())

        threads = [threading.Thread(target=starting) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert len(kept) == 40
        assert set(pykka.ActorRegistry.get_by_class(family[0])) == set(kept)


class TestRegistering:
    def test_a_ref_may_be_taken_out_and_put_in_by_hand(self, family):
        ref = family[0].start()
        pykka.ActorRegistry.unregister(ref)
        assert ref not in pykka.ActorRegistry.get_all()
        assert ref.is_alive()
        pykka.ActorRegistry.register(ref)
        assert ref in pykka.ActorRegistry.get_all()

    def test_an_unknown_one_taken_out_is_only_logged(self, family, caplog):
        caplog.set_level(logging.DEBUG)
        ref = family[0].start()
        ref.stop()
        pykka.ActorRegistry.unregister(ref)
        assert f"Unregistered {ref} (not found in registry)" in caplog.text


class TestBroadcast:
    @pytest.mark.parametrize("by_name", [False, True])
    def test_it_reaches_the_actors_of_a_class(self, family, by_name):
        parent, child = family
        refs = [parent.start(), parent.start(), child.start()]
        pykka.ActorRegistry.broadcast("hi", target_class="Parent" if by_name else parent)
        expected = [["hi"], ["hi"], [] if by_name else ["hi"]]  # a subclass has a name of its own
        assert [ref.ask("seen") for ref in refs] == expected

    def test_without_a_class_it_reaches_all(self, family):
        refs = [cls.start() for cls in family]
        pykka.ActorRegistry.broadcast("hi")
        assert [ref.ask("seen") for ref in refs] == [["hi"], ["hi"]]


class TestStopAll:
    @pytest.fixture
    def order(self) -> list[int]:
        return []

    @pytest.fixture
    def numbered(self, kind, order):
        class Numbered(kind.actor):
            def __init__(self, number: int) -> None:
                super().__init__()
                self.number = number

            def on_stop(self) -> None:
                order.append(self.number)

        return [Numbered.start(number) for number in range(4)]

    def test_the_last_started_stops_first(self, numbered, order):
        assert pykka.ActorRegistry.stop_all() == [True] * 4
        assert order == [3, 2, 1, 0]
        assert pykka.ActorRegistry.get_all() == []

    def test_without_blocking_it_returns_futures(self, numbered, order):
        futures = pykka.ActorRegistry.stop_all(block=False)
        assert pykka.get_all(futures, timeout=PATIENCE_S) == [True] * 4
        assert sorted(order) == [0, 1, 2, 3]

    def test_it_gives_up_after_its_timeout(self, actor_class):
        gate = threading.Event()
        ref = actor_class.start(Events())
        ref.tell(gate)
        with pytest.raises(pykka.Timeout):
            pykka.ActorRegistry.stop_all(timeout=0)
        gate.set()

    def test_with_nobody_there_it_has_nothing_to_do(self):
        assert pykka.ActorRegistry.stop_all() == []

    def test_an_actor_may_stop_those_it_depends_on_in_its_on_stop(self, kind, numbered, order):
        class Owner(kind.actor):
            def on_stop(self) -> None:
                for ref in numbered:
                    ref.stop(block=False)

        Owner.start().stop()
        assert all(ref.actor_stopped.wait(PATIENCE_S) for ref in numbered)
        assert sorted(order) == [0, 1, 2, 3]

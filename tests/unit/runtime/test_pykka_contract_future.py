"""What pykka 4.5 documents for Future and get_all()."""

import asyncio
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S

RESOLVE: dict[str, Callable[[pykka.Future[Any]], None]] = {
    "set": lambda future: future.set(1),
    "set_exception": lambda future: future.set_exception((ValueError, ValueError("no"), None)),
    "set_get_hook": lambda future: future.set_get_hook(lambda timeout: 2),
}


@pytest.fixture
def future(kind):
    return kind.future()


class TestValue:
    def test_it_can_be_got_many_times(self, future):
        value = object()
        future.set(value)
        assert future.get() is value
        assert future.get(timeout=0) is value

    def test_set_without_a_value_sets_none(self, future):
        future.set()
        assert future.get(timeout=0) is None

    def test_get_gives_up_after_its_timeout_and_may_be_tried_again(self, future):
        for timeout in (0, 0.001):
            with pytest.raises(pykka.Timeout, match=f"{timeout} seconds"):
                future.get(timeout=timeout)
        future.set("foo")
        assert future.get(timeout=0) == "foo"

    def test_get_wakes_when_another_thread_sets(self, future):
        threading.Thread(target=future.set, args=["foo"]).start()
        assert future.get(timeout=PATIENCE_S) == "foo"

    def test_all_who_wait_get_it(self, future):
        got: list[Any] = []
        threads = [threading.Thread(target=lambda: got.append(future.get(timeout=PATIENCE_S))) for _ in range(5)]
        for thread in threads:
            thread.start()
        future.set("foo")
        for thread in threads:
            thread.join(PATIENCE_S)
        assert got == ["foo"] * 5

    def test_a_future_may_be_the_value_of_another(self, kind, future):
        inner = kind.future()
        future.set(inner)
        assert future.get(timeout=0) is inner

    def test_repr_shows_no_value(self, future):
        future.set("secret")
        assert repr(future) == "<pykka.Future>"


class TestSetOnce:
    # A hook on a hook is the one pair that pykka lets pass.
    @pytest.mark.parametrize("second", RESOLVE)
    @pytest.mark.parametrize("first", RESOLVE)
    def test_what_is_resolved_stays(self, future, first, second):
        RESOLVE[first](future)
        if first == second == "set_get_hook":
            return
        with pytest.raises(queue.Full):
            RESOLVE[second](future)
        if first == "set_exception":
            with pytest.raises(ValueError, match="no"):
                future.get(timeout=0)
        else:
            assert future.get(timeout=0) == {"set": 1, "set_get_hook": 2}[first]


class TestException:
    def test_the_current_one_is_taken_with_its_traceback(self, future):
        try:
            raise NameError("foo")
        except NameError:
            future.set_exception()
        with pytest.raises(NameError, match="foo") as caught:
            future.get()
        assert any(entry.name.startswith("test_the_current_one") for entry in caught.traceback)

    def test_or_the_three_that_sys_exc_info_gives(self, future):
        try:
            raise NameError("foo")
        except NameError as exc:
            future.set_exception(sys.exc_info())
            expected = exc
        with pytest.raises(NameError) as caught:
            future.get()
        assert caught.value is expected

    def test_its_class_alone_will_do(self, future):
        future.set_exception((NameError, None, None))
        with pytest.raises(NameError):
            future.get()

    def test_it_is_raised_at_every_get_and_its_traceback_does_not_grow(self, future):
        future.set_exception((ValueError, ValueError("no"), None))
        depths = []
        for _ in range(5):
            with pytest.raises(ValueError, match="no") as caught:
                future.get()
            depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
        assert len(set(depths)) == 1


class TestGetHook:
    def test_it_is_called_once_with_the_timeout(self, future):
        calls = []
        future.set_get_hook(calls.append)
        assert future.get(timeout=3) is None
        assert future.get() is None
        assert calls == [3]

    def test_what_it_raises_is_raised(self, future):
        future.set_get_hook(lambda timeout: {}["missing"])
        with pytest.raises(KeyError, match="missing"):
            future.get()


class TestAwait:
    def test_a_value(self, future):
        async def waiting() -> Any:
            return await future

        future.set("foo")
        assert asyncio.run(waiting()) == "foo"

    def test_an_exception(self, future):
        async def waiting() -> Any:
            return await future

        future.set_exception((ValueError, ValueError("no"), None))
        with pytest.raises(ValueError, match="no"):
            asyncio.run(waiting())

    def test_twice_and_after_a_get(self, future):
        async def waiting() -> Any:
            return await future, await future

        future.set("foo")
        assert future.get() == "foo"
        assert asyncio.run(waiting()) == ("foo", "foo")


class TestDerived:
    def test_map_filter_join_and_reduce_wait_for_their_source(self, kind, future):
        more = kind.future()
        mapped = future.map(sum)
        filtered = future.filter(lambda number: number > 1)
        joined = future.join(more)
        reduced = future.reduce(lambda left, right: left + right, 10)
        future.set([1, 2, 3])
        more.set("more")
        assert mapped.get(timeout=0) == 6
        assert filtered.get(timeout=0) == [2, 3]
        assert joined.get(timeout=0) == [[1, 2, 3], "more"]
        assert reduced.get(timeout=0) == 16
        assert future.get(timeout=0) == [1, 2, 3]

    def test_map_gets_the_whole_value_even_of_an_iterable(self, future):
        mapped = future.map(lambda value: value["foo"])
        future.set({"foo": "bar"})
        assert mapped.get() == "bar"

    def test_join_keeps_the_order_of_all_its_futures(self, kind):
        first, second, third = (kind.future() for _ in range(3))
        joined = first.join(second, third)
        third.set(False)
        first.set("abc")
        second.set(123)
        assert joined.get(timeout=0) == ["abc", 123, False]

    @pytest.mark.parametrize(
        ("values", "initial", "result"), [(["a", "b", "c"], (), "abc"), ([], (5,), 5), ([1, 2, 3], (5,), 11)]
    )
    def test_reduce_goes_from_left_to_right_from_its_initial_value(self, future, values, initial, result):
        reduced = future.reduce(lambda left, right: left + right, *initial)
        future.set(values)
        assert reduced.get(timeout=0) == result

    @pytest.mark.parametrize("derive", [lambda f: f.filter(bool), lambda f: f.reduce(max)], ids=["filter", "reduce"])
    def test_what_cannot_be_iterated_is_a_type_error_at_the_get(self, future, derive):
        derived = derive(future)
        future.set(1)
        with pytest.raises(TypeError):
            derived.get(timeout=0)

    @pytest.mark.parametrize(
        "derive",
        [lambda f: f.map(str), lambda f: f.filter(bool), lambda f: f.join(f), lambda f: f.reduce(max)],
        ids=["map", "filter", "join", "reduce"],
    )
    class TestAnyOfThem:
        def test_keeps_the_timeout(self, future, derive):
            with pytest.raises(pykka.Timeout):
                derive(future).get(timeout=0)

        def test_raises_its_source_s_exception(self, future, derive):
            derived = derive(future)
            future.set_exception((ValueError, ValueError("no"), None))
            with pytest.raises(ValueError, match="no"):
                derived.get(timeout=0)

    def test_they_may_follow_one_another(self, future):
        chained = future.filter(lambda number: number > 1).map(lambda numbers: [number * 10 for number in numbers])
        future.set([1, 2, 3])
        assert chained.reduce(lambda left, right: left + right).get(timeout=0) == 50


class TestGetAll:
    def test_it_lists_all_values_in_order(self, kind):
        futures = [kind.future() for _ in range(3)]
        for number, future in enumerate(futures):
            future.set(number)
        assert pykka.get_all(futures) == [0, 1, 2]
        assert pykka.get_all((each for each in futures), timeout=0) == [0, 1, 2]

    def test_it_gives_up_after_its_timeout(self, kind, future):
        future.set(1)
        with pytest.raises(pykka.Timeout):
            pykka.get_all([future, kind.future()], timeout=0)

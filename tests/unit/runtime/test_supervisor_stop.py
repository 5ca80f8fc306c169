"""The orderly end of a tree: the last started stops first, whoever does not stop in time is aborted."""

import asyncio
import threading

import pykka
import pytest
from family import SECOND, Fail, Family, Member

from execactor.runtime import (
    ActorSystem,
    ChildSpec,
    LoopActor,
    ManualClock,
    Restart,
    StopChild,
    Strategy,
    Supervision,
    Supervisor,
)


@pytest.fixture
def family(system: ActorSystem) -> Family:
    return Family(system, [])


async def test_children_stop_the_last_first_and_before_their_supervisor(family: Family, system: ActorSystem) -> None:
    class Outer(Supervisor):
        def on_stop(self) -> None:
            family.log.append("top: stopped")

    inner = family.branch("inner", family.spec("b"), family.spec("c"))
    ref = system.start(Outer, [family.spec("a"), inner, family.spec("d")], name="top")
    family.new()
    assert await ref.stop(block=False) is True
    assert family.new() == ["d: stopped", "c: stopped", "b: stopped", "a: stopped", "top: stopped"]
    assert family.alive == []
    assert await ref.stop(block=False) is False


async def test_each_child_handles_first_what_waits_for_it(family: Family) -> None:
    top = family.start("a", "b")
    family.new()
    family.tell("a", "one")
    family.tell("b", "two")
    await top.stop(block=False)
    assert family.new() == ["a: one", "b: two", "b: stopped", "a: stopped"]
    assert not family.system.dead_letters.counts


async def test_a_child_that_does_not_stop_in_time_is_aborted_and_the_others_get_their_time(
    family: Family, clock: ManualClock
) -> None:
    hanging = family.spec("b", stop_deadline_ns=SECOND)
    top = family.start("a", hanging, "c")
    family.tell("b", "hang")
    stopping = asyncio.ensure_future(asyncio.wait_for(top.stop(block=False), 10))
    for _ in range(20):
        await asyncio.sleep(0)
    assert family.new()[-2:] == ["b: hangs", "c: stopped"]
    assert not stopping.done()
    clock.advance(SECOND)
    assert await stopping is True
    assert family.new() == ["b: stopped", "a: stopped"]


async def test_a_deadline_for_the_whole_tree_aborts_what_is_left_of_it(family: Family, clock: ManualClock) -> None:
    top = family.start("a", family.spec("b", stop_deadline_ns=None))
    family.tell("b", "hang")
    stopping = asyncio.ensure_future(family.system.stop([top], 3 * SECOND))
    for _ in range(20):
        await asyncio.sleep(0)
    clock.advance(3 * SECOND)
    assert await stopping == [top]
    assert family.new()[-2:] == ["b: stopped", "a: stopped"]
    assert family.alive == []


async def test_an_abort_ends_all_at_once_the_last_first(family: Family) -> None:
    top = family.start("a", family.branch("inner", family.spec("b")), "c")
    family.new()
    top.abort()
    assert family.log == ["c: stopped", "b: stopped", "a: stopped"]
    assert family.alive == []
    family.run()
    assert family.alive == [], "a permanent child is not missed when its supervisor is gone"


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_nobody_is_restarted_while_the_tree_stops(family: Family, strategy: Strategy) -> None:
    top = family.start("a", "b", "c", strategy=strategy)
    family.new()
    family.tell("a", "hang")
    family.run()
    stopping = top.stop(block=False)
    family.tell("b", Fail("x"))
    family.run()
    family["a"].abort()
    assert await stopping is True
    assert not [event for event in family.new() if "restarted" in event]
    assert family.escalations == []
    assert family.alive == []


async def test_stopping_does_not_wait_for_children_that_back_off(family: Family) -> None:
    top = family.start("a", "b", strategy=Strategy.ALL_FOR_ONE, intensity=Supervision(backoff_min_ns=30 * SECOND))
    family.tell("a", Fail("x"))
    family.run()
    family.system.dispatcher.flush()
    assert await asyncio.wait_for(top.stop(block=False), 5) is True, "on a clock that stands still"


async def test_a_child_that_was_added_during_a_backoff_stops_with_the_others(family: Family) -> None:
    top = family.start("a", "b", strategy=Strategy.REST_FOR_ONE, intensity=Supervision(backoff_min_ns=30 * SECOND))
    family.tell("b", Fail("x"))
    family.run()
    top._actor_weakref().start_child(family.spec("c"))
    assert await asyncio.wait_for(top.stop(block=False), 5) is True
    assert family.alive == []


async def test_one_child_can_be_stopped_for_good(family: Family) -> None:
    top = family.start("a", "b", strategy=Strategy.ALL_FOR_ONE)
    family.new()
    assert await top.ask(StopChild("a"), block=False) is True
    assert await top.ask(StopChild("nobody"), block=False) is False
    assert family.new() == ["a: stopped"], "permanent or not, and the siblings stay"
    assert family.alive == ["top", "b"]


async def test_a_stop_from_another_thread_ends_the_tree(family: Family) -> None:
    system = ActorSystem.in_thread()
    try:
        top = system.start(Supervisor, [family.spec("a"), family.spec("b")], name="top")
        assert await asyncio.to_thread(top.stop, timeout=10) is True
        assert family.log == ["a: started", "b: started", "b: stopped", "a: stopped"]
    finally:
        system.close()


async def test_pykka_s_stop_all_ends_permanent_children_too(family: Family) -> None:
    system = ActorSystem.in_thread()
    try:
        system.start(Supervisor, [family.spec("a"), family.spec("b")], name="top")
        await asyncio.to_thread(pykka.ActorRegistry.stop_all, block=True, timeout=10)
        assert system.refs == []
    finally:
        system.close()


async def test_an_exception_that_stops_all_actors_stops_trees(family: Family) -> None:
    class Fatal(LoopActor):
        def on_receive(self, message: object) -> None:
            raise BaseException("everything stops")  # noqa: TRY002 - as pykka means it

    family.start("a", ChildSpec(name="fatal", actor_class=Fatal))
    family.tell("fatal", "now")
    for _ in range(50):
        family.run()
        await asyncio.sleep(0)
    assert family.alive == []


async def test_a_handler_that_stopped_its_own_actor_and_returns_a_coroutine_is_not_revived(
    family: Family, system: ActorSystem
) -> None:
    class Suicidal(Member):
        def on_receive(self, message: object) -> object:
            self.actor_ref.abort()
            return self.hang()

    ref = system.start(Suicidal, "s", family.log, name="s")
    answer = ref.ask("x", block=False)
    family.run()
    assert not ref.is_alive()
    assert family.alive == []
    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=0)


async def test_a_tree_may_be_made_on_any_thread_and_starts_in_order(family: Family, system: ActorSystem) -> None:
    specs = [family.spec(str(number)) for number in range(100)]
    maker = threading.Thread(target=lambda: system.start(Supervisor, specs, name="top"))
    maker.start()
    await asyncio.to_thread(maker.join)
    family.run()
    assert family.log == [f"{number}: started" for number in range(100)]


def test_a_deadline_must_be_positive() -> None:
    with pytest.raises(ValueError, match="stop_deadline_ns of 'a' must be positive"):
        ChildSpec(name="a", actor_class=Member, restart=Restart.PERMANENT, stop_deadline_ns=0)

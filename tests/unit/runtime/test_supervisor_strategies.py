"""Who is restarted with a child that failed, and in which order."""

import asyncio
from typing import ClassVar

import pytest
from family import SECOND, Fail, Family, Fill, Member

from execactor.runtime import (
    ActorSystem,
    ChildSpec,
    ManualClock,
    Restart,
    StartChild,
    Strategy,
    Supervision,
    Supervisor,
)

ONE, REST, ALL = Strategy.ONE_FOR_ONE, Strategy.REST_FOR_ONE, Strategy.ALL_FOR_ONE


@pytest.fixture
def family(system: ActorSystem) -> Family:
    return Family(system, [])


class TestStart:
    def test_children_start_in_order_after_their_supervisor_and_with_their_own_children(self, family: Family) -> None:
        family.start("a", family.branch("inner", family.spec("b"), family.spec("c")), "d")
        assert family.new() == ["a: started", "b: started", "c: started", "d: started"]
        assert family.alive == ["top", "a", "inner", "b", "c", "d"]

    def test_their_refs_are_there_as_soon_as_the_supervisor_is_made(self, family: Family, system: ActorSystem) -> None:
        family.start()
        top = system.start(type(family.top._actor_weakref()), [family.spec("a")], name="other")
        family["a"].tell("early")
        assert family.new() == ["a: started", "a: early"]
        assert [ref.name for ref in top._actor_weakref().children] == ["a"]

    def test_a_later_child_does_not_start_before_an_earlier_one_that_must_try_again(self, family: Family) -> None:
        family.failing.add("a")
        family.start("a", "b", strategy=REST, intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        assert family.new() == []
        family.failing.clear()
        family.system.clock.advance(SECOND)
        assert family.new() == ["a: restarted (a cannot start)", "b: restarted (a cannot start)"]

    def test_one_for_one_starts_the_others_all_the_same(self, family: Family) -> None:
        family.failing.add("a")
        family.start("a", "b", intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        assert family.new() == ["b: started"]

    def test_a_child_may_be_added_later(self, family: Family) -> None:
        top = family.start("a")
        answer = top.ask(StartChild(family.spec("b")), block=False)
        family.run()
        assert answer.get() is family["b"]
        assert family.new() == ["a: started", "b: started"]

    def test_a_name_that_is_taken_is_refused_and_the_supervisor_goes_on(self, family: Family) -> None:
        top = family.start("a")
        answer = top.ask(StartChild(family.spec("a")), block=False)
        family.run()
        with pytest.raises(ValueError, match="'a' is alive"):
            answer.get()
        assert family.alive == ["top", "a"]

    def test_a_constructor_that_fails_leaves_nobody(self, family: Family) -> None:
        broken = ChildSpec(name="broken", actor_class=Member)
        with pytest.raises(TypeError):
            family.start("a", family.branch("inner", family.spec("b"), broken), "c")
        assert family.alive == []
        assert family.new() == []


@pytest.mark.parametrize(
    ("strategy", "failed", "then"),
    [
        (ONE, "b", ["b: failed (x)", "b: restarted (x)"]),
        (REST, "b", ["b: failed (x)", "c: stopped", "b: restarted (x)", "c: restarted (x)"]),
        (REST, "c", ["c: failed (x)", "c: restarted (x)"]),
        (
            ALL,
            "b",
            ["b: failed (x)", "c: stopped", "a: stopped", "a: restarted (x)", "b: restarted (x)", "c: restarted (x)"],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else None,
)
def test_those_whom_the_strategy_names_go_down_in_reverse_order_and_come_back_in_order(
    family: Family, strategy: Strategy, failed: str, then: list[str]
) -> None:
    family.start("a", "b", "c", strategy=strategy)
    family.new()
    before = {name: family[name] for name in "abc"}
    family.tell(failed, Fail("x"))
    assert family.new() == then
    assert {name: family[name] for name in "abc"} == before, "the refs stay"
    assert not family.escalations


class TestMailboxesOfSiblings:
    def test_what_waits_is_kept_in_its_order_and_handled_after_the_restart(self, family: Family) -> None:
        family.start("a", "b", strategy=ALL, intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        family.new()
        family.tell("b", Fail("x"))
        family.run()
        for number in range(3):
            family.tell("a", f"message {number}")
        family.tell("a", Fill(1))
        assert family.new() == ["b: failed (x)", "a: stopped"], "nothing is handled meanwhile"
        family.system.clock.advance(SECOND)
        events = family.new()
        assert [event for event in events if event.startswith("a")] == [
            "a: restarted (x)",
            f"a: {Fill(1)}",
            "a: message 0",
            "a: message 1",
            "a: message 2",
        ]
        assert "b: restarted (x)" in events
        assert not [letter for letter in family.system.dead_letters if letter.actor == "a"]

    async def test_a_sibling_in_the_middle_of_a_message_drops_it_unless_its_class_is_retried(
        self, family: Family
    ) -> None:
        family.start("a", "b", strategy=ALL)
        asked = family["a"].ask("hang", block=False)
        family.tell("a", "later")
        await asyncio.sleep(0)
        family.new()
        family.tell("b", Fail("x"))
        events = family.new()
        assert events[:3] == ["b: failed (x)", "a: stopped", "a: restarted (x)"]
        assert set(events[3:]) == {"a: later", "b: restarted (x)"}
        with pytest.raises(Exception, match="did not answer this str: failed"):
            asked.get(timeout=0)
        assert [(letter.actor, letter.message) for letter in family.system.dead_letters] == [
            ("b", Fail("x")),
            ("a", "hang"),
        ]

    async def test_a_retried_message_that_was_interrupted_by_a_sibling_is_not_to_blame(self, family: Family) -> None:
        handled: list[int] = []

        class Slow(Member):
            async def on_receive(self, message: Fill) -> None:
                handled.append(message.number)
                if len(handled) <= 5:
                    await asyncio.Event().wait()

        slow = ChildSpec(name="slow", actor_class=Slow, args=("slow", family.log))
        family.start(slow, "b", strategy=ALL)
        family.tell("slow", Fill(7))
        for _ in range(5):
            family.run()
            await asyncio.sleep(0)
            family.tell("b", Fail())
        family.run()
        await asyncio.sleep(0)
        assert handled == [7] * 6, "more often than a message that fails by itself is tried"
        assert {letter.actor for letter in family.system.dead_letters} == {"b"}

    def test_timers_and_tasks_of_a_sibling_end_with_its_instance(self, family: Family, clock: ManualClock) -> None:
        class Ticking(Member):
            def on_start(self) -> None:
                self.timers.once("tick", SECOND, "tick")

            def on_restart(self, cause: BaseException) -> None:
                pass

        family.start(ChildSpec(name="t", actor_class=Ticking, args=("t", family.log)), "b", strategy=ALL)
        family.tell("b", Fail("x"))
        family.run()
        clock.advance(2 * SECOND)
        assert "t: tick" not in family.new()


class TestFailuresOnTheWayBack:
    def test_one_that_cannot_restart_holds_up_those_behind_it(self, family: Family) -> None:
        family.start("a", "b", "c", strategy=REST, intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        family.new()
        family.failing.add("b")
        family.tell("a", Fail("x"))
        family.run()
        family.system.clock.advance(SECOND)
        assert family.new()[-1] == "a: restarted (x)"
        family.failing.clear()
        family.system.clock.advance(2 * SECOND)
        assert family.new() == ["b: restarted (b cannot restart)", "c: restarted (x)"]

    def test_all_for_one_takes_those_down_again_that_were_up(self, family: Family) -> None:
        family.start("a", "b", strategy=ALL)
        family.new()
        tries = iter([True, True, False])

        class Stumbling(Member):
            def on_restart(self, cause: BaseException) -> None:
                if next(tries):
                    raise ValueError("not yet")
                super().on_restart(cause)

        family.top.ask(StartChild(ChildSpec(name="c", actor_class=Stumbling, args=("c", family.log))), block=False)
        family.new()
        family.tell("a", Fail("x"))
        events = family.new()
        assert [event for event in events if event.startswith("a")] == [
            "a: failed (x)",
            "a: restarted (x)",
            "a: stopped",
            "a: restarted (not yet)",
            "a: stopped",
            "a: restarted (not yet)",
        ]
        assert events[-1] == "c: restarted (not yet)"

    def test_a_second_failure_while_others_wait_brings_all_back_together(self, family: Family) -> None:
        family.start("a", "b", "c", strategy=REST, intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        family.new()
        family.tell("b", Fail("x"))
        family.run()
        family.system.clock.advance(SECOND // 2)
        family.tell("a", Fail("y"))
        assert family.new() == ["b: failed (x)", "c: stopped", "a: failed (y)"]
        family.system.clock.advance(SECOND)
        assert family.new() == [], "the second wait is longer and counts from the second failure"
        family.system.clock.advance(SECOND)
        assert family.new() == ["a: restarted (y)", "b: restarted (x)", "c: restarted (x)"]


class FailBeforeOthersStart(Fail, frozen=True):
    """Handled before a sibling whose turn has come starts."""

    lane: ClassVar[int] = 1


@pytest.mark.parametrize("strategy", [REST, ALL])
def test_a_temporary_child_that_goes_while_it_starts_lets_nobody_back_before_the_pause(
    family: Family, system: ActorSystem, strategy: Strategy
) -> None:
    # Found by tests/property/test_supervision_machine.py.
    specs = [family.spec("a"), family.spec("b", restart=Restart.TEMPORARY), family.spec("c")]
    patient = Supervision(max_restarts=9, backoff_min_ns=SECOND)
    system.start(Supervisor, specs, strategy=strategy, intensity=patient, name="top")
    family["a"].tell(FailBeforeOthersStart("x"))
    assert family.new() == ["a: started", "a: failed (x)"]
    system.clock.advance(SECOND)
    assert family.new() == ["a: restarted (x)", "c: restarted (x)"]
    assert family.alive == ["top", "a", "c"]


class TestWhoComesBack:
    @pytest.mark.parametrize(
        ("restart", "comes_back"), [(Restart.PERMANENT, True), (Restart.TRANSIENT, True), (Restart.TEMPORARY, False)]
    )
    def test_after_a_failure(self, family: Family, restart: Restart, comes_back: bool) -> None:
        family.start(family.spec("a", restart=restart))
        family.tell("a", Fail("x"), "next")
        assert ("a: next" in family.new()) == comes_back
        assert ("a" in family.alive) == comes_back
        assert not family.escalations

    @pytest.mark.parametrize(
        ("restart", "comes_back"), [(Restart.PERMANENT, True), (Restart.TRANSIENT, False), (Restart.TEMPORARY, False)]
    )
    def test_after_somebody_stopped_it(self, family: Family, restart: Restart, comes_back: bool) -> None:
        family.start(family.spec("a", restart=restart), "b")
        first = family["a"]
        first.stop(block=False)
        family.run()
        assert not first.is_alive(), "stopped is stopped: a permanent child comes back as a new actor"
        assert ("a" in family.alive) == comes_back
        assert family.new() == ["a: started", "b: started", "a: stopped", *(["a: started"] if comes_back else [])]

    def test_a_permanent_child_that_is_stopped_again_and_again_is_too_much(self, family: Family) -> None:
        family.start("a", intensity=Supervision(max_restarts=2))
        for _ in range(3):
            family["a"].stop(block=False)
            family.run()
        assert family.alive == []
        assert family.escalations == [("top", "a of top failed too often: a of top was stopped, and it is permanent")]

    def test_a_permanent_child_that_is_stopped_takes_its_siblings_along(self, family: Family) -> None:
        family.start("a", "b", "c", strategy=REST)
        family.new()
        family["b"].stop(block=False)
        assert family.new() == [
            "b: stopped",
            "c: stopped",
            "b: started",
            "c: restarted (b of top was stopped, and it is permanent)",
        ]

    def test_one_that_cannot_be_made_again_is_tried_as_the_intensity_says(
        self, family: Family, clock: ManualClock
    ) -> None:
        made: list[int] = []

        class Fragile(Member):
            def __init__(self, *args: object) -> None:
                made.append(1)
                if len(made) in (2, 3):
                    raise ValueError("no")
                super().__init__("f", family.log)

        fragile = ChildSpec(name="f", actor_class=Fragile)
        family.start(fragile, "b", strategy=ALL, intensity=Supervision(max_restarts=9, backoff_min_ns=SECOND))
        family["f"].stop(block=False)
        family.run()
        assert len(made) == 1
        for waited, so_often in ((1, 2), (2, 3), (4, 4)):
            clock.advance(waited * SECOND)
            family.run()
            assert len(made) == so_often
        assert family.alive == ["top", "b", "f"]
        assert family.new()[-1].startswith("b: restarted")

    def test_a_temporary_sibling_is_ended_by_a_common_restart(self, family: Family) -> None:
        family.start(family.spec("a", restart=Restart.TEMPORARY), "b", strategy=ALL)
        family.new()
        family.tell("b", Fail("x"))
        assert family.new() == ["b: failed (x)", "a: stopped", "b: restarted (x)"]
        assert family.alive == ["top", "b"]

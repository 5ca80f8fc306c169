"""Intensity, backoff with jitter, and what happens when restarting does not help."""

from typing import Any

import pytest
from family import ALWAYS, SECOND, Fail, Family, Fill, Member

from execactor.runtime import ActorSystem, ChildSpec, ManualClock, Strategy, Supervision, Supervisor, TooManyRestarts

TWICE = Supervision(max_restarts=2)


@pytest.fixture
def family(system: ActorSystem) -> Family:
    return Family(system, [])


class TestIntensity:
    @pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ALL_FOR_ONE])
    def test_the_failures_of_children_that_restart_together_count_together(
        self, family: Family, strategy: Strategy
    ) -> None:
        family.start("a", "b", strategy=strategy, intensity=TWICE)
        for name in "aba":
            family.tell(name, Fail(name))
            family.run()
        assert family.alive == []
        assert family.escalations == [("top", "a of top failed too often: a")]

    def test_children_that_restart_alone_count_alone(self, family: Family) -> None:
        family.start("a", "b", intensity=TWICE)
        for name in "abab":
            family.tell(name, Fail(name))
            family.run()
        assert family.alive == ["top", "a", "b"]
        family.tell("b", Fail("b"))
        family.run()
        assert family.escalations == [("top", "b of top failed too often: b")]

    def test_failures_further_apart_than_the_window_do_not_add_up(self, family: Family, clock: ManualClock) -> None:
        family.start("a", intensity=TWICE)
        for _ in range(20):
            family.tell("a", Fail())
            family.run()
            clock.advance(6 * SECOND)
        assert family.alive == ["top", "a"]
        assert family.escalations == []

    def test_it_stands_in_for_the_children_s_own_supervision(self, family: Family) -> None:
        class Never(Member):
            supervision = Supervision(max_restarts=0)

        family.start(ChildSpec(name="n", actor_class=Never, args=("n", family.log)), intensity=TWICE)
        family.tell("n", Fail("x"))
        assert family.new() == ["n: started", "n: failed (x)", "n: restarted (x)"]

    def test_the_last_failure_is_the_cause(self, family: Family) -> None:
        told: list[BaseException] = []
        family.system.on_escalation.append(lambda ref, exc: told.append(exc))
        family.start("a", intensity=Supervision(max_restarts=0))
        family.tell("a", Fail("x"))
        family.run()
        assert isinstance(told[0], TooManyRestarts)
        assert isinstance(told[0].__cause__, ValueError)


class TestGivingUp:
    def test_all_are_stopped_the_last_first_and_what_waited_becomes_dead_letters(self, family: Family) -> None:
        family.start("a", "b", "c", intensity=Supervision(max_restarts=0))
        family.new()
        family.tell("b", Fail("x"), "never", Fill(1))
        assert family.new() == [f"b: {Fill(1)}", "b: failed (x)", "c: stopped", "a: stopped"]
        assert [(letter.actor, letter.message, letter.reason) for letter in family.system.dead_letters] == [
            ("b", Fail("x"), "failed"),
            ("b", "never", "stopped"),
        ]

    def test_a_message_that_was_to_be_retried_is_a_failed_dead_letter(self, family: Family) -> None:
        class Poisoned(Member):
            def on_receive(self, message: Any) -> Any:
                raise ValueError("poison")

        poisoned = ChildSpec(name="p", actor_class=Poisoned, args=("p", family.log))
        family.start(poisoned, intensity=Supervision(max_restarts=1))
        family.tell("p", Fill(1))
        family.run()
        assert [(letter.message, letter.reason) for letter in family.system.dead_letters] == [(Fill(1), "failed")]
        assert "poison" in family.system.dead_letters[0].traceback

    def test_a_supervisor_below_another_fails_and_is_restarted_with_its_children(self, family: Family) -> None:
        inner = family.branch("inner", family.spec("b"), family.spec("c"), intensity=TWICE)
        family.start("a", inner, "d", strategy=Strategy.REST_FOR_ONE)
        family.new()
        refs = {name: family[name] for name in ("inner", "b", "c", "d")}
        family.tell("c", "kept")
        family.tell("b", Fail("1"), Fail("2"), Fail("3"), "waiting")
        events = family.new()
        given_up = events.index("b: failed (3)")
        cause = "b of inner failed too often: 3"
        assert events.index("b: waiting") > events.index("b: restarted (3)")
        events.remove("b: waiting")
        assert events[given_up:] == [
            "b: failed (3)",
            "c: stopped",
            "d: stopped",
            "b: restarted (3)",
            f"c: restarted ({cause})",
            f"d: restarted ({cause})",
        ]
        assert {name: family[name] for name in refs} == refs
        assert family.escalations == []

    def test_a_supervisor_that_keeps_failing_takes_the_one_above_with_it(self, family: Family) -> None:
        family.start(family.branch("inner", family.spec("b"), intensity=Supervision(max_restarts=0)), intensity=TWICE)
        for _ in range(3):
            family.tell("b", Fail("x"))
            family.run()
        assert family.alive == []
        [(name, why)] = family.escalations
        assert name == "top"
        assert why.startswith("inner of top failed too often: b of inner failed too often: x")

    def test_one_that_keeps_trying_is_told_of_each_failure_beyond_and_brings_the_child_back_after_a_pause(
        self, family: Family, clock: ManualClock
    ) -> None:
        family.start("a", intensity=Supervision(max_restarts=1, keep_trying_ns=SECOND))
        family.tell("a", Fail("1"), Fail("2"), "kept")
        family.run()
        assert family.escalations == [("a", "2")]
        assert family.new()[-1] == "a: failed (2)"
        clock.advance(SECOND)
        assert family.new() == ["a: restarted (2)", "a: kept"]
        family.tell("a", Fail("3"))
        family.run()
        assert family.escalations == [("a", "2"), ("a", "3")]

    def test_a_subclass_may_restart_by_itself_what_it_gave_up(self, family: Family, system: ActorSystem) -> None:
        class Stubborn(Supervisor):
            supervision = Supervision(max_restarts=1)

        system.start(Stubborn, [family.spec("a")], name="stubborn", intensity=Supervision(max_restarts=0))
        family.run()
        family.tell("a", Fail("x"), "kept")
        assert family.new() == ["a: started", "a: failed (x)", "a: restarted (x)", "a: kept"]
        assert family.escalations == []

    def test_a_message_given_up_is_escalated_and_the_children_go_on(self, family: Family) -> None:
        class Poisoned(Member):
            def on_receive(self, message: Any) -> Any:
                if message == Fill(1):
                    raise RuntimeError("poison")
                return super().on_receive(message)

        family.start(ChildSpec(name="p", actor_class=Poisoned, args=("p", family.log)))
        family.tell("p", Fill(1), "next")
        assert family.new() == [
            "p: started",
            *["p: failed (poison)", "p: restarted (poison)"] * 3,
            "p: next",
        ]
        assert family.escalations == [("p", "poison")]


class TestBackoff:
    def test_siblings_wait_together_as_long_as_the_one_that_failed(self, family: Family, clock: ManualClock) -> None:
        family.start("a", "b", strategy=Strategy.ALL_FOR_ONE, intensity=Supervision(backoff_min_ns=SECOND))
        family.new()
        family.tell("b", Fail("x"))
        family.run()
        clock.advance(SECOND - 1)
        assert family.new() == ["b: failed (x)", "a: stopped"]
        clock.advance(1)
        assert family.new() == ["a: restarted (x)", "b: restarted (x)"]

    def test_one_for_one_lets_the_others_work_meanwhile(self, family: Family, clock: ManualClock) -> None:
        family.start("a", "b", intensity=Supervision(backoff_min_ns=SECOND))
        family.new()
        family.tell("b", Fail("x"))
        family.run()
        family.tell("a", "working")
        assert family.new() == ["b: failed (x)", "a: working"]
        clock.advance(SECOND)
        assert family.new() == ["b: restarted (x)"]

    @staticmethod
    def waits_ns(seed: int, jitter_fraction: float) -> list[int]:
        """How long each of 20 restarts was waited for."""
        clock = ManualClock()
        family = Family(ActorSystem(clock, seed=seed), [])
        rules = Supervision(
            max_restarts=99,
            within_ns=10**18,
            backoff_min_ns=SECOND,
            backoff_max_ns=4 * SECOND,
            jitter_fraction=jitter_fraction,
        )
        family.start("a", intensity=rules)
        waits = []
        for _ in range(20):
            family.tell("a", Fail())
            family.new()
            failed_ns = clock.monotonic_ns()
            while not family.new():
                clock.advance(SECOND // 100)
            waits.append(clock.monotonic_ns() - failed_ns)
        family.top.abort()
        return waits

    async def test_the_same_seed_draws_the_same_waits_and_another_seed_others(self) -> None:
        assert self.waits_ns(7, 0.5) == self.waits_ns(7, 0.5)
        assert self.waits_ns(7, 0.5) != self.waits_ns(8, 0.5)

    async def test_jitter_only_ever_shortens_a_wait_and_by_no_more_than_its_fraction(self) -> None:
        full, jittered = self.waits_ns(7, 0.0), self.waits_ns(7, 0.5)
        assert full == [SECOND, 2 * SECOND, *[4 * SECOND] * 18]
        assert all(wait / 2 <= drawn <= wait for wait, drawn in zip(full, jittered, strict=True))
        assert len(set(jittered)) > 10

    @pytest.mark.parametrize("fraction", [-0.1, 1.1])
    def test_a_fraction_that_makes_no_sense_is_refused(self, fraction: float) -> None:
        with pytest.raises(ValueError, match="jitter_fraction"):
            Supervision(jitter_fraction=fraction)


def test_a_thousand_children_that_fail_at_once_all_come_back(family: Family) -> None:
    names = [f"child {number}" for number in range(1_000)]
    family.start(*names, intensity=ALWAYS)
    family.new()
    for name in names:
        family.tell(name, Fail("x"), "next")
    assert sorted(event for event in family.new() if event.endswith("next")) == sorted(
        f"{name}: next" for name in names
    )

"""Failing again and again: giving up, escalating, waiting longer each time."""

from random import Random
from typing import Any

import pykka
import pytest
from failing_worker import Worker, quiet

from execactor.runtime import LoopActor, Supervision
from execactor.runtime.supervision import RestartHistory

SECOND_NS = 1_000_000_000


class TestGivingUp:
    def test_more_failures_than_the_intensity_stop_the_actor_and_escalate(self, system, seen, run, escalations):
        ref = system.start(Worker, seen, name="worker")
        for number in range(4):
            ref.tell(ValueError(number))
        ref.tell("left over")
        run()
        assert not ref.is_alive()
        assert escalations == [("worker", "3")]
        assert [letter.reason for letter in system.dead_letters] == ["failed"] * 4 + ["stopped"]
        assert seen[-1] == "failed: 3"
        assert system.lookup("worker") is None
        assert ref not in pykka.ActorRegistry.get_all()

    def test_failures_further_apart_than_the_window_do_not_add_up(self, system, seen, run, clock, escalations):
        ref = system.start(Worker, seen)
        for number in range(20):
            ref.tell(ValueError(number))
            run()
            clock.advance(3 * SECOND_NS + SECOND_NS // 2)
        assert ref.is_alive()
        assert escalations == []
        assert system.snapshot()[0].restarts == 20

    def test_asks_that_wait_fail_with_actor_dead(self, system, seen, run):
        class Never(Worker):
            supervision = Supervision(max_restarts=0)

        ref = system.start(Never, seen)
        ref.tell(ValueError("boom"))
        answer = ref.ask("x", block=False)
        run()
        with pytest.raises(pykka.ActorDeadError):
            answer.get()

    def test_a_failing_on_start_counts_as_a_failure(self, system, run, escalations):
        class Stillborn(LoopActor):
            def on_start(self) -> None:
                raise RuntimeError("cannot start")

        ref = system.start(Stillborn, name="stillborn")
        run()
        assert not ref.is_alive()
        assert escalations == [("stillborn", "cannot start")]

    def test_a_constructor_that_fails_at_a_restart_counts_as_a_failure(self, system, run, escalations):
        made = []

        class FailsTheSecondTime(LoopActor):
            def __init__(self) -> None:
                super().__init__()
                made.append(1)
                if len(made) > 1:
                    raise RuntimeError("no second time")

            def on_receive(self, message: Any) -> Any:
                raise ValueError("boom")

        ref = system.start(FailsTheSecondTime, name="once")
        ref.tell("x")
        run()
        assert len(made) == 4
        assert not ref.is_alive()
        assert escalations == [("once", "no second time")]

    def test_a_failing_escalation_callback_hides_nothing_from_the_next(self, system, seen, run):
        class Never(Worker):
            supervision = Supervision(max_restarts=0)

        called = []
        system.on_escalation.append(lambda ref, exc: 1 / 0)
        system.on_escalation.append(lambda ref, exc: called.append(str(exc)))
        system.start(Never, seen).tell(ValueError("boom"))
        run()
        assert called == ["boom"]

    def test_endless_restarts_let_others_run(self, system, run):
        attempts: list[int] = []
        attempts_when_served = []

        class Hopeless(LoopActor):
            supervision = Supervision(max_restarts=1_000)

            def on_restart(self, cause: BaseException) -> None:
                attempts.append(1)
                raise RuntimeError("hopeless")

            def on_receive(self, message: Any) -> Any:
                raise ValueError

        class Modest(LoopActor):
            def on_receive(self, message: Any) -> Any:
                attempts_when_served.append(len(attempts))

        hopeless, modest = system.start(Hopeless), system.start(Modest)
        run()
        hopeless.tell("x")
        hopeless.tell(type("Urgent", (), {"lane": 0})())
        modest.tell("x")
        with quiet():
            run()
        assert len(attempts) == 1_000
        assert attempts_when_served[0] < 3


class TestBackoff:
    class Patient(Worker):
        supervision = Supervision(
            max_restarts=5, within_ns=1_000 * SECOND_NS, backoff_min_ns=SECOND_NS, backoff_max_ns=3 * SECOND_NS
        )

    def test_restarts_wait_longer_each_time_up_to_a_limit(self, system, seen, run, clock):
        ref = system.start(self.Patient, seen)
        waits_s = []
        for _ in range(4):
            ref.tell(ValueError("boom"))
            run()
            failed_at = clock.monotonic_ns()
            restarts = system.snapshot()[0].restarts
            while system.snapshot()[0].restarts == restarts:
                clock.advance(SECOND_NS // 2)
                run()
            waits_s.append((clock.monotonic_ns() - failed_at) / SECOND_NS)
        assert waits_s == [1, 2, 3, 3]

    def test_nothing_is_handled_meanwhile_not_even_urgent_work(self, system, seen, run, clock):
        urgent = type("Urgent", (), {"lane": 0})()
        ref = system.start(self.Patient, seen)
        ref.tell(ValueError("boom"))
        run()
        ref.tell("waiting")
        ref.tell(urgent)
        run()
        assert seen == ["started", "failed: boom"]
        clock.advance(SECOND_NS)
        run()
        assert seen == ["started", "failed: boom", "restarted: boom", urgent, "waiting"]

    def test_an_abort_meanwhile_ends_it(self, system, seen, run, clock):
        ref = system.start(self.Patient, seen)
        ref.tell(ValueError("boom"))
        run()
        ref.abort()
        clock.advance(10 * SECOND_NS)
        run()
        assert not ref.is_alive()
        assert seen == ["started", "failed: boom"]

    def test_the_delay_cannot_overflow(self):
        supervision = Supervision(max_restarts=10_000, within_ns=10**18, backoff_min_ns=1, backoff_max_ns=10**9)
        history = RestartHistory(supervision, Random(0))
        assert [history.judge(0).delay_ns for _ in range(5_000)][-1] == 10**9


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_restarts", -1), ("within_ns", 0), ("backoff_min_ns", -1), ("backoff_max_ns", -1)],
)
def test_bounds_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Supervision(**{field: value})

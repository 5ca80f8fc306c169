"""Failing and going on: same ref, same mailbox, new instance; and giving up when that does not help."""

import contextlib
import gc
import logging
import weakref
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor, Supervision
from execactor.runtime.supervision import RestartHistory

SECOND_NS = 1_000_000_000


class Fill(msgspec.Struct, frozen=True):
    """Must not be lost."""

    retry_after_restart: ClassVar[bool] = True
    number: int
    failures: list[int] = []  # how often it has failed is shared by all copies


class Worker(LoopActor):
    """Fails when told an exception; a Fill fails as often as its number says."""

    def __init__(self, seen: list[Any], *, tag: str = "worker") -> None:
        super().__init__()
        self.seen = seen
        self.tag = tag
        self.count = 0

    def on_start(self) -> None:
        self.seen.append("started")

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        if isinstance(message, BaseException) or message is ValueError:
            raise message
        if isinstance(message, Fill) and len(message.failures) < message.number:
            message.failures.append(1)
            raise ValueError(f"attempt {len(message.failures)}")
        if message == "my ref":
            return self.actor_ref
        self.seen.append(message)
        return self.count, self.tag

    def on_failure(self, *failure: Any) -> None:
        self.seen.append(f"failed: {failure[1]}")

    def on_restart(self, cause: BaseException) -> None:
        self.seen.append(f"restarted: {cause}")
        self.cause = cause


class Impatient(Worker):
    supervision = Supervision(max_restarts=100)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture
def seen() -> list[Any]:
    return []


@pytest.fixture
def escalations(system: ActorSystem) -> list[tuple[str, str]]:
    escalations: list[tuple[str, str]] = []
    system.on_escalation.append(lambda ref, exc: escalations.append((ref.name, str(exc))))
    return escalations


@pytest.fixture
def run(system: ActorSystem):
    return system.dispatcher.flush


class TestRestart:
    def test_the_new_instance_gets_the_original_arguments_and_the_waiting_messages(self, system, seen, run):
        ref = system.start(Worker, seen, tag="kept")
        for message in ["a", ValueError("boom"), "b"]:
            ref.tell(message)
        answer = ref.ask("c", block=False)
        run()
        assert seen == ["started", "a", "failed: boom", "restarted: boom", "b", "c"]
        assert answer.get() == (2, "kept")

    def test_on_restart_calls_on_start_by_default(self, system, run):
        starts = []

        class Plain(LoopActor):
            def on_start(self) -> None:
                starts.append(self)

            def on_receive(self, message: Any) -> Any:
                raise ValueError(message)

        system.start(Plain).tell("x")
        run()
        assert len(starts) == 2
        assert starts[0] is not starts[1]

    def test_the_ref_stays_the_same_to_everyone(self, system, seen, run):
        ref = system.start(Worker, seen, name="steady")
        urn = ref.actor_urn
        ref.tell(ValueError("boom"))
        run()
        own_ref = ref.ask("my ref", block=False)
        run()
        assert own_ref.get() is ref
        assert ref.is_alive()
        assert ref.actor_urn == urn
        assert pykka.ActorRegistry.get_by_urn(urn) is ref
        assert system.lookup("steady") is ref

    def test_a_proxy_made_before_or_after_reaches_the_new_instance(self, system, seen, run):
        # pykka 4.5's proxies look into ActorRef._actor_weakref: this fails when a later pykka renames it.
        ref = system.start(Worker, seen)
        run()
        before = ref.proxy()
        with quiet():  # or the log's tracebacks would keep the old instance
            ref.tell("x")
            ref.tell(ValueError)
            run()
            gc.collect()
        counts = before.count, ref.proxy().count, ref.proxy().cause
        run()
        assert [count.get() for count in counts[:2]] == [0, 0]
        assert isinstance(counts[2].get(), ValueError)

    def test_the_replaced_instance_is_freed_and_the_new_one_is_kept_alive(self, system, seen, run):
        instances: weakref.WeakSet[LoopActor] = weakref.WeakSet()

        class Registered(LoopActor):
            def on_start(self) -> None:
                instances.add(self)

            def on_receive(self, message: Any) -> Any:
                raise ValueError(message)

        system.start(Registered).tell("x")
        with quiet():
            run()
        gc.collect()
        assert len(instances) == 1
        assert system.snapshot()[0].restarts == 1

    def test_an_asked_message_that_fails_restarts_nothing(self, system, seen, run):
        ref = system.start(Worker, seen)
        answer = ref.ask(ValueError("boom"), block=False)
        run()
        with pytest.raises(ValueError, match="boom"):
            answer.get()
        assert seen == ["started"]
        assert not system.dead_letters.counts

    def test_no_stale_run_queue_entry_serves_the_failed_instance(self, system, run):
        served_by = []

        class Counting(LoopActor):
            supervision = Supervision(max_restarts=100)

            def on_receive(self, message: Any) -> Any:
                served_by.append(id(self))
                kept.append(self)
                raise ValueError

        kept: list[Any] = []
        ref = system.start(Counting)
        for number in range(20):
            ref.tell(number)
        run()
        assert len(served_by) == 20
        assert len(set(served_by)) == 20

    def test_a_message_told_in_on_failure_and_on_restart_is_handled_by_the_new_instance(self, system, run):
        seen = []

        class Talkative(LoopActor):
            generation = 0

            def on_failure(self, *failure: Any) -> None:
                self.actor_ref.tell("from on_failure")

            def on_restart(self, cause: BaseException) -> None:
                self.generation = 1
                self.actor_ref.tell("from on_restart")

            def on_receive(self, message: Any) -> Any:
                if message == "fail":
                    raise ValueError
                seen.append((self.generation, message))

        system.start(Talkative).tell("fail")
        run()
        assert seen == [(1, "from on_failure"), (1, "from on_restart")]


class TestRetry:
    def test_a_message_that_must_not_be_lost_is_handled_again_first(self, system, seen, run, escalations):
        ref = system.start(Worker, seen)
        fill = Fill(1, [])
        ref.tell(fill)
        ref.tell("later")
        run()
        assert seen == ["started", "failed: attempt 1", "restarted: attempt 1", fill, "later"]
        assert not system.dead_letters.counts
        assert escalations == []

    def test_it_goes_before_anything_that_came_meanwhile_however_urgent(self, system, seen, run):
        kill = type("Kill", (), {"lane": 0})()

        class Overtaken(Worker):
            def on_receive(self, message: Any) -> Any:
                if message is fill and not fill.failures:
                    self.actor_ref.tell(kill)
                return super().on_receive(message)

        fill = Fill(1, [])
        system.start(Overtaken, seen).tell(fill)
        run()
        assert seen == ["started", "failed: attempt 1", "restarted: attempt 1", fill, kill]

    def test_after_three_attempts_it_is_a_dead_letter_and_escalated_and_the_actor_goes_on(
        self, system, seen, run, escalations
    ):
        ref = system.start(Worker, seen, name="worker")
        fill = Fill(99, [])
        ref.tell(fill)
        ref.tell("later")
        run()
        assert len(fill.failures) == 3
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [(fill, "failed")]
        assert "attempt 3" in system.dead_letters[0].traceback
        assert escalations == [("worker", "attempt 3")]
        assert ref.is_alive()
        assert seen[-1] == "later"

    def test_when_the_actor_is_given_up_meanwhile_it_is_a_failed_dead_letter(self, system, seen, run, escalations):
        class Once(Worker):
            supervision = Supervision(max_restarts=1)

        ref = system.start(Once, seen, name="once")
        fill = Fill(99, [])
        ref.tell(fill)
        run()
        assert not ref.is_alive()
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [(fill, "failed")]
        assert escalations == [("once", "attempt 2")]

    def test_a_message_without_that_promise_becomes_a_dead_letter_at_once(self, system, seen, run):
        ref = system.start(Worker, seen, name="worker")
        failure = ValueError("boom")
        ref.tell(failure)
        run()
        (letter,) = system.dead_letters
        assert (letter.actor, letter.message, letter.reason) == ("worker", failure, "failed")
        assert "ValueError: boom" in letter.traceback

    def test_it_survives_a_restart_that_fails_itself(self, system, run):
        seen, restarts = [], []

        class Stumbling(LoopActor):
            def on_restart(self, cause: BaseException) -> None:
                restarts.append(str(cause))
                if len(restarts) == 1:
                    raise RuntimeError("not yet")

            def on_receive(self, message: Fill) -> Any:
                if not message.failures:
                    message.failures.append(1)
                    raise ValueError("first")
                seen.append(message)

        fill = Fill(1, [])
        system.start(Stumbling).tell(fill)
        run()
        assert restarts == ["first", "not yet"]
        assert seen == [fill]


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


async def test_a_crash_in_the_middle_of_a_loop_s_turn_restarts_without_help(system):
    seen: list[Any] = []
    ref = system.start(Impatient, seen)
    for _ in range(5):
        ref.tell(ValueError("boom"))
    assert await ref.ask("x", block=False) == (1, "worker")

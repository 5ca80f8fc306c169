"""Failing and going on: same ref, same mailbox, new instance."""

import gc
import weakref
from typing import Any

import pykka
import pytest
from failing_worker import Fill, Worker, quiet

from execactor.runtime import LoopActor, Supervision


class Impatient(Worker):
    supervision = Supervision(max_restarts=100)


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


async def test_a_crash_in_the_middle_of_a_loop_s_turn_restarts_without_help(system):
    seen: list[Any] = []
    ref = system.start(Impatient, seen)
    for _ in range(5):
        ref.tell(ValueError("boom"))
    assert await ref.ask("x", block=False) == (1, "worker")

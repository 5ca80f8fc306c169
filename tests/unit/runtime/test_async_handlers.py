"""`async def on_receive`: the actor waits, the others go on."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pykka
import pytest

from execactor.runtime import ActorSystem, LoopActor


class Fill(msgspec.Struct, frozen=True):
    retry_after_restart: ClassVar[bool] = True
    number: int


class Gated(LoopActor):
    """Notes each message, then waits for the gate."""

    def __init__(self, seen: list[Any], gate: asyncio.Event) -> None:
        super().__init__()
        self.seen = seen
        self.gate = gate

    async def on_receive(self, message: Any) -> Any:
        self.seen.append(message)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        if isinstance(message, BaseException):
            raise message
        return message

    def on_stop(self) -> None:
        self.seen.append("stopped")

    def on_restart(self, cause: BaseException) -> None:
        self.seen.append(f"restarted: {cause}")


@pytest.fixture
async def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def ref(system: ActorSystem, seen: list[Any], gate: asyncio.Event):
    return system.start(Gated, seen, gate, name="gated")


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_while_it_is_suspended_the_actor_takes_nothing_not_even_urgent_work(system, ref, seen, gate):
    urgent = type("Urgent", (), {"lane": 0})()
    ref.tell("first")
    await turns()
    ref.tell("second")
    ref.tell(urgent)
    await turns()
    assert seen == ["first"]
    gate.set()
    await turns(8)
    assert seen == ["first", urgent, "second"]


async def test_others_run_meanwhile(system, ref):
    class Echo(LoopActor):
        def on_receive(self, message: Any) -> Any:
            return message

    ref.tell("x")
    await turns()
    assert await system.start(Echo).ask("y", block=False) == "y"


async def test_it_answers_when_it_is_done(ref, gate):
    answer = ref.ask("x", block=False)
    gate.set()
    assert await answer == "x"


async def test_timeouts_work_from_its_first_step(system):
    class Impatient(LoopActor):
        async def on_receive(self, message: Any) -> Any:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        await system.start(Impatient).ask("x", block=False)


async def test_its_exception_belongs_to_the_asker(ref, gate):
    gate.set()
    with pytest.raises(ValueError, match="boom"):
        await ref.ask(ValueError("boom"), block=False)
    assert await ref.ask("x", block=False) == "x"


async def test_its_exception_at_a_told_message_restarts_the_actor(system, ref, seen, gate):
    gate.set()
    failure = ValueError("boom")
    ref.tell(failure)
    assert await ref.ask("next", block=False) == "next"
    assert seen == [failure, "restarted: boom", "next"]
    assert system.dead_letters.counts == {"failed": 1}


async def test_a_cancellation_from_within_is_a_failure_like_any_other(system, ref, gate):
    gate.set()
    ref.tell(asyncio.CancelledError("from within"))
    assert await ref.ask("next", block=False) == "next"
    assert system.dead_letters.counts == {"failed": 1}
    assert system.snapshot()[0].restarts == 1


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_exception_that_is_no_exception_stops_all_actors(system, is_async):
    class Unstoppable(BaseException):
        pass

    class Raising(LoopActor):
        def on_receive(self, message: Any) -> Any:
            if is_async:
                return self.raise_later()
            raise Unstoppable

        async def raise_later(self) -> None:
            raise Unstoppable

    class Bystander(LoopActor):
        pass

    bystander = system.start(Bystander)
    raising = system.start(Raising)
    answer = raising.ask("x", block=False)
    with pytest.raises(pykka.ActorDeadError):
        await answer
    await turns()
    assert not raising.is_alive()
    assert not bystander.is_alive()


async def test_a_stop_waits_for_the_suspended_handler(system, ref, seen, gate):
    answer = ref.ask("x", block=False)
    await turns()
    stopped = ref.stop(block=False)
    await turns()
    assert seen == ["x"]
    assert ref.is_alive()
    gate.set()
    assert await answer == "x"
    assert await stopped is True
    assert seen == ["x", "stopped"]


async def test_an_abort_cancels_it_and_fails_its_asker(system, ref, seen):
    answer = ref.ask("x", block=False)
    await turns()
    ref.abort()
    with pytest.raises(pykka.ActorDeadError, match="stopped"):
        await answer
    await turns()
    assert seen == ["x", "stopped", "cancelled"]
    assert [(letter.message, letter.reason) for letter in system.dead_letters] == [("x", "stopped")]


async def test_a_handler_that_will_not_be_cancelled_changes_nothing_after_an_abort(system):
    class Stubborn(LoopActor):
        async def on_receive(self, message: Any) -> Any:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                raise ValueError("stubborn") from None

    ref = system.start(Stubborn)
    answer = ref.ask("x", block=False)
    await turns()
    ref.abort()
    await turns()
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        await answer
    assert system.dead_letters.counts == {"stopped": 1}


class Split(Gated):
    """A background task that fails, when told to, while a handler is suspended."""

    def __init__(self, seen: list[Any], gate: asyncio.Event, fail_now: asyncio.Event) -> None:
        super().__init__(seen, gate)
        self.fail_now = fail_now

    def on_start(self) -> None:
        self.spawn(self.fail_when_told())

    def on_restart(self, cause: BaseException) -> None:
        super().on_restart(cause)
        self.gate.set()

    async def fail_when_told(self) -> None:
        await self.fail_now.wait()
        raise RuntimeError("background")


@pytest.fixture
async def fail_now() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def split(system: ActorSystem, seen: list[Any], gate: asyncio.Event, fail_now: asyncio.Event):
    return system.start(Split, seen, gate, fail_now)


async def test_when_its_actor_fails_elsewhere_the_message_is_a_dead_letter(system, split, seen, fail_now):
    answer = split.ask("x", block=False)
    await turns()
    fail_now.set()
    with pytest.raises(pykka.ActorDeadError):
        await answer
    assert await split.ask("next", block=False) == "next"
    assert seen == ["x", "cancelled", "restarted: background", "next"]
    assert [(letter.message, letter.reason) for letter in system.dead_letters] == [("x", "failed")]


async def test_or_is_handled_again_if_it_must_not_be_lost(system, split, seen, fail_now):
    split.tell(Fill(1))
    await turns()
    fail_now.set()
    assert await split.ask("next", block=False) == "next"
    assert [entry for entry in seen if entry == Fill(1)] == [Fill(1)] * 2
    assert not system.dead_letters.counts


async def test_but_not_when_it_was_asked_since_the_asker_is_told(system, split, seen, fail_now):
    answer = split.ask(Fill(1), block=False)
    await turns()
    fail_now.set()
    with pytest.raises(pykka.ActorDeadError):
        await answer
    assert await split.ask("next", block=False) == "next"
    assert seen.count(Fill(1)) == 1
    assert system.dead_letters.counts == {"failed": 1}


async def fail_and_end(split: pykka.ActorRef[Any], gate: asyncio.Event, fail_now: asyncio.Event) -> None:
    """The actor fails elsewhere in the turn in which its suspended handler comes to its end."""
    await turns()
    fail_now.set()
    gate.set()


async def test_what_a_handler_has_done_counts_though_its_actor_failed_in_the_same_turn(
    system, split, seen, gate, fail_now
):
    answer = split.ask("x", block=False)
    await fail_and_end(split, gate, fail_now)
    assert await answer == "x"
    assert await split.ask("next", block=False) == "next"
    assert seen == ["x", "restarted: background", "next"]
    assert not system.dead_letters.counts


async def test_and_its_message_is_not_handled_again(system, split, seen, gate, fail_now):
    split.tell(Fill(1))
    await fail_and_end(split, gate, fail_now)
    assert await split.ask("next", block=False) == "next"
    assert seen == [Fill(1), "restarted: background", "next"]
    assert not system.dead_letters.counts


async def test_the_asker_of_one_that_failed_itself_gets_its_exception(system, split, gate, fail_now):
    answer = split.ask(ValueError("own"), block=False)
    await fail_and_end(split, gate, fail_now)
    with pytest.raises(ValueError, match="own"):
        await answer
    assert not system.dead_letters.counts


async def test_an_abort_right_after_its_end_leaves_the_answer(system, ref, gate):
    answer = ref.ask("x", block=False)
    await turns()
    gate.set()
    await turns(1)
    ref.abort()
    assert await answer == "x"
    assert not system.dead_letters.counts


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_failure", "on_restart"])
def test_an_async_hook_is_refused_when_the_class_is_made(hook):
    async def asynchronous(self: Any, *args: Any) -> None: ...

    with pytest.raises(TypeError, match=f"{hook} must not be async"):
        type("Wrong", (LoopActor,), {hook: asynchronous})

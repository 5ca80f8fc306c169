"""Actors that are never given up, and actors that are about to be stopped."""

from typing import Any

import pytest

from execactor.runtime import ActorSystem, LoopActor, ManualClock, Supervision

SECOND = 1_000_000_000


class Patient(LoopActor):
    """Fails at every message that says so; is restarted at most twice at once, then every second."""

    supervision = Supervision(max_restarts=2, keep_trying_ns=SECOND)
    handled: list[Any]

    def __init__(self, handled: list[Any]) -> None:
        super().__init__(handled)
        self.handled = handled

    def on_receive(self, message: Any) -> None:
        if message == "fail":
            raise RuntimeError("as asked")
        self.handled.append(message)


@pytest.fixture
def escalations(system: ActorSystem) -> list[str]:
    told: list[str] = []
    system.on_escalation.append(lambda ref, error: told.append(str(error)))
    return told


async def test_an_actor_that_keeps_trying_is_escalated_and_restarted_after_its_pause(
    system: ActorSystem, clock: ManualClock, escalations: list[str]
) -> None:
    handled: list[Any] = []
    ref = system.start(Patient, handled)
    for message in ("fail", "fail", "one", "fail", "two"):
        ref.tell(message)
    system.dispatcher.flush()
    assert handled == ["one"]
    assert escalations == ["as asked"], "the third failure within the window is one too many"
    clock.advance(SECOND - 1)
    system.dispatcher.flush()
    assert handled == ["one"]
    clock.advance(1)
    system.dispatcher.flush()
    assert handled == ["one", "two"]
    assert ref.is_alive()


async def test_each_failure_beyond_the_intensity_is_escalated(
    system: ActorSystem, clock: ManualClock, escalations: list[str]
) -> None:
    ref = system.start(Patient, [])
    for _ in range(20):
        ref.tell("fail")
        system.dispatcher.flush()
        clock.advance(SECOND)
        system.dispatcher.flush()
    assert ref.is_alive()
    assert len(escalations) > 10


async def test_an_actor_that_is_leaving_is_not_restarted(system: ActorSystem, escalations: list[str]) -> None:
    ref = system.start(Patient, [])
    system.dispatcher.flush()
    ref.leave()
    ref.tell("fail")
    system.dispatcher.flush()
    assert not ref.is_alive()
    assert escalations == []


async def test_stopping_does_not_wait_for_an_actor_that_backs_off(system: ActorSystem, escalations: list[str]) -> None:
    ref = system.start(Patient, [])
    for _ in range(3):
        ref.tell("fail")
    system.dispatcher.flush()
    assert ref.is_alive()
    assert await system.stop([ref], 10 * SECOND) == [], "on a clock that stands still"
    assert not ref.is_alive()


@pytest.mark.parametrize("pause_ns", [0, -1])
def test_a_pause_must_be_positive(pause_ns: int) -> None:
    with pytest.raises(ValueError, match="keep_trying_ns must be positive"):
        Supervision(keep_trying_ns=pause_ns)

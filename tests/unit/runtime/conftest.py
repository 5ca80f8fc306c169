from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pykka
import pytest
from pykka_subject import KINDS, Events, Kind, subject_class

from execactor.runtime import ActorSystem, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start_ns=1_750_000_000_000_000_000)


@pytest.fixture
async def system(clock: ManualClock) -> AsyncIterator[ActorSystem]:
    """A system on the test's own loop, whose time only the test moves: `flush()` handles all that is queued."""
    system = ActorSystem(clock)
    yield system
    for ref in system.refs:
        ref.abort()


@pytest.fixture
def run(system: ActorSystem) -> Callable[[], bool]:
    """Handle what is queued, and say whether that was all."""
    return system.dispatcher.flush


@pytest.fixture
def escalations(system: ActorSystem) -> list[tuple[str, str]]:
    """Names of the actors that were given up, and why."""
    escalations: list[tuple[str, str]] = []
    system.on_escalation.append(lambda ref, exc: escalations.append((ref.name, str(exc))))
    return escalations


@pytest.fixture
def seen() -> list[Any]:
    """Where the actors of a test write down what they see."""
    return []


@pytest.fixture
def stop_all() -> Iterator[None]:
    yield
    pykka.ActorRegistry.stop_all(timeout=30)


@pytest.fixture
def in_thread() -> Callable[[Callable[[], Any]], Any]:
    """Make a call on another thread to its end, the test's loop standing still meanwhile."""

    def in_thread(call: Callable[[], Any]) -> Any:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(call).result()

    return in_thread


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request: pytest.FixtureRequest) -> Kind:
    """pykka's own threads, then our loop."""
    return request.param


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def actor_class(kind: Kind) -> type[pykka.Actor]:
    return subject_class(kind.actor)

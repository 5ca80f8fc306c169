"""The canonical scenarios, killed at some of their crash points; `crash_sweep.py` kills at all of them, and twice."""

import logging
import zlib
from collections.abc import Iterator

import pytest
from crash_points import once, twice, unharmed
from crash_scenarios import SCENARIOS

EVERY, EVERY_SECOND = 64, 64


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What the engine logs under faults is much, and nobody reads it here."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", SCENARIOS)
def test_D4_killed_at_crash_points_a_scenario_ends_well(name: str) -> None:  # noqa: N802
    verdict, problems = unharmed(name)
    assert problems == [], "without a crash"
    points = sum(verdict.points)
    offset = zlib.crc32(name.encode()) % EVERY
    runs = (*once(name, points, every=EVERY, first=1 + offset), *twice(name, points, every=EVERY_SECOND, firsts=1))
    for killed in runs:
        outcome = killed.run()
        assert outcome.problems == (), f"crash_sweep.py --scenario {name!r} --at {killed.name}"
        assert outcome.lives >= 2, killed.name

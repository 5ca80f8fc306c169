"""Seeds of the fault simulation: the whole engine under everything that can go wrong, judged by the checker."""

import pytest

from execactor.simulation.campaign import Campaign
from execactor.simulation.draw import draw_plan
from execactor.simulation.trial import run

FIRST, SEEDS = 2_000, 60
"""Processes beside this one run them: they are not measured for coverage."""


@pytest.mark.timeout(600)
def test_seeds_end_without_a_problem_and_show_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)
    summary = Campaign(SEEDS, first_seed=FIRST, jobs=2).run()
    assert summary.failures == ()
    assert summary.seeds == SEEDS
    assert summary.events >= 300
    assert summary.faults >= 5
    assert summary.closed_trades >= 1


@pytest.mark.parametrize("seed", range(30, 36))
def test_a_seed_runs_the_same_way_twice(seed: int) -> None:
    assert run(draw_plan(seed)) == run(draw_plan(seed))

"""Seeds of the fault simulation: the whole engine under everything that can go wrong, judged by the checker."""

import pytest

from execactor.simulation.draw import draw_plan
from execactor.simulation.trial import run


@pytest.mark.parametrize("seed", range(30, 40))
def test_a_seed_ends_without_a_problem(seed: int) -> None:
    verdict = run(draw_plan(seed))
    assert verdict.problems == ()
    assert verdict.events > 200

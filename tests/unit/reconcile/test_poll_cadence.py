"""How far polls step back while the venue's request budget is used by others."""

import pytest

from execactor.reconcile.cadence import slowdown


@pytest.mark.parametrize(
    ("load", "factor"),
    [(0.0, 1), (0.5, 1), (0.51, 2), (0.59, 2), (0.61, 4), (0.71, 8), (0.81, 8), (1.0, 8), (1.7, 8)],
)
def test_half_of_the_budget_is_free_and_each_tenth_beyond_halves_the_pace(load: float, factor: int) -> None:
    assert slowdown(load) == factor

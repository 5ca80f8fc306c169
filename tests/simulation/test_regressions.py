"""Every plan that broke something once, shrunk, and fixed since."""

from pathlib import Path

import pytest

from execactor.simulation.regression import read_plan
from execactor.simulation.trial import run

FILES = sorted((Path(__file__).parent / "regressions").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_plan_that_broke_something_breaks_nothing_any_more(path: Path) -> None:
    assert run(read_plan(path)).problems == ()

"""The mutated copy is what runs, the product stays as it is, and a patch that no longer fits is noticed."""

import json

import pytest
from mutant import PYTHON, Patch, StalePatch, run_mutant

MOST_LIVES = Patch("simulation/trial.py", "MOST_LIVES = 30", "MOST_LIVES = 31")
LOOK = """
import json, sys
import execactor, execactor._core, execactor.simulation.trial as trial
print(json.dumps([trial.MOST_LIVES, trial.__file__, execactor._core.__file__]))
"""


def test_the_changed_file_runs_beside_the_rest_of_the_product() -> None:
    before = (PYTHON / "execactor" / MOST_LIVES.file).read_bytes()
    done = run_mutant([MOST_LIVES], ["-c", LOOK])
    lives, file, _core = json.loads(done.stdout)
    assert lives == 31
    assert not file.startswith(str(PYTHON))
    assert (PYTHON / "execactor" / MOST_LIVES.file).read_bytes() == before


def test_two_patches_may_change_one_file() -> None:
    other = Patch("simulation/trial.py", "READY_S = 120.0", "READY_S = 121.0")
    look = "import execactor.simulation.trial as t; print(t.MOST_LIVES, t.READY_S)"
    assert run_mutant([MOST_LIVES, other], ["-c", look]).stdout == "31 121.0\n"


def test_its_exit_code_and_its_errors_are_told() -> None:
    done = run_mutant([], ["-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])
    assert (done.returncode, done.stderr) == (3, "why\n")


@pytest.mark.parametrize("old", ["no such text", "import "], ids=["not there", "there more than once"])
def test_a_patch_that_does_not_fit_is_refused(old: str) -> None:
    with pytest.raises(StalePatch, match=r"simulation/trial\.py"):
        run_mutant([Patch("simulation/trial.py", old, "")], ["-c", ""])

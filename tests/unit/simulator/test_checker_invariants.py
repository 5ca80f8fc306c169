"""The checker's catalogue: every check is broken by a run that breaks it, and by none that does not."""

import re
from pathlib import Path

import cases_journal
import cases_risk
import cases_time
import pytest
from invariant_cases import Case

from execactor.simulator.checker import CHECKS

CASES = [*cases_journal.case, *cases_risk.case, *cases_time.case]
DOCS = Path(__file__).resolve().parents[3] / "docs" / "checker.md"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check_id}: {case.sentence}")
def test_run(case: Case) -> None:
    case.judge()


@pytest.mark.parametrize("check_id", CHECKS)
def test_every_check_has_a_run_that_breaks_it_and_one_that_does_not(check_id: str) -> None:
    outcomes = {case.trips is not None for case in CASES if case.check_id == check_id}
    assert outcomes == {True, False}


def test_the_document_lists_the_catalogue() -> None:
    listed = dict(re.findall(r"^\| (I\d+|A\d) \| (.+?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == CHECKS

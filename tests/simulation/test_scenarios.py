"""Each named scenario goes as its file expects, and does not without the rule that the file names."""

import re

import pytest
from mutant import PYTHON, ROOT
from scenario_files import play, play_without, row, unnoticed
from scenario_script import load, names

NAMES = names()
FEW = NAMES[::8]
"""Without its rule each one runs in a process of its own, which takes seconds: all of them do in
`python tests/simulation/scenario_files.py --without`."""
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_goes_as_its_file_expects(name: str) -> None:
    verdict = play(load(name))
    assert not verdict.problems, "\n".join(verdict.problems)


@pytest.mark.parametrize("name", FEW)
def test_a_scenario_fails_without_its_rule(name: str) -> None:
    scenario = load(name)
    verdict = play_without(scenario)
    assert not unnoticed(scenario, verdict), "\n".join(verdict.problems)


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_that_a_scenario_names_exists_and_is_what_its_patches_change(name: str) -> None:
    scenario = load(name)
    file, rule = scenario.rule.split()
    text = (PYTHON / "execactor" / file).read_text(encoding="utf-8")
    assert re.search(rf"\b{re.escape(rule.rsplit('.', maxsplit=1)[-1])}\b", text)
    for patch in scenario.without.patches:
        assert (PYTHON / "execactor" / patch.file).read_text(encoding="utf-8").count(patch.old) == 1, patch


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_of_a_scenario(name: str) -> None:
    assert f"{row(load(name))}\n" in PAGE, "the table of docs/reliability.md is what `scenario_files.py --table` prints"


def test_a_run_is_the_same_again() -> None:
    assert play(load("hummingbot-493")).digest == play(load("hummingbot-493")).digest

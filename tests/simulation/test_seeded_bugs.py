"""The planted bugs can still be planted, and those that show at once are caught. All of them: seeded_bugs.py."""

from pathlib import Path

import msgspec
import pytest
from bug import BUGS, Bug, all_bugs, read_bug, stale
from bug_courses import COURSES
from mutant import PYTHON, Patch
from seeded_bugs import CleanTree, judge, judge_all, line_of

CHECKER = (PYTHON.parent / "docs" / "checker.md").read_text(encoding="utf-8")
QUICK = ("exit-leaves-entry-resting", "target-may-open", "timed-out-entry-placed-anew")


def bug(name: str) -> Bug:
    return read_bug(BUGS / f"{name}.patch")


@pytest.mark.parametrize("planted", all_bugs(), ids=lambda planted: planted.name)
def test_a_planted_bug_still_applies_and_names_what_should_see_it(planted: Bug) -> None:
    assert stale(planted) == ""
    assert all(f"| {check} |" in CHECKER for check in planted.checks)
    assert planted.course.rstrip("@") in {*COURSES, ""}


def test_there_are_twenty_of_them_at_least() -> None:
    assert len(all_bugs()) >= 20


def test_bugs_that_show_at_once_are_caught_and_what_breaks_nothing_escapes() -> None:
    rename = Patch("simulation/trial.py", "MOST_LIVES = 30", "MOST_LIVES = 31")
    harmless = Bug("harmless", "nothing", ("I1",), "stopped", (rename,))
    summary = judge_all([*map(bug, QUICK), harmless], 0, 2, told=False)
    escaped = [line_of(outcome) for outcome in summary.outcomes if not outcome.caught]
    assert len(escaped) == 1, escaped
    assert "NOT CAUGHT harmless after 1 runs" in escaped[0]
    assert (summary.bugs, summary.caught, summary.well) == (len(QUICK) + 1, len(QUICK), False)
    assert summary.unpatched.violations == 0, summary.unpatched.broken


def test_a_patch_that_no_longer_applies_says_so() -> None:
    planted = bug(QUICK[0])
    old = msgspec.structs.replace(planted, patches=(Patch("tactics/entry.py", "a line of last year\n", ""),))
    outcome = judge(old, (), CleanTree())
    assert not outcome.caught
    assert "the patch no longer applies: tactics/entry.py" in line_of(outcome)
    assert "a line of last year" in outcome.problem


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "Breaks: much.\n\n--- a/python/execactor/x.py\n+++ b/python/execactor/x.py\n@@ -1 +1 @@\n-1\n+2\n",
            "Caught by",
        ),
        ("Breaks: much.\nCaught by: I1\n", "a diff"),
        (
            "Breaks: much.\nCaught by: I1\n\n--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-1\n+2\n",
            "not a file of the product",
        ),
    ],
    ids=["no check named", "no diff", "not the product"],
)
def test_a_file_that_is_no_planted_bug_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "odd.patch").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        read_bug(tmp_path / "odd.patch")


def test_a_hunk_is_the_text_that_it_replaces(tmp_path: Path) -> None:
    names = "--- a/python/execactor/x.py\n+++ b/python/execactor/x.py\n"
    diff = f"{names}@@ -1,3 +1,2 @@\n a\n-b\n-\n+c\n@@ -9 +8 @@\n-d\n+e\n"
    (tmp_path / "b.patch").write_text(f"Breaks: much,\n  and more.\nCaught by: I1, A2\n\n{diff}", encoding="utf-8")
    read = read_bug(tmp_path / "b.patch")
    assert (read.breaks, read.checks, read.course) == ("much, and more.", ("I1", "A2"), "")
    assert read.patches == (Patch("x.py", "a\nb\n\n", "a\nc\n"), Patch("x.py", "d\n", "e\n"))

"""A position that differs from the venue's: named, and judged by what else is known."""

import pytest
from rule_makers import dec

from execactor.reconcile.compare import Verdict, compare_position, judge_position
from execactor.reconcile.findings import FindingKind, PositionCompared


@pytest.mark.parametrize(
    ("ours", "theirs", "planned", "kind"),
    [
        pytest.param("0", "0", False, None, id="both flat"),
        pytest.param("0", "0", True, None, id="both flat while an entry rests"),
        pytest.param("0.05", "0.050", True, None, id="the same in another spelling"),
        pytest.param("0", "0.05", False, FindingKind.ORPHAN_POSITION, id="the venue has one that we do not know"),
        pytest.param("0", "-0.05", False, FindingKind.ORPHAN_POSITION, id="a short one"),
        pytest.param("0", "0.05", True, FindingKind.ORPHAN_POSITION, id="one that no fill of our plan explains"),
        pytest.param("0.05", "0.05", False, FindingKind.ORPHAN_POSITION, id="one that we know and nobody looks after"),
        pytest.param("0.05", "0", True, FindingKind.PHANTOM_POSITION, id="we have one that the venue does not"),
        pytest.param("0.05", "0", False, FindingKind.PHANTOM_POSITION, id="without a plan likewise"),
        pytest.param("0.05", "0.03", True, FindingKind.QUANTITY_MISMATCH, id="the venue has less"),
        pytest.param("0.03", "0.05", True, FindingKind.QUANTITY_MISMATCH, id="the venue has more"),
        pytest.param("0.05", "-0.05", True, FindingKind.QUANTITY_MISMATCH, id="the other side"),
    ],
)
def test_a_difference_has_a_name(ours: str, theirs: str, planned: bool, kind: FindingKind | None) -> None:
    compared = compare_position(dec(ours), dec(theirs), planned=planned)
    assert compared == PositionCompared(kind=kind, ours=dec(ours), theirs=dec(theirs))


ORPHAN = compare_position(dec(0), dec(1), planned=False)
PHANTOM = compare_position(dec(1), dec(0), planned=True)
MISMATCH = compare_position(dec(1), dec(2), planned=True)
EQUAL = compare_position(dec(1), dec(1), planned=True)


def judged(compared: PositionCompared, known: str) -> Verdict:
    """known: the words that apply, of planned, outdated, quiet and persists."""
    facts = {name: name in known.split() for name in ("planned", "outdated", "quiet", "persists")}
    return judge_position(compared, **facts)


@pytest.mark.parametrize(
    ("compared", "known", "verdict"),
    [
        pytest.param(EQUAL, "", Verdict.FINE, id="no difference"),
        pytest.param(EQUAL, "planned outdated persists", Verdict.FINE, id="no difference, whatever else"),
        pytest.param(ORPHAN, "", Verdict.ADOPT, id="an unknown position needs a stop at once"),
        pytest.param(ORPHAN, "quiet persists", Verdict.ADOPT, id="an unknown position that stays"),
        pytest.param(ORPHAN, "outdated", Verdict.LOOK_AGAIN, id="a listing older than our last execution"),
        pytest.param(ORPHAN, "planned", Verdict.LOOK_AGAIN, id="a position while a plan runs: its fill is on its way"),
        pytest.param(ORPHAN, "planned quiet persists", Verdict.CORRECT, id="while a plan runs, twice and quiet"),
        pytest.param(PHANTOM, "", Verdict.LOOK_AGAIN, id="a position that the venue does not show, once"),
        pytest.param(PHANTOM, "quiet", Verdict.LOOK_AGAIN, id="once and quiet is not enough"),
        pytest.param(PHANTOM, "persists", Verdict.LOOK_AGAIN, id="twice while something moves is not enough"),
        pytest.param(PHANTOM, "quiet persists", Verdict.CORRECT, id="twice and quiet: the venue is right"),
        pytest.param(MISMATCH, "planned", Verdict.LOOK_AGAIN, id="another quantity, once"),
        pytest.param(MISMATCH, "planned quiet persists", Verdict.CORRECT, id="another quantity, twice and quiet"),
    ],
)
def test_verdict(compared: PositionCompared, known: str, verdict: Verdict) -> None:
    assert judged(compared, known) is verdict

"""Resolution of doubt: when "no such order" is believed, and what is asked next."""

from typing import Any

import pytest

from execactor.reconcile.resolution import (
    AskAgain,
    Doubt,
    Next,
    Prove,
    after_no_answer,
    after_not_found,
    evidence_agrees,
    grown,
)

MS = 1_000_000
SECOND = 1_000 * MS
SENT_NS = 1_000 * SECOND
WINDOW_MS = 2_000


def doubt(**changes: Any) -> Doubt:
    return Doubt(client_id="capi_entry_d1", sent_wall_ns=SENT_NS, sent_ns=SENT_NS, begun_ns=SENT_NS, **changes)


def not_found(given: Doubt, *after_s: float) -> list[Next]:
    """What follows each "no such order", by seconds after the request."""
    following = []
    for seconds in after_s:
        given, step = after_not_found(given, now_ns=SENT_NS + round(seconds * SECOND), receive_window_ms=WINDOW_MS)
        following.append(step)
    return following


@pytest.mark.parametrize(
    ("after_s", "proves"),
    [
        pytest.param([10], False, id="one answer proves nothing"),
        pytest.param([10, 10], False, id="nor do two"),
        pytest.param([10, 10, 10], True, id="three after the window do"),
        pytest.param([0.1, 0.2, 2.999], False, id="not before the receive window and a second have passed"),
        pytest.param([0.1, 0.2, 3.0], True, id="but right then"),
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.5, 3.0], True, id="however many came before"),
    ],
)
def test_an_order_in_doubt_is_proven_absent_by_three_answers_after_the_window(
    after_s: list[float], proves: bool
) -> None:
    last = not_found(doubt(), *after_s)[-1]
    assert isinstance(last, Prove) is proves


def test_a_longer_receive_window_is_waited_for() -> None:
    given, step = doubt(), None
    for _ in range(3):
        given, step = after_not_found(given, now_ns=SENT_NS + 5 * SECOND, receive_window_ms=5_000)
    assert isinstance(step, AskAgain)


@pytest.mark.parametrize(
    ("given", "after_s", "proves"),
    [
        pytest.param(
            doubt(acknowledged_ns=SENT_NS), [10, 20, 59.9], False, id="acknowledged and unverified proves nothing"
        ),
        pytest.param(
            doubt(acknowledged_ns=SENT_NS), [10, 20, 60], True, id="until a minute, longer than any listing lags"
        ),
        pytest.param(
            doubt(acknowledged_ns=SENT_NS - 50 * SECOND), [1, 2, 10], True, id="counted from the acknowledgement"
        ),
        pytest.param(
            doubt(acknowledged_ns=SENT_NS, verified=True), [3, 3, 3], True, id="what was shown once and is gone is gone"
        ),
        pytest.param(
            doubt(acknowledged_ns=SENT_NS, verified=True),
            [0.9, 0.9, 2.9],
            False,
            id="but listings lag behind its placement",
        ),
    ],
)
def test_an_acknowledged_order_that_is_not_found(given: Doubt, after_s: list[float], proves: bool) -> None:
    assert isinstance(not_found(given, *after_s)[-1], Prove) is proves


def test_the_truth_is_known_200_ms_after_the_venue_can_tell_while_the_doubt_is_young() -> None:
    pauses = [step.delay_ns // MS for step in not_found(doubt(), *[0.1] * 7) if isinstance(step, AskAgain)]
    assert pauses == [50, 100, 200, 200, 200, 200, 200]


def test_an_old_doubt_is_asked_about_less_often() -> None:
    given = doubt(acknowledged_ns=SENT_NS)
    pauses = [step.delay_ns // MS for step in not_found(given, *[6] * 7) if isinstance(step, AskAgain)]
    assert pauses == [50, 100, 200, 400, 500, 500, 500]


@pytest.mark.parametrize(("after_s", "expected"), [(0, False), (4.999, False), (5, True), (60, True)])
def test_a_doubt_that_lasts_is_told(after_s: float, expected: bool) -> None:
    now_ns = SENT_NS + round(after_s * SECOND)
    assert grown(doubt(risky=True), now_ns) is expected
    assert not grown(doubt(), now_ns), "orders that only reduce risk have rules of their own"


def test_a_question_without_an_answer_is_asked_again_for_ever() -> None:
    given, pauses = doubt(), []
    for _ in range(100):
        given, step = after_no_answer(given)
        assert isinstance(step, AskAgain)
        pauses.append(step.delay_ns // MS)
    assert pauses[:7] == [100, 200, 400, 800, 1_600, 2_000, 2_000]
    assert given.not_found == 0


def test_unanswered_questions_do_not_count_as_not_found() -> None:
    given = doubt()
    for _ in range(3):
        given, _ = after_no_answer(given)
    assert all(isinstance(step, AskAgain) for step in not_found(given, 10, 10))


@pytest.mark.parametrize(
    ("listed", "unattributed", "agrees"),
    [
        pytest.param(False, 0, True, id="not listed, and every trade has its order"),
        pytest.param(True, 0, False, id="listed after all"),
        pytest.param(False, 1, False, id="a trade that may be its own"),
        pytest.param(True, 2, False, id="both"),
    ],
)
def test_listing_and_trades_have_the_last_word(listed: bool, unattributed: int, agrees: bool) -> None:
    assert evidence_agrees(listed=listed, unattributed_trades=unattributed) is agrees

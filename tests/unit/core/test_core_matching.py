"""Price-time priority matching through its Python face."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execactor import _core

BUY, SELL = 1, -1


def book() -> _core.MatchingBook:
    """Asks 1 and 2: 5 lots each at 101, 3: 5 at 103; bid 4: 5 at 99. Owner is ten times the id."""
    book = _core.MatchingBook()
    for order_id, side, ticks in ((1, SELL, 101), (2, SELL, 101), (3, SELL, 103), (4, BUY, 99)):
        assert book.limit(order_id, 10 * order_id, side, ticks, 5) == ([], 5, False)
    return book


@pytest.mark.parametrize(
    ("order", "options", "outcome"),
    [
        pytest.param((BUY, 100, 7), {}, ([], 7, False), id="below the best ask it rests"),
        pytest.param((BUY, 101, 7), {}, ([(1, 10, 101, 5), (2, 20, 101, 2)], 0, False), id="oldest first"),
        pytest.param((BUY, 102, 12), {}, ([(1, 10, 101, 5), (2, 20, 101, 5)], 2, False), id="the rest rests"),
        pytest.param(
            (BUY, 102, 12),
            {"time_in_force": "IOC"},
            ([(1, 10, 101, 5), (2, 20, 101, 5)], 0, False),
            id="IOC drops the rest",
        ),
        pytest.param((BUY, 102, 12), {"time_in_force": "FOK"}, ([], 0, True), id="FOK is all or nothing"),
        pytest.param(
            (SELL, 99, 5), {"time_in_force": "FOK"}, ([(4, 40, 99, 5)], 0, False), id="FOK that can fill does"
        ),
        pytest.param((BUY, 101, 1), {"post_only": True}, ([], 0, True), id="post-only never takes"),
        pytest.param((SELL, 100, 1), {"post_only": True}, ([], 1, False), id="post-only that does not take rests"),
    ],
)
def test_a_limit_order_does_what_its_terms_say(order: Any, options: Any, outcome: Any) -> None:
    matching = book()
    assert matching.limit(9, 90, *order, **options) == outcome
    resting = outcome[1]
    assert matching.order(9) == ((order[0], order[1], resting) if resting else None)


def test_a_market_order_reports_what_it_could_not_fill() -> None:
    assert book().market(9, 90, BUY, 12) == ([(1, 10, 101, 5), (2, 20, 101, 5), (3, 30, 103, 2)], 0)
    assert book().market(9, 90, BUY, 12, limit_ticks=101) == ([(1, 10, 101, 5), (2, 20, 101, 5)], 2)
    assert book().market(9, 90, SELL, 12, None) == ([(4, 40, 99, 5)], 7)


def test_best_depth_order_and_cancel() -> None:
    matching = book()
    assert (matching.best(), _core.MatchingBook().best()) == ((99, 101), (None, None))
    assert (matching.depth(SELL, 1), matching.depth(SELL, 0)) == ([(101, 10)], [(101, 10), (103, 5)])
    assert (matching.depth(BUY, 10), matching.order(3), matching.order(9)) == ([(99, 5)], (SELL, 103, 5), None)
    matching.market(9, 90, BUY, 3)
    assert (matching.cancel(1), matching.cancel(1)) == (2, None)
    assert matching.depth(SELL, 1) == [(101, 5)]


def test_an_amended_order_keeps_its_place_only_when_it_shrinks_at_its_price() -> None:
    shrunk, grown, moved = book(), book(), book()
    assert shrunk.amend(1, 101, 2) == ([], 2)
    assert shrunk.market(9, 90, BUY, 3)[0] == [(1, 10, 101, 2), (2, 20, 101, 1)]
    assert grown.amend(1, 101, 6) == ([], 6)
    assert grown.market(9, 90, BUY, 6)[0] == [(2, 20, 101, 5), (1, 10, 101, 1)]
    assert moved.amend(4, 101, 6) == ([(1, 10, 101, 5), (2, 20, 101, 1)], 0)
    assert moved.order(4) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(95, 105), st.integers(1, 9)), max_size=60))
def test_lots_are_conserved_and_the_book_is_never_crossed(orders: list[tuple[int, int, int]]) -> None:
    matching, resting = _core.MatchingBook(), 0
    for order_id, (side, ticks, lots) in enumerate(orders):
        fills, left, rejected = matching.limit(order_id, 0, side, ticks, lots)
        taken = sum(fill[3] for fill in fills)
        assert (taken + left, rejected) == (lots, False)
        assert all(side * fill[2] <= side * ticks for fill in fills)
        resting += left - taken
        assert sum(level[1] for side in (BUY, SELL) for level in matching.depth(side, 0)) == resting
        bid, ask = matching.best()
        assert bid is None or ask is None or bid < ask


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: book().limit(1, 0, BUY, 99, 1), "order_id 1 already rests in the book; use a new id or amend it"),
        (lambda: book().limit(9, 0, 2, 99, 1), r"side must be \+1 \(buy\) or -1 \(sell\), got 2"),
        (lambda: book().limit(9, 0, BUY, 0, 1), "ticks must be from 1 to .*, got 0"),
        (lambda: book().limit(9, 0, BUY, 2**70, 1), "ticks must be from 1 to "),
        (lambda: book().limit(9, 0, BUY, 99, -1), "lots must be from 1 to .*, got -1"),
        (lambda: book().limit(-1, 0, BUY, 99, 1), "order_id must be from 0 to .*, got -1"),
        (lambda: book().limit(9, 2**32, BUY, 99, 1), "owner must be from 0 to "),
        (lambda: book().limit(9, 0, BUY, 99, 1, "GTX"), 'time_in_force must be "GTC", "IOC" or "FOK", got "GTX"'),
        (lambda: book().limit(9, 0, BUY, 99, 1, "IOC", True), 'post_only needs time_in_force "GTC", got "IOC"'),
        (lambda: book().market(9, 0, BUY, 0), "lots must be from 1 to .*, got 0"),
        (lambda: book().market(9, 0, BUY, 1, limit_ticks=-5), "limit_ticks must be from 1 to .*, got -5"),
        (lambda: book().amend(9, 99, 1), "order_id 9 does not rest in the book"),
        (lambda: book().amend(1, 99, 0), "lots must be from 1 to .*, got 0"),
        (lambda: book().depth(BUY, -1), r"limit must be 0 \(all\) or a positive count, got -1"),
    ],
)
def test_a_bad_order_is_refused_by_name(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()

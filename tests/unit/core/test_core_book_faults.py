"""A depth message that is lost, repeated or swapped is always noticed, and a fresh snapshot always repairs the book."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_feed import STEP, TICK, MadeUpFeed
from recorded_books import CAPTURES, Capture, frames, snapshot_of

from execactor import _core

RULES = pytest.mark.parametrize("rule", ["futures", "spot"])
FAULTS = ("drop", "duplicate", "swap")


def damaged(messages: list[bytes], at: int, fault: str) -> list[bytes]:
    """The messages with one of them dropped, received twice, or received after its successor."""
    match fault:
        case "drop":
            return messages[:at] + messages[at + 1 :]
        case "duplicate":
            return messages[: at + 1] + messages[at:]
        case _:
            return [*messages[:at], messages[at + 1], messages[at], *messages[at + 2 :]]


def assert_noticed(book: _core.Book, messages: list[bytes], at: int, fault: str) -> None:
    """Feed the damaged messages: the fault is flagged where it happens, and only a repetition leaves the book live."""
    flags = [book.apply_json(message) for message in damaged(messages, at, fault)]
    assert all(flag & _core.APPLIED for flag in flags[:at])
    if fault == "duplicate":
        assert flags[at + 1] & _core.IGNORED
        assert (book.state, book.counters()["duplicates"]) == ("live", 1)
    else:
        assert flags[at] & _core.GAP
        assert not any(flag & _core.APPLIED for flag in flags[at:])
        assert (book.state, book.tradable, book.counters()["gaps"]) == ("stale", False, 1)


@RULES
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1000), at=st.integers(0, 27), fault=st.sampled_from(FAULTS), behind=st.integers(0, 3))
def test_one_fault_in_a_made_up_feed(rule: str, seed: int, at: int, fault: str, behind: int) -> None:
    feed = MadeUpFeed(rule, seed, length=40)
    book = _core.Book(TICK, STEP, rule, window=64)
    assert book.apply_snapshot_json(feed.snapshot(0)) & _core.SYNCED
    assert_noticed(book, feed.messages[:30], at, fault)
    for message in feed.messages[30:35]:
        book.apply_json(message)
    if fault == "duplicate":
        assert not book.apply_snapshot_json(feed.snapshot(35 - behind)) & _core.GAP
    else:
        assert book.apply_snapshot_json(feed.snapshot(35 - behind)) & _core.SYNCED
    for message in feed.messages[35:]:
        assert book.apply_json(message) & _core.APPLIED
    assert (book.state, (book.bids(), book.asks())) == ("live", feed.levels(40))


@cache
def recorded(capture: Capture) -> tuple[list[bytes], list[bytes]]:
    """Depth messages and snapshot in arrival order until the book has applied one live, and the 400 that follow."""
    before: list[bytes] = []
    after: list[bytes] = []
    book = capture.book()
    for kind, message in frames(capture):
        if kind == "snapshot":
            assert book.apply_snapshot_json(message) & _core.SYNCED
            before.append(message)
        elif kind == "delta":
            flags = book.apply_json(message)
            (after if after or flags & _core.APPLIED else before).append(message)
            if len(after) == 401:
                break
    return [*before, after[0]], after[1:]


def synced(capture: Capture) -> _core.Book:
    book = capture.book()
    for message in recorded(capture)[0]:
        book.apply_snapshot_json(message) if b'"lastUpdateId"' in message[:30] else book.apply_json(message)
    assert book.tradable
    return book


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.folder + capture.files[0][:16])
@settings(max_examples=12, deadline=None)
@given(at=st.integers(0, 327), fault=st.sampled_from(FAULTS))
def test_one_fault_in_a_recorded_feed(capture: Capture, at: int, fault: str) -> None:
    messages = recorded(capture)[1]
    whole, book = synced(capture), synced(capture)
    assert_noticed(book, messages[:330], at, fault)
    for message in messages[:370]:
        whole.apply_json(message)
    snapshot = snapshot_of(whole, capture)
    for message in messages[370:]:
        whole.apply_json(message)
    for message in messages[330:]:
        book.apply_json(message)
    assert not book.apply_snapshot_json(snapshot) & _core.GAP
    assert (book.state, book.bbo(), book.last_update_id) == ("live", whole.bbo(), whole.last_update_id)
    assert (book.bids(), book.asks()) == (whole.bids(), whole.asks())

"""What Book takes, returns and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from execactor import _core

SNAPSHOT = '{"lastUpdateId":100,"bids":[["99.9","2.000"],["99.8","10.000"]],"asks":[["100.1","1.500"],["100.2","4"]]}'
NEXT = '{"e":"depthUpdate","U":101,"u":105,"pu":99,"b":[["100.0","3.000"]],"a":[["100.1","0.000"]]}'
GAP = '{"e":"depthUpdate","U":120,"u":121,"pu":119,"b":[],"a":[]}'


def live() -> _core.Book:
    book = _core.Book("0.10", "0.001")
    assert book.apply_snapshot_json(SNAPSHOT) == _core.SYNCED | _core.APPLIED | _core.BBO_CHANGED
    return book


def test_each_flag_is_a_bit_of_its_own() -> None:
    flags = [
        _core.BBO_CHANGED,
        _core.APPLIED,
        _core.IGNORED,
        _core.BUFFERED,
        _core.GAP,
        _core.CROSSED,
        _core.MALFORMED,
        _core.SYNCED,
    ]
    assert sorted(flags) == [1 << bit for bit in range(8)]


@pytest.mark.parametrize(
    "kind", [str, str.encode, lambda text: bytearray(text.encode()), lambda text: memoryview(text.encode())]
)
def test_a_message_may_be_text_or_any_bytes(kind: Any) -> None:
    book = _core.Book("0.10", "0.001")
    assert book.apply_snapshot_json(kind(SNAPSHOT)) & _core.SYNCED
    assert book.apply_json(kind(NEXT)) == _core.APPLIED | _core.BBO_CHANGED
    assert book.bbo() == (1000, 3000, 1002, 4000)


def test_a_slice_of_a_buffer_is_read_as_it_stands() -> None:
    padded = memoryview(b"xx" + SNAPSHOT.encode() + b"yy")
    assert _core.Book("0.10", "0.001").apply_snapshot_json(padded[2:-2]) & _core.SYNCED
    spread = bytearray(2 * len(SNAPSHOT))
    spread[::2] = SNAPSHOT.encode()
    assert _core.Book("0.10", "0.001").apply_snapshot_json(memoryview(spread)[::2]) & _core.SYNCED


def test_the_states_follow_the_messages() -> None:
    book = _core.Book("0.10", "0.001")
    assert (book.state, book.tradable, book.last_update_id, book.bbo()) == ("empty", False, 0, None)
    assert book.apply_json(NEXT) == _core.BUFFERED
    assert (book.state, book.tradable) == ("buffering", False)
    assert book.apply_snapshot_json(SNAPSHOT) & _core.SYNCED
    assert (book.state, book.tradable, book.last_update_id) == ("live", True, 105)
    assert book.apply_json(NEXT) == _core.IGNORED
    assert book.apply_json(GAP) == _core.GAP | _core.BUFFERED
    assert (book.state, book.tradable, book.last_update_id) == ("stale", False, 105)
    assert book.bbo() == (1000, 3000, 1002, 4000)
    book.reset()
    assert (book.state, book.bbo(), book.bids(), book.asks()) == ("empty", None, [], [])


@pytest.mark.parametrize(
    "message",
    [
        "",
        "not json",
        NEXT[:-1],
        NEXT.replace("100.0", "100.05"),
        NEXT.replace("3.000", "3.0005"),
        NEXT.replace("3.000", "-3.000"),
        NEXT.replace("3.000", "99999999999999999999"),
        NEXT.replace('"pu":99,', ""),
        '{"result":null,"id":1}',
        b"\xff\xfe\x00",
    ],
)
def test_an_unreadable_message_changes_no_level_and_makes_the_book_stale(message: str | bytes) -> None:
    book = live()
    before = (book.bbo(), book.bids(), book.asks(), book.last_update_id)
    assert book.apply_json(message) == _core.MALFORMED
    assert (book.state, book.tradable, book.counters()["parse_errors"]) == ("stale", False, 1)
    assert (book.bbo(), book.bids(), book.asks(), book.last_update_id) == before
    assert book.apply_snapshot_json(SNAPSHOT) & _core.SYNCED
    assert book.tradable


def test_an_unreadable_snapshot_makes_the_book_stale() -> None:
    book = live()
    assert book.apply_snapshot_json(SNAPSHOT[:-1]) == _core.MALFORMED
    assert book.state == "stale"


@pytest.mark.parametrize("event", ["bookTicker", "aggTrade", "trade", "kline", "markPriceUpdate"])
def test_another_event_of_the_stream_is_ignored(event: str) -> None:
    book = live()
    message = f'{{"stream":"x","data":{{"e":"{event}","u":101,"b":"25.3519","B":"31.2","a":"25.3652","A":"40.6"}}}}'
    assert book.apply_json(message) == _core.IGNORED
    assert (book.state, book.counters()["duplicates"]) == ("live", 0)


def test_a_crossed_book_is_flagged_and_not_tradable_until_it_uncrosses() -> None:
    book = live()
    crossing = NEXT.replace('"100.1","0.000"', '"100.0","1.000"')
    assert book.apply_json(crossing) == _core.APPLIED | _core.BBO_CHANGED | _core.CROSSED
    assert (book.crossed, book.tradable, book.state) == (True, False, "live")
    follow = '{"e":"depthUpdate","U":106,"u":107,"pu":105,"b":[["100.0","0.000"]],"a":[]}'
    assert book.apply_json(follow) == _core.APPLIED | _core.BBO_CHANGED
    assert (book.crossed, book.tradable) == (False, True)


def test_an_order_is_priced_level_by_level() -> None:
    book = live()
    assert book.vwap(1, 1500) == (1500, 1500 * 1001, 1001)
    assert book.vwap(1, 2000) == (2000, 1500 * 1001 + 500 * 1002, 1002)
    assert book.vwap(1, 10**6) == (5500, 1500 * 1001 + 4000 * 1002, 1002)
    assert book.vwap(-1, 5000) == (5000, 2000 * 999 + 3000 * 998, 998)
    assert _core.Book("1", "1").vwap(-1, 1) == (0, 0, 0)


def test_a_notional_beyond_64_bits_is_exact() -> None:
    book = _core.Book("1", "1", "spot")
    ticks, lots = 4 * 10**18, 9 * 10**18
    book.apply_snapshot_json(f'{{"lastUpdateId":1,"bids":[["{ticks}","{lots}"]],"asks":[]}}')
    assert book.vwap(-1, lots) == (lots, ticks * lots, ticks)


def test_levels_come_best_first_and_can_be_limited() -> None:
    book = live()
    assert book.bids() == [(999, 2000), (998, 10000)]
    assert book.asks(0) == [(1001, 1500), (1002, 4000)]
    assert (book.bids(1), book.asks(limit=1), book.bids(5)) == ([(999, 2000)], [(1001, 1500)], book.bids())


def test_counters_count_and_survive_a_reset() -> None:
    book = live()
    for message in (NEXT, NEXT, GAP, "x"):
        book.apply_json(message)
    book.reset()
    assert book.counters() == {
        "deltas": 2,
        "messages": 5,
        "gaps": 1,
        "recentres": 0,
        "cold_ops": 0,
        "parse_errors": 1,
        "duplicates": 1,
    }


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: _core.Book("0", "0.001"), r'tick_size "0" .* pass a positive decimal'),
        (lambda: _core.Book("0.1", "1e-3"), r'step_size "1e-3" .* pass a positive decimal'),
        (lambda: _core.Book("0.1", ""), r"step_size"),
        (lambda: _core.Book("0.1", "0.001", "swap"), r'rule must be "futures" or "spot", got "swap"'),
        (lambda: _core.Book("0.1", "0.001", window=1000), r"window must be a power of two .*, got 1000"),
        (lambda: _core.Book("0.1", "0.001", window=-64), r"window must be a power of two .*, got -64"),
        (lambda: _core.Book("0.1", "0.001", window=1 << 40), r"window must be a power of two"),
        (lambda: live().vwap(0, 1), r"side must be \+1 \(buy\) or -1 \(sell\), got 0"),
        (lambda: live().vwap(1, 0), r"lots must be a positive number of lots, got 0"),
        (lambda: live().vwap(1, -(10**40)), r"lots must be a positive number of lots, got a very negative number"),
        (lambda: live().vwap(1, 2**63), r"lots must be a positive number of lots, got 9223372036854775808"),
        (lambda: live().bids(-1), r"limit must be 0 \(all\) or a positive count, got -1"),
        (lambda: live().apply_json("\ud800"), r"surrogates"),
    ],
)
def test_a_bad_value_is_refused_by_name(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.Book(0.1, "0.001"),
        lambda: live().vwap(1, 1.5),
        lambda: live().vwap("1", 1),
        lambda: live().apply_json(5),
        lambda: live().apply_json(None),
        lambda: live().apply_json(memoryview(b"12345678").cast("Q")),
    ],
)
def test_a_bad_type_is_a_type_error(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


def test_a_book_cannot_be_altered_from_outside() -> None:
    with pytest.raises(AttributeError):
        live().state = "live"


def test_the_build_says_what_it_is() -> None:
    info = _core.build_info()
    assert set(info) == {"version", "profile", "target", "rustc"}
    assert all(info.values())

"""Books rebuilt from recorded captures: bit for bit the golden ones, and in step with the venue's own best prices."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from recorded_books import CAPTURES, USDM, Capture, checksum, frames, golden, interleaved

from execactor import _core


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.folder + capture.files[0][:16])
def test_every_golden_checkpoint_and_every_book_ticker_agree(capture: Capture) -> None:
    expected = golden(capture)
    checkpoints = {checkpoint["u"]: checkpoint for checkpoint in expected["checkpoints"]}
    book, reached, best, tickers = capture.book(), 0, {}, []
    for kind, message in frames(capture):
        if kind == "ticker":
            tickers.append(message)
        elif kind == "snapshot":
            assert book.apply_snapshot_json(message) & _core.SYNCED
        elif kind == "delta" and book.apply_json(message) & _core.APPLIED:
            best[book.last_update_id] = book.bbo()
            if checkpoint := checkpoints.get(book.last_update_id):
                assert checksum(book, capture) == checkpoint["sha256"], f"checkpoint {checkpoint['n']}"
                assert (len(book.bids()), len(book.asks())) == (checkpoint["nb"], checkpoint["na"])
                reached += 1
    counters = book.counters()
    assert reached == len(checkpoints)
    assert (book.state, counters["gaps"], counters["parse_errors"], book.crossed) == ("live", 0, 0, False)
    assert agreeing_tickers(capture, tickers, best) == expected["bookTicker_same_u"]


def agreeing_tickers(capture: Capture, tickers: list[bytes], best: dict[int, tuple[int, int, int, int] | None]) -> int:
    """How many tickers carry the id of a depth message; each of them must show the book's best bid and ask."""
    tick, step = Decimal(capture.tick), Decimal(capture.step)
    seen = 0
    for message in tickers:
        ticker = json.loads(message)["data"]
        if bbo := best.get(ticker["u"]):
            bid, bid_size, ask, ask_size = (Decimal(ticker[key]) for key in "bBaA")
            assert bbo == (bid / tick, bid_size / step, ask / tick, ask_size / step)
            seen += 1
    return seen


@pytest.mark.parametrize("window", [64, 1024, 1 << 20])
def test_the_window_changes_no_result(window: int) -> None:
    wide, narrow = USDM.book(), USDM.book(window)
    for kind, message in frames(USDM):
        if kind == "snapshot":
            assert wide.apply_snapshot_json(message) == narrow.apply_snapshot_json(message)
        elif kind == "delta":
            assert wide.apply_json(message) == narrow.apply_json(message)
            assert wide.bbo() == narrow.bbo()
            assert wide.vwap(1, 50_000) == narrow.vwap(1, 50_000)
            if wide.counters()["messages"] == 3000:
                break
    assert (wide.bids(), wide.asks()) == (narrow.bids(), narrow.asks())


@pytest.mark.parametrize(
    ("name", "rule", "step", "symbols"),
    [
        ("binance_usdm/BINANCE_FUTURES-1125a2.0.2021-04-05.gz", "futures", "0.001", 5),
        ("binance_spot/BINANCE-ee25be.0.2021-04-04.gz", "spot", "0.00000001", 3),
    ],
)
def test_symbols_whose_snapshots_arrive_among_their_deltas_sync_without_a_gap(
    name: str, rule: str, step: str, symbols: int
) -> None:
    books: dict[str, _core.Book] = {}
    for kind, symbol, message in interleaved(name):
        book = books.setdefault(symbol, _core.Book("0.00001", step, rule))
        if kind == "snapshot":
            assert book.apply_snapshot_json(message) & _core.SYNCED
        elif kind == "delta":
            flags = book.apply_json(message)
            assert flags & (_core.APPLIED | _core.BUFFERED | _core.IGNORED)
            assert not flags & (_core.GAP | _core.CROSSED | _core.MALFORMED)
    assert len(books) == symbols
    for symbol, book in books.items():
        counters = book.counters()
        assert (book.state, book.tradable, counters["gaps"], counters["parse_errors"]) == ("live", True, 0, 0), symbol
        assert counters["deltas"] > 0

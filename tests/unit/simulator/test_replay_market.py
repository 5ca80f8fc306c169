"""Replaying a recorded capture: the same book, the same chain, and the account's orders beside it."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from still_venue import StillVenue, Wire

from execactor._core import Book
from execactor.simulator import DEFAULT_SYMBOLS
from execactor.simulator.replay import ReplayMarket

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
SECOND = 1_000_000_000
BTC = DEFAULT_SYMBOLS[0]


def capture(*names: str) -> str:
    paths = [DATA / "binance_usdm" / name for name in names]
    for path in paths:
        if not path.exists():
            pytest.skip(f"{path} is absent: it is not part of the repository")
    return "+".join(map(str, paths))


def lines(tmp_path: Path, *events: dict[str, Any]) -> str:
    """A capture of our own: one event a second, after a snapshot at second 0."""
    snapshot = {"lastUpdateId": 10, "bids": [["100.0", "5"], ["99.9", "5"]], "asks": [["100.1", "5"], ["100.2", "5"]]}
    texts = [f"{10**18 + number * SECOND} {json.dumps(event)}" for number, event in enumerate([snapshot, *events])]
    path = tmp_path / "made.gz"
    path.write_bytes(gzip.compress("\n".join(texts).encode()))
    return str(path)


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    return {"stream": f"btcusdt@{event['e']}", "data": {"s": "BTCUSDT", **event}}


def depth(first: int, last: int, bids: Any = (), asks: Any = (), previous: int = 8) -> dict[str, Any]:
    ids = {"U": first, "u": last, "pu": previous, "E": 1, "T": 1}
    return wrapped({"e": "depthUpdate", **ids, "b": list(bids), "a": list(asks)})


def trade(price: str, quantity: str, *, seller_took: bool) -> dict[str, Any]:
    return wrapped({"e": "trade", "t": 1, "T": 1, "p": price, "q": quantity, "m": seller_took})


def ticker(bid: str, ask: str, size: str = "5") -> dict[str, Any]:
    return wrapped({"e": "bookTicker", "u": 12, "b": bid, "B": size, "a": ask, "A": size, "T": 1})


def replayed(files: str, **more: Any) -> ReplayMarket:
    market = ReplayMarket(BTC, files, **{"speed": 1.0, "loop": False, **more})
    market.step(0)
    return market


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("btcusdt_20240808.gz",), id="2024, nanoseconds"),
        pytest.param(("btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz"), id="2023, two files, microseconds"),
    ],
)
def test_published_depth_rebuilds_the_recorded_book(names: tuple[str, ...]) -> None:
    files = capture(*names)
    market, book = replayed(files), Book("0.10", "0.001")
    snapshot = market.depth(1000)
    levels = {"bids": market.feed.texts(snapshot.bids), "asks": market.feed.texts(snapshot.asks)}
    book.apply_snapshot_json(orjson.dumps({"lastUpdateId": snapshot.last_update_id, **levels}))
    second = 0
    while market.restless:
        second += 20
        market.step(second * SECOND)
        for event in market.feed.ready:
            book.apply_json(orjson.dumps(event))
        market.feed.ready.clear()
    golden = json.loads(gzip.decompress((DATA / "golden" / "book_golden.json.gz").read_bytes()))
    last = golden["binance_usdm/" + "+".join(names)]["checkpoints"][-1]
    bbo = book.bbo()
    assert bbo is not None
    assert (book.state, book.counters()["gaps"], book.last_update_id) == ("live", 0, last["u"])
    assert (BTC.price(bbo[0]), BTC.quantity(bbo[1])) == (Decimal(last["bid"][0]), Decimal(last["bid"][1]))
    assert (BTC.price(bbo[2]), BTC.quantity(bbo[3])) == (Decimal(last["ask"][0]), Decimal(last["ask"][1]))


def test_speed_plays_faster_and_the_end_stands_still(tmp_path: Path) -> None:
    market = replayed(lines(tmp_path, *[trade(f"100.{n}", "1", seller_took=True) for n in range(5)]), speed=2.0)
    market.step(SECOND)
    assert market.last == Decimal("100.10")
    market.step(60 * SECOND)
    assert market.last == Decimal("100.40")
    assert not market.restless


def test_a_looped_capture_starts_over_with_higher_ids(tmp_path: Path) -> None:
    market = replayed(lines(tmp_path, depth(9, 15, [["100.0", "7"]])), loop=True)
    market.step(SECOND)
    before = market.feed.ready[-1]
    market.feed.ready.clear()
    market.step(3 * SECOND)
    market.step(5 * SECOND)
    after = market.feed.ready[-1]
    assert after["pu"] >= before["u"]
    assert market.restless or market.feed.ready


def test_a_taker_gets_the_recorded_levels_and_consumes_nothing(tmp_path: Path) -> None:
    market = replayed(lines(tmp_path))
    assert market.take(1, 7000, None) == [(1001, 5000), (1002, 2000)]
    assert market.take(1, 7000, 1001) == [(1001, 5000)]
    assert market.take(-1, 20_000, None) == [(1000, 5000), (999, 5000)]


@pytest.mark.parametrize(
    ("event", "filled"),
    [
        pytest.param(trade("99.8", "2", seller_took=True), 2000, id="a trade through the price fills its size"),
        pytest.param(trade("99.8", "9", seller_took=True), 3000, id="never more than the order"),
        pytest.param(trade("99.9", "2", seller_took=True), 0, id="a trade at the price fills nothing: it was queued"),
        pytest.param(trade("99.8", "2", seller_took=False), 0, id="a buyer's trade fills no bid"),
        pytest.param(ticker("99.8", "99.9", "1"), 1000, id="the opposite best at the price fills what is there"),
        pytest.param(ticker("99.9", "100.0"), 0, id="the opposite best above the price fills nothing"),
    ],
)
def test_a_resting_order_fills_when_the_recording_comes_through(tmp_path: Path, event: Any, filled: int) -> None:
    market = replayed(lines(tmp_path, event))
    market.rest(7, 1, 999, 3000)
    market.step(SECOND)
    assert sum(fill.lots for fill in market.maker_fills) == filled
    assert market.remove(7) == 3000 - filled


def test_better_and_older_orders_fill_first(tmp_path: Path) -> None:
    market = replayed(lines(tmp_path, trade("101", "4", seller_took=False)))
    for order_id, ticks in ((1, 1003), (2, 1002), (3, 1002)):
        market.rest(order_id, -1, ticks, 3000)
    market.step(SECOND)
    assert [(fill.order_id, fill.lots) for fill in market.maker_fills] == [(2, 3000), (3, 1000)]


def test_the_mark_follows_the_mid_or_the_recorded_mark(tmp_path: Path) -> None:
    market = replayed(lines(tmp_path, *[ticker("110.0", "110.2")] * 9))
    market.step(9 * SECOND)
    assert abs(market.mark - Decimal("110.1")) < Decimal("0.01")
    marks = [wrapped({"e": "markPriceUpdate", "p": "105.12345678", "i": "1", "P": "1", "r": "0", "T": 1})]
    market = replayed(lines(tmp_path, *marks, ticker("120.0", "120.2")))
    market.step(9 * SECOND)
    assert market.mark == Decimal("105.12345678")


def test_a_capture_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(gzip.compress(b"hello\n"))
    with pytest.raises(ValueError, match=r"bad\.gz:1"):
        replayed(str(path))
    path.write_bytes(gzip.compress(f"1 {json.dumps(trade('1', '1', seller_took=True))}\n".encode()))
    with pytest.raises(ValueError, match="no depth snapshot"):
        replayed(str(path))


def test_a_venue_replays_to_its_clients() -> None:
    still = StillVenue(replay=capture("btcusdt_20240808.gz"), speed=4.0)
    wire, book = Wire(), Book("0.10", "0.001")
    still.venue.connect("/public/stream", "streams=btcusdt@depth@100ms/btcusdt@bookTicker", wire)
    still.clock.run(1)
    snapshot = still.ok("GET /fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    still.market(quantity="0.500", newClientOrderId="m")
    still.clock.run(5)
    events = [frame["data"] for frame in wire.frames]
    for event in events:
        book.apply_json(orjson.dumps(event))
    book.apply_snapshot_json(orjson.dumps(snapshot))
    assert (book.state, book.counters()["gaps"]) == ("live", 0)
    now_ms = still.clock.now_ns() // 1_000_000
    assert all(now_ms - 6000 <= event["E"] <= now_ms for event in events)
    order = still.ok("GET /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="m")
    assert order["status"] == "FILLED"
    assert 61000 < Decimal(order["avgPrice"]) < 62500
    with pytest.raises(ValueError, match="not a generated market"):
        still.venue.steer("BTCUSDT", Decimal(1), 1)


def test_a_capture_of_an_unlisted_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="BTCUSDT"):
        StillVenue(replay=capture("btcusdt_20240808.gz"), symbols=DEFAULT_SYMBOLS[1:])

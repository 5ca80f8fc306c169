"""The generated market: repeatable, steerable, and its published depth rebuilds its book."""

import random
from decimal import Decimal
from itertools import pairwise
from typing import Any

import orjson
import pytest
from still_venue import StillVenue, Wire

from execactor._core import Book
from execactor.simulator import DEFAULT_SYMBOLS, SimulatorConfig, synthetic_symbols
from execactor.simulator.errors import VenueError
from execactor.simulator.generator import GeneratedMarket

BTC = DEFAULT_SYMBOLS[0]


def market(seed: int = 1, volatility_bps: float = 5.0) -> GeneratedMarket:
    return GeneratedMarket(BTC, random.Random(seed), volatility_bps=volatility_bps)


def path(made: GeneratedMarket, steps: int) -> list[Any]:
    seen = []
    for _ in range(steps):
        made.advance(0.05)
        seen.append((made.best(), made.mark, made.last, made.feed.update_id))
    return seen


def test_one_seed_is_one_market() -> None:
    assert path(market(7), 400) == path(market(7), 400)
    assert path(market(7), 400) != path(market(8), 400)


def test_the_book_is_never_crossed_and_never_thin() -> None:
    made = market()
    for _ in range(1000):
        made.advance(0.05)
        bid, ask = made.best()
        assert bid is not None
        assert ask is not None
        assert bid[0] < ask[0]
        assert len(made.levels(1, 100)) >= 15
        assert len(made.levels(-1, 100)) >= 15


def test_sizes_agree_with_the_matching_book() -> None:
    made = market()
    for step in range(300):
        made.advance(0.05)
        made.rest(9_000_000_000 + step, 1 if step % 2 else -1, made.levels(1 if step % 2 else -1, 9)[-1][0], 5)
        if step % 7 == 0:
            made.take(1, 2000, None)
    for sign, index in ((1, 0), (-1, 1)):
        assert dict(made.levels(sign, 0)) == made._sizes[index]


@pytest.mark.parametrize("target", ["61000", "58500"])
def test_steering_reaches_the_price_in_time_and_the_mark_follows(target: str) -> None:
    made = market(volatility_bps=1.0)
    made.steer(Decimal(target), 2.0)
    for _ in range(40):
        made.advance(0.05)
    bid, _ = made.best()
    assert bid is not None
    assert abs(BTC.price(bid[0]) / Decimal(target) - 1) < Decimal("0.001")
    for _ in range(80):
        made.advance(0.05)
    assert abs(made.mark / Decimal(target) - 1) < Decimal("0.001")


def test_an_unwatched_market_stands_still_and_costs_nothing() -> None:
    still = StillVenue()
    still.clock.run(60)
    assert still.clock.waiting == 1  # the listen key's expiry
    before = still.generated().feed.update_id
    still.clock.run(60)
    assert still.generated().feed.update_id == before


@pytest.mark.parametrize("speed", ["", "@100ms", "@500ms"])
def test_published_depth_rebuilds_the_book(speed: str) -> None:
    still = StillVenue(volatility_bps=8.0, seed=3)
    wire, book = Wire(), Book("0.10", "0.001")
    still.venue.connect(f"/public/ws/btcusdt@depth{speed}", "", wire)
    still.clock.run(1)
    snapshot = still.ok("GET /fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    still.limit(quantity="0.300", price="59990")
    still.market(quantity="2")
    still.move("59950", seconds=5)
    still.clock.run(20)
    for data in wire.raw:
        book.apply_json(data)
    book.apply_snapshot_json(orjson.dumps(snapshot))
    assert book.state == "live"
    assert book.counters()["gaps"] == 0
    still_market = still.generated()
    pending = still_market.feed.depth_event(int(speed[1:-2]) if speed else 250, 0)
    if pending is not None:
        book.apply_json(orjson.dumps(pending))
    assert book.bids() == still_market.levels(1, 0)
    assert book.asks() == still_market.levels(-1, 0)


def test_a_snapshot_before_the_first_event_syncs_with_it() -> None:
    still = StillVenue(volatility_bps=8.0)
    wire, book = Wire(), Book("0.10", "0.001")
    still.venue.connect("/public/ws/btcusdt@depth@100ms", "", wire)
    book.apply_snapshot_json(orjson.dumps(still.ok("GET /fapi/v1/depth", symbol="BTCUSDT", limit=1000)))
    still.clock.run(2)
    for data in wire.raw:
        book.apply_json(data)
    assert len(wire.raw) > 5
    assert book.counters()["gaps"] == 0
    first = orjson.loads(wire.raw[0])
    assert first["U"] <= book.last_update_id
    assert (first["st"], first["ps"]) == (1, "BTCUSDT")


def test_streams_carry_what_they_promise() -> None:
    still = StillVenue(volatility_bps=8.0)
    ticker, market_wire = Wire(), Wire()
    still.venue.connect("/public/stream", "streams=btcusdt@bookTicker/ethusdt@bookTicker", ticker)
    still.venue.connect(
        "/market/stream", "streams=btcusdt@aggTrade/btcusdt@markPrice@1s/ethusdt@markPrice", market_wire
    )
    still.market(quantity="0.050")
    still.clock.run(9.9)
    names = [frame["stream"] for frame in market_wire.frames]
    assert names.count("btcusdt@markPrice@1s") in {10, 11}
    assert names.count("ethusdt@markPrice") in {4, 5}
    trades = [frame["data"] for frame in market_wire.frames if frame["stream"] == "btcusdt@aggTrade"]
    assert (trades[0]["q"], trades[0]["m"], trades[0]["p"]) == ("0.050", False, "60000.10")
    ids = [(trade["f"], trade["l"]) for trade in trades]
    assert all(first == before[1] + 1 for before, (first, _) in pairwise(ids))
    assert {frame["data"]["s"] for frame in ticker.frames} == {"BTCUSDT", "ETHUSDT"}
    bids = [frame["data"] for frame in ticker.frames if frame["data"]["s"] == "BTCUSDT"]
    assert all((a["b"], a["B"], a["a"], a["A"]) != (b["b"], b["B"], b["a"], b["A"]) for a, b in pairwise(bids))
    assert all(frame["data"]["st"] == 1 for frame in (*ticker.frames, *market_wire.frames))


def test_subscriptions_can_change_while_connected() -> None:
    still = StillVenue(volatility_bps=8.0)
    wire = Wire()
    session = still.venue.connect("/public/stream", "", wire)

    def ask(method: str, *params: Any) -> Any:
        session.receive(orjson.dumps({"method": method, "params": list(params), "id": 7}))
        return wire.frames[-1]

    assert ask("SUBSCRIBE", "btcusdt@bookTicker", "solusdt@depth@100ms") == {"result": None, "id": 7}
    assert ask("LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@bookTicker", "solusdt@depth@100ms"]
    still.clock.run(1)
    assert {frame.get("stream") for frame in wire.frames if "stream" in frame} == {
        "btcusdt@bookTicker",
        "solusdt@depth@100ms",
    }
    ask("UNSUBSCRIBE", "btcusdt@bookTicker", "solusdt@depth@100ms")
    count = len(wire.raw)
    still.clock.run(2)
    assert len(wire.raw) == count
    assert ask("SUBSCRIBE", "btcusdt@aggTrade")["error"]["code"] == 2
    assert ask("SUBSCRIBE", "nopeusdt@depth")["error"]["code"] == 2
    assert ask("FLY")["error"]["code"] == 2
    session.receive("not json")
    assert wire.frames[-1]["error"]["code"] == 3
    still.clock.run(2)
    for _ in range(11):
        ask("LIST_SUBSCRIPTIONS")
    assert wire.closed == (1008, "Too many requests")
    session.closed("gone")


@pytest.mark.parametrize(
    ("path_", "status"),
    [
        pytest.param("/public/ws/btcusdt@aggTrade", 400, id="a market stream under /public"),
        pytest.param("/market/ws/btcusdt@depth", 400, id="a public stream under /market"),
        pytest.param("/public/ws/btcusdt@kline_1m", 400, id="a stream that is not simulated"),
        pytest.param("/ws/btcusdt@depth", 404, id="the route closed on 2026-04-23"),
        pytest.param("/stream", 404, id="the combined route closed on 2026-04-23"),
    ],
)
def test_a_handshake_is_refused(path_: str, status: int) -> None:
    with pytest.raises(VenueError) as refused:
        StillVenue().venue.connect(path_, "", Wire())
    assert refused.value.status == status


def test_a_thousand_streams_are_too_many_for_one_connection() -> None:
    symbols = synthetic_symbols(1025)
    still = StillVenue(symbols=(*DEFAULT_SYMBOLS, *symbols))
    names = "/".join(f"{symbol.name.lower()}@bookTicker" for symbol in symbols)
    with pytest.raises(VenueError, match="more than 1024"):
        still.venue.connect("/public/stream", f"streams={names}", Wire())


def test_any_number_of_synthetic_symbols_trade() -> None:
    still = StillVenue(symbols=synthetic_symbols(300))
    assert len(still.ok("GET /fapi/v1/exchangeInfo")["symbols"]) == 300
    assert still.market(symbol="SYM0300USDT", quantity="1.5", newOrderRespType="RESULT")["status"] == "FILLED"
    assert still.market(symbol="SYM0001USDT", quantity="100", newOrderRespType="RESULT")["status"] == "FILLED"


def test_a_configuration_says_what_is_wrong_and_hides_its_secret() -> None:
    with pytest.raises(ValueError, match="speed"):
        SimulatorConfig(speed=0)
    with pytest.raises(ValueError, match="step_ms"):
        SimulatorConfig(step_ms=0)
    with pytest.raises(ValueError, match="symbols"):
        SimulatorConfig(symbols=())
    assert "simulator-api-secret" not in repr(SimulatorConfig())

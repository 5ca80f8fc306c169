"""Every fault can be seen from outside, strikes as often as ordered, and is written down."""

import hashlib
import hmac
import random
from decimal import Decimal
from itertools import pairwise
from typing import Any

import orjson
import pytest
from still_venue import StillVenue, Wire

from execactor.simulator.errors import VenueError
from execactor.simulator.faults import NAMES, PROFILES, Faults

PLACE = "POST /fapi/v1/order"
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"}


def faulty(name: str, count: int = 1, **options: Any) -> StillVenue:
    still = StillVenue()
    still.venue.faults.order(name, count, options)
    return still


def struck(still: StillVenue) -> list[str]:
    return [line["name"] for line in still.log("fault")]


def test_an_event_can_come_before_the_response() -> None:
    still = faulty("event_before_response", delay_ms=50)
    replies = still.send(PLACE, **MARKET)
    assert replies == []
    assert len(still.wire.raw) == 4
    still.clock.run(0.06)
    assert len(replies) == 1
    assert struck(still) == ["event_before_response"]


def test_a_response_can_come_long_before_its_events_and_keeps_their_order() -> None:
    still = faulty("response_before_event", delay_ms=50)
    still.ok(PLACE, **MARKET)
    assert still.wire.raw == []
    still.ok(PLACE, **LIMIT)
    assert still.wire.raw == []
    still.clock.run(0.06)
    assert [order["o"]["i"] for order in still.wire.events("ORDER_TRADE_UPDATE")] == [
        8886000001,
        8886000001,
        8886000002,
    ]


def test_an_order_can_fill_in_parts() -> None:
    still = faulty("partial_fills", parts=3, gap_ms=10)
    order = still.market(quantity="0.100", newOrderRespType="RESULT")
    assert order["status"] == "PARTIALLY_FILLED"
    assert 0 < still.held < Decimal("0.1")
    still.clock.run(0.03)
    assert still.held == Decimal("0.1")
    trades = [e["o"]["X"] for e in still.wire.events("ORDER_TRADE_UPDATE") if e["o"]["x"] == "TRADE"]
    assert trades == ["PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED"]


def test_an_order_that_fills_in_parts_can_be_cancelled_between_them() -> None:
    still = faulty("partial_fills", parts=2, gap_ms=10)
    order = still.limit(price="60100")
    cancelled = still.ok("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    still.clock.run(1)
    assert cancelled["status"] == "CANCELED"
    assert Decimal(cancelled["executedQty"]) == still.held > 0
    assert still.exchange.orders.open() == []


def test_a_limit_order_that_fills_in_parts_rests_with_its_rest() -> None:
    still = faulty("partial_fills", parts=2, gap_ms=10)
    (_, offered), *_ = still.generated().levels(-1, 1)
    still.limit(quantity=str(Decimal(offered + 300) / 1000), price="60000.1", newClientOrderId="x")
    still.clock.run(0.01)
    (order,) = still.exchange.orders.open()
    assert order.filled == offered
    assert still.generated().remove(order.id) == 300


@pytest.mark.parametrize(
    ("fraction", "code", "status"),
    [pytest.param(1.0, -2011, "FILLED", id="in whole"), pytest.param(0.5, 0, "CANCELED", id="in part")],
)
def test_a_cancel_can_find_the_order_filled(fraction: float, code: int, status: str) -> None:
    still = faulty("cancel_races_fill", fraction=fraction)
    order = still.limit(quantity="0.100")
    _, answer = still.call("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert answer.get("code", 0) == code
    assert still.held == Decimal("0.1") * Decimal(str(fraction))
    assert still.ok("GET /fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])["status"] == status


def test_a_503_can_hide_an_executed_order() -> None:
    still = faulty("http_503_executed")
    status, body = still.call(PLACE, **MARKET)
    assert (status, body["msg"]) == (503, "Unknown error, please check your request or try again later.")
    assert still.held == Decimal("0.1")


def test_a_503_can_mean_that_nothing_happened() -> None:
    still = faulty("http_503_failed")
    status, body = still.call(PLACE, **MARKET)
    assert (status, body["msg"]) == (503, "Service Unavailable.")
    assert still.held == 0


def test_a_503_can_come_before_the_order_is_executed() -> None:
    still = faulty("executed_late", delay_ms=700, exact=True)
    assert still.call(PLACE, **MARKET, newClientOrderId="late")[0] == 503
    status, body = still.call("GET /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="late")
    assert (status, body["code"]) == (400, -2013)
    still.clock.run(0.75)
    assert still.held == Decimal("0.1")
    assert still.ok("GET /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="late")["status"] == "FILLED"
    assert len(still.wire.events("ORDER_TRADE_UPDATE")) > 0


@pytest.mark.parametrize("executed", [True, False])
def test_a_request_can_stay_without_answer(executed: bool) -> None:
    still = faulty("rest_timeout", executed=executed, hold_s=5)
    replies = still.send(PLACE, **MARKET)
    still.clock.run(4.9)
    assert replies == []
    assert still.held == (Decimal("0.1") if executed else 0)
    still.clock.run(0.2)
    assert replies == [None]
    assert [(line["status"], line["body"]) for line in still.log("response")] == [(0, None)]


def test_the_order_connection_can_break_before_the_answer() -> None:
    still = faulty("ws_no_answer")
    wire = Wire()
    session = still.venue.connect("/ws-fapi/v1", "", wire)
    session.receive(ws_request(still, "order.place", **MARKET))
    assert (wire.raw, wire.closed) == ([], (1006, "no answer"))
    assert still.held == Decimal("0.1")


def ws_request(still: StillVenue, method: str, **params: Any) -> bytes:
    sent = {**params, "apiKey": still.config.api_key, "timestamp": still.clock.now_ns() // 1_000_000}
    payload = "&".join(f"{name}={sent[name]}" for name in sorted(sent))
    sent["signature"] = hmac.new(still.config.api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return orjson.dumps({"id": 1, "method": method, "params": sent})


def test_listings_can_trail_the_truth() -> None:
    still = StillVenue()
    still.limit(newClientOrderId="old")
    still.clock.run(10)
    still.venue.faults.order("listing_lag_ms", 1, {"ms": 500})
    order = still.limit(newClientOrderId="new")
    still.market(quantity="0.010")
    still.stop(clientAlgoId="sl")
    still.ok("DELETE /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="old")

    query = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert still.code("GET /fapi/v1/order", **query) == -2013
    assert still.code("GET /fapi/v1/openOrder", **query) == -2013
    assert still.code("GET /fapi/v1/algoOrder", clientAlgoId="sl") == -2013
    assert [o["clientOrderId"] for o in still.ok("GET /fapi/v1/openOrders")] == ["old"]
    assert still.ok("GET /fapi/v1/openAlgoOrders") == []
    assert still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT") == []
    assert still.ok("GET /fapi/v2/positionRisk", symbol="BTCUSDT")[0]["positionAmt"] == "0"

    still.clock.run(0.6)
    assert still.ok("GET /fapi/v1/order", **query)["status"] == "NEW"
    assert [o["clientOrderId"] for o in still.ok("GET /fapi/v1/openOrders")] == ["new"]
    assert [a["clientAlgoId"] for a in still.ok("GET /fapi/v1/openAlgoOrders")] == ["sl"]
    assert len(still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT")) == 1
    assert still.ok("GET /fapi/v3/positionRisk")[0]["positionAmt"] == "0.010"


def test_old_listings_are_forgotten_but_old_truths_are_not() -> None:
    still = StillVenue()
    still.venue.faults.order("listing_lag_ms", 1, {"ms": 500})
    still.limit(newClientOrderId="gone")
    still.limit(newClientOrderId="stays")
    still.ok("DELETE /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="gone")
    still.clock.run(300)
    still.limit(newClientOrderId="late")
    still.clock.run(1)
    assert still.ok("GET /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="gone")["status"] == "CANCELED"
    assert [o["clientOrderId"] for o in still.ok("GET /fapi/v1/openOrders")] == ["stays", "late"]


def test_an_acknowledged_stop_can_vanish_at_once() -> None:
    still = faulty("algo_ack_lost")
    still.market()
    events = len(still.wire.raw)
    assert still.stop(clientAlgoId="sl")["algoStatus"] == "NEW"
    assert len(still.wire.raw) == events
    assert still.ok("GET /fapi/v1/openAlgoOrders") == []
    assert still.code("GET /fapi/v1/algoOrder", clientAlgoId="sl") == -2013
    assert [line["status"] for line in still.log("algo")] == ["NEW", "VANISHED"]


def test_an_acknowledged_stop_can_vanish_after_a_while() -> None:
    still = faulty("algo_ack_lost", after_ms=60_000)
    still.market()
    still.stop(clientAlgoId="sl")
    still.clock.run(59)
    assert len(still.ok("GET /fapi/v1/openAlgoOrders")) == 1
    still.clock.run(2)
    assert still.ok("GET /fapi/v1/openAlgoOrders") == []
    assert [e["o"]["X"] for e in still.wire.events("ALGO_UPDATE")] == ["NEW"]


def test_a_stop_can_stick_while_triggering() -> None:
    still = faulty("algo_stuck_triggering")
    still.market()
    algo = still.stop("59900", clientAlgoId="sl")
    still.move("59800")
    assert [e["o"]["X"] for e in still.wire.events("ALGO_UPDATE")] == ["NEW", "TRIGGERING"]
    assert still.held == Decimal("0.1")
    assert still.code("DELETE /fapi/v1/algoOrder", algoId=algo["algoId"]) == -2011
    assert still.ok("GET /fapi/v1/algoOrder", clientAlgoId="sl")["algoStatus"] == "TRIGGERING"


def test_an_event_can_come_twice() -> None:
    still = faulty("duplicate_event", kind="ORDER_TRADE_UPDATE")
    still.market()
    first, second, _ = still.wire.events("ORDER_TRADE_UPDATE")
    assert first == second


def test_a_depth_event_can_be_missing() -> None:
    still = StillVenue(volatility_bps=8.0)
    wire = Wire()
    still.venue.connect("/public/ws/btcusdt@depth@100ms", "", wire)
    still.clock.run(1)
    still.venue.faults.order("drop_depth", 1, {"symbol": "BTCUSDT"})
    still.clock.run(1)
    events = wire.frames
    gaps = [after for before, after in pairwise(events) if after["pu"] != before["u"]]
    assert len(gaps) == 1


def test_the_private_stream_can_break() -> None:
    still = faulty("user_stream_disconnect", kind="ACCOUNT_UPDATE")
    still.market()
    assert still.wire.closed == (1001, "server restart")
    assert [frame["e"] for frame in still.wire.frames] == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]


def test_a_listen_key_can_expire() -> None:
    still = faulty("listen_key_expired", kind="TRADE_LITE")
    key = still.venue.private.create_key()
    still.market()
    assert [frame["e"] for frame in still.wire.frames] == ["TRADE_LITE", "listenKeyExpired"]
    assert still.wire.frames[-1]["listenKey"] == key
    assert still.code("PUT /fapi/v1/listenKey") == -1125
    with pytest.raises(VenueError, match="-1125"):
        still.venue.connect("/private/ws", f"listenKey={key}", Wire())
    assert still.ok("POST /fapi/v1/listenKey")["listenKey"] != key


def test_a_listen_key_lives_60_minutes_unless_it_is_kept() -> None:
    still = StillVenue()
    key = still.ok("POST /fapi/v1/listenKey")["listenKey"]
    still.clock.run(3000)
    assert still.ok("PUT /fapi/v1/listenKey")["listenKey"] == key
    still.clock.run(3000)
    assert still.ok("POST /fapi/v1/listenKey")["listenKey"] == key
    still.clock.run(3601)
    assert still.wire.frames[-1]["e"] == "listenKeyExpired"
    assert still.code("DELETE /fapi/v1/listenKey") == -1125


def test_a_deleted_listen_key_closes_its_stream() -> None:
    still = StillVenue()
    still.ok("DELETE /fapi/v1/listenKey")
    assert still.wire.closed == (1000, "listenKey closed")


def test_a_private_stream_can_be_limited_to_some_events_and_wrapped() -> None:
    still = StillVenue()
    some, wrapped = Wire(), Wire()
    still.listen(some, "&events=ORDER_TRADE_UPDATE/ALGO_UPDATE")
    key = still.venue.private.create_key()
    still.venue.connect("/private/stream", f"listenKey={key}", wrapped)
    still.market()
    assert [frame["e"] for frame in some.frames] == ["ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE"]
    assert [frame["stream"] for frame in wrapped.frames] == [key] * 4
    assert wrapped.frames[0]["data"]["e"] == "TRADE_LITE"


@pytest.mark.parametrize(("replace", "readable"), [(False, 4), (True, 3)])
def test_a_private_frame_can_be_garbled(replace: bool, readable: bool) -> None:
    still = faulty("garbled_private_frame", kind="ACCOUNT_UPDATE", replace=replace)
    still.market()

    def reads(data: bytes) -> bool:
        try:
            orjson.loads(data)
        except orjson.JSONDecodeError:
            return False
        return True

    assert [reads(data) for data in still.wire.raw].count(True) == readable
    assert [reads(data) for data in still.wire.raw].count(False) == 1


def test_the_next_order_of_a_role_can_be_refused() -> None:
    still = faulty("reject_next", code=-2010, msg="No.", role="sl")
    still.market(newClientOrderId="capi_entry_1")
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    stop |= {"triggerPrice": "59000", "closePosition": "true", "clientAlgoId": "capi_sl_1"}
    status, body = still.call("POST /fapi/v1/algoOrder", **stop)
    assert (status, body) == (400, {"code": -2010, "msg": "No."})
    still.ok("POST /fapi/v1/algoOrder", **stop)


@pytest.mark.parametrize(("name", "status"), [("http_429", 429), ("http_418", 418)])
def test_the_venue_can_ask_for_a_pause(name: str, status: int) -> None:
    still = faulty(name, retry_after=7)
    (reply,) = still.send(PLACE, **MARKET)
    assert reply is not None
    assert (reply.status, reply.headers["Retry-After"]) == (status, "7")
    body = orjson.loads(reply.body)
    assert body["code"] == -1003
    until_ms = still.clock.now_ns() // 1_000_000 + 7000
    assert (f"banned until {until_ms}." in body["msg"]) is (status == 418)
    assert still.held == 0
    session_wire = Wire()
    still.venue.faults.order(name, 1, {"retry_after": 7})
    still.venue.connect("/ws-fapi/v1", "", session_wire).receive(ws_request(still, "order.place", **MARKET))
    (answer,) = session_wire.frames
    assert (answer["status"], answer["error"]["data"]["retryAfter"]) == (status, until_ms)


def test_limits_are_counted_and_enforced_when_asked() -> None:
    still = StillVenue(enforce_rate_limits=True)
    still.clock.run(60 - still.clock.now_ns() // 1_000_000_000 % 60)
    for number in range(300):
        (reply,) = still.send(
            PLACE, **LIMIT | {"quantity": "0.001", "symbol": "BTCUSDT"}, newClientOrderId=f"o{number}"
        )
        assert reply is not None
        if number == 200:  # 200 open orders: refused, but counted
            assert reply.status == 400
    assert reply.headers["X-MBX-ORDER-COUNT-10S"] == "300"
    (reply,) = still.send(PLACE, **MARKET)
    assert reply is not None
    assert reply.status == 429
    still.clock.run(60)
    still.ok(PLACE, **MARKET)
    (reply,) = still.send("GET /fapi/v1/openOrders")
    assert reply is not None
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "40"


def test_faults_strike_only_where_they_are_aimed_and_as_often_as_ordered() -> None:
    still = faulty("http_503_failed", 2, kind="entry")
    still.call("GET /fapi/v1/openOrders")
    statuses = [still.call(PLACE, **MARKET)[0] for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert struck(still) == ["http_503_failed"] * 2
    assert still.log("fault")[0]["detail"] == {"kind": "entry", "symbol": "BTCUSDT"}


def test_an_unknown_fault_is_refused_by_name() -> None:
    still = StillVenue()
    with pytest.raises(ValueError, match="unknown fault 'bad_mood'"):
        still.venue.faults.order("bad_mood", 1, {})
    with pytest.raises(ValueError, match="count"):
        still.venue.faults.order("drop_depth", 0, {})


def test_profiles_draw_by_seed() -> None:
    def strikes(seed: int) -> list[str]:
        lines: list[str] = []
        faults = Faults("rough", random.Random(seed), lambda _, line: lines.append(line["name"]))
        for _ in range(5000):
            for name in sorted(NAMES - {"listing_lag_ms"}):
                faults.draw(name, kind="entry")
        return lines

    assert strikes(1) == strikes(1) != strikes(2)
    assert set(strikes(1)) - {"listing_lag_ms"} == PROFILES["rough"].keys()


def test_the_default_profile_never_loses_or_sticks_a_stop() -> None:
    assert not {"algo_ack_lost", "algo_stuck_triggering", "http_418"} & PROFILES["default"].keys()
    assert PROFILES["none"] == {}

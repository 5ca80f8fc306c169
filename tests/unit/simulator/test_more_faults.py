"""Faults of streams and requests, the venue's own hand, and the quirks that change what an id or a size means."""

from decimal import Decimal
from typing import Any

import pytest
from still_venue import StillVenue, Wire

from execactor.simulator.config import Quirks
from execactor.simulator.errors import VenueError

PLACE = "POST /fapi/v1/order"
CANCEL_ALGO = "DELETE /fapi/v1/algoOrder"


def kinds(wire: Wire) -> list[str]:
    return [frame["e"] for frame in wire.frames]


def test_events_of_two_types_can_change_places() -> None:
    still = StillVenue()
    still.venue.faults.order("swap_events", 1, {"kind": "ACCOUNT_UPDATE"})
    still.market()
    usual = StillVenue()
    usual.market()
    assert kinds(usual.wire) == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert kinds(still.wire) == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
    assert [order["o"]["X"] for order in still.wire.events("ORDER_TRADE_UPDATE")] == ["NEW", "FILLED"]


def test_events_of_one_type_never_change_places() -> None:
    still = StillVenue()
    still.venue.faults.order("swap_events", 100, {})
    for _ in range(5):
        still.market(quantity="0.010")
    orders = still.wire.events("ORDER_TRADE_UPDATE")
    assert [order["o"]["X"] for order in orders] == ["NEW", "FILLED"] * 5
    assert len(still.log("fault")) >= 5


def test_a_request_can_arrive_twice_and_only_one_answer_comes_back() -> None:
    still = StillVenue()
    still.market()
    still.venue.faults.order("duplicate_request", 1, {"role": "sl"})
    replies = still.send(
        "POST /fapi/v1/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP_MARKET",
        triggerPrice="59000", closePosition="true", clientAlgoId="capi_sl_x",
    )  # fmt: skip
    assert [reply.status for reply in replies if reply is not None] == [200]
    answers = [line["body"].get("code") for line in still.log("response")[-2:]]
    assert answers == [None, -4116]
    assert len(still.exchange.conditional.algos.open()) == 1


def test_the_request_of_an_entry_or_an_exit_never_arrives_twice() -> None:
    still = StillVenue()
    still.venue.faults.order("duplicate_request", 5, {})
    still.market()
    assert still.held == Decimal("0.1")
    still.market("SELL", quantity="0.040", reduceOnly="true")
    assert still.held == Decimal("0.06")
    assert still.log("fault") == []


def test_a_silent_private_stream_stands_and_tells_nothing_while_a_new_one_tells() -> None:
    still = StillVenue()
    still.venue.private.fall_silent()
    still.market(quantity="0.010")
    assert still.wire.raw == []
    assert still.wire.closed is None
    other = Wire()
    still.listen(other)
    still.market(quantity="0.010")
    assert still.wire.raw == []
    assert len(other.frames) == 4
    still.venue.private.speak()
    still.market(quantity="0.010")
    assert len(still.wire.frames) == 4


def test_a_silent_market_stream_leaves_the_others_alone() -> None:
    still = StillVenue(volatility_bps=8.0)
    book, marks = Wire(), Wire()
    still.venue.connect("/public/ws/btcusdt@depth@100ms", "", book)
    still.venue.connect("/market/ws/btcusdt@markPrice@1s", "", marks)
    still.clock.run(2)
    still.venue.streams.fall_silent("market")
    told = len(book.raw), len(marks.raw)
    still.clock.run(3)
    assert len(book.raw) > told[0]
    assert len(marks.raw) == told[1]
    still.venue.streams.speak()
    still.clock.run(2)
    assert len(marks.raw) > told[1]


def test_a_venue_that_is_down_carries_nothing_out() -> None:
    still = StillVenue()
    still.venue.context.down = True
    assert still.call(PLACE, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.1")[0] == 503
    assert still.held == 0
    with pytest.raises(VenueError, match="Service Unavailable"):
        still.venue.connect("/public/ws/btcusdt@depth", "", Wire())
    still.venue.context.down = False
    still.market()
    assert still.held == Decimal("0.1")


@pytest.mark.parametrize(
    ("name", "lots", "held", "resting"),
    [
        pytest.param("autoclose-17", 100, "0", 0, id="a liquidation ends the orders too"),
        pytest.param("adl_autoclose", 40, "0.060", 1, id="deleveraging takes a part"),
    ],
)
def test_the_venue_closes_by_force(name: str, lots: int, held: str, resting: int) -> None:
    still = StillVenue()
    still.market()
    still.limit()
    still.exchange.close_by_force("BTCUSDT", lots, name)
    still.venue.pulse.after("BTCUSDT")
    assert still.held == Decimal(held)
    assert len(still.exchange.orders.open()) == resting
    forced = still.wire.events("ORDER_TRADE_UPDATE")[-1]["o"]
    assert (forced["c"], forced["ot"], forced["S"]) == (name, "LIQUIDATION", "SELL")
    assert still.log("fill")[-1]["client_id"] == name


def test_there_is_nothing_to_close_by_force_without_a_position() -> None:
    with pytest.raises(VenueError, match="-2022"):
        StillVenue().exchange.close_by_force("BTCUSDT", 1, "adl_autoclose")


@pytest.mark.parametrize(("keeps", "same"), [(True, True), (False, False)])
def test_a_triggered_order_may_go_by_a_name_of_the_venues(keeps: bool, same: bool) -> None:
    still = StillVenue(quirks=Quirks(triggered_order_keeps_client_id=keeps))
    still.market()
    still.stop("59900", clientAlgoId="capi_sl_x")
    still.move("59800")
    fill = still.log("fill")[-1]
    assert still.held == 0
    assert (fill["client_id"] == "capi_sl_x") is same
    assert still.wire.events("ALGO_UPDATE")[-1]["o"]["ai"] == str(fill["order_id"])


def test_a_new_conditional_order_may_not_be_found_for_40_s() -> None:
    still = StillVenue(quirks=Quirks(conditional_orders_listed_late=True))
    still.market()
    still.stop("59000", clientAlgoId="capi_sl_x")
    assert [event["o"]["X"] for event in still.wire.events("ALGO_UPDATE")] == ["NEW"]

    def listed() -> list[Any]:
        return still.ok("GET /fapi/v1/openAlgoOrders", symbol="BTCUSDT")

    assert listed() == []
    assert still.code("GET /fapi/v1/algoOrder", clientAlgoId="capi_sl_x") == -2013
    still.clock.run(39)
    assert listed() == []
    still.clock.run(2)
    assert [algo["clientAlgoId"] for algo in listed()] == ["capi_sl_x"]
    assert still.ok("GET /fapi/v1/algoOrder", clientAlgoId="capi_sl_x")["algoStatus"] == "NEW"


def test_a_conditional_order_that_is_not_listed_can_be_cancelled() -> None:
    still = StillVenue(quirks=Quirks(conditional_orders_listed_late=True))
    still.market()
    still.stop("59000", clientAlgoId="capi_sl_x")
    assert still.ok(CANCEL_ALGO, clientAlgoId="capi_sl_x")["msg"] == "success"


@pytest.mark.parametrize("shared", [False, True])
def test_orders_and_conditional_orders_may_share_their_names(shared: bool) -> None:
    still = StillVenue(quirks=Quirks(one_namespace_of_client_ids=shared))
    still.market()
    still.limit(newClientOrderId="a")
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    status, body = still.call(
        "POST /fapi/v1/algoOrder", **stop, triggerPrice="59000", closePosition="true", clientAlgoId="a"
    )
    assert (status, body.get("code")) == ((400, -4116) if shared else (200, None))
    still.stop("58000", quantity="0.01", clientAlgoId="b")
    status, body = still.call(
        PLACE, symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="58000",
        newClientOrderId="b",
    )  # fmt: skip
    assert (status, body.get("code")) == ((400, -4116) if shared else (200, None))


@pytest.mark.parametrize("cut", [False, True])
def test_a_reduce_only_order_for_more_than_the_position_is_cut_or_refused(cut: bool) -> None:
    still = StillVenue(quirks=Quirks(reduce_only_is_cut=cut))
    still.market()
    status, body = still.call(PLACE, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.2", reduceOnly="true")
    assert (status, body.get("code")) == ((200, None) if cut else (400, -2022))
    assert still.held == (0 if cut else Decimal("0.1"))

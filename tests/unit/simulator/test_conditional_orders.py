"""Conditional orders: when they trigger, what they become, and how they end."""

from decimal import Decimal
from typing import Any

import pytest
from still_venue import WHOLE, StillVenue

from execactor.simulator import Quirks

ALGO = "POST /fapi/v1/algoOrder"


def statuses(still: StillVenue) -> list[str]:
    return [frame["o"]["X"] for frame in still.wire.events("ALGO_UPDATE")]


def test_a_stop_becomes_a_market_order_with_its_own_id_and_the_stops_client_id() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    placed = still.stop("59900", clientAlgoId="capi_sl_1")
    still.wire.raw.clear()
    still.move("59800")

    words = [(f["e"], f["o"]["X"] if "o" in f else "") for f in still.wire.frames]
    assert words == [
        ("ALGO_UPDATE", "TRIGGERING"),
        ("ALGO_UPDATE", "TRIGGERED"),
        ("TRADE_LITE", ""),
        ("ORDER_TRADE_UPDATE", "NEW"),
        ("ACCOUNT_UPDATE", ""),
        ("ORDER_TRADE_UPDATE", "FILLED"),
        ("ALGO_UPDATE", "FINISHED"),
    ]
    order = still.wire.events("ORDER_TRADE_UPDATE")[1]["o"]
    assert (order["c"], order["o"], order["R"], order["cp"], order["q"]) == ("capi_sl_1", "MARKET", True, True, "0.100")
    finished = still.wire.events("ALGO_UPDATE")[-1]["o"]
    assert (finished["ai"], finished["aq"]) == (str(order["i"]), "0.100")
    assert int(finished["ai"]) != placed["algoId"]
    query = still.ok("GET /fapi/v1/algoOrder", clientAlgoId="capi_sl_1")
    assert (query["algoStatus"], query["actualOrderId"], query["actualQty"]) == ("FINISHED", str(order["i"]), "0.100")
    assert still.held == 0


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "to", "triggers"),
    [
        pytest.param("STOP_MARKET", "SELL", "59900", "59890", True, id="a sell stop triggers at or below its price"),
        pytest.param("STOP_MARKET", "SELL", "59900", "59950", False, id="a sell stop waits above its price"),
        pytest.param("STOP_MARKET", "BUY", "60100", "60110", True, id="a buy stop triggers at or above its price"),
        pytest.param("TAKE_PROFIT_MARKET", "SELL", "60100", "60110", True, id="a sell take-profit triggers above"),
        pytest.param("TAKE_PROFIT_MARKET", "SELL", "60100", "60050", False, id="a sell take-profit waits below"),
        pytest.param("TAKE_PROFIT_MARKET", "BUY", "59900", "59890", True, id="a buy take-profit triggers below"),
    ],
)
def test_when_it_triggers(kind: str, side: str, trigger: str, to: str, triggers: bool) -> None:
    still = StillVenue()
    still.market("BUY" if side == "SELL" else "SELL", "0.100")
    still.stop(trigger, side, type=kind, quantity="0.1", reduceOnly="true")
    still.move(to)
    assert (still.held == 0) is triggers


def test_the_working_type_says_which_price_counts() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop("59990", quantity="0.05", reduceOnly="true", workingType="MARK_PRICE")
    still.stop("59991", quantity="0.05", reduceOnly="true", workingType="CONTRACT_PRICE")
    market = still.generated()
    bids = market.levels(1, 1000)
    reach = sum(lots for ticks, lots in bids if ticks > 599_900)
    market.take(-1, reach + 1, None)
    assert market.last <= 59990 < market.mark
    still.exchange.settle("BTCUSDT")
    assert still.held == Decimal("0.050")


def test_an_order_of_the_account_can_trigger_a_stop_on_the_last_price() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop("59999", quantity="0.05", reduceOnly="true", workingType="CONTRACT_PRICE")
    bids = sum(lots for ticks, lots in still.generated().levels(1, 1000) if ticks > 599_990)
    still.market("SELL", str(Decimal(bids + 1) / 1000))
    assert statuses(still) == ["NEW", "TRIGGERING", "REJECTED"]


def test_a_reduce_only_stop_without_its_position_is_rejected_at_the_trigger() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop("59900", quantity="0.1", reduceOnly="true", clientAlgoId="late")
    still.market("SELL", "0.100")
    still.move("59800")
    assert statuses(still) == ["NEW", "TRIGGERING", "REJECTED"]
    assert still.wire.events("ALGO_UPDATE")[-1]["o"]["rm"] == "Reduce Only reject"
    assert still.held == 0


def test_a_close_position_stop_without_its_position_expires_at_the_trigger() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop("59900")
    still.market("SELL", "0.100")
    assert statuses(still) == ["NEW"]
    still.move("59800")
    assert statuses(still) == ["NEW", "TRIGGERING", "EXPIRED"]


def test_a_stop_closes_what_is_left_of_the_position() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop("59900", quantity="0.1", reduceOnly="true")
    still.market("SELL", "0.060")
    still.move("59800")
    assert still.held == 0
    assert still.wire.events("ALGO_UPDATE")[-1]["o"]["aq"] == "0.040"


@pytest.mark.parametrize(
    ("quirks", "more"),
    [
        pytest.param(Quirks(close_position_expires_when_flat=True), WHOLE, id="closePosition with the quirk"),
        pytest.param(Quirks(), WHOLE | {"timeInForce": "GTE_GTC"}, id="GTE_GTC"),
    ],
)
def test_a_stop_may_live_only_as_long_as_the_position(quirks: Quirks, more: dict[str, Any]) -> None:
    still = StillVenue(quirks=quirks)
    still.market(quantity="0.100")
    still.stop("59900", **more)
    still.market("SELL", "0.100")
    assert statuses(still) == ["NEW", "EXPIRED"]
    assert still.exchange.conditional.algos.open() == []


def test_an_opening_stop_beyond_the_margin_is_rejected_at_the_trigger() -> None:
    still = StillVenue(wallet=Decimal(1000))
    still.stop("60100", "BUY", quantity="5")
    still.move("60200")
    assert statuses(still) == ["NEW", "TRIGGERING", "REJECTED"]
    assert still.wire.events("ALGO_UPDATE")[-1]["o"]["rm"] == "Margin is insufficient."


def test_a_cancelled_stop_answers_a_code_that_is_text() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    algo = still.stop(clientAlgoId="sl")
    answer = still.ok("DELETE /fapi/v1/algoOrder", algoId=algo["algoId"])
    assert answer == {"algoId": algo["algoId"], "clientAlgoId": "sl", "code": "200", "msg": "success"}
    assert statuses(still) == ["NEW", "CANCELED"]
    assert still.code("DELETE /fapi/v1/algoOrder", algoId=algo["algoId"]) == -2011


def test_conditional_orders_are_seen_by_their_own_listings_only() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop(clientAlgoId="sl")
    assert still.ok("GET /fapi/v1/openOrders") == []
    assert [algo["clientAlgoId"] for algo in still.ok("GET /fapi/v1/openAlgoOrders")] == ["sl"]
    assert still.code("GET /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="sl") == -2013
    still.ok("DELETE /fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert len(still.exchange.conditional.algos.open()) == 1
    still.ok("DELETE /fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    assert still.ok("GET /fapi/v1/openAlgoOrders", symbol="BTCUSDT") == []
    assert [algo["algoStatus"] for algo in still.ok("GET /fapi/v1/allAlgoOrders", symbol="BTCUSDT")] == ["CANCELED"]


def test_a_placed_stop_answers_in_the_shape_of_2026() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    answer = still.ok(
        ALGO,
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        triggerPrice="59000",
        quantity="0.1",
        reduceOnly="true",
    )
    assert "orderId" not in answer
    assert (answer["orderType"], answer["algoStatus"], answer["workingType"]) == (
        "STOP_MARKET",
        "NEW",
        "CONTRACT_PRICE",
    )
    assert (answer["quantity"], answer["triggerPrice"], answer["reduceOnly"]) == ("0.100", "59000.00", True)

"""Regular orders: matching, what is answered, what is announced, and in which order."""

from decimal import Decimal
from typing import Any

import pytest
from still_venue import StillVenue

from execactor.simulator import Quirks

CANCEL, QUERY = "DELETE /fapi/v1/order", "GET /fapi/v1/order"


def story(frames: list[Any]) -> list[str]:
    """The private events as short words."""
    words = []
    for frame in frames:
        body = frame.get("o", {})
        words.append({"ORDER_TRADE_UPDATE": f"{body.get('x')}/{body.get('X')}"}.get(frame["e"], frame["e"]))
    return words


def test_a_market_order_tells_its_story_in_the_recorded_order() -> None:
    still = StillVenue()
    still.market(quantity="0.010", newClientOrderId="m")
    assert story(still.wire.frames) == ["TRADE_LITE", "NEW/NEW", "ACCOUNT_UPDATE", "TRADE/FILLED"]


def test_an_order_over_several_levels_announces_each_execution_after_its_account_update() -> None:
    still = StillVenue()
    depth = still.generated().levels(-1, 2)
    quantity = Decimal(depth[0][1] + 1) / 1000
    still.market(quantity=str(quantity))
    assert story(still.wire.frames) == [
        "TRADE_LITE",
        "TRADE_LITE",
        "NEW/NEW",
        "ACCOUNT_UPDATE",
        "TRADE/PARTIALLY_FILLED",
        "ACCOUNT_UPDATE",
        "TRADE/FILLED",
    ]
    trades = [frame["o"] for frame in still.wire.events("ORDER_TRADE_UPDATE")][1:]
    assert [trade["L"] for trade in trades] == [f"{ticks / 10:.2f}" for ticks, _ in depth]
    assert trades[1]["z"] == str(quantity)
    notional = sum(Decimal(trade["l"]) * Decimal(trade["L"]) for trade in trades)
    assert trades[1]["ap"] == f"{notional / quantity:.5f}"


def test_an_answer_is_an_acknowledgement_unless_the_result_is_asked_for() -> None:
    still = StillVenue()
    acknowledged = still.market(quantity="0.010")
    result = still.market(quantity="0.010", newOrderRespType="RESULT")
    assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0.000")
    assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
    assert "avgPrice" not in result
    assert "cumQuote" not in result


def test_a_query_shows_the_average_price_and_the_quote() -> None:
    still = StillVenue()
    still.market(quantity="0.010", newClientOrderId="m")
    order = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="m")
    assert (order["status"], order["avgPrice"], order["cumQuote"]) == ("FILLED", "60000.10000", "600.00100")


def test_a_limit_order_rests_and_fills_at_its_own_price_when_the_market_comes() -> None:
    still = StillVenue()
    still.limit(quantity="0.500", price="59990", newClientOrderId="waits")
    still.move("59980")
    order = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="waits")
    assert (order["status"], order["avgPrice"]) == ("FILLED", "59990.00000")
    trade = still.wire.events("ORDER_TRADE_UPDATE")[-1]["o"]
    assert (trade["m"], trade["n"]) == (True, "5.99900000")


def test_a_resting_order_queues_behind_what_was_there_first() -> None:
    still = StillVenue()
    market = still.generated()
    (best, ahead), *_ = market.levels(1, 1)
    still.limit(quantity="0.100", price=f"{best / 10:.1f}", newClientOrderId="waits")
    market.take(-1, ahead, None)
    still.exchange.settle("BTCUSDT")
    assert still.held == 0
    market.take(-1, 60, None)
    still.exchange.settle("BTCUSDT")
    assert still.held == Decimal("0.060")
    assert still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="waits")["status"] == "PARTIALLY_FILLED"


@pytest.mark.parametrize(
    ("more", "status", "reason"),
    [
        pytest.param({"timeInForce": "IOC", "price": "60000.1"}, "EXPIRED", "2", id="the rest of an IOC expires"),
        pytest.param({"timeInForce": "GTC", "price": "60000.1"}, "PARTIALLY_FILLED", "0", id="the rest of a GTC rests"),
    ],
)
def test_what_becomes_of_the_rest(more: dict[str, str], status: str, reason: str) -> None:
    still = StillVenue()
    (_, offered), *_ = still.generated().levels(-1, 1)
    still.limit(quantity=f"{Decimal(offered + 500) / 1000}", newClientOrderId="x", **more)
    order = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="x")
    assert order["status"] == status
    assert order["executedQty"] == str(Decimal(offered) / 1000)
    assert still.wire.events("ORDER_TRADE_UPDATE")[-1]["o"]["er"] == reason


def test_the_rest_of_a_market_order_expires_when_the_book_is_empty() -> None:
    still = StillVenue(wallet=Decimal(10_000_000))
    book = sum(lots for _, lots in still.generated().levels(-1, 1000))
    still.market(quantity=str(Decimal(book + 1) / 1000), newClientOrderId="big")
    order = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="big")
    assert (order["status"], order["executedQty"]) == ("EXPIRED", str(Decimal(book) / 1000))
    assert still.wire.events("ORDER_TRADE_UPDATE")[-1]["o"]["er"] == "9"


def test_a_fill_or_kill_fills_at_once_or_never_was() -> None:
    still = StillVenue()
    order = still.limit(timeInForce="FOK", price="60010", newOrderRespType="RESULT")
    assert order["status"] == "FILLED"


def test_a_post_only_order_rests() -> None:
    still = StillVenue()
    assert still.limit(timeInForce="GTX", price="59999", newOrderRespType="RESULT")["status"] == "NEW"


def test_a_cancelled_order_keeps_what_it_had_executed() -> None:
    still = StillVenue()
    order = still.limit(quantity="0.500", price="59990")
    still.exchange.fill_resting(still.exchange.orders.open()[0], 200)
    cancelled = still.ok(CANCEL, symbol="BTCUSDT", orderId=order["orderId"])
    assert (cancelled["status"], cancelled["executedQty"]) == ("CANCELED", "0.200")
    assert "avgPrice" not in cancelled
    assert still.exchange.orders.open() == []
    assert still.generated().remove(order["orderId"]) == 0


def test_an_account_never_trades_with_itself() -> None:
    still = StillVenue()
    still.limit("SELL", price="60000.1", newClientOrderId="mine")
    (_, offered), *_ = still.generated().levels(-1, 1)
    still.limit(quantity=str(Decimal(offered) / 1000), price="60000.1", timeInForce="IOC")
    mine = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="mine")
    assert (mine["status"], mine["executedQty"]) == ("EXPIRED_IN_MATCH", "0.000")
    assert all(not line["maker"] for line in still.log("fill"))


def test_self_trade_prevention_reaches_as_far_as_the_taker_then_goes() -> None:
    still = StillVenue()
    levels = still.generated().levels(-1, 3)
    for number, (ticks, _) in enumerate(levels):
        still.limit("SELL", "0.100", f"{ticks / 10:.1f}", newClientOrderId=f"mine{number}")
    quantity = Decimal(levels[0][1] + levels[1][1] + 50) / 1000
    still.market(quantity=str(quantity))
    assert all(not line["maker"] for line in still.log("fill"))
    assert still.held == quantity
    assert still.exchange.orders.open() == []


def test_a_reduce_only_order_is_cut_to_the_position() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    order = still.market("SELL", "0.300", reduceOnly="true", newOrderRespType="RESULT")
    assert (order["origQty"], order["status"]) == ("0.100", "FILLED")
    assert still.held == 0


def test_a_resting_reduce_only_order_never_turns_the_position() -> None:
    still = StillVenue()
    still.market(quantity="0.300")
    still.limit("SELL", "0.200", "60100", reduceOnly="true", newClientOrderId="tp1")
    still.limit("SELL", "0.200", "60200", reduceOnly="true", newClientOrderId="tp2")
    still.market("SELL", "0.050")
    left = [order.client_id for order in still.exchange.orders.open()]
    assert left == ["tp1"]
    expired = next(
        e["o"] for e in still.wire.events("ORDER_TRADE_UPDATE") if e["o"]["c"] == "tp2" and e["o"]["x"] != "NEW"
    )
    assert (expired["x"], expired["er"]) == ("EXPIRED", "4")
    still.move("60300")
    assert still.held == Decimal("0.050")


def test_two_reduce_only_orders_hit_at_once_never_turn_the_position() -> None:
    still = StillVenue(quirks=Quirks(full_reduce_only_limit_blocks=False))
    still.market(quantity="0.100")
    still.limit("SELL", "0.100", "60100", reduceOnly="true", newClientOrderId="tp1")
    still.limit("SELL", "0.100", "60200", reduceOnly="true", newClientOrderId="tp2")
    still.move("60500")
    assert still.held == 0
    assert still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="tp2")["status"] == "EXPIRED"


def test_a_closing_order_in_parts_expires_when_another_hand_closes_first() -> None:
    still = StillVenue()
    still.market(quantity="0.100")
    still.venue.faults.order("partial_fills", 1, {"parts": 2, "gap_ms": 10, "role": "exit"})
    still.market("SELL", "0.100", reduceOnly="true", newClientOrderId="capi_exit_1")
    still.market("SELL", str(still.held), newClientOrderId="manual")
    still.clock.run(1)
    assert still.held == 0
    order = still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="capi_exit_1")
    assert order["status"] == "EXPIRED"
    assert 0 < Decimal(order["executedQty"]) < Decimal("0.1")


def test_listings_show_open_orders_only_and_history_shows_all() -> None:
    still = StillVenue()
    first = still.limit(newClientOrderId="a")
    still.market(quantity="0.010", newClientOrderId="b")
    still.limit(symbol="ETHUSDT", quantity="1", price="2900", newClientOrderId="c")
    assert [order["clientOrderId"] for order in still.ok("GET /fapi/v1/openOrders")] == ["a", "c"]
    assert [order["clientOrderId"] for order in still.ok("GET /fapi/v1/openOrders", symbol="BTCUSDT")] == ["a"]
    assert [order["clientOrderId"] for order in still.ok("GET /fapi/v1/allOrders")] == ["a", "b", "c"]
    later = still.ok("GET /fapi/v1/allOrders", symbol="BTCUSDT", orderId=first["orderId"] + 1)
    assert [order["clientOrderId"] for order in later] == ["b"]


def test_cancel_all_cancels_one_symbol() -> None:
    still = StillVenue()
    still.limit(newClientOrderId="a")
    still.limit(symbol="ETHUSDT", quantity="1", price="2900", newClientOrderId="c")
    assert still.ok("DELETE /fapi/v1/allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert [order.client_id for order in still.exchange.orders.open()] == ["c"]


def test_the_dead_mans_switch_cancels_when_it_is_not_wound_again() -> None:
    still = StillVenue()
    still.limit(newClientOrderId="a")
    countdown = {"symbol": "BTCUSDT", "countdownTime": 10_000}
    assert still.ok("POST /fapi/v1/countdownCancelAll", **countdown) == {"symbol": "BTCUSDT", "countdownTime": "10000"}
    still.clock.run(9)
    still.ok("POST /fapi/v1/countdownCancelAll", **countdown)
    still.clock.run(9)
    assert len(still.exchange.orders.open()) == 1
    still.clock.run(2)
    assert still.exchange.orders.open() == []
    still.limit(newClientOrderId="b")
    still.ok("POST /fapi/v1/countdownCancelAll", **countdown)
    still.ok("POST /fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    still.clock.run(20)
    assert len(still.exchange.orders.open()) == 1


def test_trades_are_listed_by_id_order_and_time() -> None:
    still = StillVenue()
    for number in range(3):
        still.market(quantity="0.010", newClientOrderId=f"m{number}")
        still.clock.run(1)
    trades = still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT")
    ids = [trade["id"] for trade in trades]
    assert len(ids) == 3
    assert ids == sorted(ids)
    assert [t["id"] for t in still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT", fromId=ids[1])] == ids[1:]
    assert [t["id"] for t in still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT", limit=1)] == ids[2:]
    by_order = still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT", orderId=trades[0]["orderId"])
    assert [t["id"] for t in by_order] == ids[:1]
    later = still.ok("GET /fapi/v1/userTrades", symbol="BTCUSDT", startTime=trades[1]["time"])
    assert [t["id"] for t in later] == ids[1:]
    assert still.ok("GET /fapi/v1/userTrades", symbol="ETHUSDT") == []
    assert still.code("GET /fapi/v1/userTrades", symbol="BTCUSDT", fromId=1, startTime=1) == -1106


def test_leverage_and_margin_type_are_settings_of_a_symbol() -> None:
    still = StillVenue()
    assert still.ok("POST /fapi/v1/leverage", symbol="BTCUSDT", leverage=10)["leverage"] == 10
    still.ok("POST /fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    (config,) = still.ok("GET /fapi/v1/symbolConfig", symbol="BTCUSDT")
    assert (config["leverage"], config["marginType"]) == (10, "ISOLATED")
    assert still.wire.events("ACCOUNT_CONFIG_UPDATE")[0]["ac"] == {"s": "BTCUSDT", "l": 10}
    still.market(quantity="0.100")
    (position,) = still.ok("GET /fapi/v2/positionRisk", symbol="BTCUSDT")
    assert (position["marginType"], position["leverage"], position["isolatedWallet"]) == ("isolated", "10", "600.001")
    assert 53000 < Decimal(position["liquidationPrice"]) < 55000
    update = still.wire.events("ACCOUNT_UPDATE")[0]["a"]
    assert (update["P"][0]["mt"], update["P"][0]["iw"]) == ("isolated", "600.00100000")
    assert Decimal(update["B"][0]["wb"]) - Decimal(update["B"][0]["cw"]) == Decimal("600.001")


def test_margin_counts_the_worse_side_of_position_and_orders() -> None:
    still = StillVenue(wallet=Decimal(1000))
    still.limit(quantity="0.300", price="59000")
    assert (
        still.code(
            "POST /fapi/v1/order",
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.1",
            price="59000",
        )
        == -2019
    )
    still.limit("SELL", "0.300", "61000")
    (balance,) = still.ok("GET /fapi/v3/balance")
    assert Decimal(balance["availableBalance"]) == 1000 - Decimal("0.3") * 61000 / 20
    assert still.ok("GET /fapi/v3/account")["totalInitialMargin"] == "915.00000000"


def test_positions_are_listed_where_there_is_something() -> None:
    still = StillVenue()
    assert still.ok("GET /fapi/v3/positionRisk") == []
    assert len(still.ok("GET /fapi/v2/positionRisk")) == 3
    still.market("SELL", "0.100")
    (position,) = still.ok("GET /fapi/v3/positionRisk")
    assert (position["positionAmt"], position["entryPrice"]) == ("-0.100", "60000")
    assert still.ok("GET /fapi/v3/account")["positions"][0]["positionAmt"] == "-0.100"

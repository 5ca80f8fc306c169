"""Orders as the venue of 2026 wants them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_venue import entry, stop
from shared_data import document

from execactor.domain.order import OrderType, Role, Side, TimeInForce
from execactor.venues.binance_usdm.encode import cancel, place, plain
from execactor.venues.port import OrderRef

COMMON = {"selfTradePreventionMode": "EXPIRE_MAKER", "symbol": "BTCUSDT"}

ORDERS = [
    pytest.param(
        entry(),
        "order.place",
        "/fapi/v1/order",
        {
            "newClientOrderId": "capi_entry_k1",
            "newOrderRespType": "ACK",
            "side": "BUY",
            "type": "LIMIT",
            "quantity": "0.010",
            "price": "60000.0",
            "timeInForce": "GTC",
        },
        id="a resting entry",
    ),
    pytest.param(
        entry(time_in_force=TimeInForce.IOC, role=Role.EXIT, side=Side.SELL, reduce_only=True),
        "order.place",
        "/fapi/v1/order",
        {
            "newClientOrderId": "capi_entry_k1",
            "newOrderRespType": "RESULT",
            "side": "SELL",
            "type": "LIMIT",
            "quantity": "0.010",
            "price": "60000.0",
            "timeInForce": "IOC",
            "reduceOnly": "true",
        },
        id="an exit that does not rest",
    ),
    pytest.param(
        entry(type=OrderType.MARKET, price=None, role=Role.EXIT, side=Side.SELL, reduce_only=True),
        "order.place",
        "/fapi/v1/order",
        {
            "newClientOrderId": "capi_entry_k1",
            "newOrderRespType": "RESULT",
            "side": "SELL",
            "type": "MARKET",
            "quantity": "0.010",
            "reduceOnly": "true",
        },
        id="an exit at market",
    ),
    pytest.param(
        stop(),
        "algoOrder.place",
        "/fapi/v1/algoOrder",
        {
            "algoType": "CONDITIONAL",
            "clientAlgoId": "capi_sl_k1",
            "side": "SELL",
            "type": "STOP_MARKET",
            "triggerPrice": "59000.0",
            "workingType": "MARK_PRICE",
            "closePosition": "true",
        },
        id="the base stop closes whatever is open",
    ),
    pytest.param(
        stop(
            "capi_tp1_k1",
            role=Role.TAKE_PROFIT_1,
            type=OrderType.TAKE_PROFIT_MARKET,
            close_position=False,
            reduce_only=True,
            quantity=Decimal("0.005"),
            trigger_price=Decimal("61000.0"),
        ),
        "algoOrder.place",
        "/fapi/v1/algoOrder",
        {
            "algoType": "CONDITIONAL",
            "clientAlgoId": "capi_tp1_k1",
            "side": "SELL",
            "type": "TAKE_PROFIT_MARKET",
            "triggerPrice": "61000.0",
            "workingType": "MARK_PRICE",
            "quantity": "0.005",
            "reduceOnly": "true",
        },
        id="a take-profit reduces by a quantity",
    ),
]


@pytest.mark.parametrize(("intent", "method", "path", "params"), ORDERS)
def test_an_order_is_sent_as(intent: Any, method: str, path: str, params: dict[str, str]) -> None:
    call = place(intent)
    assert (call.ws_method, call.verb, call.path) == (method, "POST", path)
    assert call.params == COMMON | params


@pytest.mark.parametrize(
    ("order", "method", "path", "params"),
    [
        (
            OrderRef(symbol="BTCUSDT", client_id="c"),
            "order.cancel",
            "/fapi/v1/order",
            {"symbol": "BTCUSDT", "origClientOrderId": "c"},
        ),
        (
            OrderRef(symbol="BTCUSDT", client_id="c", conditional=True, venue_id="9"),
            "algoOrder.cancel",
            "/fapi/v1/algoOrder",
            {"clientAlgoId": "c"},
        ),
        (
            OrderRef(symbol="BTCUSDT", client_id="c", conditional=True, child=True, venue_id="9"),
            "order.cancel",
            "/fapi/v1/order",
            {"symbol": "BTCUSDT", "orderId": 9},
        ),
    ],
)
def test_a_cancel_is_sent_as(order: OrderRef, method: str, path: str, params: dict[str, Any]) -> None:
    call = cancel(order)
    assert (call.ws_method, call.verb, call.path, call.params) == (method, "DELETE", path, params)


def vectors() -> list[dict[str, Any]]:
    return [
        each for each in document("contract/ccxt_binance_request_vectors.json")["vectors"] if each["family"] == "usdm"
    ]


def test_the_recorded_limit_orders_of_ccxt_are_sent_with_the_same_parameters() -> None:
    """Those that the year 2026 still takes and that an OrderIntent can say: plain limit orders on /fapi/v1/order."""
    compared = 0
    for vector in vectors():
        params = dict(map(tuple, vector["params"]))
        if vector["path"] != "/fapi/v1/order" or vector["http"] != "POST" or params.get("timeInForce") != "GTC":
            continue
        if "priceMatch" in params:
            continue
        intent = entry(
            symbol=params["symbol"],
            side=Side(params["side"]),
            quantity=Decimal(params["quantity"]),
            price=Decimal(params["price"]),
        )
        sent = place(intent)
        # ccxt asks for the result of every order; a resting one is acknowledged faster without.
        differs = {"newOrderRespType", "newClientOrderId", "selfTradePreventionMode"}
        assert {k: v for k, v in sent.params.items() if k not in differs} == {
            k: v for k, v in params.items() if k not in differs
        }
        compared += 1
    assert compared == 4


def test_the_recorded_conditional_orders_of_ccxt_go_where_ours_go() -> None:
    recorded = [
        dict(map(tuple, each["params"]))
        for each in vectors()
        if each["path"] == "/fapi/v1/algoOrder" and each["http"] == "POST"
    ]
    assert recorded
    ours = place(stop())
    for params in recorded:
        assert params["algoType"] == ours.params["algoType"]
        assert "stopPrice" not in params
        assert {"symbol", "side", "type", "triggerPrice"} <= set(params) & set(ours.params)


def test_the_recorded_cancels_and_queries_by_client_id_name_the_order_as_ours_do() -> None:
    named = [each for each in vectors() if "WithClientOrderId" in each["method"]]
    assert len(named) == 2
    for vector in named:
        call = cancel(OrderRef(symbol="LTCUSDT", client_id="myid123"))
        assert call.path == vector["path"]
        assert call.params == dict(map(tuple, vector["params"]))


@given(st.decimals(min_value=Decimal("1e-8"), max_value=Decimal("1e12"), places=8))
def test_a_number_is_never_sent_with_an_exponent_and_never_changed(value: Decimal) -> None:
    for shown in (plain(value), plain(value.normalize())):
        assert "e" not in shown.lower()
        assert Decimal(shown) == value

"""Every refusal of the venue, by its code."""

import hashlib
import hmac
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from still_venue import StillVenue, Wire, symbol_with

import execactor.simulator
from execactor.simulator import Quirks, SimulatorConfig
from execactor.simulator.venue import RestReply

PLACE, CANCEL, QUERY = "POST /fapi/v1/order", "DELETE /fapi/v1/order", "GET /fapi/v1/order"
ALGO = "POST /fapi/v1/algoOrder"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "59000",
    "workingType": "MARK_PRICE",
}
WHOLE = {"closePosition": "true"}
PART = {"quantity": "0.1", "reduceOnly": "true"}


def without(params: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in params.items() if key != name}


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        pytest.param(PLACE, without(LIMIT, "quantity"), -1102, id="a limit order without a quantity"),
        pytest.param(PLACE, without(LIMIT, "price"), -1102, id="a limit order without a price"),
        pytest.param(PLACE, without(LIMIT, "timeInForce"), -1102, id="a limit order without a time in force"),
        pytest.param(PLACE, without(LIMIT, "symbol"), -1102, id="an order without a symbol"),
        pytest.param(PLACE, without(LIMIT, "side"), -1102, id="an order without a side"),
        pytest.param(PLACE, LIMIT | {"quantity": "much"}, -1102, id="a quantity that is no number"),
        pytest.param(PLACE, LIMIT | {"quantity": "NaN"}, -1102, id="a quantity that is not finite"),
        pytest.param(PLACE, MARKET | {"price": "59000"}, -1106, id="a market order with a price"),
        pytest.param(PLACE, LIMIT | {"closePosition": "true"}, -1106, id="closePosition on /order, removed in 2025-12"),
        pytest.param(PLACE, LIMIT | {"price": "59000.123"}, -1111, id="a price with too many places"),
        pytest.param(PLACE, LIMIT | {"quantity": "0.1001"}, -1111, id="a quantity with too many places"),
        pytest.param(PLACE, LIMIT | {"timeInForce": "GTD"}, -1115, id="a time in force that is not simulated"),
        pytest.param(PLACE, LIMIT | {"type": "ICEBERG"}, -1116, id="a type that does not exist"),
        pytest.param(PLACE, LIMIT | {"side": "LONG"}, -1117, id="a side that does not exist"),
        pytest.param(PLACE, LIMIT | {"symbol": "NOPEUSDT"}, -1121, id="a symbol that is not listed"),
        pytest.param(PLACE, LIMIT | {"reduceOnly": "yes"}, -1130, id="a flag that is neither true nor false"),
        pytest.param(PLACE, MARKET | {"quantity": "50"}, -2019, id="an order beyond the margin"),
        pytest.param(PLACE, MARKET | {"reduceOnly": "true"}, -2022, id="reduce-only without a position"),
        pytest.param(PLACE, LIMIT | {"price": "5000000"}, -4002, id="a price above the largest"),
        pytest.param(PLACE, LIMIT | {"quantity": "0"}, -4003, id="a quantity of zero"),
        pytest.param(PLACE, MARKET | {"quantity": "121"}, -4005, id="a market order above MARKET_LOT_SIZE"),
        pytest.param(PLACE, LIMIT | {"price": "1"}, -4013, id="a price below the smallest"),
        pytest.param(PLACE, LIMIT | {"price": "59000.05"}, -4014, id="a price between two ticks"),
        pytest.param(PLACE, LIMIT | {"newClientOrderId": "x" * 37}, -4015, id="a client id of 37 characters"),
        pytest.param(PLACE, LIMIT | {"newClientOrderId": "stop it"}, -4015, id="a client id with a space"),
        pytest.param(PLACE, LIMIT | {"newClientOrderId": ""}, -4015, id="an empty client id"),
        pytest.param(PLACE, LIMIT | {"price": "64000"}, -4016, id="a buy far above the mark"),
        pytest.param(PLACE, LIMIT | {"side": "SELL", "price": "56000"}, -4024, id="a sell far below the mark"),
        pytest.param(PLACE, LIMIT | {"positionSide": "LONG"}, -4061, id="a hedge-mode side in one-way mode"),
        pytest.param(PLACE, LIMIT | {"type": "STOP_MARKET"}, -4120, id="a stop on /order"),
        pytest.param(
            PLACE, LIMIT | {"quantity": "0.001", "price": "4000", "symbol": "ETHUSDT"}, -4016, id="price first"
        ),
        pytest.param(
            PLACE,
            LIMIT | {"quantity": "0.001", "price": "2900", "symbol": "ETHUSDT"},
            -4164,
            id="2.90 USDT of notional",
        ),
        pytest.param(PLACE, LIMIT | {"timeInForce": "GTX", "price": "60100"}, -5022, id="a post-only that would take"),
        pytest.param(
            PLACE,
            LIMIT | {"timeInForce": "FOK", "price": "60010", "quantity": "25"},
            -5021,
            id="a fill-or-kill larger than the book",
        ),
        pytest.param(CANCEL, {"symbol": "BTCUSDT", "orderId": 1}, -2011, id="cancelling what never was"),
        pytest.param(CANCEL, {"symbol": "BTCUSDT"}, -1102, id="cancelling nothing in particular"),
        pytest.param(QUERY, {"symbol": "BTCUSDT", "origClientOrderId": "no"}, -2013, id="asking for what never was"),
        pytest.param("GET /fapi/v1/openOrder", {"symbol": "BTCUSDT", "orderId": 1}, -2013, id="no such open order"),
        pytest.param("DELETE /fapi/v1/algoOrder", {"clientAlgoId": "no"}, -2011, id="cancelling an unknown stop"),
        pytest.param("GET /fapi/v1/algoOrder", {"algoId": 1}, -2013, id="asking for an unknown stop"),
        pytest.param(ALGO, STOP | WHOLE, -4509, id="a closePosition stop without a position"),
        pytest.param(ALGO, STOP | PART, -2022, id="a reduce-only stop without a position"),
        pytest.param(ALGO, STOP | {"quantity": "0.1", "triggerPrice": "61000"}, -2021, id="a stop beyond the mark"),
        pytest.param(ALGO, STOP | WHOLE | {"quantity": "0.1"}, -4137, id="closePosition with a quantity"),
        pytest.param(ALGO, STOP | WHOLE | {"reduceOnly": "true"}, -4137, id="closePosition with reduceOnly"),
        pytest.param(ALGO, STOP, -1102, id="a stop without quantity and closePosition"),
        pytest.param(ALGO, STOP | PART | {"triggerPrice": "59000.01"}, -4014, id="a trigger between two ticks"),
        pytest.param(ALGO, STOP | PART | {"clientAlgoId": "a b"}, -4015, id="a client id of a stop with a space"),
        pytest.param(ALGO, STOP | PART | {"type": "STOP"}, -1116, id="a stop-limit, which is not simulated"),
        pytest.param(ALGO, STOP | PART | {"algoType": "TWAP"}, -1130, id="another kind of algo"),
        pytest.param("PUT /fapi/v1/order", LIMIT, -1000, id="amending, which is not simulated"),
        pytest.param("GET /fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 7}, -4021, id="a depth limit of 7"),
        pytest.param("POST /fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 126}, -4028, id="leverage 126"),
        pytest.param(
            "POST /fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}, -4046, id="crossed already"
        ),
        pytest.param("POST /fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "BOTH"}, -4077, id="a third kind"),
        pytest.param("POST /fapi/v1/positionSide/dual", {"dualSidePosition": "false"}, -4059, id="one-way already"),
        pytest.param("POST /fapi/v1/positionSide/dual", {"dualSidePosition": "true"}, -4531, id="hedge mode"),
        pytest.param("PUT /fapi/v1/listenKey", {"listenKey": "no"}, -1125, id="an unknown listen key"),
        pytest.param("GET /fapi/v1/klines", {"symbol": "BTCUSDT"}, -5000, id="a path that is not served"),
    ],
)
def test_the_venue_refuses(call: str, params: dict[str, Any], code: int) -> None:
    still = StillVenue()
    before = still.venue.log.counts.get("order", 0)

    assert still.code(call, **params) == code

    assert still.venue.log.counts.get("order", 0) == before
    assert still.exchange.orders.open() == []
    assert still.exchange.conditional.algos.open() == []


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    still = StillVenue()
    first = still.limit(newClientOrderId="capi_entry_1")
    assert still.code(PLACE, **LIMIT, newClientOrderId="capi_entry_1") == -4116

    still.ok(CANCEL, symbol="BTCUSDT", origClientOrderId="capi_entry_1")
    second = still.limit(newClientOrderId="capi_entry_1")

    assert second["orderId"] > first["orderId"]
    assert still.ok(QUERY, symbol="BTCUSDT", origClientOrderId="capi_entry_1")["orderId"] == second["orderId"]


def test_a_filled_order_cannot_be_cancelled() -> None:
    still = StillVenue()
    order = still.market()
    assert still.code(CANCEL, symbol="BTCUSDT", orderId=order["orderId"]) == -2011


def test_a_resting_reduce_only_limit_for_the_whole_position_blocks_other_closes() -> None:
    still = StillVenue()
    still.market()
    still.limit("SELL", price="61000", reduceOnly="true", newClientOrderId="tp")
    close = {**MARKET, "side": "SELL", "reduceOnly": "true"}
    assert still.code(PLACE, **close) == -4118

    still.ok(CANCEL, symbol="BTCUSDT", origClientOrderId="tp")
    still.ok(PLACE, **close)
    assert still.held == 0


def test_the_block_can_be_switched_off() -> None:
    still = StillVenue(quirks=Quirks(full_reduce_only_limit_blocks=False))
    still.market()
    still.limit("SELL", price="61000", reduceOnly="true")
    still.market("SELL", reduceOnly="true")
    assert still.held == 0
    assert [line["status"] for line in still.log("order")][-1] == "EXPIRED"


def test_a_second_close_position_stop_of_one_direction_is_refused() -> None:
    still = StillVenue()
    still.market()
    still.stop()
    assert still.code(ALGO, **STOP, **WHOLE) == -4130
    still.stop("58000", quantity="0.1", reduceOnly="true")
    still.ok(ALGO, **STOP | {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "62000"}, **WHOLE)


def test_a_client_id_of_a_stop_is_unique_among_open_stops_only() -> None:
    still = StillVenue()
    still.market()
    still.stop(clientAlgoId="sl")
    assert still.code(ALGO, **STOP, **PART, clientAlgoId="sl") == -4116
    still.ok("DELETE /fapi/v1/algoOrder", clientAlgoId="sl")
    still.stop(clientAlgoId="sl")


def test_the_account_holds_200_conditional_orders_over_all_symbols() -> None:
    still = StillVenue()
    still.market()
    for number in range(200):
        still.stop(f"{58000 + number}", quantity="0.001", reduceOnly="true")
    assert still.code(ALGO, **STOP, **PART) == -4045


def test_a_symbol_holds_200_open_orders() -> None:
    still = StillVenue()
    for _ in range(200):
        still.limit(quantity="0.001")
    assert still.code(PLACE, **LIMIT) == -2025


def test_a_market_order_into_a_thin_book_is_refused_when_the_quirk_is_on() -> None:
    still = StillVenue(quirks=Quirks(market_percent_price=True))
    market = still.generated()
    market.take(1, sum(lots for _, lots in market.levels(-1, 1000)), None)
    assert still.code(PLACE, **MARKET) == -4131


def test_margin_type_cannot_change_under_orders_or_a_position() -> None:
    isolated = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    still = StillVenue()
    still.limit(newClientOrderId="waits")
    assert still.code("POST /fapi/v1/marginType", **isolated) == -4047
    still.ok(CANCEL, symbol="BTCUSDT", origClientOrderId="waits")
    still.market()
    assert still.code("POST /fapi/v1/marginType", **isolated) == -4048


def signed(still: StillVenue, query: str, body: str = "") -> str:
    return hmac.new(still.config.api_secret.encode(), (query + body).encode(), hashlib.sha256).hexdigest()


def raw_call(still: StillVenue, query: str, headers: dict[str, str], body: str = "") -> int:
    """Code of a POST /order sent as these very bytes; 0 when it succeeds."""
    replies: list[RestReply | None] = []
    still.venue.rest("POST", "/fapi/v1/order", query, headers, body, replies.append)
    assert replies[0] is not None
    return int(orjson.loads(replies[0].body).get("code", 0))


def test_keys_signatures_and_time_are_checked() -> None:
    still = StillVenue()
    now_ms = still.clock.now_ns() // 1_000_000
    key = {"X-MBX-APIKEY": still.config.api_key}

    def query(timestamp: int, **more: Any) -> str:
        return urlencode({**LIMIT, **more, "timestamp": timestamp})

    def sent(text: str) -> str:
        return f"{text}&signature={signed(still, text)}"

    assert raw_call(still, sent(query(now_ms)), {}) == -2014
    assert raw_call(still, sent(query(now_ms)), {"X-MBX-APIKEY": "another"}) == -2015
    assert raw_call(still, query(now_ms), key) == -1102
    assert raw_call(still, f"{query(now_ms)}&signature={'0' * 64}", key) == -1022
    assert raw_call(still, sent(query(now_ms)) + "&side=SELL", key) == -1022
    assert raw_call(still, sent(urlencode(LIMIT)), key) == -1102
    assert raw_call(still, sent(query(now_ms + 1000)), key) == -1021
    assert raw_call(still, sent(query(now_ms - 5001)), key) == -1021
    assert raw_call(still, sent(query(now_ms - 1001, recvWindow=1000)), key) == -1021
    assert raw_call(still, sent(query(now_ms, recvWindow=60001)), key) == -1131
    assert raw_call(still, sent(query(now_ms + 999)), key) == 0
    assert raw_call(still, sent(query(now_ms - 5000)), key) == 0


def test_query_and_body_are_signed_together_without_a_separator() -> None:
    still = StillVenue()
    key = {"X-MBX-APIKEY": still.config.api_key}
    query = urlencode({**without(LIMIT, "price"), "price": "59000"})
    body = f"timestamp={still.clock.now_ns() // 1_000_000}"
    assert raw_call(still, query, key, f"{body}&signature={signed(still, query, body)}") == 0
    assert raw_call(still, query, key, f"{body}&signature={signed(still, f'{query}&', body)}") == -1022


@pytest.mark.parametrize(("quantity", "code"), [("0.003", -4004), ("0.007", -4023)])
def test_a_quantity_is_a_whole_number_of_steps(quantity: str, code: int) -> None:
    still = StillVenue(symbols=symbol_with(SimulatorConfig(), "BTCUSDT", step=Decimal("0.005")).symbols)
    assert still.code(PLACE, **LIMIT | {"quantity": quantity}) == code


def test_too_many_requests() -> None:
    still = StillVenue()
    still.venue.faults.order("http_429", 1, {})
    assert still.code(PLACE, **LIMIT) == -1003


def test_a_venue_that_restarts() -> None:
    still = StillVenue()
    still.venue.context.down = True
    assert still.code(PLACE, **LIMIT) == -1001


def test_a_frame_that_is_no_request() -> None:
    still = StillVenue()
    wire = Wire()
    still.venue.connect("/ws-fapi/v1", "", wire).receive("nonsense")
    assert wire.frames[0]["error"]["code"] == -1135


def known_codes() -> set[str]:
    """Every code that the simulator's sources can answer with."""
    root = Path(execactor.simulator.__file__).parent
    return {
        code
        for path in root.glob("*.py")
        for code in re.findall(r"(?:VenueError\(|\"code\": )\s*(-\d{4})", path.read_text())
    }


def test_every_code_has_its_case_here() -> None:
    assert known_codes() - set(re.findall(r"-\d{4}", Path(__file__).read_text())) == set()


def test_the_documentation_lists_every_code() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text()
    listed = page[page.index("- **Errors**") : page.index("- **Quirks**")]
    assert set(re.findall(r"-\d{4}", listed)) == known_codes()

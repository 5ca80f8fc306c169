"""Every path and method of the venue's tables answers."""

from typing import Any

import orjson
import pytest
from still_venue import StillVenue, Wire

from execactor.simulator.operations import REST, WS_API

BTC = {"symbol": "BTCUSDT"}
LIMIT = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"}
STOP = {**BTC, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "59000"}

PARAMS: dict[str, dict[str, Any]] = {
    "GET /fapi/v1/depth": BTC,
    "POST /fapi/v1/order": LIMIT,
    "GET /fapi/v1/order": {**BTC, "origClientOrderId": "waits"},
    "GET /fapi/v1/openOrder": {**BTC, "origClientOrderId": "waits"},
    "DELETE /fapi/v1/order": {**BTC, "origClientOrderId": "waits"},
    "DELETE /fapi/v1/allOpenOrders": BTC,
    "POST /fapi/v1/algoOrder": {**STOP, "quantity": "0.1", "reduceOnly": "true"},
    "GET /fapi/v1/algoOrder": {"clientAlgoId": "sl"},
    "DELETE /fapi/v1/algoOrder": {"clientAlgoId": "sl"},
    "GET /fapi/v1/allAlgoOrders": BTC,
    "DELETE /fapi/v1/algoOpenOrders": BTC,
    "POST /fapi/v1/countdownCancelAll": {**BTC, "countdownTime": 1000},
    "GET /fapi/v1/userTrades": BTC,
    "GET /fapi/v1/commissionRate": BTC,
    "POST /fapi/v1/leverage": {**BTC, "leverage": 5},
    "POST /fapi/v1/marginType": {"symbol": "ETHUSDT", "marginType": "ISOLATED"},
}
REFUSED = {"PUT /fapi/v1/order": 501, "POST /fapi/v1/positionSide/dual": 400}


def busy() -> StillVenue:
    """A venue with a position, a stop and a resting order."""
    still = StillVenue()
    still.market(quantity="0.100")
    still.stop(clientAlgoId="sl")
    still.limit(newClientOrderId="waits")
    return still


@pytest.mark.parametrize("call", sorted(REST))
def test_a_path_answers(call: str) -> None:
    params = PARAMS.get(call, {"dualSidePosition": "false"} if "dual" in call else {})
    status, body = busy().call(call, **params)
    assert status == REFUSED.get(call, 200), body
    assert body is not None


@pytest.mark.parametrize(
    "call", ["GET /fapi/v1/premiumIndex", "GET /fapi/v1/ticker/bookTicker", "GET /fapi/v2/ticker/price"]
)
def test_prices_are_given_for_one_symbol_or_for_all(call: str) -> None:
    still = busy()
    everything = still.ok(call)
    assert [each["symbol"] for each in everything] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert still.ok(call, symbol="ETHUSDT").keys() == everything[1].keys()


def test_every_method_of_the_websocket_api_is_one_of_the_rest_table() -> None:
    assert {id(operation.run) for operation in WS_API.values()} <= {id(operation.run) for operation in REST.values()}


def test_public_methods_need_no_key() -> None:
    still, wire = busy(), Wire()
    session = still.venue.connect("/ws-fapi/v1", "", wire)
    session.receive(orjson.dumps({"id": "a", "method": "ticker.book", "params": BTC}))
    session.receive(orjson.dumps({"id": "b", "method": "v2/account.balance", "params": {"recvWindow": True}}))
    first, second = wire.frames
    assert (first["id"], first["status"], first["result"]["symbol"]) == ("a", 200, "BTCUSDT")
    assert (second["id"], second["status"], second["error"]["code"]) == ("b", 401, -2014)


def test_weights_are_those_of_the_fact_sheet() -> None:
    def weight(call: str, **params: str) -> int:
        return REST[call].cost(params)

    assert weight("GET /fapi/v1/openOrders", symbol="BTCUSDT") == 1
    assert weight("GET /fapi/v1/openOrders") == 40
    assert weight("GET /fapi/v1/openAlgoOrders") == 40
    assert [weight("GET /fapi/v1/depth", limit=limit) for limit in ("5", "100", "500", "1000")] == [2, 5, 10, 20]
    assert weight("GET /fapi/v1/premiumIndex") == 10
    assert (weight("POST /fapi/v1/order"), REST["POST /fapi/v1/order"].orders) == (0, 1)
    assert (weight("POST /fapi/v1/algoOrder"), REST["POST /fapi/v1/algoOrder"].orders) == (0, 1)
    assert weight("POST /fapi/v1/countdownCancelAll") == 10

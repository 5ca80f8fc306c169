"""The private stream speaks as the recorded venue does, key for key (shared/data/user_data)."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from still_venue import StillVenue

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"

NEW_SINCE_THE_RECORDING = {"er"}  # expiry reason, 2025-10


def document(name: str) -> Any:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent: it is not part of the repository")
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


def recorded(group: str) -> list[Any]:
    sequences = document("user_data/binance_user_stream_sequences.json")
    return next(each["messages"] for each in sequences if each["id"] == group)


def recorded_close() -> list[Any]:
    """The market buy and its close of 2024: TRADE_LITE, NEW, ACCOUNT_UPDATE, FILLED, twice."""
    return recorded("usdm_btc_trade_lite_2024")


def simulated_close() -> list[Any]:
    still = StillVenue()
    still.limit(quantity="0.002", price="60000.1")
    still.market("SELL", "0.002", reduceOnly="true")
    return still.wire.frames


def test_events_come_in_the_recorded_order() -> None:
    assert [event["e"] for event in simulated_close()] == [event["e"] for event in recorded_close()]


def test_every_event_has_the_recorded_keys() -> None:
    for mine, theirs in zip(simulated_close(), recorded_close(), strict=True):
        assert mine.keys() == theirs.keys(), mine["e"]
        match mine["e"]:
            case "ORDER_TRADE_UPDATE":
                assert mine["o"].keys() - NEW_SINCE_THE_RECORDING == theirs["o"].keys()
            case "ACCOUNT_UPDATE":
                assert mine["a"].keys() == theirs["a"].keys()
                assert mine["a"]["B"][0].keys() == theirs["a"]["B"][0].keys()
                assert mine["a"]["P"][0].keys() == theirs["a"]["P"][0].keys()


def test_every_value_has_the_recorded_type() -> None:
    def types(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: types(inner) for key, inner in value.items() if key not in NEW_SINCE_THE_RECORDING}
        return [types(inner) for inner in value] if isinstance(value, list) else type(value)

    assert [types(event) for event in simulated_close()] == [types(event) for event in recorded_close()]


def test_statuses_and_amounts_follow_the_recording() -> None:
    def essence(event: Any) -> Any:
        order = event.get("o", {})
        return [order.get(key) for key in ("o", "x", "X", "q", "z", "l", "R", "m")]

    assert [essence(event) for event in simulated_close()] == [essence(event) for event in recorded_close()]


@pytest.mark.parametrize("name", ["algo_update_new", "algo_update_canceled"])
def test_algo_updates_have_the_documented_keys(name: str) -> None:
    fixtures = document("user_data/nautilus_binance_fixtures.json")
    documented = fixtures[f"binance/test_data/futures/user_data_json/{name}.json"]
    still = StillVenue()
    still.market()
    algo = still.stop()
    still.ok("DELETE /fapi/v1/algoOrder", algoId=algo["algoId"])
    mine = still.wire.events("ALGO_UPDATE")[0 if name.endswith("new") else 1]
    assert mine.keys() == documented.keys()
    assert mine["o"].keys() - {"ia"} == documented["o"].keys()
    assert {key: type(value) for key, value in documented["o"].items()} == {
        key: type(value) for key, value in mine["o"].items() if key != "ia"
    }


@pytest.mark.parametrize(
    ("name", "call", "removed"),
    [
        pytest.param("GetMarkPrice", ("GET /fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}), set(), id="mark price"),
        pytest.param("GetOrderBook", ("GET /fapi/v1/depth", {"symbol": "BTCUSDT"}), set(), id="depth"),
        pytest.param(
            "GetSymbolConfiguration", ("GET /fapi/v1/symbolConfig", {"symbol": "BTCUSDT"}), set(), id="config"
        ),
        pytest.param("GetPositionInformation", ("GET /fapi/v2/positionRisk", {"symbol": "BTCUSDT"}), set(), id="risk"),
        pytest.param("GetBalances", ("GET /fapi/v3/balance", {}), set(), id="balance"),
        pytest.param("StartUserStream", ("POST /fapi/v1/listenKey", {}), set(), id="listen key"),
        pytest.param(
            "GetConditionalOrders",
            ("GET /fapi/v1/allAlgoOrders", {"symbol": "BTCUSDT"}),
            {"tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice", "tpOrderType"},
            id="conditional orders",
        ),
    ],
)
def test_answers_have_the_documented_keys(name: str, call: tuple[str, Any], removed: set[str]) -> None:
    """removed: fields the venue has dropped since the contract was written."""
    contracts = document("contract/binance_net_contracts.json.gz")["endpoints"]
    response = next(c["response"] for c in contracts if c["name"].endswith(f"/{name}") and "/fapi/" in c["path"])
    still = StillVenue()
    still.market()
    still.stop()
    answer = still.ok(call[0], **call[1])
    mine, theirs = (each[0] if isinstance(each, list) else each for each in (answer, response))
    assert theirs.keys() - mine.keys() <= removed


def test_exchange_info_keeps_the_recorded_keys_but_for_what_2026_changed() -> None:
    recorded_info = document("rest/fapi_exchangeInfo_2021-07-21.json.gz")
    theirs = next(symbol for symbol in recorded_info["symbols"] if symbol["symbol"] == "BTCUSDT")
    info = StillVenue().ok("GET /fapi/v1/exchangeInfo")
    mine = next(symbol for symbol in info["symbols"] if symbol["symbol"] == "BTCUSDT")
    assert recorded_info.keys() == info.keys()
    assert theirs.keys() <= mine.keys()
    kinds = {each["filterType"]: each.keys() for each in mine["filters"]}
    for each in theirs["filters"]:
        if each["filterType"] != "MAX_NUM_ALGO_ORDERS":  # removed 2025-12-29
            assert kinds[each["filterType"]] == each.keys()
    assert "MAX_NUM_ALGO_ORDERS" not in kinds

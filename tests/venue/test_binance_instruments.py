"""exchangeInfo: ticks and steps come from the filters, never from the precisions."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from scripted_venue import symbol_rules
from shared_data import document

from execactor.venues.binance_frames import Unreadable
from execactor.venues.binance_usdm import limits
from execactor.venues.binance_usdm.instruments import exchange_info
from execactor.venues.rate_limit import Limit


def info_of(*symbols: Any) -> bytes:
    return msgspec.json.encode({"rateLimits": [], "symbols": list(symbols)})


def test_the_filters_of_a_symbol() -> None:
    found = exchange_info(info_of(symbol_rules("BTCUSDT"))).instruments()["BTCUSDT"]
    assert (found.base, found.quote, found.trading) == ("BTC", "USDT", True)
    assert (found.tick_size, found.step_size) == (Decimal("0.10"), Decimal("0.001"))
    assert (found.min_quantity, found.max_quantity) == (Decimal("0.001"), Decimal(1000))
    assert (found.market_step_size, found.market_max_quantity) == (Decimal("0.001"), Decimal(120))
    assert found.min_notional == Decimal(5)


def test_the_precisions_are_not_used() -> None:
    coarse = symbol_rules("BTCUSDT", pricePrecision=8, quantityPrecision=0)
    assert exchange_info(info_of(coarse)).instruments() == exchange_info(info_of(symbol_rules("BTCUSDT"))).instruments()


@pytest.mark.parametrize("status", ["PENDING_TRADING", "SETTLING", "CLOSE", "PRE_DELIVERING"])
def test_a_symbol_that_takes_no_orders_says_so(status: str) -> None:
    assert not exchange_info(info_of(symbol_rules("BTCUSDT", status=status))).instruments()["BTCUSDT"].trading


def test_dated_contracts_and_symbols_without_rules_are_left_out() -> None:
    dated = symbol_rules("BTCUSDT_260925", contractType="CURRENT_QUARTER")
    bare = symbol_rules("BAREUSDT", filters=[])
    assert list(exchange_info(info_of(dated, bare, symbol_rules("BTCUSDT"))).instruments()) == ["BTCUSDT"]


def test_a_tick_of_zero_is_no_rule() -> None:
    rules = symbol_rules("BTCUSDT")
    rules["filters"][0]["tickSize"] = "0"
    assert not exchange_info(info_of(rules)).instruments()


def test_a_recorded_answer() -> None:
    recorded = document("rest/fapi_exchangeInfo_2021-07-21.json.gz")
    info = exchange_info(msgspec.json.encode(recorded))
    found = info.instruments()
    perpetuals = [each for each in recorded["symbols"] if each["contractType"] == "PERPETUAL"]
    assert len(found) == len(perpetuals) > 100
    for listed in perpetuals:
        filters = {each["filterType"]: each for each in listed["filters"]}
        instrument = found[listed["symbol"]]
        assert instrument.tick_size == Decimal(filters["PRICE_FILTER"]["tickSize"])
        assert instrument.step_size == Decimal(filters["LOT_SIZE"]["stepSize"])
        assert instrument.min_notional == Decimal(filters["MIN_NOTIONAL"]["notional"])
        # Our grids begin at zero, the venue's at the minimum: they are the same grid.
        assert Decimal(filters["PRICE_FILTER"]["minPrice"]) % instrument.tick_size == 0
        assert instrument.min_quantity % instrument.step_size == 0
    assert set(limits.published(info.rateLimits)) == set(limits.DEFAULT)


def test_limits_that_the_venue_states() -> None:
    body = {
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 6100},
        ],
        "symbols": [],
    }
    stated = limits.published(exchange_info(msgspec.json.encode(body)).rateLimits)
    assert stated == (Limit("weight", 1_200, 60), Limit("orders", 100, 10))


def test_an_unreadable_answer_names_its_beginning() -> None:
    with pytest.raises(Unreadable, match="hello"):
        exchange_info(b'{"hello": 1}')

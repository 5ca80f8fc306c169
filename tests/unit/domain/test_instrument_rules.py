"""An instrument's grid: rounding never adds risk, and what the venue would refuse is refused here."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import BTC, dec, instrument

from execactor.domain.side import Side


@pytest.mark.parametrize(
    ("given", "rounded"),
    [
        pytest.param("0.0509", "0.050", id="a size is never rounded up"),
        pytest.param("0.050", "0.050", id="whole steps stay"),
        pytest.param("0.0009", "0.000", id="less than a step is nothing"),
    ],
)
def test_quantity_down(given: str, rounded: str) -> None:
    assert BTC.quantity_down(dec(given)) == dec(rounded)


@pytest.mark.parametrize(
    ("side", "given", "rounded"),
    [
        pytest.param(Side.BUY, "90800.19", "90800.1", id="a buyer never pays more than asked"),
        pytest.param(Side.SELL, "90800.11", "90800.2", id="a seller never takes less than asked"),
        pytest.param(Side.BUY, "90800.10", "90800.1", id="a tick stays for a buyer"),
        pytest.param(Side.SELL, "90800.10", "90800.1", id="a tick stays for a seller"),
    ],
)
def test_price_passive(side: Side, given: str, rounded: str) -> None:
    assert BTC.price_passive(dec(given), side) == dec(rounded)


@pytest.mark.parametrize(
    ("closing", "given", "rounded"),
    [
        pytest.param(Side.SELL, "89800.01", "89800.1", id="the stop of a long moves towards the price"),
        pytest.param(Side.BUY, "91800.09", "91800.0", id="the stop of a short moves towards the price"),
    ],
)
def test_stop_price(closing: Side, given: str, rounded: str) -> None:
    assert BTC.stop_price(dec(given), closing) == dec(rounded)


@pytest.mark.parametrize(
    ("closing", "given", "rounded"),
    [
        pytest.param(Side.SELL, "92200.09", "92200.0", id="the target of a long comes nearer"),
        pytest.param(Side.BUY, "88200.01", "88200.1", id="the target of a short comes nearer"),
    ],
)
def test_target_price(closing: Side, given: str, rounded: str) -> None:
    assert BTC.target_price(dec(given), closing) == dec(rounded)


def test_a_grid_that_is_no_power_of_ten() -> None:
    quarter = instrument(tick_size="0.25", step_size=5)
    assert quarter.price_passive(dec("10.49"), Side.BUY) == Decimal("10.25")
    assert quarter.quantity_down(dec("14.9")) == 10


@pytest.mark.parametrize(
    ("changes", "quantity", "price", "words"),
    [
        pytest.param({}, "0.001", 90_800, None, id="one lot of enough notional passes"),
        pytest.param({}, "0.0009", 90_800, "below the venue's minimum 0.001", id="less than the smallest lot"),
        pytest.param({}, "1000.001", 90_800, "above the venue's maximum 1000", id="more than the largest lot"),
        pytest.param({}, "0.001", "5000.0", None, id="exactly the least notional passes"),
        pytest.param({}, "0.001", "4999.9", "notional 4.9999 is below the venue's minimum 5", id="a little less"),
        pytest.param({"trading": False}, 1, 90_800, "not open for trading", id="a symbol that is halted"),
    ],
)
def test_what_the_venue_would_refuse(changes: dict[str, Any], quantity: Any, price: Any, words: str | None) -> None:
    refusal = instrument(**changes).refusal(dec(quantity), dec(price))
    if words is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert words in refusal


@pytest.mark.parametrize(
    ("largest", "quantity", "chunks"),
    [
        pytest.param(120, "0.05", ["0.05"], id="a small order goes whole"),
        pytest.param(120, 120, [120], id="exactly the largest goes whole"),
        pytest.param(120, "120.001", ["120", "0.001"], id="a little more takes two"),
        pytest.param(2, 7, [2, 2, 2, 1], id="a large one takes as many as it needs"),
        pytest.param("2.0005", 4, [2, 2], id="a largest size off the grid is rounded down"),
        pytest.param(2, 0, [], id="nothing takes none"),
    ],
)
def test_market_chunks(largest: Any, quantity: Any, chunks: list[Any]) -> None:
    assert instrument(market_max_quantity=largest).market_chunks(dec(quantity)) == [dec(chunk) for chunk in chunks]

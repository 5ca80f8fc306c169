"""An order moved onto other trading rules: smaller, no worse in price, and never with more risk."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_makers import BTC, dec, entry_intent, stop_intent, target_intent

from execactor.domain.fitting import fitted
from execactor.domain.order import OrderIntent
from execactor.domain.side import Side

COARSE = msgspec.structs.replace(BTC, tick_size=dec(7), step_size=dec("0.004"))


@pytest.mark.parametrize(
    ("intent", "field", "value"),
    [
        pytest.param(entry_intent(quantity="0.05"), "quantity", "0.048", id="a size is rounded down"),
        pytest.param(entry_intent(price=90_800), "price", 90_797, id="a buyer pays no more"),
        pytest.param(entry_intent(price=90_800, side=Side.SELL), "price", 90_804, id="a seller takes no less"),
        pytest.param(stop_intent(trigger_price=dec(89_800)), "trigger_price", 89_803, id="a long's stop moves nearer"),
        pytest.param(
            stop_intent(trigger_price=dec(91_800), side=Side.BUY), "trigger_price", 91_798, id="so does a short's"
        ),
        pytest.param(target_intent(trigger_price=dec(92_200)), "trigger_price", 92_197, id="a target stays in reach"),
    ],
)
def test_fitted(intent: OrderIntent, field: str, value: Any) -> None:
    moved = fitted(intent, COARSE)
    assert moved is not None
    assert getattr(moved, field) == dec(value)
    assert moved.client_id == intent.client_id


def test_an_order_on_the_grid_stays_as_it_is() -> None:
    for intent in (entry_intent(), stop_intent(), target_intent()):
        assert fitted(intent, BTC) == intent


def test_an_order_below_one_step_vanishes() -> None:
    assert fitted(entry_intent(quantity="0.003"), COARSE) is None


@given(
    quantity=st.decimals("0.004", 10, places=3),
    price=st.decimals(1_000, 100_000, places=1),
    side=st.sampled_from(Side),
)
def test_an_entry_never_gets_larger_or_worse(quantity: Decimal, price: Decimal, side: Side) -> None:
    moved = fitted(entry_intent(quantity=quantity, price=price, side=side), COARSE)
    assert moved is not None
    assert moved.quantity is not None
    assert moved.price is not None
    assert quantity - COARSE.step_size < moved.quantity <= quantity
    assert (price - moved.price) * side.sign >= 0

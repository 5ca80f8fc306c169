"""Positions and wallet: the arithmetic is exact and nothing is lost."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execactor.simulator.account import MAKER_FEE, TAKER_FEE, Account, average

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "entry", "signed", "price", "then"),
    [
        pytest.param("0", "0", "1", "404.29", ("1", "404.29", "0"), id="a first buy opens at its price"),
        pytest.param(
            "0.02", "395.4", "0.02", "396", ("0.04", "395.7", "0"), id="a second buy averages (recorded 2022)"
        ),
        pytest.param("1", "404.29", "-0.8", "404.45", ("0.2", "404.29", "0.128"), id="a partial close keeps the entry"),
        pytest.param("0.2", "404.29", "-0.2", "404.43", ("0", "0", "0.028"), id="the last close ends flat"),
        pytest.param("2.61", "382.78", "-2.61", "384.06", ("0", "0", "3.3408"), id="a close (recorded 2022)"),
        pytest.param("-1", "100", "1", "90", ("0", "0", "10"), id="a short gains when prices fall"),
        pytest.param("-1", "100", "-1", "90", ("-2", "95", "0"), id="a short averages"),
        pytest.param("1", "100", "-3", "110", ("-2", "110", "10"), id="a flip opens at the fill price"),
        pytest.param("-2", "100", "3", "110", ("1", "110", "-20"), id="a flip of a short realises its loss"),
    ],
)
def test_average_cost_booking(quantity: str, entry: str, signed: str, price: str, then: tuple[str, str, str]) -> None:
    booked = average(D(quantity), D(entry), D(signed), D(price))
    assert booked == (D(then[0]), D(then[1]), D(then[2]))


def test_a_fee_is_taken_from_the_wallet_with_the_profit() -> None:
    account = Account(D(1000), {"BTCUSDT": 20})
    assert account.book("BTCUSDT", D("0.1"), D("84146.50"), maker=False) == (0, D("3.36586"))  # recorded 2025
    assert account.book("BTCUSDT", D("-0.1"), D("84246.50"), maker=True) == (10, D("1.68493"))
    assert account.wallet == D(1000) - D("3.36586") + 10 - D("1.68493")


executions = st.lists(
    st.tuples(
        st.sampled_from([1, -1]),
        st.integers(1, 5_000).map(lambda lots: D(lots) / 1000),
        st.integers(500_000, 700_000).map(lambda ticks: D(ticks) / 10),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@given(executions)
def test_the_wallet_is_the_sum_of_what_was_booked(made: list[tuple[int, Decimal, Decimal, bool]]) -> None:
    account = Account(D(0), {"BTCUSDT": 20})
    total = D(0)
    for sign, quantity, price, maker in made:
        realized, commission = account.book("BTCUSDT", sign * quantity, price, maker=maker)
        assert commission == (price * quantity * (MAKER_FEE if maker else TAKER_FEE)).quantize(D("0.00000001"))
        total += realized - commission
        assert account.wallet == total
    position = account.positions["BTCUSDT"]
    assert position.quantity == sum(sign * quantity for sign, quantity, _, _ in made)
    assert ("BTCUSDT" in account.held) == bool(position.quantity)


@given(executions)
def test_profit_and_open_value_add_up_to_the_cash_that_moved(made: list[tuple[int, Decimal, Decimal, bool]]) -> None:
    account = Account(D(0), {"BTCUSDT": 20})
    cash = realized_total = D(0)
    for sign, quantity, price, maker in made:
        realized, _ = account.book("BTCUSDT", sign * quantity, price, maker=maker)
        realized_total += realized
        cash -= sign * quantity * price
    position = account.positions["BTCUSDT"]
    with localcontext(prec=60):
        off = realized_total - position.quantity * position.entry_price - cash
    rounding = D("0.000000005") * len(made)  # each realised profit is rounded to 8 decimals
    assert abs(off) <= rounding + D("1e-15")


@given(executions, st.integers(500_000, 700_000))
def test_closing_everything_leaves_nothing_open(made: list[tuple[int, Decimal, Decimal, bool]], at: int) -> None:
    account = Account(D(0), {"BTCUSDT": 20})
    for sign, quantity, price, maker in made:
        account.book("BTCUSDT", sign * quantity, price, maker=maker)
    held = account.positions["BTCUSDT"].quantity
    if held:
        account.book("BTCUSDT", -held, D(at) / 10, maker=False)
    assert account.positions["BTCUSDT"].entry_price == 0
    assert account.held == set()
    assert account.positions["BTCUSDT"].unrealized(D(at)) == 0

"""A position booked from executions: size, mean entry price, realised result and commissions."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import SYMBOL, dec, execution

from execactor.domain.fill import Execution
from execactor.domain.position import Position
from execactor.domain.side import Side


def buy(quantity: Any, price: Any, commission: Any = 0) -> Execution:
    return execution(1, Side.BUY, quantity, price, commission=commission)


def sell(quantity: Any, price: Any, commission: Any = 0) -> Execution:
    return execution(2, Side.SELL, quantity, price, commission=commission)


def booked(*executions: Execution) -> Position:
    position = Position(symbol=SYMBOL)
    for each in executions:
        position = position.after(each)
    return position


@pytest.mark.parametrize(
    ("executions", "quantity", "entry_price", "realized_pnl"),
    [
        pytest.param([buy(2, 100)], 2, 100, 0, id="a buy opens a long at its price"),
        pytest.param([sell(2, 100)], -2, 100, 0, id="a sell opens a short at its price"),
        pytest.param([buy(1, 100), buy(3, 104)], 4, 103, 0, id="adding averages the entry by size"),
        pytest.param([sell(1, 100), sell(1, 110)], -2, 105, 0, id="a short averages likewise"),
        pytest.param([buy(4, 100), sell(1, 110)], 3, 100, 10, id="reducing a long realises and keeps the entry"),
        pytest.param([sell(4, 100), buy(1, 110)], -3, 100, -10, id="reducing a short above its entry loses"),
        pytest.param([buy(2, 100), sell(2, 90)], 0, 0, -20, id="closing realises all and leaves no entry price"),
        pytest.param([buy(2, 100), sell(5, 110)], -3, 110, 20, id="a flip realises the old side and opens the new"),
        pytest.param([sell(2, 100), buy(3, 90)], 1, 90, 20, id="a flip from short to long"),
        pytest.param([buy(1, 100), sell(1, 90), buy(1, 80)], 1, 80, -10, id="reopening keeps what was realised"),
        pytest.param(
            [buy(3, "33.1"), sell(2, "33.3"), sell(1, "33.0")], 0, 0, "0.3", id="parts of a close add up exactly"
        ),
    ],
)
def test_C4_booking(  # noqa: N802  # the requirement's name
    executions: list[Execution], quantity: Any, entry_price: Any, realized_pnl: Any
) -> None:
    position = booked(*executions)
    assert (position.quantity, position.entry_price) == (dec(quantity), dec(entry_price))
    assert position.realized_pnl == dec(realized_pnl)


def test_commissions_add_up_and_a_rebate_gives_back() -> None:
    position = booked(buy(1, 100, "0.04"), buy(1, 100, "-0.01"), sell(2, 100, "0.08"))
    assert position.commission == Decimal("0.11")
    assert position.realized_pnl == 0


@pytest.mark.parametrize(
    ("position", "mark", "unrealized", "notional"),
    [
        pytest.param(booked(buy(2, 100)), 110, 20, 220, id="a long gains when the mark rises"),
        pytest.param(booked(sell(2, 100)), 110, -20, 220, id="a short loses then"),
        pytest.param(booked(), 110, 0, 0, id="a flat position is worth nothing"),
    ],
)
def test_value_at_a_mark(position: Position, mark: Any, unrealized: Any, notional: Any) -> None:
    assert position.unrealized_pnl(dec(mark)) == dec(unrealized)
    assert position.notional(dec(mark)) == dec(notional)


def test_the_closing_side_undoes_the_position() -> None:
    assert booked(buy(1, 100)).closing_side is Side.SELL
    assert booked(sell(1, 100)).closing_side is Side.BUY
    assert booked().flat


@pytest.mark.parametrize(("side", "opposite", "sign"), [(Side.BUY, Side.SELL, 1), (Side.SELL, Side.BUY, -1)])
def test_sides(side: Side, opposite: Side, sign: int) -> None:
    assert (side.opposite, side.sign) == (opposite, sign)

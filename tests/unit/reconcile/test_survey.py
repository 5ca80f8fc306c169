"""What a comparison would find, as the dry run tells it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from rule_makers import SYMBOL, dec, execution, order, stop_intent
from test_compare_orders import conditional, ours, regular

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.fill import Origin
from execactor.domain.order import Order, OrderState
from execactor.domain.order_table import OrderTable
from execactor.domain.side import Side
from execactor.reconcile.findings import FindingKind
from execactor.reconcile.survey import outside, survey

WORKING_STOP = order(OrderState.ACKNOWLEDGED, stop_intent(), sent_ns=1)
ENTRY = ours(venue_id="1001")


def snapshot(position: Any = 0, listed: Sequence[Any] = (), trades: Sequence[Any] = ()) -> VenueSnapshot:
    held = VenuePosition(symbol=SYMBOL, quantity=dec(position), entry_price=dec(90_800))
    return VenueSnapshot(
        positions=(held,) if held.quantity else (),
        open_orders=tuple(each for each in listed if not hasattr(each, "trigger_price")),
        conditional_orders=tuple(each for each in listed if hasattr(each, "trigger_price")),
        wallet_balance=dec(10_000),
        trades=tuple(trades),
        requested_ns=1_000,
    )


def found(orders: Sequence[Order], seen: VenueSnapshot, booked: Sequence[Any] = ()) -> list[tuple[str, str]]:
    surveyed = survey(SYMBOL, OrderTable(orders, booked), (), seen, "capi")
    return [(str(each.kind), each.subject) for each in surveyed.findings]


@pytest.mark.parametrize(
    ("orders", "seen", "expected"),
    [
        pytest.param([], snapshot(), [], id="nothing on either side"),
        pytest.param([ENTRY], snapshot(listed=[regular()]), [], id="both know the same"),
        pytest.param([ENTRY], snapshot(), [("order_gone", "capi_entry_d1")], id="an order is not listed"),
        pytest.param(
            [ours(OrderState.UNKNOWN)], snapshot(), [], id="an order in doubt that is not listed is being asked about"
        ),
        pytest.param(
            [], snapshot(listed=[regular("capi_entry_ghost")]), [("stray_order", "capi_entry_ghost")], id="a stray"
        ),
        pytest.param([], snapshot(listed=[regular("web_1")]), [("foreign_order", "web_1")], id="a foreign order"),
        pytest.param([], snapshot("0.05"), [("missing_stop", "")], id="a position without a stop"),
        pytest.param([WORKING_STOP], snapshot("0.05", [conditional()]), [], id="a position with its stop"),
        pytest.param(
            [order(OrderState.UNKNOWN, stop_intent(), sent_ns=1)],
            snapshot("0.05", [conditional()]),
            [],
            id="a stop in doubt that the listing shows is one",
        ),
        pytest.param(
            [ENTRY, WORKING_STOP],
            snapshot("0.05", [regular(), conditional()], [execution(7)]),
            [("missed_execution", "7")],
            id="a trade that was not booked",
        ),
    ],
)
def test_findings(orders: list[Order], seen: VenueSnapshot, expected: list[tuple[str, str]]) -> None:
    assert found(orders, seen) == expected


def test_a_trade_that_is_booked_is_no_finding() -> None:
    trade = execution(7)
    assert found([ENTRY, WORKING_STOP], snapshot("0.01", [regular(), conditional()], [trade]), [trade.key]) == []


def test_missed_trades_tell_by_how_much_our_position_would_change() -> None:
    trades = [execution(7, quantity="0.03"), execution(8, Side.SELL, quantity="0.01")]
    surveyed = survey(SYMBOL, OrderTable([ENTRY]), (), snapshot(listed=[regular()], trades=trades), "capi")
    assert surveyed.unbooked == dec("0.02")
    assert [each.detail for each in surveyed.findings] == ["BUY 0.03 at 90800", "SELL 0.01 at 90800"]


def test_an_order_that_the_venue_placed_itself_is_not_foreign() -> None:
    forced = msgspec.structs.replace(regular("autoclose-17"), origin=Origin.LIQUIDATION)
    assert found([], snapshot(listed=[forced])) == []


def test_what_lies_outside_of_our_symbols() -> None:
    seen = snapshot("0.05", [regular("web_1")])
    assert outside([SYMBOL], seen) == []
    assert [each.subject for each in outside(["ETHUSDT"], seen)] == [
        f"position 0.05 {SYMBOL}",
        f"order web_1 {SYMBOL}",
    ]


@pytest.mark.parametrize("kind", FindingKind)
def test_each_finding_says_what_a_comparison_does_about_it(kind: FindingKind) -> None:
    assert kind.action

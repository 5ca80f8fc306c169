"""Our orders beside the venue's listings of both kinds, and our trades beside the venue's."""

from collections.abc import Iterable
from typing import Any

import pytest
from rule_makers import SYMBOL, dec, execution, order, stop_intent, target_intent

from execactor.domain.order import Order, OrderEvent, OrderState, OrderType
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.domain.side import Side
from execactor.reconcile.compare import compare_orders, compare_trades, missing_stop
from execactor.reconcile.findings import Finding, FindingKind, OrdersCompared

ASKED_NS = 1_000


def regular(client_id: str = "capi_entry_d1", venue_id: str = "1001") -> OrderReport:
    return OrderReport(
        symbol=SYMBOL,
        client_id=client_id,
        venue_id=venue_id,
        event=OrderEvent.ACKNOWLEDGED,
        side=Side.BUY,
        order_type="LIMIT",
        quantity=dec("0.05"),
    )


def conditional(client_id: str = "capi_sl_d1", venue_id: str = "5") -> ConditionalReport:
    return ConditionalReport(
        symbol=SYMBOL,
        client_id=client_id,
        venue_id=venue_id,
        event=OrderEvent.ACKNOWLEDGED,
        side=Side.SELL,
        order_type=OrderType.STOP_MARKET,
        trigger_price=dec(89_800),
        close_position=True,
    )


def ours(state: OrderState = OrderState.ACKNOWLEDGED, intent: Any = None, **changes: Any) -> Order:
    return order(state, intent, **({"sent_ns": 1} | changes))


def compared(orders: Iterable[Order], *listed: OrderReport | ConditionalReport) -> dict[str, list[str]]:
    """What was found, by name and client id."""
    found: OrdersCompared = compare_orders({each.client_id: each for each in orders}, listed, "capi", ASKED_NS)
    return {
        name: [each.client_id or each.venue_id or "" for each in getattr(found, name)]
        for name in ("seen", "strays", "foreign", "gone")
        if getattr(found, name)
    }


STOP = stop_intent()


@pytest.mark.parametrize(
    ("orders", "listed", "found"),
    [
        pytest.param([], [], {}, id="nothing and nothing"),
        pytest.param([ours()], [regular()], {"seen": ["capi_entry_d1"]}, id="an order that is listed"),
        pytest.param(
            [ours(), ours(intent=STOP)],
            [regular(), conditional()],
            {"seen": ["capi_entry_d1", "capi_sl_d1"]},
            id="E3: a stop that only the listing of conditional orders shows is no missing stop",
        ),
        pytest.param([ours(intent=STOP)], [], {"gone": ["capi_sl_d1"]}, id="E3: a stop that no listing shows"),
        pytest.param(
            [ours(intent=STOP)],
            [regular("capi_sl_d1", "2002")],
            {"seen": ["capi_sl_d1"]},
            id="a child that bears our client id",
        ),
        pytest.param(
            [ours(OrderState.TRIGGERED, STOP, child_id="2002")],
            [regular("x-venue", "2002"), conditional()],
            {"seen": ["capi_sl_d1"]},
            id="a child that is known by the venue's id",
        ),
        pytest.param(
            [ours(OrderState.TRIGGERED, STOP, child_id="2002")],
            [conditional(), conditional("web_1", "2002")],
            {"seen": ["capi_sl_d1"], "foreign": ["web_1"]},
            id="another hand's conditional order with the number of a child",
        ),
        pytest.param([], [regular()], {"strays": ["capi_entry_d1"]}, id="an order with our prefix that we do not know"),
        pytest.param([], [conditional("capi_tp1_x9_a2")], {"strays": ["capi_tp1_x9_a2"]}, id="a conditional one"),
        pytest.param([], [regular("web_abc")], {"foreign": ["web_abc"]}, id="an order of another hand"),
        pytest.param([], [regular("")], {"foreign": ["1001"]}, id="an order without a client id"),
        pytest.param([], [regular("capi_note_1")], {"foreign": ["capi_note_1"]}, id="our prefix and no role of ours"),
        pytest.param([ours(OrderState.UNKNOWN)], [], {"gone": ["capi_entry_d1"]}, id="an order in doubt, not listed"),
        pytest.param([ours(OrderState.CANCELLED)], [], {}, id="an order that has ended need not be listed"),
        pytest.param(
            [ours(OrderState.CANCELLED)], [regular()], {"seen": ["capi_entry_d1"]}, id="a listing that lags behind"
        ),
        pytest.param([ours(sent_ns=999)], [], {"gone": ["capi_entry_d1"]}, id="sent just before the question"),
        pytest.param([ours(sent_ns=1_000)], [], {}, id="sent with the question: the listing may be older"),
        pytest.param([ours(sent_ns=1_001)], [], {}, id="sent after the question"),
        pytest.param([ours(OrderState.CREATED, sent_ns=0)], [], {}, id="never sent"),
    ],
)
def test_orders(
    orders: list[Order], listed: list[OrderReport | ConditionalReport], found: dict[str, list[str]]
) -> None:
    assert compared(orders, *listed) == found


def test_every_order_of_a_mixed_listing_finds_its_place() -> None:
    mine = [ours(), ours(intent=STOP), ours(intent=target_intent())]
    assert compared(mine, regular(), conditional(), conditional("capi_sl_old"), regular("web_1")) == {
        "seen": ["capi_entry_d1", "capi_sl_d1"],
        "strays": ["capi_sl_old"],
        "foreign": ["web_1"],
        "gone": ["capi_tp1_d1"],
    }


# Trades.

ENTRY = ours(venue_id="1001")
TRIGGERED_STOP = ours(OrderState.TRIGGERED, STOP, venue_id="5", child_id="2002")


@pytest.mark.parametrize(
    ("orders", "booked", "trades", "missed", "unattributed"),
    [
        pytest.param([ENTRY], [(SYMBOL, "1")], [execution(1)], [], [], id="a trade that is booked"),
        pytest.param([ENTRY], [], [execution(1)], [("capi_entry_d1", "1")], [], id="a trade that was missed"),
        pytest.param(
            [ENTRY],
            [(SYMBOL, "1")],
            [execution(1), execution(2), execution(3)],
            [("capi_entry_d1", "2"), ("capi_entry_d1", "3")],
            [],
            id="two of three were missed",
        ),
        pytest.param(
            [TRIGGERED_STOP],
            [],
            [execution(1, venue_order_id="2002")],
            [("capi_sl_d1", "1")],
            [],
            id="a trade of a triggered stop's child",
        ),
        pytest.param(
            [ENTRY], [], [execution(1, venue_order_id="9")], [], ["1"], id="a trade of an order we do not know"
        ),
        pytest.param(
            [TRIGGERED_STOP],
            [],
            [execution(1, venue_order_id="5")],
            [],
            ["1"],
            id="an order whose number is also that of a conditional order",
        ),
        pytest.param(
            [ours(OrderState.CANCELLED, venue_id="1001")],
            [],
            [execution(1)],
            [("capi_entry_d1", "1")],
            [],
            id="a trade of an order that has ended is missed all the same",
        ),
        pytest.param(
            [ENTRY], [("ETHUSDT", "1")], [execution(1)], [("capi_entry_d1", "1")], [], id="another symbol's 1"
        ),
    ],
)
def test_trades(
    orders: list[Order],
    booked: list[tuple[str, str]],
    trades: list[Any],
    missed: list[tuple[str, str]],
    unattributed: list[str],
) -> None:
    found = compare_trades(orders, set(booked), trades)
    assert [(owner.client_id, trade.trade_id) for owner, trade in found.missed] == missed
    assert [trade.trade_id for trade in found.unattributed] == unattributed


# Stops.


@pytest.mark.parametrize(
    ("position", "orders", "missing"),
    [
        pytest.param("0.05", [], True, id="a position without any order"),
        pytest.param("-0.05", [], True, id="a short likewise"),
        pytest.param("0", [], False, id="no position"),
        pytest.param("0.05", [ours(intent=STOP)], False, id="a working stop"),
        pytest.param("0.05", [ours(OrderState.TRIGGERING, STOP)], False, id="a stop that is triggering"),
        pytest.param("0.05", [ours(OrderState.SUBMITTED, STOP)], True, id="a stop that was only sent"),
        pytest.param("0.05", [ours(OrderState.UNKNOWN, STOP)], True, id="a stop in doubt"),
        pytest.param("0.05", [ours(OrderState.CANCELLED, STOP)], True, id="a stop that ended"),
        pytest.param("0.05", [ours(), ours(intent=target_intent())], True, id="an entry and a target are no stop"),
    ],
)
def test_E3_missing_stop(position: str, orders: list[Order], missing: bool) -> None:  # noqa: N802
    finding = missing_stop(SYMBOL, dec(position), orders)
    if not missing:
        assert finding is None
    else:
        assert finding == Finding(
            kind=FindingKind.MISSING_STOP,
            symbol=SYMBOL,
            detail=f"position {position} has no working stop at the venue",
        )


def test_an_order_that_had_ended_for_us_and_is_listed_long_after_lives() -> None:
    ended = ours(OrderState.REJECTED, ended_ns=1 * 10**9)
    late = compare_orders({ended.client_id: ended}, [regular()], "capi", 5 * 10**9)
    assert [report.client_id for report in late.revenants] == ["capi_entry_d1"]
    soon = compare_orders({ended.client_id: ended}, [regular()], "capi", 3 * 10**9)
    assert soon.revenants == ()
    assert [report.client_id for report in soon.seen] == ["capi_entry_d1"], "a listing may lag"

"""The table of one symbol's orders: reports find their order, and each execution is booked once."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import SYMBOL, dec, entry_intent, execution, stop_intent, target_intent

from execactor.domain.order import Facts, Order, OrderEvent, OrderIntent, OrderState, OrderType, Pending
from execactor.domain.order_table import OrderTable
from execactor.domain.reports import ConditionalReport, ExecutionReport, OrderReport
from execactor.domain.side import Side


def sent(*intents: OrderIntent) -> OrderTable:
    table = OrderTable()
    for intent in intents:
        table.add(intent)
        table.apply(intent.client_id, OrderEvent.SENT, now_ns=1)
    return table


def acknowledged(intent: OrderIntent, venue_id: str = "1001") -> OrderTable:
    table = sent(intent)
    table.apply(intent.client_id, OrderEvent.ACKNOWLEDGED, now_ns=2, facts=Facts(venue_id=venue_id))
    return table


def status(event: OrderEvent, client_id: str = "capi_entry_d1", venue_id: str = "1001", **changes: Any) -> OrderReport:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "client_id": client_id,
        "venue_id": venue_id,
        "event": event,
        "side": Side.BUY,
        "order_type": "LIMIT",
        "quantity": dec("0.05"),
    }
    return OrderReport(**(fields | changes))


def algo(event: OrderEvent, client_id: str = "capi_sl_d1", venue_id: str = "5", **changes: Any) -> ConditionalReport:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "client_id": client_id,
        "venue_id": venue_id,
        "event": event,
        "side": Side.SELL,
        "order_type": OrderType.STOP_MARKET,
        "trigger_price": dec(89_800),
        "close_position": True,
    }
    return ConditionalReport(**(fields | changes))


def trade(trade_id: int = 1, *, filled: Any = "0.01", final: bool = False, **changes: Any) -> ExecutionReport:
    return ExecutionReport(execution=execution(trade_id, **changes), filled=dec(filled), final=final)


def only(table: OrderTable) -> Order:
    (order,) = table.orders.values()
    return order


def test_a_client_id_is_used_once() -> None:
    table = sent(entry_intent())
    with pytest.raises(ValueError, match="capi_entry_d1 was used before"):
        table.add(entry_intent())


def test_an_execution_is_booked_once_however_often_it_is_reported() -> None:
    table = acknowledged(entry_intent())
    first = table.execute(trade(), now_ns=3)
    again = table.execute(trade(), now_ns=4)
    assert first is not None
    assert first.execution is not None
    assert again is not None
    assert (again.execution, again.ignored) == (None, "trade 1 is booked already")
    assert only(table).filled == Decimal("0.01")


def test_executions_booked_before_a_restart_count_as_booked() -> None:
    table = OrderTable(acknowledged(entry_intent()).orders.values(), [(SYMBOL, "1")])
    again = table.execute(trade(), now_ns=3)
    assert again is not None
    assert again.execution is None


@pytest.mark.parametrize("end", [OrderEvent.CANCELLED, OrderEvent.EXPIRED, OrderEvent.REJECTED])
def test_an_execution_after_the_end_is_booked_and_told_to_be_late(end: OrderEvent) -> None:
    table = acknowledged(entry_intent())
    table.apply("capi_entry_d1", end, now_ns=3)
    change = table.execute(trade(), now_ns=4)
    assert change is not None
    assert change.late
    assert change.execution is not None
    assert (only(table).filled, only(table).live) == (Decimal("0.01"), False)


def test_an_execution_that_the_end_had_announced_is_not_late() -> None:
    table = acknowledged(entry_intent())
    table.report(status(OrderEvent.CANCELLED, filled=dec("0.01")), now_ns=3)
    assert not only(table).settled
    change = table.execute(trade(), now_ns=4)
    assert change is not None
    assert not change.late
    assert only(table).settled


def test_the_final_execution_ends_the_order() -> None:
    table = acknowledged(entry_intent())
    table.execute(trade(1, quantity="0.02", filled="0.02"), now_ns=3)
    table.execute(trade(2, quantity="0.03", filled="0.05", final=True), now_ns=4)
    assert (only(table).state, only(table).ended_ns, only(table).settled) == (OrderState.FILLED, 4, True)


def test_an_execution_that_was_skipped_shows_in_the_cumulative_quantity_of_the_next() -> None:
    table = acknowledged(entry_intent())
    table.execute(trade(2, quantity="0.03", filled="0.05", final=True), now_ns=4)
    assert not only(table).settled
    change = table.execute(trade(1, quantity="0.02", filled="0.02"), now_ns=5)
    assert change is not None
    assert not change.late
    assert only(table).settled


def test_reports_find_their_order_by_the_venues_id_when_they_name_no_client_id() -> None:
    table = acknowledged(entry_intent())
    change = table.execute(trade(client_id=""), now_ns=3)
    assert change is not None
    assert change.order.client_id == "capi_entry_d1"


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(status(OrderEvent.ACKNOWLEDGED, "web_1", "9"), id="an order of another hand"),
        pytest.param(algo(OrderEvent.ACKNOWLEDGED, "web_2"), id="a conditional order of another hand"),
    ],
)
def test_a_report_of_an_order_that_is_not_ours_changes_nothing(report: OrderReport | ConditionalReport) -> None:
    table = acknowledged(entry_intent())
    assert table.report(report, now_ns=3) is None
    assert only(table).state is OrderState.ACKNOWLEDGED


def test_an_execution_of_an_order_that_is_not_ours_is_not_booked() -> None:
    table = acknowledged(entry_intent())
    assert table.execute(trade(client_id="web_1", venue_order_id="9"), now_ns=3) is None
    assert not table.booked


def test_an_execution_tells_the_venues_id_of_an_order_whose_acknowledgement_was_lost() -> None:
    table = sent(entry_intent())
    table.execute(trade(1, client_id="capi_entry_d1"), now_ns=2)
    listed = table.execute(trade(2, client_id=""), now_ns=3)
    assert listed is not None
    assert listed.order.client_id == "capi_entry_d1"


def test_the_venue_id_of_a_conditional_order_is_of_another_namespace() -> None:
    table = acknowledged(stop_intent(), venue_id="1001")
    assert table.execute(trade(client_id="", venue_order_id="1001"), now_ns=3) is None
    assert table.report(status(OrderEvent.CANCELLED, "", "1001"), now_ns=3) is None


def test_a_report_that_was_seen_verifies_and_an_answer_does_not() -> None:
    table = acknowledged(stop_intent())
    table.report(algo(OrderEvent.ACKNOWLEDGED), now_ns=3, seen=False)
    assert not only(table).verified
    table.report(algo(OrderEvent.ACKNOWLEDGED), now_ns=4)
    assert only(table).verified


def test_a_triggered_stop_names_its_child_and_the_childs_executions_are_its_own() -> None:
    table = acknowledged(stop_intent(), "5")
    table.report(algo(OrderEvent.TRIGGERING), now_ns=3)
    table.report(algo(OrderEvent.TRIGGERED, child_id="2002"), now_ns=4)
    change = table.execute(trade(client_id="", venue_order_id="2002", side=Side.SELL, final=True), now_ns=5)
    assert change is not None
    assert change.order.client_id == "capi_sl_d1"
    assert (only(table).state, only(table).filled, only(table).child_id) == (OrderState.FILLED, Decimal("0.01"), "2002")


def test_a_childs_execution_may_come_before_the_trigger_is_reported() -> None:
    table = acknowledged(target_intent(), "5")
    table.execute(trade(client_id="capi_tp1_d1", venue_order_id="2002", side=Side.SELL), now_ns=3)
    order = only(table)
    assert (order.state, order.triggered, order.child_id) == (OrderState.PARTIALLY_FILLED, True, "2002")
    change = table.report(algo(OrderEvent.TRIGGERED, "capi_tp1_d1", child_id="2002"), now_ns=4)
    assert change is not None
    assert change.ignored == "late TRIGGERED: the order is already PARTIALLY_FILLED"


@pytest.mark.parametrize(
    ("event", "state"),
    [
        pytest.param(OrderEvent.ACKNOWLEDGED, OrderState.TRIGGERED, id="a child that is new means: triggered"),
        pytest.param(OrderEvent.PARTIALLY_FILLED, OrderState.PARTIALLY_FILLED, id="a child that trades trades for us"),
        pytest.param(OrderEvent.FILLED, OrderState.FILLED, id="a filled child fills the conditional order"),
        pytest.param(OrderEvent.CANCELLED, OrderState.CANCELLED, id="a cancelled child ends it"),
        pytest.param(OrderEvent.EXPIRED, OrderState.EXPIRED, id="an expired child ends it"),
        pytest.param(OrderEvent.REJECTED, OrderState.REJECTED, id="a refused child ends it"),
    ],
)
def test_a_child_reports_under_its_conditional_order(event: OrderEvent, state: OrderState) -> None:
    table = acknowledged(stop_intent(), "5")
    change = table.report(status(event, "capi_sl_d1", "2002", side=Side.SELL), now_ns=3)
    assert change is not None
    assert (change.order.state, change.order.triggered, change.order.child_id) == (state, True, "2002")
    assert change.order.venue_id == "5"


def test_a_stop_that_finished_with_fills_waits_for_them() -> None:
    table = acknowledged(stop_intent(), "5")
    table.report(algo(OrderEvent.FILLED, child_id="2002", executed=dec("0.05")), now_ns=3)
    assert (only(table).state, only(table).settled) == (OrderState.FILLED, False)
    table.execute(trade(client_id="", venue_order_id="2002", side=Side.SELL, quantity="0.05", filled="0.05"), now_ns=4)
    assert only(table).settled


def test_a_trade_that_was_booked_as_another_hands_is_credited_to_its_order() -> None:
    table = acknowledged(entry_intent())
    assert table.attribute(execution(1), now_ns=3).filled == Decimal("0.01")
    assert only(table).state is OrderState.PARTIALLY_FILLED
    with pytest.raises(ValueError, match="trade 2 belongs to no order of ours"):
        table.attribute(execution(2, venue_order_id="9"), now_ns=4)


def test_a_late_acknowledgement_does_not_revive_an_order_and_still_tells_its_id() -> None:
    table = sent(entry_intent())
    table.apply("capi_entry_d1", OrderEvent.CANCELLED, now_ns=2)
    change = table.apply("capi_entry_d1", OrderEvent.ACKNOWLEDGED, now_ns=3, facts=Facts(venue_id="1001"))
    assert change.ignored is not None
    assert table.owner("", "1001") is not None
    assert only(table).state is OrderState.CANCELLED


def test_a_pending_request_is_noted_and_ends_with_the_order() -> None:
    table = acknowledged(entry_intent())
    assert table.mark_pending("capi_entry_d1", Pending.CANCEL).pending is Pending.CANCEL
    table.apply("capi_entry_d1", OrderEvent.CANCELLED, now_ns=3)
    assert only(table).pending is None


def test_a_forgotten_order_is_no_ones_any_more() -> None:
    table = acknowledged(entry_intent())
    table.forget(["capi_entry_d1"])
    assert not table.orders
    assert table.owner("capi_entry_d1", "1001") is None


def test_an_event_for_an_order_that_is_not_ours_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        OrderTable().apply("capi_entry_d9", OrderEvent.CANCELLED, now_ns=1)

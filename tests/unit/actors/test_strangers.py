"""Reports and trades of no order of ours: when they are judged, and what becomes of one that was ours after all."""

from decimal import Decimal
from typing import Any

import pytest
from actor_stage import MS, SECOND, Stage, snapshot
from rule_makers import SYMBOL, execution, stop_intent
from test_order_doubts import Desk, approved, shown, shown_stop

from execactor.actors.position import Describe
from execactor.domain.fill import Origin
from execactor.domain.messages.account import EnterSafeMode
from execactor.domain.messages.orders import CancelOrder, OrderUpdate, StrayExecution, SubmitProtective
from execactor.domain.messages.reconciliation import (
    OrdersReconciled,
    PositionAdopted,
    RequestReconcile,
    SnapshotArrived,
)
from execactor.domain.order import OrderEvent, OrderState
from execactor.domain.position import Position
from execactor.domain.reports import Acknowledged, ExecutionReport, NotFound, OrderReport, Unknown
from execactor.domain.side import Side
from execactor.store.records import ExecutionAttributed, ExecutionBooked
from execactor.store.recovery import replay


def foreign(**changes: Any) -> OrderReport:
    return shown(**{"client_id": "web_1", "venue_id": "5001"} | changes)


def trade(trade_id: int = 1, **changes: Any) -> ExecutionReport:
    made = execution(trade_id, **{"venue_order_id": "5001", "client_id": "web_1"} | changes)
    return ExecutionReport(execution=made, filled=made.quantity)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk(stage)


async def stop_working(desk: Desk) -> None:
    """A conditional order of ours, whose child at the venue is not known."""
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    await desk.stage.tell(desk.ref, shown_stop())


async def test_with_nothing_of_ours_about_a_stranger_is_judged_at_once(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, foreign(), trade())
    assert [alert.code for alert in stage.alerts()] == ["FOREIGN_ORDER"]
    assert len(stage.told("position", StrayExecution)) == len(stage.told("risk", StrayExecution)) == 1
    assert len(stage.told("account", EnterSafeMode)) == 2
    assert [record.client_id for record in stage.records(ExecutionBooked)] == [""]


async def test_while_a_stop_of_ours_could_have_made_it_a_stranger_waits_a_second(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    await stage.tell(desk.ref, foreign(), trade())
    await stage.after(999 * MS)
    assert stage.alerts() == []
    assert stage.told("position", StrayExecution) == []
    await stage.after(1 * MS)
    assert [alert.code for alert in stage.alerts()] == ["FOREIGN_ORDER"]
    assert len(stage.told("position", StrayExecution)) == 1


async def test_a_stranger_that_came_a_little_later_waits_no_second_longer(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    await stage.tell(desk.ref, foreign())
    await stage.after(10 * MS)
    await stage.tell(desk.ref, trade())
    await stage.after(SECOND)
    assert len(stage.told("position", StrayExecution)) == 1


async def test_more_strangers_do_not_put_off_the_judgement_of_the_first(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    for number in range(1, 5):
        await stage.tell(desk.ref, trade(number))
        await stage.after(400 * MS)
    assert len(stage.told("position", StrayExecution)) >= 1


async def test_a_child_whose_parent_is_named_later_was_ours(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    await stage.tell(desk.ref, trade(venue_order_id="5001"))
    await stage.tell(desk.ref, shown_stop(OrderEvent.TRIGGERED, child_id="5001"))
    booked = [update for update in stage.told("position", OrderUpdate) if update.execution is not None]
    assert [update.order.client_id for update in booked] == ["capi_sl_d1"]
    await stage.after(10 * SECOND)
    assert stage.told("position", StrayExecution) == []
    assert stage.told("account", EnterSafeMode) == []


async def test_while_an_order_is_in_doubt_a_stranger_waits_three_seconds(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    await stage.tell(desk.ref, trade(venue_order_id="9001"))
    for _ in range(2):
        await stage.after(SECOND)
        assert stage.told("position", StrayExecution) == []
    await stage.after(SECOND)
    assert len(stage.told("position", StrayExecution)) == 1


async def test_an_order_that_is_found_in_time_takes_its_trade(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    await stage.tell(desk.ref, trade(venue_order_id="9001", quantity="0.05"))
    await stage.after(500 * MS)
    await stage.answer("query", shown(OrderEvent.FILLED, filled=Decimal("0.05")))
    await stage.after(3 * SECOND)
    order = await desk.order()
    assert (order.state, order.filled, order.settled) == (OrderState.FILLED, Decimal("0.05"), True)
    assert stage.told("position", StrayExecution) == []


async def test_a_trade_taken_for_another_hands_goes_to_its_order_and_moves_nothing_twice(
    stage: Stage, desk: Desk
) -> None:
    await desk.doubtful_entry()
    missed = trade(venue_order_id="9001", quantity="0.05")
    await stage.tell(desk.ref, missed)
    for _ in range(3):
        await stage.after(SECOND)
    assert len(stage.told("position", StrayExecution)) == 1
    stage.heard["position"].clear()

    await stage.answer("query", shown(OrderEvent.FILLED, filled=Decimal("0.05")))
    await stage.answer("snapshot", snapshot("0.05", trades=[missed.execution]))
    order = await desk.order()
    assert (order.filled, order.settled) == (Decimal("0.05"), True)
    assert [alert.code for alert in stage.alerts()] == ["FILL_ATTRIBUTED"]
    assert all(update.execution is None for update in stage.told("position", OrderUpdate))
    assert stage.told("position", StrayExecution) == []

    history = replay(stage.journal.rows()).symbol(SYMBOL)
    assert history.orders["capi_entry_d1"].filled == Decimal("0.05")
    assert history.position.quantity == Decimal("0.05")
    assert history.strays == set()
    assert len(stage.records(ExecutionAttributed)) == 1


async def test_a_trade_that_was_judged_is_not_judged_again(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, trade())
    for _ in range(3):
        arrived = SnapshotArrived(snapshot=snapshot(trades=[trade().execution], requested_ns=10 * SECOND))
        await stage.tell(desk.ref, arrived, trade())
        await stage.after(5 * SECOND)
    assert len(stage.told("position", StrayExecution)) == 1
    assert len(stage.records(ExecutionBooked)) == 1


async def test_while_a_trade_waits_for_its_owner_the_listed_position_is_not_judged(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    await stage.tell(desk.ref, trade())
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.01", requested_ns=0)))
    [reconciled] = stage.told("position", OrdersReconciled)
    assert (reconciled.unjudged, reconciled.quiet) == (True, False)


async def test_an_order_with_our_prefix_that_we_do_not_know_is_compared_not_feared(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, shown(client_id="capi_entry_ghost"))
    [request] = stage.told("reconciler", RequestReconcile)
    assert "capi_entry_ghost has our prefix" in request.reason
    assert stage.told("account", EnterSafeMode) == []
    listed = snapshot(orders=[shown(client_id="capi_entry_ghost")], requested_ns=10 * SECOND)
    await stage.tell(desk.ref, SnapshotArrived(snapshot=listed))
    [ref] = stage.open("cancel")
    assert ref.client_id == "capi_entry_ghost"
    assert [alert.code for alert in stage.alerts()] == ["STRAY_ORDER"]


async def test_a_stop_that_left_without_a_record_is_taken_up_before_the_position_is_looked_at(
    stage: Stage, desk: Desk
) -> None:
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, shown(OrderEvent.FILLED, filled=Decimal("0.05")))
    stop = shown_stop(client_id="capi_sl_d1", close_position=True)
    listed = snapshot("0.05", orders=[stop], requested_ns=10 * SECOND)
    await stage.tell(desk.ref, SnapshotArrived(snapshot=listed))
    assert stage.open("cancel") == []
    assert [alert.code for alert in stage.alerts()] == ["UNRECORDED_ORDER"]
    order = await desk.order("capi_sl_d1")
    assert (order.working, order.verified, order.venue_id) == (True, True, "7001")
    told = [type(message) for message in stage.heard["position"]]
    assert told.index(OrdersReconciled) > max(place for place, kind in enumerate(told) if kind is OrderUpdate)
    assert replay(stage.journal.rows()).symbol(SYMBOL).orders["capi_sl_d1"].working


async def test_an_entry_on_its_way_is_no_reason_to_wait_once_it_has_its_venue_id(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, trade())
    assert len(stage.told("position", StrayExecution)) == 1
    assert len(await stage.ask(desk.ref, Describe())) == 1


async def test_a_lost_answer_is_a_reason_to_wait(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Unknown(reason="no answer"))
    await stage.tell(desk.ref, trade())
    assert stage.told("position", StrayExecution) == []


ADOPTED = PositionAdopted(
    position=Position(symbol=SYMBOL, quantity=Decimal("0.01"), entry_price=Decimal(90_800)),
    stop_price=Decimal(89_892),
    key="orphan",
    update_time_ms=5_000,
)


@pytest.mark.parametrize(
    ("time_ms", "strays"),
    [
        pytest.param(4_000, 0, id="a trade from before the position was taken over is in it already"),
        pytest.param(5_000, 0, id="so is the one that made it"),
        pytest.param(5_001, 1, id="a later one is not"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_trade_that_an_adopted_position_holds_already_moves_nothing(
    stage: Stage, desk: Desk, time_ms: int, strays: int, *, restarted: bool
) -> None:
    stage.context.record(ADOPTED, SYMBOL)
    await stage.tell(desk.ref, ADOPTED)
    if restarted:
        await stage.tell(desk.ref, CancelOrder(client_id=[], reason="a crash"))  # type: ignore[arg-type]
    await stage.tell(desk.ref, trade(time_ms=time_ms))
    assert len(stage.told("position", StrayExecution)) == strays
    assert len(stage.told("account", EnterSafeMode)) == 1, "another hand was at work either way"
    position = replay(stage.journal.rows()).symbol(SYMBOL).position
    assert position.quantity == Decimal("0.01") * (1 + strays)


async def test_a_listing_from_before_another_hands_trade_is_outdated(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, trade(time_ms=5_000))
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=stage.clock.monotonic_ns())))
    [reconciled] = stage.told("position", OrdersReconciled)
    assert (reconciled.outdated, reconciled.quiet) == (True, False)
    assert stage.context.last_trade_ms[SYMBOL] == 5_000


# What the venue does itself, and whose trades a listing shows.


LISTED = execution(7, side=Side.SELL, venue_order_id="5001")


async def listing(stage: Stage, desk: Desk) -> None:
    arrived = SnapshotArrived(snapshot=snapshot(trades=[LISTED], requested_ns=10 * SECOND))
    await stage.tell(desk.ref, arrived)


@pytest.mark.parametrize(
    ("client_id", "origin", "safe_mode"),
    [
        ("autoclose-1591702613943", Origin.LIQUIDATION, True),
        ("adl_autoclose", Origin.DELEVERAGING, False),
        ("settlement_autoclose-1", Origin.SETTLEMENT, False),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
async def test_a_trade_that_the_venue_made_itself_is_booked_and_named(
    stage: Stage, desk: Desk, client_id: str, origin: Origin, *, safe_mode: bool, listed: bool
) -> None:
    if listed:
        await listing(stage, desk)
        assert stage.told("position", StrayExecution) == []
        await stage.answer("query", foreign(client_id=client_id, origin=origin))
    else:
        await stage.tell(desk.ref, foreign(client_id=client_id, origin=origin))
        await stage.tell(desk.ref, trade(7, side=Side.SELL, client_id=client_id, origin=origin))
    [stray] = stage.told("position", StrayExecution)
    assert (stray.execution.origin, stray.execution.client_id) == (origin, client_id)
    assert len(stage.told("risk", StrayExecution)) == len(stage.records(ExecutionBooked)) == 1
    assert stage.alerts("FOREIGN_ORDER") == []
    assert len(stage.told("account", EnterSafeMode)) == safe_mode


async def test_what_the_venue_does_itself_does_not_wait_for_a_child_of_ours(stage: Stage, desk: Desk) -> None:
    await stop_working(desk)
    await stage.tell(desk.ref, trade(client_id="adl_autoclose", origin=Origin.DELEVERAGING))
    assert len(stage.told("position", StrayExecution)) == 1


async def test_a_listed_trade_of_an_order_whose_venue_id_we_never_learned_is_ours(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Unknown(reason="timeout"))
    await stage.answer("query", NotFound())
    made = execution(7, quantity="0.05", venue_order_id="5001")
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", trades=[made])))
    for _ in range(4):
        await stage.after(SECOND)
    ours = shown(OrderEvent.FILLED, venue_id="5001", filled=Decimal("0.05"))
    for subject, answer in stage.venue.asked["query"]:
        if subject.child and not answer.done():
            answer.set_result(ours)
    await stage.settle()
    assert (await desk.order()).filled == Decimal("0.05")
    assert stage.told("position", StrayExecution) == []
    assert stage.told("account", EnterSafeMode) == []


@pytest.mark.parametrize("answer", [Unknown(reason="503"), NotFound(), RuntimeError("a bug in the adapter")])
async def test_a_listed_trade_that_the_venue_does_not_name_is_another_hands(
    stage: Stage, desk: Desk, answer: Any
) -> None:
    await listing(stage, desk)
    await stage.answer("query", answer)
    assert len(stage.told("position", StrayExecution)) == 1
    assert "not ours" in stage.told("account", EnterSafeMode)[0].reason


async def test_a_question_whose_answer_is_lost_holds_a_trade_for_a_second(stage: Stage, desk: Desk) -> None:
    await listing(stage, desk)
    await stage.after(999 * MS)
    assert stage.told("position", StrayExecution) == []
    await stage.after(MS)
    assert len(stage.told("position", StrayExecution)) == 1
    await stage.answer("query", foreign())
    assert len(stage.told("position", StrayExecution)) == 1, "a late answer books nothing twice"

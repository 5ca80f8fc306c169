"""PositionActor and RiskActor around their machines: restarts, comparisons, and what counts once."""

from decimal import Decimal
from typing import Any

import pytest
from actor_stage import MS, SECOND, START_NS, Stage
from rule_makers import SYMBOL, entry_intent, execution

from execactor.actors.context import Ref
from execactor.actors.position import Describe, PositionActor, PositionView
from execactor.actors.risk import RiskActor, WalletKnown
from execactor.domain.account import EngineState, VenuePosition
from execactor.domain.decision import parse_decision
from execactor.domain.messages.account import EngineStateChanged, EnterSafeMode
from execactor.domain.messages.decisions import DecisionReceived, PlanAccepted
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import (
    EntryRefused,
    OrderUpdate,
    RequestApproval,
    StrayExecution,
    SubmitApproved,
    SubmitProtective,
)
from execactor.domain.messages.reconciliation import (
    OrdersReconciled,
    PositionAdopted,
    PositionCorrected,
    RequestReconcile,
    SymbolReconciled,
)
from execactor.domain.order import Order, OrderState, Role, book
from execactor.store.records import ExecutionBooked, IntentRecorded, OrderChanged

POISON = RequestReconcile(reason="not for a position actor: it fails at that")
RUNNING = EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason="")


def decided() -> DecisionReceived:
    from test_decision_source import body

    decision = parse_decision(body("d1", position_size_usdt=4_600), START_NS // MS)
    return DecisionReceived(decision=decision, received_ns=1)  # type: ignore[arg-type]


def compared(quantity: Any = 0, **changes: Any) -> OrdersReconciled:
    fields: dict[str, Any] = {"findings": (), "outdated": False, "quiet": True}
    held = VenuePosition(symbol=SYMBOL, quantity=Decimal(str(quantity)), entry_price=Decimal(90_800), update_time_ms=7)
    return OrdersReconciled(position=held, **fields | changes)


def filled(quantity: str = "0.05") -> tuple[ExecutionBooked, OrderUpdate]:
    """What the journal and the actors are told of a fill of the entry."""
    traded = execution(1, quantity=quantity, venue_order_id="9001")
    order = book(Order(intent=entry_intent(), state=OrderState.ACKNOWLEDGED), traded, now_ns=SECOND)
    return ExecutionBooked(client_id=order.client_id, execution=traded), OrderUpdate(order=order, execution=traded)


def stops(stage: Stage) -> list[SubmitProtective]:
    return [each for each in stage.told("order", SubmitProtective) if each.intent.role is Role.STOP]


async def view(stage: Stage, position: Ref) -> PositionView:
    found: PositionView = await stage.ask(position, Describe())
    return found


@pytest.fixture
async def position(stage: Stage) -> Ref:
    """A position actor whose orders were compared once, so that it acts."""
    ref = stage.play(PositionActor, SYMBOL, at="position")
    await stage.tell(ref, RUNNING, compared())
    return ref


async def entered(stage: Stage, position: Ref) -> None:
    """A decision taken up, its entry sent and filled."""
    await stage.tell(position, decided())
    [request] = stage.told("risk", RequestApproval)
    assert request.intent.client_id == "capi_entry_d1"
    stage.context.record(IntentRecorded(intent=request.intent, epoch=0), "capi_entry_d1")


async def test_until_orders_are_compared_it_only_observes(stage: Stage) -> None:
    ref = stage.play(PositionActor, SYMBOL, at="position")
    await stage.tell(ref, RUNNING, decided())
    await stage.after(10 * SECOND)
    assert stage.told("risk", RequestApproval) == []
    await stage.tell(ref, compared())
    assert len(stage.told("risk", RequestApproval)) == 1


async def test_a_fill_that_waited_for_a_restart_counts_once(stage: Stage, position: Ref) -> None:
    await entered(stage, position)
    record, update = filled()
    position.tell(POISON)  # the fill waits behind it
    stage.context.record(record, "capi_entry_d1")
    position.tell(update)
    await stage.settle()
    assert (await view(stage, position)).position.quantity == Decimal("0.05")
    await stage.tell(position, update)
    assert (await view(stage, position)).position.quantity == Decimal("0.05")


async def test_a_trade_of_another_hand_that_waited_for_a_restart_counts_once(stage: Stage, position: Ref) -> None:
    traded = execution(9, quantity="0.02", venue_order_id="5001")
    position.tell(POISON)
    stage.context.record(ExecutionBooked(client_id="", execution=traded), SYMBOL)
    await stage.tell(position, StrayExecution(execution=traded))
    assert (await view(stage, position)).position.quantity == Decimal("0.02")


async def test_a_restarted_actor_protects_what_the_journal_tells_it_to(stage: Stage, position: Ref) -> None:
    await entered(stage, position)
    record, update = filled()
    stage.context.record(record, "capi_entry_d1")
    stage.context.record(OrderChanged(order=update.order), "capi_entry_d1")
    position.tell(object())
    await stage.settle()
    assert stage.told("reconciler", RequestReconcile)
    await stage.tell(position, compared("0.05"))
    await stage.after(SECOND)
    assert stops(stage)


async def test_a_position_that_the_venue_states_gets_its_stop_before_its_fill_is_known(
    stage: Stage, position: Ref
) -> None:
    await entered(stage, position)
    await stage.tell(position, compared("0.05", unjudged=True, quiet=False))
    assert len(stops(stage)) == 1
    assert stage.told("reconciler", SymbolReconciled)[-1].settled is False


async def test_a_listing_older_than_our_last_fill_moves_nothing(stage: Stage, position: Ref) -> None:
    await stage.tell(position, compared("0.05", outdated=True))
    assert stage.records(PositionAdopted) == []
    assert stage.told("reconciler", SymbolReconciled)[-1].settled is False


async def test_an_orphan_is_adopted_with_a_stop(stage: Stage, position: Ref) -> None:
    await stage.tell(position, compared("-0.05"))
    [adopted] = stage.records(PositionAdopted)
    assert adopted.stop_price == Decimal("91708.0")
    assert adopted.update_time_ms == 7
    assert stage.told("order", PositionAdopted) == [adopted]
    [stop] = stops(stage)
    assert (stop.intent.trigger_price, stop.intent.close_position) == (Decimal("91708.0"), True)
    assert stage.told("risk", PositionAdopted) == [adopted]
    assert "adopting a position of -0.05" in stage.told("account", EnterSafeMode)[0].reason
    assert [alert.code for alert in stage.alerts()] == ["ORPHAN_POSITION"]


async def test_an_orphan_whose_trades_we_booked_is_adopted_too(stage: Stage, position: Ref) -> None:
    await stage.tell(position, StrayExecution(execution=execution(9, quantity="0.05", venue_order_id="5001")))
    await stage.tell(position, compared("0.05"))
    assert len(stage.records(PositionAdopted)) == 1
    assert len(stops(stage)) == 1
    assert (await view(stage, position)).position.quantity == Decimal("0.05"), "not twice"


async def test_a_difference_is_corrected_only_when_it_persists_and_all_is_quiet(stage: Stage, position: Ref) -> None:
    await entered(stage, position)
    await stage.tell(position, filled()[1])
    for message in (compared("0.03"), compared("0.02"), compared("0.02", quiet=False)):
        await stage.tell(position, message)
        assert stage.records(PositionCorrected) == []
    await stage.tell(position, compared("0.02"))
    [corrected] = stage.records(PositionCorrected)
    assert corrected.position.quantity == Decimal("0.02")
    assert (await view(stage, position)).position.quantity == Decimal("0.02")


async def test_an_entry_that_risk_refuses_is_written_down(stage: Stage, position: Ref) -> None:
    await stage.tell(position, decided())
    await stage.tell(position, EntryRefused(client_id="capi_entry_d1", reason="notional_exceeded: too much"))
    [record] = stage.records(OrderChanged)
    assert (record.order.state, record.order.reason) == (OrderState.REJECTED, "notional_exceeded: too much")


async def test_a_decision_that_came_a_thousand_times_is_taken_up_once(stage: Stage, position: Ref) -> None:
    for _ in range(1_000):
        position.tell(decided())
    await stage.settle()
    assert len(stage.records(PlanAccepted)) == 1
    assert len(stage.told("risk", RequestApproval)) == 1


# RiskActor


@pytest.fixture
async def risk(stage: Stage) -> Ref:
    ref = stage.play(RiskActor, at="risk")
    mark = MarkUpdate(symbol=SYMBOL, price=Decimal(90_800), low=Decimal(90_800), high=Decimal(90_800))
    await stage.tell(ref, mark, WalletKnown(Decimal(10_000)))
    return ref


async def test_an_approval_is_for_one_order_of_this_epoch(stage: Stage, risk: Ref) -> None:
    request = RequestApproval(intent=entry_intent())
    await stage.tell(risk, request)
    [approved] = stage.told("order", SubmitApproved)
    assert (approved.token.client_id, approved.token.epoch) == ("capi_entry_d1", 0)
    await stage.tell(risk, request)
    assert len(stage.told("order", SubmitApproved)) == 1
    assert "already_approved" in stage.told("position", EntryRefused)[0].reason


async def test_a_fill_that_waited_for_risks_restart_counts_once(stage: Stage, risk: Ref) -> None:
    record, update = filled()
    risk.tell(PositionAdopted(position=None, stop_price=Decimal(1), key=""))  # type: ignore[arg-type]
    stage.context.record(IntentRecorded(intent=entry_intent(), epoch=0), "capi_entry_d1")
    stage.context.record(record, "capi_entry_d1")
    risk.tell(update)
    await stage.tell(risk, MarkUpdate(symbol=SYMBOL, price=Decimal(90_900), low=Decimal(1), high=Decimal(1)))
    await stage.tell(risk, WalletKnown(Decimal(10_000)))
    assert stage.context.view.unrealized_pnl == Decimal(5), "0.05 that gained 100"

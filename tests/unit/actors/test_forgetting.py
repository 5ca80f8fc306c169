"""What an engine that runs for weeks keeps in memory: the last day, and whatever still goes on."""

from pathlib import Path
from typing import Any

import pytest
from actor_stage import MS, SECOND, START_NS, Stage
from rule_makers import SYMBOL, entry_intent, execution, order, stop_intent
from test_decision_source import body
from test_order_doubts import ENTRY, STOP, Desk, approved, shown, shown_stop
from test_position_actor import compared

from execactor.actors.alert import REPEAT_NS, AlertActor
from execactor.actors.decision_source import DecisionSourceActor, Look
from execactor.actors.position import Describe, PositionActor
from execactor.actors.risk import RiskActor
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanStarted, TradeClosed
from execactor.domain.messages.orders import ExecutionsForgotten, OrderUpdate, SubmitProtective
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import OrderEvent, OrderState
from execactor.domain.plan import Plan
from execactor.domain.reports import Acknowledged, ExecutionReport
from execactor.domain.side import Side
from execactor.performance import Performance
from execactor.store.records import IntentRecorded, OrderChanged
from execactor.store.recovery import RECENT, fold

HOUR = 3_600 * SECOND


def fill(stage: Stage, trade_id: int = 1, quantity: str = "0.05", client_id: str = ENTRY) -> ExecutionReport:
    """An execution of now."""
    now_ms = stage.clock.now_ns() // MS
    one = execution(trade_id, quantity=quantity, client_id=client_id, venue_order_id="9001", time_ms=now_ms)
    return ExecutionReport(execution=one, filled=one.quantity, final=True)


def plan(key: str = "d1") -> Plan:
    return Plan(
        key=key,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=entry_intent().quantity or 0,  # type: ignore[arg-type]
        entry_price=None,
        stop_price=None,
        valid_until_ms=0,
        timestamp_ms=START_NS // MS,
        body_hash="body",
    )


@pytest.fixture
async def desk(stage: Stage) -> Desk:
    """An order actor whose entry was filled."""
    desk = Desk(stage)
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, fill(stage))
    assert (await desk.order()).state is OrderState.FILLED
    return desk


async def later(stage: Stage, hours: int) -> None:
    for _ in range(hours):
        await stage.after(HOUR)


def keys(stage: Stage) -> set[tuple[str, str]]:
    return set(stage.context.recovered.symbol(SYMBOL).booked)


async def names(stage: Stage, desk: Desk) -> list[str]:
    return [each.client_id for each in await stage.ask(desk.ref, Describe())]


async def test_an_ended_order_its_times_and_its_executions_are_known_for_a_day(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, fill(stage))
    await later(stage, 23)
    await stage.tell(desk.ref, fill(stage))
    assert stage.told("position", RequestReconcile) == []
    assert await names(stage, desk) == [ENTRY]


async def test_after_a_day_all_of_it_is_forgotten_and_the_others_are_told(stage: Stage, desk: Desk) -> None:
    old = set(keys(stage))
    await later(stage, 25)
    await stage.tell(desk.ref, fill_of_another_order(stage))
    await later(stage, 1)
    history = stage.context.recovered.symbol(SYMBOL)
    assert await names(stage, desk) == []
    assert (history.orders, history.sent_wall_ns, history.ended_wall_ns) == ({}, {}, {})
    assert keys(stage).isdisjoint(old)
    assert [told.keys for told in stage.told("position", ExecutionsForgotten)] == [frozenset(old)]
    assert [told.keys for told in stage.told("risk", ExecutionsForgotten)] == [frozenset(old)]


def fill_of_another_order(stage: Stage) -> ExecutionReport:
    """A later trade in the symbol: the venue is asked for trades from that one on."""
    return fill(stage, 2, client_id="someone")


async def test_trades_since_the_last_one_are_asked_for_so_their_keys_stay(stage: Stage, desk: Desk) -> None:
    await later(stage, 240)
    assert keys(stage) == {(SYMBOL, "1")}


async def test_trades_since_an_open_stop_was_sent_may_be_asked_for_so_their_keys_stay(stage: Stage, desk: Desk) -> None:
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    await stage.tell(desk.ref, shown_stop())
    await later(stage, 48)
    await stage.tell(desk.ref, fill_of_another_order(stage))
    await later(stage, 1)
    assert (SYMBOL, "1") in keys(stage)
    assert await names(stage, desk) == [STOP]


async def test_the_present_plan_keeps_its_orders_and_executions_for_a_restart(stage: Stage) -> None:
    stage.context.record(PlanAccepted(plan=plan()), SYMBOL)
    stage.context.record(PlanStarted(key="d1", symbol=SYMBOL), SYMBOL)
    desk = Desk(stage)
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, fill(stage))
    await later(stage, 72)
    await stage.tell(desk.ref, fill_of_another_order(stage))
    await later(stage, 1)
    history = stage.context.recovered.symbol(SYMBOL)
    assert list(history.orders) == [ENTRY]
    assert [trade.trade_id for _, trade in stage.context.executions_of(SYMBOL)] == ["1"]
    assert (SYMBOL, "1") in keys(stage)

    stage.context.record(PlanEnded(key="d1", symbol=SYMBOL, reason="", entered=True), SYMBOL)
    await later(stage, 1)
    assert (history.orders, history.executions, history.plans) == ({}, [], {})
    assert (SYMBOL, "1") not in keys(stage)


@pytest.mark.parametrize(("hours", "known"), [(23, [ENTRY]), (25, [])])
async def test_an_order_that_ended_a_day_before_the_start_is_no_tombstone_any_more(
    stage: Stage, hours: int, known: list[str]
) -> None:
    stage.context.record(IntentRecorded(intent=entry_intent(), epoch=0), ENTRY)
    stage.context.record(OrderChanged(order=order(OrderState.CANCELLED)), ENTRY)
    stage.clock.advance(hours * HOUR)
    desk = Desk(stage)
    await stage.settle()
    assert await names(stage, desk) == known


@pytest.mark.parametrize("actor", [RiskActor, PositionActor])
async def test_who_is_told_of_it_forgets_executions_too(stage: Stage, actor: Any) -> None:
    ref = stage.play(actor) if actor is RiskActor else stage.play(actor, SYMBOL, at="position")
    if actor is PositionActor:
        await stage.tell(ref, compared())
    one = execution(1)
    await stage.tell(ref, OrderUpdate(order=order(OrderState.FILLED), execution=one))
    instance = ref._cell.actor
    assert instance.told == {one.key}
    await stage.tell(ref, ExecutionsForgotten(frozenset({one.key})))
    assert instance.told == set()


async def test_alerts_that_may_be_shown_again_are_forgotten(stage: Stage) -> None:
    ref = stage.play(AlertActor, at="alert")
    for number in range(50):
        await stage.tell(ref, Alert(level=AlertLevel.WARNING, code="C", text=f"number {number}"))
        await stage.after(REPEAT_NS // 10)
    assert len(ref._cell.actor.last_ns) <= 11


async def test_decision_files_that_are_gone_are_forgotten(stage: Stage, tmp_path: Path) -> None:
    directory = tmp_path / "decisions"
    directory.mkdir()
    ref = stage.play(DecisionSourceActor, directory, 250 * MS)
    for number in range(20):
        file = directory / f"{number}.json"
        file.write_bytes(body(f"d{number}"))
        await stage.tell(ref, Look())
        file.unlink()
    await stage.tell(ref, Look())
    assert ref._cell.actor.seen == {}


def closed(number: int) -> TradeClosed:
    figures: dict[str, Any] = dict.fromkeys(("quantity", "entry_price", "exit_price", "pnl", "commission"), 1)
    return TradeClosed(
        key=f"d{number}", symbol=SYMBOL, side=Side.BUY, outcome="tp2", fills=2, opened_ns=1, closed_ns=2, **figures
    )


def test_the_newest_trades_are_kept_for_people(stage: Stage) -> None:
    performance = Performance()
    for number in range(RECENT + 5):
        fold(stage.context.recovered, closed(number), 1)
        performance.on_record(closed(number))
    for trades in (performance.trades, stage.context.recovered.trades):
        assert (len(trades), trades[0].key, trades[-1].key) == (RECENT, "d5", f"d{RECENT + 4}")


def test_filled_entries_are_remembered_as_long_as_their_slippage_counts() -> None:
    performance = Performance()
    for number in range(1_500):
        intent = entry_intent(f"capi_entry_d{number}")
        whole = order(OrderState.FILLED, intent, filled=intent.quantity, quote_filled=(intent.quantity or 0) * 90_900)
        performance.on_record(OrderChanged(order=whole))
        performance.on_record(OrderChanged(order=whole))
    assert len(performance._filled) == 1_000
    assert len(performance._slippage_percent) == 1_000


async def test_late_events_of_a_known_order_still_count(stage: Stage, desk: Desk) -> None:
    """The counterpart: within the day nothing of it is forgotten."""
    await later(stage, 20)
    await stage.tell(desk.ref, shown(OrderEvent.CANCELLED))
    assert (await desk.order()).state is OrderState.FILLED

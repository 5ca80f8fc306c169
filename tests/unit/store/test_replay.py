"""Replay: what the journal tells of orders, positions, plans and the engine after any end of the process."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from rule_makers import SYMBOL, dec, entry_intent, execution, order, stop_intent

from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert, AlertLevel, EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanStarted, TradeClosed
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected
from execactor.domain.order import OrderState, Pending
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.store.journal import JournalRow
from execactor.store.records import (
    EquityMarked,
    ExecutionAttributed,
    ExecutionBooked,
    IntentRecorded,
    OrderChanged,
    Record,
)
from execactor.store.recovery import Recovered, SymbolHistory, replay

SECOND = 1_000_000_000
BUY, SELL = Side.BUY, Side.SELL


def replayed(*records: Record) -> Recovered:
    return replay(_rows(records))


def _rows(records: Iterable[Record]) -> list[JournalRow]:
    return [JournalRow(seq, seq * SECOND, "", "", record) for seq, record in enumerate(records, start=1)]


def history(*records: Record) -> SymbolHistory:
    return replayed(*records).symbol(SYMBOL)


def intent(client_id: str = "capi_entry_d1", **changes: Any) -> IntentRecorded:
    return IntentRecorded(intent=entry_intent(client_id, **changes), epoch=0)


def changed(state: OrderState, **changes: Any) -> OrderChanged:
    return OrderChanged(order=order(state, **changes))


def traded(trade_id: int = 1, side: Side = BUY, quantity: Any = "0.01", price: Any = 90_800, **more: Any) -> Any:
    one = execution(trade_id, side, quantity, price, client_id="capi_entry_d1", **more)
    return ExecutionBooked(client_id="capi_entry_d1", execution=one)


def stray(trade_id: int, side: Side, price: Any) -> ExecutionBooked:
    return ExecutionBooked(client_id="", execution=execution(trade_id, side, "0.01", price, commission=1))


def plan(key: str = "d1") -> Plan:
    return Plan(
        key=key,
        symbol=SYMBOL,
        side=BUY,
        quantity=dec("0.05"),
        entry_price=dec(90_800),
        stop_price=dec(89_800),
        valid_until_ms=2,
        timestamp_ms=1,
        body_hash=f"body of {key}",
    )


def begun(key: str = "d1") -> list[Record]:
    return [PlanAccepted(plan=plan(key)), PlanStarted(key=key, symbol=SYMBOL)]


def ended(key: str = "d1") -> PlanEnded:
    return PlanEnded(key=key, symbol=SYMBOL, reason="stopped", entered=True)


def closed(key: str = "d1") -> TradeClosed:
    return TradeClosed(
        key=key,
        symbol=SYMBOL,
        side=BUY,
        quantity=dec("0.01"),
        entry_price=dec(90_800),
        exit_price=dec(90_900),
        pnl=dec(1),
        commission=dec(0),
        outcome="tp1",
        fills=2,
        opened_ns=1,
        closed_ns=2,
    )


@pytest.mark.parametrize(
    ("records", "state"),
    [
        pytest.param([intent()], OrderState.UNKNOWN, id="an intent without an answer: only the venue knows"),
        pytest.param([intent(), changed(OrderState.SUBMITTED)], OrderState.UNKNOWN, id="an order on its way"),
        pytest.param([intent(), changed(OrderState.UNKNOWN)], OrderState.UNKNOWN, id="an order in doubt"),
        pytest.param([intent(), changed(OrderState.ACKNOWLEDGED)], OrderState.ACKNOWLEDGED, id="an order that rests"),
        pytest.param([intent(), changed(OrderState.REJECTED)], OrderState.REJECTED, id="an order that was refused"),
        pytest.param(
            [intent(), traded(quantity="0.01")], OrderState.PARTIALLY_FILLED, id="killed between a fill and its status"
        ),
        pytest.param([intent(), traded(quantity="0.05")], OrderState.FILLED, id="killed after the last fill"),
        pytest.param(
            [intent(), traded(), changed(OrderState.CANCELLED)], OrderState.CANCELLED, id="cancelled after a fill"
        ),
        pytest.param(
            [intent(), changed(OrderState.CANCELLED), traded()], OrderState.CANCELLED, id="a fill after the end"
        ),
        pytest.param(
            [intent(), changed(OrderState.ACKNOWLEDGED), intent()],
            OrderState.ACKNOWLEDGED,
            id="an intent that is recorded twice",
        ),
    ],
)
def test_state_of_an_order(records: list[Record], state: OrderState) -> None:
    assert history(*records).orders["capi_entry_d1"].state is state


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([traded(1), changed(OrderState.PARTIALLY_FILLED, filled=dec("0.01"))], id="fill, then status"),
        pytest.param([changed(OrderState.PARTIALLY_FILLED, filled=dec("0.01")), traded(1)], id="status, then fill"),
        pytest.param([traded(1), traded(1)], id="the same fill twice"),
        pytest.param([traded(1), changed(OrderState.ACKNOWLEDGED)], id="an older status after the fill"),
    ],
)
def test_a_fill_counts_once_in_any_order_of_records(records: list[Record]) -> None:
    told = history(intent(), *records)
    only = told.orders["capi_entry_d1"]
    assert (only.filled, only.quote_filled) == (dec("0.01"), dec(908))
    assert (told.position.quantity, told.fills) == (dec("0.01"), 1)
    assert set(told.booked) == {(SYMBOL, "1")}


def test_what_the_venue_told_of_an_order_is_kept_and_times_of_the_old_process_are_not() -> None:
    record = changed(
        OrderState.TRIGGERED,
        intent=stop_intent(),
        venue_id="5",
        child_id="2002",
        verified=True,
        triggered=True,
        venue_filled=dec("0.05"),
        pending=Pending.CANCEL,
        acknowledged_ns=99,
        sent_ns=98,
    )
    told = history(IntentRecorded(intent=stop_intent(), epoch=0), record).orders["capi_sl_d1"]
    assert (told.venue_id, told.child_id, told.verified, told.triggered) == ("5", "2002", True, True)
    assert told.venue_filled == dec("0.05")
    assert (told.pending, told.acknowledged_ns, told.ended_ns) == (None, 0, 0)
    assert told.sent_ns > 0  # it was sent once, so that its absence from a listing means something


def test_when_an_intent_was_journaled_is_known_for_the_question_about_it() -> None:
    assert history(*begun(), intent()).sent_wall_ns == {"capi_entry_d1": 3 * SECOND}


@pytest.mark.parametrize(
    ("records", "running", "waiting", "done"),
    [
        pytest.param([], None, None, [], id="nothing"),
        pytest.param([PlanAccepted(plan=plan())], None, "d1", ["d1"], id="killed between acceptance and start"),
        pytest.param(begun(), "d1", None, ["d1"], id="started"),
        pytest.param([*begun(), ended()], None, None, ["d1"], id="ended"),
        pytest.param([*begun(), closed()], None, None, ["d1"], id="killed between the trade's end and the plan's"),
        pytest.param([*begun(), PlanAccepted(plan=plan("d2"))], "d1", "d2", ["d1", "d2"], id="another one waits"),
        pytest.param(
            [*begun(), PlanAccepted(plan=plan("d2")), PlanAccepted(plan=plan("d3"))],
            "d1",
            "d3",
            ["d1", "d2", "d3"],
            id="the newest waits",
        ),
        pytest.param(
            [*begun(), PlanAccepted(plan=plan("d2")), ended("d2")],
            "d1",
            None,
            ["d1", "d2"],
            id="the waiting one was dropped",
        ),
        pytest.param(
            [*begun(), PlanAccepted(plan=plan("d2")), ended()],
            None,
            "d2",
            ["d1", "d2"],
            id="killed between one plan's end and the next one's start",
        ),
        pytest.param([*begun(), ended(), *begun("d2")], "d2", None, ["d1", "d2"], id="one after the other"),
    ],
)
def test_plans(records: list[Record], running: str | None, waiting: str | None, done: list[str]) -> None:
    told = history(*records)
    assert (told.plan.key if told.plan is not None else None) == running
    assert (told.queued.key if told.queued is not None else None) == waiting
    assert told.done == {key: f"body of {key}" for key in done}


@pytest.mark.parametrize(
    ("records", "quantity", "entry", "realized"),
    [
        pytest.param([*begun(), intent(), traded(1)], "0.01", 90_800, 0, id="an open position"),
        pytest.param(
            [*begun(), intent(), traded(1), traded(2, SELL, "0.01", 90_900)], 0, 0, 1, id="closed, its books still open"
        ),
        pytest.param(
            [*begun(), intent(), traded(1), traded(2, SELL, "0.01", 90_900), ended()],
            0,
            0,
            0,
            id="closed and done with",
        ),
        pytest.param(
            [*begun(), intent(), traded(1), traded(2, SELL, "0.01", 90_900), closed()], 0, 0, 0, id="its books closed"
        ),
        pytest.param([*begun(), intent(), traded(1), ended("d9")], "0.01", 90_800, 0, id="the end of another plan"),
        pytest.param([stray(1, BUY, 90_000)], "0.01", 90_000, 0, id="a trade of another hand"),
    ],
)
def test_positions(records: list[Record], quantity: Any, entry: Any, realized: Any) -> None:
    position = history(*records).position
    assert (position.quantity, position.entry_price, position.realized_pnl) == (
        dec(quantity),
        dec(entry),
        dec(realized),
    )


@pytest.mark.parametrize("kind", ["adopted", "corrected"])
def test_what_the_venue_states_of_a_position_replaces_size_and_price_and_keeps_what_was_earned(kind: str) -> None:
    seen = Position(symbol=SYMBOL, quantity=dec("-0.02"), entry_price=dec(91_000))
    statement = (
        PositionAdopted(position=seen, stop_price=dec(92_000), key="o1")
        if kind == "adopted"
        else PositionCorrected(position=seen, reason="the venue is right")
    )
    position = history(*begun(), intent(), traded(1, commission=2), traded(2, SELL, "0.01", 90_900), statement).position
    assert position == msgspec.structs.replace(seen, realized_pnl=dec(1), commission=dec(2))


def test_what_another_hand_won_before_a_plan_is_not_the_plans() -> None:
    told = history(stray(8, BUY, 90_000), stray(9, SELL, 95_000), *begun(), intent(), traded(1))
    assert (told.position.realized_pnl, told.position.commission, told.fills) == (0, 0, 1)


def test_fills_are_those_of_the_present_plan() -> None:
    assert history(*begun(), intent(), traded(1), traded(2, SELL), ended(), *begun("d2")).fills == 0


def test_a_trade_taken_for_another_hands_goes_to_its_order_once_and_moves_the_position_once() -> None:
    found = ExecutionAttributed(client_id="capi_entry_d1", execution=stray(8, BUY, 90_000).execution)
    told = replayed(intent(), stray(8, BUY, 90_000), found, found)
    seen = told.symbol(SYMBOL)
    assert seen.orders["capi_entry_d1"].filled == seen.position.quantity == dec("0.01")
    assert seen.strays == set()
    assert [client_id for client_id, _ in told.executions] == ["capi_entry_d1"]


def test_trades_of_other_hands_are_remembered_as_such() -> None:
    assert history(intent(), stray(8, BUY, 90_000), traded(1)).strays == {(SYMBOL, "8")}


def engine(state: EngineState, epoch: int, reason: str = "") -> EngineStateChanged:
    return EngineStateChanged(state=state, epoch=epoch, reason=reason)


@pytest.mark.parametrize(
    ("records", "state", "epoch"),
    [
        pytest.param([], None, 0, id="a new journal"),
        pytest.param([engine(EngineState.RUNNING, 0)], EngineState.RUNNING, 0, id="running"),
        pytest.param(
            [engine(EngineState.RUNNING, 0), engine(EngineState.HALTED, 1)], EngineState.HALTED, 1, id="killed"
        ),
        pytest.param(
            [engine(EngineState.HALTED, 2), engine(EngineState.RUNNING, 1)],
            EngineState.RUNNING,
            2,
            id="an epoch never goes back",
        ),
    ],
)
def test_engine(records: list[Record], state: EngineState | None, epoch: int) -> None:
    told = replayed(*records)
    assert (told.engine, told.epoch) == (state, epoch)


def test_the_reason_for_a_stop_is_remembered() -> None:
    assert replayed(engine(EngineState.SAFE_MODE, 0, "a surprise")).engine_reason == "a surprise"


def test_equity_marks_trades_and_executions_are_remembered() -> None:
    mark = EquityMarked(day=2, day_start=dec(9_000), peak=dec(10_000))
    alert = Alert(level=AlertLevel.INFO, code="X", text="only for people")
    told = replayed(EquityMarked(day=1, day_start=dec(1), peak=dec(1)), mark, closed(), traded(1), alert)
    assert (told.equity, list(told.trades)) == (mark, [closed()])
    assert [(client_id, one.trade_id) for client_id, one in told.executions] == [("capi_entry_d1", "1")]


def test_symbols_have_histories_of_their_own() -> None:
    other = ExecutionBooked(client_id="", execution=execution(1, symbol="ETHUSDT", quantity=3))
    told = replayed(intent(), traded(1), other)
    assert told.symbol("ETHUSDT").position.quantity == 3
    assert told.symbol(SYMBOL).position.quantity == dec("0.01")
    assert told.symbol("SOLUSDT").orders == {}


def test_the_last_trade_time_is_where_missed_trades_are_looked_for() -> None:
    assert history(intent(), traded(1, time_ms=50), traded(2, time_ms=40)).last_trade_ms == 50

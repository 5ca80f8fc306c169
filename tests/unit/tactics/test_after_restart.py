"""What the machine makes of a journal after a restart: what was asked for goes on, and nothing is believed unseen."""

from typing import Any

import pytest
from rule_makers import BTC, entry_intent, execution, exit_intent, order, stop_intent
from trading_desk import SECOND, asked, plan

from execactor.actors.position import restored
from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanStarted
from execactor.domain.order import Order, OrderState
from execactor.domain.plan import Plan
from execactor.domain.side import Side
from execactor.store.journal import JournalRow
from execactor.store.records import ExecutionBooked, IntentRecorded, OrderChanged, Record
from execactor.store.recovery import SymbolHistory, replay
from execactor.tactics.position import Tick, fresh, step
from execactor.tactics.trade import Effect, TradePolicy, TradeState

WALL_NS = 1_795_000_000 * SECOND
NOW_NS = 1_000 * SECOND


def history(*records: Record) -> SymbolHistory:
    rows = [JournalRow(seq, WALL_NS, "", "", record) for seq, record in enumerate(records, start=1)]
    return replay(rows).symbol("BTCUSDT")


def started(one: Plan) -> list[Record]:
    return [PlanAccepted(plan=one), PlanStarted(key=one.key, symbol=one.symbol)]


def sent(one: Order) -> list[Record]:
    return [IntentRecorded(intent=one.intent, epoch=0), OrderChanged(order=one)]


def lasting(key: str, side: Side = Side.BUY, **changes: Any) -> Plan:
    return plan(key, side, valid_until_ms=WALL_NS // 1_000_000 + 60_000, **changes)


HELD = [
    *started(lasting("d1")),
    *sent(order(OrderState.FILLED, entry_intent(), venue_id="1001")),
    ExecutionBooked(client_id="capi_entry_d1", execution=execution(quantity="0.05")),
]


def after_restart(*records: Record) -> TradeState:
    state = fresh(BTC, TradePolicy(), "capi")
    return restored(state, history(*records), NOW_NS, WALL_NS)


def run(state: TradeState, ms: float = 0) -> tuple[TradeState, list[Effect]]:
    """The engine runs and the machine ticks."""
    change = EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason="")
    state, first = step(state, change, NOW_NS)
    state, later = step(state, Tick(), NOW_NS + round(ms * 1_000_000))
    return state, first + later


def test_a_stop_that_was_acknowledged_and_never_shown_gets_a_second_one_at_once() -> None:
    _, effects = run(after_restart(*HELD, *sent(order(OrderState.ACKNOWLEDGED, stop_intent(), venue_id="7"))))
    assert asked(effects)[0] == "capi_sl_d1_a2"


def test_a_stop_that_was_shown_is_left_alone() -> None:
    shown = order(OrderState.ACKNOWLEDGED, stop_intent(), venue_id="7", verified=True)
    _, effects = run(after_restart(*HELD, *sent(shown)), ms=1_500)
    assert [name for name in asked(effects) if "_sl_" in name] == []


def test_nor_is_the_answer_waited_for_that_a_dead_process_was_to_get() -> None:
    _, effects = run(after_restart(*HELD, *sent(order(OrderState.SUBMITTED, stop_intent()))))
    assert asked(effects)[0] == "capi_sl_d1_a2"


def test_a_decision_that_waits_for_the_end_of_a_trade_waits_after_the_restart_too() -> None:
    waiting = PlanAccepted(plan=lasting("d2", Side.SELL))
    leaving = sent(order(OrderState.SUBMITTED, exit_intent()))
    state = after_restart(*HELD, waiting, *leaving)
    assert state.queued is not None
    assert (state.plan and state.plan.key, state.queued.key) == ("d1", "d2")
    assert state.queued_expires_ns == NOW_NS + 60 * SECOND


def test_and_leaves_the_other_side_when_the_exit_had_not_begun() -> None:
    _, effects = run(after_restart(*HELD, PlanAccepted(plan=lasting("d2", Side.SELL))))
    assert "capi_exit_d1" in asked(effects)


@pytest.mark.parametrize(
    "later",
    [
        [PlanEnded(key="d2", symbol="BTCUSDT", reason="a newer decision came", entered=False)],
        [PlanEnded(key="d1", symbol="BTCUSDT", reason="exit", entered=True), PlanStarted(key="d2", symbol="BTCUSDT")],
    ],
    ids=["dropped", "started"],
)
def test_one_that_was_dropped_or_started_waits_no_longer(later: list[Record]) -> None:
    assert after_restart(*HELD, PlanAccepted(plan=lasting("d2", Side.SELL)), *later).queued is None


def test_the_newest_of_several_waits() -> None:
    ended = PlanEnded(key="d2", symbol="BTCUSDT", reason="a newer decision came", entered=False)
    state = after_restart(*HELD, PlanAccepted(plan=lasting("d2", Side.SELL)), PlanAccepted(plan=lasting("d3")), ended)
    assert state.queued is not None
    assert state.queued.key == "d3"


def test_a_decision_that_was_accepted_and_not_started_yet_starts() -> None:
    state = after_restart(PlanAccepted(plan=lasting("d1")))
    _, effects = run(state)
    assert PlanStarted(key="d1", symbol="BTCUSDT") in effects
    assert asked(effects) == ["capi_entry_d1"]

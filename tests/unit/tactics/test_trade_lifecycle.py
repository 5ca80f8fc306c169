"""A trade from flat to flat: figures, cleanup, the decision after it, and the kill switch."""

import pytest
from rule_makers import SYMBOL, dec
from trading_desk import Desk, alerts, asked, cancels, cleaned, endings, plan, reconciles, started, stopped_out

from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged, FlatConfirmed, Flatten
from execactor.domain.messages.decisions import (
    FlatMode,
    FlatRequested,
    PlanEnded,
    TradeClosed,
)
from execactor.domain.messages.orders import StrayExecution
from execactor.domain.side import Side
from execactor.tactics.position import Event
from execactor.tactics.trade import Phase

# Figures and cleanup.


def test_a_closed_trade_in_figures() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02", 90_800, commission="0.7")
    desk.fill("capi_entry_d1", price=90_790, commission="0.5")
    for client_id in desk.live:
        desk.ack(client_id)
    desk.tick(5_000)
    opened_ns = desk.state.opened_ns
    desk.mark(89_790)
    desk.triggered("capi_sl_d1")
    desk.fill("capi_sl_d1", "0.01", 89_790, commission="0.3")
    desk.fill("capi_sl_d1", "0.04", 89_780, commission="1.4", final=True)
    cleaned(desk)
    trade = desk.closed
    assert (trade.key, trade.symbol, trade.side, trade.outcome) == ("d1", SYMBOL, Side.BUY, "stopped")
    assert (trade.quantity, trade.fills) == (dec("0.05"), 4)
    assert (trade.entry_price, trade.exit_price) == (dec(90_794), dec(89_782))
    assert trade.commission == dec("2.9")
    assert trade.pnl == dec("-50.6") - dec("2.9")
    assert (trade.opened_ns, trade.closed_ns) == (opened_ns, desk.now_ns)


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        pytest.param(["sl"], "stopped", id="by the stop"),
        pytest.param(["tp1", "tp2"], "tp2", id="by both targets"),
        pytest.param(["tp1", "slt"], "break_even", id="by the second stop"),
        pytest.param(["tp1", "sl"], "stopped", id="by the stop after the first target"),
        pytest.param(["exit"], "exit", id="by an exit"),
        pytest.param(["tp1", "exit"], "exit", id="by an exit after the first target"),
        pytest.param(["stray"], "external", id="by another hand"),
    ],
)
def test_the_outcome_names_what_closed_it(way: list[str], outcome: str) -> None:
    desk = Desk()
    desk.open()
    for role in way:
        if role == "exit":
            desk.feed(FlatRequested(reason="flat"))
        if role == "stray":
            desk.feed(StrayExecution(execution=desk.execution(Side.SELL, "0.05", 91_000)))
            continue
        rest = abs(desk.quantity) if role in ("sl", "slt") else None
        desk.fill(f"capi_{role}_d1", rest, 91_000, final=True)
    cleaned(desk)
    assert desk.closed.outcome == outcome
    assert desk.closed.pnl == dec("10.00")


def test_once_flat_all_that_is_left_is_cancelled_and_then_the_books_are_closed() -> None:
    desk = Desk()
    desk.open()
    stopped_out(desk)
    assert desk.state.phase is Phase.POSITION_CLOSED
    assert cancels(desk.requests) == ["capi_tp1_d1", "capi_tp2_d1"]
    desk.cancelled("capi_tp1_d1")
    assert desk.of(TradeClosed) == []
    effects = desk.cancelled("capi_tp2_d1")
    assert [type(effect) for effect in effects] == [TradeClosed, PlanEnded]
    assert desk.state.phase is Phase.NO_POSITION
    assert desk.live == []


def test_a_cancel_that_found_the_order_gone_is_not_needed() -> None:
    desk = Desk()
    desk.open()
    stopped_out(desk)
    desk.expired("capi_tp1_d1")
    desk.expired("capi_tp2_d1")
    assert desk.closed.outcome == "stopped"


def test_the_books_stay_open_until_every_fill_that_the_venue_reported_is_booked() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.ack("capi_sl_d1")
    desk.feed(FlatRequested(reason="flat"))
    desk.fill("capi_exit_d1", price=90_900)
    desk.cancelled("capi_sl_d1")
    effects = desk.cancelled("capi_entry_d1", filled="0.03")
    assert reconciles(effects) == [
        "BTCUSDT: the venue reported fills that we have not seen: capi_entry_d1",
    ]
    assert desk.of(TradeClosed) == []
    assert len(reconciles(desk.wait(2_500))) == 2
    desk.fill("capi_entry_d1", "0.01")
    assert "capi_exit_d1_a2" in asked(desk.requests)


def test_an_order_that_hangs_while_triggering_does_not_keep_the_books_open_for_ever() -> None:
    desk = Desk()
    desk.open()
    desk.triggering("capi_sl_d1")
    desk.wait(4_000)
    desk.fill("capi_exit_d1", price=89_700)
    cleaned(desk)
    assert desk.of(TradeClosed) == []
    effects = desk.wait(10_000)
    assert alerts(effects) == ["ORDER_STUCK"]
    assert desk.closed.outcome == "exit"
    assert asked(desk.receive(plan("d2"))) == ["capi_entry_d2"]


def test_a_late_fill_of_a_closed_trade_is_booked_and_asks_for_a_comparison() -> None:
    desk = Desk()
    desk.open()
    stopped_out(desk)
    cleaned(desk)
    effects = desk.fill("capi_tp1_d1", "0.01", 92_200)
    assert desk.quantity == dec("-0.01")
    assert "BTCUSDT: capi_tp1_d1 of an earlier trade was executed" in reconciles(effects)


@pytest.mark.parametrize("entered", [False, True])
def test_a_late_fill_that_turns_the_position_against_the_present_plan_is_closed_at_market(entered: bool) -> None:
    desk = Desk()
    desk.open()
    stopped_out(desk)
    cleaned(desk)
    desk.enter(plan("d2"))
    if entered:
        desk.fill("capi_entry_d2", "0.01")
        desk.ack("capi_sl_d2")
    effects = desk.fill("capi_tp1_d1", "0.025", 92_200)
    assert cancels(effects) == ["capi_entry_d2"]
    assert "capi_exit_d2" in asked(effects)
    leaving = desk.intent("capi_exit_d2")
    assert (leaving.side, leaving.quantity) == (Side.BUY, dec("0.015") if entered else dec("0.025"))
    assert [name for name in asked(effects) if "_sl_" in name] == []
    assert alerts(effects) == ["PROTECTIVE_EXIT"]
    assert alerts(desk.wait(900)) == []


# The next decision.


def test_a_decision_of_the_same_direction_keeps_the_position() -> None:
    desk = Desk()
    desk.open()
    effects = desk.receive(plan("d2"))
    assert endings(effects) == [("d2", False)]
    assert asked(effects) == cancels(effects) == []
    assert desk.state.phase is Phase.IN_POSITION


def test_an_opposite_decision_closes_the_position_and_then_enters() -> None:
    desk = Desk()
    desk.open()
    effects = desk.receive(plan("d2", Side.SELL))
    assert "capi_exit_d1" in asked(effects)
    assert started(effects) == []
    desk.fill("capi_exit_d1", price=90_700)
    effects = cleaned(desk)
    assert started(effects) == ["d2"]
    assert asked(effects) == ["capi_entry_d2"]
    assert desk.intent("capi_entry_d2").side is Side.SELL


def test_a_newer_decision_replaces_an_entry_that_rests() -> None:
    desk = Desk()
    desk.enter()
    effects = desk.receive(plan("d2", entry_price=dec(90_500)))
    assert cancels(effects) == ["capi_entry_d1"]
    assert asked(effects) == []
    effects = desk.cancelled("capi_entry_d1")
    assert endings(effects) == [("d1", False)]
    assert asked(effects) == ["capi_entry_d2"]


def test_only_the_newest_of_several_decisions_waits() -> None:
    desk = Desk()
    desk.open()
    desk.receive(plan("d2", Side.SELL))
    effects = desk.receive(plan("d3", Side.SELL))
    assert endings(effects) == [("d2", False)]
    desk.fill("capi_exit_d1", price=90_700)
    assert asked(cleaned(desk)) == ["capi_entry_d3"]


def test_a_waiting_decision_that_grew_stale_does_not_enter() -> None:
    desk = Desk()
    desk.open()
    desk.receive(plan("d2", Side.SELL), expires_s=5)
    desk.tick(6_000)
    for client_id in [name for name in desk.live if "_exit_" in name]:
        desk.fill(client_id, abs(desk.quantity) or "0.01", 90_700, final=True)
        break
    cleaned(desk)
    for client_id in desk.live:
        desk.cancelled(client_id)
    desk.wait(2_000)
    assert ("d2", False) in endings(desk.requests)
    assert "capi_entry_d2" not in asked(desk.requests)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(FlatRequested(reason="flat"), id="a wish to be flat"),
        pytest.param(FlatMode(reason="malformed decision"), id="flat mode"),
        pytest.param(Flatten(reason="kill"), id="the kill switch"),
        pytest.param(EngineStateChanged(state=EngineState.PAUSED, epoch=0, reason="loss"), id="a pause"),
    ],
)
def test_a_waiting_decision_is_dropped_and_says_so(event: Event) -> None:
    desk = Desk()
    desk.open()
    desk.receive(plan("d2", Side.SELL))
    assert endings(desk.feed(event)) == [("d2", False)]
    desk.fill("capi_exit_d1", price=90_700)
    desk.feed(FlatConfirmed())
    cleaned(desk)
    assert "capi_entry_d2" not in asked(desk.requests)
    assert desk.state.phase is Phase.NO_POSITION


@pytest.mark.parametrize(
    ("side", "kept"),
    [
        pytest.param(Side.SELL, False, id="is closed when the newer decision wants the other side"),
        pytest.param(Side.BUY, True, id="is kept when the newer decision wants the same"),
    ],
)
def test_a_fill_that_comes_while_the_entry_is_cancelled_for_a_newer_decision(side: Side, kept: bool) -> None:
    desk = Desk()
    desk.enter()
    desk.receive(plan("d2", side))
    effects = desk.fill("capi_entry_d1", "0.02")
    assert ("capi_exit_d1" in asked(effects)) is not kept
    assert (endings(effects) == [("d2", False)]) is kept
    desk.cancelled("capi_entry_d1", filled="0.02")
    assert desk.state.phase is (Phase.IN_POSITION if kept else Phase.CLOSING)


# The kill switch.


def test_a_kill_closes_the_position_and_leaves_the_stops_to_the_end() -> None:
    desk = Desk()
    desk.open()
    effects = desk.feed(Flatten(reason="kill switch"))
    assert cancels(effects) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert asked(effects) == ["capi_exit_d1"]
    desk.fill("capi_exit_d1", price=90_700)
    cleaned(desk)
    desk.wait(10_000)
    assert desk.live == ["capi_sl_d1"]
    assert desk.of(TradeClosed) == []
    assert cancels(desk.feed(FlatConfirmed())) == ["capi_sl_d1"]
    desk.cancelled("capi_sl_d1")
    assert desk.closed.outcome == "exit"


def test_a_kill_keeps_both_stops_to_the_end() -> None:
    desk = Desk()
    desk.open()
    desk.fill("capi_tp1_d1", price=92_200)
    desk.ack("capi_slt_d1")
    desk.feed(Flatten(reason="kill switch"))
    desk.fill("capi_exit_d1", price=92_100)
    cleaned(desk)
    assert desk.live == ["capi_sl_d1", "capi_slt_d1"]
    assert cancels(desk.feed(FlatConfirmed())) == ["capi_sl_d1", "capi_slt_d1"]


def test_a_kill_cancels_an_entry_and_closes_what_still_fills() -> None:
    desk = Desk()
    desk.enter()
    assert cancels(desk.feed(Flatten(reason="kill switch"))) == ["capi_entry_d1"]
    assert asked(desk.fill("capi_entry_d1", "0.01")) == ["capi_sl_d1", "capi_exit_d1"]


def test_a_kill_that_is_repeated_asks_for_nothing_twice() -> None:
    desk = Desk()
    desk.open()
    desk.feed(Flatten(reason="kill switch"))
    assert asked(desk.feed(Flatten(reason="kill switch"))) == []
    assert cancels(desk.new) == []


def test_a_kill_without_a_position_changes_nothing_for_the_next_trade() -> None:
    desk = Desk()
    desk.feed(Flatten(reason="kill switch"))
    desk.feed(FlatConfirmed())
    desk.engine(EngineState.RUNNING)
    desk.open()
    stopped_out(desk)
    cleaned(desk)
    assert desk.closed.outcome == "stopped"

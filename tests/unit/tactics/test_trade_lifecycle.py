"""A trade from flat to flat: figures, cleanup, the decision after it, and what other hands and lost events do."""

from typing import Any

import msgspec
import pytest
from rule_makers import BTC, SYMBOL, dec
from trading_desk import SECOND, Desk, alerts, asked, cancels, endings, plan, reconciles

from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged, FlatConfirmed, Flatten
from execactor.domain.messages.decisions import (
    FlatMode,
    FlatRequested,
    PlanEnded,
    PlanReceived,
    PlanStarted,
    TradeClosed,
)
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import EntryRefused, OrderUpdate, StrayExecution
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected, VenuePositionSeen
from execactor.domain.order import OrderType, RejectCause
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.tactics.position import Event, Tick, fresh, next_wake_ns
from execactor.tactics.trade import Phase, TradePolicy


def cleaned(desk: Desk) -> list[Any]:
    """Let the venue cancel whatever the machine asked it to cancel; returns what came of it."""
    seen: list[Any] = []
    for client_id in list(desk.live):
        if client_id in cancels(desk.requests):
            seen += desk.cancelled(client_id)
    return seen


def stopped_out(desk: Desk) -> None:
    desk.mark(89_790)
    desk.triggered("capi_sl_d1")
    desk.fill("capi_sl_d1", price=89_790, final=True)


def started(effects: list[Any]) -> list[str]:
    return [effect.key for effect in effects if isinstance(effect, PlanStarted)]


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


# Positions that are not ours, or not as we think.


def adoption(quantity: Any = "0.03") -> PositionAdopted:
    position = Position(symbol=SYMBOL, quantity=dec(quantity), entry_price=dec(90_800))
    away = dec(89_892) if position.quantity > 0 else dec(91_708)
    return PositionAdopted(position=position, stop_price=away, key="orphan1")


@pytest.mark.parametrize(("quantity", "side", "trigger"), [("0.03", Side.SELL, 89_892), ("-0.03", Side.BUY, 91_708)])
def test_an_adopted_position_gets_a_stop_at_once(quantity: str, side: Side, trigger: int) -> None:
    desk = Desk()
    effects = desk.feed(adoption(quantity))
    assert asked(effects) == ["capi_sl_orphan1"]
    stop = desk.intent("capi_sl_orphan1")
    assert (stop.side, stop.trigger_price, stop.type) == (side, dec(trigger), OrderType.STOP_MARKET)
    assert started(effects) == ["orphan1"]
    assert desk.state.phase is Phase.IN_POSITION


def test_an_adopted_position_is_watched_closed_and_accounted_for() -> None:
    desk = Desk()
    desk.feed(adoption())
    desk.ack("capi_sl_orphan1")
    assert asked(desk.wait(60_000)) == []
    adopted_ns = desk.state.opened_ns
    desk.fill("capi_sl_orphan1", "0.03", 89_880, commission="1", final=True)
    assert desk.closed.outcome == "stopped"
    assert (desk.closed.opened_ns, desk.closed.closed_ns) == (adopted_ns, adopted_ns + 60 * SECOND)
    assert desk.closed.pnl == dec("-27.60") - 1


def test_an_adopted_position_is_not_asked_about_without_end() -> None:
    desk = Desk()
    desk.feed(VenuePositionSeen(quantity=dec(0)))
    desk.feed(adoption())
    desk.ack("capi_sl_orphan1")
    assert reconciles(desk.wait(10_000)) == []


def test_a_position_without_a_plan_asks_for_a_comparison_every_second_until_it_is_adopted() -> None:
    desk = Desk()
    effects = desk.feed(StrayExecution(execution=desk.execution(Side.BUY, "0.01", 90_800)))
    assert alerts(effects) == ["STRAY_EXECUTION"]
    assert len(reconciles(effects)) == 2
    assert len(reconciles(desk.wait(3_500))) == 3


def test_what_another_hand_won_or_lost_is_not_counted_to_the_next_trade() -> None:
    desk = Desk()
    desk.feed(StrayExecution(execution=desk.execution(Side.BUY, "0.01", 90_000, commission=1)))
    desk.feed(StrayExecution(execution=desk.execution(Side.SELL, "0.01", 91_000, commission=1)))
    desk.open()
    stopped_out(desk)
    cleaned(desk)
    assert desk.closed.pnl == dec("-50.50")
    assert (desk.closed.commission, desk.closed.fills) == (0, 2)


def test_a_position_that_the_venue_does_not_have_is_written_off() -> None:
    desk = Desk()
    desk.open()
    nothing = Position(symbol=SYMBOL)
    effects = desk.feed(PositionCorrected(position=nothing, reason="the venue has none"))
    assert alerts(effects) == ["POSITION_CORRECTED"]
    assert cancels(effects) == ["capi_sl_d1", "capi_tp1_d1", "capi_tp2_d1"]
    cleaned(desk)
    assert desk.closed.outcome == "external"


def test_a_position_that_the_venue_has_beyond_ours_is_protected() -> None:
    desk = Desk()
    desk.enter()
    bought = Position(symbol=SYMBOL, quantity=dec("0.02"), entry_price=dec(90_800))
    effects = desk.feed(PositionCorrected(position=bought, reason="a fill was missed"))
    assert asked(effects) == ["capi_sl_d1"]
    assert desk.quantity == dec("0.02")


def test_a_fill_that_was_missed_is_looked_for_after_half_a_second() -> None:
    desk = Desk()
    desk.enter()
    assert reconciles(desk.feed(VenuePositionSeen(quantity=dec("0.02")))) == []
    seen = desk.wait(1_500)
    assert reconciles(seen)[0] == "BTCUSDT: the venue states 0.02, our fills make 0"
    desk.fill("capi_entry_d1", "0.02")
    assert reconciles(desk.wait(5_000)) == []


def test_a_fill_right_after_the_statement_explains_it() -> None:
    desk = Desk()
    desk.enter()
    desk.feed(VenuePositionSeen(quantity=dec("0.02")))
    desk.tick(100)
    desk.fill("capi_entry_d1", "0.02")
    assert reconciles(desk.wait(5_000)) == []


def test_two_fills_after_one_statement_explain_it_together() -> None:
    desk = Desk()
    desk.enter()
    desk.feed(VenuePositionSeen(quantity=dec("0.02")))
    desk.fill("capi_entry_d1", "0.01")
    assert reconciles(desk.wait(1_500)) != []
    desk.fill("capi_entry_d1", "0.01")
    assert reconciles(desk.wait(5_000)) == []


def test_a_fill_after_a_statement_that_was_explained_makes_it_outdated() -> None:
    desk = Desk()
    desk.enter()
    desk.feed(VenuePositionSeen(quantity=dec(0)))
    desk.fill("capi_entry_d1", "0.02")  # found by a comparison: the statement about it never came
    assert reconciles(desk.wait(5_000)) == []


def test_a_statement_of_a_position_is_looked_into_without_any_trade_of_ours() -> None:
    desk = Desk()
    desk.feed(VenuePositionSeen(quantity=dec("0.02")))
    assert reconciles(desk.wait(499)) == []
    assert reconciles(desk.wait(1)) == ["BTCUSDT: the venue states 0.02, our fills make 0"]


# Before the first comparison, and time.


OBSERVED: list[tuple[str, Event]] = [
    ("a mark", MarkUpdate(symbol=SYMBOL, price=dec(89_000), low=dec(89_000), high=dec(89_000))),
    ("a tick", Tick()),
    ("a plan", PlanReceived(plan=plan("d9"), expires_ns=10**18)),
    ("a wish to be flat", FlatRequested(reason="flat")),
    ("flat mode", FlatMode(reason="stale")),
    ("a kill", Flatten(reason="kill")),
    ("the end of a kill", FlatConfirmed()),
    ("an engine state", EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason="")),
    ("a refusal", EntryRefused(client_id="capi_entry_d1", reason="no")),
    ("an adoption", adoption()),
    ("a correction", PositionCorrected(position=Position(symbol=SYMBOL), reason="gone")),
    ("a statement", VenuePositionSeen(quantity=dec(1))),
]


@pytest.mark.parametrize("event", [pytest.param(event, id=name) for name, event in OBSERVED])
@pytest.mark.parametrize("begin", ["flat", "entering", "open"])
def test_observing_never_trades(begin: str, event: Event) -> None:
    desk = Desk()
    if begin == "entering":
        desk.enter()
    if begin == "open":
        desk.open()
    effects = desk.observe(event)
    assert asked(effects) == cancels(effects) == []


def test_what_was_observed_is_acted_on_at_the_first_step() -> None:
    desk = Desk()
    desk.enter()
    order = desk.order("capi_entry_d1")
    filled = desk.execution(Side.BUY, "0.05", 90_800, client_id="capi_entry_d1")
    desk.observe(OrderUpdate(order=msgspec.structs.replace(order, filled=dec("0.05")), execution=filled))
    desk.observe(FlatRequested(reason="flat"))
    assert asked(desk.tick()) == ["capi_sl_d1", "capi_exit_d1"]


def test_a_machine_with_nothing_to_look_after_sleeps() -> None:
    state = fresh(BTC, TradePolicy(), "capi")
    assert next_wake_ns(state, 5) is None


def test_it_sleeps_again_after_a_trade() -> None:
    desk = Desk()
    desk.open()
    stopped_out(desk)
    desk.feed(VenuePositionSeen(quantity=dec(0)))
    cleaned(desk)
    assert desk.closed.outcome == "stopped"
    assert desk.wake_ns is None


@pytest.mark.parametrize(
    ("prepare", "most_s"),
    [
        pytest.param(lambda desk: desk.enter(), 1, id="an entry that rests"),
        pytest.param(lambda desk: desk.open(), 1, id="a position that is protected"),
        pytest.param(lambda desk: (desk.enter(), desk.fill("capi_entry_d1", "0.01")), 0.2, id="one that is not"),
        pytest.param(
            lambda desk: (desk.open(), desk.feed(FlatRequested(reason="flat"))), 0.2, id="one that is being closed"
        ),
        pytest.param(
            lambda desk: (desk.open(), desk.refuse("capi_tp1_d1", RejectCause.OVERLOADED)), 0.2, id="a pause to end"
        ),
    ],
)
def test_the_next_look_is_soon_and_never_in_the_past(prepare: Any, most_s: float) -> None:
    desk = Desk()
    prepare(desk)
    for later_ns in (0, 1, SECOND, 3_600 * SECOND):
        now_ns = desk.now_ns + later_ns
        wake_ns = next_wake_ns(desk.state, now_ns)
        assert wake_ns is not None
        assert now_ns < wake_ns <= now_ns + most_s * SECOND


def test_a_position_at_rest_costs_one_look_a_second() -> None:
    desk = Desk()
    desk.open()
    looks = []
    original = desk.feed

    def counted(event: Event) -> list[Any]:
        looks.append(event)
        return original(event)

    desk.feed = counted  # type: ignore[method-assign]  # the desk is the test's own
    desk.wait(60_000)
    assert len(looks) == 60

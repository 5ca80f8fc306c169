"""Positions that are not ours, or not as we think: other hands, and events that were lost."""

import pytest
from rule_makers import SYMBOL, dec
from trading_desk import SECOND, Desk, adoption, alerts, asked, cancels, cleaned, reconciles, started, stopped_out

from execactor.domain.messages.orders import StrayExecution
from execactor.domain.messages.reconciliation import PositionCorrected, VenuePositionSeen
from execactor.domain.order import OrderType
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.tactics.trade import Phase


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

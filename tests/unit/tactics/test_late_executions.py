"""Executions that come after the news that an order has ended, or after later ones: nothing is done twice or undone."""

import pytest
from rule_makers import dec
from trading_desk import Desk, asked, cancels, endings, plan, reconciles

from execactor.domain.messages.decisions import FlatRequested
from execactor.domain.messages.reconciliation import VenuePositionSeen
from execactor.domain.side import Side
from execactor.tactics.trade import Effect


def targets(effects: list[Effect]) -> list[str]:
    return [name for name in asked(effects) if "_tp" in name]


@pytest.mark.parametrize(("side", "worse", "better"), [(Side.BUY, 90_700, 90_800), (Side.SELL, 90_900, 90_800)])
def test_a_tightened_stop_never_stands_further_away_than_the_one_before(side: Side, worse: int, better: int) -> None:
    desk = Desk()
    desk.enter(plan(side=side))
    desk.fill("capi_entry_d1", "0.02")
    desk.wait(300)
    for client_id in desk.live:
        desk.ack(client_id)
    desk.fill("capi_tp1_d1")
    assert desk.intent("capi_slt_d1").trigger_price == better
    desk.ack("capi_slt_d1")
    assert "capi_slt_d1_a2" in asked(desk.fill("capi_entry_d1", "0.02", worse))
    assert desk.intent("capi_slt_d1_a2").trigger_price == better


def test_an_exit_whose_executions_are_on_their_way_has_no_successor() -> None:
    desk = Desk()
    desk.open()
    desk.feed(FlatRequested(reason="the test says so"))
    assert asked(desk.filled_status("capi_exit_d1", "0.05")) == []
    assert asked(desk.wait(900)) == []
    desk.fill("capi_exit_d1", price=90_800)
    assert desk.quantity == dec(0)


def test_an_exit_whose_executions_do_not_come_has_a_successor_after_a_second() -> None:
    desk = Desk()
    desk.open()
    desk.feed(FlatRequested(reason="the test says so"))
    desk.filled_status("capi_exit_d1", "0.05")
    assert asked(desk.wait(1_200)) == ["capi_exit_d1_a2"]


def test_the_targets_wait_for_the_fills_that_an_ended_entry_still_lacks() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    assert targets(desk.filled_status("capi_entry_d1", "0.05")) == []
    assert targets(desk.fill("capi_entry_d1", "0.03")) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert desk.intent("capi_tp1_d1").quantity == dec("0.025")


def test_but_no_longer_than_fills_may_pause() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.filled_status("capi_entry_d1", "0.05")
    assert targets(desk.wait(300)) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert desk.intent("capi_tp1_d1").quantity == dec("0.01")


@pytest.mark.parametrize("side", Side)
def test_an_entry_that_the_venue_says_has_filled_is_protected_before_its_executions_come(side: Side) -> None:
    desk = Desk()
    desk.enter(plan(side=side))
    assert asked(desk.filled_status("capi_entry_d1", "0.05")) == ["capi_sl_d1"]
    desk.ack("capi_sl_d1")
    assert "capi_sl_d1_a2" not in asked(desk.fill("capi_entry_d1", "0.05"))


def test_what_an_entry_fills_after_the_first_target_gets_a_tightened_stop_of_its_own() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.wait(300)
    for client_id in desk.live:
        desk.ack(client_id)
    desk.fill("capi_tp1_d1")
    desk.ack("capi_slt_d1")
    assert "capi_slt_d1_a2" in asked(desk.fill("capi_entry_d1", "0.02"))
    assert [desk.intent(name).quantity for name in ("capi_slt_d1", "capi_slt_d1_a2")] == [dec("0.01"), dec("0.02")]
    desk.ack("capi_slt_d1_a2")
    assert [name for name in asked(desk.wait(3_000)) if "_slt_" in name] == []


def test_a_tightened_stop_whose_executions_are_on_their_way_has_no_successor() -> None:
    desk = Desk()
    desk.open()
    desk.fill("capi_tp1_d1")
    desk.ack("capi_slt_d1")
    desk.triggered("capi_slt_d1")
    desk.filled_status("capi_slt_d1", "0.025")
    assert [name for name in asked(desk.wait(900)) if "_slt_" in name] == []
    desk.fill("capi_slt_d1")
    assert desk.quantity == dec(0)


def test_the_stops_stay_while_the_venue_states_a_position_that_our_fills_do_not_explain() -> None:
    desk = Desk()
    desk.open()
    desk.fill("capi_tp1_d1")
    desk.ack("capi_slt_d1")
    desk.feed(VenuePositionSeen(quantity=dec("0.01")))
    assert cancels(desk.fill("capi_tp2_d1")) == []
    looked = desk.wait(3_000)
    assert (cancels(looked), endings(looked)) == ([], [])
    assert reconciles(looked)
    assert sorted(cancels(desk.feed(VenuePositionSeen(quantity=dec(0))))) == ["capi_sl_d1", "capi_slt_d1"]


def test_a_missed_fill_that_is_found_then_is_still_protected_by_the_same_stop() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.wait(300)
    for client_id in desk.live:
        desk.ack(client_id)
    desk.feed(VenuePositionSeen(quantity=dec("0.03")))
    desk.fill("capi_tp1_d1")
    desk.fill("capi_tp2_d1")
    assert desk.quantity == dec(0)
    desk.fill("capi_entry_d1", "0.03")
    assert desk.quantity == dec("0.03")
    assert desk.order("capi_sl_d1").working
    assert "capi_sl_d1" not in cancels(desk.requests)

"""Take-profits: half at the first target, the rest at the second, sized to what the entry has filled."""

from typing import Any

import msgspec
import pytest
from rule_makers import dec, instrument
from trading_desk import Desk, alerts, asked, cancels, plan, reconciles

from execactor.domain.messages.decisions import FlatMode, FlatRequested
from execactor.domain.messages.orders import StrayExecution
from execactor.domain.messages.reconciliation import PositionCorrected
from execactor.domain.order import OrderType, RejectCause, Role
from execactor.domain.plan import Target
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.tactics.targets import split
from execactor.tactics.trade import Phase, TradePolicy


def targets(effects: list[Any]) -> list[str]:
    return [name for name in asked(effects) if "_tp" in name]


def sizes(desk: Desk) -> dict[str, str]:
    """Quantities of the live take-profits."""
    return {name: str(desk.intent(name).quantity) for name in desk.live if "_tp" in name}


def partly(filled: str, **changes: Any) -> Desk:
    """An entry that has filled in part and rests, its stop working, its fills paused."""
    desk = Desk()
    desk.enter(plan(**changes))
    desk.fill("capi_entry_d1", filled)
    desk.ack("capi_sl_d1")
    desk.wait(250)
    for name in targets(desk.requests):
        desk.ack(name)
    return desk


@pytest.mark.parametrize(
    ("filled", "wanted", "expected"),
    [
        pytest.param("0.05", plan().targets, ["0.025", "0.025"], id="half and half"),
        pytest.param(
            "0.051", plan().targets, ["0.025", "0.026"], id="half is rounded down to the step, the rest is more"
        ),
        pytest.param("0.001", plan().targets, [None, "0.001"], id="a half that rounds to nothing goes to the second"),
        pytest.param("0.05", plan().targets[:1], ["0.05"], id="the only target closes all"),
        pytest.param("0.05", (), [], id="no target"),
        pytest.param(
            "0.010", (Target(dec(92_200), dec("0.3")), Target(dec(93_500), dec(1))), ["0.003", "0.007"], id="a third"
        ),
    ],
)
def test_split(filled: str, wanted: tuple[Target, ...], expected: list[str | None]) -> None:
    desk = Desk()
    desk.enter(plan(quantity=dec("0.1"), targets=wanted))
    desk.fill("capi_entry_d1", filled)
    roles = (Role.TAKE_PROFIT_1, Role.TAKE_PROFIT_2)
    assert split(desk.state) == {role: dec(size) for role, size in zip(roles, expected, strict=False) if size}


def test_targets_are_conditional_reduce_only_orders_with_a_quantity() -> None:
    desk = Desk()
    desk.open()
    first, second = desk.intent("capi_tp1_d1"), desk.intent("capi_tp2_d1")
    for each in (first, second):
        assert (each.type, each.side) == (OrderType.TAKE_PROFIT_MARKET, Side.SELL)
        assert (each.reduce_only, each.close_position) == (True, False)
    assert (first.trigger_price, first.quantity) == (dec(92_200), dec("0.025"))
    assert (second.trigger_price, second.quantity) == (dec(93_500), dec("0.025"))


def test_targets_of_a_filled_entry_are_placed_with_the_stop() -> None:
    desk = Desk()
    desk.enter()
    assert asked(desk.fill("capi_entry_d1")) == ["capi_sl_d1", "capi_tp1_d1", "capi_tp2_d1"]


def test_targets_of_an_entry_that_still_fills_wait_for_a_pause_of_250_ms() -> None:
    desk = Desk()
    desk.enter()
    assert targets(desk.fill("capi_entry_d1", "0.02")) == []
    desk.ack("capi_sl_d1")
    assert targets(desk.wait(240)) == []
    assert targets(desk.fill("capi_entry_d1", "0.01")) == []
    assert targets(desk.wait(240)) == []
    assert targets(desk.wait(10)) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert sizes(desk) == {"capi_tp1_d1": "0.015", "capi_tp2_d1": "0.015"}


def test_targets_grow_with_further_fills_the_old_one_going_first() -> None:
    desk = partly("0.02")
    desk.fill("capi_entry_d1")
    assert cancels(desk.new) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert targets(desk.new) == []
    assert targets(desk.cancelled("capi_tp1_d1")) == ["capi_tp1_d1_a2"]
    assert targets(desk.cancelled("capi_tp2_d1")) == ["capi_tp2_d1_a2"]
    assert sizes(desk) == {"capi_tp1_d1_a2": "0.025", "capi_tp2_d1_a2": "0.025"}


def test_a_target_without_an_answer_is_not_replaced_before_it_has_one() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.ack("capi_sl_d1")
    desk.wait(250)
    assert cancels(desk.fill("capi_entry_d1")) == []
    assert cancels(desk.ack("capi_tp1_d1")) == ["capi_tp1_d1"]


def test_a_target_that_began_to_trade_is_not_replaced_but_gets_another_for_what_came_later() -> None:
    desk = partly("0.02")
    desk.triggered("capi_tp1_d1")
    desk.fill("capi_tp1_d1", "0.004")
    desk.fill("capi_entry_d1")
    assert "capi_tp1_d1" not in cancels(desk.requests)
    desk.fill("capi_tp1_d1")
    assert desk.intent("capi_tp1_d1_a2").quantity == dec("0.015")


def test_E7_a_new_decision_of_the_same_direction_cancels_the_rest_of_the_entry_and_keeps_what_is_filled() -> None:  # noqa: N802
    desk = partly("0.015")
    effects = desk.receive(plan("d2"))
    assert cancels(effects) == ["capi_entry_d1"]
    desk.cancelled("capi_entry_d1", filled="0.015")
    desk.wait(30_000)
    assert sizes(desk) == {"capi_tp1_d1": "0.007", "capi_tp2_d1": "0.008"}
    assert [name for name in asked(desk.requests) if "entry" in name] == ["capi_entry_d1"]
    assert desk.state.phase is Phase.IN_POSITION


def test_E7_so_does_flat_mode() -> None:  # noqa: N802
    desk = partly("0.015")
    assert cancels(desk.feed(FlatMode(reason="malformed decision"))) == ["capi_entry_d1"]
    desk.cancelled("capi_entry_d1", filled="0.015")
    assert sizes(desk) == {"capi_tp1_d1": "0.007", "capi_tp2_d1": "0.008"}


def test_E8_the_first_target_closes_half_and_the_second_the_rest() -> None:  # noqa: N802
    desk = Desk()
    desk.open(plan(quantity=dec("0.051")))
    desk.mark(92_200)
    desk.triggered("capi_tp1_d1")
    desk.fill("capi_tp1_d1", price=92_200)
    assert desk.quantity == dec("0.026")
    desk.ack("capi_slt_d1")
    desk.mark(93_500)
    desk.triggered("capi_tp2_d1")
    effects = desk.fill("capi_tp2_d1", price=93_500)
    assert desk.state.phase is Phase.POSITION_CLOSED
    assert sorted(cancels(effects)) == ["capi_sl_d1", "capi_slt_d1"]
    desk.cancelled("capi_slt_d1")
    desk.cancelled("capi_sl_d1")
    assert desk.state.phase is Phase.NO_POSITION
    assert desk.closed.outcome == "tp2"
    assert desk.live == []


def test_a_target_that_would_trigger_at_once_is_taken_at_market_in_the_same_role() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1")
    desk.ack("capi_sl_d1")
    desk.refuse("capi_tp1_d1", RejectCause.WOULD_TRIGGER)
    assert "capi_tp1_d1_a2" in asked(desk.wait(300))
    taken = desk.intent("capi_tp1_d1_a2")
    assert (taken.type, taken.quantity, taken.reduce_only) == (OrderType.MARKET, dec("0.025"), True)
    desk.mark(92_300)
    assert "capi_slt_d1" in asked(desk.fill("capi_tp1_d1_a2"))


def test_a_refused_target_is_asked_for_again_after_a_pause() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1")
    desk.ack("capi_sl_d1")
    desk.refuse("capi_tp1_d1", RejectCause.OVERLOADED, retryable=True)
    assert targets(desk.tick(199)) == []
    assert targets(desk.tick(1)) == ["capi_tp1_d1_a2"]


def test_a_target_that_the_venue_lost_is_placed_again() -> None:
    desk = Desk()
    desk.open()
    assert targets(desk.expired("capi_tp1_d1")) == ["capi_tp1_d1_a2"]


def test_a_target_that_expired_after_a_part_is_placed_again_for_the_rest_and_then_stays() -> None:
    desk = Desk()
    desk.open()
    desk.triggered("capi_tp1_d1")
    desk.fill("capi_tp1_d1", "0.010")
    assert targets(desk.expired("capi_tp1_d1")) == ["capi_tp1_d1_a2"]
    assert desk.intent("capi_tp1_d1_a2").quantity == dec("0.015")
    desk.ack("capi_tp1_d1_a2")
    assert cancels(desk.wait(10_000)) == []


@pytest.mark.parametrize(
    "shrink",
    [
        pytest.param(
            lambda desk: desk.feed(StrayExecution(execution=desk.execution(Side.SELL, "0.03", 91_000))),
            id="another hand sold a part",
        ),
        pytest.param(
            lambda desk: desk.feed(
                PositionCorrected(
                    position=Position(symbol="BTCUSDT", quantity=dec("0.02"), entry_price=dec(90_800)), reason="venue"
                )
            ),
            id="the venue's position is smaller than ours",
        ),
    ],
)
def test_a_target_for_a_position_that_became_smaller_is_placed_once(shrink: Any) -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1")
    desk.ack("capi_sl_d1")
    desk.refuse("capi_tp1_d1", RejectCause.OVERLOADED, retryable=True)
    desk.refuse("capi_tp2_d1", RejectCause.OVERLOADED, retryable=True)
    shrink(desk)
    desk.wait(300)
    assert sizes(desk) == {"capi_tp1_d1_a2": "0.02", "capi_tp2_d1_a2": "0.02"}
    desk.ack("capi_tp1_d1_a2")
    desk.ack("capi_tp2_d1_a2")
    assert cancels(desk.wait(10_000)) == []


def test_a_target_that_hangs_while_triggering_means_out_after_three_seconds() -> None:
    desk = Desk()
    desk.open()
    desk.triggering("capi_tp1_d1")
    assert asked(desk.wait(3_000)) == []
    assert asked(desk.wait(1_000)) == ["capi_exit_d1"]
    assert desk.intent("capi_exit_d1").quantity == dec("0.05")
    assert desk.state.exit_reason == "capi_tp1_d1 hangs while triggering"


def test_a_target_that_hangs_while_leaving_changes_no_reason() -> None:
    desk = Desk()
    desk.open()
    desk.triggering("capi_tp1_d1")
    desk.feed(FlatRequested(reason="flat"))
    desk.wait(5_000)
    assert desk.state.exit_reason == "flat"


def test_the_rest_of_the_entry_is_cancelled_as_soon_as_any_exit_triggers() -> None:
    for exit_id in ("capi_sl_d1", "capi_tp1_d1"):
        desk = partly("0.02")
        assert cancels(desk.triggering(exit_id)) == ["capi_entry_d1"]


def test_a_target_that_is_taken_at_market_ends_the_entry_too() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.ack("capi_sl_d1")
    desk.wait(250)
    desk.refuse("capi_tp1_d1", RejectCause.WOULD_TRIGGER)
    desk.wait(300)
    desk.mark(92_300)
    assert cancels(desk.fill("capi_tp1_d1_a2", "0.001")) == ["capi_entry_d1"]


def test_targets_are_not_placed_while_leaving() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.refuse("capi_sl_d1", RejectCause.WOULD_TRIGGER)
    desk.wait(1_000)
    assert targets(desk.requests) == []


def test_a_fraction_of_one_closes_all_at_the_first_target() -> None:
    desk = Desk(policy=msgspec.structs.replace(TradePolicy(), tp1_fraction=dec(1)))
    desk.open(plan(targets=(Target(dec(92_200), dec(1)), Target(dec(93_500), dec(1)))))
    assert sizes(desk) == {"capi_tp1_d1": "0.05"}


def test_a_coarse_step_is_kept() -> None:
    desk = Desk(instrument=instrument(step_size="0.02", market_step_size="0.02"))
    desk.open(plan(quantity=dec("0.06")))
    assert sizes(desk) == {"capi_tp1_d1": "0.02", "capi_tp2_d1": "0.04"}
    assert alerts(desk.requests) == []
    assert reconciles(desk.requests) == []


def test_a_target_beyond_the_venues_largest_market_order_is_taken_in_parts() -> None:
    desk = Desk(instrument=instrument(market_max_quantity="0.010"))
    desk.enter(plan(quantity=dec("0.050")))
    desk.fill("capi_entry_d1", "0.050")
    desk.ack("capi_sl_d1")
    desk.wait(250)
    assert sizes(desk) == {"capi_tp1_d1": "0.010", "capi_tp2_d1": "0.010"}
    for name in ("capi_tp1_d1", "capi_tp2_d1"):
        desk.ack(name)
    desk.wait(2_000)
    assert not cancels(desk.requests), "a part that is as large as it can be is left alone"
    desk.fill("capi_tp1_d1", "0.010")
    assert sizes(desk)["capi_tp1_d1_a2"] == "0.010"
    assert not [name for name in asked(desk.requests) if "_slt_" in name], "the first target is not done yet"
    desk.ack("capi_tp1_d1_a2")
    desk.fill("capi_tp1_d1_a2", "0.010")
    desk.ack("capi_tp1_d1_a3")
    desk.fill("capi_tp1_d1_a3", "0.005")
    stops = [name for name in asked(desk.requests) if "_slt_" in name]
    assert [desk.intent(name).quantity for name in stops] == [dec("0.010"), dec("0.010"), dec("0.005")]


def test_a_target_that_the_venue_says_has_filled_gets_no_successor_before_its_trade_is_known() -> None:
    desk = Desk()
    desk.open()
    desk.triggered("capi_tp1_d1")
    desk.filled_status("capi_tp1_d1", "0.025")
    desk.wait(2_000)
    assert targets(desk.requests) == ["capi_tp1_d1", "capi_tp2_d1"]
    desk.fill("capi_tp1_d1", "0.025", price=92_200)
    assert sizes(desk) == {"capi_tp2_d1": "0.025"}

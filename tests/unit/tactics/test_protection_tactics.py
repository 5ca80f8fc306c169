"""Protection: a confirmed stop from the first fill on, or out; and break-even after the first target."""

from typing import Any

import msgspec
import pytest
from rule_makers import dec
from trading_desk import SECOND, Desk, alerts, asked, cancels, plan, reconciles

from execactor.domain.messages.account import EnterSafeMode
from execactor.domain.messages.orders import OrderUpdate, SubmitProtective
from execactor.domain.messages.reconciliation import VenuePositionSeen
from execactor.domain.order import OrderType, RejectCause, Role
from execactor.domain.side import Side
from execactor.tactics.trade import Phase, TradePolicy


def entered(desk: Desk | None = None, quantity: Any = None, **changes: Any) -> Desk:
    """An entry that has begun to fill, its stop asked for and not yet answered."""
    desk = desk or Desk()
    desk.enter(plan(**changes))
    desk.fill("capi_entry_d1", quantity)
    return desk


def protected(**changes: Any) -> Desk:
    desk = Desk()
    desk.open(plan(**changes))
    return desk


def safe_mode(effects: list[Any]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, EnterSafeMode)]


def test_the_stop_is_asked_for_in_the_step_of_the_first_fill() -> None:
    desk = Desk()
    desk.enter()
    effects = desk.fill("capi_entry_d1", "0.001")
    assert [type(effect) for effect in effects[:1]] == [SubmitProtective]
    assert asked(effects)[0] == "capi_sl_d1"
    stop = desk.intent("capi_sl_d1")
    assert (stop.role, stop.type, stop.side) == (Role.STOP, OrderType.STOP_MARKET, Side.SELL)
    assert (stop.trigger_price, stop.close_position, stop.quantity) == (dec(89_800), True, None)


def test_the_stop_of_a_short_buys() -> None:
    stop = entered(side=Side.SELL).intent("capi_sl_d1")
    assert (stop.side, stop.trigger_price) == (Side.BUY, dec(91_800))


def test_a_fill_before_the_acknowledgement_of_the_entry_is_protected_too() -> None:
    desk = Desk()
    desk.receive()
    assert asked(desk.fill("capi_entry_d1", "0.01"))[0] == "capi_sl_d1"


def test_the_base_stop_is_never_resized_however_the_entry_fills() -> None:
    desk = entered(quantity="0.001")
    desk.ack("capi_sl_d1")
    for _ in range(48):
        desk.fill("capi_entry_d1", "0.001")
        desk.wait(300)
        for client_id in desk.live:
            if client_id.startswith("capi_tp") and not desk.order(client_id).working:
                desk.ack(client_id)
        for client_id in cancels(desk.new):
            desk.cancelled(client_id)
    assert [name for name in asked(desk.requests) if "_sl_" in name] == ["capi_sl_d1"]
    assert not [name for name in cancels(desk.requests) if "_sl_" in name]


@pytest.mark.parametrize("seconds", [0, 1.9])
def test_a_stop_that_is_acknowledged_in_time_keeps_the_position(seconds: float) -> None:
    desk = entered(Desk(policy=TradePolicy(unanswered_ns=60 * SECOND)))
    desk.wait(seconds * 1_000)
    desk.ack("capi_sl_d1")
    desk.wait(10_000)
    assert desk.state.phase is Phase.IN_POSITION
    assert safe_mode(desk.requests) == []


def test_a_position_without_an_acknowledged_stop_for_two_seconds_is_closed_and_safe_mode_entered() -> None:
    desk = entered()
    desk.wait(2_000)
    assert desk.state.phase is Phase.IN_POSITION
    effects = desk.wait(300)
    assert "PROTECTIVE_EXIT" in alerts(effects)
    assert safe_mode(effects) == ["BTCUSDT: no stop was acknowledged within 2 s"]
    assert "capi_exit_d1" in asked(effects)
    leaving = desk.intent("capi_exit_d1")
    assert (leaving.type, leaving.quantity, leaving.reduce_only) == (OrderType.MARKET, dec("0.05"), True)


def test_safe_mode_is_asked_for_once() -> None:
    desk = entered()
    desk.wait(30_000)
    assert len(safe_mode(desk.requests)) == 1


def test_the_deadline_counts_from_the_first_fill_whatever_is_tried_meanwhile() -> None:
    desk = entered()
    for _ in range(40):
        waiting = [name for name in desk.live if "_sl_" in name]
        for name in waiting:
            desk.refuse(name, RejectCause.OVERLOADED, retryable=True)
        desk.wait(100)
        if desk.state.exit_reason:
            break
    assert desk.now_ns - desk.state.opened_ns <= 2.3 * SECOND
    assert safe_mode(desk.requests)


def test_a_stop_without_an_answer_gets_a_successor_after_half_a_second() -> None:
    desk = entered()
    assert asked(desk.tick(499)) == []
    assert asked(desk.tick(1)) == ["capi_sl_d1_a2"]


def test_a_refused_stop_is_asked_for_again_after_a_growing_pause() -> None:
    desk = entered()
    desk.refuse("capi_sl_d1", RejectCause.OVERLOADED, retryable=True)
    assert asked(desk.tick(100)) == []
    assert asked(desk.tick(100)) == ["capi_sl_d1_a2"]
    desk.refuse("capi_sl_d1_a2", RejectCause.OVERLOADED, retryable=True)
    assert asked(desk.tick(300)) == []
    assert asked(desk.tick(100)) == ["capi_sl_d1_a3"]


def test_the_refused_successor_of_a_stop_without_an_answer_is_repeated_after_a_pause_only() -> None:
    desk = entered(Desk(policy=TradePolicy(stop_deadline_ns=60 * SECOND)))
    desk.wait(600)
    assert asked(desk.refuse("capi_sl_d1_a2", RejectCause.OVERLOADED, retryable=True)) == []
    assert asked(desk.tick(199)) == []
    assert asked(desk.tick(1)) == ["capi_sl_d1_a3"]


def test_the_refused_successor_of_a_stop_that_was_never_shown_likewise() -> None:
    desk = entered()
    desk.ack("capi_sl_d1", verified=False)
    desk.wait(5_900)
    assert "capi_sl_d1_a2" in desk.live
    assert asked(desk.refuse("capi_sl_d1_a2", RejectCause.OTHER)) == []
    assert asked(desk.tick(199)) == []
    assert asked(desk.tick(1)) == ["capi_sl_d1_a3"]


def test_a_stop_that_the_venue_acknowledged_and_never_showed_gets_a_second_one_after_five_seconds() -> None:
    desk = entered()
    desk.ack("capi_sl_d1", verified=False)
    desk.wait(4_000)
    assert [name for name in asked(desk.tick(999)) if "_sl_" in name] == []
    effects = desk.tick(1)
    assert [name for name in asked(effects) if "_sl_" in name] == ["capi_sl_d1_a2"]
    assert "STOP_UNVERIFIED" in alerts(effects)
    assert desk.state.phase is Phase.IN_POSITION
    desk.ack("capi_sl_d1_a2")
    assert [name for name in asked(desk.wait(60_000)) if "_sl_" in name] == []


def test_a_stop_that_was_shown_needs_no_second_one() -> None:
    desk = protected()
    assert [name for name in asked(desk.wait(60_000)) if "_sl_" in name] == []


def test_the_refusal_because_a_stop_exists_is_evidence_of_the_first() -> None:
    desk = entered()
    desk.wait(700)
    effects = desk.refuse("capi_sl_d1_a2", RejectCause.STOP_EXISTS)
    assert reconciles(effects) == ["BTCUSDT: the venue says that a stop exists already"]
    effects = desk.wait(1_900)
    assert desk.state.phase is Phase.IN_POSITION
    assert [name for name in asked(effects) if "_sl_" in name] == []


def test_such_evidence_grows_old() -> None:
    desk = entered()
    desk.wait(700)
    desk.refuse("capi_sl_d1_a2", RejectCause.STOP_EXISTS)
    assert "capi_sl_d1_a3" not in asked(desk.wait(1_900))
    assert "capi_sl_d1_a3" in asked(desk.wait(300))


def test_the_end_of_the_stop_that_was_proved_so_ends_the_evidence() -> None:
    desk = entered()
    desk.wait(700)
    desk.refuse("capi_sl_d1_a2", RejectCause.STOP_EXISTS)
    desk.ack("capi_sl_d1")
    assert "capi_sl_d1_a3" in asked(desk.cancelled("capi_sl_d1") + desk.wait(400))


def test_the_end_of_a_target_does_not() -> None:
    desk = entered()
    desk.wait(700)
    desk.refuse("capi_sl_d1_a2", RejectCause.STOP_EXISTS)
    desk.tick(500)
    assert "capi_sl_d1_a3" not in asked(desk.expired("capi_tp1_d1"))


def test_the_refusal_because_there_is_no_position_asks_for_a_comparison() -> None:
    desk = entered()
    effects = desk.refuse("capi_sl_d1", RejectCause.NO_POSITION)
    assert reconciles(effects) == ["BTCUSDT: the venue says that there is no position"]


def test_the_refusal_of_another_order_tells_nothing_of_the_stop() -> None:
    desk = protected()
    assert reconciles(desk.refuse("capi_tp1_d1", RejectCause.NO_POSITION)) == []


def test_a_stop_that_would_trigger_at_once_means_out_at_market() -> None:
    desk = entered()
    effects = desk.refuse("capi_sl_d1", RejectCause.WOULD_TRIGGER)
    assert alerts(effects) == ["PROTECTIVE_EXIT"]
    assert asked(effects) == ["capi_exit_d1"]
    assert safe_mode(effects) == []
    desk.fill("capi_exit_d1", price=89_700)
    for client_id in desk.live:
        desk.cancelled(client_id)
    assert (desk.closed.outcome, desk.closed.exit_price) == ("exit", dec(89_700))


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda desk: desk.refuse("capi_sl_d1"), id="its child was refused"),
        pytest.param(lambda desk: desk.expired("capi_sl_d1"), id="its child expired"),
        pytest.param(lambda desk: desk.cancelled("capi_sl_d1"), id="its child was cancelled"),
    ],
)
def test_a_triggered_stop_that_ends_with_the_position_open_means_out_at_market(end: Any) -> None:
    desk = protected()
    desk.triggering("capi_sl_d1")
    effects = end(desk)
    assert cancels(effects) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert "capi_exit_d1" in asked(effects)
    assert desk.state.phase is Phase.CLOSING


def test_a_stop_that_hangs_while_triggering_means_out_after_three_seconds() -> None:
    desk = protected()
    desk.triggering("capi_sl_d1")
    assert asked(desk.wait(1_500)) == []
    desk.feed(OrderUpdate(order=desk.order("capi_sl_d1")))  # being told again does not start the clock anew
    assert asked(desk.wait(1_500)) == []
    assert asked(desk.wait(1_000)) == ["capi_exit_d1"]


def test_a_stop_that_disappears_is_placed_again_at_once() -> None:
    desk = protected()
    assert asked(desk.expired("capi_sl_d1")) == ["capi_sl_d1_a2"]


@pytest.mark.parametrize(
    ("side", "beyond"),
    [pytest.param(Side.BUY, 89_800, id="a long"), pytest.param(Side.SELL, 91_800, id="a short")],
)
def test_an_acknowledged_stop_that_was_never_shown_is_armed_here_on_the_mark_price(side: Side, beyond: int) -> None:
    desk = entered(side=side)
    desk.ack("capi_sl_d1", verified=False)
    effects = desk.mark(beyond)
    assert "PROTECTIVE_EXIT" in alerts(effects)
    assert "capi_exit_d1" in asked(effects)


def test_a_mark_price_that_only_touched_the_stop_between_two_reads_counts() -> None:
    desk = entered()
    desk.ack("capi_sl_d1", verified=False)
    assert "capi_exit_d1" in asked(desk.mark(89_900, low=89_799))


def test_a_verified_stop_gets_three_seconds_to_close_the_position() -> None:
    desk = protected()
    desk.mark(89_700)
    assert asked(desk.wait(3_000)) == []
    assert asked(desk.wait(1_000)) == ["capi_exit_d1"]
    assert safe_mode(desk.requests) == []


@pytest.mark.parametrize("price", [89_800, 89_799, 89_000])
def test_those_three_seconds_count_from_the_first_price_at_the_stop(price: int) -> None:
    desk = protected()
    for _ in range(4):
        desk.mark(price)
        assert asked(desk.wait(900)) == []
    assert asked(desk.mark(price)) == ["capi_exit_d1"]


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "89800.1"), (Side.SELL, "91799.9")])
def test_a_price_before_the_stop_is_no_reason_to_leave(side: Side, price: str) -> None:
    desk = protected(side=side)
    desk.mark(price)
    assert asked(desk.wait(10_000)) == []


def test_a_price_that_comes_back_is_no_reason_to_leave() -> None:
    desk = protected()
    desk.mark(89_750)
    desk.tick(1_000)
    desk.mark(89_900)
    assert asked(desk.wait(10_000)) == []


def test_a_stop_whose_fills_are_still_to_come_is_not_given_up() -> None:
    desk = protected()
    desk.mark(89_790)
    desk.triggered("capi_sl_d1")
    desk.fill("capi_sl_d1", "0.02", 89_790)
    desk.wait(500)
    desk.fill("capi_sl_d1", "0.03", 89_780, final=True)
    assert "capi_exit_d1" not in asked(desk.requests)


def test_a_policy_may_do_without_a_stop() -> None:
    desk = entered(stop_price=None, targets=())
    desk.wait(60_000)
    assert asked(desk.requests) == ["capi_entry_d1"]
    assert desk.state.phase is Phase.IN_POSITION


def test_without_a_stop_there_is_no_second_one_either() -> None:
    desk = entered(stop_price=None)
    desk.ack("capi_tp1_d1")
    first_target_done(desk)
    assert not [name for name in asked(desk.requests) if "_sl" in name]


@pytest.mark.parametrize(
    ("stated", "protected"),
    [
        pytest.param("0.02", True, id="a position that the venue states before the fill that made it is known"),
        pytest.param("0", False, id="no position"),
    ],
)
def test_the_stop_need_not_wait_for_the_fill(stated: str, protected: bool) -> None:
    desk = Desk()
    desk.enter()
    assert asked(desk.feed(VenuePositionSeen(quantity=dec(stated)))) == (["capi_sl_d1"] if protected else [])


def test_a_position_stated_before_any_entry_was_asked_for_is_not_the_plans() -> None:
    desk = Desk(running=False)
    desk.receive()
    assert asked(desk.feed(VenuePositionSeen(quantity=dec("0.02")))) == []


def first_target_done(desk: Desk) -> list[Any]:
    desk.mark(92_200)
    desk.triggered("capi_tp1_d1")
    return desk.fill("capi_tp1_d1", price=92_190)


def test_after_the_first_target_a_second_stop_stands_at_the_entry_price_beside_the_first() -> None:
    desk = protected()
    effects = first_target_done(desk)
    assert asked(effects) == ["capi_slt_d1"]
    assert cancels(effects) == []
    tightened = desk.intent("capi_slt_d1")
    assert (tightened.type, tightened.side) == (OrderType.STOP_MARKET, Side.SELL)
    assert (tightened.trigger_price, tightened.quantity, tightened.reduce_only) == (dec(90_800), dec("0.025"), True)
    assert "capi_sl_d1" in desk.live


def test_not_before_the_first_target_is_done_whole() -> None:
    desk = protected()
    desk.mark(92_200)
    desk.triggered("capi_tp1_d1")
    assert asked(desk.fill("capi_tp1_d1", "0.024")) == []
    assert asked(desk.fill("capi_tp1_d1", "0.001")) == ["capi_slt_d1"]


def test_the_mean_entry_price_is_rounded_to_less_risk() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02", "90799.9")
    desk.fill("capi_entry_d1", price="90800")
    for client_id in desk.live:
        desk.ack(client_id)
    first_target_done(desk)
    assert desk.state.position.entry_price == dec("90799.96")
    assert desk.intent("capi_slt_d1").trigger_price == dec("90800.0")


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        pytest.param({"break_even_after_tp1": False}, {}, id="where the policy does not want it"),
        pytest.param({}, {"targets": plan().targets[:1]}, id="where the first target is the only one"),
    ],
)
def test_no_second_stop(policy: dict[str, Any], changes: dict[str, Any]) -> None:
    desk = Desk(policy=msgspec.structs.replace(TradePolicy(), **policy))
    desk.open(plan(**changes))
    first_target_done(desk)
    assert "capi_slt_d1" not in asked(desk.requests)


def test_a_second_stop_that_would_trigger_at_once_means_out() -> None:
    desk = protected()
    first_target_done(desk)
    effects = desk.refuse("capi_slt_d1", RejectCause.WOULD_TRIGGER)
    assert "capi_exit_d1" in asked(effects)
    assert desk.intent("capi_exit_d1").quantity == dec("0.025")


def test_a_second_stop_refused_for_another_cause_is_asked_for_again() -> None:
    desk = protected()
    first_target_done(desk)
    desk.refuse("capi_slt_d1", RejectCause.OVERLOADED, retryable=True)
    assert "capi_slt_d1_a2" in asked(desk.wait(300))


def test_a_second_stop_that_fails_after_its_trigger_means_out() -> None:
    desk = protected()
    first_target_done(desk)
    desk.ack("capi_slt_d1")
    desk.triggering("capi_slt_d1")
    assert "capi_exit_d1" in asked(desk.expired("capi_slt_d1"))


def test_a_second_stop_that_hangs_while_triggering_means_out() -> None:
    desk = protected()
    first_target_done(desk)
    desk.ack("capi_slt_d1")
    desk.triggering("capi_slt_d1")
    assert "capi_exit_d1" in asked(desk.wait(4_500))


def test_the_first_stop_stays_until_the_position_is_flat() -> None:
    desk = protected()
    first_target_done(desk)
    desk.ack("capi_slt_d1")
    desk.triggered("capi_slt_d1")
    assert "capi_sl_d1" not in cancels(desk.fill("capi_slt_d1", "0.02", 90_790))
    assert "capi_sl_d1" in cancels(desk.fill("capi_slt_d1", "0.005", 90_790))

"""Entry: each plan enters once, its refusal and its end are final, and what rests goes when its time is over."""

from itertools import pairwise

import pytest
from rule_makers import dec
from trading_desk import SECOND, Desk, alerts, asked, cancels, endings, plan

from execactor.actors.position import SIGNAL_VALID_MS
from execactor.domain.account import EngineState
from execactor.domain.messages.decisions import (
    FlatMode,
    FlatRequested,
    PlanAccepted,
    PlanEnded,
    PlanReceived,
    PlanRefused,
    PlanStarted,
)
from execactor.domain.messages.orders import RequestApproval
from execactor.domain.order import OrderType, RejectCause, Role
from execactor.domain.side import Side
from execactor.tactics.entry import STALE
from execactor.tactics.trade import Phase


def test_a_plan_becomes_one_limit_entry() -> None:
    desk = Desk()
    effects = desk.receive()
    assert [type(effect) for effect in effects] == [PlanAccepted, PlanStarted, RequestApproval]
    intent = desk.intent("capi_entry_d1")
    assert (intent.role, intent.side, intent.type) == (Role.ENTRY, Side.BUY, OrderType.LIMIT)
    assert (intent.quantity, intent.price, intent.reduce_only) == (dec("0.05"), dec(90_800), False)
    assert desk.state.phase is Phase.ENTERING


def test_a_plan_without_a_price_enters_at_market() -> None:
    desk = Desk()
    desk.receive(plan(entry_price=None))
    assert desk.intent("capi_entry_d1").type is OrderType.MARKET


def test_latency_is_measured_from_the_intake_of_the_decision() -> None:
    desk = Desk()
    desk.receive(plan(received_ns=77))
    assert desk.intent("capi_entry_d1").decided_ns == 77


def test_E1_a_decision_that_is_repeated_a_thousand_times_enters_once() -> None:  # noqa: N802  # the requirement's name
    desk = Desk()
    for loop in range(1_000):
        desk.receive()
        desk.tick(100)
        if loop == 10:
            desk.ack("capi_entry_d1")
        if loop == 100:
            desk.fill("capi_entry_d1")
            for client_id in desk.live:
                desk.ack(client_id)
        if loop == 500:
            desk.triggered("capi_tp2_d1")
            desk.fill("capi_tp2_d1", "0.025")
            desk.triggered("capi_tp1_d1")
            desk.fill("capi_tp1_d1")
            for client_id in desk.live:
                desk.cancelled(client_id)
    assert [effect.intent.client_id for effect in desk.of(RequestApproval)] == ["capi_entry_d1"]
    assert desk.state.phase is Phase.NO_POSITION
    assert desk.closed.key == "d1"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda desk: desk.refuse("capi_entry_d1"), id="refused"),
        pytest.param(lambda desk: desk.cancelled("capi_entry_d1"), id="cancelled"),
        pytest.param(lambda desk: desk.expired("capi_entry_d1"), id="expired"),
    ],
)
def test_E1_an_entry_that_ended_is_not_made_again(end: object) -> None:  # noqa: N802
    desk = Desk()
    desk.receive()
    end(desk)  # type: ignore[operator]  # a row's script
    for _ in range(100):
        desk.receive()
        desk.tick(500)
    assert asked(desk.requests) == ["capi_entry_d1"]
    assert endings(desk.requests) == [("d1", False)]


def test_the_same_id_with_another_body_is_refused_and_the_first_stands() -> None:
    desk = Desk()
    desk.enter()
    effects = desk.receive(plan(stop_price=dec(89_000), body_hash="another body"))
    assert alerts(effects) == ["DECISION_CONFLICT"]
    assert [effect.key for effect in effects if isinstance(effect, PlanRefused)] == ["d1"]
    assert desk.state.plan == plan()
    assert desk.live == ["capi_entry_d1"]


def test_C5_a_signals_entry_is_cancelled_after_300_seconds_and_ends_once_the_venue_confirms() -> None:  # noqa: N802
    desk = Desk()
    assert SIGNAL_VALID_MS == 300_000
    desk.receive(plan(source="signal"), expires_s=SIGNAL_VALID_MS / 1_000)
    desk.ack("capi_entry_d1")
    assert cancels(desk.wait(299_999)) == []
    effects = desk.wait(1_001)
    assert cancels(effects)[:1] == ["capi_entry_d1"]
    assert endings(desk.wait(5_000)) == [], "until the venue has cancelled it the plan goes on"
    assert endings(desk.cancelled("capi_entry_d1")) == [("d1", False)]
    assert desk.of(PlanEnded)[0].reason == STALE, "this is what on_timeout is told for"
    assert endings(desk.wait(600_000)) == []
    assert len(desk.of(PlanEnded)) == 1


def test_a_plan_waits_until_the_engine_takes_risk() -> None:
    desk = Desk(running=False)
    assert asked(desk.receive()) == []
    assert asked(desk.engine(EngineState.RECONCILING)) == []
    assert asked(desk.engine(EngineState.RUNNING)) == ["capi_entry_d1"]


def test_an_entry_that_risk_refuses_is_not_asked_for_again() -> None:
    desk = Desk()
    desk.approves = False
    effects = desk.receive()
    assert alerts(effects) == ["ENTRY_REFUSED"]
    (ended,) = [effect for effect in effects if isinstance(effect, PlanEnded)]
    assert (ended.reason, ended.entered) == ("notional_exceeded: too much", False)
    assert desk.wait(20_000) == []
    assert desk.state.phase is Phase.NO_POSITION


def test_an_entry_refused_for_a_passing_cause_gets_two_more_attempts_with_growing_pauses() -> None:
    desk = Desk()
    desk.receive()
    made_ns = [desk.now_ns]
    for attempt in ("capi_entry_d1", "capi_entry_d1_a2"):
        desk.refuse(attempt, RejectCause.OVERLOADED, retryable=True)
        while not asked(desk.wait(10)):
            assert desk.now_ns - made_ns[-1] < 2 * SECOND
        made_ns.append(desk.now_ns)
    assert asked(desk.requests) == ["capi_entry_d1", "capi_entry_d1_a2", "capi_entry_d1_a3"]
    assert [later - earlier for earlier, later in pairwise(made_ns)] == [200_000_000, 400_000_000]
    effects = desk.refuse("capi_entry_d1_a3", RejectCause.OVERLOADED, retryable=True)
    assert endings(effects) == [("d1", False)]


def test_an_entry_refused_until_a_time_is_made_again_then_and_spends_no_attempt_before() -> None:
    desk = Desk()
    desk.receive()
    desk.refuse("capi_entry_d1", RejectCause.OVERLOADED, retryable=True, after_ms=5_000)
    assert asked(desk.wait(4_990)) == []
    assert asked(desk.wait(400)) == ["capi_entry_d1_a2"]


def test_an_entry_refused_for_longer_than_its_decision_is_fresh_is_not_made_again() -> None:
    desk = Desk()
    desk.receive()
    desk.refuse("capi_entry_d1", RejectCause.OVERLOADED, retryable=True, after_ms=3_600_000)
    effects = desk.wait(3_700_000)
    assert asked(effects) == []
    assert endings(effects) == [("d1", False)]


def test_an_entry_in_doubt_gets_no_successor_until_its_absence_is_proven() -> None:
    desk = Desk()
    desk.receive()
    desk.lose_answer("capi_entry_d1")
    assert asked(desk.wait(60_000)) == []
    desk.prove_absent("capi_entry_d1")
    assert asked(desk.wait(1_000)) == ["capi_entry_d1_a2"]


def test_an_entry_that_filled_a_little_before_it_was_refused_is_not_made_again() -> None:
    desk = Desk()
    desk.receive()
    desk.fill("capi_entry_d1", "0.01")
    desk.refuse("capi_entry_d1", RejectCause.OVERLOADED, retryable=True)
    desk.ack("capi_sl_d1")
    desk.wait(10_000)
    assert not [name for name in asked(desk.requests) if "entry_d1_a" in name]


def test_an_entry_is_cancelled_when_its_decision_gets_stale() -> None:
    desk = Desk()
    desk.enter()
    assert cancels(desk.wait(598_000)) == []
    assert cancels(desk.wait(2_500)) == ["capi_entry_d1"]
    effects = desk.cancelled("capi_entry_d1")
    (ended,) = [effect for effect in effects if isinstance(effect, PlanEnded)]
    assert (ended.reason, ended.entered) == ("the decision is stale", False)


def test_a_plan_that_is_stale_when_it_comes_never_enters() -> None:
    desk = Desk()
    effects = desk.receive(expires_s=0)
    assert asked(effects) == []
    assert endings(effects) == [("d1", False)]


def test_a_stale_entry_that_filled_in_part_keeps_what_it_has() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    for client_id in desk.live:
        desk.ack(client_id)
    desk.wait(601_000)
    desk.cancelled("capi_entry_d1", filled="0.02")
    assert desk.quantity == dec("0.02")
    assert desk.state.phase is Phase.IN_POSITION
    assert {"capi_sl_d1", "capi_tp1_d1", "capi_tp2_d1"} <= set(desk.live)


@pytest.mark.parametrize("blocked", [EngineState.PAUSED, EngineState.SAFE_MODE, EngineState.HALTED])
def test_what_rests_is_cancelled_when_the_engine_takes_no_risk(blocked: EngineState) -> None:
    desk = Desk()
    desk.enter()
    assert cancels(desk.engine(blocked)) == ["capi_entry_d1"]
    desk.cancelled("capi_entry_d1")
    desk.engine(EngineState.RUNNING)
    assert asked(desk.wait(10_000)) == []


def test_E5_flat_mode_cancels_the_entry_and_keeps_the_stop_and_the_targets() -> None:  # noqa: N802
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.03")
    for client_id in desk.live:
        desk.ack(client_id)
    desk.wait(1_000)
    for client_id in desk.live:
        desk.ack(client_id)
    effects = desk.feed(FlatMode(reason="the decision is stale"))
    assert cancels(effects) == ["capi_entry_d1"]
    desk.cancelled("capi_entry_d1", filled="0.03")
    desk.wait(10_000)
    assert desk.live == ["capi_sl_d1", "capi_tp1_d1", "capi_tp2_d1"]
    assert desk.quantity == dec("0.03")


def test_E5_flat_mode_before_anything_was_sent_ends_the_plan() -> None:  # noqa: N802
    desk = Desk(running=False)
    desk.receive()
    assert endings(desk.feed(FlatMode(reason="malformed decision"))) == [("d1", False)]
    assert asked(desk.engine(EngineState.RUNNING)) == []


def test_flat_mode_without_a_plan_changes_nothing() -> None:
    desk = Desk()
    before = desk.state
    assert desk.feed(FlatMode(reason="no decision")) == []
    assert desk.state == before
    assert asked(desk.receive()) == ["capi_entry_d1"]


def test_a_lost_cancel_is_asked_for_again_every_second() -> None:
    desk = Desk()
    desk.enter()
    desk.feed(FlatRequested(reason="flat"))
    assert cancels(desk.wait(3_500)) == ["capi_entry_d1"] * 3


def test_keys_are_remembered_for_a_long_time() -> None:
    desk = Desk()
    for number in range(300):
        desk.feed(PlanReceived(plan=plan(f"k{number}"), expires_ns=desk.now_ns))
    assert len(desk.state.done) == 256
    assert "k0" not in desk.state.done
    assert "k299" in desk.state.done

"""Any single request may get lost on its way: the machine asks again and ends where it would have ended."""

from collections.abc import Callable
from decimal import Decimal
from itertools import count

import pytest
from model_venue import ModelVenue
from model_wire import Wire
from rule_makers import dec
from trading_desk import SECOND, plan

from execactor.domain.messages.decisions import FlatRequested, PlanReceived
from execactor.domain.messages.orders import CancelOrder, SubmitProtective
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Role
from execactor.tactics.trade import Effect

Script = Callable[[Wire], None]


def entered(wire: Wire) -> None:
    wire.feed(PlanReceived(plan=plan(), expires_ns=wire.now_ns + 600 * SECOND))
    quiet(wire)
    wire.venue.match("capi_entry_d1", dec("0.05"))
    quiet(wire, 6)


def quiet(wire: Wire, seconds: int = 2) -> None:
    for _ in wire.calm(seconds):
        pass


def to_the_second_target(wire: Wire) -> None:
    entered(wire)
    wire.mark(Decimal(92_250))
    quiet(wire, 6)
    wire.mark(Decimal(93_600))


def to_the_stop(wire: Wire) -> None:
    entered(wire)
    wire.mark(Decimal(89_700))


def back_to_the_entry_after_the_first_target(wire: Wire) -> None:
    entered(wire)
    wire.mark(Decimal(92_250))
    quiet(wire, 6)
    wire.mark(Decimal(90_790))


def out_by_a_decision(wire: Wire) -> None:
    entered(wire)
    wire.feed(FlatRequested(reason="decision d2 is flat"))


def filled_in_part_and_out(wire: Wire) -> None:
    wire.feed(PlanReceived(plan=plan(), expires_ns=wire.now_ns + 600 * SECOND))
    quiet(wire)
    wire.venue.match("capi_entry_d1", dec("0.02"))
    quiet(wire, 4)
    wire.venue.match("capi_entry_d1", dec("0.01"))
    quiet(wire, 4)
    wire.feed(FlatRequested(reason="decision d2 is flat"))


def run(script: Script, loses: Callable[[Effect], bool]) -> Wire:
    wire = Wire(ModelVenue())
    wire.loses = loses
    script(wire)
    for _ in wire.calm(40):
        if wire.at_rest:
            return wire
    raise AssertionError(f"{wire.state.phase} with {[each.intent.client_id for each in wire.venue.live()]} alive")


def losing(number: int) -> tuple[Callable[[Effect], bool], list[Effect]]:
    """Loses the request with this number, and tells which one it was."""
    seen: list[Effect] = []
    lost: list[Effect] = []

    def loses(effect: Effect) -> bool:
        if isinstance(effect, SubmitProtective | CancelOrder | RequestReconcile):
            seen.append(effect)
            if len(seen) == number:
                lost.append(effect)
                return True
        return False

    return loses, lost


SCRIPTS = [
    to_the_second_target,
    to_the_stop,
    back_to_the_entry_after_the_first_target,
    out_by_a_decision,
    filled_in_part_and_out,
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_trade_without_losses_ends_flat_with_nothing_alive(script: Script) -> None:
    wire = run(script, lambda _effect: False)
    (trade,) = wire.trades_closed
    assert trade.fills == len(wire.venue.trades)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_trade_that_loses_any_one_request_ends_the_same_way(script: Script) -> None:
    (unhurt,) = run(script, lambda _effect: False).trades_closed
    for number in count(1):
        loses, lost = losing(number)
        (trade,) = run(script, loses).trades_closed
        if not lost:
            break  # the trade makes fewer requests
        assert (trade.outcome, trade.quantity, trade.pnl) == (unhurt.outcome, unhurt.quantity, unhurt.pnl), lost
    assert number > 5


def test_a_stop_whose_request_is_lost_again_and_again_means_out_within_the_deadline() -> None:
    wire = Wire(ModelVenue())
    wire.loses = lambda effect: (
        isinstance(effect, SubmitProtective) and effect.intent.role is Role.STOP and wire.venue.position != 0
    )
    left_ns: list[int] = []

    def watch(effects: list[Effect]) -> None:
        exits = [each for each in effects if isinstance(each, SubmitProtective) and each.intent.role is Role.EXIT]
        left_ns.extend(wire.now_ns for _ in exits)

    wire.on_step = watch
    entered(wire)
    assert wire.at_rest
    (trade,) = wire.trades_closed
    assert trade.outcome == "exit"
    assert 2 * SECOND < left_ns[0] - trade.opened_ns <= 2.3 * SECOND


def test_an_entry_whose_request_is_lost_is_given_up_and_never_made_twice() -> None:
    wire = Wire(ModelVenue())
    wire.loses = lambda effect: not isinstance(effect, SubmitProtective | CancelOrder | RequestReconcile)
    wire.feed(PlanReceived(plan=plan(), expires_ns=wire.now_ns + 600 * SECOND))
    quiet(wire, 15)
    assert wire.at_rest
    assert wire.venue.used_ids == set()
    wire.loses = lambda _effect: False
    wire.feed(PlanReceived(plan=plan(), expires_ns=wire.now_ns + 600 * SECOND))
    quiet(wire, 15)
    assert wire.venue.used_ids == set()

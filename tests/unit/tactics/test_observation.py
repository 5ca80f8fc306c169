"""Before the first comparison the machine only looks on; and when it wants to look again."""

from typing import Any

import msgspec
import pytest
from rule_makers import BTC, SYMBOL, dec
from trading_desk import SECOND, Desk, adoption, asked, cancels, cleaned, plan, stopped_out

from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged, FlatConfirmed, Flatten
from execactor.domain.messages.decisions import (
    FlatMode,
    FlatRequested,
    PlanReceived,
)
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import EntryRefused, OrderUpdate
from execactor.domain.messages.reconciliation import PositionCorrected, VenuePositionSeen
from execactor.domain.order import RejectCause
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.tactics.position import Event, Tick, fresh, next_wake_ns
from execactor.tactics.trade import TradePolicy

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

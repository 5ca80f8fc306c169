"""Exit: close what is open with reduce-only orders, one after another, until it is flat."""

from itertools import pairwise
from typing import Any

import pytest
from rule_makers import dec, instrument
from trading_desk import SECOND, Desk, asked, cancels, plan, reconciles

from execactor.domain.messages.decisions import FlatRequested
from execactor.domain.messages.orders import CancelOrder, SubmitProtective
from execactor.domain.order import OrderType, RejectCause, Role, TimeInForce
from execactor.domain.side import Side
from execactor.tactics.trade import Phase


def leaving(**changes: Any) -> Desk:
    """A position whose exit has been asked for."""
    desk = Desk(instrument=changes.pop("instrument", instrument()))
    desk.open(plan(**changes))
    desk.mark(90_900)
    desk.feed(FlatRequested(reason="decision d2 is flat"))
    return desk


def exits(desk: Desk) -> list[str]:
    return [name for name in asked(desk.requests) if "_exit_" in name]


@pytest.mark.parametrize(("side", "closing"), [(Side.BUY, Side.SELL), (Side.SELL, Side.BUY)])
def test_an_exit_closes_the_whole_position_at_market(side: Side, closing: Side) -> None:
    desk = leaving(side=side)
    order = desk.intent("capi_exit_d1")
    assert (order.type, order.side, order.quantity, order.reduce_only) == (
        OrderType.MARKET,
        closing,
        dec("0.05"),
        True,
    )
    assert desk.state.phase is Phase.CLOSING


def test_the_take_profits_go_first_and_the_stop_stays() -> None:
    desk = leaving()
    assert cancels(desk.requests) == ["capi_tp1_d1", "capi_tp2_d1"]
    assert "capi_sl_d1" in desk.live


def test_what_rests_of_the_entry_is_cancelled_too() -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    desk.ack("capi_sl_d1")
    assert cancels(desk.feed(FlatRequested(reason="flat"))) == ["capi_entry_d1"]
    assert desk.intent("capi_exit_d1").quantity == dec("0.02")


@pytest.mark.parametrize("trigger", ["a wish to be flat", "the price at an unseen stop", "no stop in time"])
def test_an_exit_first_cancels_the_rest_of_the_entry(trigger: str) -> None:
    desk = Desk()
    desk.enter()
    desk.fill("capi_entry_d1", "0.02")
    if trigger == "a wish to be flat":
        desk.ack("capi_sl_d1")
        effects = desk.feed(FlatRequested(reason="flat"))
    elif trigger == "the price at an unseen stop":
        desk.ack("capi_sl_d1", verified=False)
        effects = desk.mark(89_700)
    else:
        effects = desk.wait(2_500)
    first_cancel = next(n for n, effect in enumerate(effects) if isinstance(effect, CancelOrder))
    first_exit = next(
        n
        for n, effect in enumerate(effects)
        if isinstance(effect, SubmitProtective) and effect.intent.role is Role.EXIT
    )
    assert effects[first_cancel].client_id == "capi_entry_d1"
    assert first_cancel < first_exit


def test_a_large_position_is_closed_in_chunks_that_the_venue_takes() -> None:
    desk = leaving(quantity=dec("0.05"), instrument=instrument(market_max_quantity="0.02"))
    for quantity in ("0.02", "0.02", "0.01"):
        last = exits(desk)[-1]
        assert desk.intent(last).quantity == dec(quantity)
        desk.ack(last)
        desk.fill(last, price=90_900)
    assert exits(desk) == ["capi_exit_d1", "capi_exit_d1_a2", "capi_exit_d1_a3"]
    assert desk.state.position.flat


def test_the_next_chunk_waits_for_the_one_before() -> None:
    desk = leaving(instrument=instrument(market_max_quantity="0.02"))
    desk.ack("capi_exit_d1")
    desk.fill("capi_exit_d1", "0.01", 90_900)
    assert exits(desk) == ["capi_exit_d1"]


def test_an_exit_that_expired_half_way_gets_a_successor_for_the_rest_at_once() -> None:
    desk = leaving()
    desk.fill("capi_exit_d1", "0.02", 90_900)
    assert asked(desk.expired("capi_exit_d1")) == ["capi_exit_d1_a2"]
    assert desk.intent("capi_exit_d1_a2").quantity == dec("0.03")


def test_a_book_that_stays_thin_is_given_growing_pauses_so_that_exits_leave_the_stops_their_share_of_orders() -> None:
    desk = leaving()
    made_ns = [desk.now_ns]
    for _ in range(6):
        desk.fill(exits(desk)[-1], "0.001", 90_900)
        count = len(exits(desk))
        desk.expired(exits(desk)[-1])
        while len(exits(desk)) == count:
            desk.wait(10)
            assert desk.now_ns - made_ns[-1] < 3 * SECOND
        made_ns.append(desk.now_ns)
    pauses = [later - earlier for earlier, later in pairwise(made_ns)]
    assert [round(pause / 1e8) for pause in pauses] == [0, 2, 4, 8, 16, 20]


@pytest.mark.parametrize(
    ("side", "price"),
    [
        pytest.param(Side.BUY, "90445.5", id="a seller takes up to half a per cent less than the mark"),
        pytest.param(Side.SELL, "91354.5", id="a buyer pays up to half a per cent more"),
    ],
)
def test_where_the_book_is_too_thin_for_a_market_order_a_limit_order_takes_what_there_is(
    side: Side, price: str
) -> None:
    desk = leaving(side=side)
    desk.refuse("capi_exit_d1", RejectCause.THIN_BOOK)
    assert asked(desk.tick(199)) == []
    assert asked(desk.tick(1)) == ["capi_exit_d1_a2"]
    limited = desk.intent("capi_exit_d1_a2")
    assert (limited.type, limited.time_in_force, limited.price) == (OrderType.LIMIT, TimeInForce.IOC, dec(price))
    assert limited.reduce_only


def test_without_a_mark_price_a_thin_book_is_tried_at_market_again() -> None:
    desk = Desk()
    desk.open()
    desk.feed(FlatRequested(reason="flat"))
    desk.refuse("capi_exit_d1", RejectCause.THIN_BOOK)
    desk.wait(200)
    assert desk.intent("capi_exit_d1_a2").type is OrderType.MARKET


def test_an_exit_without_an_answer_gets_a_successor_after_a_second() -> None:
    desk = leaving()
    assert asked(desk.wait(990)) == []
    assert asked(desk.wait(300)) == ["capi_exit_d1_a2"]


def test_an_acknowledged_exit_is_given_three_seconds() -> None:
    desk = leaving()
    desk.ack("capi_exit_d1")
    assert "capi_exit_d1_a2" not in asked(desk.wait(2_900))
    assert "capi_exit_d1_a2" in asked(desk.wait(300))


def test_an_exit_in_doubt_is_not_waited_for_longer_than_one_without_an_answer() -> None:
    desk = leaving()
    desk.lose_answer("capi_exit_d1")
    assert asked(desk.wait(1_300)) == ["capi_exit_d1_a2"]


def test_a_refused_exit_is_repeated_with_growing_pauses_of_at_most_two_seconds() -> None:
    desk = leaving()
    made_ns = []
    for _ in range(7):
        made_ns.append(desk.now_ns)
        desk.refuse(exits(desk)[-1], RejectCause.OVERLOADED, retryable=True)
        count = len(exits(desk))
        while len(exits(desk)) == count:
            desk.wait(10)
            assert desk.now_ns - made_ns[-1] < 3 * SECOND
    pauses = [later - earlier for earlier, later in pairwise([*made_ns, desk.now_ns])]
    assert [round(pause / 1e8) for pause in pauses] == [2, 4, 8, 16, 20, 20, 20]
    assert {desk.intent(name).type for name in exits(desk)} == {OrderType.MARKET}


@pytest.mark.parametrize("cause", [RejectCause.REDUCE_ONLY, RejectCause.NO_POSITION])
def test_an_exit_that_has_nothing_to_reduce_asks_for_a_comparison(cause: RejectCause) -> None:
    desk = leaving()
    desk.refuse("capi_exit_d1", cause)
    effects = desk.wait(300)
    assert reconciles(effects) == ["BTCUSDT: an exit was refused, the position may be gone"]


def test_exits_never_open_a_position() -> None:
    desk = leaving(instrument=instrument(market_max_quantity="0.01"))
    desk.wait(30_000)
    sent = [effect.intent for effect in desk.requests if isinstance(effect, SubmitProtective)]
    assert all(intent.reduce_only or intent.close_position for intent in sent)


def test_an_exit_ends_when_the_stop_was_faster() -> None:
    desk = leaving()
    desk.fill("capi_sl_d1", "0.05", 89_790, final=True)
    assert desk.state.phase is Phase.POSITION_CLOSED
    desk.refuse("capi_exit_d1", RejectCause.REDUCE_ONLY)
    for client_id in desk.live:
        desk.cancelled(client_id)
    assert desk.closed.outcome == "stopped"


def test_a_second_wish_to_be_flat_changes_nothing() -> None:
    desk = leaving()
    assert asked(desk.feed(FlatRequested(reason="again"))) == []
    assert desk.state.exit_reason == "decision d2 is flat"


def test_a_wish_to_be_flat_without_a_position_or_a_plan_is_forgotten() -> None:
    desk = Desk()
    assert desk.feed(FlatRequested(reason="flat")) == []
    assert asked(desk.receive()) == ["capi_entry_d1"]
    assert desk.state.exit_reason == ""


def test_a_fill_that_comes_while_the_entry_is_being_cancelled_is_closed_at_once() -> None:
    desk = Desk()
    desk.enter()
    assert cancels(desk.feed(FlatRequested(reason="decision d2 is flat"))) == ["capi_entry_d1"]
    effects = desk.fill("capi_entry_d1", "0.02")
    assert asked(effects) == ["capi_sl_d1", "capi_exit_d1"]
    assert desk.intent("capi_exit_d1").quantity == dec("0.02")
    desk.cancelled("capi_entry_d1", filled="0.02")
    desk.fill("capi_exit_d1", price=90_790)
    for client_id in desk.live:
        desk.cancelled(client_id)
    assert desk.closed.outcome == "exit"

"""What a listing told and the private stream did not: whether the stream can still be trusted."""

from typing import Any

import pytest
from actor_stage import MS, SECOND, Stage, snapshot
from rule_makers import SYMBOL, execution

from execactor.actors.context import Ref
from execactor.actors.order import OrderActor
from execactor.actors.venue_gateway import RenewStream
from execactor.domain.fill import Execution
from execactor.domain.messages.reconciliation import SnapshotArrived
from execactor.domain.reports import ExecutionReport


def ours(stage: Stage, **changes: Any) -> Execution:
    """A trade that the venue made now."""
    return execution(time_ms=stage.context.venue_ms, **changes)


@pytest.fixture
def actor(stage: Stage) -> Ref:
    stage.context.stream_since_ms = stage.context.venue_ms - 60_000
    return stage.play(OrderActor, SYMBOL, at="order")


async def listed(stage: Stage, actor: Ref, *trades: Execution) -> None:
    await stage.tell(actor, SnapshotArrived(snapshot=snapshot("0.05", trades=trades)))


def renewals(stage: Stage) -> list[str]:
    return [message.reason for message in stage.told("gateway", RenewStream)]


async def test_a_trade_that_the_stream_never_tells_means_that_it_is_opened_anew(stage: Stage, actor: Ref) -> None:
    await listed(stage, actor, ours(stage, trade_id="17"))
    await stage.after(SECOND - MS)
    assert renewals(stage) == []
    await stage.after(MS)
    assert renewals(stage) == [f"it never told trade 17 of {SYMBOL}"]
    await stage.after(10 * SECOND)
    assert len(renewals(stage)) == 1


async def test_a_trade_that_the_stream_tells_a_little_later_is_no_gap(stage: Stage, actor: Ref) -> None:
    trade = ours(stage)
    await listed(stage, actor, trade)
    await stage.after(SECOND // 2)
    await stage.tell(actor, ExecutionReport(execution=trade, filled=trade.quantity))
    await stage.after(10 * SECOND)
    assert renewals(stage) == []


async def test_a_trade_of_another_hand_that_the_stream_told_before_the_listing_is_no_gap(
    stage: Stage, actor: Ref
) -> None:
    trade = ours(stage, venue_order_id="9")
    await stage.tell(actor, ExecutionReport(execution=trade, filled=trade.quantity))
    await listed(stage, actor, trade)
    await stage.after(10 * SECOND)
    assert renewals(stage) == []


@pytest.mark.parametrize("case", ["the stream was down", "the stream stands since then"])
async def test_a_trade_that_the_stream_could_not_tell_is_no_gap(stage: Stage, actor: Ref, case: str) -> None:
    if case == "the stream was down":
        stage.context.stream_up = False
    else:
        stage.context.stream_since_ms = stage.context.venue_ms
    await listed(stage, actor, ours(stage))
    await stage.after(10 * SECOND)
    assert renewals(stage) == []


async def test_a_stream_that_was_opened_anew_meanwhile_owes_nothing_old(stage: Stage, actor: Ref) -> None:
    await listed(stage, actor, ours(stage))
    await stage.after(SECOND // 2)
    stage.context.stream_since_ms = stage.context.venue_ms
    await stage.after(10 * SECOND)
    assert renewals(stage) == []


async def test_each_of_several_trades_has_its_own_grace(stage: Stage, actor: Ref) -> None:
    first, second = ours(stage, trade_id="1"), ours(stage, trade_id="2")
    await listed(stage, actor, first)
    await stage.after(SECOND // 2)
    await listed(stage, actor, first, second)
    await stage.tell(actor, ExecutionReport(execution=first, filled=first.quantity))
    await stage.after(SECOND // 2)
    assert renewals(stage) == []
    await stage.after(SECOND)
    assert renewals(stage) == [f"it never told trade 2 of {SYMBOL}"]

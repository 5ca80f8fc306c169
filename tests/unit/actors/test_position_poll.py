"""The poll of positions: what is asked when, and what a symbol is told of it."""

from decimal import Decimal
from typing import Any

import pytest
from actor_stage import MS, SECOND, START_NS, Stage
from rule_makers import SYMBOL

from execactor.actors.context import Ref
from execactor.actors.reconciler import ReconcilerActor
from execactor.domain.account import VenuePosition
from execactor.domain.errors import RetryLater
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.reconciliation import VenuePositionSeen

NOW_MS = START_NS // MS


def held(quantity: Any, *, symbol: str = SYMBOL, updated_ms: int = NOW_MS, mark: int = 90_900) -> VenuePosition:
    return VenuePosition(
        symbol=symbol,
        quantity=Decimal(str(quantity)),
        entry_price=Decimal(90_800),
        mark_price=Decimal(mark),
        update_time_ms=updated_ms,
    )


@pytest.fixture
def reconciler(stage: Stage) -> Ref:
    stage.context.acting.add(SYMBOL)
    stage.context.busy.add(SYMBOL)
    return stage.play(ReconcilerActor, at="reconciler")


def seen(stage: Stage) -> list[Decimal]:
    return [message.quantity for message in stage.told("position", VenuePositionSeen)]


async def polled(stage: Stage, *positions: VenuePosition) -> None:
    """The next poll, answered."""
    await stage.after(SECOND)
    await stage.answer("positions", positions)


async def test_a_symbol_is_told_what_the_venue_states_every_second(stage: Stage, reconciler: Ref) -> None:
    await stage.settle()
    for number, quantity in enumerate(("0", "0.02", "0.05")):
        assert stage.count("positions") == number
        await polled(stage, held(quantity))
    assert seen(stage) == [0, Decimal("0.02"), Decimal("0.05")]


async def test_nothing_is_asked_before_the_first_comparison(stage: Stage, reconciler: Ref) -> None:
    stage.context.acting.clear()
    await stage.settle()
    await stage.after(5 * SECOND)
    assert stage.count("positions") == 0


async def test_while_nothing_of_ours_lives_a_tenth_of_the_pace_is_enough(stage: Stage, reconciler: Ref) -> None:
    stage.context.busy.clear()
    await stage.settle()
    for _ in range(30):
        await stage.after(SECOND)
        if stage.open("positions"):
            await stage.answer("positions", ())
    assert stage.count("positions") == 3
    stage.context.busy.add(SYMBOL)
    await stage.after(SECOND)
    assert stage.count("positions") == 4, "an entry is looked after at once"


async def test_a_listing_older_than_our_last_execution_tells_nothing(stage: Stage, reconciler: Ref) -> None:
    stage.context.last_trade_ms[SYMBOL] = NOW_MS + 1
    await stage.settle()
    await polled(stage, held("0.05", updated_ms=NOW_MS))
    assert seen(stage) == []
    await polled(stage, held("0.05", updated_ms=NOW_MS + 1))
    assert seen(stage) == [Decimal("0.05")]


async def test_a_position_that_is_not_listed_is_gone_once_listings_must_show_our_last_trade(
    stage: Stage, reconciler: Ref
) -> None:
    stage.context.last_trade_ms[SYMBOL] = NOW_MS + 1_000
    await stage.settle()
    await polled(stage)
    await polled(stage)
    await polled(stage)
    assert seen(stage) == [], "listings lag"
    await polled(stage)
    assert seen(stage) == [0]


async def test_one_question_at_a_time_and_a_failure_is_no_answer(stage: Stage, reconciler: Ref) -> None:
    await stage.settle()
    for _ in range(3):
        await stage.after(SECOND)
    assert stage.count("positions") == 1
    await stage.answer("positions", RetryLater("503"))
    assert seen(stage) == []
    await polled(stage, held("0.05"))
    assert seen(stage) == [Decimal("0.05")]


async def test_the_pace_yields_to_others_and_says_so(stage: Stage, reconciler: Ref) -> None:
    stage.venue.used = 0.65
    await stage.settle()
    await polled(stage)
    asked_ns = stage.clock.monotonic_ns()
    while not stage.open("positions"):
        await stage.after(SECOND)
    assert stage.clock.monotonic_ns() - asked_ns == 4 * SECOND
    assert [alert.code for alert in stage.alerts()] == ["POLL_SLOWED"]
    assert "4 times less often" in stage.alerts()[0].text


async def test_a_mark_of_the_listing_stands_in_for_a_silent_market_stream(stage: Stage, reconciler: Ref) -> None:
    await stage.settle()
    stage.context.marked_ns[SYMBOL] = stage.clock.monotonic_ns()
    await polled(stage, held("0.05", mark=90_000))
    assert stage.told("position", MarkUpdate) == []
    await polled(stage, held("0.05", mark=89_700))
    for name in ("position", "risk"):
        assert [mark.price for mark in stage.told(name, MarkUpdate)] == [89_700]


async def test_a_position_in_a_symbol_that_is_not_ours_is_looked_into_once(stage: Stage, reconciler: Ref) -> None:
    await stage.settle()
    for _ in range(3):
        await polled(stage, held("1", symbol="ETHUSDT"))
    assert stage.count("snapshot") == 1

"""Answers that never came: what was executed is found, what was not is proven absent, and nothing is done twice."""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from engine_session import Session, engine_on, session, side_by_side, until, venue_of

from execactor.domain.account import EngineState
from execactor.domain.order import OrderState
from execactor.store.records import OrderChanged

REST: dict[str, Any] = {"venue": {"order_path": "rest", "answer_timeout_ms": 200}}
WINDOW_S = 1.5  # the receive window of the settings, and a second


async def ends_well(s: Session, *, entries: int = 1, late_stop: bool = False) -> None:
    """One trade, closed by its second target; the venue saw so many entries and never two at once.

    late_stop: nobody could know of the position in time.
    """
    await s.still()
    before = len(s.engine.trades())
    s.move("1.5")
    await until(lambda: len(s.engine.trades()) > before)
    await s.idle()
    await until(lambda: not s.resting())
    assert len(s.placed("entry")) == entries
    report = await s.judged()
    assert report.ok or (late_stop and not report.mismatches), report.to_json()
    assert report.duplicates == 0
    assert s.engine.state is EngineState.RUNNING


def answers_to_queries(s: Session, client_id: str) -> list[dict[str, Any]]:
    """The venue's answers to queries for one order."""
    asked = {
        line["id"]
        for line in s.log
        if line["kind"] == "request"
        and line["method"].startswith("GET")
        and client_id in (line["params"].get("origClientOrderId"), line["params"].get("clientAlgoId"))
    }
    return [line for line in s.log if line["kind"] == "response" and line["id"] in asked]


class Lost(NamedTuple):
    """A way to lose an answer after the venue has acted."""

    fault: str
    options: dict[str, Any] = {}  # noqa: RUF012  never changed
    settings: dict[str, Any] = {}  # noqa: RUF012

    def order(self, s: Session, kind: str) -> None:
        s.fault(self.fault, kind=kind, **self.options)


LOST = {
    "503 unknown": Lost("http_503_executed"),
    "503 unknown over REST": Lost("http_503_executed", settings=REST),
    "the order connection dropped": Lost("ws_no_answer"),
    "the REST answer never came": Lost("rest_timeout", {"executed": True}, REST),
}


async def test_an_entry_that_was_executed_without_an_answer_is_adopted(tmp_path: Path) -> None:
    async def filled(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "entry")
            await s.feed("lost")
            await s.protected("lost")
            await ends_well(s)

    async def rests(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "entry")
            await s.feed_resting("lost")
            await until(lambda: state_of(s, "capi_entry_lost") is OrderState.ACKNOWLEDGED)
            s.fill_entry("1")
            await s.protected("lost")
            await ends_well(s)

    each = {f"{name}, {run.__name__}": partial(run, lost) for name, lost in LOST.items() for run in (filled, rests)}
    await side_by_side(tmp_path, each)


async def test_an_executed_entry_is_found_when_neither_answer_nor_event_comes(tmp_path: Path) -> None:
    async def unheard(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "entry")
            silence(s)
            await s.feed("lost")
            await s.protected("lost")
            await s.state(EngineState.RUNNING)
            await ends_well(s)

    await side_by_side(tmp_path, {name: partial(unheard, lost) for name, lost in LOST.items()})


async def test_a_resting_entry_in_doubt_is_found_and_withdrawn_because_the_stream_was_lost(tmp_path: Path) -> None:
    async def unheard(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "entry")
            silence(s)
            await s.feed_resting("lost")
            await s.idle()
            assert s.resting() == []
            assert s.placed() == ["capi_entry_lost"]
            assert state_of(s, "capi_entry_lost") is OrderState.CANCELLED

    await side_by_side(tmp_path, {name: partial(unheard, lost) for name, lost in LOST.items()})


def silence(s: Session) -> None:
    """The next order event is torn, and the stream ends with it."""
    s.fault("garbled_private_frame", kind="ORDER_TRADE_UPDATE", replace=True)
    s.fault("user_stream_disconnect", kind="ORDER_TRADE_UPDATE")


def state_of(s: Session, client_id: str) -> OrderState | None:
    """The state of an order as it was last journaled."""
    states = [record.order.state for record in s.records(OrderChanged) if record.order.client_id == client_id]
    return states[-1] if states else None


async def a_successor(directory: Path) -> None:
    """It is sent once the first one's absence is proven, and not before."""
    async with session(directory, **REST) as s:
        s.fault("rest_timeout", kind="entry", executed=False)
        await s.feed("gone")
        await until(lambda: s.held() > 0)
        first, second = s.requests("entry")
        assert (first["client_id"], second["client_id"]) == ("capi_entry_gone", "capi_entry_gone_a2")
        assert (second["t"] - first["t"]) / 1e9 >= WINDOW_S
        refused = [line for line in answers_to_queries(s, "capi_entry_gone") if line["n"] < second["n"]]
        assert [line["body"]["code"] for line in refused] == [-2013] * len(refused)
        assert len(refused) >= 3
        assert state_of(s, "capi_entry_gone") is OrderState.REJECTED
        await s.protected("gone")
        await ends_well(s, entries=2)


async def no_successor(directory: Path) -> None:
    """The decision was withdrawn meanwhile."""
    async with session(directory, **REST) as s:
        s.fault("rest_timeout", kind="entry", executed=False)
        await s.feed("gone")
        await until(lambda: state_of(s, "capi_entry_gone") is OrderState.UNKNOWN)
        await s.feed("flat", action="flat")
        await s.idle()
        assert s.placed("entry") == ["capi_entry_gone"]
        assert s.held() == 0


async def a_duplicate_id(directory: Path) -> None:
    """The venue says that an order with this id is open: looked into, not believed."""
    async with session(directory) as s:
        s.fault("reject_next", kind="entry", code=-4116, msg="ClientOrderId is duplicated.")
        await s.feed("dup")
        await until(lambda: s.held() > 0)
        first, second = s.requests("entry")
        assert (second["t"] - first["t"]) / 1e9 >= WINDOW_S
        await s.protected("dup")
        await ends_well(s, entries=2)


async def test_an_entry_that_never_lived(tmp_path: Path) -> None:
    await side_by_side(tmp_path, {case.__name__: case for case in (a_successor, no_successor, a_duplicate_id)})


async def test_a_lagging_listing_proves_nothing_against_an_executed_entry(tmp_path: Path) -> None:
    slow = {"venue": {"order_path": "rest", "answer_timeout_ms": 200, "recv_window_ms": 2000}}
    async with session(tmp_path, **slow) as s:
        s.fault("listing_lag_ms", ms=2000)
        s.fault("rest_timeout", kind="entry", executed=True)
        silence(s)
        await s.feed("slow")
        await until(lambda: s.held() > 0)
        await until(lambda: s.resting("sl"), within_s=3)
        s.fault("listing_lag_ms", ms=0)
        await s.protected("slow")
        await s.state(EngineState.RUNNING)
        await ends_well(s, late_stop=True)


async def test_queries_that_fail_leave_the_entry_in_doubt_until_one_is_answered(tmp_path: Path) -> None:
    async with session(tmp_path, **REST) as s:
        s.fault("rest_timeout", kind="entry", executed=True)
        silence(s)
        s.fault("http_503_failed", 12, kind="query")
        await s.feed("ask")
        await s.protected("ask")
        await s.state(EngineState.RUNNING)
        await ends_well(s)


@pytest.mark.parametrize("name", ["http_503_failed", "http_429"])
async def test_an_entry_that_certainly_failed_gets_a_successor_soon(tmp_path: Path, name: str) -> None:
    async with session(tmp_path) as s:
        s.fault(name, kind="entry")
        began = time.monotonic()
        await s.feed("again")
        await s.protected("again")
        assert time.monotonic() - began < 2.5
        await ends_well(s, entries=2)


async def test_an_entry_is_tried_three_times_at_most(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("http_503_failed", 5, kind="entry")
        await s.feed("thrice")
        await s.idle()
        assert s.placed("entry") == ["capi_entry_thrice", "capi_entry_thrice_a2", "capi_entry_thrice_a3"]
        assert s.held() == 0


async def test_an_entry_that_the_venue_refuses_for_good_is_not_tried_again(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", kind="entry", code=-2019, msg="Margin is insufficient.")
        await s.feed("poor")
        await s.idle()
        assert s.placed("entry") == ["capi_entry_poor"]
        assert state_of(s, "capi_entry_poor") is OrderState.REJECTED


NOT_EXECUTED = Lost("rest_timeout", {"executed": False}, REST)


async def test_a_stop_without_an_answer_leaves_the_position_protected(tmp_path: Path) -> None:
    async def stop(lost: Lost, directory: Path, *, told: bool) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "stop")
            if not told:
                s.fault("garbled_private_frame", kind="ALGO_UPDATE", replace=True)
            await s.feed("stop")
            await until(lambda: len(s.resting()) == 3)
            assert len(s.resting("sl")) == 1, "the venue takes one base stop"
            await s.state(EngineState.RUNNING)
            await ends_well(s)

    cases = LOST | {"not executed": NOT_EXECUTED}
    each = {
        f"{name}, told {told}": partial(stop, lost, told=told) for name, lost in cases.items() for told in (False, True)
    }
    await side_by_side(tmp_path, each)


async def test_an_exit_without_an_answer_closes_once(tmp_path: Path) -> None:
    async def leave(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            await s.open("exit")
            lost.order(s, "exit")
            s.fault("garbled_private_frame", kind="ORDER_TRADE_UPDATE", replace=True)
            await s.feed("flat", action="flat")
            await s.idle()
            await until(lambda: not s.resting())
            assert s.held() == 0
            assert [trade.outcome for trade in s.engine.trades()] == ["exit"]
            assert sum(fill["client_id"].startswith("capi_exit") for fill in s.fills()) == 1
            report = await s.judged()
            assert report.ok, report.to_json()

    cases = LOST | {"not executed": NOT_EXECUTED}
    await side_by_side(tmp_path, {name: partial(leave, lost) for name, lost in cases.items()})


async def test_a_take_profit_without_an_answer_stands_once(tmp_path: Path) -> None:
    async def target(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            lost.order(s, "take_profit")
            await s.feed("tp")
            await until(lambda: len(s.resting()) == 3, within_s=15)
            await s.protected("tp")
            await ends_well(s)

    cases = LOST | {"not executed": NOT_EXECUTED}
    await side_by_side(tmp_path, {name: partial(target, lost) for name, lost in cases.items()})


async def test_a_cancel_without_an_answer_is_found_out(tmp_path: Path) -> None:
    async def withdraw(lost: Lost, directory: Path) -> None:
        async with session(directory, **lost.settings) as s:
            await s.feed_resting("c")
            await until(lambda: state_of(s, "capi_entry_c") is OrderState.ACKNOWLEDGED)
            lost.order(s, "cancel")
            await s.feed("flat", action="flat")
            await s.idle()
            assert s.resting() == []
            assert state_of(s, "capi_entry_c") is OrderState.CANCELLED
            report = await s.judged()
            assert report.ok, report.to_json()

    cases = LOST | {"not executed": NOT_EXECUTED}
    await side_by_side(tmp_path, {name: partial(withdraw, lost) for name, lost in cases.items()})


@pytest.mark.parametrize("fraction", [1.0, 0.5], ids=["whole", "in part"])
async def test_an_entry_that_fills_while_it_is_cancelled_is_closed_again(tmp_path: Path, fraction: float) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("race")
        await until(lambda: state_of(s, "capi_entry_race") is OrderState.ACKNOWLEDGED)
        s.fault("cancel_races_fill", fraction=fraction)
        await s.feed("flat", action="flat")
        await until(s.engine.trades)
        await s.idle()
        await until(lambda: not s.resting())
        assert s.held() == 0
        assert s.engine.trades()[0].outcome == "exit"
        report = await s.judged()
        assert report.ok, report.to_json()


async def test_a_trade_whose_order_cannot_be_queried_by_our_name_is_known_by_the_venues(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **REST) as s:
            s.fault("rest_timeout", kind="entry", executed=True)
            silence(s)
            s.fault("http_503_failed", 17, kind="query", role="entry")
            await s.feed("late")
            await until(lambda: s.resting("sl"), within_s=1.5)
            await s.protected("late")
            await until(s.engine.fills)
            assert s.alerts("STRAY_EXECUTION") == []
            await s.state(EngineState.RUNNING)
            assert [fill.client_id for fill in s.engine.fills()] == ["capi_entry_late"]
        async with engine_on(venue, tmp_path, **REST) as s:
            assert [fill.client_id for fill in s.engine.fills()] == ["capi_entry_late"]
            entry = await s.order("capi_entry_late")
            assert entry.settled
            assert s.held() == entry.filled == (await s.view()).position.quantity
            s.move("1.5")
            await s.idle()
            assert [trade.outcome for trade in s.engine.trades()] == ["tp2"]
            report = await s.judged()
            assert report.ok, report.to_json()

"""Failures inside the engine: an actor that crashes comes back, protection goes on, repeated crashes mean SAFE MODE."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, engine_on, session, side_by_side, until, venue_of

from execactor.actors.account import AccountLooked
from execactor.actors.context import Context, Ref
from execactor.actors.market import BookChanged
from execactor.actors.reconciler import SnapshotCame
from execactor.actors.venue_gateway import Cancel
from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.decisions import TradeClosed
from execactor.domain.messages.orders import CancelOrder
from execactor.domain.messages.reconciliation import PositionAdopted
from execactor.domain.order import Role
from execactor.store.records import IntentRecorded

BOTH: dict[str, Any] = {"symbols": [BTC, ETH]}
Poison = Callable[[Context], tuple[Ref, Any]]

# Messages that no actor of ours would send: handling one is a crash, like any bug that we do not know of.
POISON: dict[str, Poison] = {
    "position": lambda context: (context.positions[BTC], object()),
    "order": lambda context: (context.orders[BTC], CancelOrder(client_id=[], reason="unhashable")),  # type: ignore[arg-type]
    "risk": lambda context: (context.risk, PositionAdopted(position=None, stop_price=Decimal(1), key="")),  # type: ignore[arg-type]
    "gateway": lambda context: (context.gateway, Cancel(order=None)),  # type: ignore[arg-type]
    "market": lambda context: (context.market, BookChanged("NOPE")),
    "reconciler": lambda context: (context.reconciler, SnapshotCame(None)),  # type: ignore[arg-type]
    "alert": lambda context: (context.alert, Alert(level="LOUD", code="X", text="x")),  # type: ignore[arg-type]
    "account": lambda context: (context.account, AccountLooked(5)),  # type: ignore[arg-type]
}


def context_of(s: Session) -> Context:
    return s.engine._running().context


def poison(s: Session, name: str, times: int = 1) -> None:
    for _ in range(times):
        ref, message = POISON[name](context_of(s))
        ref.tell(message)


def restarts_of(s: Session, name: str) -> int:
    ref, _ = POISON[name](context_of(s))
    return next(each.restarts for each in s.engine._running().system.snapshot() if each.name == ref.name)


async def whole_trade_is_managed(s: Session, key: str) -> None:
    """From an open position to the end: the first target tightens the stop, the second ends the trade."""
    first, second = (s.algo(f"capi_{role}_{key}").trigger_price for role in ("tp1", "tp2"))
    s.venue.steer(BTC, (first + second) / 2, 0.2)
    await until(lambda: s.resting("slt"))
    s.venue.steer(BTC, second * Decimal("1.001"), 0.2)
    await s.idle()
    await until(lambda: not s.resting())
    trade = next(trade for trade in s.engine.trades() if trade.key == key)
    assert trade.outcome == "tp2"
    report = await s.judged()
    assert report.ok, report.to_json()


async def test_an_actor_that_fails_once_comes_back_and_nothing_else_changes(tmp_path: Path) -> None:
    async def once(name: str, directory: Path) -> None:
        async with session(directory) as s:
            await s.open("kept")
            poison(s, name)
            await s.view()
            await whole_trade_is_managed(s, "kept")
            assert s.engine.state in (EngineState.RUNNING, EngineState.SAFE_MODE)
            assert (s.engine.state is EngineState.SAFE_MODE) == (name == "account"), "it lost its place"
            assert len(s.fills()) == len(s.engine.fills()) == 3

    await side_by_side(tmp_path, {name: partial(once, name) for name in POISON})


async def test_an_actor_that_fails_again_and_again_means_safe_mode_and_protection_goes_on(tmp_path: Path) -> None:
    async def many(name: str, directory: Path) -> None:
        async with session(directory, **BOTH) as s:
            await s.open("btc", BTC)
            await s.open("eth", ETH, action="short")
            poison(s, name, times=6)
            await s.state(EngineState.SAFE_MODE)
            await s.feed("none", BTC, action="long")
            s.move("1.5", ETH)
            await until(lambda: any(trade.key == "eth" for trade in s.engine.trades()))
            await whole_trade_is_managed(s, "btc")
            assert s.placed("entry") == ["capi_entry_btc", "capi_entry_eth"], "no new risk"
            await until(lambda: restarts_of(s, name) >= 6)
            assert await s.resume("found the bug") is None
            await s.state(EngineState.RUNNING)

    await side_by_side(tmp_path, {name: partial(many, name) for name in POISON})


async def test_an_emergency_stop_works_while_actors_fail(tmp_path: Path) -> None:
    async def stop(name: str, directory: Path) -> None:
        async with session(directory) as s:
            await s.open("kept")
            poison(s, name, times=5)
            result = await s.engine.emergency_stop("enough")
            assert result.errors == []
            assert s.held() == 0

    names = ("position", "order", "gateway", "risk")
    await side_by_side(tmp_path, {name: partial(stop, name) for name in names})


async def test_a_lost_message_is_an_alert(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        poison(s, "gateway")
        alert = await s.alerted("DEAD_LETTER")
        assert (alert.level, alert.text) == (AlertLevel.ERROR, "Cancel for gateway is a dead letter: failed")


def fill_the_disk(s: Session) -> None:
    """SQLite's own answer to a disk without room; what fits into the last page is used up."""
    s.note("disk full")
    context = context_of(s)
    [[pages]] = list(context.journal._db.execute("pragma page_count"))
    context.journal._db.execute(f"pragma max_page_count = {pages}")
    context.write()
    while context.durable:
        context.record(Alert(level=AlertLevel.INFO, code="FILLER", text="x" * 200), "")
        context.write()


def make_room(s: Session) -> None:
    s.note("disk restored")
    context_of(s).journal._db.execute("pragma max_page_count = 1000000")


async def test_a_full_disk_means_safe_mode_and_protection_goes_on(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            before = s.wallet
            await s.open("full")
            fill_the_disk(s)
            await s.state(EngineState.SAFE_MODE)
            assert "database or disk is full" in (await s.engine.account_status()).reason
            await whole_trade_is_managed(s, "full")
            [trade] = s.engine.trades()
            assert (trade.outcome, trade.pnl) == ("tp2", s.wallet - before)

            make_room(s)
            assert await s.resume("more room") is None
            await s.state(EngineState.RUNNING)
            assert [closed.key for closed in s.records(TradeClosed)] == ["full"], "written down late, but written"
        async with engine_on(venue, tmp_path) as s:
            assert [(each.key, each.pnl) for each in s.engine.trades()] == [("full", trade.pnl)]
            assert len(s.engine.fills()) == 3
            assert (await s.view()).phase == "NO_POSITION"


async def test_no_entry_leaves_while_the_disk_is_full(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        fill_the_disk(s)
        await s.feed("waits")
        await s.state(EngineState.SAFE_MODE)
        await s.view()
        assert await s.resume("no room yet") == "the journal cannot be written: make room on its disk"
        assert s.placed() == []
        make_room(s)
        assert await s.resume("more room") is None
        await s.protected("waits")
        assert next(record.intent.role for record in s.records(IntentRecorded)) is Role.ENTRY


async def test_a_fill_while_the_disk_is_full_gets_its_stop(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("rest", notional="2400")
        await until(lambda: s.resting("entry"))
        fill_the_disk(s)
        s.fill_entry("1")
        await until(lambda: s.resting("sl"), within_s=2)
        await s.state(EngineState.SAFE_MODE)
        await s.protected("rest")
        report = await s.judged()
        assert report.violations == ()


@pytest.mark.parametrize("actor", ["position", "order"])
async def test_an_actor_that_restarts_while_the_disk_is_full_forgets_nothing(tmp_path: Path, actor: str) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("rest", notional="2400")
        await until(lambda: s.resting("entry"))
        fill_the_disk(s)
        s.fill_entry("1")
        await s.protected("rest")
        poison(s, actor)
        await whole_trade_is_managed(s, "rest")


async def test_a_kill_goes_on_when_the_account_actor_fails_in_its_midst(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("kept")
        s.fault("reject_next", 1000, kind="exit", code=-1008, msg="overloaded")
        s.engine.kill("pulled")
        await until(lambda: s.placed("exit"))
        poison(s, "account")
        await until(lambda: restarts_of(s, "account") == 1)
        assert s.engine.state is EngineState.HALTED
        s.venue.venue.faults._ordered.clear()
        await s.alerted("KILL_COMPLETE")
        await until(lambda: not s.resting())
        assert s.held() == 0
        assert (await s.engine.account_status()).reason == "pulled"

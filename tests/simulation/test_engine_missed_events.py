"""Events that never come although the private stream seems to stand: polls find what happened, by default."""

import asyncio
from pathlib import Path

from engine_session import BTC, Session, session, until, until_async

from execactor.domain.account import EngineState

EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "ALGO_UPDATE")


def deafen(s: Session) -> None:
    """From now on the stream stands and tells nothing."""
    for kind in EVENTS:
        s.fault("drop_event", 1_000, kind=kind)


def hear(s: Session) -> None:
    """The stream tells again."""
    s.venue.venue.faults._ordered.clear()


async def after_a_pause(s: Session) -> None:
    """Let the start be so long ago that the stream stands firmly, and listings must show what they know."""
    await asyncio.sleep(1.2)
    await s.still()


async def test_a_fill_that_no_event_tells_is_found_by_the_polls_and_booked_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await after_a_pause(s)
        await s.feed_resting("deaf", notional="2400")
        await until(lambda: s.resting("entry"))
        deafen(s)
        s.fill_entry("1")
        await s.alerted("MISSED_FILL")
        hear(s)
        lost = await s.alerted("STREAM_LOST")
        assert "it never told trade" in lost.text
        await s.state(EngineState.RUNNING)
        await s.protected("deaf")
        assert len(s.engine.fills()) == len(s.fills()) == 1
        await s.feed("done", action="flat")
        await s.idle()
        report = await s.judged()
        assert (report.mismatches, report.violations) == ((), ())


async def test_a_stop_that_closed_the_position_unheard_ends_the_trade(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        await s.open("exit")
        await asyncio.sleep(3.2)
        deafen(s)
        s.move("-1.2")
        await until(lambda: s.held() == 0)
        await until(s.engine.trades)
        hear(s)
        [trade] = s.engine.trades()
        assert trade.outcome == "stopped"
        assert trade.pnl == s.wallet - before
        await s.idle()
        await until(lambda: not s.resting())


async def test_an_orphan_that_no_event_tells_gets_its_stop(tmp_path: Path) -> None:
    async with session(tmp_path, reconcile={"position_poll_ms": 100}) as s:
        deafen(s)
        s.other_hand("BUY", "0.010")
        await until(lambda: s.resting("sl"))
        assert s.engine.state is EngineState.SAFE_MODE
        await until_async(lambda: _holds(s))
        assert await s.alerted("ORPHAN_POSITION")


async def test_while_market_data_is_lost_new_entries_wait_and_what_rests_stays(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("rests", notional="2400")
        await until(lambda: s.resting("entry"))
        books = s.engine._running().books
        books.on_market_lost("a test pulled the plug")
        await s.state(EngineState.RECONCILING)
        assert await s.alerted("MARKET_LOST")
        await s.feed_resting("waits", action="short")
        await s.view()
        assert s.placed() == ["capi_entry_rests"]
        assert s.resting() == ["capi_entry_rests"]
        books.on_market_restored()
        await s.state(EngineState.RUNNING)
        await until(lambda: s.resting() == ["capi_entry_waits"])


async def _holds(s: Session) -> bool:
    return (await s.view(BTC)).position.quantity == s.held()

"""The kill switch: what leaves the venue and in which order, and that it stays off until a person resumes."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine_session import BTC, ETH, Session, engine_on, other_hand, session, side_by_side, until, venue_of

from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.signal import Signal, SignalAction
from execactor.store.lock import HALT_MARKER

BOTH: dict[str, Any] = {"symbols": [BTC, ETH]}
REST: dict[str, Any] = {"venue": {"order_path": "rest", "answer_timeout_ms": 200}}


async def killed(s: Session, times: int = 1) -> None:
    """Wait until the sequence is complete; the account is flat then, and nothing of ours is open."""
    await until(lambda: len(s.alerts("KILL_COMPLETE")) >= times, within_s=20)
    await until(lambda: not [name for name in s.resting() if name.startswith("capi_")])
    assert s.engine.state is EngineState.HALTED
    assert all(position.quantity == 0 for position in s.venue.exchange.account.positions.values())


async def judged_well(s: Session) -> None:
    report = await s.judged()
    assert report.ok, report.to_json()
    assert report.duplicates == 0


def bumped(s: Session) -> EngineStateChanged:
    return next(record for record in s.records(EngineStateChanged) if record.state is EngineState.HALTED)


async def the_sequence(directory: Path) -> None:
    """A part-filled entry with stop and targets in one symbol, a resting entry in another, a foreign order."""
    async with session(directory, **BOTH) as s:
        await s.feed_resting("part", notional="2400")
        await s.feed_resting("rest", ETH)
        await until(lambda: len(s.resting("entry")) == 2)
        s.fill_entry("0.5")
        await s.protected("part")
        before = s.engine._running().context.epoch

        stopping = asyncio.create_task(s.engine.emergency_stop("fire"))
        await s.state(EngineState.HALTED)
        foreign = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "58000"}
        s.admin.order(foreign | {"client_id": "web_3"})
        stopped = await stopping
        assert sorted(stopped.cancelled_orders) == ["capi_entry_part", "capi_entry_rest"]
        assert stopped.closed_positions == [BTC]
        assert stopped.errors == []
        await killed(s)
        await s.idle()

        change = bumped(s)
        assert (change.epoch, change.reason) == (before + 1, "fire")
        [halted_ns] = [row.ts_ns for row in s.engine.journal.rows() if row.record is not None and row.record == change]
        cancels = {request["client_id"]: request for request in s.requests(cancels=True)}
        [leaving] = s.requests("exit")
        closing = next(fill for fill in s.fills() if fill["client_id"] == "capi_exit_part")
        stop = cancels["capi_sl_part"]
        assert halted_ns < min(each["t"] for each in cancels.values()), "the epoch is bumped before anything else"
        assert cancels["capi_entry_part"]["n"] < cancels["capi_tp1_part"]["n"] < cancels["capi_tp2_part"]["n"]
        assert cancels["capi_tp2_part"]["n"] < leaving["n"]
        assert (leaving["params"]["type"], leaving["params"]["reduceOnly"]) == ("MARKET", "true")
        assert stop["n"] == max(each["n"] for each in cancels.values()), "stops last"
        assert (stop["t"] - closing["t"]) / 1e9 >= 2.0, "after the account was flat twice, 2 s apart"
        looks = [line for line in s.log if line["kind"] == "request" and line["method"] == "GET /fapi/v3/positionRisk"]
        assert sum(closing["n"] < look["n"] < stop["n"] for look in looks) >= 2
        assert s.resting() == ["web_3"], "foreign orders are never touched"
        assert "web_3" not in cancels


async def no_new_risk(directory: Path) -> None:
    """Neither decisions nor signals enter while it is pulled; a second pull is harmless. A decision waits."""
    async with session(directory) as s:
        began = time.monotonic()
        await s.engine.emergency_stop("once")
        took = time.monotonic() - began
        await s.engine.emergency_stop("twice")
        assert time.monotonic() - began - took < 1.5, "it was complete already: the sequence takes seconds"
        assert len([record for record in s.records(EngineStateChanged) if record.state is EngineState.HALTED]) == 1
        await s.feed("waits")
        signal = Signal(
            idempotency_key="no",
            symbol=BTC,
            action=SignalAction.BUY,
            quantity=Decimal("0.01"),
            stop_loss=s.mark() * Decimal("0.99"),
        )
        assert "HALTED" in (await s.engine.execute_signal(signal)).error
        assert "HALTED" in (await s.engine.validate_signal(signal)).reason
        assert s.placed() == []
        assert await s.resume("fine") is None
        await s.protected("waits")


async def a_late_fill(directory: Path) -> None:
    """An entry whose answer was lost fills unseen as the switch is pulled: it is found and closed."""
    async with session(directory, **REST) as s:
        s.fault("rest_timeout", kind="entry", executed=True)
        s.fault("garbled_private_frame", kind="ORDER_TRADE_UPDATE", replace=True)
        s.fault("user_stream_disconnect", kind="ORDER_TRADE_UPDATE")
        await s.feed("late")
        await until(lambda: s.requests("entry"))
        result = await s.engine.emergency_stop("now")
        assert result.errors == []
        await killed(s)
        await until(s.engine.trades)
        assert s.placed("entry") == ["capi_entry_late"]
        await judged_well(s)


async def an_entry_on_its_way(directory: Path) -> None:
    """The switch is pulled in the same breath as the decision comes."""
    async with session(directory) as s:
        await s.feed("race")
        s.engine.kill("in the same breath")
        await killed(s)
        assert len(s.placed("entry")) <= 1
        await s.idle()
        await judged_well(s)


async def refused_exits(directory: Path) -> None:
    """The venue refuses to close for a while: the stop stays until it did."""
    async with session(directory) as s:
        await s.open("stay")
        s.fault("reject_next", 4, kind="exit", code=-1008, msg="overloaded")
        result = await s.engine.emergency_stop("close", timeout_s=0.2)
        assert result.errors == ["not confirmed flat within 0.2 s; the sequence goes on"]
        refusal = await s.resume("too early")
        assert refusal == "the kill sequence is still closing positions"
        await killed(s)
        await s.idle()
        assert len(s.placed("exit")) == 5
        cancelled = next(request for request in s.requests(cancels=True) if request["client_id"] == "capi_sl_stay")
        assert cancelled["n"] > s.fills()[-1]["n"]
        await judged_well(s)


async def a_restart(directory: Path) -> None:
    """It survives a restart in mid-sequence, goes on by itself, and is lifted by a person only."""
    async with venue_of() as venue:
        async with engine_on(venue, directory) as s:
            await s.open("kept")
            s.fault("reject_next", 1000, kind="exit", code=-1008, msg="overloaded")
            s.engine.kill("before the restart")
            await until(lambda: len(s.placed("exit")) >= 2)
            epoch = s.engine._running().context.epoch
        assert s.resting("sl") == ["capi_sl_kept"]
        venue.venue.faults._ordered.clear()
        async with engine_on(venue, directory) as s:
            assert s.engine.state is EngineState.HALTED
            assert (await s.engine.account_status()).reason == "before the restart"
            await s.feed("waits")
            await killed(s)
            await s.idle()
            assert s.engine._running().context.epoch > epoch
            assert [trade.outcome for trade in s.engine.trades()] == ["exit"]
        async with engine_on(venue, directory) as s:
            assert s.engine.state is EngineState.HALTED
            await killed(s, times=2)
            assert s.placed("entry") == ["capi_entry_kept"]
            assert await s.resume("all clear") is None
            await s.state(EngineState.RUNNING)
            await s.open("after")
            await s.feed("end", action="flat")
            await s.idle()
            await judged_well(s)
        async with engine_on(venue, directory) as s:
            assert s.engine.state is EngineState.RUNNING, "resumed for good"


async def an_offline_kill(directory: Path) -> None:
    """The marker that an offline kill leaves halts the next start; resuming takes it away."""
    async with venue_of() as venue:
        marker = directory / "run" / HALT_MARKER
        marker.parent.mkdir(parents=True)
        marker.write_text("pulled by hand\n")
        async with engine_on(venue, directory) as s:
            assert s.engine.state is EngineState.HALTED
            assert (await s.engine.account_status()).reason == "pulled by hand"
            await killed(s)
            assert await s.resume("looked at it") is None
            assert not marker.exists()
            await s.state(EngineState.RUNNING)


async def an_orphan(directory: Path) -> None:
    """A position that another hand opened is closed too: flat means flat."""
    async with venue_of() as venue:
        other_hand(venue).trade({"symbol": BTC, "side": "BUY", "quantity": "0.010"})
        async with engine_on(venue, directory) as s:
            await until(lambda: s.resting("sl"))
            result = await s.engine.emergency_stop("everything")
            assert result.closed_positions == [BTC]
            await killed(s)
            await s.idle()


async def test_the_kill_switch(tmp_path: Path) -> None:
    cases = (
        the_sequence,
        no_new_risk,
        a_late_fill,
        an_entry_on_its_way,
        refused_exits,
        a_restart,
        an_offline_kill,
        an_orphan,
    )
    await side_by_side(tmp_path, {case.__name__: case for case in cases})


async def test_an_engine_that_was_killed_offline_while_it_hung_halts_when_it_wakes(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("hung")
        marker = s.engine.config.data_path / HALT_MARKER
        marker.write_text("it did not answer", encoding="utf-8")
        await until(lambda: s.engine.state is EngineState.HALTED)
        await until(lambda: s.held() == 0)
        await s.alerted("KILL_COMPLETE", within_s=15)
        assert await s.resume("looked at it") is None
        assert not marker.exists()

"""The embedding API: streams, callbacks and figures."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, session, until, until_async
from signals import close

from execactor.domain.account import EngineState
from execactor.domain.messages.decisions import PlanEnded
from execactor.domain.order import Order
from execactor.listeners import Fill

# Streams and callbacks


async def test_fills_are_streamed_to_every_reader_in_the_venues_order(tmp_path: Path) -> None:
    async def read(fills: AsyncIterator[Fill], into: list[str]) -> None:
        async for fill in fills:
            into += [fill.execution.trade_id]

    async with session(tmp_path) as s:
        one: list[str] = []
        two: list[str] = []
        readers = [asyncio.create_task(read(s.engine.monitor_fills(), into)) for into in (one, two)]
        await asyncio.sleep(0)
        s.fault("partial_fills", parts=3, gap_ms=10, role="entry")
        await s.open("seen")
        s.move("0.8")
        await s.idle()
        expected = [str(fill["trade_id"]) for fill in s.fills()]
        await until(lambda: one == two == expected)
        for reader in readers:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        assert [fill.execution.trade_id for fill in s.engine.fills()] == expected


async def test_callbacks_sync_and_async_are_told_and_their_failures_hurt_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with session(tmp_path) as s:
        told: dict[str, list[str]] = {name: [] for name in ("filled", "partial", "cancelled", "rejected")}
        slow: list[str] = []

        @s.engine.on_filled
        def broken(order: Order) -> None:
            raise RuntimeError("a listener's own bug")

        @s.engine.on_filled
        async def broken_later(order: Order) -> None:
            raise RuntimeError("a listener's own bug, later")

        @s.engine.on_filled
        async def later(order: Order) -> None:
            await asyncio.sleep(0)
            slow.append(order.client_id)

        s.engine.on_filled(lambda order: told["filled"].append(order.client_id))
        s.engine.on_partial_fill(lambda order: told["partial"].append(order.client_id))
        s.engine.on_cancelled(lambda order: told["cancelled"].append(order.client_id))
        s.engine.on_rejected(lambda order: told["rejected"].append(order.client_id))

        await s.feed_resting("cb", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fill_entry("0.5")
        await s.protected("cb")
        s.fill_entry("1")
        await until(lambda: s.resting("tp1") == ["capi_tp1_cb_a2"])
        await close(s)
        s.fault("reject_next", kind="entry", code=-2019, msg="Margin is insufficient.")
        await s.feed("no")
        await s.idle()

        assert told["filled"] == ["capi_entry_cb", "capi_exit_cb"] == slow
        assert told["partial"] == ["capi_entry_cb"]
        assert {"capi_tp1_cb", "capi_tp2_cb", "capi_sl_cb"} <= set(told["cancelled"])
        assert len(told["cancelled"]) == len(set(told["cancelled"])), "once each"
        assert told["rejected"] == ["capi_entry_no"]
    failures = [record.getMessage() for record in caplog.records if "callback on_filled failed" in record.getMessage()]
    assert len(failures) == 4


async def test_C5_a_timeout_is_told_once_and_after_the_venue_has_cancelled(tmp_path: Path) -> None:  # noqa: N802
    async with session(tmp_path, decisions={"max_age_s": 1}) as s:
        told: list[PlanEnded] = []
        resting: list[list[str]] = []

        @s.engine.on_timeout
        def keep(ended: PlanEnded) -> None:
            told.append(ended)
            resting.append(s.resting())

        await s.feed_resting("stale")
        await until(lambda: told, within_s=5)
        await asyncio.sleep(0.2)
        assert [(ended.key, ended.entered) for ended in told] == [("stale", False)]
        assert resting == [[]], "cancelled at the venue first"
        assert [request["client_id"] for request in s.requests(cancels=True)] == ["capi_entry_stale"]


async def test_stopping_waits_for_async_callbacks_that_run(tmp_path: Path) -> None:
    finished: list[str] = []
    going = asyncio.Event()
    async with session(tmp_path) as s:

        @s.engine.on_filled
        async def slow(order: Order) -> None:
            await going.wait()
            finished.append(order.client_id)

        await s.open("slow")
        asyncio.get_running_loop().call_later(0.05, going.set)
    assert finished == ["capi_entry_slow"]


async def test_a_tap_sees_each_record_until_it_is_taken_away(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        seen: list[Any] = []

        def broken(record: Any) -> None:
            raise RuntimeError("a tap's own bug")

        s.engine.on_record(broken)
        end = s.engine.on_record(seen.append)
        await s.open("tapped")
        assert seen
        # Asking for the journal writes it; its taps are told when the loop's turn ends.
        await until(lambda: seen == [row.record for row in s.engine.journal.rows()][-len(seen) :])
        end()
        count = len(seen)
        await close(s)
        assert len(seen) == count


# Figures


async def test_performance_metrics_have_the_shape_of_source_document_002(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        fresh = await s.engine.get_performance_metrics()
        assert fresh["engine"]["success_rate"] == 0.0
        assert fresh["monitoring"]["slippage"]["sample_size"] == 0
        for key, move in (("win", "0.8"), ("lose", "-0.9")):
            await s.open(key)
            s.move(move)
            await s.idle()
        await s.open("open")
        await s.feed("bad", leverage="9")
        metrics = await s.engine.get_performance_metrics()
        assert metrics["engine"] == {
            "mode": "sim",
            "is_running": True,
            "circuit_breaker_active": False,
            "total_signals": 4,
            "successful_executions": 2,
            "failed_executions": 1,
            "success_rate": pytest.approx(2 / 3),
        }
        positions = metrics["positions"]
        assert (positions["total_positions"], positions["winning_positions"], positions["losing_positions"]) == (
            1,
            1,
            1,
        )
        assert set(metrics["risk"]) == {"current_drawdown_pct", "daily_loss_pct", "risk_violations"}
        monitoring = metrics["monitoring"]
        assert monitoring["execution"]["avg_fill_time_ms"] > 0
        assert monitoring["slippage"]["sample_size"] == 3
        assert monitoring["slippage"]["avg_slippage_pct"] < 0, "bought below the limit: favourable"
        assert 0 < monitoring["speed"]["p50_ms"] <= monitoring["speed"]["p99_ms"] <= monitoring["speed"]["max_ms"]
        s.engine.kill("now")
        await s.state(EngineState.HALTED)
        halted = (await s.engine.get_performance_metrics())["engine"]
        assert (halted["is_running"], halted["circuit_breaker_active"]) == (False, True)


async def test_status_tells_what_a_person_wants_to_know(tmp_path: Path) -> None:
    async with session(tmp_path, symbols=[BTC, ETH]) as s:
        await s.open("one")
        await s.feed("bad", leverage="9")
        await s.alerted("PLAN_REFUSED")
        status = await s.engine.status()
        assert status["state"] is EngineState.RUNNING
        assert status["symbols"] == [BTC, ETH]
        assert (status["epoch"], status["kill_stage"], status["trades"]) == (0, "OFF", 0)
        assert status["alerts"] == {"PLAN_REFUSED": 1}
        assert {book.symbol for book in status["books"]} == {BTC, ETH}
        assert status["latency_us"]["decision_to_wire"]["count"] == 1
        assert status["journal_seq"] == s.engine.journal.seq
        assert set(status["loop_lag_us"]) == {"count", "mean", "p50", "p99", "max"}
        assert status["slow_handlers"] >= 0
        assert status["gc_pause_us"]["count"] == 0
        assert isinstance(status["busy_threads"], list)
        await until_async(lambda: _books_live(s))


async def test_garbage_is_collected_between_trades_once_the_engine_is_told_to(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.engine.collect_when_idle()
        try:
            assert not gc.isenabled()
            assert s.engine._running().care._between_trades()
            await s.open("one")
            assert not s.engine._running().care._between_trades()
        finally:
            await s.engine.stop()
        assert gc.isenabled()


async def _books_live(s: Session) -> bool:
    return all(book.state == "live" and book.tradable for book in (await s.engine.status())["books"])

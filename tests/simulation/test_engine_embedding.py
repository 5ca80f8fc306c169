"""The embedding API: every method and callback of the Engine."""

import asyncio
import contextlib
import gc
import tomllib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, engine_on, session, settings_of, until, until_async, venue_of
from scenario import CREDENTIALS, decision

from execactor import config
from execactor.domain.account import EngineState
from execactor.domain.errors import ConfigurationError, ExecactorError, VenueFatal
from execactor.domain.messages.decisions import PlanEnded
from execactor.domain.order import Order, OrderState, OrderType
from execactor.domain.signal import Signal, SignalAction
from execactor.engine import Engine
from execactor.listeners import Fill


def signal(s: Session, key: str, action: str = "buy", **changes: Any) -> Signal:
    """A market signal of 0.016 BTC with a stop 1 % and a target 2 % away."""
    mark, sign = s.mark(), 1 if action == "buy" else -1
    fields: dict[str, Any] = {
        "idempotency_key": key,
        "symbol": BTC,
        "action": SignalAction(action),
        "quantity": Decimal("0.016"),
        "stop_loss": mark * (1 - sign * Decimal("0.01")),
        "take_profit": mark * (1 + sign * Decimal("0.02")),
    }
    return Signal(**fields | changes)


async def marked(s: Session) -> None:
    """Wait until the engine knows the mark price."""
    await until_async(lambda: _marked(s))


async def _marked(s: Session) -> bool:
    return (await s.view()).mark_price is not None


async def close(s: Session, key: str = "close") -> None:
    result = await s.engine.execute_signal(signal(s, key, "close"))
    assert result.success
    await s.idle()
    await until(lambda: not s.resting())


# Signals


async def test_a_market_signal_is_executed_once_and_its_position_protected(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await marked(s)
        result = await s.engine.execute_signal(signal(s, "m1"))
        assert result.success
        assert (result.key, result.error, result.duplicate) == ("m1", "", False)
        assert result.order is not None
        assert result.order.client_id == "capi_entry_m1"
        assert result.order.intent.type is OrderType.MARKET
        await until(lambda: {"capi_sl_m1", "capi_tp1_m1"} <= set(s.resting()))
        assert s.algo("capi_tp1_m1").request.lots == 16, "one target closes everything"
        assert s.held() == Decimal("0.016")
        await close(s)
        report = await s.judged()
        assert report.ok, report.to_json()


async def test_a_limit_signal_rests_and_is_filled(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        price = s.mark() * Decimal("0.998")
        result = await s.engine.execute_signal(signal(s, "l1", price=price))
        assert result.success
        assert result.order is not None
        assert (result.order.state, result.order.intent.type) == (OrderState.ACKNOWLEDGED, OrderType.LIMIT)
        assert s.resting() == ["capi_entry_l1"]
        s.fill_entry("1")
        await until(lambda: s.resting("sl"))
        await close(s)


async def test_a_sell_signal_opens_a_short(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await marked(s)
        assert (await s.engine.execute_signal(signal(s, "s1", "sell"))).success
        await until(lambda: s.resting("sl"))
        assert s.held() == Decimal("-0.016")
        wrong = await s.engine.execute_signal(signal(s, "c1", "close_long"))
        assert not wrong.success
        assert "does not fit the position" in wrong.error
        assert (await s.engine.execute_signal(signal(s, "c2", "close_short"))).success
        await s.idle()
        assert s.held() == 0


async def test_a_repeated_key_sends_nothing(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await marked(s)
        again = signal(s, "same")
        assert (await s.engine.execute_signal(again)).success
        for _ in range(20):
            repeated = await s.engine.execute_signal(again)
            assert repeated.success
            assert repeated.duplicate
        other = await s.engine.execute_signal(signal(s, "same", quantity=Decimal("0.020")))
        assert not other.success
        assert other.duplicate
        assert "another content" in other.error
        await close(s)
        assert (await s.engine.execute_signal(again)).duplicate, "also once the trade is over"
        assert s.placed("entry") == ["capi_entry_same"]


async def test_closing_signals_are_harmless_when_there_is_nothing_to_close(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        for action in ("close", "close_long", "close_short"):
            assert (await s.engine.execute_signal(signal(s, action, action))).success
        await s.view()
        assert s.placed() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"stop_loss": None}, "stop_loss is missing", id="no stop"),
        pytest.param({"quantity": Decimal(0)}, "quantity 0 must be above 0", id="no quantity"),
        pytest.param({"quantity": Decimal("0.0001")}, "below the venue's minimum", id="too small"),
        pytest.param({"price": Decimal("NaN")}, "price is NaN", id="no number"),
        pytest.param({"idempotency_key": ""}, "idempotency_key is empty", id="no key"),
        pytest.param({"symbol": "XRPUSDT"}, "XRPUSDT is not among the configured symbols", id="another symbol"),
        pytest.param({"stop_loss": Decimal(99999)}, "wrong side", id="the stop on the wrong side"),
    ],
)
async def test_a_signal_that_cannot_be_followed_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    async with session(tmp_path) as s:
        await marked(s)
        bad = signal(s, "bad", **changes)
        result = await s.engine.execute_signal(bad)
        assert not result.success
        assert reason in result.error
        if "quantity" not in changes or not changes["quantity"]:
            assert reason in (await s.engine.validate_signal(bad)).reason
        assert s.placed() == []


async def test_a_signal_that_the_venue_refuses_says_so(tmp_path: Path) -> None:
    async with session(tmp_path, market={"wallet": Decimal(50)}) as s:
        await marked(s)
        result = await s.engine.execute_signal(signal(s, "poor"))
        assert not result.success
        assert result.order is not None
        assert "-2019" in result.error


async def test_a_signal_that_risk_refuses_says_so(tmp_path: Path) -> None:
    async with session(tmp_path, risk={"max_order_notional": Decimal(100)}) as s:
        await marked(s)
        result = await s.engine.execute_signal(signal(s, "large"))
        assert not result.success
        assert "notional_exceeded" in result.error


async def test_a_signal_without_an_answer_in_time_says_so_and_is_found_later(tmp_path: Path) -> None:
    slow = {"venue": {"order_path": "rest", "answer_timeout_ms": 1000}}
    async with session(tmp_path, **slow) as s:
        await marked(s)
        s.fault("rest_timeout", kind="entry", executed=True)
        s.fault("response_before_event", kind="entry", delay_ms=800, exact=True)
        result = await s.engine.execute_signal(signal(s, "slow"), timeout_s=0.1)
        assert (result.success, result.error) == (False, "the venue has not answered in time")
        await until(lambda: s.resting("sl"))
        assert s.placed("entry") == ["capi_entry_slow"]


async def test_validation_sends_nothing_and_says_whether_a_signal_would_be_taken_up(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await marked(s)
        assert await s.engine.validate_signal(signal(s, "v1"))
        assert not await s.engine.validate_signal(signal(s, "v2", stop_loss=None))
        s.engine.kill("stop")
        await s.state(EngineState.HALTED)
        verdict = await s.engine.validate_signal(signal(s, "v3"))
        assert (verdict.valid, verdict.reason) == (False, "the engine is HALTED: no new risk is taken")
        assert await s.engine.validate_signal(signal(s, "v4", "close")), "closing is always possible"
        assert s.placed() == []


async def test_a_strategy_without_stops_is_possible_when_the_policy_says_so(tmp_path: Path) -> None:
    async with session(tmp_path, protection={"stop_required": False}) as s:
        await marked(s)
        assert (await s.engine.execute_signal(signal(s, "bare", stop_loss=None, take_profit=None))).success
        await until(lambda: s.held() == Decimal("0.016"))
        await s.view()
        assert s.resting() == []
        await close(s)


# Orders


async def test_placing_and_cancelling_an_order(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        mark = s.mark()
        placed = await s.engine.place_order(
            BTC, "BUY", Decimal("0.02"), mark * Decimal("0.998"), idempotency_key="p1", stop_loss=mark * Decimal("0.98")
        )
        assert placed.success
        status = await s.engine.get_order_status("capi_entry_p1")
        assert status is not None
        assert (status.state, status.progress, status.filled) == (OrderState.ACKNOWLEDGED, "pending", 0)
        assert (status.symbol, status.role, status.quantity) == (BTC, "entry", Decimal("0.020"))

        assert await s.engine.cancel_order("capi_entry_p1")
        status = await s.engine.get_order_status("capi_entry_p1")
        assert status is not None
        assert (status.state, status.progress) == (OrderState.CANCELLED, "settled")
        assert await s.engine.cancel_order("capi_entry_p1"), "cancelled is cancelled"
        await s.idle()
        assert not await s.engine.cancel_order("capi_entry_unknown")
        assert await s.engine.get_order_status("capi_entry_unknown") is None


async def test_protective_orders_are_not_cancelled_by_hand(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("safe")
        for role in ("sl", "tp1", "tp2"):
            assert not await s.engine.cancel_order(f"capi_{role}_safe")
        assert len(s.resting()) == 3
        status = await s.engine.get_order_status("capi_sl_safe")
        assert status is not None
        assert (status.quantity, status.trigger_price) == (None, s.algo("capi_sl_safe").trigger_price)
        entry = await s.engine.get_order_status("capi_entry_safe")
        assert entry is not None
        assert (entry.progress, entry.average_price) == ("settled", Decimal(s.fills()[0]["price"]))
        assert not await s.engine.cancel_order("capi_entry_safe"), "it is filled"


async def test_cancelling_the_rest_of_a_part_filled_entry_keeps_what_filled(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("part", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fill_entry("0.5")
        await s.protected("part")
        status = await s.engine.get_order_status("capi_entry_part")
        assert status is not None
        assert status.progress == "filled"
        assert await s.engine.cancel_order("capi_entry_part")
        await until(lambda: not s.resting("entry"))
        await s.protected("part")
        assert s.held() == Decimal("0.020")


async def test_an_unknown_side_is_refused(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        with pytest.raises(ValueError, match="hold"):
            await s.engine.place_order(BTC, "hold", Decimal("0.02"), idempotency_key="h")


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
        journaled = [row.record for row in s.engine.journal.rows()]
        assert seen == journaled[-len(seen) :]
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


# Life


async def test_an_engine_can_be_made_from_a_mapping_a_path_or_a_config(tmp_path: Path) -> None:
    async with venue_of() as venue:
        mapping = settings_of(venue, tmp_path)
        (tmp_path / "engine.toml").write_text(as_toml(mapping))
        assert tomllib.loads((tmp_path / "engine.toml").read_text()) == mapping
        for source in (mapping, tmp_path / "engine.toml", str(tmp_path / "engine.toml"), config.from_mapping(mapping)):
            async with Engine.from_config(source, credentials=CREDENTIALS) as engine:
                assert await engine.ready(10) is EngineState.RUNNING
                assert engine.config.symbols == (BTC,)


def as_toml(mapping: dict[str, Any]) -> str:
    """Enough of a TOML writer for this test: tables come last."""
    plain = [f"{key} = {_toml(value)}" for key, value in mapping.items() if not isinstance(value, dict)]
    tables = [f"[{key}]\n{as_toml(value)}" for key, value in mapping.items() if isinstance(value, dict)]
    return "\n".join([*plain, *tables, ""])


def _toml(value: Any) -> str:
    return (
        str(value).replace("'", '"')
        if isinstance(value, list)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
    )


async def test_credentials_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with venue_of() as venue:
        with pytest.raises(ConfigurationError, match="EXECACTOR_API_KEY"):
            await Engine.from_config(settings_of(venue, tmp_path)).start()
        monkeypatch.setenv("EXECACTOR_API_KEY", "simulator-api-key")
        monkeypatch.setenv("EXECACTOR_API_SECRET", "simulator-api-secret")
        async with Engine.from_config(settings_of(venue, tmp_path)) as engine:
            assert await engine.ready(10) is EngineState.RUNNING


async def test_starting_twice_is_refused_and_stopping_twice_is_harmless(tmp_path: Path) -> None:
    async with venue_of() as venue:
        engine = Engine.from_config(settings_of(venue, tmp_path), credentials=CREDENTIALS)
        assert engine.state is EngineState.STARTING
        with pytest.raises(ExecactorError, match="not running"):
            await engine.positions()
        await engine.stop()
        await engine.start()
        with pytest.raises(RuntimeError, match="running already"):
            await engine.start()
        await engine.ready(10)
        await engine.stop()
        await engine.stop()
        assert engine.state is EngineState.STARTING
        with pytest.raises(ExecactorError, match="await start"):
            engine.kill("nobody listens")


async def test_an_engine_that_was_stopped_can_be_started_again(tmp_path: Path) -> None:
    async with venue_of() as venue:
        engine = Engine.from_config(settings_of(venue, tmp_path), credentials=CREDENTIALS)
        told: list[str] = []
        engine.on_filled(lambda order: told.append(order.client_id))
        for number in range(2):
            async with engine:
                await engine.ready(10)
                s = Session(venue, engine, tmp_path)
                await s.open(f"r{number}")
                s.move("0.8")
                await s.idle()
                assert [trade.key for trade in engine.trades()] == [f"r{n}" for n in range(number + 1)]
                metrics = await engine.get_performance_metrics()
                assert metrics["positions"]["winning_positions"] == number + 1
                assert metrics["engine"]["total_signals"] == 1, "counted since the start"
        assert told.count("capi_entry_r0") == told.count("capi_entry_r1") == 1


async def test_a_second_engine_on_the_account_is_refused_and_the_lock_is_given_back(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path):
            second = Engine.from_config(settings_of(venue, tmp_path), credentials=CREDENTIALS)
            with pytest.raises(ConfigurationError, match="trades this account already"):
                await second.start()
            assert second.state is EngineState.STARTING
        async with engine_on(venue, tmp_path) as s:
            assert s.engine.state is EngineState.RUNNING


@pytest.mark.parametrize(
    ("changes", "credentials", "error", "words"),
    [
        pytest.param({"symbols": ["NOPEUSDT"]}, CREDENTIALS, ConfigurationError, "NOPEUSDT", id="unknown symbol"),
        pytest.param({}, config.Credentials("wrong", "x"), VenueFatal, "-2015", id="a foreign key"),
        pytest.param({}, config.Credentials("simulator-api-key", "x"), VenueFatal, "-1022", id="a wrong secret"),
    ],
)
async def test_a_start_that_fails_leaves_nothing_behind(
    tmp_path: Path, changes: dict[str, Any], credentials: config.Credentials, error: type[Exception], words: str
) -> None:
    async with venue_of() as venue:
        before = asyncio.all_tasks()
        engine = Engine.from_config(settings_of(venue, tmp_path, **changes), credentials=credentials)
        with pytest.raises(error, match=words):
            await engine.start()
        assert engine.state is EngineState.STARTING
        async with engine_on(venue, tmp_path / "good") as s:
            assert s.engine.state is EngineState.RUNNING
        await until(lambda: _own_tasks(before) == 0)


def _own_tasks(before: set[asyncio.Task[Any]]) -> int:
    """Tasks that the engine left; the venue's own serve connections until they close."""
    left = asyncio.all_tasks() - before
    return sum("execactor/simulator" not in repr(task) and "aiohttp" not in repr(task) for task in left)


async def test_a_venue_that_cannot_be_reached_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with venue_of() as venue:
        settings = settings_of(venue, tmp_path)
        port = venue.port
    engine = Engine.from_config(settings, credentials=CREDENTIALS)
    starting = asyncio.create_task(engine.start())
    await until(lambda: "the venue cannot be reached yet" in caplog.text)
    async with venue_of(port=port):
        await starting
        assert await engine.ready(10) is EngineState.RUNNING
        await engine.stop()


async def test_waiting_for_readiness_can_time_out(tmp_path: Path) -> None:
    async with venue_of() as venue:
        other = Session(venue, None, tmp_path)  # type: ignore[arg-type]  # the venue's side alone
        engine = Engine.from_config(settings_of(venue, tmp_path), credentials=CREDENTIALS)
        await engine.start()
        venue.venue.faults.order("http_503_failed", 200, {"kind": "query"})
        with pytest.raises(TimeoutError):
            await engine.ready(0.05)
        assert engine.state is EngineState.RECONCILING
        await engine.submit_decision(decision(BTC, other.mark(), key="waits"))
        venue.venue.faults._ordered.clear()
        assert await engine.ready(15) is EngineState.RUNNING
        await until(lambda: other.placed("entry") == ["capi_entry_waits"])
        await engine.stop()


async def test_a_decision_that_cannot_be_followed_raises(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        with pytest.raises(ValueError, match="malformed"):
            await s.engine.submit_decision(b"{")
        taken = await s.engine.submit_decision(decision(BTC, s.mark(), key="good"))
        assert (taken.key, taken.symbol) == ("good", BTC)

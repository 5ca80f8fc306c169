"""The engine is stopped, not killed, and started again: what it holds stays protected, what is off stays off."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kill_stage import KEYS, KillStage, until

from execactor.domain.side import Side
from execactor.service.demo import decisions
from execactor.service.demo.children import Child
from execactor.service.demo.decisions import Distances, Fed
from execactor.service.exit_codes import Exit
from execactor.simulator.checker import check

SYMBOL = "BTCUSDT"
PROTECTED = ["capi_sl_{}", "capi_tp1_{}", "capi_tp2_{}"]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[KillStage]:
    async with KillStage(tmp_path, seed=3, symbol=SYMBOL) as opened:
        await opened.start_engine()
        yield opened


def decision(stage: KillStage, key: str, *, reach: int = 6, side: Side = Side.BUY, age_s: int = 0) -> Fed:
    """Stop 60, targets 40 and 80 basis points away; reach: below 0 the entry rests."""
    far = Distances(reach=Decimal(reach), stop=Decimal(60), tp1=Decimal(40), tp2=Decimal(80))
    fed = decisions.entry(key, stage.exchange.markets[SYMBOL].symbol, side, stage.price, far)
    fed.body["timestamp_iso"] = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()
    return fed


async def hold(stage: KillStage, key: str, **changes: Any) -> Fed:
    """Feed a decision and wait until its position, stop and targets stand at the venue."""
    fed = decision(stage, key, **changes)
    await stage.feed(fed)
    names = [name.format(key) for name in PROTECTED]
    await until(lambda: conditional(stage) == names, f"{names} do not stand", within_s=10)
    return fed


def conditional(stage: KillStage) -> list[str]:
    """Client ids of the conditional orders that stand at the venue."""
    return sorted(algo.client_id for algo in stage.exchange.conditional.algos.open())


def sent(stage: KillStage, role: str) -> list[str]:
    """Client ids of the orders of a role that the engine has sent."""
    ids = ("newClientOrderId", "clientAlgoId")
    asked = [line for line in stage.log("request") if line["method"] in {"order.place", "algoOrder.place"}]
    names = [line["params"][name] for line in asked for name in ids if name in line["params"]]
    return [name for name in names if f"_{role}_" in name]


def filled(stage: KillStage) -> list[str]:
    """Client ids in the order of their fills."""
    return list(dict.fromkeys(line["client_id"] for line in stage.log("fill")))


async def restart(stage: KillStage) -> None:
    """As an operator does: SIGTERM, and start again."""
    assert await stage.engine.stop() == Exit.OK, stage.engine.tail()
    await stage.start_engine()


async def run_to_targets(stage: KillStage, fed: Fed) -> None:
    stage.venue.steer(SYMBOL, fed.away(Decimal(46)), 0.4)
    await until(lambda: f"capi_slt_{fed.key}" in conditional(stage), "no tightened stop stands", within_s=10)
    stage.venue.steer(SYMBOL, fed.away(Decimal(90)), 0.4)
    assert await stage.at_rest(10)


async def judge(stage: KillStage) -> None:
    report = await stage.finish()
    lines = stage.venue_log.read_text(encoding="utf-8").splitlines()
    verdict = check(lines, journal=stage.journal, engine_report=report)
    assert verdict.ok, verdict.to_json()


async def test_a_stopped_engine_leaves_its_stop_at_the_venue_and_goes_on_after_the_restart(stage: KillStage) -> None:
    fed = await hold(stage, "k1")
    assert await stage.engine.stop() == Exit.OK
    assert conditional(stage) == ["capi_sl_k1", "capi_tp1_k1", "capi_tp2_k1"]
    assert stage.held == fed.quantity
    await stage.start_engine()
    (view,) = await stage.ask("positions")
    assert (view["phase"], view["key"]) == ("IN_POSITION", "k1")
    await run_to_targets(stage, fed)
    assert filled(stage) == ["capi_entry_k1", "capi_tp1_k1", "capi_tp2_k1"]
    assert sent(stage, "sl") == ["capi_sl_k1"]
    (trade,) = await stage.ask("trades")
    assert trade["key"] == "k1"
    await judge(stage)


async def test_what_happened_while_it_was_stopped_is_in_its_books(stage: KillStage) -> None:
    fed = await hold(stage, "k1", side=Side.SELL)
    assert await stage.engine.stop() == Exit.OK
    stage.venue.steer(SYMBOL, fed.away(Decimal(46)), 0.4)
    await until(lambda: "capi_tp1_k1" in filled(stage), "the first target is not reached", within_s=10)
    await stage.start_engine()
    await until(lambda: "capi_slt_k1" in conditional(stage), "no tightened stop stands", within_s=10)
    assert await stage.engine.stop() == Exit.OK
    stage.venue.steer(SYMBOL, fed.away(Decimal(-12)), 0.4)
    await until(lambda: not stage.held, "the position is not closed", within_s=10)
    await stage.start_engine()
    assert await stage.at_rest(10)
    assert filled(stage) == ["capi_entry_k1", "capi_tp1_k1", "capi_slt_k1"]
    await judge(stage)


async def test_E2_the_same_decision_file_after_a_restart_enters_no_second_time(stage: KillStage) -> None:  # noqa: N802
    fed = await hold(stage, "k1")
    await restart(stage)
    decisions.write(stage.decisions, fed.body)
    await run_to_targets(stage, fed)
    await restart(stage)
    assert (await stage.ask("decide", body=json.dumps(fed.body)))["key"] == "k1"
    (view,) = await stage.ask("positions")
    assert view["phase"] == "NO_POSITION"
    assert sent(stage, "entry") == ["capi_entry_k1"]
    await judge(stage)


async def test_E2_an_entry_that_rested_and_was_cancelled_rests_no_second_time(stage: KillStage) -> None:  # noqa: N802
    fed = decision(stage, "k1", reach=-10)
    await stage.feed(fed)
    await until(lambda: bool(stage.exchange.orders.open(SYMBOL)), "no entry rests", within_s=10)
    await restart(stage)
    assert [order.client_id for order in stage.exchange.orders.open(SYMBOL)] == ["capi_entry_k1"]
    await stage.feed_flat("k1flat")
    assert await stage.at_rest(10)
    await restart(stage)
    await stage.ask("decide", body=json.dumps(fed.body))
    (view,) = await stage.ask("positions")
    assert view["phase"] == "NO_POSITION"
    assert sent(stage, "entry") == ["capi_entry_k1"]
    await judge(stage)


async def test_an_older_flat_decision_does_not_close_a_newer_trade_after_the_restart(stage: KillStage) -> None:
    await hold(stage, "k1")
    await stage.feed_flat("k1flat")
    assert await stage.at_rest(10)
    fed = await hold(stage, "k2")
    await restart(stage)
    await run_to_targets(stage, fed)
    assert filled(stage)[-3:] == ["capi_entry_k2", "capi_tp1_k2", "capi_tp2_k2"]
    await judge(stage)


async def test_a_stale_decision_beside_a_fresh_one_has_no_say_after_the_restart(stage: KillStage) -> None:
    decisions.write(stage.decisions, decision(stage, "k1", age_s=3600).body)
    fed = decision(stage, "k2", reach=-10)
    await stage.feed(fed)
    await until(lambda: bool(stage.exchange.orders.open(SYMBOL)), "no entry rests", within_s=10)
    await restart(stage)
    stage.venue.steer(SYMBOL, fed.away(Decimal(-14)), 0.4)
    await until(lambda: "capi_entry_k2" in filled(stage), "the entry is not filled", within_s=10)
    await stage.feed_flat("k2flat")
    assert await stage.at_rest(10)
    await judge(stage)


async def test_a_decision_that_waits_for_the_other_side_to_be_left_survives_a_restart(stage: KillStage) -> None:
    await hold(stage, "k1")
    await stage.fault("http_503_failed", count=50, kind="exit")
    await stage.feed(decision(stage, "k2", side=Side.SELL))
    await until(lambda: bool(sent(stage, "exit")), "no exit is sent", within_s=10)
    await restart(stage)
    stage.behave()
    await until(lambda: stage.held < 0, "the position is not turned", within_s=15)
    await stage.feed_flat("k2flat")
    assert await stage.at_rest(10)
    await judge(stage)


async def test_a_halted_engine_stays_halted_and_a_person_resumes_it(stage: KillStage) -> None:
    await hold(stage, "k1")
    await stage.ask("kill", reason="enough")
    await stage.note("engine halted")
    await until(lambda: not stage.held and not conditional(stage), "the kill is not complete", within_s=15)
    await restart(stage)
    assert stage.states[-1] == "HALTED"
    waiting = decision(stage, "k2")
    await stage.ask("decide", body=json.dumps(waiting.body))
    (view,) = await stage.ask("positions")
    assert (view["phase"], sent(stage, "entry")) == ("NO_POSITION", ["capi_entry_k1"])
    assert (await stage.ask("status"))["reason"] == "enough"
    await until_resumed(stage)
    await until(lambda: stage.held == waiting.quantity, "the waiting decision is not followed", within_s=10)
    await stage.feed_flat("k2flat")
    assert await stage.at_rest(10)
    await judge(stage)


async def until_resumed(stage: KillStage) -> None:
    """Resume, as soon as the kill sequence, which goes on after the restart, has confirmed that all is flat."""
    async with asyncio.timeout(15):
        while (await stage.ask("account"))["kill_stage"] != "FLAT":
            await asyncio.sleep(0.05)
    await stage.note("engine resumed")
    await stage.ask("resume", reason="the test goes on")


async def test_a_second_engine_on_the_account_is_refused_and_names_the_lock(stage: KillStage, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(stage.configuration.read_text().replace('data_dir = "run"', 'data_dir = "elsewhere"'))
    second = await Child.start("engine", ["run", "-c", str(other)], tmp_path / "second.out", KEYS)
    async with asyncio.timeout(20):
        while second.running:
            await asyncio.sleep(0.02)
    assert await second.stop() == 78
    (lock,) = (tmp_path / "locks").glob("*.lock")
    assert str(lock) in second.tail()
    assert f"process {stage.engine.pid} trades this account already" in second.tail()
    assert not (tmp_path / "elsewhere").exists()
    assert (await stage.ask("ping"))["state"] == "RUNNING"


async def test_a_fill_that_no_listing_showed_at_the_restart_is_booked_soon_after(stage: KillStage) -> None:
    await stage.fault("partial_fills", role="entry", parts=3, gap_ms=1_500)
    fed = decision(stage, "k1")
    await stage.feed(fed)
    await until(lambda: len(stage.exchange.trades) == 1, "no first fill", within_s=10)
    assert await stage.engine.stop() == Exit.OK
    await until(lambda: len(stage.exchange.trades) == 2, "no second fill", within_s=10)
    await stage.fault("listing_lag_ms", ms=900)
    await stage.start_engine()
    await until(lambda: len(stage.exchange.trades) == 3, "no third fill", within_s=10)
    await until(lambda: targeted(stage) == fed.quantity, "the targets are not for the whole position", within_s=3)
    await run_to_targets(stage, fed)
    await judge(stage)


def targeted(stage: KillStage) -> Decimal:
    """Base units of the take-profits that stand at the venue."""
    algos = [algo for algo in stage.exchange.conditional.algos.open() if algo.request.type == "TAKE_PROFIT_MARKET"]
    return sum((algo.symbol.quantity(algo.request.lots or 0) for algo in algos), Decimal(0))


async def test_an_entry_that_filled_unseen_and_that_listings_do_not_show_yet_is_protected(stage: KillStage) -> None:
    fed = decision(stage, "k1", reach=-10)
    await stage.feed(fed)
    await until(lambda: bool(stage.exchange.orders.open(SYMBOL)), "no entry rests", within_s=10)
    assert await stage.engine.stop() == Exit.OK
    await stage.fault("listing_lag_ms", ms=800)
    stage.venue.steer(SYMBOL, fed.away(Decimal(-14)), 0.1)
    await until(lambda: stage.held == fed.quantity, "the entry is not filled", within_s=10)
    await stage.start_engine()
    await until(lambda: "capi_sl_k1" in conditional(stage), "no stop stands", within_s=10)
    await stage.feed_flat("k1flat")
    assert await stage.at_rest(10)
    await judge(stage)

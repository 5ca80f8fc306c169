"""The embedding API: signals and single orders."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, session, until
from signals import close, marked, signal

from execactor.domain.account import EngineState
from execactor.domain.order import OrderState, OrderType


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


async def test_a_refusal_that_comes_before_the_caller_is_awake_is_not_lost(tmp_path: Path) -> None:
    async with session(tmp_path, risk={"max_order_notional": Decimal(100)}) as s:
        await marked(s)
        made = s.engine._running()
        asked = asyncio.create_task(s.engine.execute_signal(signal(s, "large"), timeout_s=1))
        await asyncio.sleep(0)
        while not made.system.dispatcher.flush():
            pass
        made.context.recorder.end_turn()
        assert "notional_exceeded" in (await asked).error


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

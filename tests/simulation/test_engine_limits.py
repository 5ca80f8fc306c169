"""Limits of the account: what breaks one is refused or stopped, with words for a person."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, engine_on, session, until, venue_of

from execactor.domain.account import EngineState
from execactor.domain.messages.account import AlertLevel
from execactor.domain.messages.decisions import PlanEnded
from execactor.domain.order import OrderState, RejectCause
from execactor.store.records import EquityMarked

# Of 100,000 USDT: 20 USDT. A trade of 5,000 USDT loses about 30 at its stop.
TIGHT = Decimal("0.0002")
BOTH: dict[str, Any] = {"symbols": [BTC, ETH]}


async def test_a_daily_loss_at_the_limit_pauses_entries_until_a_person_resumes(tmp_path: Path) -> None:
    settings = BOTH | {"risk": {"daily_loss_fraction": TIGHT}}
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **settings) as s:
            await s.feed_resting("rest", ETH)
            await s.open("loss", notional="5000")
            s.move("-0.45")
            await s.state(EngineState.PAUSED)
            assert s.held() > 0, "an unrealised loss counts"
            alert = await s.alerted("DAILY_LOSS_BREACH")
            assert alert.level is AlertLevel.CRITICAL
            assert alert.text.startswith("daily loss 0.02% of 100000")
            await until(lambda: not s.resting("entry"))
            assert len(s.resting()) == 3, "stop and targets stay"
            s.move("-0.3")
            await s.idle()
            assert s.engine.trades()[0].outcome == "stopped"
            await s.feed("waits")
            await s.view()
            assert s.placed("entry") == ["capi_entry_rest", "capi_entry_loss"]
        async with engine_on(venue, tmp_path, **settings) as s:
            assert s.engine.state is EngineState.PAUSED
            assert "daily loss" in (await s.engine.account_status()).reason
            assert await s.resume("tomorrow is another day") is None
            await s.state(EngineState.RUNNING)
            await s.open("after")
            assert s.engine.state is EngineState.RUNNING, "measured from here on"


async def test_a_drawdown_at_the_limit_pulls_the_kill_switch(tmp_path: Path) -> None:
    settings = {"risk": {"drawdown_fraction": TIGHT}}
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **settings) as s:
            await s.open("down", notional="5000")
            s.move("-0.45")
            await s.state(EngineState.HALTED)
            await until(lambda: s.held() == 0)
            assert (await s.alerted("DRAWDOWN_BREACH")).level is AlertLevel.CRITICAL
            await s.alerted("KILL_COMPLETE")
            await s.idle()
            assert s.engine.trades()[0].outcome == "exit"
            assert s.records(EquityMarked)[-1].breached == ("drawdown",)
            assert await s.resume("deposited") is None
            await s.state(EngineState.RUNNING)
        async with engine_on(venue, tmp_path, **settings) as s:
            assert s.engine.state is EngineState.RUNNING, "the drawdown was forgiven for good"


async def test_the_days_first_equity_survives_a_restart(tmp_path: Path) -> None:
    settings = {"risk": {"daily_loss_fraction": TIGHT}}
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **settings) as s:
            await s.open("half", notional="2000")
            s.move("-0.8")
            await s.idle()
            assert s.engine.state is EngineState.RUNNING
        async with engine_on(venue, tmp_path, **settings) as s:
            await s.open("rest", notional="2000")
            s.move("-0.8")
            await s.state(EngineState.PAUSED)


REFUSALS = pytest.mark.parametrize(
    ("limits", "code"),
    [
        pytest.param({"max_order_notional": Decimal(900)}, "notional_exceeded", id="the order is too large"),
        pytest.param({"max_symbol_exposure": Decimal(900)}, "exposure_exceeded", id="the symbol has too much"),
    ],
)


@REFUSALS
async def test_an_entry_beyond_a_limit_is_refused_visibly(tmp_path: Path, limits: dict[str, Any], code: str) -> None:
    async with session(tmp_path, risk=limits) as s:
        rejected: list[Any] = []
        s.engine.on_rejected(rejected.append)
        await s.feed("large")
        alert = await s.alerted("ENTRY_REFUSED")
        assert (alert.symbol, alert.level) == (BTC, AlertLevel.WARNING)
        assert code in alert.text
        assert "900" in alert.text
        await s.idle()
        assert s.placed() == []
        assert [(order.client_id, order.state, order.cause) for order in rejected] == [
            ("capi_entry_large", OrderState.REJECTED, RejectCause.RISK)
        ]
        assert code in rejected[0].reason
        [ended] = s.records(PlanEnded)
        assert code in ended.reason
        metrics = await s.engine.get_performance_metrics()
        assert metrics["risk"]["risk_violations"] == 1
        assert metrics["engine"]["failed_executions"] == 1
        assert s.engine.state is EngineState.RUNNING
        await s.open("small", notional="800")


async def test_no_more_symbols_than_allowed_are_in_use(tmp_path: Path) -> None:
    async with session(tmp_path, **BOTH, risk={"max_positions": 1}) as s:
        await s.feed_resting("first", BTC)
        await until(lambda: s.resting("entry"))
        await s.feed("second", ETH)
        assert "too_many_positions" in (await s.alerted("ENTRY_REFUSED")).text
        await s.feed("flat", BTC, action="flat")
        await s.idle(BTC)
        await s.open("third", ETH)


async def test_the_venues_margin_is_the_last_limit(tmp_path: Path) -> None:
    async with session(tmp_path, market={"wallet": Decimal(100)}) as s:
        await s.feed("poor")
        await s.idle()
        order = await s.order("capi_entry_poor")
        assert order.state == "REJECTED"
        assert "-2019" in order.reason
        await s.open("fits", notional="250")


async def test_equity_is_wallet_and_unrealised_profit(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("up", notional="5000", tp1=str(s.mark() * 2), tp2=str(s.mark() * 3))
        s.move("1")
        await s.still()
        await until(lambda: figures(s).unrealized_pnl > 30)
        view = figures(s)
        assert view.equity == view.wallet + view.unrealized_pnl
        assert view.wallet == s.wallet
        assert view.peak >= view.equity > view.day_start


def figures(s: Session) -> Any:
    return s.engine._running().context.view

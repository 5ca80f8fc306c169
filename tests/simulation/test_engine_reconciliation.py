"""What the engine does about differences between its books and the venue's."""

import asyncio
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, engine_on, other_hand, session, until, until_async, venue_of
from loopback import Client

from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected
from execactor.store.records import Reconciled

WALLET = Decimal(100_000)
OURS = Decimal("0.016")
OFTEN: dict[str, Any] = {"reconcile": {"interval_s": 1}}


def criticals(s: Session) -> list[Alert]:
    return [alert for alert in s.alerts() if alert.level is AlertLevel.CRITICAL]


def found(s: Session, reason: str = "start") -> Counter[str]:
    """Findings of the last comparison that was made for `reason`."""
    return Counter([record for record in s.records(Reconciled) if record.reason == reason][-1].counts)


async def compared(s: Session, times: int) -> None:
    """Wait for so many more comparisons."""
    before = len(s.records(Reconciled))
    await until(lambda: len(s.records(Reconciled)) >= before + times, within_s=20)


async def agrees(s: Session, *, seen_whole: bool = True) -> None:
    """Both sides hold the same, and the checker finds nothing wrong.

    seen_whole False: trades began unseen or were turned by another hand, so that their profits compare to nothing.
    """
    report = await s.judged()
    wrong = [text for text in report.mismatches if seen_whole or "trade" not in text]
    assert (wrong, report.violations, report.venue_errors) == ([], (), ()), report.to_json()


async def ends_flat(s: Session, key: str = "done", *, seen_whole: bool = True) -> None:
    """A flat decision closes what is open, and nothing of ours stays."""
    await s.feed(key, action="flat")
    await s.idle()
    await until(lambda: not [name for name in s.resting() if name.startswith("capi_")])
    assert s.held() == 0
    await agrees(s, seen_whole=seen_whole)


async def test_E3_a_stop_that_only_the_algo_listing_shows_is_not_missing(tmp_path: Path) -> None:  # noqa: N802
    async with session(tmp_path, **OFTEN) as s:
        await s.open("e3")
        await compared(s, 2)
        assert all(not record.counts for record in s.records(Reconciled))
        assert s.placed("sl") == ["capi_sl_e3"]
        assert s.alerts() == []

        removed = time.monotonic()
        s.admin.drop_algo({"client_id": "capi_sl_e3"})
        await until(lambda: s.resting("sl") == ["capi_sl_e3_a2"])
        assert time.monotonic() - removed < 2.5, "within one reconciliation"
        await compared(s, 2)
        assert [alert.code for alert in criticals(s)] == ["ORDER_VANISHED"]
        assert s.placed("sl") == ["capi_sl_e3", "capi_sl_e3_a2"]
        assert s.engine.state is EngineState.RUNNING
        await ends_flat(s)


async def test_E3_the_default_settings_notice_a_vanished_stop_while_a_position_is_open(tmp_path: Path) -> None:  # noqa: N802
    async with session(tmp_path) as s:
        await s.open("e3")
        s.admin.drop_algo({"client_id": "capi_sl_e3"})
        await until(lambda: s.resting("sl") == ["capi_sl_e3_a2"], within_s=15)
        await ends_flat(s)


async def test_a_take_profit_that_vanished_is_restored(tmp_path: Path) -> None:
    async with session(tmp_path, **OFTEN) as s:
        await s.open("tp")
        s.admin.drop_algo({"client_id": "capi_tp1_tp"})
        s.admin.drop_algo({"client_id": "capi_tp2_tp"})
        await until(lambda: {"capi_tp1_tp_a2", "capi_tp2_tp_a2"} <= set(s.resting()))
        assert s.algo("capi_tp1_tp_a2").request.lots == s.algo("capi_tp2_tp_a2").request.lots == 8
        await ends_flat(s)


async def test_an_orphan_found_at_the_first_start_is_adopted_with_a_stop(tmp_path: Path) -> None:
    async def found_at_start(side: str, sign: int) -> None:
        async with venue_of() as venue:
            other_hand(venue).trade({"symbol": BTC, "side": side, "quantity": "0.010"})
            async with engine_on(venue, tmp_path / side) as s:
                await adopted(s, sign * Decimal("0.010"))
                assert found(s) == {"orphan_position": 1, "missing_stop": 1}
                await ends_flat(s, seen_whole=False)

    await asyncio.gather(found_at_start("BUY", 1), found_at_start("SELL", -1))


async def adopted(s: Session, quantity: Decimal) -> None:
    """The position is ours now, with a stop 1 % away, SAFE MODE and an alert; and it stays that size."""
    await until(lambda: s.resting("sl"))
    assert s.engine.state is EngineState.SAFE_MODE
    await s.alerted("ORPHAN_POSITION")
    [alert] = s.alerts("ORPHAN_POSITION")
    assert alert.level is AlertLevel.CRITICAL
    stop = s.algo(s.resting("sl")[0])
    away = (stop.trigger_price / s.mark() - 1) * (1 if quantity < 0 else -1)
    assert Decimal("0.009") < away < Decimal("0.011")
    assert stop.request.close_position
    assert [record.position.quantity for record in s.records(PositionAdopted)] == [quantity]
    await settled(s, quantity)


async def settled(s: Session, quantity: Decimal) -> None:
    """The engine holds this, and still does once late reports had their time."""
    until_s = time.monotonic() + 1.3
    await until_async(lambda: _holds(s, quantity))
    while time.monotonic() < until_s:
        assert await _holds(s, quantity), await s.view()
        await asyncio.sleep(0.05)
    assert s.held() == quantity


async def _holds(s: Session, quantity: Decimal) -> bool:
    return (await s.view()).position.quantity == quantity


async def test_an_orphan_opened_while_the_engine_runs_is_adopted(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.other_hand("BUY", "0.010")
        await until(lambda: s.resting("sl"), within_s=2)
        await adopted(s, Decimal("0.010"))
        await ends_flat(s)


async def test_an_orphan_opened_while_the_engine_was_down_is_adopted(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            await s.open("before")
            await ends_flat(s)
        s.other_hand("SELL", "0.010")
        async with engine_on(venue, tmp_path) as s:
            await adopted(s, Decimal("-0.010"))
            await ends_flat(s, "done2")


async def test_a_phantom_closed_by_another_hand_while_running_ends_the_trade(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        await s.open("ph")
        s.other_hand("SELL", "0.016")
        await s.idle()
        [trade] = s.engine.trades()
        assert trade.outcome == "external"
        assert trade.pnl == s.wallet - before
        assert s.resting() == [], "stop and targets are cancelled"
        assert s.engine.state is EngineState.SAFE_MODE
        await agrees(s)


async def test_a_phantom_closed_while_the_engine_was_down_ends_the_trade(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            before = s.wallet
            await s.open("ph")
        s.other_hand("SELL", "0.016")
        async with engine_on(venue, tmp_path) as s:
            await s.idle()
            await until(lambda: not s.resting())
            assert [trade.outcome for trade in s.engine.trades()] == ["external"]
            assert s.engine.trades()[0].pnl == s.wallet - before
            assert s.engine.state is EngineState.SAFE_MODE
            await agrees(s)


async def test_a_stop_that_closed_the_position_while_the_engine_was_down_is_booked_as_such(tmp_path: Path) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            before = s.wallet
            await s.open("sl")
        s.move("-1")
        await until(lambda: s.held() == 0)
        async with engine_on(venue, tmp_path) as s:
            await s.idle()
            await until(lambda: not s.resting())
            [trade] = s.engine.trades()
            assert trade.outcome == "stopped"
            assert trade.pnl == s.wallet - before
            assert s.engine.state is EngineState.RUNNING
            await agrees(s)


async def test_a_quantity_mismatch_is_booked_and_stays_protected(tmp_path: Path) -> None:
    async def mismatch(name: str, side: str, quantity: str, left: str, *, running: bool) -> None:
        directory = tmp_path / f"{name}-{running}"
        async with venue_of() as venue:
            async with engine_on(venue, directory) as s:
                await s.open("mm")
                if running:
                    s.other_hand(side, quantity)
                    await s.state(EngineState.SAFE_MODE)
                    await after_mismatch(s, Decimal(left))
                    return
            s.other_hand(side, quantity)
            async with engine_on(venue, directory) as s:
                await s.state(EngineState.SAFE_MODE)
                await after_mismatch(s, Decimal(left))

    cases = [
        ("less", "SELL", "0.006", "0.010"),
        ("more", "BUY", "0.004", "0.020"),
        ("turned", "SELL", "0.020", "-0.004"),
    ]
    await asyncio.gather(*(mismatch(*case, running=running) for case in cases for running in (True, False)))


async def after_mismatch(s: Session, left: Decimal) -> None:
    """A turned position is closed, any other one goes on; either way nothing stands without a stop."""
    if left > 0:
        await settled(s, left)
        assert s.resting("sl") == ["capi_sl_mm"], "the base stop closes whatever is open"
        s.move("1")
        await until(lambda: s.held() == max(left - OURS, Decimal(0)))
        await s.feed("rest", action="flat")
    await s.idle()
    await until(lambda: not s.resting())
    assert s.held() == 0
    assert sum(trade.pnl for trade in s.engine.trades()) == s.wallet - WALLET
    await agrees(s, seen_whole=False)


async def test_a_position_that_changed_without_a_trade_is_corrected(tmp_path: Path) -> None:
    async with session(tmp_path, **OFTEN) as s:
        await s.open("cut")
        position = s.venue.exchange.account.positions[BTC]
        position.quantity = Decimal("0.010")
        s.venue.exchange.position_history.record(BTC, position, s.venue.exchange.now_ns())
        alert = await s.alerted("POSITION_CORRECTED")
        assert "0.016 corrected to the venue's 0.010" in alert.text
        await until_async(lambda: _holds(s, Decimal("0.010")))
        [correction] = s.records(PositionCorrected)
        assert correction.position.quantity == Decimal("0.010")
        record = next(record for record in s.records(Reconciled) if record.counts)
        assert record.counts == {"quantity_mismatch": 1}


async def test_a_stray_order_with_our_prefix_is_cancelled(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        body = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "58000"}
        s.admin.order(body | {"client_id": "capi_entry_ghost"})
        assert s.resting() == ["capi_entry_ghost"]
        await until(lambda: not s.resting())
        assert await s.alerted("STRAY_ORDER")
        assert s.engine.state is EngineState.RUNNING


async def test_a_stray_conditional_order_with_our_prefix_is_cancelled_at_the_start(tmp_path: Path) -> None:
    async with venue_of() as venue, Client.of(venue) as client:
        status, body, _ = await client.call(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol=BTC,
            side="SELL",
            type="STOP_MARKET",
            triggerPrice="58000.0",
            quantity="0.002",
            clientAlgoId="capi_slt_ghost",
        )
        assert status == 200, body
        async with engine_on(venue, tmp_path) as s:
            await until(lambda: not s.resting())
            assert found(s) == {"stray_order": 1}


@pytest.mark.parametrize("running", [True, False], ids=["while running", "at the start"])
async def test_a_foreign_order_is_left_alone_and_means_safe_mode(tmp_path: Path, *, running: bool) -> None:
    body = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "58000", "client_id": "web_1"}
    async with venue_of() as venue:
        if not running:
            other_hand(venue).order(body)
        async with engine_on(venue, tmp_path) as s:
            if running:
                s.admin.order(body)
            await s.state(EngineState.SAFE_MODE)
            assert "web_1" in (await s.alerted("FOREIGN_ORDER")).text
            assert s.requests(cancels=True) == []
            await s.feed("none")
            await s.view()
            assert s.resting() == ["web_1"]
            assert s.placed() == []


async def test_another_hand_in_a_symbol_that_is_not_ours_means_safe_mode(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.other_hand("BUY", "0.1", ETH)
        await s.state(EngineState.SAFE_MODE)
        assert "ETHUSDT" in (await s.alerted("FOREIGN_ORDER")).text
        assert s.held(ETH) == Decimal("0.1")
        assert s.placed() == []


async def test_a_position_in_a_symbol_that_is_not_ours_is_seen_at_the_start(tmp_path: Path) -> None:
    async with venue_of() as venue:
        other_hand(venue).trade({"symbol": ETH, "side": "BUY", "quantity": "0.1"})
        async with engine_on(venue, tmp_path) as s:
            await s.state(EngineState.SAFE_MODE)
            assert found(s) == {"foreign_order": 1}
            assert s.placed() == []


@pytest.mark.parametrize("running", [True, False], ids=["while running", "while the engine was down"])
@pytest.mark.parametrize(
    ("client_id", "code", "outcome", "state"),
    [
        ("autoclose-1591702613943", "LIQUIDATED", "liquidated", EngineState.SAFE_MODE),
        ("adl_autoclose", "DELEVERAGED", "deleveraged", EngineState.RUNNING),
    ],
)
async def test_a_position_that_the_venue_closes_itself_is_booked_and_named(
    tmp_path: Path, client_id: str, code: str, outcome: str, state: EngineState, *, running: bool
) -> None:
    async def closed_by_the_venue(s: Session) -> None:
        await s.idle()
        await until(lambda: not s.resting())
        [trade] = s.engine.trades()
        assert (trade.outcome, trade.pnl) == (outcome, s.wallet - WALLET)
        assert trade.exit_price > 0
        await s.alerted(code)
        assert [alert.level for alert in s.alerts(code)] == [AlertLevel.CRITICAL]
        assert s.alerts("FOREIGN_ORDER", "STRAY_EXECUTION") == []
        await s.state(state)

    def close(s: Session) -> None:
        s.admin.trade({"symbol": BTC, "side": "SELL", "quantity": "0.016", "client_id": client_id})

    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            await s.open("forced")
            if running:
                close(s)
                await closed_by_the_venue(s)
        if not running:
            close(s)
            async with engine_on(venue, tmp_path) as s:
                await closed_by_the_venue(s)


async def test_a_position_that_the_venue_shrinks_goes_on_with_its_stop(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("adl")
        s.admin.trade({"symbol": BTC, "side": "SELL", "quantity": "0.006", "client_id": "adl_autoclose"})
        await settled(s, Decimal("0.010"))
        assert s.resting("sl") == ["capi_sl_adl"]
        assert s.engine.state is EngineState.RUNNING
        await ends_flat(s, seen_whole=False)


async def test_a_fill_that_came_while_the_stream_was_down_is_booked_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        await s.feed_resting("gap", notional="2400")
        await until(lambda: s.resting("entry"))
        s.venue.venue.private.disconnect("server restart")
        s.fill_entry("1")
        await s.protected("gap")
        assert len(s.engine.fills()) == len(s.fills()) == 1
        assert await s.alerted("MISSED_FILL")
        await s.state(EngineState.RUNNING)
        await ends_flat(s)
        assert s.engine.trades()[0].pnl == s.wallet - before


async def test_the_state_pauses_while_the_private_stream_is_down(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        states: list[EngineState] = []
        s.engine.on_record(lambda record: None)
        s.engine._running().context.state_listeners.append(lambda change: states.append(change.state))
        s.venue.venue.private.disconnect("server restart")
        await until(lambda: EngineState.RUNNING in states)
        assert states[0] is EngineState.PAUSED
        assert await s.alerted("STREAM_LOST")


@pytest.mark.parametrize("replace", [True, False], ids=["the event is lost", "the event follows"])
async def test_a_private_frame_that_cannot_be_read_means_an_alert_and_a_comparison(
    tmp_path: Path, *, replace: bool
) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("torn", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fault("garbled_private_frame", 1, kind="ORDER_TRADE_UPDATE", replace=replace)
        s.fill_entry("1")
        await s.alerted("UNREADABLE_FRAME")
        await s.protected("torn")
        await s.state(EngineState.RUNNING)
        assert len(s.engine.fills()) == 1
        assert any("unreadable private frame" in record.reason for record in s.records(Reconciled))
        await ends_flat(s)


async def test_events_that_come_twice_count_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        s.fault("duplicate_event", 50)
        await s.open("twice")
        s.move("0.8")
        await s.idle()
        assert len(s.engine.fills()) == len(s.fills()) == 3
        assert s.engine.trades()[0].pnl == s.wallet - before
        await agrees(s)


async def test_an_expired_listen_key_is_replaced_and_what_happened_is_caught_up(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("key", notional="2400")
        await until(lambda: s.resting("entry"))
        s.admin.fault({"name": "listen_key_expired", "now": True})
        s.fill_entry("1")
        await s.protected("key")
        await s.state(EngineState.RUNNING)
        assert len(s.engine.fills()) == 1
        await ends_flat(s)


async def test_E4_one_comparison_finds_everything_and_its_record_counts_it(tmp_path: Path) -> None:  # noqa: N802
    symbols = {"symbols": [BTC, ETH]}
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **symbols) as s:
            await s.open("both", BTC)
        s.admin.drop_algo({"client_id": "capi_sl_both"})
        s.admin.drop_algo({"client_id": "capi_tp1_both"})
        s.other_hand("SELL", "0.5", ETH)
        order = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "58000"}
        s.admin.order(order | {"client_id": "capi_entry_ghost"})
        s.admin.order(order | {"client_id": "web_7"})
        async with engine_on(venue, tmp_path, **symbols) as s:
            await until(lambda: {"capi_sl_both_a2", "capi_tp1_both_a2"} <= set(s.resting()))
            await until(lambda: "capi_entry_ghost" not in s.resting())
            await until(lambda: any(s.algo(name).symbol.name == ETH for name in s.resting("sl")))
            assert "web_7" in s.resting()
            [record] = [record for record in s.records(Reconciled) if record.reason == "start"][1:]
            assert Counter(record.counts) == {
                "order_gone": 2,
                "orphan_position": 1,
                "missing_stop": 1,
                "stray_order": 1,
                "foreign_order": 1,
            }
            assert len(record.details) == sum(record.counts.values())
            assert s.engine.state is EngineState.SAFE_MODE
            report = await s.judged()
            assert not report.duplicates
            assert report.mismatches == ()

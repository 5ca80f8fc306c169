"""Whole trades, from the decision to the last order that leaves the venue."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from engine_session import BTC, ETH, Session, resting_zone, session, until, until_async
from scenario import decision

from execactor.domain.messages.decisions import PlanEnded, TradeClosed

SIDES = pytest.mark.parametrize("action", ["long", "short"])


def sign_of(action: str) -> int:
    return 1 if action == "long" else -1


async def closed(s: Session, trades: int = 1) -> list[TradeClosed]:
    """Wait for so many closed trades."""
    await until(lambda: len(s.engine.trades()) == trades, within_s=15)
    return s.engine.trades()


async def nothing_is_left(s: Session) -> None:
    """Flat on both sides, no order of ours at the venue, and the checker content."""
    await until(lambda: not s.resting())
    assert not any(position.quantity for position in s.venue.exchange.account.positions.values())
    assert all(view.position.flat and view.phase == "NO_POSITION" for view in await s.engine.positions())
    report = await s.judged()
    assert report.ok, report.to_json()


@SIDES
async def test_E8_the_first_target_closes_half_and_the_second_the_rest(tmp_path: Path, action: str) -> None:  # noqa: N802
    async with session(tmp_path) as s:
        before = s.wallet
        await s.open("e8", action=action, notional="1030")
        assert abs(s.held()) == Decimal("0.017"), "1030 USDT at 60,000 rounded down to the step"
        assert s.algo("capi_tp1_e8").request.lots == 8, "half of 0.017, rounded down to the step"
        assert s.algo("capi_tp2_e8").request.lots == 9, "the remainder"

        s.move(f"{Decimal('0.25') * sign_of(action)}")
        await until(lambda: "capi_slt_e8" in s.resting())
        entry = (await s.order("capi_entry_e8")).average_price
        assert abs(s.held()) == Decimal("0.009")
        assert entry is not None
        assert (s.algo("capi_slt_e8").trigger_price - entry) * sign_of(action) >= 0, "at the entry or better"
        assert "capi_sl_e8" in s.resting(), "the base stop stays beside it"

        s.move(f"{Decimal('0.3') * sign_of(action)}")
        [trade] = await closed(s)
        assert trade.outcome == "tp2"
        assert trade.quantity == Decimal("0.017")
        assert trade.pnl == s.wallet - before, "exactly what the wallet gained"
        assert trade.commission == sum(Decimal(fill["commission"]) for fill in s.fills())
        await nothing_is_left(s)


@SIDES
async def test_a_decision_is_stopped_out(tmp_path: Path, action: str) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        await s.open("out", action=action)
        s.move(f"{Decimal('-0.8') * sign_of(action)}")
        [trade] = await closed(s)
        assert trade.outcome == "stopped"
        assert trade.pnl == s.wallet - before < 0
        assert s.placed("exit") == [], "the venue's stop closed it, not the engine"
        await nothing_is_left(s)


async def test_back_at_the_entry_after_the_first_target_costs_no_more_than_the_fees_and_a_slip(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("even")
        start = s.mark()
        s.move("0.25")
        await until(lambda: "capi_slt_even" in s.resting())
        s.venue.steer(BTC, start * Decimal("0.999"), 0.3)
        [trade] = await closed(s)
        assert trade.outcome == "break_even"
        assert trade.pnl > -trade.commission
        await nothing_is_left(s)


async def test_a_flat_decision_closes_the_position_at_market(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        await s.open("held")
        await s.feed("enough", action="flat")
        [trade] = await closed(s)
        assert trade.outcome == "exit"
        assert trade.pnl == s.wallet - before
        assert len(s.placed("exit")) == 1
        assert s.requests("exit")[0]["params"]["reduceOnly"] == "true"
        await nothing_is_left(s)


async def test_a_flat_decision_withdraws_an_entry_that_rests(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("early")
        await until(lambda: s.resting("entry"))
        await s.feed("never", action="flat")
        await s.idle()
        assert s.fills() == []
        [ended] = s.records(PlanEnded)
        assert (ended.entered, ended.reason) == (False, "decision never is flat")
        await nothing_is_left(s)


@SIDES
async def test_an_opposite_decision_turns_the_position(tmp_path: Path, action: str) -> None:
    opposite = "short" if action == "long" else "long"
    async with session(tmp_path) as s:
        await s.open("first", action=action)
        await s.feed("second", action=opposite)
        await until(lambda: s.held() * sign_of(opposite) > 0)
        await s.protected("second")
        assert [trade.key for trade in s.engine.trades()] == ["first"]
        entry = next(request for request in s.requests("entry") if request["client_id"] == "capi_entry_second")
        closing = [fill for fill in s.fills() if fill["client_id"] == "capi_exit_first"]
        assert closing[-1]["n"] < entry["n"], "first flat, then the other side"
        assert closing[-1]["position"] == "0"

        await s.feed("done", action="flat")
        await closed(s, 2)
        await nothing_is_left(s)


async def test_a_decision_for_the_side_that_is_held_keeps_the_position(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("held")
        await s.feed("again")
        await until(lambda: s.records(PlanEnded))
        assert s.placed("entry") == ["capi_entry_held"]
        [ended] = s.records(PlanEnded)
        assert (ended.key, ended.entered) == ("again", False)
        await s.feed("done", action="flat")
        await closed(s)
        await nothing_is_left(s)


async def test_a_newer_decision_replaces_an_entry_that_rests(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("older")
        await until(lambda: s.resting("entry") == ["capi_entry_older"])
        await s.feed_resting("newer")
        await until(lambda: s.resting("entry") == ["capi_entry_newer"])
        cancelled = next(line for line in s.log if line["kind"] == "order" and line["status"] == "CANCELED")
        placed = s.requests("entry")[1]
        assert cancelled["n"] < placed["n"], "cancelled and confirmed before the successor leaves"
        await s.feed("done", action="flat")
        await s.idle()
        await nothing_is_left(s)


async def test_E7_flat_mode_cancels_the_remainder_and_protection_fits_what_filled(tmp_path: Path) -> None:  # noqa: N802
    async with session(tmp_path) as s:
        before = s.wallet
        await s.feed_resting("part", notional="2400")
        await until(lambda: s.resting("entry"))
        filled = s.fill_entry("0.3")
        assert filled == Decimal("0.012"), "30 % of 0.040"
        with pytest.raises(ValueError, match="malformed"):
            await s.engine.submit_decision(b'{"symbol": "BTCUSDT", "timestamp_iso"')
        with pytest.raises(ValueError, match="wrong side"):
            await s.feed("broken", sl=str(s.mark() * 2))
        await until(lambda: not s.resting("entry"))
        await s.protected("part")
        assert s.algo("capi_tp1_part").request.lots == 6
        assert s.algo("capi_tp2_part").request.lots == 6
        assert s.algo("capi_sl_part").request.close_position
        assert s.placed("entry") == ["capi_entry_part"], "no duplicate"

        s.venue.steer(BTC, s.mark() * Decimal("1.014"), 0.3)
        [trade] = await closed(s)
        assert trade.quantity == filled
        assert trade.pnl == s.wallet - before
        await nothing_is_left(s)


async def test_targets_grow_with_the_entrys_fills(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.feed_resting("grow", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fill_entry("0.3")
        await s.protected("grow")
        assert s.algo("capi_tp2_grow").request.lots == 6
        s.fill_entry("1")
        await until(lambda: {"capi_tp1_grow_a2", "capi_tp2_grow_a2"} <= set(s.resting()))
        assert s.held() == Decimal("0.040")
        assert s.algo("capi_tp1_grow_a2").request.lots == s.algo("capi_tp2_grow_a2").request.lots == 20
        assert len(s.resting("sl")) == 1, "one base stop closes whatever is open"
        await s.feed("done", action="flat")
        await closed(s)
        await nothing_is_left(s)


async def test_an_entry_that_fills_in_parts_is_one_trade(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        s.fault("partial_fills", parts=4, gap_ms=30, role="entry")
        await s.feed("parts", notional="2400")
        await until(lambda: s.held() == Decimal("0.039"))
        await s.protected("parts")
        s.move("0.8")
        [trade] = await closed(s)
        assert trade.fills >= 6
        assert abs(trade.pnl - (s.wallet - before)) <= Decimal("1E-8"), "the venue rounds each fill's result"
        await nothing_is_left(s)


async def test_symbols_trade_side_by_side(tmp_path: Path) -> None:
    async with session(tmp_path, symbols=[BTC, ETH]) as s:
        before = s.wallet
        await asyncio.gather(s.open("one", BTC), s.open("two", ETH, action="short"))
        s.move("0.6", BTC)
        s.move("0.9", ETH)
        trades = await closed(s, 2)
        assert {trade.symbol: trade.outcome for trade in trades} == {BTC: "tp2", ETH: "stopped"}
        assert sum(trade.pnl for trade in trades) == s.wallet - before
        await nothing_is_left(s)


async def test_many_trades_one_after_another_add_up_to_the_wallet(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = s.wallet
        for number, (action, move) in enumerate(
            [("long", "0.6"), ("short", "0.8"), ("long", "-0.9"), ("short", "-0.6")]
        ):
            await s.open(f"n{number}", action=action)
            s.move(move)
            await closed(s, number + 1)
            await s.idle()
        trades = s.engine.trades()
        assert [trade.outcome for trade in trades] == ["tp2", "stopped", "stopped", "tp2"]
        assert sum(trade.pnl for trade in trades) == s.wallet - before
        await nothing_is_left(s)


async def test_a_target_that_the_price_has_passed_is_taken_at_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        mark = s.mark()
        zone = resting_zone(mark) | {"tp1": str(mark * Decimal("0.9985")), "tp2": str(mark * Decimal("1.01"))}
        await s.engine.submit_decision(decision(BTC, mark, key="past", **zone))
        await until(lambda: s.resting("entry"))
        s.fill_entry("1")
        await until_async(lambda: _filled(s, "capi_tp1_past_a2"))
        assert "capi_tp2_past" in s.resting()
        await s.feed("done", action="flat")
        await closed(s)
        await nothing_is_left(s)


async def _filled(s: Session, client_id: str) -> bool:
    return any(order.client_id == client_id and order.filled for order in await s.engine.orders())

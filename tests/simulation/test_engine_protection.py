"""A position has a stop, or is closed: what the engine does when the venue refuses, loses or forgets protection."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_session import BTC, Session, resting_zone, session, side_by_side, until
from loopback import Client

from execactor.domain.account import EngineState
from execactor.domain.messages.account import AlertLevel
from execactor.domain.order import OrderState
from execactor.simulator import DEFAULT_SYMBOLS, Quirks
from execactor.simulator.signing import Keyring
from execactor.store.records import Reconciled


def seconds_between(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Time on the venue's clock."""
    return (second["t"] - first["t"]) / 1e9


async def flat_by_exit(s: Session, within_s: float = 10) -> dict[str, Any]:
    """Wait until the engine has closed the position at market; returns the fill that did it."""
    await until(lambda: s.held() == 0 and s.fills(), within_s=within_s)
    await s.idle()
    await until(lambda: not s.resting())
    assert s.engine.trades()[-1].outcome == "exit"
    last = s.fills()[-1]
    assert last["client_id"].startswith("capi_exit_")
    report = await s.judged()
    assert report.mismatches == (), report.to_json()
    assert report.duplicates == 0
    return last


async def test_a_stop_that_certainly_failed_is_placed_anew_at_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("http_503_failed", 2, kind="stop")
        await s.open("again")
        assert s.placed("sl") == ["capi_sl_again", "capi_sl_again_a2", "capi_sl_again_a3"]
        first, second, third = s.requests("sl")
        assert seconds_between(first, second) < 0.5
        assert seconds_between(second, third) < 0.8
        assert s.engine.state is EngineState.RUNNING
        report = await s.judged()
        assert report.ok, report.to_json()


async def test_a_stop_that_is_refused_again_and_again_means_a_market_exit_and_safe_mode(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", 100, kind="stop", code=-1102, msg="Mandatory parameter malformed.")
        await s.feed("naked")
        closing = await flat_by_exit(s)
        opening = s.fills()[0]
        assert 2.0 <= seconds_between(opening, closing) < 2.6, "the deadline for a stop is 2 s"
        assert len(s.placed("sl")) >= 3
        assert s.engine.state is EngineState.SAFE_MODE
        await s.alerted("PROTECTIVE_EXIT")
        [alert] = s.alerts("PROTECTIVE_EXIT")
        assert alert.level is AlertLevel.CRITICAL
        assert "no stop was acknowledged within 2 s" in alert.text
        await s.feed("more")
        await s.view()
        assert s.placed("entry") == ["capi_entry_naked"], "SAFE MODE takes no new risk"


async def test_a_stop_beyond_the_price_means_an_exit_at_once(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", kind="stop", code=-2021, msg="Order would immediately trigger.")
        await s.feed("gap")
        closing = await flat_by_exit(s)
        assert seconds_between(s.fills()[0], closing) < 0.5
        assert s.placed("sl") == ["capi_sl_gap"]
        assert "beyond the stop" in (await s.alerted("PROTECTIVE_EXIT")).text
        assert s.engine.state is EngineState.RUNNING


async def test_an_entry_that_fills_in_a_fall_through_its_stop_ends_flat(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        zone = resting_zone(s.mark())
        await s.feed("fall", **zone | {"sl": str(s.mark() * Decimal("0.997"))})
        await until(lambda: s.resting("entry"))
        s.move("-3", seconds=0.05)
        await until(s.engine.trades)
        await s.idle()
        assert s.held() == 0
        assert s.engine.trades()[0].outcome in ("exit", "stopped")
        report = await s.judged()
        assert report.ok, report.to_json()


async def test_a_venue_that_says_a_stop_exists_is_believed_and_compared_with(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", kind="stop", code=-4130, msg="An open stop with closePosition exists.")
        await s.feed("exists")
        await until(lambda: any("a stop exists already" in record.reason for record in s.records(Reconciled)))
        assert await s.alerted("MISSING_STOP"), "the listing does not show it"
        assert s.held() > 0
        await until(lambda: s.resting("sl") == ["capi_sl_exists_a2"])
        s.move("-0.8")
        await until(lambda: s.held() == 0)


async def test_without_a_verified_stop_the_engine_itself_watches_the_mark_price(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", 20, kind="stop", code=-4130, msg="An open stop with closePosition exists.")
        await s.feed("watch")
        await until(lambda: bool(s.placed("sl")))
        s.move("-0.8")
        closing = await flat_by_exit(s, within_s=8)
        assert closing["client_id"].startswith("capi_exit_watch")


async def test_a_full_position_stop_of_another_hand_counts_as_protection_and_means_safe_mode(tmp_path: Path) -> None:
    async with session(tmp_path) as s, Client.of(s.venue) as client:
        await s.feed_resting("other", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fault("http_503_failed", 3, kind="stop", role="sl")
        s.fill_entry("0.5")
        status, body, _ = await client.call(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol=BTC,
            side="SELL",
            type="STOP_MARKET",
            triggerPrice="58000.0",
            closePosition="true",
            workingType="MARK_PRICE",
            clientAlgoId="web_stop",
        )
        assert status == 200, body
        await s.state(EngineState.SAFE_MODE)
        await until(lambda: any("a stop exists already" in record.reason for record in s.records(Reconciled)))
        assert "web_stop" in s.resting(), "never touched"
        assert s.held() > 0
        assert not s.alerts("PROTECTIVE_EXIT")


async def test_an_exit_that_the_venue_refuses_as_reduce_only_is_tried_again_after_a_comparison(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("ro")
        s.fault("reject_next", kind="exit", code=-2022, msg="ReduceOnly Order is rejected.")
        await s.feed("flat", action="flat")
        await flat_by_exit(s)
        assert s.placed("exit") == ["capi_exit_ro", "capi_exit_ro_a2"]
        await until(lambda: any("the position may be gone" in record.reason for record in s.records(Reconciled)))


async def test_an_exit_after_another_hand_closed_the_position_ends_the_trade(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("gone")
        s.other_hand("SELL", "0.016")
        await s.feed("flat", action="flat")
        await s.idle()
        await until(lambda: not s.resting())
        assert s.held() == 0
        assert s.engine.trades()[0].outcome == "external"


async def test_a_thin_book_is_left_by_limit_orders(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("thin")
        s.fault(
            "reject_next", kind="exit", code=-4131, msg="The counterparty's best price does not meet PERCENT_PRICE."
        )
        await s.feed("flat", action="flat")
        await flat_by_exit(s)
        first, second = (request["params"] for request in s.requests("exit"))
        assert first["type"] == "MARKET"
        assert (second["type"], second["timeInForce"], second["reduceOnly"]) == ("LIMIT", "IOC", "true")
        assert Decimal(second["price"]) < s.mark()


async def test_a_large_position_is_left_in_chunks(tmp_path: Path) -> None:
    small = tuple(msgspec.structs.replace(each, market_max_quantity=Decimal("0.009")) for each in DEFAULT_SYMBOLS[:1])
    async with session(tmp_path, market={"symbols": small}) as s:
        await s.open("big")
        await s.feed("flat", action="flat")
        await flat_by_exit(s)
        assert [Decimal(request["params"]["quantity"]) for request in s.requests("exit")] == [
            Decimal("0.009"),
            Decimal("0.007"),
        ]


async def test_a_stop_that_is_acknowledged_and_never_seen_gets_a_second_one(tmp_path: Path) -> None:
    async with session(tmp_path, protection={"verify_ms": 300}) as s:
        s.fault("algo_ack_lost", role="sl")
        await s.feed("ghost")
        await until(lambda: s.resting("sl") == ["capi_sl_ghost_a2"])
        first, second = s.requests("sl")
        assert 0.3 <= seconds_between(first, second) < 1.2
        assert await s.alerted("STOP_UNVERIFIED")
        assert s.engine.state is EngineState.RUNNING
        await s.still()
        s.move("-2")
        await until(lambda: s.held() == 0)
        assert s.fills()[-1]["client_id"] == "capi_sl_ghost_a2"


async def test_a_price_beyond_a_stop_that_was_never_seen_means_an_exit_by_the_engine(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.fault("algo_ack_lost", role="sl")
        await s.feed("ghost")
        await until(lambda: len(s.resting()) == 2)
        s.move("-0.8")
        await until(lambda: s.held() == 0, within_s=4)
        assert s.fills()[-1]["client_id"] == "capi_exit_ghost"
        assert "no verified stop" in (await s.alerted("PROTECTIVE_EXIT")).text


async def test_an_order_that_hangs_while_triggering_is_overtaken_by_an_exit(tmp_path: Path) -> None:
    async def hangs(role: str, move: str, directory: Path) -> None:
        async with session(directory) as s:
            await s.open("stuck")
            s.fault("algo_stuck_triggering", role=role)
            s.move(move)
            await until(lambda: s.held() == 0, within_s=6)
            assert s.fills()[-1]["client_id"] == "capi_exit_stuck"
            assert s.placed("sl") == ["capi_sl_stuck"]
            if role == "sl":
                await s.alerted("PROTECTIVE_EXIT")
            else:
                assert s.alerts("PROTECTIVE_EXIT") == []

    await side_by_side(tmp_path, {"stop": partial(hangs, "sl", "-0.8"), "target": partial(hangs, "tp1", "0.2")})


async def test_closing_orders_that_expire_with_the_position_are_no_surprise(tmp_path: Path) -> None:
    async with session(tmp_path, market={"quirks": Quirks(close_position_expires_when_flat=True)}) as s:
        await s.open("gte")
        s.move("0.8")
        await s.idle()
        await until(lambda: not s.resting())
        assert s.engine.trades()[0].outcome == "tp2"
        assert s.alerts() == []
        assert s.engine.state is EngineState.RUNNING


@pytest.mark.parametrize("kind", ["entry", "stop"])
async def test_a_venue_that_refuses_the_account_means_safe_mode(tmp_path: Path, kind: str) -> None:
    async with session(tmp_path) as s:
        s.fault("reject_next", kind=kind, code=-2015, msg="Invalid API-key, IP, or permissions.", status=401)
        await s.feed("key")
        await s.state(EngineState.SAFE_MODE)
        assert "-2015" in (await s.alerted("ENGINE_SAFE_MODE")).text
        if kind == "stop":
            await until(lambda: s.resting("sl") == ["capi_sl_key_a2"])
        else:
            await s.idle()
            assert s.placed("entry") == ["capi_entry_key"]


async def test_a_key_that_was_revoked_is_noticed_by_a_comparison(tmp_path: Path) -> None:
    async with session(tmp_path, reconcile={"interval_s": 1}) as s:
        keyring = s.venue.venue.keyring
        s.venue.venue.keyring = Keyring("another key", "another secret")
        await s.state(EngineState.SAFE_MODE)
        assert "-2015" in (await s.alerted("ENGINE_SAFE_MODE")).text
        s.venue.venue.keyring = keyring
        before = len(s.records(Reconciled))
        await until(lambda: len(s.records(Reconciled)) > before)
        assert s.engine.state is EngineState.SAFE_MODE, "a person resumes"
        assert await s.resume("key restored") is None
        await s.state(EngineState.RUNNING)


async def test_targets_are_placed_again_when_the_venue_refuses_them_for_a_while(tmp_path: Path) -> None:
    async def refused(code: int, directory: Path) -> None:
        async with session(directory) as s:
            s.fault("reject_next", 3, kind="take_profit", code=code, msg="refused")
            await s.open("tp")
            s.move("0.8")
            await s.idle()
            assert s.engine.trades()[0].outcome == "tp2"
            assert s.engine.state is EngineState.RUNNING
            report = await s.judged()
            assert report.ok, report.to_json()

    await side_by_side(tmp_path, {str(code): partial(refused, code) for code in (-1001, -1008, -2022, -4118)})


async def test_a_tightened_stop_that_is_refused_leaves_the_base_stop_and_is_tried_again(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("slt")
        s.fault("reject_next", 2, kind="stop", role="slt", code=-1008, msg="overloaded")
        s.move("0.25")
        await until(lambda: s.resting("slt") == ["capi_slt_slt_a3"])
        assert s.resting("sl") == ["capi_sl_slt"]
        states = {order.client_id: order.state for order in await s.engine.orders()}
        assert states["capi_slt_slt"] is states["capi_slt_slt_a2"] is OrderState.REJECTED


async def test_the_price_back_at_the_entry_before_the_stop_could_be_tightened_means_an_exit(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("back")
        s.fault("reject_next", kind="stop", role="slt", code=-2021, msg="Order would immediately trigger.")
        s.move("0.25")
        await flat_by_exit(s)

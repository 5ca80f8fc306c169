"""Decisions on their way in: once each, from files and from callers, and those that cannot be followed."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, Session, engine_on, resting_zone, session, until, venue_of
from scenario import decision

from execactor.domain.account import EngineState
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused


def write(path: Path, body: bytes) -> None:
    """Put a file in place as a decider should: whole, by a rename."""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(body)
    partial.replace(path)


def from_files(directory: Path) -> dict[str, Any]:
    (directory / "decisions").mkdir(exist_ok=True)
    return {"symbols": [BTC, ETH], "decisions": {"path": str(directory / "decisions"), "poll_ms": 10}}


async def feed_many(s: Session, body: bytes, times: int) -> None:
    for _ in range(times):
        await s.engine.submit_decision(body)
    await s.view()  # behind the last of them in the actor's mailbox


async def test_E1_a_decision_fed_a_thousand_times_enters_once(tmp_path: Path) -> None:  # noqa: N802
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path) as s:
            body = decision(BTC, s.mark(), key="once", **resting_zone(s.mark()))
            await feed_many(s, body, 200)
            await until(lambda: s.resting("entry"))
            await feed_many(s, body, 200)
            s.fill_entry("0.5")
            await feed_many(s, body, 200)
            s.fill_entry("1")
            await s.protected("once")
            await feed_many(s, body, 200)
            s.move("-1.5")
            await s.idle()
            await feed_many(s, body, 100)
            assert s.engine.trades()[0].outcome == "stopped"
        async with engine_on(venue, tmp_path) as s:
            await feed_many(s, body, 100)
            assert s.placed("entry") == ["capi_entry_once"]
            assert len(s.records(PlanAccepted)) == 1
            report = await s.judged()
            assert report.ok, report.to_json()
            assert report.duplicates == 0


async def test_E1_a_decision_file_written_a_thousand_times_enters_once(tmp_path: Path) -> None:  # noqa: N802
    async with session(tmp_path, symbols=[BTC], decisions={"path": str(tmp_path / "d.json"), "poll_ms": 1}) as s:
        body = decision(BTC, s.mark(), key="file")
        for number in range(1000):
            write(tmp_path / "d.json", body + b" " * (number % 7))
            await asyncio.sleep(0)
        await s.protected("file")
        write(tmp_path / "d.json", body + b"\n")
        await until(lambda: s.venue.exchange.conditional.algos.open_count() == 3)
        assert s.placed("entry") == ["capi_entry_file"]
        assert s.alerts() == []


async def test_a_decision_id_with_another_body_is_refused_and_the_first_one_stands(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        await s.open("same")
        await s.feed("same", notional="5000")
        alert = await s.alerted("DECISION_CONFLICT")
        assert "same came again with another content" in alert.text
        assert s.placed("entry") == ["capi_entry_same"]
        assert s.held() == Decimal("0.016")


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _older(body: bytes) -> bytes:
    old = datetime.now(UTC) - timedelta(seconds=601)
    return json.dumps(json.loads(body) | {"timestamp_iso": old.isoformat()}).encode()


def _without(name: str, body: bytes) -> bytes:
    return json.dumps({key: value for key, value in json.loads(body).items() if key != name}).encode()


def _with(body: bytes, **changes: Any) -> bytes:
    return json.dumps(json.loads(body) | changes).encode()


@pytest.mark.parametrize(
    ("spoil", "reason", "names_symbol"),
    [
        pytest.param(lambda body: b"{not json", "malformed", False, id="malformed"),
        pytest.param(lambda body: b"", "malformed", False, id="empty"),
        pytest.param(_half, "malformed", False, id="half-written"),
        pytest.param(_older, "stale decision: 601 s old, 600 s is the most", True, id="stale by a second"),
        pytest.param(lambda body: _without("sl", body), "`sl`", True, id="a field is missing"),
        pytest.param(lambda body: _with(body, sl="NaN"), "sl is NaN", True, id="not a number"),
        pytest.param(lambda body: _with(body, sl="90000"), "wrong side", True, id="the stop on the wrong side"),
        pytest.param(lambda body: _with(body, risk_checks={"session_ok": False}), "session_ok", True, id="risk checks"),
    ],
)
async def test_E5_a_file_that_cannot_be_followed_means_flat_mode(  # noqa: N802
    tmp_path: Path, spoil: Any, reason: str, names_symbol: bool
) -> None:
    async with session(tmp_path, **from_files(tmp_path)) as s:
        write(tmp_path / "decisions" / "eth.json", decision(ETH, s.mark(ETH), key="held"))
        write(tmp_path / "decisions" / "btc.json", decision(BTC, s.mark(), key="rest", **resting_zone(s.mark())))
        await s.protected("held")
        await until(lambda: s.resting("entry"))
        kept = set(s.resting("sl") + s.resting("tp1") + s.resting("tp2"))

        write(tmp_path / "decisions" / "btc.json", spoil(decision(BTC, s.mark(), key="broken")))
        alert = await s.alerted("DECISION_UNUSABLE")
        assert reason in alert.text
        assert alert.text.startswith("btc.json: ")
        await until(lambda: not s.resting("entry"))
        await s.idle()
        assert set(s.resting()) == kept, "stop and targets stay"
        assert s.held(ETH) > 0
        assert s.engine.state is EngineState.RUNNING
        ended = s.records(PlanEnded)
        assert [(each.key, each.entered) for each in ended] == [("rest", False)]
        assert reason in ended[0].reason

        await s.feed("next")
        await s.protected("next")


async def test_a_broken_file_that_names_no_symbol_concerns_every_symbol(tmp_path: Path) -> None:
    async with session(tmp_path, **from_files(tmp_path)) as s:
        await s.feed_resting("one", BTC)
        await s.feed_resting("two", ETH)
        await until(lambda: len(s.resting("entry")) == 2)
        write(tmp_path / "decisions" / "any.json", b"{")
        await until(lambda: not s.resting("entry"))


async def test_a_broken_file_that_names_a_symbol_leaves_the_others_alone(tmp_path: Path) -> None:
    async with session(tmp_path, **from_files(tmp_path)) as s:
        await s.feed_resting("one", BTC)
        await s.feed_resting("two", ETH)
        await until(lambda: len(s.resting("entry")) == 2)
        write(tmp_path / "decisions" / "eth.json", b'{"symbol": "ETHUSDT"}')
        await until(lambda: s.resting("entry") == ["capi_entry_one"])


async def test_an_entry_that_grows_stale_is_withdrawn_and_what_filled_stays_protected(tmp_path: Path) -> None:
    async with session(tmp_path, decisions={"max_age_s": 1}) as s:
        expired: list[PlanEnded] = []
        s.engine.on_timeout(expired.append)
        await s.feed_resting("slow", notional="2400")
        await until(lambda: s.resting("entry"))
        s.fill_entry("0.5")
        await until(lambda: not s.resting("entry"), within_s=5)
        await s.protected("slow")
        assert expired == [], "it did enter"
        await s.feed("done", action="flat")
        await s.idle()

        await s.feed_resting("late")
        await until(lambda: expired, within_s=5)
        assert (expired[0].key, expired[0].entered) == ("late", False)
        assert not s.resting()


async def test_a_decision_older_than_the_journal_is_refused(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        before = datetime.now(UTC) - timedelta(seconds=300)
        await s.feed("before", timestamp_iso=before.isoformat())
        await until(lambda: s.records(PlanRefused))
        assert "older than the journal" in s.records(PlanRefused)[0].reason
        assert s.placed() == []


@pytest.mark.parametrize(
    ("symbol", "changes", "reason"),
    [
        pytest.param(BTC, {"leverage": "6"}, "leverage 6 is above the limit 5", id="leverage above the limit"),
        pytest.param(ETH, {"position_size_usdt": "4"}, "notional", id="below the venue's smallest order"),
        pytest.param(BTC, {"position_size_usdt": "30"}, "quantity 0.000 is below", id="less than one step"),
    ],
)
async def test_a_decision_that_may_not_enter_is_refused_with_the_reason(
    tmp_path: Path, symbol: str, changes: dict[str, str], reason: str
) -> None:
    async with session(tmp_path, symbols=[BTC, ETH]) as s:
        await s.feed("no", symbol, **changes)
        alert = await s.alerted("PLAN_REFUSED")
        assert reason in alert.text
        assert [refused.key for refused in s.records(PlanRefused)] == ["no"]
        assert s.placed() == []


async def test_a_decision_for_a_symbol_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    async with session(tmp_path, decisions={"path": str(tmp_path / "d.json"), "poll_ms": 10}) as s:
        with pytest.raises(ValueError, match="ETHUSDT is not among the configured symbols"):
            await s.engine.submit_decision(decision(ETH, s.mark(ETH), key="other"))
        write(tmp_path / "d.json", decision(ETH, s.mark(ETH), key="other"))
        alert = await s.alerted("DECISION_UNUSABLE")
        assert "ETHUSDT, which is not among the configured symbols" in alert.text


async def test_the_newest_of_two_decisions_that_wait_enters(tmp_path: Path) -> None:
    async with session(tmp_path) as s:
        s.venue.venue.private.disconnect("away")
        await s.state(EngineState.PAUSED, EngineState.RECONCILING)
        await s.feed("older")
        await s.feed("newest", action="short")
        await s.protected("newest")
        assert s.placed("entry") == ["capi_entry_newest"]


async def test_sizing_by_risk_caps_the_decisions_size(tmp_path: Path) -> None:
    async with session(tmp_path, risk={"risk_per_trade_fraction": Decimal("0.00005")}) as s:
        await s.open("sized", notional="9000")
        entry = s.requests("entry")[0]["params"]
        # 5 USDT of risk over a stop 0.56 % away: about 890 USDT.
        assert Decimal("0.013") <= Decimal(entry["quantity"]) <= Decimal("0.015")

"""The embedding API: making, starting and stopping an engine."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, Session, engine_on, session, settings_of, until, venue_of
from scenario import CREDENTIALS, decision

from execactor import config
from execactor.domain.account import EngineState
from execactor.domain.errors import ConfigurationError, ExecactorError, VenueFatal
from execactor.engine import Engine


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

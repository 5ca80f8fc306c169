"""`execactor demo`, as people run it: the figures that it must show, and no process that outlives it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import eventually, execactor, naming

from execactor.service.demo.children import Child, ChildFailed

CAPTURE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "binance_usdm" / "btcusdt_20240808.gz"


def verdict_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(verdict, dict)
    return verdict


def test_on_a_generated_market_three_decisions_end_as_they_should(tmp_path: Path) -> None:
    log = tmp_path / "kept" / "venue.jsonl"
    done = execactor("demo", "--json", "--seed", "7", "--venue-log", str(log), TMPDIR=str(tmp_path))
    verdict = verdict_of(done)
    assert {(trade["symbol"], trade["outcome"]) for trade in verdict["trades"]} == {
        ("BTCUSDT", "tp2"),
        ("ETHUSDT", "stopped"),
        ("SOLUSDT", "tp2"),
    }
    assert all(float(trade["pnl"]) for trade in verdict["trades"])
    assert (verdict["ok"], verdict["duplicates"], verdict["mismatches"], verdict["violations"]) == (True, 0, [], [])
    assert verdict["max_unprotected_ms"] <= 2_000
    assert verdict["kills"] == 1
    assert verdict["seconds"] < 60
    for leg in ("decision_to_wire", "wire_to_ack"):
        assert 0 < verdict["latency_us"][leg]["p50"] <= verdict["latency_us"][leg]["p99"]
    assert len(done.stdout.splitlines()) == 1
    for told in (
        "kill -9",
        "is RUNNING",
        "capi_sl_demo2 triggered",
        "demo3 closed: tp2",
        "longest without a confirmed",
    ):
        assert told in done.stderr
    kinds = [json.loads(line) for line in log.read_text().splitlines()]
    assert kinds[-1]["kind"] == "end"
    notes = [line["text"] for line in kinds if line["kind"] == "note"]
    assert notes[:2] == ["engine started", "engine ready"]
    assert notes[-4:] == ["engine killed", "engine started", "engine ready", "final"]
    assert notes.count("decision fed") == 3
    assert naming(tmp_path) == []
    assert [left.name for left in tmp_path.iterdir()] == ["kept"]


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"{CAPTURE} is absent: it is not part of the repository")
def test_on_a_recorded_market_whole_trades_happen(tmp_path: Path) -> None:
    verdict = verdict_of(execactor("demo", "--json", "--replay", str(CAPTURE), TMPDIR=str(tmp_path), timeout_s=90))
    assert len(verdict["trades"]) >= 1
    assert {trade["symbol"] for trade in verdict["trades"]} == {"BTCUSDT"}
    assert (verdict["ok"], verdict["duplicates"], verdict["mismatches"], verdict["violations"]) == (True, 0, [], [])
    assert verdict["seconds"] < 60
    assert naming(tmp_path) == []


def begun(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A demo whose two children run."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "execactor", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert eventually(lambda: len(naming(tmp_path)) == 2)
    return demo


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process_and_no_file(number: signal.Signals, tmp_path: Path) -> None:
    with begun(tmp_path) as demo:
        demo.send_signal(number)
        assert demo.wait(30) == 130
    assert naming(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_killed_it_takes_its_children_with_it(tmp_path: Path) -> None:
    with begun(tmp_path) as demo:
        demo.kill()
        demo.wait()
    assert eventually(lambda: naming(tmp_path) == [], within_s=15)


def test_a_demo_that_fails_exits_1_and_shows_why(tmp_path: Path) -> None:
    too_deep = tmp_path / ("x" * 120)
    too_deep.mkdir()
    done = execactor("demo", "--json", TMPDIR=str(too_deep))
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1]) == {"ok": False, "error": "the engine ended by itself"}
    assert "--- last lines of engine.out" in done.stderr
    assert "choose a shorter directory" in done.stderr
    assert naming(tmp_path) == []


async def test_a_simulator_that_fails_is_quoted(tmp_path: Path) -> None:
    child = await Child.start("simulator", ["simulator", "--port", "no"], tmp_path / "simulator.out", {})
    with pytest.raises(ChildFailed, match=r"the simulator ended with exit code 2: .*'no' is not a valid integer"):
        await child.announcement(20)

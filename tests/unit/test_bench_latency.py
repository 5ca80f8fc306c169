"""The decision bench: what its gates and targets are made of, and that its processes measure something."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import latency  # noqa: E402


def run(symbols: int, wire: float, read: float, bare: float, mib: float) -> dict[str, Any]:
    heats = {
        heat: {"wire_us": {"p50": wire, "p99": 9 * wire}, "read_us": {"p50": read, "p99": 9 * read}}
        for heat in ("hot", "cold")
    }
    return {"symbols": symbols, "resident_bytes": int(mib * 2**20), "bare_us": {"p50": bare, "p99": bare}, **heats}


def test_gates_are_ratios_within_a_run_and_figures_medians(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {
        10: [run(10, 50, 80, 20, 50), run(10, 60, 90, 30, 51), run(10, 500, 800, 200, 52)],
        1_000: [run(1_000, 80, 99, 20, 75), run(1_000, 90, 99, 20, 74), run(1_000, 70, 99, 20, 76)],
    }
    monkeypatch.setattr(latency, "_probe", lambda symbols, _hot, _cold: runs[symbols].pop(0))
    figures = latency.measure(10, 1_000, repeat=3, hot=1, cold=1)
    assert [gate["measured"] for gate in figures["gates"]] == [round(80 / 60, 2), 4.0]
    assert latency.exit_code(figures) == 0
    assert figures["10"]["hot"]["wire_us"] == {"p50": 60, "p99": 540, "best_p50": 50, "best_p99": 450}
    assert figures["bytes_per_symbol"] == round(24 * 2**20 / 990)
    assert [target["holds"] for target in figures["targets"]] == [False, False, False, True, True]
    latency.show(figures)
    shown = capsys.readouterr().out
    assert "gate    holds    decision -> wire, hot: 1,000 / 10 symbols" in shown
    assert "target  missed   decision -> wire, hot, 1,000 symbols, p50 µs" in shown


def test_a_gate_that_fails_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_probe", lambda symbols, _hot, _cold: run(symbols, symbols, 90, 30, 50))
    assert latency.exit_code(latency.measure(10, 1_000, repeat=1, hot=1, cold=1)) == 1


def test_the_processes_measure_decisions_and_bare_writes() -> None:
    command = [sys.executable, str(BENCH / "decision_probe.py"), "2", "5", "2"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120).stdout)
    for heat in ("hot", "cold"):
        assert result[heat]["wire_us"]["p50"] > 0
        assert result[heat]["read_us"]["p50"] > 0
    assert result["bare_us"]["p50"] > 0
    assert result["resident_bytes"] > 2**20

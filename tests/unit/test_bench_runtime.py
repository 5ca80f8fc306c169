"""The runtime bench measures what it says, and its gates can fail. No speed is asserted here."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
KINDS = ("loop_actor", "threading_actor", "asyncio_queue", "direct")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    # The real one would leave the collector off for the tests that follow.
    contenders = importlib.import_module("runtime_contenders")
    monkeypatch.setattr(contenders, "freeze_garbage", lambda: lambda: 0)
    return importlib.import_module


def figures(**changed: Any) -> dict[str, Any]:
    """Figures that reach each gate and each target exactly."""
    return {
        "chain_us": {
            "loop_actor": {"10": {"p50": 8}, "1000": {"p50": 12}},
            "threading_actor": {"10": {"p50": 7 * 8}, "1000": {"p50": 14 * 12}},
        },
        "start_s": {"loop_actor": {"10000": 0.2}, "threading_actor": {"10000": 4.0}},
        "urgent_under_load_us": {"lanes": {"p99": 100}, "fifo": {"p99": 5_000}},
        "bytes_per_actor": {"loop_actor": {"10000": 3_072}},
    } | changed


def test_gates_and_targets_hold_at_their_bounds(bench):
    report: ModuleType = bench("runtime_report")
    assert [gate["bound"] for gate in report.gates(figures())] == [7, 14, 50, 20]
    assert all(gate["holds"] for gate in report.gates(figures()))
    assert all(target["met"] for target in report.targets(figures()))


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        pytest.param({"urgent_under_load_us": {"lanes": {"p99": 101}, "fifo": {"p99": 5_000}}}, 2, id="urgent"),
        pytest.param({"start_s": {"loop_actor": {"10000": 0.21}, "threading_actor": {"10000": 4}}}, 3, id="start"),
    ],
)
def test_a_ratio_below_its_bound_fails_the_run(bench, changed, failing):
    gates = bench("runtime_report").gates(figures(**changed))
    assert [number for number, gate in enumerate(gates) if not gate["holds"]] == [failing]
    runtime = bench("runtime")
    assert runtime.exit_code({"gates": gates}) == 1
    assert runtime.exit_code({"gates": bench("runtime_report").gates(figures())}) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_contender_takes_each_message_through(bench, kind):
    contenders = bench("runtime_contenders")
    assert tuple(contenders.KINDS) == KINDS
    with contenders.running(kind, 3, hops=5) as contender:
        taken = contender.chain(20)
        assert len(taken) == 20
        assert min(taken) > 0
    with contenders.running(kind, 3, hops=1) as contender:
        assert len(contender.ask(20)) == 20
        assert contender.tell(20) > 0


def test_medians_are_over_repetitions_and_a_start_is_the_shortest(bench):
    repetitions = [{"p": {"p50": n}, "start_s": n, "shortened": "why"} for n in (9, 2, 4)]
    assert bench("runtime")._median(repetitions) == {"p": {"p50": 4}, "start_s": 2, "shortened": "why"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({}, [], id="as it should be"),
        pytest.param({"resident_kib_per_minute": 300.0}, ["memory grows"], id="a leak"),
        pytest.param({"orders_per_s": 1_900.0}, ["orders_per_s"], id="too slow for the orders"),
        pytest.param({"waited_for_a_core_fraction": 0.3}, ["others kept"], id="a busy machine"),
        pytest.param({"lost": 1}, ["unaccounted"], id="a lost message"),
    ],
)
def test_the_soak_says_what_is_wrong(bench, changed, words):
    good = {"resident_kib_per_minute": 3.0, "orders_per_s": 2_000.0, "quotes_per_s": 50_000.0, "lost": 0}
    good["waited_for_a_core_fraction"] = 0.01
    wrong = bench("runtime_soak").verdict(good | changed)
    assert len(wrong) == len(words)
    assert all(word in line for word, line in zip(words, wrong, strict=True))

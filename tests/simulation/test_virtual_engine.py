"""The whole engine in virtual time: from the decision to the closed trade, through kills, the same in every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import virtual_trades

import execactor

SEEDS = 12
PYTHON = Path(execactor.__file__).parents[1]


def started(hash_seed: str, *options: str) -> "subprocess.Popen[str]":
    """Another process, with nothing of this one's environment: what is measured for coverage would run much longer."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PYTHON), "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, virtual_trades.__file__, "--seeds", str(SEEDS), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", range(1, 6))
def test_decisions_become_closed_trades(seed: int) -> None:
    outcome = virtual_trades.run(seed)
    assert outcome.trades == 2
    assert outcome.lives == 1
    assert outcome.report.violations == outcome.report.mismatches == ()
    assert [trade.symbol for trade in outcome.report.trades] == ["BTCUSDT", "ETHUSDT"]
    assert 300 < outcome.events < 5_000
    assert virtual_trades.run(seed) == outcome


def test_killed_at_drawn_instants_another_life_ends_the_trades() -> None:
    outcomes = [virtual_trades.run(seed, kills=True) for seed in range(1, 26)]
    for outcome in outcomes:
        assert outcome.report.violations == (), f"seed {outcome.seed}"
        assert outcome.report.counts["kills"] == outcome.lives - 1
        assert outcome.trades == len(outcome.report.trades) == 2, f"seed {outcome.seed}"
    assert {outcome.lives for outcome in outcomes} == {1, 2, 3, 4}


def test_killed_at_its_crash_points_too() -> None:
    unharmed = virtual_trades.run(1)
    assert unharmed.points > 150
    for point in range(1, unharmed.points + 1, 7):
        outcome = virtual_trades.run(1, kill_at=point)
        assert outcome.lives == 2, f"point {point}"
        assert outcome.report.violations == outcome.report.mismatches == (), f"point {point}"
        assert outcome.trades == len(outcome.report.trades) >= 1, f"point {point}"  # a decision may die with its hearer


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [("--faults", "rough", "--kills", "--outages")])
def test_faults_and_kills_are_the_same_in_two_processes(options: tuple[str, ...]) -> None:
    running = [started(hash_seed, *options) for hash_seed in ("1", "2")]
    one, other = (process.communicate()[0].splitlines() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert one == other
    assert len({line.split()[5] for line in one}) == SEEDS

"""A run is a function of seed and commit: bit for bit the same in another process, and another one for another seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import simulated_workload

import execactor

SEEDS = 1_000
PYTHON = Path(execactor.__file__).parents[1]


def started(hash_seed: str) -> "subprocess.Popen[str]":
    """Another process, with nothing of this one's environment: what is measured for coverage would run much longer."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PYTHON), "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, simulated_workload.__file__, "--seeds", str(SEEDS)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
def test_1000_seeds_are_the_same_in_two_processes_and_differ_from_each_other() -> None:
    running = [started("1"), started("2")]
    one, other = (process.communicate()[0].splitlines() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert one == other
    rows = [line.split() for line in one]
    assert [int(seed) for seed, _, _ in rows] == list(range(1, SEEDS + 1))
    assert min(int(handled) for _, handled, _ in rows) >= 500
    assert len({digest for _, _, digest in rows}) >= 990
    assert [str(part) for part in (7, *simulated_workload.run(7))] == rows[6]


def test_every_part_of_the_workload_is_reached() -> None:
    with simulated_workload.Simulation(1, kept=100_000) as simulation:
        simulation.failures.share = 0.01
        simulation.run(simulated_workload.program(simulation))
        words = " ".join(simulation.log.story()).split()
    assert {"Order", "Fill", "Quote", "Slow", "Answered", "Report", "Beat", "_ActorStop", "Terminated"} <= set(words)
    assert {"start", "restart", "failure", "timer", "InjectedFailure"} <= set(words)

"""A campaign: every seed once, whatever becomes of the processes that run them."""

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest

from execactor.simulation.campaign import Campaign
from execactor.simulation.trial import Verdict
from execactor.simulation.worker import READY, Done

CRASHES, KILLED, HANGS, HARNESS, BREAKS = 7, 11, 13, 17, 19


def verdict(seed: int) -> Verdict:
    return Verdict(
        seed=seed,
        problems=("record 3 [I2]: twice",) if seed == BREAKS else (),
        broken=("I2",) if seed == BREAKS else (),
        events=100 * seed,
        faults=seed % 4,
        struck={"reset": seed % 4},
        trades=seed % 2,
        lives=1,
        transitions=("SUBMITTED>FILLED",) if seed % 2 else (),
        legal=("SUBMITTED>FILLED", "UNKNOWN>FILLED"),
        digest=f"digest {seed}",
    )


def play(pipe: Connection, disk: Path) -> None:
    """In place of `work`: seeds that end their process, hang, or fail in the harness."""
    pipe.send_bytes(READY)
    while True:
        try:
            seeds = pipe.recv()
        except EOFError:
            return
        for seed in seeds:
            if seed == CRASHES:
                os._exit(3)
            if seed == KILLED:
                os.kill(os.getpid(), signal.SIGKILL)
            if seed == HANGS:
                time.sleep(60)
            failure = "ZeroDivisionError" if seed == HARNESS else ""
            done = Done(seed=seed, verdict=None if failure else verdict(seed), failure=failure, cpu_ns=10_000_000)
            pipe.send_bytes(msgspec.msgpack.encode(done))


def dies(pipe: Connection, disk: Path) -> None:
    os._exit(5)


def test_a_seed_that_ends_its_process_is_named_and_all_others_run() -> None:
    summary = Campaign(30, jobs=2, patience_s=1.0, target=play).run()
    assert summary.seeds == 30
    assert [(failure.seed, failure.broken, failure.problems) for failure in summary.failures] == [
        (CRASHES, ("harness",), ("ended its process with code 3",)),
        (KILLED, ("harness",), ("ended its process with code -9",)),
        (HANGS, ("harness",), ("took longer than 1 s",)),
        (HARNESS, ("harness",), ("ZeroDivisionError",)),
        (BREAKS, ("I2",), ("record 3 [I2]: twice",)),
    ]
    assert summary.violations == 5


def test_the_figures_are_of_the_seeds_that_ran() -> None:
    summary = Campaign(4, first_seed=1, jobs=2, target=play).run()
    assert (summary.events, summary.faults, summary.closed_trades, summary.traded_share) == (250, 1.5, 0.5, 0.5)
    assert summary.events_per_s == 100 * (1 + 2 + 3 + 4) / (4 * 0.01)
    assert summary.cpu_ms_per_seed == 10
    assert summary.faults_by_kind == {"reset": 1 + 2 + 3 + 0}
    assert (summary.transitions, summary.unseen) == (0.5, ("UNKNOWN>FILLED",))
    assert not summary.interrupted


def test_the_digest_does_not_depend_on_the_number_of_processes() -> None:
    alone = Campaign(40, first_seed=100, jobs=1, target=play).run()
    together = Campaign(40, first_seed=100, jobs=3, target=play).run()
    others = Campaign(40, first_seed=101, jobs=3, target=play).run()
    assert alone.digest == together.digest != others.digest


def test_it_stops_after_so_many_failures() -> None:
    summary = Campaign(10_000, jobs=1, stop_after=1, target=play).run()
    assert [failure.seed for failure in summary.failures] == [CRASHES]
    assert summary.seeds < 100


def test_ctrl_c_ends_it_with_the_figures_so_far_and_no_process_left() -> None:
    def interrupt(tally: object) -> None:
        raise KeyboardInterrupt

    campaign = Campaign(10_000, first_seed=100, jobs=2, tell=interrupt, target=play)
    summary = campaign.run()
    assert summary.interrupted
    assert summary.seeds < 10_000
    assert not any(worker.process.is_alive() for worker in campaign._workers)


def test_a_process_that_never_gets_ready_ends_the_campaign() -> None:
    with pytest.raises(RuntimeError, match="code 5 before it was ready"):
        Campaign(10, target=dies).run()

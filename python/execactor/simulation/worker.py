"""The far end of a campaign: a process that runs the seeds it is given, one after the other."""

import gc
import logging
import signal
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from execactor.simulation.draw import draw_plan
from execactor.simulation.trial import Verdict, run

SEEDS_BETWEEN_COLLECTIONS = 16


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A seed is through. verdict: None when the harness itself failed, as `failure` tells. cpu_ns: processor time."""

    seed: int
    verdict: Verdict | None
    failure: str
    cpu_ns: int


READY = b""
"""The first message: the process is up."""


def work(pipe: Connection, disk: Path) -> None:
    """Run the lists of seeds that come out of `pipe`, and answer with a `Done` for each, in order, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started the campaign decides when it ends
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.disable()
    try:
        pipe.send_bytes(READY)
        while True:
            began_ns = time.process_time_ns()
            for number, seed in enumerate(pipe.recv()):
                done = _run(seed, disk)
                if number % SEEDS_BETWEEN_COLLECTIONS == 0:
                    gc.collect()
                ended_ns = time.process_time_ns()
                pipe.send_bytes(msgspec.msgpack.encode(msgspec.structs.replace(done, cpu_ns=ended_ns - began_ns)))
                began_ns = ended_ns
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _run(seed: int, disk: Path) -> Done:
    try:
        return Done(seed=seed, verdict=run(draw_plan(seed), disk=disk), failure="", cpu_ns=0)
    except Exception:  # noqa: BLE001  a defect of the harness is told like any other, and the campaign goes on
        return Done(seed=seed, verdict=None, failure=traceback.format_exc().strip(), cpu_ns=0)

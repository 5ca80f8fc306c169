"""One measurement of the runtime bench, in a process of its own so that none disturbs the next.

`python bench/runtime_probe.py chain|nodes KIND N TIMES` or `urgent MAILBOX SECONDS` prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import logging
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import runtime_urgent
from runtime_contenders import KINDS, running
from runtime_nodes import HOPS

from execactor.runtime import freeze_garbage

SMALLEST_FOR_MEMORY = 1_000
"""Fewer nodes do not show in the resident set, which grows by pages."""


MOST_THREADS = 10_000
"""Linux allows a process 65,530 memory mappings by default, about three a thread."""


def percentiles_us(taken_ns: list[int]) -> dict[str, float]:
    """p50 and p99 in microseconds."""
    ordered = sorted(taken_ns)
    last = len(ordered) - 1
    return {f"p{percent}": round(ordered[last * percent // 100] / 1_000, 3) for percent in (50, 99)}


def resident_bytes() -> int:
    """The resident set of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def chain(kind: str, n: int, times: int) -> dict[str, Any]:
    """Five hops through one of n chains."""
    chains = min(n, MOST_THREADS // HOPS) if kind == "threading_actor" else n
    with running(kind, chains, HOPS) as contender:
        contender.chain(min(chains, times))
        result: dict[str, Any] = percentiles_us(contender.chain(times))
    if chains < n:
        result["shortened"] = f"{chains:,} chains: {n:,} need {n * HOPS:,} threads, and a process may have some 21,000"
    return result


def nodes(kind: str, n: int, times: int) -> dict[str, Any]:
    """Start, memory, ask, tell and stop of n nodes."""
    contender = KINDS[kind]()
    gc.collect()
    before = resident_bytes()
    started = time.perf_counter()
    contender.start(n, 1)
    result: dict[str, Any] = {"start_s": time.perf_counter() - started}
    if n >= SMALLEST_FOR_MEMORY:
        result["bytes_per_actor"] = round((resident_bytes() - before) / n)
    freeze_garbage()
    contender.ask(min(n, times))
    result["ask_us"] = percentiles_us(contender.ask(times))
    result["tell_per_s"] = round(contender.tell(10 * times))
    started = time.perf_counter()
    contender.stop()
    result["stop_s"] = time.perf_counter() - started
    return result


def apart(*arguments: object) -> dict[str, Any]:
    """`python bench/runtime_probe.py ARGUMENTS`, in a new process. Raises CalledProcessError when it fails."""
    command = [sys.executable, __file__, *map(str, arguments)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300).stdout)
    return result


def main(what: str, *arguments: str) -> None:
    """Measure what the command line says and print it."""
    logging.getLogger("execactor").setLevel(logging.ERROR)  # overload leaves dead letters
    if what == "urgent":
        mailbox, seconds = arguments
        taken_ns, load = runtime_urgent.measure(mailbox, float(seconds))
        print(json.dumps(percentiles_us(taken_ns) | load))
        return
    kind, n, times = arguments
    print(json.dumps({"chain": chain, "nodes": nodes}[what](kind, int(n), int(times))))


if __name__ == "__main__":
    main(*sys.argv[1:])

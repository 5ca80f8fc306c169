"""The actor runtime beside pykka's threads, asyncio queues and bare calls, in one run; gates are ratios within it.

`python bench/runtime.py [--quick] [--json]` measures each figure in a process of its own, kinds in turn, several times
over, and reports medians; of starts and stops the shortest. Exit code 1 when a gate fails.
`python -m pytest bench/runtime.py` runs the chain, ask and tell under pytest-benchmark.

chain_us.KIND.N: five hops from tell to handler, N chains of five actors alive, one message under way at a time.
tell_per_s.KIND.N, ask_us.KIND.N, bytes_per_actor.KIND.N, start_s.KIND.N, stop_s.KIND.N: N actors alive.
urgent_under_load_us.MAILBOX: an urgent message into an overloaded system (runtime_urgent.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
import runtime_report
from runtime_contenders import KINDS, running
from runtime_probe import SMALLEST_FOR_MEMORY, apart, percentiles_us
from runtime_urgent import MAILBOXES

COUNTS = (1, 10, 1_000, 10_000)
NODE_FIGURES = ("tell_per_s", "ask_us", "bytes_per_actor", "start_s", "stop_s")

Figures = dict[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """How much to measure: repetitions (of 10,000 actors and of overload), messages in each, seconds of overload."""

    repetitions: int
    large_repetitions: int
    messages: int
    threaded_messages: int
    urgent_s: float


FULL = Plan(repetitions=5, large_repetitions=3, messages=20_000, threaded_messages=2_000, urgent_s=2.0)
QUICK = Plan(repetitions=3, large_repetitions=1, messages=20_000, threaded_messages=500, urgent_s=1.0)


def measure(plan: Plan) -> Figures:
    """All figures, with their gates and targets."""
    figures: Figures = {"chain_us": {}} | {name: {} for name in NODE_FIGURES}
    for n in COUNTS:
        chains, nodes = _in_turn(plan, n)
        for kind in KINDS:
            figures["chain_us"].setdefault(kind, {})[str(n)] = _median(chains[kind])
            of_nodes = _median(nodes[kind])
            for name in NODE_FIGURES:
                if name in of_nodes:
                    figures[name].setdefault(kind, {})[str(n)] = of_nodes[name]
    figures["urgent_under_load_us"] = _urgent(plan)
    figures["skipped"] = {
        f"bytes_per_actor.*.{n}": "fewer actors than show in a resident set that grows by pages"
        for n in COUNTS
        if n < SMALLEST_FOR_MEMORY
    }
    figures["gates"] = runtime_report.gates(figures)
    figures["targets"] = runtime_report.targets(figures)
    return figures


def _in_turn(plan: Plan, n: int) -> tuple[dict[str, list[Figures]], dict[str, list[Figures]]]:
    """Chains and nodes of each kind, one after the other, again and again: all see the same weather."""
    chains: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    nodes: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    for _ in range(plan.large_repetitions if n == COUNTS[-1] else plan.repetitions):
        for kind in KINDS:
            messages = plan.threaded_messages if kind == "threading_actor" else plan.messages
            chains[kind].append(apart("chain", kind, n, messages))
            nodes[kind].append(apart("nodes", kind, n, messages))
    return chains, nodes


def _urgent(plan: Plan) -> Figures:
    runs: dict[str, list[Figures]] = {mailbox: [] for mailbox in MAILBOXES}
    for _ in range(plan.large_repetitions):
        for mailbox in MAILBOXES:
            runs[mailbox].append(apart("urgent", mailbox, plan.urgent_s))
    return {mailbox: _median(results) for mailbox, results in runs.items()}


def _median(results: Iterable[Figures]) -> Figures:
    """Each figure's median over the repetitions; a text is the same in all of them.

    Of a start or stop, which happens once in a process, the shortest: whatever disturbs it only adds.
    """
    first, *_ = results = list(results)
    median: Figures = {}
    for name, value in first.items():
        values = [result[name] for result in results]
        if isinstance(value, dict):
            median[name] = _median(values)
        elif isinstance(value, str):
            median[name] = value
        else:
            median[name] = min(values) if name in {"start_s", "stop_s"} else statistics.median(values)
    return median


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: about two minutes instead of six")
    parser.add_argument("--json", action="store_true", help="one object on one line")
    options = parser.parse_args(arguments)
    figures = measure(QUICK if options.quick else FULL)
    print(json.dumps(figures)) if options.json else runtime_report.show(figures)
    return exit_code(figures)


def exit_code(figures: Figures) -> int:
    """0 when all gates hold, else 1."""
    return 0 if all(gate["holds"] for gate in figures["gates"]) else 1


@pytest.mark.parametrize("n", [1, 10, 1_000])
@pytest.mark.parametrize("kind", KINDS)
class TestRuntime:
    """The same measurements under pytest-benchmark: one round is 200 messages."""

    MESSAGES = 200

    def test_chain(self, benchmark: Any, kind: str, n: int) -> None:
        with running(kind, n, hops=5) as contender:
            taken_ns = benchmark.pedantic(contender.chain, args=(self.MESSAGES,), rounds=20, warmup_rounds=2)
        benchmark.extra_info |= percentiles_us(taken_ns)

    def test_ask(self, benchmark: Any, kind: str, n: int) -> None:
        with running(kind, n, hops=1) as contender:
            taken_ns = benchmark.pedantic(contender.ask, args=(self.MESSAGES,), rounds=20, warmup_rounds=2)
        benchmark.extra_info |= percentiles_us(taken_ns)

    def test_tell(self, benchmark: Any, kind: str, n: int) -> None:
        with running(kind, n, hops=1) as contender:
            per_s = benchmark.pedantic(contender.tell, args=(self.MESSAGES,), rounds=20, warmup_rounds=2)
        benchmark.extra_info["per_s"] = per_s


if __name__ == "__main__":
    sys.exit(main())

"""From a decision to the venue through the whole engine, beside a bare socket write of the same length, in one run.

`python bench/latency.py [--symbols FEW MANY] [--repeat N] [--hot N] [--cold N] [--json]` lets engines of FEW and of
MANY symbols take turns, each in a process of its own (decision_probe.py), N times, and reports the median and the best
of the repetitions. Gates are ratios within the run; exit code 1 when one fails.

wire: decision received to bytes handed to the socket. read: to the moment at which another process has read them.
hot: decisions a millisecond apart. cold: the engine traded nothing for 50 ms before.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parent / "decision_probe.py"
KIB, MIB = 1 << 10, 1 << 20

Figures = dict[str, Any]


def measure(few: int, many: int, *, repeat: int, hot: int, cold: int) -> Figures:
    """All figures with their gates and targets; microseconds and bytes."""
    runs: dict[int, list[Figures]] = {few: [], many: []}
    for _ in range(repeat):
        for symbols, taken in runs.items():
            taken.append(_probe(symbols, hot, cold))
    figures: Figures = {str(symbols): _summary(taken) for symbols, taken in runs.items()}
    small, large = figures[str(few)], figures[str(many)]
    figures["bytes_per_symbol"] = round((large["resident_bytes"] - small["resident_bytes"]) / (many - few))
    figures["gates"] = [
        _at_most(f"decision -> wire, hot: {many:,} / {few:,} symbols", _ratio(large, small, "wire_us"), 1.5),
        _at_most(f"decision -> read, hot, {few:,} symbols / bare write", small["read_to_bare"], 4),
    ]
    figures["targets"] = [
        _at_most(f"decision -> wire, hot, {many:,} symbols, p50 µs", large["hot"]["wire_us"]["p50"], 60),
        _at_most(f"decision -> wire, hot, {many:,} symbols, p99 µs", large["hot"]["wire_us"]["p99"], 250),
        _at_most(f"decision -> read, hot, {many:,} symbols, p50 µs", large["hot"]["read_us"]["p50"], 90),
        _at_most("idle symbol, KiB", figures["bytes_per_symbol"] / KIB, 100),
        _at_most(f"idle engine, {few:,} symbols, MiB", small["resident_bytes"] / MIB, 100),
    ]
    return figures


def exit_code(figures: Figures) -> int:
    """1 when a gate fails."""
    return 0 if all(gate["holds"] for gate in figures["gates"]) else 1


def show(figures: Figures) -> None:
    """Print the figures for people."""
    print("decision, µs: median of the repetitions (best)         p50                  p99")
    for symbols in [name for name in figures if name.isdigit()]:
        each = figures[symbols]
        for heat in ("hot", "cold"):
            for leg in ("wire_us", "read_us"):
                name = f"{int(symbols):,} symbols, {heat}, -> {leg.removesuffix('_us')}"
                print(f"  {name:<40}" + "".join(_cell(each[heat][leg], percent) for percent in ("p50", "p99")))
        name = f"{int(symbols):,} symbols, bare write -> read"
        print(f"  {name:<40}" + "".join(_cell(each["bare_us"], percent) for percent in ("p50", "p99")))
    print()
    for kind, words in (("gates", ("FAILS", "holds")), ("targets", ("missed", "met"))):
        for each in figures[kind]:
            verdict = f"{kind[:-1]:<7} {words[each['holds']]:<8}"
            print(f"{verdict} {each['name']:<56} {each['measured']:>9,.2f}  at most {each['bound']}")


def _cell(percentiles: dict[str, float], percent: str) -> str:
    return f"{percentiles[percent]:>11.1f} {'(' + format(percentiles[f'best_{percent}'], '.1f') + ')':<9}"


def _probe(symbols: int, hot: int, cold: int) -> Figures:
    command = [sys.executable, str(PROBE), str(symbols), str(hot), str(cold)]
    result: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600).stdout)
    return result


def _summary(runs: list[Figures]) -> Figures:
    summary: Figures = {"resident_bytes": min(run["resident_bytes"] for run in runs)}
    for heat in ("hot", "cold"):
        summary[heat] = {leg: _percentiles([run[heat][leg] for run in runs]) for leg in ("wire_us", "read_us")}
    summary["bare_us"] = _percentiles([run["bare_us"] for run in runs])
    # Within each process, so that what disturbs it disturbs both.
    summary["read_to_bare"] = statistics.median(run["hot"]["read_us"]["p50"] / run["bare_us"]["p50"] for run in runs)
    return summary


def _percentiles(cells: list[dict[str, float]]) -> dict[str, float]:
    medians = {p: statistics.median(cell[p] for cell in cells) for p in ("p50", "p99")}
    return medians | {f"best_{p}": min(cell[p] for cell in cells) for p in ("p50", "p99")}


def _ratio(large: Figures, small: Figures, leg: str) -> float:
    return float(large["hot"][leg]["p50"] / small["hot"][leg]["p50"])


def _at_most(name: str, measured: float, bound: float) -> Figures:
    return {"name": name, "measured": round(measured, 2), "bound": bound, "holds": measured <= bound}


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, nargs=2, default=(10, 1_000), metavar=("FEW", "MANY"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hot", type=int, default=1_000, help="decisions a millisecond apart")
    parser.add_argument("--cold", type=int, default=100, help="decisions after 50 ms of rest")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    few, many = options.symbols
    figures = measure(few, many, repeat=options.repeat, hot=options.hot, cold=options.cold)
    print(json.dumps(figures)) if options.json else show(figures)
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())

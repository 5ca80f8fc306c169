"""The engine killed at every crash point of the canonical scenarios (crash_scenarios.py), in virtual time.

`python tests/simulation/crash_sweep.py [--scenario NAME] [--double] [--every N] [--jobs J] [--json] [--keep DIR]`

A crash point lies before and after each write of the journal and each request or frame to the venue. Each run goes on
with the next life, to its end, and is judged by the checker. --double kills a second time, at each point of the
recovery after drawn first crashes. --at 17:400,5:20 runs one: killed at its 17th point, dead for 400 ms, killed at the
fifth point since. --keep writes the plan of each failure as a file for `execactor simulate --plan`. Exit 1 when
anything is wrong.
"""

import argparse
import json
import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from crash_points import Killed, once, twice, unharmed
from crash_scenarios import SCENARIOS

from execactor.simulation.plan import Crash

SHOWN = 20


class Told(msgspec.Struct, frozen=True):
    """What came of one run."""

    killed: Killed
    problems: tuple[str, ...]
    lives: int


def play(killed: Killed) -> Told:
    """One run, in a process of the pool. A failure of the harness is a problem like any other."""
    try:
        verdict = killed.run()
    except Exception as error:
        return Told(killed, (repr(error),), 0)
    return Told(killed, verdict.problems, verdict.lives)


def points_of(name: str) -> tuple[str, int, list[str]]:
    """A scenario, its crash points, and in what it is not what it says it is."""
    verdict, problems = unharmed(name)
    return name, sum(verdict.points), problems


def kills(task: tuple[str, int, bool, int]) -> list[Killed]:
    """The runs of a scenario."""
    name, points, double, every = task
    return [*(twice if double else once)(name, points, every=every)]


def sweep(names: Iterable[str], *, double: bool, every: int, jobs: int, keep: Path | None) -> dict[str, Any]:
    """All of it; progress goes to standard error."""
    began = time.monotonic()
    failures: list[dict[str, Any]] = []
    runs: Counter[str] = Counter()
    lives: Counter[int] = Counter()
    with multiprocessing.get_context("spawn").Pool(jobs, logging.disable) as pool:
        found = pool.map(points_of, names, chunksize=1)
        for name, _, problems in found:
            failures += [{"scenario": name, "at": "", "problems": problems}] if problems else []
        tasks = [(name, points, double, every) for name, points, _ in found]
        todo = [killed for each in pool.imap(kills, tasks) for killed in each]
        for number, told in enumerate(pool.imap_unordered(play, todo, chunksize=4), start=1):
            runs[told.killed.scenario] += 1
            lives[told.lives] += 1
            if told.problems:
                failures.append(
                    {"scenario": told.killed.scenario, "at": told.killed.name, "problems": list(told.problems)}
                )
                keep_plan(told.killed, keep)
            if number % 100 == 0 or number == len(todo):
                seconds = time.monotonic() - began
                print(f"{number}/{len(todo)} runs, {len(failures)} bad, {seconds:.0f} s", file=sys.stderr, flush=True)
    return {
        "scenarios": [{"name": name, "points": points, "runs": runs[name]} for name, points, _ in found],
        "points": sum(points for _, points, _ in found),
        "runs": runs.total(),
        "lives": dict(sorted(lives.items())),
        "violations": len(failures),
        "failures": failures,
        "seconds": round(time.monotonic() - began, 1),
    }


def keep_plan(killed: Killed, directory: Path | None) -> None:
    """Write the plan of a failure into the directory, if there is one."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        words = killed.scenario.replace(",", "").replace(" ", "-")
        path = directory / f"{words}-{killed.name.replace(':', '.').replace(',', '-')}.json"
        path.write_bytes(msgspec.json.encode(killed.plan))


def show(figures: dict[str, Any]) -> Iterator[str]:
    """The figures for people."""
    yield f"{'scenario':<56}{'points':>8}{'runs':>8}"
    yield from (f"{each['name']:<56}{each['points']:>8}{each['runs']:>8}" for each in figures["scenarios"])
    for failure in figures["failures"][:SHOWN]:
        yield f"BAD {failure['scenario']!r} at {failure['at'] or 'no crash'}: {' / '.join(failure['problems'])[:600]}"
    yield (
        f"{len(figures['scenarios'])} scenarios, {figures['points']} crash points, {figures['runs']} runs, "
        f"{figures['violations']} with violations, {figures['seconds']} s"
    )


def crashes(text: str) -> tuple[Crash, ...]:
    """`17:400,5:20`"""
    pairs = (each.split(":") for each in text.split(","))
    return tuple(Crash(point=int(point), down_ms=int(down_ms)) for point, down_ms in pairs)


def main() -> int:
    """Parse the command line, run, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="", help="only those whose name contains this")
    parser.add_argument("--double", action="store_true", help="a second crash at each point of the recovery")
    parser.add_argument("--every", type=int, default=1, help="every so-manyeth point")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--at", type=crashes, help="one run with these crashes: point:down_ms,point:down_ms")
    parser.add_argument("--keep", type=Path, help="write the plans of failures into this directory")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    names = [name for name in SCENARIOS if asked.scenario in name]
    if not names:
        parser.error(f"no scenario's name contains {asked.scenario!r}; there are: {'; '.join(SCENARIOS)}")
    if asked.at:
        logging.disable()
        told = play(Killed(scenario=names[0], crashes=asked.at))
        keep_plan(told.killed, asked.keep)
        print(f"{names[0]!r} at {told.killed.name}: {told.lives} lives", *told.problems, sep="\n")
        return 1 if told.problems else 0
    figures = sweep(names, double=asked.double, every=asked.every, jobs=asked.jobs, keep=asked.keep)
    print(json.dumps(figures) if asked.json else "\n".join(show(figures)))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())

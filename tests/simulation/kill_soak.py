"""Real SIGKILLs of the service, each in a trade of its own against the simulator on loopback.

`python tests/simulation/kill_soak.py [--kills N] [--first-round R] [--faults P] [--point NAME] [--jobs J] [--json]`

A round kills once at each variation of each point of the protocol (kill_cases.py: 56); round 0 is what the tests play,
later ones have other seeds. The service is restarted, goes on, and venue's log and journal are judged by the checker.
Prints a line for each kill and a summary; exit 1 when anything is wrong.
"""

import argparse
import asyncio
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from kill_cases import POINTS, Case, cases
from kill_trial import Outcome, try_case

SEEDS_A_ROUND = 1_000


def chosen(asked: argparse.Namespace) -> Iterator[Case]:
    """As many cases as were asked for, round after round."""
    points = [point for point in POINTS if point.startswith(asked.point)]
    rounds = itertools.count(asked.first_round)
    endless = (
        msgspec.structs.replace(case, seed=case.seed + SEEDS_A_ROUND * number, faults=asked.faults or case.faults)
        for number in rounds
        for point in points
        for case in cases(point)
    )
    return itertools.islice(endless, asked.kills)


async def kill(case: Case) -> Outcome:
    """One kill; its directory stays when something was wrong."""
    directory = Path(tempfile.mkdtemp(prefix=f"execactor-kill-{case.seed}-"))
    try:
        outcome = await try_case(case, directory / "case")
    except Exception as error:
        outcome = Outcome(problems=[f"{case.name}: {error!r} ({directory})"], row=f"{case.name}: FAILED")
    if not outcome.problems:
        shutil.rmtree(directory)
    return outcome


async def run(asked: argparse.Namespace) -> dict[str, object]:
    """All of them, some at a time; returns the summary."""
    began = time.monotonic()
    room = asyncio.Semaphore(asked.jobs)
    problems: list[list[str]] = []

    async def one(case: Case) -> None:
        async with room:
            outcome = await kill(case)
        problems.append(outcome.problems)
        shown = [f"{len(problems)}/{asked.kills} seed {case.seed} {outcome.row}", *outcome.problems]
        print("\n    ".join(shown), file=sys.stderr if asked.json else sys.stdout, flush=True)

    await asyncio.gather(*map(one, chosen(asked)))
    seconds = time.monotonic() - began
    bad = [each for each in problems if each]
    return {"kills": len(problems), "violations": len(bad), "problems": bad, "seconds": round(seconds, 1)}


def main() -> int:
    """Parse the command line, kill, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--first-round", type=int, default=0)
    parser.add_argument("--faults", choices=["none", "default", "rough"], help="instead of each case's own")
    parser.add_argument("--point", default="", help="only points whose name begins so, such as entry_request")
    parser.add_argument("--jobs", type=int, default=3, help="at once")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not any(point.startswith(asked.point) for point in POINTS):
        parser.error(f"no point begins with {asked.point!r}; there are: {', '.join(POINTS)}")
    summary = asyncio.run(run(asked))
    if asked.json:
        print(json.dumps(summary))
    else:
        print("{kills} kills, {violations} with violations, {seconds} s".format_map(summary))
    return 1 if summary["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())

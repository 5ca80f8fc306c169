"""Every case at other seeds: `python tests/simulation/kill_soak.py FIRST COUNT [PROFILE] [POINT]`.

Longer than a test: one round of all points takes about two minutes. Prints the table; exit 1 when any case is bad.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import cast

import msgspec
from kill_cases import POINTS, Case, cases
from kill_trial import Outcome, try_case

from execactor.simulator.config import FaultProfile

AT_ONCE = 3


async def main(first: int, count: int, faults: FaultProfile | None, only: str) -> int:
    """Rounds `first` to `first + count - 1`; round 0 is what the tests play. faults: instead of each case's own."""
    room = asyncio.Semaphore(AT_ONCE)
    bad = 0

    async def one(case: Case) -> None:
        nonlocal bad
        directory = Path(tempfile.mkdtemp(prefix=f"execactor-kill-{case.seed}-"))
        async with room:
            try:
                outcome = await try_case(case, directory / "case")
            except Exception as error:
                outcome = Outcome(problems=[f"{case.name}: {error!r} ({directory})"], row=f"{case.name}: FAILED")
        bad += bool(outcome.problems)
        print(case.seed, outcome.row, *outcome.problems, sep="\n    " if outcome.problems else " ", flush=True)

    for number in range(first, first + count):
        points = [point for point in POINTS if point.startswith(only)]
        given = [msgspec.structs.replace(case, seed=case.seed + 1000 * number) for p in points for case in cases(p)]
        if faults is not None:
            given = [msgspec.structs.replace(case, faults=faults) for case in given]
        await asyncio.gather(*map(one, given))
    return 1 if bad else 0


if __name__ == "__main__":
    arguments = [*sys.argv[3:], "", ""]
    profile = cast("FaultProfile", arguments[0]) if arguments[0] in {"none", "default", "rough"} else None
    sys.exit(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), profile, arguments[1])))

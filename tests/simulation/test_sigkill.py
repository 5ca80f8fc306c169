"""The venue fires SIGKILL at the engine in mid-protocol; a supervisor starts it again; the venue's log is judged."""

import asyncio
from pathlib import Path

import pytest
from kill_cases import POINTS, Case, cases
from kill_trial import Outcome, try_case

AT_ONCE = 3


@pytest.mark.timeout(240)
@pytest.mark.parametrize("point", POINTS)
async def test_D4_the_venue_kills_the_engine(point: str, tmp_path: Path) -> None:  # noqa: N802
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Outcome:
        async with room:
            return await try_case(case, tmp_path / str(case.number))

    outcomes = await asyncio.gather(*map(one, cases(point)))
    print(*(outcome.row for outcome in outcomes), sep="\n")  # noqa: T201  the table; pytest -rP shows it
    assert not [problem for outcome in outcomes for problem in outcome.problems]

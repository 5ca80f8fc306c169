"""The venue fires SIGKILL at the engine in mid-protocol; a supervisor starts it again; the venue's log is judged."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from kill_cases import POINTS, Case, cases
from kill_course import KEY, Player
from kill_stage import KillStage, until

from execactor.simulator.checker import Report, check

AT_ONCE = 2
END_S = 10.0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("point", POINTS)
async def test_the_venue_kills_the_engine(point: str, tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> list[str]:
        async with room:
            return await run(case, tmp_path / str(case.number))

    outcomes = await asyncio.gather(*map(one, cases(point)))
    assert not [problem for problems in outcomes for problem in problems]


async def run(case: Case, directory: Path) -> list[str]:
    """Play one case; returns what was wrong, a sentence each. Prints its line of the table."""
    directory.mkdir()
    problems: list[str] = []
    variation = case.variation
    async with KillStage(directory, seed=case.seed, symbol=case.symbol, faults=case.faults) as stage:
        await stage.start_engine()
        await stage.arm(case.point, nth=variation.nth, role=variation.role)
        player = Player(stage, variation.trade)
        async with asyncio.TaskGroup() as together:
            together.create_task(player.play())
            together.create_task(stage.restart_when_killed())
        await until(lambda: len(stage.states) == 2, "the engine is not ready again", within_s=20)
        if not await stage.at_rest(END_S):
            await stage.feed_flat(f"{KEY}end")
            if not await stage.at_rest(END_S):
                problems.append(f"the trade does not end: {await stage.ask('positions')}")
        problems += await _feed_again(stage, player)
        report = await stage.finish()
    verdict = check(stage.venue_log.read_text(encoding="utf-8").splitlines(), engine_report=report)
    problems += _judge(case, stage, verdict)
    print(_row(case, stage, verdict, problems))
    return [f"{case.name}: {problem} ({directory})" for problem in problems]


async def _feed_again(stage: KillStage, player: Player) -> list[str]:
    """The same decision once more, to an engine that has done with it (E2)."""
    entered = len(_entry_requests(stage))
    await stage.ask("decide", body=json.dumps(player.fed.body))
    (view,) = await stage.ask("positions")
    again = view["phase"] != "NO_POSITION" or len(_entry_requests(stage)) > entered
    return ["the decision was taken up a second time"] if again else []


def _entry_requests(stage: KillStage) -> list[dict[str, Any]]:
    return [line for line in stage.log("request") if f"_entry_{KEY}" in line["params"].get("newClientOrderId", "")]


def _judge(case: Case, stage: KillStage, verdict: Report) -> list[str]:
    problems = [*verdict.violations, *verdict.mismatches, *verdict.venue_errors]
    if [line["point"] for line in stage.log("kill")] != [case.point]:
        problems.append("the engine was not killed at the point")
    if verdict.counts["kills"] != 1 or len(stage.engines) != 2:
        problems.append(f"{verdict.counts['kills']} kills, {len(stage.engines)} engines")
    entries = {line["order_id"] for line in stage.log("fill") if f"_entry_{KEY}" in line["client_id"]}
    if len(entries) > 1:
        problems.append(f"{len(entries)} entries of one decision were filled")
    if any(quantity != "0" for quantity in verdict.positions.values()):
        problems.append(f"positions at the end: {verdict.positions}")
    return problems


def _row(case: Case, stage: KillStage, verdict: Report, problems: list[str]) -> str:
    trades = ", ".join(trade.pnl for trade in verdict.trades) or "no trade"
    return (
        f"{case.name}: {'BAD' if problems else 'ok'}, pnl {trades}, unprotected {verdict.max_unprotected_ms:.0f} ms, "
        f"across the restart {verdict.max_unprotected_restart_ms:.0f} ms, ready in {stage.ready_s[-1]:.2f} s "
        f"{stage.states[-1]}, faults {verdict.counts['faults']}"
    )

"""One case from beginning to end, and the judgement on it."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec
from kill_cases import Case
from kill_course import FILLED, Player, Trade
from kill_stage import LOOK_S, KillStage, until

from execactor.simulator.checker import Report, check

READY_S = 20.0
END_S = 6.0
MOST_TRADES = 3
UNEXPECTED = {"SAFE_MODE", "HALTED"}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """problems: what was wrong, a sentence each. row: the case's line of the table."""

    problems: list[str]
    row: str


async def try_case(case: Case, directory: Path) -> Outcome:
    """Let the engine trade, die at the case's point and live again; `directory` keeps both sides' logs."""
    directory.mkdir(parents=True)
    problems: list[str] = []
    variation = case.variation
    async with KillStage(directory, seed=case.seed, symbol=case.symbol, faults=case.faults) as stage:
        await stage.start_engine()
        await stage.arm(case.point, nth=variation.nth, role=variation.role)
        async with asyncio.TaskGroup() as together:
            trading = together.create_task(_trade_until_killed(stage, variation.trade))
            together.create_task(stage.restart_when_killed())
        await until(lambda: len(stage.states) == 2, "the engine is not ready again", within_s=READY_S)
        problems += await _end(stage, trading.result())
        problems += await _feed_again(stage)
        state = (await stage.ask("status"))["state"]
        report = await stage.finish()
    lines = stage.venue_log.read_text(encoding="utf-8").splitlines()
    verdict = check(lines, journal=stage.journal, engine_report=report)
    problems += _judge(case, stage, verdict)
    problems += [f"the engine is {name}" for name in {*stage.states, state} & UNEXPECTED]
    return Outcome(
        problems=[f"{case.name}: {problem} ({directory})" for problem in problems],
        row=_row(case, stage, verdict, "BAD" if problems else "ok"),
    )


async def _end(stage: KillStage, player: Player) -> list[str]:
    """Wait for the trade's own end, then take it to its stop, then call it back: only an entry may need that."""
    if await stage.at_rest(END_S):
        return []
    if stage.held:
        await player.lose()
    problems = [] if not stage.held or await stage.at_rest(END_S) else ["neither targets nor stop end the trade"]
    await stage.feed_flat("end")
    if not await stage.at_rest(END_S):
        problems.append(f"the trade does not end: {await stage.ask('positions')}")
    return problems


async def _trade_until_killed(stage: KillStage, trade: Trade) -> Player:
    """One trade, and another one where a fault led the first past the point; returns the last one's player."""
    for number in range(1, MOST_TRADES + 1):
        player = Player(stage, trade, f"k{number}")
        await player.play()
        if not await _killed_or_at_rest(stage):
            await stage.feed_flat(f"k{number}end")
            await _killed_or_at_rest(stage)
        if stage.killed:
            break
    return player


async def _killed_or_at_rest(stage: KillStage) -> bool:
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        if stage.killed or await stage.rests():
            return True
        await asyncio.sleep(LOOK_S)
    return False


async def _feed_again(stage: KillStage) -> list[str]:
    """The same decisions once more, to an engine that has done with them (E2)."""
    entered = len(_entry_requests(stage))
    for fed in stage.fed:
        await stage.ask("decide", body=json.dumps(fed.body))
    (view,) = await stage.ask("positions")
    again = view["phase"] != "NO_POSITION" or len(_entry_requests(stage)) > entered
    return ["a decision was taken up a second time"] if again else []


def _entry_requests(stage: KillStage) -> list[dict[str, Any]]:
    return [line for line in stage.log("request") if "_entry_" in line["params"].get("newClientOrderId", "")]


def _judge(case: Case, stage: KillStage, verdict: Report) -> list[str]:
    problems = [*verdict.violations, *verdict.mismatches, *verdict.venue_errors]
    if [line["point"] for line in stage.log("kill")] != [case.point]:
        problems.append("the engine was not killed at the point")
    if verdict.counts["kills"] != 1 or len(stage.engines) != 2:
        problems.append(f"{verdict.counts['kills']} kills, {len(stage.engines)} engines")
    for fed in stage.fed:
        entries = {line["order_id"] for line in stage.log("fill") if f"_entry_{fed.key}" in line["client_id"]}
        if len(entries) > 1:
            problems.append(f"{len(entries)} entries of decision {fed.key} were filled")
    roles = {line["client_id"].split("_")[1] for line in stage.log("fill")}
    trade = case.variation.trade
    if case.faults == "none" and not trade.meanwhile and not roles >= FILLED[trade.course]:
        problems.append(f"the trade went another way: filled were {', '.join(sorted(roles))}")
    if any(quantity != "0" for quantity in verdict.positions.values()):
        problems.append(f"positions at the end: {verdict.positions}")
    return problems


def _row(case: Case, stage: KillStage, verdict: Report, word: str) -> str:
    trades = ", ".join(trade.pnl for trade in verdict.trades) or "no trade"
    return (
        f"{case.name}: {word}, {_fate(case, stage)}pnl {trades}, unprotected {verdict.max_unprotected_ms:.0f} ms, "
        f"across the restart {verdict.max_unprotected_restart_ms:.0f} ms, ready in {stage.ready_s[-1]:.2f} s "
        f"{stage.states[-1]}, faults {verdict.counts['faults']}"
    )


def _fate(case: Case, stage: KillStage) -> str:
    """Whether the venue carried out the request that had arrived when its sender was killed."""
    if not case.point.endswith("_request.before"):
        return ""
    (kill,) = stage.log("kill")
    changed = [line for kind in ("order", "algo") for line in stage.log(kind) if line["client_id"] == kill["client_id"]]
    response = next(line["n"] for line in stage.log("response") if line["n"] > kill["n"] and line["status"] == 0)
    return "carried out, " if any(kill["n"] < line["n"] < response for line in changed) else "not carried out, "

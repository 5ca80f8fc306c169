"""The whole engine in virtual time: `virtual_trades.py [--seeds N] [--faults P] [--kills] [--outages] [--sweep]`.

Prints one line per seed: the seed, events, trades closed, lives, violations, and the hash over all that engine and
venue did. Two runs of the same commit print the same, in whatever process.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from execactor.engine import Engine
from execactor.runtime import Abandoned, Simulation
from execactor.simulation import Stage
from execactor.simulator import SimulatorConfig
from execactor.simulator.checker import Report, check

SYMBOLS = ("BTCUSDT", "ETHUSDT")
PATIENCE_S = 180.0
SECOND = 1_000_000_000
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
Faults = Literal["none", "default", "rough"]
Step = Callable[[Stage, Engine], Awaitable[None]]


class Outcome(NamedTuple):
    """events: of the engine (messages, timers) and lines of the venue's log. points: crash points that were reached."""

    seed: int
    events: int
    trades: int
    lives: int
    points: int
    report: Report
    digest: str


def feed(symbol: str, action: str, key: str) -> Step:
    """A decision that crosses the market at once."""

    async def step(stage: Stage, engine: Engine) -> None:
        mark = stage.venue.markets[symbol].mark
        sign = 1 if action == "long" else -1
        middle = mark * (1 + sign * Decimal("0.0006"))
        body = {
            "id": key,
            "symbol": symbol,
            "timestamp_iso": datetime.fromtimestamp(stage.simulation.now_ns() / SECOND, UTC).isoformat(),
            "action": action,
            "entry_zone": [str(middle * Decimal("0.9999")), str(middle * Decimal("1.0001"))],
            "sl": str(mark * (1 - sign * Decimal("0.005"))),
            "tp1": str(mark * (1 + sign * Decimal("0.0016"))),
            "tp2": str(mark * (1 + sign * Decimal("0.003"))),
            "position_size_usdt": "1000",
            "leverage": "3",
            "confidence": "0.8",
        }
        stage.note("decision fed", key=key, symbol=symbol, side="BUY" if sign > 0 else "SELL")
        await engine.submit_decision(json.dumps(body).encode())

    return step


def steer(symbol: str, percent: str, seconds: float) -> Step:
    """The market goes its way."""

    async def step(stage: Stage, _engine: Engine) -> None:
        stage.venue.steer(symbol, stage.venue.markets[symbol].mark * (1 + Decimal(percent) / 100), seconds)

    return step


def pause(seconds: float) -> Step:
    """Time passes."""

    async def step(_stage: Stage, _engine: Engine) -> None:
        await asyncio.sleep(seconds)

    return step


async def flat(stage: Stage, engine: Engine) -> None:
    """Wait until every trade is closed and nothing is left at the venue; given up after PATIENCE_S.

    A kill may have let the market pass while an entry was made again: it is called back where it rests. A conditional
    order that hangs while triggering stays there for ever, and nobody can cancel it.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    for order in stage.venue.exchange.orders.open():
        await engine.cancel_order(order.client_id)
    while loop.time() < end:
        await asyncio.sleep(0.5)
        exchange = stage.venue.exchange
        algos = [algo for algo in exchange.conditional.algos.open() if algo.status != "TRIGGERING"]
        if exchange.account.held or exchange.orders.open() or algos:
            continue
        if all(position.phase == "NO_POSITION" for position in await engine.positions()):
            return


def plan() -> deque[Step]:
    """One symbol reaches its targets, the other its stop."""
    one, other = SYMBOLS
    return deque(
        [
            feed(one, "long", "a"),
            pause(0.7),
            feed(other, "short", "b"),
            pause(2),
            steer(one, "0.5", 3),
            steer(other, "0.7", 3),
            pause(3),
            flat,
        ]
    )


async def life(stage: Stage, steps: deque[Step]) -> int:
    """One life of the engine, which goes on with the steps that are left; returns how many trades it knows of."""
    engine = stage.engine(symbols=list(SYMBOLS))
    async with engine:
        await engine.ready(120)
        stage.note("engine ready")
        while len(steps) > 1:
            await steps.popleft()(stage, engine)
        await steps[0](stage, engine)
        return len(engine.trades())


def run(
    seed: int, *, faults: Faults = "none", kills: bool = False, outages: bool = False, kill_at: int | None = None
) -> Outcome:
    """Play the plan on one seed; with kills, the engine is killed at up to three drawn instants.

    outages: up to three times the network breaks its connections, or lets nothing through for up to 12 s.
    kill_at: the number of the crash point where it is killed, too.
    """
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as disk, Simulation(seed) as simulation:
        market = SimulatorConfig(seed=seed, volatility_bps=0.5, faults=faults, step_ms=100)
        stage = Stage(simulation, Path(disk), market)
        draw = simulation.streams.of("kills").random
        steps = plan()
        if outages:
            plan_outages(stage)
        if kill_at is not None:
            stage.crash.kill_at(kill_at)
        kills_left = int(draw() * 4) if kills else 0
        while True:
            if kills_left:
                kills_left -= 1
                simulation.world_at(simulation.timeline.now_ns + int(draw() * 6 * SECOND), simulation.abandon)
            try:
                trades = simulation.run(life(stage, steps))
                break
            except Abandoned:
                simulation.pass_time(int(draw() * 2 * SECOND))
        events = simulation.log.counts.total() + sum(stage.venue.log.counts.values())
        stage.fold_log()
        report = check(list(stage.venue.log.kept), journal=stage.journal)
        return Outcome(seed, events, trades, stage.life, stage.crash.reached, report, simulation.log.digest)


def plan_outages(stage: Stage) -> None:
    """Draw when the network fails, and how."""
    simulation, network = stage.simulation, stage.network
    draw = simulation.streams.of("outages").random
    for _ in range(int(draw() * 4)):
        at_ns = simulation.timeline.now_ns + int(draw() * 8 * SECOND)
        kind, lasts_ns = int(draw() * 4), int(draw() ** 2 * 12 * SECOND)
        if kind == 3:
            simulation.world_at(at_ns, network.reset)
        else:
            cut = partial(network.partition, lasts_ns, up=kind != 1, down=kind != 2)
            simulation.world_at(at_ns, cut)


def outcomes(asked: argparse.Namespace) -> Iterator[Outcome]:
    """What was asked for on the command line."""
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        outcome = run(seed, faults=asked.faults, kills=asked.kills, outages=asked.outages)
        yield outcome
        if asked.sweep:
            for point in range(1, outcome.points + 1):
                yield run(seed, faults=asked.faults, kills=asked.kills, outages=asked.outages, kill_at=point)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--faults", choices=["none", "default", "rough"], default="none")
    parser.add_argument("--kills", action="store_true")
    parser.add_argument("--outages", action="store_true")
    parser.add_argument("--sweep", action="store_true", help="kill each seed's engine at each of its crash points")
    asked = parser.parse_args()
    logging.disable()
    began, events = time.process_time(), 0
    for outcome in outcomes(asked):
        events += outcome.events
        violations = outcome.report.violations
        sys.stdout.write(
            f"{outcome.seed} {outcome.events} {outcome.trades} {outcome.lives} {len(violations)} {outcome.digest} "
            f"{' / '.join(violations)}\n"
        )
    sys.stderr.write(f"{events} events, {events / (time.process_time() - began):.0f} events/s of processor time\n")


if __name__ == "__main__":
    main()

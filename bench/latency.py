"""Decision to wire through all actors, against the simulated venue in a process of its own.

`python bench/latency.py [--symbols N] [--rounds N] [--json]`. Each round places one resting limit order per symbol from
a decision, waits until the venue has acknowledged all of them, and withdraws them. The engine runs with everything on:
risk, journal on disk, signing, real sockets, live market data of all symbols.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from execactor.config import Credentials
from execactor.domain.messages import FlatMode
from execactor.domain.order import OrderState
from execactor.engine import Engine
from execactor.runtime import freeze_garbage
from execactor.runtime.latency import LatencyBoard

WARM_UP_ROUNDS = 5
LEGS = ("decision_to_wire", "wire_to_ack")
_VENUE = """
import asyncio, sys
from execactor.simulator import SimulatorConfig, rate_limits, serve, synthetic_symbols
for rule in rate_limits.RULES:
    rule["limit"] *= 1_000  # the bench measures the engine, not its patience with the venue's order limit
config = SimulatorConfig(port=0, seed=7, symbols=synthetic_symbols(int(sys.argv[1])), step_ms=250)
asyncio.run(serve(config, lambda url: print(url, flush=True)))
"""


def _decision(symbol: str, mark: Decimal, key: str) -> bytes:
    """A long entry 2 % below the market: it rests until it is withdrawn."""
    price = mark * Decimal("0.98")
    return json.dumps(
        {
            "id": key,
            "symbol": symbol,
            "timestamp_iso": datetime.now(UTC).isoformat(),
            "action": "long",
            "entry_zone": [f"{price:f}", f"{price:f}"],
            "sl": f"{price * Decimal('0.98'):f}",
            "tp1": f"{price * Decimal('1.01'):f}",
            "tp2": f"{price * Decimal('1.02'):f}",
            "position_size_usdt": "500",
            "leverage": "1",
        }
    ).encode()


async def _marks(engine: Engine) -> dict[str, Decimal]:
    while True:
        views = await engine.positions()
        if all(view.mark_price is not None for view in views):
            return {view.symbol: Decimal(view.mark_price or 0) for view in views}
        await asyncio.sleep(0.05)


async def _all_entries_are(engine: Engine, states: tuple[OrderState, ...], key: str) -> None:
    while True:
        entries = [order for order in await engine.orders() if order.intent.decision_key.startswith(f"{key}-")]
        if len(entries) == len(engine.config.symbols) and all(order.state in states for order in entries):
            return
        await asyncio.sleep(0.005)


async def _round(engine: Engine, marks: dict[str, Decimal], key: str, pause_s: float) -> None:
    for number, (symbol, mark) in enumerate(marks.items()):
        await engine.submit_decision(_decision(symbol, mark, f"{key}-{number}"))
        await asyncio.sleep(pause_s)
    await _all_entries_are(engine, (OrderState.ACKNOWLEDGED,), key)
    context = engine._running().context
    for actor in context.positions.values():
        actor.tell(FlatMode(reason="the round is over"))
    await _all_entries_are(engine, (OrderState.CANCELLED,), key)


async def measure(symbols: int, rounds: int, pause_s: float) -> dict[str, Any]:
    """Run it; microseconds by leg."""
    venue = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _VENUE, str(symbols), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert venue.stdout is not None
        url = (await asyncio.wait_for(venue.stdout.readline(), 20)).decode().split()[-1]
        with tempfile.TemporaryDirectory() as directory:
            return await _measure(url, symbols, rounds, pause_s, Path(directory))
    finally:
        venue.terminate()
        await venue.wait()


async def _measure(url: str, symbols: int, rounds: int, pause_s: float, directory: Path) -> dict[str, Any]:
    names = [f"SYM{number:04d}USDT" for number in range(1, symbols + 1)]
    settings = {
        "mode": "sim",
        "symbols": names,
        "data_dir": str(directory / "run"),
        "lock_dir": str(directory / "locks"),
        "venue": {"rest_url": url, "ws_url": url.replace("http", "ws"), "leverage": 5},
        "risk": {"max_positions": symbols + 1},
    }
    credentials = Credentials("simulator-api-key", "simulator-api-secret")
    async with Engine.from_config(settings, credentials=credentials) as engine:
        await engine.ready(30)
        marks = await _marks(engine)
        for number in range(WARM_UP_ROUNDS):
            await _round(engine, marks, f"w{number}", pause_s)
        freeze_garbage()
        context = engine._running().context
        context.latencies = LatencyBoard()
        for number in range(rounds):
            await _round(engine, marks, f"r{number}", pause_s)
        report = context.latencies.report()
    return {leg: report[leg] for leg in LEGS} | {"symbols": symbols, "orders": symbols * rounds}


def show(result: dict[str, Any]) -> None:
    """Print a measurement for people."""
    print(f"{result['orders']} entries over {result['symbols']} symbols, µs        p50      p99      max")
    for leg in LEGS:
        figures = result[leg]
        name = leg.replace("_", " ").replace(" to ", " -> ")
        print(f"  {name:<42} {figures['p50']:8.1f} {figures['p99']:8.1f} {figures['max']:8.1f}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=40, help="at most 50: the venue's limit of conditional orders")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--pause-ms", type=float, default=1.0, help="between two decisions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = uvloop.run(measure(options.symbols, options.rounds, options.pause_ms / 1_000))
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()

"""One trading session: the engine and the simulated venue in one process, over real sockets, judged by the checker."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from execactor.config import Credentials
from execactor.domain.account import EngineState
from execactor.engine import Engine
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.simulator.checker import Report, check

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CREDENTIALS = Credentials("simulator-api-key", "simulator-api-secret")


def engine_config(venue: SimulatedVenue, directory: Path, **changes: Any) -> dict[str, Any]:
    """A configuration for `venue` with everything under `directory`."""
    base: dict[str, Any] = {
        "mode": "sim",
        "symbols": list(SYMBOLS),
        "data_dir": str(directory / "run"),
        "lock_dir": str(directory / "locks"),
        "venue": {"rest_url": venue.rest_url, "ws_url": venue.ws_url},
    }
    return base | changes


def decision(
    symbol: str, mark: Decimal, *, key: str, action: str = "long", notional: str = "1000", **changes: Any
) -> bytes:
    """A decision whose entry crosses the market at once, with a stop 0.5 % away and targets at 0.1 % and 0.2 %."""
    sign = 1 if action == "long" else -1
    middle = mark * (1 + sign * Decimal("0.0006"))
    body: dict[str, Any] = {
        "id": key,
        "symbol": symbol,
        "timestamp_iso": datetime.now(UTC).isoformat(),
        "action": action,
        "entry_zone": [str(middle * Decimal("0.9999")), str(middle * Decimal("1.0001"))],
        "sl": str(mark * (1 - sign * Decimal("0.005"))),
        "tp1": str(mark * (1 + sign * Decimal("0.0016"))),
        "tp2": str(mark * (1 + sign * Decimal("0.003"))),
        "position_size_usdt": notional,
        "leverage": "3",
        "confidence": "0.8",
    }
    return json.dumps(body | changes).encode()


@asynccontextmanager
async def session(directory: Path, **config: Any) -> AsyncIterator[tuple[SimulatedVenue, Engine]]:
    """A venue and a ready engine on it."""
    async with SimulatedVenue(SimulatorConfig(venue_log=directory / "venue.jsonl", **config)) as venue:
        engine = Engine.from_config(engine_config(venue, directory), credentials=CREDENTIALS)
        async with engine:
            note(venue, "engine started")
            await engine.ready(10)
            note(venue, "engine ready")
            yield venue, engine


def note(venue: SimulatedVenue, text: str, **fields: Any) -> None:
    """Write a note of the harness into the venue's log."""
    venue.venue.log.record("note", {"text": text, **fields})


async def mark_of(engine: Engine, symbol: str) -> Decimal:
    """The mark price once the engine knows it."""
    while True:
        view = next(view for view in await engine.positions() if view.symbol == symbol)
        if view.mark_price is not None:
            return Decimal(view.mark_price)
        await asyncio.sleep(0.02)


async def until_flat(engine: Engine, symbols: tuple[str, ...] = SYMBOLS, timeout_s: float = 20) -> bool:
    """Wait until no symbol has a trade under way; False when that takes too long."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while asyncio.get_running_loop().time() < deadline:
        views = [view for view in await engine.positions() if view.symbol in symbols]
        if all(view.phase.value == "NO_POSITION" for view in views):
            return True
        await asyncio.sleep(0.05)
    return False


async def trade(venue: SimulatedVenue, engine: Engine, symbol: str, key: str, rng: random.Random) -> None:
    """Feed one decision, then steer the market to its targets or to its stop, by chance."""
    mark = await mark_of(engine, symbol)
    action = rng.choice(["long", "short"])
    sign = 1 if action == "long" else -1
    await engine.submit_decision(decision(symbol, mark, key=key, action=action))
    await asyncio.sleep(0.5 + rng.random())
    move = rng.choice([Decimal("0.005"), Decimal("-0.007"), Decimal("0.002")])
    venue.steer(symbol, mark * (1 + sign * move), 1.5)
    if not await until_flat(engine, (symbol,), 8):
        flat = decision(symbol, mark, key=f"{key}f", action="flat")
        await engine.submit_decision(flat)
        await until_flat(engine, (symbol,), 15)


async def calm(venue: SimulatedVenue, engine: Engine, timeout_s: float = 20) -> None:
    """The venue behaves from now on; wait until the engine has caught up with it."""
    venue.venue.faults._habits = {}
    venue.venue.faults.listing_lag_ms = 0
    await until_flat(engine, SYMBOLS, timeout_s)
    deadline = asyncio.get_running_loop().time() + timeout_s
    while asyncio.get_running_loop().time() < deadline:
        live = [order for order in await engine.orders() if order.live]
        if not live and engine.state is not EngineState.RECONCILING:
            return
        await asyncio.sleep(0.1)


async def run_seed(seed: int, faults: str, directory: Path, trades: int = 3) -> tuple[Report, dict[str, Any]]:
    """One session of `trades` trades on each symbol; the checker's report and the engine's."""
    rng = random.Random(seed)
    async with session(directory, seed=seed, faults=faults) as (venue, engine):
        # A banned address can protect nothing for as long as the ban lasts, whatever the engine does.
        venue.venue.faults._habits = {k: v for k, v in venue.venue.faults._habits.items() if k != "http_418"}

        async def runner(symbol: str) -> None:
            for number in range(trades):
                if engine.state is not EngineState.RUNNING:
                    await engine.resume("the scenario goes on")
                    await asyncio.sleep(0.5)
                await trade(venue, engine, symbol, f"{symbol[:3].lower()}{number}", random.Random(rng.random()))

        await asyncio.gather(*(runner(symbol) for symbol in SYMBOLS))
        await calm(venue, engine)
        report = {
            "positions": {view.symbol: str(view.position.quantity) for view in await engine.positions()},
            "trade_ids": [fill.execution.trade_id for fill in engine.fills()],
            "open_orders": [order.client_id for order in await engine.orders() if order.live],
            "trades": [{"symbol": t.symbol, "pnl": str(t.pnl)} for t in engine.trades()],
        }
        state = str(engine.state)
    lines = (directory / "venue.jsonl").read_text().splitlines()
    return check(lines, engine_report=report), report | {"state": state}

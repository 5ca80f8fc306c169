"""The two plays: on a generated market that is steered, and on a recorded one that nobody can steer."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Mapping
from decimal import Decimal

from execactor.domain.side import Side
from execactor.service.demo.decisions import Distances, Fed, entry
from execactor.service.demo.stage import NotInTime, Stage
from execactor.simulator.symbols import DEFAULT_SYMBOLS

_SYMBOLS = {symbol.name: symbol for symbol in DEFAULT_SYMBOLS}
_STEERED = Distances(reach=Decimal(5), stop=Decimal(40), tp1=Decimal(15), tp2=Decimal(30))
_TIGHT = Distances(reach=Decimal("0.5"), stop=Decimal(5), tp1=Decimal(2), tp2=Decimal(4))
_BEYOND = Decimal(20)
_STEER_S = 2.0
_TRADE_S = 20.0
_REPLAY_S = 32.0
_REPLAY_TRADES = 3
_ENTRY_S = 3.0
_CLOSE_S = 10.0

GENERATED_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
EXPECTED: Mapping[str, str] = {"demo1": "tp2", "demo2": "stopped", "demo3": "tp2"}


async def play_generated(stage: Stage) -> Mapping[str, str]:
    """One trade to its second target and one to its stop, at the same time; one through a kill -9.

    Returns the outcome that each decision must have.
    """
    await stage.start_engine()
    winner = await _enter(stage, "demo1", "BTCUSDT", Side.BUY)
    loser = await _enter(stage, "demo2", "ETHUSDT", Side.BUY)
    await asyncio.gather(
        _steer(stage, winner, _STEERED.tp2 + _BEYOND),
        _steer(stage, loser, -_STEERED.stop - _BEYOND),
    )
    await asyncio.gather(stage.ended(winner, _TRADE_S), stage.ended(loser, _TRADE_S))

    survivor = await _enter(stage, "demo3", "SOLUSDT", Side.SELL)
    await stage.kill_engine()
    await stage.start_engine()
    await _steer(stage, survivor, _STEERED.tp2 + _BEYOND)
    await stage.ended(survivor, _TRADE_S)
    return EXPECTED


async def play_replay(stage: Stage) -> Mapping[str, str]:
    """Three trades one after the other around the recorded price, the second through a kill -9.

    Nothing is promised of their outcomes. What is open when the time is over is closed by a flat decision.
    """
    (name,) = stage.scenery.symbols
    over_s = time.monotonic() + _REPLAY_S
    await stage.start_engine()
    traded = 0
    for number in itertools.count(1):
        side = Side.BUY if number % 2 else Side.SELL
        fed = entry(f"replay{number}", _SYMBOLS[name], side, await stage.door.last(name), _TIGHT)
        await stage.feed(fed)
        if await _happens(stage.entered(fed, _ENTRY_S)):
            traded += 1
            if traded == 2:
                await stage.kill_engine()
                await stage.start_engine()
            if not await _happens(stage.ended(fed, max(over_s - time.monotonic(), 0.1))):
                await stage.feed_flat(f"flat{number}", name)
        else:
            await stage.feed_flat(f"flat{number}", name)
        await stage.ended(fed, _CLOSE_S)
        if traded == _REPLAY_TRADES or time.monotonic() > over_s:
            break
    return {}


async def _happens(event: Awaitable[object]) -> bool:
    try:
        await event
    except NotInTime:
        return False
    return True


async def _enter(stage: Stage, key: str, name: str, side: Side) -> Fed:
    fed = entry(key, _SYMBOLS[name], side, await stage.door.mark(name), _STEERED)
    await stage.feed(fed)
    await stage.entered(fed, _TRADE_S)
    return fed


async def _steer(stage: Stage, fed: Fed, bps: Decimal) -> None:
    target = fed.away(bps)
    stage.progress.say("demo", f"the market of {fed.symbol} drifts to {target:.2f}")
    await stage.door.steer(fed.symbol, target, _STEER_S)

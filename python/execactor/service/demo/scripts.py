"""The two plays: on a generated market that is steered, and on a recorded one that nobody can steer."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from decimal import Decimal

from execactor.domain.side import Side
from execactor.service.demo.decisions import Distances, Fed, entry
from execactor.service.demo.stage import DemoFailed, Stage
from execactor.simulator.symbols import DEFAULT_SYMBOLS, Symbol

_SYMBOLS = {symbol.name: symbol for symbol in DEFAULT_SYMBOLS}
_STEERED = Distances(reach=Decimal(5), stop=Decimal(40), tp1=Decimal(15), tp2=Decimal(30))
_TIGHT = Distances(reach=Decimal(1), stop=Decimal(3), tp1=Decimal(1), tp2=Decimal(3))
_BEYOND = Decimal(20)
_STEER_S = 2.0
_REPLAY_S = 34.0
_LAST_ENTRY_S = 26.0

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
    await asyncio.gather(stage.closed(winner), stage.closed(loser))

    survivor = await _enter(stage, "demo3", "SOLUSDT", Side.SELL)
    await stage.kill_engine()
    await stage.start_engine()
    await _steer(stage, survivor, _STEERED.tp2 + _BEYOND)
    await stage.closed(survivor)
    return EXPECTED


async def play_replay(stage: Stage) -> Mapping[str, str]:
    """Trades one after the other around the recorded price, the second through a kill -9; the rest is closed.

    Nothing is promised of their outcomes, but at least one trade must have ended.
    """
    (name,) = stage.scenery.symbols
    began_s = time.monotonic()
    await stage.start_engine()
    completed = 0
    for number in itertools.count(1):
        side = Side.BUY if number % 2 else Side.SELL
        fed = entry(f"replay{number}", _SYMBOLS[name], side, await stage.door.last(name), _TIGHT)
        await stage.feed(fed)
        await stage.entered(fed)
        if number == 2:
            await stage.kill_engine()
            await stage.start_engine()
        left_s = _REPLAY_S - (time.monotonic() - began_s)
        try:
            await stage.closed(fed, within_s=max(left_s, 0.1))
        except DemoFailed:
            await stage.feed_flat(f"flat{number}", name)
            await stage.closed(fed)
        completed += 1
        if time.monotonic() - began_s > _LAST_ENTRY_S:
            break
    if not completed:
        raise DemoFailed("no trade ended")
    return {}


async def _enter(stage: Stage, key: str, name: str, side: Side) -> Fed:
    fed = entry(key, _symbol(name), side, await stage.door.mark(name), _STEERED)
    await stage.feed(fed)
    await stage.entered(fed)
    return fed


async def _steer(stage: Stage, fed: Fed, bps: Decimal) -> None:
    target = fed.away(bps)
    stage.progress.say("demo", f"the market of {fed.symbol} drifts to {target:.2f}")
    await stage.door.steer(fed.symbol, target, _STEER_S)


def _symbol(name: str) -> Symbol:
    return _SYMBOLS[name]

"""One engine of N symbols, in a process of its own: how long a decision takes, and how much memory it all takes.

`python bench/decision_probe.py SYMBOLS HOT COLD` prints one JSON object. The engine runs with everything on: risk,
journal on disk, signing, real sockets, live market data of all symbols from a simulated venue in a second process; its
orders go to a desk in a third, which stamps when it has read them (decision_desk.py). HOT decisions follow each other
by a millisecond, before each of COLD ones the engine trades nothing for 50 ms.
"""

import asyncio
import contextlib
import gc
import json
import logging
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from runtime_probe import percentiles_us, resident_bytes

from execactor.config import Credentials
from execactor.domain.messages.decisions import FlatMode
from execactor.domain.order import OrderState
from execactor.engine import Engine
from execactor.runtime import SystemClock, freeze_garbage, set_switch_interval
from execactor.runtime.latency import LatencyBoard
from execactor.store.records import OrderChanged, Record
from execactor.venues.binance_usdm import BinanceSettings, BinanceUsdm, Urls
from execactor.venues.signing import Secret
from execactor.venues.transport import LiveTransport

WARM_UP = 200
BARE = 300
REQUEST_BYTES = 455
"""Of an entry over the WebSocket API, frame included."""
HOT_PAUSE_S, COLD_PAUSE_S = 0.001, 0.05
START_S = 120
_KEYS = Credentials("simulator-api-key", "simulator-api-secret")
_MARKET = """
import asyncio, sys
from execactor.simulator import SimulatorConfig, rate_limits, serve, synthetic_symbols
for rule in rate_limits.RULES:
    rule["limit"] *= 1_000  # the bench measures the engine, not its patience with the venue's limits
symbols = int(sys.argv[1])
config = SimulatorConfig(port=0, seed=7, symbols=synthetic_symbols(symbols), step_ms=max(250, symbols))
asyncio.run(serve(config, lambda url: print(url, flush=True)))
"""


class Answers:
    """Waits for what becomes of entries; a tap of the journal."""

    def __init__(self) -> None:
        self._awaited: dict[tuple[str, OrderState], asyncio.Future[None]] = {}

    def on_record(self, record: Record) -> None:
        if isinstance(record, OrderChanged):
            answer = self._awaited.pop((record.order.intent.decision_key, record.order.state), None)
            if answer is not None:
                answer.set_result(None)

    def of(self, key: str, state: OrderState) -> "asyncio.Future[None]":
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[key, state] = answer
        return answer


def decision(symbol: str, mark: Decimal, key: str) -> bytes:
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


async def measure(symbols: int, hot: int, cold: int) -> dict[str, Any]:
    """Microseconds by heat and leg, and bytes of memory."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        market_url = (await _child(stack, "-c", _MARKET, str(symbols)))[0].split()[-1]
        port, desk = await _child(stack, str(Path(__file__).parent / "decision_desk.py"))
        engine = _engine(symbols, market_url, int(port), directory)
        await stack.enter_async_context(engine)
        await engine.ready(START_S)
        marks = await _marks(engine)
        gc.collect()
        result: dict[str, Any] = {"symbols": symbols, "resident_bytes": resident_bytes()}
        await _decide(engine, marks, WARM_UP, "warm", HOT_PAUSE_S)
        freeze_garbage()
        began_ns: dict[str, dict[str, int]] = {}
        for heat, times, pause_s in (("hot", hot, HOT_PAUSE_S), ("cold", cold, COLD_PAUSE_S)):
            engine._running().context.latencies = board = LatencyBoard()
            began_ns[heat] = await _decide(engine, marks, times, heat, pause_s)
            result[heat] = {"wire_us": board.report()["decision_to_wire"]}
        await _bare(int(port))
        assert desk.stdin is not None
        desk.stdin.close()
        stamps = json.loads((await desk.communicate())[0])
    for heat, times in began_ns.items():
        taken_ns = [stamps["read_ns"][f"capi_entry_{key}"] - began for key, began in times.items()]
        result[heat]["read_us"] = percentiles_us(taken_ns)
    return result | {"bare_us": percentiles_us(stamps["bare_ns"][BARE // 10 :])}


async def _child(stack: contextlib.AsyncExitStack, *arguments: str) -> tuple[str, asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26
    )

    async def end() -> None:
        if child.returncode is None:
            child.terminate()
        await child.wait()

    stack.push_async_callback(end)
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), START_S)).decode().strip(), child


def _engine(symbols: int, market_url: str, desk_port: int, directory: Path) -> Engine:
    names = tuple(f"SYM{number:04d}USDT" for number in range(1, symbols + 1))
    streams = market_url.replace("http", "ws")
    clock = SystemClock(asyncio.get_running_loop())
    adapter = BinanceUsdm(
        BinanceSettings(
            urls=Urls(rest=market_url, streams=streams, ws_api=f"ws://127.0.0.1:{desk_port}"),
            api_key=Secret(_KEYS.api_key),
            api_secret=Secret(_KEYS.api_secret),
            symbols=names,
            answer_timeout_ms=10_000,
        ),
        LiveTransport(),
        clock,
    )
    settings = {
        "mode": "sim",
        "symbols": names,
        "data_dir": str(directory / "run"),
        "lock_dir": str(directory / "locks"),
        "venue": {"rest_url": market_url, "ws_url": streams},
        "risk": {"max_positions": symbols + 1},
    }
    return Engine.from_config(settings, credentials=_KEYS, clock=clock, venue=adapter)


async def _marks(engine: Engine) -> dict[str, Decimal]:
    async with asyncio.timeout(START_S):
        while True:
            views = await engine.positions()
            if all(view.mark_price is not None and view.bid is not None for view in views):
                return {view.symbol: Decimal(view.mark_price or 0) for view in views}
            await asyncio.sleep(0.1)


async def _decide(engine: Engine, marks: dict[str, Decimal], times: int, heat: str, pause_s: float) -> dict[str, int]:
    """When each decision was handed over (monotonic nanoseconds), by key."""
    answers = Answers()
    end = engine.on_record(answers.on_record)
    names = list(marks)
    began_ns: dict[str, int] = {}
    for number in range(times):
        await asyncio.sleep(pause_s)
        symbol = names[number % len(names)]
        key = f"{heat}{number}"
        acknowledged = answers.of(key, OrderState.ACKNOWLEDGED)
        cancelled = answers.of(key, OrderState.CANCELLED)
        body = decision(symbol, marks[symbol], key)
        began_ns[key] = time.monotonic_ns()
        await engine.submit_decision(body)
        await asyncio.wait_for(acknowledged, 10)
        engine._running().context.positions[symbol].tell(FlatMode(reason="measured"))
        await asyncio.wait_for(cancelled, 10)
    end()
    return began_ns


async def _bare(port: int) -> None:
    """Messages of a request's length, straight from this loop to the desk's."""
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", port)) as bare:
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bare.setblocking(False)
        for _ in range(BARE):
            await asyncio.sleep(HOT_PAUSE_S)
            bare.send(b"%020d" % time.monotonic_ns() + b"." * (REQUEST_BYTES - 20))
            await loop.sock_recv(bare, 1)


def main(symbols: str, hot: str, cold: str) -> None:
    """Measure what the command line says and print it."""
    logging.disable(logging.WARNING)
    set_switch_interval()
    print(json.dumps(uvloop.run(measure(int(symbols), int(hot), int(cold)))))


if __name__ == "__main__":
    main(*sys.argv[1:])

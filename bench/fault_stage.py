"""One engine on one simulated venue, over real sockets on loopback or in virtual time, and what both sides wrote."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execactor.config import Credentials
from execactor.engine import Engine
from execactor.runtime import Simulation
from execactor.simulation import Stage
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.simulator.checker import Report, check
from execactor.simulator.venue import Venue

BTC, ETH = "BTCUSDT", "ETHUSDT"
MARKET = SimulatorConfig(seed=3, volatility_bps=0.1, step_ms=20)
VIRTUAL_WAY_NS = 1_000_000
"""In virtual time a message takes a millisecond, at times up to ten more."""

_PLACES = {"order.place", "algoOrder.place", "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"}
_CANCELS = {"order.cancel", "algoOrder.cancel", "DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder"}


class Evidence(msgspec.Struct, frozen=True):
    """The venue's log, and the engine's journal as (time, kind, key, fields); both times are of one wall clock, ns."""

    log: list[dict[str, Any]]
    journal: list[tuple[int, str, str, dict[str, Any]]]
    report: Report

    def line(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first line of the venue's log with these fields."""
        return next(line for line in self.lines(kind) if fields.items() <= line.items())

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["kind"] == kind]

    def requests(self, role: str = "", *, cancels: bool = False, key: str = "") -> list[dict[str, Any]]:
        """Placements (or cancels) of our orders that the venue received."""
        wanted = _CANCELS if cancels else _PLACES
        return [
            line
            for line in self.lines("request")
            if line["method"] in wanted and f"_{role}" in _client_id(line) and key in _client_id(line)
        ]

    def answers(self, client_id: str) -> list[dict[str, Any]]:
        """What the venue answered to queries about an order."""
        asked = {
            line["id"]
            for line in self.lines("request")
            if client_id in (line["params"].get("origClientOrderId"), line["params"].get("clientAlgoId"))
        }
        return [line for line in self.lines("response") if line["id"] in asked]

    def states(self, client_id: str) -> list[tuple[int, str]]:
        """The states that the journal holds of an order, with their times."""
        return [
            (t, fields["order"]["state"])
            for t, kind, key, fields in self.journal
            if (kind, key) == ("order", client_id)
        ]

    def first(self, client_id: str, state: str) -> int:
        """When the journal first knew an order in this state."""
        return next(t for t, found in self.states(client_id) if found == state)

    def alerts(self) -> dict[str, str]:
        """Code and level of each."""
        return {fields["code"]: fields["level"] for _, kind, _, fields in self.journal if kind == "alert"}


class Bench:
    """A running engine on a venue, for one row of the table."""

    def __init__(self, venue: Venue, engine: Engine) -> None:
        self.venue = venue
        self.engine = engine

    def fault(self, name: str, count: int = 1, **options: Any) -> None:
        """Let a fault strike the next `count` times that it can."""
        self.venue.faults.order(name, count, options)

    def note(self, text: str, **fields: Any) -> None:
        """A line of the venue's log, for the checker."""
        self.venue.log.record("note", {"text": text, **fields})

    async def decide(self, key: str, *, bps: int, symbol: str = BTC) -> None:
        """A long decision whose entry lies so many basis points above the mark price; below, it rests."""
        mark = self.venue.markets[symbol].mark

        def at(away: int) -> str:
            return str(mark * (1 + Decimal(away) / 10_000))

        self.note("decision fed", key=key, symbol=symbol, side="BUY")
        fields = {"action": "long", "entry_zone": [at(bps), at(bps)], "sl": at(-60), "tp1": at(40), "tp2": at(80)}
        await self._submit(key, symbol, {**fields, "position_size_usdt": "2000"})

    async def flat(self, key: str, symbol: str = BTC) -> None:
        """The decision to hold nothing."""
        fields = {"action": "flat", "entry_zone": ["0", "0"], "sl": "0", "position_size_usdt": "0"}
        await self._submit(key, symbol, fields)

    async def _submit(self, key: str, symbol: str, fields: dict[str, Any]) -> None:
        now = datetime.fromtimestamp(self.venue.clock.now_ns() / 1e9, UTC)
        body = {"id": key, "symbol": symbol, "timestamp_iso": now.isoformat(), "leverage": "3", "confidence": "0.8"}
        await self.engine.submit_decision(json.dumps(body | fields).encode())

    async def steer(self, bps: int, symbol: str = BTC) -> None:
        """The market drifts by so many basis points; wait until it is there."""
        self.venue.steer(symbol, self.venue.markets[symbol].mark * (1 + Decimal(bps) / 10_000), 0.3)
        await self.until(lambda: not self.venue.markets[symbol].restless)

    async def until(self, true: Callable[[], bool], within_s: float = 20.0) -> None:
        """Look until it is true; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not true():  # noqa: ASYNC110  what is looked at tells nobody when it changes
                await asyncio.sleep(0.01)

    def standing(self, symbol: str = BTC) -> set[str]:
        """Client ids of the open orders of both kinds at the venue."""
        exchange = self.venue.exchange
        return {each.client_id for each in (*exchange.orders.open(symbol), *exchange.conditional.algos.open(symbol))}

    def held(self, symbol: str = BTC) -> bool:
        """Whether the venue holds a position of ours."""
        return symbol in self.venue.exchange.account.held

    async def protected(self, key: str) -> None:
        """Wait until stop and both targets stand."""
        names = {f"capi_{role}_{key}" for role in ("sl", "tp1", "tp2")}
        await self.until(lambda: self.held() and names <= self.standing())

    async def over(self, symbol: str = BTC) -> None:
        """Wait until nothing is held and nothing stands."""
        await self.until(lambda: not self.held(symbol) and not self.standing(symbol))


Script = Callable[[Bench], Awaitable[None]]


def on_sockets(script: Script, market: SimulatorConfig = MARKET) -> Evidence:
    """Play it in real time; engine and venue share this process and talk over loopback."""
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_on_sockets(script, market, Path(directory)))


async def _on_sockets(script: Script, market: SimulatorConfig, directory: Path) -> Evidence:
    async with SimulatedVenue(market) as server:
        venue = server.venue
        settings = _settings(directory, rest_url=server.rest_url, ws_url=server.ws_url)
        engine = Engine.from_config(settings, credentials=Credentials(market.api_key, market.api_secret))
        venue.log.record("note", {"text": "engine started"})
        async with _ready(Bench(venue, engine)) as bench:
            await script(bench)
            return _evidence(bench, engine.journal.raw_rows())


def in_virtual_time(script: Script, market: SimulatorConfig = MARKET) -> Evidence:
    """Play it on a simulated network whose way takes VIRTUAL_WAY_NS; what the processor takes is not in its times."""

    async def program(stage: Stage) -> Evidence:
        async with _ready(Bench(stage.venue, stage.engine(symbols=[BTC, ETH]))) as bench:
            await script(bench)
            return _evidence(bench, stage.rows(bench.engine))

    with tempfile.TemporaryDirectory() as directory, Simulation(market.seed) as simulation:
        stage = Stage(simulation, Path(directory), market)
        stage.network.up.base_ns = stage.network.down.base_ns = VIRTUAL_WAY_NS
        return simulation.run(program(stage))


@asynccontextmanager
async def _ready(bench: Bench) -> AsyncIterator[Bench]:
    async with bench.engine:
        await bench.engine.ready(30)
        bench.note("engine ready")
        await asyncio.sleep(1.5)  # so that the stream stands firmly, and listings must show what they know
        yield bench


def _settings(directory: Path, **venue: str) -> dict[str, Any]:
    run, locks = str(directory / "run"), str(directory / "locks")
    return {"mode": "sim", "symbols": [BTC, ETH], "data_dir": run, "lock_dir": locks, "venue": venue}


def _evidence(bench: Bench, rows: Any) -> Evidence:
    rows = list(rows)
    log = list(bench.venue.log.kept)
    journal = [(row[1], row[2], row[3], json.loads(row[4])) for row in rows]
    return Evidence(log, journal, check(log, journal=rows))


def _client_id(line: dict[str, Any]) -> str:
    names = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
    return next((line["params"][name] for name in names if name in line["params"]), "")

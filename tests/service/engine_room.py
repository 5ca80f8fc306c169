"""An engine, its venue and its control socket in one process, and what tests ask of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from execactor.config import Credentials
from execactor.control import Bounds, ControlClient, ControlServer
from execactor.engine import Engine
from execactor.simulator import SimulatedVenue, SimulatorConfig

CREDENTIALS = Credentials("simulator-api-key", "simulator-api-secret")
KEYS = {"EXECACTOR_API_KEY": "simulator-api-key", "EXECACTOR_API_SECRET": "simulator-api-secret"}
SYMBOLS = ("BTCUSDT", "ETHUSDT")


@dataclass
class Room:
    venue: SimulatedVenue
    engine: Engine
    server: ControlServer
    directory: Path

    @property
    def socket(self) -> Path:
        return self.server.path

    @property
    def venue_log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "venue.jsonl").read_text().splitlines()]

    async def client(self) -> ControlClient:
        return await ControlClient.connect(self.socket)

    async def mark(self, symbol: str = "BTCUSDT") -> Decimal:
        """The mark price, once the engine knows it."""
        views: list[Any] = []
        await until(lambda: bool(views) and views[0].mark_price is not None, before=lambda: self._look(symbol, views))
        return Decimal(views[0].mark_price)

    async def _look(self, symbol: str, views: list[Any]) -> None:
        views[:] = [view for view in await self.engine.positions() if view.symbol == symbol]

    async def open(self, symbol: str = "BTCUSDT", key: str = "held", **changes: Any) -> None:
        """Hold a position with its stop and both targets at the venue."""
        body = decision(symbol, await self.mark(symbol), key=key, **changes)
        await self.engine.submit_decision(body)
        algos = self.venue.exchange.conditional.algos
        await until(lambda: len([a for a in algos.open() if a.client_id.endswith(f"_{key}")]) == 3)


def settings_of(venue_url: str, directory: Path, **changes: Any) -> dict[str, Any]:
    """A configuration shaped like the file, with everything under `directory`."""
    return {
        "mode": "sim",
        "symbols": list(SYMBOLS),
        "data_dir": str(directory / "run"),
        "lock_dir": str(directory / "locks"),
        "venue": {"rest_url": venue_url, "ws_url": venue_url.replace("http", "ws")},
        **changes,
    }


@asynccontextmanager
async def room_of(
    directory: Path, bounds: Bounds | None = None, uid: int | None = None, **simulator: Any
) -> AsyncIterator[Room]:
    async with SimulatedVenue(SimulatorConfig(seed=5, venue_log=directory / "venue.jsonl", **simulator)) as venue:
        engine = Engine.from_config(settings_of(venue.rest_url, directory), credentials=CREDENTIALS)
        async with engine:
            await engine.ready(10)
            server = ControlServer(engine, engine.config.control_socket, bounds=bounds, allowed_uid=uid)
            async with server:
                yield Room(venue, engine, server, directory)


def decision(symbol: str, mark: Decimal, *, key: str, reach: str = "0.001", **changes: Any) -> bytes:
    """A long decision; reach: how far beyond the mark its limit lies (negative: it rests)."""
    limit = mark * (1 + Decimal(reach))
    body = {
        "id": key,
        "symbol": symbol,
        "timestamp_iso": datetime.now(UTC).isoformat(),
        "action": "long",
        "entry_zone": [f"{limit - 1:f}", f"{limit + 1:f}"],
        "sl": f"{mark * Decimal('0.97'):f}",
        "tp1": f"{mark * Decimal('1.01'):f}",
        "tp2": f"{mark * Decimal('1.02'):f}",
        "position_size_usdt": "2000",
        "leverage": "3",
        "confidence": "0.8",
    }
    return json.dumps(body | changes).encode()


async def until(true: Callable[[], bool], *, within_s: float = 10, before: Callable[[], Any] | None = None) -> None:
    """Look every 10 ms until it is true; `before` is awaited each time."""
    async with asyncio.timeout(within_s):
        while True:
            if before is not None:
                await before()
            if true():
                return
            await asyncio.sleep(0.01)

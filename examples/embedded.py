"""The engine inside your own program, against a simulated venue: one order in, protected, and out again."""

import asyncio
import tempfile
from decimal import Decimal

from execactor.config import Credentials
from execactor.engine import Engine
from execactor.simulator import SimulatedVenue, SimulatorConfig

KEYS = Credentials("simulator-api-key", "simulator-api-secret")


async def main(folder: str) -> None:
    async with SimulatedVenue(SimulatorConfig()) as venue:
        urls = {"rest_url": venue.rest_url, "ws_url": venue.ws_url}
        settings = {"symbols": ["BTCUSDT"], "data_dir": folder, "lock_dir": folder, "venue": urls}
        async with Engine.from_config(settings, credentials=KEYS) as engine:
            engine.on_filled(lambda order: print("filled:", order.client_id, order.average_price))
            print("engine is", await engine.ready(10))
            entry = await engine.place_order(
                "BTCUSDT", "buy", Decimal("0.010"), Decimal(60100), idempotency_key="first", stop_loss=Decimal(59000)
            )
            print("entry accepted:", entry.success)
            print("closed:", (await engine.emergency_stop("the example ends")).closed_positions)


with tempfile.TemporaryDirectory() as directory:
    asyncio.run(main(directory))

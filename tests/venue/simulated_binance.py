"""The Binance adapter connected to a simulated venue on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from conformance import Recorder, Trading

from execactor.runtime.clock import SystemClock
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.venues.binance_usdm import BinanceSettings, BinanceUsdm, sim_urls
from execactor.venues.signing import Secret
from execactor.venues.transport import LiveTransport

SYMBOL = "BTCUSDT"


@asynccontextmanager
async def simulated(**settings: Any) -> AsyncIterator[tuple[Trading, SimulatedVenue]]:
    """A connected adapter and its venue. The generated market stands nearly still until it is steered."""
    async with SimulatedVenue(SimulatorConfig(volatility_bps=0.1)) as venue:
        adapter = adapter_of(venue, **settings)
        recorder = Recorder()
        await adapter.connect(recorder.on_event, recorder)

        async def steer(target: Decimal) -> None:
            venue.steer(SYMBOL, target, 0.2)

        async def break_private() -> None:
            venue.venue.private.disconnect("cut by the test")

        try:
            yield Trading(adapter, SYMBOL, Decimal("0.010"), recorder, steer, break_private), venue
        finally:
            await adapter.close()


def adapter_of(venue: SimulatedVenue, **settings: Any) -> BinanceUsdm:
    """An adapter that is not connected yet."""
    chosen: dict[str, Any] = {
        "urls": sim_urls(venue.rest_url, venue.ws_url),
        "api_key": Secret("simulator-api-key"),
        "api_secret": Secret("simulator-api-secret"),
        "symbols": (SYMBOL,),
    } | settings
    return BinanceUsdm(BinanceSettings(**chosen), LiveTransport(), SystemClock(asyncio.get_running_loop()))

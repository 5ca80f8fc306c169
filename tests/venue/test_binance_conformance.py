"""The shared suite, for Binance USDⓈ-M against the simulated venue, over both order paths."""

from collections.abc import AsyncIterator

import pytest
from conformance import Trading, VenueConformance
from simulated_binance import simulated


class TestBinanceUsdm(VenueConformance):
    @pytest.fixture(params=["ws", "rest"])
    async def trading(self, request: pytest.FixtureRequest) -> AsyncIterator[Trading]:
        async with simulated(order_path=request.param) as (trading, _):
            yield trading

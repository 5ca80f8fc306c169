"""Stopping and starting again: nothing is lost, nothing is left running, and it makes no noise."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from engine_session import BTC, ETH, engine_on, until, venue_of

REST: dict[str, Any] = {"venue": {"order_path": "rest", "answer_timeout_ms": 2000}}


def noise(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_stopping_under_a_stream_of_market_data_is_quiet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with venue_of(step_ms=1, volatility_bps=20.0) as venue:
        for _ in range(8):
            async with engine_on(venue, tmp_path, symbols=[BTC, ETH]) as s:
                await asyncio.gather(s.view(BTC), s.view(ETH))
                await until(lambda: venue.venue.log.counts.get("event", 0) >= 0)
        async with engine_on(venue, tmp_path, symbols=[BTC, ETH]) as s:
            assert s.alerts() == []
    assert noise(caplog) == []


async def test_stopping_with_answers_outstanding_is_quiet_and_prompt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with venue_of() as venue:
        async with engine_on(venue, tmp_path, **REST) as s:
            s.fault("rest_timeout", 3, executed=True)
            await s.feed_resting("hangs")
            await until(lambda: s.requests("entry"))
            began = time.monotonic()
        assert time.monotonic() - began < 2
        async with engine_on(venue, tmp_path, **REST) as s:
            await until(lambda: s.resting("entry") == ["capi_entry_hangs"])
            s.fill_entry("1")
            await s.protected("hangs")
    assert noise(caplog) == []

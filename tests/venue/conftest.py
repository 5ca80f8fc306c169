import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from execactor.venues.transport import LiveTransport


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The engine runs on uvloop; what touches sockets runs on both loops: they treat closed ones differently."""
    if getattr(item.module, "BOTH_LOOPS", False):
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def transport() -> AsyncIterator[LiveTransport]:
    made = LiveTransport()
    yield made
    await made.close()

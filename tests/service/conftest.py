import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
import uvloop
from engine_room import Room, room_of
from processes import Processes


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What `execactor run` uses."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A simulated venue, a ready engine and its control socket, in this process."""
    async with room_of(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that run in this process configure logging; the next test finds it as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("aiohttp", "websockets", "asyncio")}
    yield
    root.handlers[:], root.level = handlers, level
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    structlog.reset_defaults()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts `execactor` commands as processes; ends those that are left."""
    started = Processes(tmp_path)
    yield started
    started.end()

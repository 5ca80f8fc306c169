"""Finding the engine that a command means, and asking it."""

import asyncio
from pathlib import Path
from typing import Any

from execactor import config as configuration
from execactor.control.client import ControlClient


def socket_of(config_file: Path | None, data_dir: Path) -> Path:
    """The control socket of the engine with this configuration, or with this data directory."""
    if config_file is not None:
        return configuration.load(config_file).control_socket
    return data_dir.resolve() / "control.sock"


def ask(socket: Path, method: str, **params: Any) -> Any:
    """One question to a running engine; raises what ControlClient raises."""

    async def asking() -> Any:
        async with await ControlClient.connect(socket) as client:
            return await client.call(method, **params)

    return asyncio.run(asking())

"""The control socket: how other processes look at a running engine and tell it things (docs/cli.md).

A Unix-domain socket that the trading process serves on its own loop. Each frame is a 4-byte big-endian length and a
MessagePack map: requests {id, method, params}, replies {id, result} or {id, error: {code, message}}, and on a
subscribed connection {event} and {end}.
"""

from execactor.control.client import (
    ControlClient,
    ControlClosed,
    ControlDenied,
    ControlRefused,
    ControlTimeout,
    EngineAbsent,
)
from execactor.control.server import Bounds, ControlServer

__all__ = [
    "Bounds",
    "ControlClient",
    "ControlClosed",
    "ControlDenied",
    "ControlRefused",
    "ControlServer",
    "ControlTimeout",
    "EngineAbsent",
]

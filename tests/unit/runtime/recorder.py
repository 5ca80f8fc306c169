"""An actor that keeps what it is told, and the loop's turns."""

import asyncio
from typing import Any

from execactor.runtime import LoopActor


class Recorder(LoopActor):
    """Keeps (tag, message) of each message in `seen`, and answers it with itself."""

    def __init__(self, seen: list[Any], tag: str = "") -> None:
        super().__init__()
        self.seen = seen
        self.tag = tag

    def on_receive(self, message: Any) -> Any:
        self.seen.append((self.tag, message))
        return message


async def turns(count: int = 1) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)

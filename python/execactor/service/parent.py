"""Ending with the process that started this one: its end of our standard input closes, however it dies."""

import asyncio
import os
import signal
import sys


def stop_with_parent(loop: asyncio.AbstractEventLoop) -> None:
    """Send this process SIGTERM once standard input ends; the command's own signal handling then stops it."""
    fd = sys.stdin.fileno()

    def read() -> None:
        if not os.read(fd, 4096):
            loop.remove_reader(fd)
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(fd, read)

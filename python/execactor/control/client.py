"""The client of a control socket, with errors that say what to do."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from execactor.control import frames
from execactor.control.frames import BadFrame, Request
from execactor.domain.errors import ExecactorError

TIMEOUT_S = 5.0


class EngineAbsent(ExecactorError):
    """No engine serves this socket."""


class ControlDenied(ExecactorError):
    """The engine belongs to another user."""


class ControlTimeout(ExecactorError):
    """The engine did not answer in time: it hangs, or the machine is overloaded."""


class ControlClosed(ExecactorError):
    """The engine ended the connection; the message says why, when it told."""


class ControlRefused(ExecactorError):
    """The engine answered that it will not do it. code: as in frames.Problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlClient:
    """One connection: it asks (`call`) one thing at a time, or it listens (`events`), not both."""

    def __init__(
        self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
    ) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self._ids = itertools.count(1)
        self._asking = asyncio.Lock()

    @classmethod
    async def connect(cls, path: Path, timeout_s: float = TIMEOUT_S) -> Self:
        """Connect to the engine that serves `path`. Raises EngineAbsent, ControlDenied or ControlTimeout."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise EngineAbsent(f"no engine is running at {path}; start one with `execactor run`") from None
        except PermissionError:
            raise ControlDenied(f"{path} may not be opened: ask as the user that runs the engine") from None
        except TimeoutError:
            raise _hangs(path, timeout_s) from None
        except OSError as error:
            raise EngineAbsent(f"{path} cannot be reached: {error.strerror or error}") from None
        return cls(path, reader, writer, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, method: str, *, timeout_s: float | None = None, **params: Any) -> Any:
        """What the engine answers, as plain data (decimals are strings).

        Raises ControlRefused, ControlTimeout, ControlClosed or ControlDenied. After a timeout the connection is closed.
        """
        limit = self._timeout_s if timeout_s is None else timeout_s
        async with self._asking:
            try:
                async with asyncio.timeout(limit):
                    return await self._ask(Request(id=next(self._ids), method=method, params=params))
            except TimeoutError:
                self._writer.close()
                raise _hangs(self.path, limit) from None

    async def events(self, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Journal records with a sequence number above `after`, the old ones first, then each as it is written.

        Raises ControlClosed when the engine ends the stream.
        """
        await self.call("subscribe", after=after)
        while True:
            message = await self._next()
            if "event" in message:
                yield message["event"]

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()

    async def _ask(self, request: Request) -> Any:
        try:
            self._writer.write(frames.encode(request, frames.LARGEST_REQUEST))
            await self._writer.drain()
        except ConnectionError:
            raise ControlClosed(f"{self.path}: the engine ended the connection") from None
        while True:
            message = await self._next()
            if message.get("id") != request.id:
                continue
            problem = message.get("error")
            if problem is not None:
                raise ControlRefused(str(problem["code"]), str(problem["message"]))
            return message.get("result")

    async def _next(self) -> dict[str, Any]:
        try:
            body = await frames.read(self._reader, frames.LARGEST_ANSWER)
            message = None if body is None else frames.decode_message(body)
        except (ConnectionError, BadFrame) as error:
            raise ControlClosed(f"{self.path}: {error}") from None
        if message is None:
            raise ControlClosed(f"{self.path}: the engine ended the connection")
        if "end" in message:
            raise ControlClosed(f"{self.path}: {message['end']}")
        return message


def _hangs(path: Path, timeout_s: float) -> ControlTimeout:
    return ControlTimeout(
        f"the engine at {path} did not answer within {timeout_s:g} s; if it hangs, use `execactor kill --offline`"
    )

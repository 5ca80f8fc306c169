"""Child processes that never outlive this one: they watch the pipe that is their standard input."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from execactor.domain.errors import ExecactorError

STOP_S = 12.0
_TAIL_LINES = 15


class ChildFailed(ExecactorError):
    """A child process ended when it should not have."""


class Child:
    """One `execactor` command as a process of its own. Its output goes to `log`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, name: str, arguments: list[str], log: Path, environ: Mapping[str, str]) -> Self:
        """Start `execactor <arguments>`. A session of its own keeps the terminal's Ctrl-C for the parent."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "execactor",
                *arguments,
                "--exit-with-parent",
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **environ},
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def announcement(self, timeout_s: float) -> dict[str, Any]:
        """The first JSON line that it prints. Raises ChildFailed when it ends, or says nothing in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.running:
                    for line in self.log.read_text(encoding="utf-8").splitlines():
                        if line.startswith("{") and line.endswith("}"):
                            return dict(json.loads(line))
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ChildFailed(f"the {self.name} did not start within {timeout_s:g} s") from None
        last = self.last_line()
        said = f": {last}" if last else ""
        raise ChildFailed(f"the {self.name} ended with exit code {self._process.returncode}{said}")

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        """Ask it to stop; kill it when it does not within STOP_S. Returns its exit code."""
        if self.running:
            with suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    return await self._process.wait()
            except TimeoutError:
                await self.kill()
        assert self._process.returncode is not None
        return self._process.returncode

    def tail(self) -> str:
        """The last lines of its output."""
        return "\n".join(self._lines()[-_TAIL_LINES:])

    def last_line(self) -> str:
        """What it said last; empty when it said nothing."""
        return next((line for line in reversed(self._lines()) if line.strip()), "").strip()

    def _lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

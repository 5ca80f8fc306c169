"""Commands of `execactor` as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine_room import KEYS, SYMBOLS

_COMMAND = (sys.executable, "-m", "execactor")


def execactor(*arguments: str, timeout_s: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [*_COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        check=False,
    )


class Command:
    """One running command; what it prints goes to a file, so that nobody has to read along."""

    def __init__(self, arguments: tuple[str, ...], log: Path, environ: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*_COMMAND, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ},
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text()

    def line_with(self, text: str, within_s: float = 20) -> str:
        """The first line of output that holds `text`, once it is there."""
        if not eventually(lambda: text in self.output or self.process.poll() is not None, within_s):
            raise AssertionError(f"no line with {text!r} in:\n{self.output}")
        return next(line for line in self.output.splitlines() if text in line)

    def ends(self, within_s: float = 15) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within_s)

    def stop(self) -> int:
        self.process.terminate()
        return self.ends()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def hang_up(self) -> None:
        """Close its standard input, as the end of this process would."""
        assert self.process.stdin is not None
        self.process.stdin.close()


class Processes:
    """Long-running commands below one directory; every one is ended by its id."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[Command] = []

    def start(self, *arguments: str, **environ: str) -> Command:
        command = Command(arguments, self.directory / f"process{len(self._started)}.out", environ)
        self._started.append(command)
        return command

    def simulator(self, *arguments: str) -> str:
        """A simulated venue; returns its REST address."""
        log = str(self.directory / "venue.jsonl")
        venue = self.start("simulator", "--port", "0", "--json", "--venue-log", log, *arguments)
        return str(json.loads(venue.line_with("rest_url"))["rest_url"])

    def configuration(self, rest_url: str, extra: str = "") -> Path:
        """An engine's configuration file for that venue."""
        file = self.directory / "execactor.toml"
        symbols = json.dumps(list(SYMBOLS))
        urls = f'rest_url = "{rest_url}"\nws_url = "{rest_url.replace("http", "ws")}"'
        file.write_text(f'mode = "sim"\nsymbols = {symbols}\nlock_dir = "locks"\n{extra}\n[venue]\n{urls}\n')
        return file

    def engine(self, file: Path, *arguments: str) -> Command:
        """An engine that trades."""
        command = self.start("run", "-c", str(file), *arguments, **KEYS)
        command.line_with("RUNNING")
        return command

    def end(self) -> None:
        for command in reversed(self._started):
            process = command.process
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    command.kill()
            assert process.stdin is not None
            process.stdin.close()


def naming(path: Path) -> list[str]:
    """Command lines of living processes that name `path`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(path) in line:
            found.append(line)
    return found


def eventually(true: Callable[[], Any], within_s: float = 10) -> bool:
    """Look until it is true, or too late."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False

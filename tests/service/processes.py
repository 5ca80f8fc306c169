"""Commands of `execactor` as real processes."""

import json
import os
import select
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


class Processes:
    """Long-running commands below one directory; every one is ended by its id."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*_COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environ},
        )
        self._started.append(process)
        return process

    def simulator(self, *arguments: str) -> str:
        """A simulated venue; returns its REST address."""
        log = str(self.directory / "venue.jsonl")
        process = self.start("simulator", "--port", "0", "--json", "--venue-log", log, *arguments)
        return str(json.loads(line_with(process, "rest_url"))["rest_url"])

    def configuration(self, rest_url: str, extra: str = "") -> Path:
        """An engine's configuration file for that venue."""
        file = self.directory / "execactor.toml"
        symbols = json.dumps(list(SYMBOLS))
        urls = f'rest_url = "{rest_url}"\nws_url = "{rest_url.replace("http", "ws")}"'
        file.write_text(f'mode = "sim"\nsymbols = {symbols}\nlock_dir = "locks"\n{extra}\n[venue]\n{urls}\n')
        return file

    def engine(self, file: Path, *arguments: str) -> subprocess.Popen[str]:
        """An engine that trades."""
        process = self.start("run", "-c", str(file), *arguments, **KEYS)
        line_with(process, "RUNNING")
        return process

    def end(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def line_with(process: subprocess.Popen[str], text: str, within_s: float = 20) -> str:
    """The first line of output that holds `text`."""
    assert process.stdout is not None
    seen: list[str] = []
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], 0.1)[0]:
            continue
        line = process.stdout.readline()
        if not line:
            break
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r} in:\n{''.join(seen)}")


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

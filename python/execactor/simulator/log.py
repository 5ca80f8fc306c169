"""The venue log: one JSON line for everything that happened, complete enough to judge an engine by it alone.

Kinds and fields are described in docs/simulator.md. Every line is written through to the file at once.
"""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

KEPT_IN_MEMORY = 200_000


class VenueLog:
    """Numbers and stamps the lines. Without a file it keeps the last KEPT_IN_MEMORY lines in `kept`."""

    def __init__(self, path: Path | None, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._n = 0
        self.counts: dict[str, int] = {}
        self.kept: deque[dict[str, Any]] = deque(maxlen=KEPT_IN_MEMORY)
        self._file = -1
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    @property
    def lines(self) -> int:
        """How many lines were written: the number `n` of the newest."""
        return self._n

    def record(self, kind: str, fields: dict[str, Any]) -> None:
        self._n += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        line = {"n": self._n, "t": self._now_ns(), "kind": kind, **fields}
        if self._file < 0:
            self.kept.append(line)
            return
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Writes the end and closes the file."""
        self.record("end", {})
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

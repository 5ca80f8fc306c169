"""Recorded Binance market data: lines of `<receive time> <raw JSON>`, as the hftbacktest captures hold them.

Receive times are ns, or µs in the captures of 2023. Frames carry the combined-stream wrapper; the one line without a
`stream` is the REST depth snapshot. Files of one capture are joined by '+' and read in that order.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_NS_FROM = 10**17  # receive times below this are µs


class Message(NamedTuple):
    """One recorded message. raw: its JSON; event: the payload without its wrapper."""

    time_ns: int
    raw: bytes
    event: dict[str, Any]

    @property
    def is_snapshot(self) -> bool:
        return "lastUpdateId" in self.event

    @property
    def is_depth(self) -> bool:
        return self.event.get("e") == "depthUpdate"


def read(files: str) -> Iterator[Message]:
    """The messages of a capture, one file after the other. Raises ValueError for a line that is none."""
    for path in map(Path, files.split("+")):
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _message(line, f"{path.name}:{number}")


def symbol_of(files: str) -> str:
    """The symbol a capture is of. Raises ValueError when it holds no market data."""
    for message in read(files):
        if "s" in message.event:
            return str(message.event["s"])
    raise ValueError(f"{files} holds no market data message")


def _message(line: bytes, where: str) -> Message:
    time_text, _, raw = line.strip().partition(b" ")
    try:
        time = int(time_text)
        document = orjson.loads(raw)
    except ValueError:
        raise ValueError(f"{where}: expected '<receive time> <JSON>', got {line[:60]!r}") from None
    event = document.get("data", document)
    return Message(time if time >= _NS_FROM else time * 1000, raw, event)

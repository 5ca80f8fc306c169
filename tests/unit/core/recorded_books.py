"""Recorded Binance depth captures (shared/data, see its README); tests skip where they are absent."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from execactor import _core

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


class Capture(NamedTuple):
    """One recorded symbol: files that continue each other, and the units its book is kept in.

    Spot BTCUSDT had a step of 0.00001 on that day, yet some old resting orders still had a sixth decimal.
    """

    folder: str
    files: tuple[str, ...]
    tick: str
    step: str
    rule: str

    @property
    def key(self) -> str:
        """Its name in the golden file."""
        return f"{self.folder}/{'+'.join(self.files)}"

    def book(self, window: int = 32768) -> _core.Book:
        return _core.Book(self.tick, self.step, self.rule, window)


USDM = Capture("binance_usdm", ("btcusdt_20240808.gz",), "0.10", "0.001", "futures")
USDM_2023 = Capture("binance_usdm", ("btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz"), "0.10", "0.001", "futures")
COINM = Capture("binance_coinm", ("btcusd_perp_20240808.gz", "btcusd_perp_20240809.gz"), "0.1", "1", "futures")
SPOT = Capture("binance_spot", ("btcusdt_20240808.gz", "btcusdt_20240809.gz"), "0.01", "0.000001", "spot")
CAPTURES = (USDM, USDM_2023, COINM, SPOT)


def path(name: str) -> Path:
    """A file below shared/data; skips the test where it is absent."""
    found = DATA / name
    if not found.exists():
        pytest.skip(f"recorded data {name} is absent (looked in {DATA})")
    return found


def golden(capture: Capture) -> dict[str, Any]:
    with gzip.open(path("golden/book_golden.json.gz")) as file:
        return json.load(file)[capture.key]


def frames(capture: Capture) -> Iterator[tuple[str, bytes]]:
    """(kind, message) in the order received; kind is "snapshot", "delta", "ticker" or "other"."""
    for name in capture.files:
        with gzip.open(path(f"{capture.folder}/{name}")) as file:
            for line in file:
                message = line.partition(b" ")[2]
                yield kind_of(message), message


def kind_of(message: bytes) -> str:
    head = message[:120]
    if b'"lastUpdateId"' in head:
        return "snapshot"
    if b'"depthUpdate"' in head:
        return "delta"
    return "ticker" if b"@bookTicker" in head else "other"


def plain(number: Decimal) -> str:
    """Plain decimal text without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def checksum(book: _core.Book, capture: Capture) -> str:
    """SHA-256 of the whole book in the golden file's text format."""
    tick, step = Decimal(capture.tick), Decimal(capture.step)
    sides = (("b", book.bids()), ("a", book.asks()))
    lines = [f"{side},{plain(tick * t)},{plain(step * q)}\n" for side, levels in sides for t, q in levels]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def snapshot_of(book: _core.Book, capture: Capture) -> bytes:
    """The REST snapshot that the venue would have given of this book."""
    tick, step = Decimal(capture.tick), Decimal(capture.step)
    sides = [[[plain(tick * t), plain(step * q)] for t, q in levels] for levels in (book.bids(), book.asks())]
    return json.dumps({"lastUpdateId": book.last_update_id, "bids": sides[0], "asks": sides[1]}).encode()


def interleaved(name: str) -> Iterator[tuple[str, str, bytes]]:
    """(kind, symbol, message) of a cryptofeed capture that holds REST replies and stream frames in arrival order."""
    reply = re.compile(rb"^https?://\S*[?&]symbol=(\w+)\S* -> [\d.]+: ")
    frame = re.compile(rb'^[\d.]+: (?=\{"stream":"(\w+)@)')
    with gzip.open(path(name)) as file:
        for line in file:
            if found := reply.match(line):
                yield "snapshot", found[1].decode(), line[found.end() :]
            elif found := frame.match(line):
                message = line[found.end() :]
                yield kind_of(message), found[1].decode().upper(), message

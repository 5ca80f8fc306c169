"""Order book: Book.apply_json beside a plain Python book (orjson + sortedcontainers), decoding included.

`python bench/book.py [--json] [CAPTURE]` prints nanoseconds per level change and the ratio of the two.
"""

from __future__ import annotations

import gc
import gzip
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sortedcontainers import SortedDict

from execactor import _core

CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "data" / "binance_usdm" / "btcusdt_20240808.gz"
ROUNDS = 7
SEED = 20261120


class Feed(NamedTuple):
    """Depth messages of a futures symbol with tick 0.10 and step 0.001, and the snapshot before the first of them."""

    source: str
    snapshot: bytes
    messages: list[bytes]


class PlainBook:
    """The book a careful Python programmer would write: sorted maps of integer prices and sizes, no Decimal.

    The venue writes every price with two decimals and every size with three, so dropping the point makes integers.
    """

    def __init__(self) -> None:
        self.bids: SortedDict = SortedDict()
        self.asks: SortedDict = SortedDict()
        self.last_update_id = 0
        self.best = (0, 0, 0, 0)

    def apply_snapshot_json(self, message: bytes) -> None:
        snapshot = orjson.loads(message)
        self.last_update_id = snapshot["lastUpdateId"]
        self._set(snapshot["bids"], snapshot["asks"])

    def apply_json(self, message: bytes) -> None:
        event = orjson.loads(message)
        event = event.get("data", event)
        last = event["u"]
        if last < self.last_update_id:
            return
        if event["pu"] > self.last_update_id:
            raise ValueError(f"a message before {event['u']} is missing")
        self.last_update_id = last
        self._set(event["b"], event["a"])

    def _set(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for levels, side in ((bids, self.bids), (asks, self.asks)):
            for price, size in levels:
                ticks, lots = int(price.replace(".", "")), int(size.replace(".", ""))
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)
        bid, ask = self.bids.peekitem(-1), self.asks.peekitem(0)
        self.best = (bid[0] // 10, bid[1], ask[0] // 10, ask[1])


def recorded(capture: Path) -> Feed:
    """The capture's snapshot and the depth messages that are not older than it, which arrived before and after it."""
    snapshot, deltas = b"", []
    with gzip.open(capture) as file:
        for line in file:
            message = line.partition(b" ")[2]
            if b'"lastUpdateId"' in message[:40]:
                snapshot = message
            elif b'"depthUpdate"' in message[:80]:
                deltas.append(message)
    last = orjson.loads(snapshot)["lastUpdateId"]
    messages = [message for message in deltas if orjson.loads(message)["data"]["u"] >= last]
    return Feed(f"recorded capture {capture.name}", snapshot, messages)


def synthetic() -> Feed:
    """A seeded feed of about the recorded one's make-up: 68 changes a message, most of them near the best prices."""
    rng = random.Random(SEED)
    centre, last = 618_000, 1000
    written = [
        (f"{t // 10}.{t % 10}0", f"{rng.randint(1, 9)}.{rng.randint(0, 999):03}") for t in range(617_000, 619_000)
    ]
    snapshot = {"lastUpdateId": last, "bids": written[:1000][::-1], "asks": written[1000:]}
    messages = []
    for _ in range(3000):
        sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for _ in range(68):
            side = rng.randint(0, 1)
            offset = 1 + int(rng.expovariate(1 / rng.choice((5, 60, 600))))
            ticks = centre + offset if side else centre - offset
            lots = 0 if offset > 20 and rng.random() < 0.3 else rng.randint(1, 20_000)
            sides[side][f"{ticks // 10}.{ticks % 10}0"] = f"{lots // 1000}.{lots % 1000:03}"
        event = {"e": "depthUpdate", "E": 1, "T": 1, "s": "BTCUSDT", "U": last + 1, "u": last + 68, "pu": last}
        event |= {"b": list(sides[0].items()), "a": list(sides[1].items())}
        messages.append(json.dumps({"stream": "btcusdt@depth@0ms", "data": event}, separators=(",", ":")).encode())
        last += 68
    return Feed(
        f"synthetic feed, seed {SEED}, because the recorded capture is absent", json.dumps(snapshot).encode(), messages
    )


def nanoseconds(call: Callable[[bytes], Any], messages: list[bytes]) -> int:
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter_ns()
        for message in messages:
            call(message)
        return time.perf_counter_ns() - started
    finally:
        gc.enable()


def run(capture: Path = CAPTURE) -> dict[str, Any]:
    """Best of several interleaved rounds over the capture, or over the synthetic feed where that is absent."""
    feed = recorded(capture) if capture.exists() else synthetic()
    best = {"book": sys.maxsize, "python": sys.maxsize, "decode_only": sys.maxsize}
    deltas = 0
    for _ in range(ROUNDS):
        book, plain = _core.Book("0.10", "0.001"), PlainBook()
        book.apply_snapshot_json(feed.snapshot)
        plain.apply_snapshot_json(feed.snapshot)
        best["book"] = min(best["book"], nanoseconds(book.apply_json, feed.messages))
        best["python"] = min(best["python"], nanoseconds(plain.apply_json, feed.messages))
        best["decode_only"] = min(best["decode_only"], nanoseconds(orjson.loads, feed.messages))
        assert book.tradable
        assert book.bbo() == plain.best
        assert (len(book.bids()), len(book.asks())) == (len(plain.bids), len(plain.asks))
        deltas = book.counters()["deltas"]
    return {
        "source": feed.source,
        "messages": len(feed.messages),
        "deltas": deltas,
        "book_ns_per_delta": round(best["book"] / deltas, 1),
        "decode_only_ns_per_delta": round(best["decode_only"] / deltas, 1),
        "python_ns_per_delta": round(best["python"] / deltas, 1),
        "times_faster_than_python": round(best["python"] / best["book"], 1),
        "times_faster_than_decode_only": round(best["decode_only"] / best["book"], 1),
    }


def show(result: dict[str, Any]) -> None:
    """Print a measurement for people."""
    print(f"order book, {result['source']}: {result['messages']} messages, {result['deltas']} level changes")
    print(f"  Book.apply_json                   {result['book_ns_per_delta']:7.1f} ns per change")
    print(f"  orjson.loads alone                {result['decode_only_ns_per_delta']:7.1f}")
    print(f"  orjson + SortedDict               {result['python_ns_per_delta']:7.1f}")
    print(
        f"  {result['times_faster_than_python']} times faster than the Python book, "
        f"{result['times_faster_than_decode_only']} times faster than decoding alone"
    )


def main(arguments: list[str]) -> None:
    """Measure and print; `--json` prints one object."""
    paths = [Path(argument) for argument in arguments if not argument.startswith("--")]
    result = run(*paths[:1])
    print(json.dumps(result)) if "--json" in arguments else show(result)


if __name__ == "__main__":
    main(sys.argv[1:])

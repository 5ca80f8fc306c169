"""A seeded depth feed of a made-up symbol, and its book after every message. Needs no recorded data."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

Level = tuple[int, int]
TICK, STEP = "0.1", "0.001"


@dataclass
class MadeUpFeed:
    """`messages[i]` takes the book from `books[i]` to `books[i + 1]`; `ids[i]` is the last update id of `books[i]`."""

    rule: str
    seed: int = 1
    length: int = 60
    messages: list[bytes] = field(default_factory=list)
    books: list[tuple[dict[int, int], dict[int, int]]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        centre, last = 50_000, 1000
        sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for offset in range(1, 40):
            sides[0][centre - offset], sides[1][centre + offset] = rng.randint(1, 9999), rng.randint(1, 9999)
        self.books, self.ids = [(dict(sides[0]), dict(sides[1]))], [last]
        for _ in range(self.length):
            centre += rng.randint(-3, 3)
            changes: tuple[dict[int, int], dict[int, int]] = ({}, {})
            for side, direction in ((0, -1), (1, 1)):
                for _ in range(rng.randint(1, 8)):
                    changes[side][centre + direction * rng.randint(1, 50)] = rng.choice((0, rng.randint(1, 9999)))
                for ticks in [ticks for ticks in sides[side] if direction * (ticks - centre) <= 0]:
                    changes[side][ticks] = 0
                sides[side].update(changes[side])
                for ticks in [ticks for ticks, lots in sides[side].items() if lots == 0]:
                    del sides[side][ticks]
            first = last + 1 + (rng.randint(0, 5) if self.rule == "futures" else 0)
            previous, last = last, first + rng.randint(0, 9)
            self.messages.append(self._event(first, last, previous, changes))
            self.books.append((dict(sides[0]), dict(sides[1])))
            self.ids.append(last)

    def snapshot(self, index: int) -> bytes:
        """The REST snapshot of `books[index]`."""
        bids, asks = (text(side) for side in self.books[index])
        return json.dumps({"lastUpdateId": self.ids[index], "bids": bids, "asks": asks}).encode()

    def levels(self, index: int) -> tuple[list[Level], list[Level]]:
        """Bids and asks of `books[index]`, best first."""
        bids, asks = self.books[index]
        return sorted(bids.items(), reverse=True), sorted(asks.items())

    def _event(self, first: int, last: int, previous: int, changes: tuple[dict[int, int], dict[int, int]]) -> bytes:
        event = {"e": "depthUpdate", "E": 1700000000000 + last, "s": "MADEUP", "U": first, "u": last, "pu": previous}
        if self.rule == "spot":
            del event["pu"]
        event |= {"b": text(changes[0]), "a": text(changes[1])}
        return json.dumps({"stream": "madeup@depth", "data": event}, separators=(",", ":")).encode()


def text(levels: dict[int, int]) -> list[list[str]]:
    return [[f"{ticks // 10}.{ticks % 10}0", f"{lots // 1000}.{lots % 1000:03}"] for ticks, lots in levels.items()]

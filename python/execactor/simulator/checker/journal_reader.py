"""Reads a journal, from its file or from memory, checks its chain, and finds each record's place in the venue log."""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from .events import Event
from .fields import MalformedError
from .invariants import Finding, at_record
from .journal_records import Fact, Place, decode

Row = Sequence[Any]
"""seq, ts_ns, kind, key, payload, chain_hash; where known also the newest line of the venue log when it was written,
and the venue's time then."""

_JSON = json.JSONDecoder()
_STORED = "select seq, ts_ns, kind, key, payload, chain_hash from journal order by seq"
F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Journal:
    """facts: in the journal's order, of the kinds that a rule looks at. records: how many there are of all kinds."""

    facts: tuple[Fact, ...]
    records: int

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind."""
        return [fact for fact in self.facts if type(fact) is kind]


def load(source: str | Path | Iterable[Row]) -> Iterable[Row]:
    """The rows of a journal; a file is copied aside first, so that reading never touches it.

    Raises ValueError when it is not a journal.
    """
    if not isinstance(source, str | Path):
        return source
    with tempfile.TemporaryDirectory() as aside:
        copy = Path(aside) / "journal.db"
        for suffix in ("", "-wal"):
            part = Path(f"{source}{suffix}")
            if part.exists() or not suffix:
                shutil.copyfile(part, f"{copy}{suffix}")
        try:
            with closing(sqlite3.connect(copy)) as database:
                return database.execute(_STORED).fetchall()
        except sqlite3.Error as error:
            raise ValueError(f"{source} is no journal: {error}") from error


def read(rows: Iterable[Row], events: Sequence[Event]) -> tuple[Journal, list[Finding]]:
    """The facts, and what is wrong with the journal itself (I7): holes, a broken chain, records that do not parse.

    A row without a place of its own stands before the first line of the log that is not older than it.
    """
    times = list(accumulate((event.t for event in events), max))
    lines = [event.line for event in events]
    facts: list[Fact] = []
    found: list[Finding] = []
    chain, last = b"", 0
    for seq, ts_ns, kind, key, payload, chain_hash, *place in rows:
        head = b"%s|%d|%d|%s|%s|" % (chain, seq, ts_ns, kind.encode(), key.encode())
        chain = hashlib.blake2b(head + payload, digest_size=16).digest()
        if seq != last + 1:
            found.append(at_record("I7", seq, f"the journal goes from record {last} to {seq}"))
        if chain != chain_hash:
            found.append(at_record("I7", seq, f"the hash chain is broken at this {kind} record"))
            chain = chain_hash
        last = seq
        after = place[0] if place else _newest(bisect_left(times, ts_ns), lines)
        t = place[1] if len(place) > 1 else ts_ns
        try:
            fact = decode(kind, Place(seq, after, t), _JSON.decode(payload.decode()))
        except (MalformedError, ValueError, TypeError) as error:
            found.append(at_record("I7", seq, f"the {kind} record does not parse: {error}"))
            continue
        if fact is not None:
            facts.append(fact)
    return Journal(tuple(facts), last), found


def _newest(index: int, lines: Sequence[int]) -> int:
    return lines[index - 1] if index else 0

"""The journal: an append-only, hash-chained SQLite table that the trading thread alone writes.

Each record carries the hash over itself and the hash before it, so that no record, the newest included, can be changed
unnoticed. Records cut off at the end leave no trace.

Durability `process`: a record is in the operating system's hands before `append` returns, so it survives kill -9
(SQLite WAL, synchronous=NORMAL). It may be lost with the power. Nothing is synced on the trading thread but one header
when the log starts over (checkpoints.py).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import apsw
import msgspec

from execactor.domain.errors import ConfigurationError, InvariantViolated, RetryLater
from execactor.store.checkpoints import Checkpointer, Checkpoints
from execactor.store.records import Record, decode, encode

SCHEMA_VERSION = 2
OLDEST_SAFE_SQLITE = (3, 51, 3)
CHECKPOINT_RECORDS = 2_000

_SCHEMA = """
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists journal (
    seq integer primary key,
    ts_ns integer not null,
    kind text not null,
    key text not null,
    payload blob not null,
    chain_hash blob not null
);
"""
_STORED = "select seq, ts_ns, kind, key, payload, chain_hash from journal order by seq"
_INSERT = "insert into journal (seq, ts_ns, kind, key, payload, chain_hash) values "
_PLACES = "(?, ?, ?, ?, ?, ?)"

_EMPTY = hashlib.blake2b(digest_size=16)

Draft = tuple[int, str, Record]
"""A record to be written, with its time (ns, wall) and what it is about."""


class JournalRow(msgspec.Struct, frozen=True):
    """One record with its place: seq counts from 1 without holes, ts_ns is wall time."""

    seq: int
    ts_ns: int
    kind: str
    key: str
    record: Record


class Journal:
    """Open for the life of the engine; not thread-safe on purpose (one thread owns the trading state).

    created_ms, created_venue_ms: when it began, by this machine's clock and by the venue's, which `now_ms` and
    `venue_ms` tell (default: the same); no trade of ours is older than the latter, however wrong that clock's measure.
    checkpoints: who moves the log into the file; a thread by default.
    Raises ConfigurationError when the file belongs to another account or a newer version, InvariantViolated when the
    chain is broken.
    """

    def __init__(
        self,
        path: Path,
        *,
        account: str,
        now_ms: int,
        venue_ms: int | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < OLDEST_SAFE_SQLITE:
            raise ConfigurationError("sqlite", apsw.sqlite_lib_version(), "3.51.3 or newer is needed (WAL-reset bug)")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before SQLite opens it: the write-ahead log is made with the permissions of the database.
        path.touch(mode=0o600)
        path.chmod(0o600)
        self.path = path
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(2_000)
        for pragma in ("journal_mode = wal", "synchronous = normal", "wal_autocheckpoint = 0"):
            self._db.execute(f"pragma {pragma}")
        self._db.execute(_SCHEMA)
        self._claim(account, {"created_ms": now_ms, "created_venue_ms": now_ms if venue_ms is None else venue_ms})
        self.created_ms = int(self._meta("created_ms") or now_ms)
        self.created_venue_ms = int(self._meta("created_venue_ms") or self.created_ms)
        self.seq, self._hash = self._verify()
        self._cursor = self._db.cursor()
        self._checkpointer = checkpoints or Checkpointer(path)
        self._checkpoint_seq = self.seq + CHECKPOINT_RECORDS

    def append(self, record: Record, *, key: str, ts_ns: int) -> int:
        """Write one record and return its sequence number. key: what it is about (client id, symbol, account).

        Raises RetryLater when the disk does not take it; nothing is written then.
        """
        self.append_all([(ts_ns, key, record)])
        return self.seq

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """Write records, all or none of them, in one transaction.

        Raises RetryLater when the disk does not take them; nothing is written then.
        """
        seq, chain = self.seq, self._hash
        values: list[int | str | bytes] = []
        for ts_ns, key, record in drafts:
            kind, payload = encode(record)
            seq += 1
            chain = _chain(chain, seq, ts_ns, kind, key, payload)
            values += (seq, ts_ns, kind, key, payload, chain)
        try:
            self._cursor.execute(_insert(len(drafts)), values)
        except apsw.Error as error:
            raise RetryLater(f"the journal {self.path} cannot be written: {error}") from error
        self.seq, self._hash = seq, chain
        if seq >= self._checkpoint_seq:
            self._checkpoint_seq = seq + CHECKPOINT_RECORDS
            self._checkpointer.due()

    def rows(self, after: int = 0) -> Iterator[JournalRow]:
        """Records with a sequence number above `after`, in order."""
        query = "select seq, ts_ns, kind, key, payload from journal where seq > ? order by seq"
        for seq, ts_ns, kind, key, payload in self._db.execute(query, (after,)):
            yield JournalRow(seq, ts_ns, kind, key, decode(kind, payload))

    def raw_rows(self) -> Iterator[tuple[int, int, str, str, bytes, bytes]]:
        """Every record as stored (seq, ts_ns, kind, key, payload, chain_hash), for a judge that trusts no decoder."""
        yield from self._db.execute(_STORED)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._checkpointer.close()
        self._db.close()

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _claim(self, account: str, created: Mapping[str, int]) -> None:
        written_by = self._meta("schema_version")
        if written_by is not None and int(written_by) != SCHEMA_VERSION:
            age = "newer" if int(written_by) > SCHEMA_VERSION else "older"
            raise ConfigurationError(
                "data_dir", str(self.path), f"its schema {written_by} is {age} than {SCHEMA_VERSION}; use its execactor"
            )
        owner = self._meta("account")
        if owner is not None and owner != account:
            raise ConfigurationError(
                "data_dir", str(self.path), f"it belongs to account {owner}, not {account}; use a directory per account"
            )
        with self._db:
            for name, value in {"schema_version": SCHEMA_VERSION, "account": account, **created}.items():
                self._db.execute("insert or ignore into meta values (?, ?)", (name, str(value)))

    def _verify(self) -> tuple[int, bytes]:
        last, chain = 0, b""
        for seq, ts_ns, kind, key, payload, chain_hash in self.raw_rows():
            chain = _chain(chain, seq, ts_ns, kind, key, payload)
            if seq != last + 1 or chain_hash != chain:
                raise InvariantViolated(f"{self.path}: the hash chain is broken at record {seq}; restore a backup")
            last = seq
        return last, chain


@cache
def _insert(records: int) -> str:
    return _INSERT + ", ".join([_PLACES] * records)


def _chain(previous: bytes, seq: int, ts_ns: int, kind: str, key: str, payload: bytes) -> bytes:
    # Copying an empty hash takes a third of the time of making one.
    link = _EMPTY.copy()
    link.update(b"%s|%d|%d|%s|%s|%s" % (previous, seq, ts_ns, kind.encode(), key.encode(), payload))
    return link.digest()

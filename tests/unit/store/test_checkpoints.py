"""Checkpoints: the log moves into the file while the journal is open, and never on the thread that appends."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from rule_makers import SYMBOL

from execactor.domain.messages.decisions import PlanStarted
from execactor.store import checkpoints, journal
from execactor.store.checkpoints import Checkpointer
from execactor.store.journal import Journal


def append(into: Journal, records: int) -> None:
    for number in range(records):
        into.append(PlanStarted(key=f"d{number}", symbol=SYMBOL), key=SYMBOL, ts_ns=1)


def rows_in_the_file(path: Path, copy: Path) -> int:
    """Records in the database file alone, without its log; at first not even the table is there."""
    shutil.copy(path, copy)
    db = apsw.Connection(str(copy))
    try:
        return int(db.execute("select count(*) from journal").fetchone()[0])
    except apsw.SQLError:
        return 0
    finally:
        db.close()
        copy.unlink()


def eventually(true: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 20
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_the_log_moves_into_the_file_while_the_journal_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_RECORDS", 100)
    path = tmp_path / "journal.db"
    opened = Journal(path, account="a1", now_ms=1)
    append(opened, 99)
    assert all(thread.name != "checkpoints" for thread in threading.enumerate()), "nothing was due yet"
    append(opened, 1)
    assert eventually(lambda: rows_in_the_file(path, tmp_path / "copy.db") == 100)
    append(opened, 100)
    assert eventually(lambda: rows_in_the_file(path, tmp_path / "copy.db") == 200)
    opened.close()
    assert all(thread.name != "checkpoints" for thread in threading.enumerate())


def test_the_thread_that_appends_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpointer, "due", lambda _self: None)
    path = tmp_path / "journal.db"
    opened = Journal(path, account="a1", now_ms=1)
    append(opened, 6_000)
    assert rows_in_the_file(path, tmp_path / "copy.db") == 0
    assert (tmp_path / "journal.db-wal").stat().st_size > 6_000 * 4_096, "SQLite would have moved it long ago"
    opened.close()
    assert Journal(path, account="a1", now_ms=1).seq == 6_000


def test_a_checkpoint_that_fails_is_logged_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[str] = []

    class Broken:
        def __init__(self, _path: str) -> None: ...

        def execute(self, _statement: str) -> None: ...

        def wal_checkpoint(self, **_mode: Any) -> None:
            made.append("tried")
            raise apsw.FullError("no room")

        def close(self) -> None:
            made.append("closed")

    monkeypatch.setattr(checkpoints.apsw, "Connection", Broken)
    checkpointer = Checkpointer(tmp_path / "journal.db")
    with caplog.at_level(logging.WARNING):
        checkpointer.due()
        assert eventually(lambda: made == ["tried"])
        checkpointer.due()
        assert eventually(lambda: made == ["tried", "tried"])
        checkpointer.close()
    assert made[-1] == "closed"
    assert "no room" in caplog.text

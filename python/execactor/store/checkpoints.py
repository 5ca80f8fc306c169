"""Checkpoints of the journal: its write-ahead log moves into the database file on a thread of its own.

The log and the file are synced for that, which takes tens of milliseconds. The trading thread goes on writing meanwhile
(a PASSIVE checkpoint waits for nobody and holds nobody up); it syncs one header when a moved log starts over.
"""

import logging
import threading
from pathlib import Path
from typing import Protocol

import apsw

logger = logging.getLogger(__name__)

END_S = 10.0


class Checkpoints(Protocol):
    """Who makes a journal's checkpoints."""

    def due(self) -> None:
        """The log has grown: a checkpoint should be made."""

    def close(self) -> None:
        """No more of them; one that is being made has ended when this returns."""


class Checkpointer:
    """Makes a checkpoint whenever it is told that one is due. The thread starts with the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def due(self) -> None:
        """Have a checkpoint made soon; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        self._due.set()

    def close(self) -> None:
        """End the thread, after the checkpoint that it may be making."""
        self._closing = True
        self._due.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def _run(self) -> None:
        db = apsw.Connection(str(self._path))
        try:
            while True:
                self._due.wait()
                self._due.clear()
                if self._closing:
                    return
                self._checkpoint(db)
        finally:
            db.close()

    def _checkpoint(self, db: apsw.Connection) -> None:
        try:
            # A connection that has not read the file does not know that it has a log, and would do nothing.
            db.execute("pragma journal_mode = wal")
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            # Nothing is lost: the log keeps what the file has not got, and grows until a later checkpoint succeeds.
            logger.warning("a checkpoint of %s failed: %s", self._path, error)

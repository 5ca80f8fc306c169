"""The engine's journal on a disk that can be looked at in the instant in which the engine dies."""

from collections.abc import Sequence
from pathlib import Path

import apsw

from execactor.runtime import SimulatedLoop
from execactor.simulation.crash import CrashPoints
from execactor.store.journal import Draft, Journal


class SimulatedJournal(Journal):
    """The real journal, with a crash point before and after each write, and checkpoints on the one thread there is."""

    def __init__(self, path: Path, crash: CrashPoints, program: SimulatedLoop, *, account: str, now_ms: int) -> None:
        super().__init__(path, account=account, now_ms=now_ms, checkpoints=CheckpointsAtOnce(path))
        self._crash = crash
        self._program = program

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """See Journal."""
        self._crash.reach("journal.before", self._program)
        super().append_all(drafts)
        self._crash.reach("journal.after", self._program)


class CheckpointsAtOnce:
    """See execactor.store.checkpoints.Checkpoints."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def due(self) -> None:
        db = apsw.Connection(str(self._path))
        db.execute("pragma journal_mode = wal")
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        db.close()

    def close(self) -> None:
        """Nothing is under way."""

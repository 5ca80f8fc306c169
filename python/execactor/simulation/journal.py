"""The engine's journal on a disk that fills up on demand, and that survives the engine."""

from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from execactor.domain.errors import RetryLater
from execactor.runtime import SimulatedLoop
from execactor.simulation.crash import CrashPoints
from execactor.store.journal import Draft, Journal

Place = tuple[int, int]
"""The newest line of the venue's log when a record was written, and the venue's time then."""


class Disk:
    """What is known of the machine's disk. refused: share of all writes that fail; all of them when it is full.
    places: of each record, by sequence number.
    """

    def __init__(self, here: Callable[[], Place], draw: Callable[[], float]) -> None:
        self.refused = 0.0
        self._draw = draw
        self.places: dict[int, Place] = {}
        self.here = here

    def refuses(self) -> bool:
        """Whether this write fails."""
        return self.refused > 0 and self._draw() < self.refused


class SimulatedJournal(Journal):
    """The real journal, with a crash point before and after each write, and checkpoints on the one thread there is."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        crash: CrashPoints,
        program: SimulatedLoop,
        *,
        account: str,
        now_ms: int,
        venue_ms: int,
    ) -> None:
        super().__init__(path, account=account, now_ms=now_ms, venue_ms=venue_ms, checkpoints=CheckpointsAtOnce(path))
        self._disk = disk
        self._crash = crash
        self._program = program

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """See Journal."""
        if self._program.abandoned:
            return
        if self._disk.refuses():
            # Without its path, which has a random name, and would make two runs differ.
            raise RetryLater("the journal cannot be written: the simulated disk refuses")
        self._crash.reach("journal.before", self._program)
        before = self.seq
        super().append_all(drafts)
        if not self._program.abandoned:
            place = self._disk.here()
            self._disk.places.update(dict.fromkeys(range(before + 1, self.seq + 1), place))
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

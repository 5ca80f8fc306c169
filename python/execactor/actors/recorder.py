"""Recorder: what the actors record, on its way to the journal, to those who start again, and to the taps."""

import logging
from collections import deque
from collections.abc import Callable, Iterator

from execactor.domain.errors import RetryLater
from execactor.runtime import Clock
from execactor.store.journal import Draft, Journal, JournalRow
from execactor.store.records import Record, encode
from execactor.store.recovery import Recovered, fold

logger = logging.getLogger(__name__)

Tap = Callable[[Record], None]
Defer = Callable[[Callable[[], object]], object]

_BATCH = 64


class Recorder:
    """Keeps records of one turn of the loop together: one transaction takes a third of the time of three.

    Whoever lets bytes out of the process calls `write` first, so that nothing leaves before what led to it is in the
    journal; at the latest the loop's next turn writes. defer: makes a call in that turn; without it every record is
    written at once. A journal that cannot be written must not stop protection: its records wait in memory, and
    on_unwritable is told why.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        recovered: Recovered,
        on_unwritable: Callable[[str], object],
        defer: Defer | None = None,
    ) -> None:
        self.taps: list[Tap] = []
        self._journal = journal
        self._clock = clock
        self._recovered = recovered
        self._on_unwritable = on_unwritable
        self._defer = defer
        self._deferred = False
        self._unwritten: deque[Draft] = deque()
        self._unfolded: deque[Draft] = deque()
        self._untold: deque[Record] = deque()

    @property
    def recovered(self) -> Recovered:
        """The journal's fold, up to the newest record."""
        while self._unfolded:
            ts_ns, _, record = self._unfolded.popleft()
            fold(self._recovered, record, ts_ns)
        return self._recovered

    @property
    def durable(self) -> bool:
        """Whether the journal holds every record."""
        return not self._unwritten

    def record(self, record: Record, key: str) -> None:
        """Take a record; its time is now."""
        draft = (self._clock.now_ns(), key, record)
        self._unwritten.append(draft)
        self._unfolded.append(draft)
        self._untold.append(record)
        if self._defer is None:
            self.end_turn()
        elif not self._deferred:
            self._deferred = True
            self._defer(self.end_turn)

    def write(self) -> None:
        """Write what waits, in its order, as far as the disk takes it."""
        waiting = self._unwritten
        while waiting:
            batch = list(waiting) if len(waiting) <= _BATCH else [waiting[place] for place in range(_BATCH)]
            try:
                self._journal.append_all(batch)
            except RetryLater as error:
                self._on_unwritable(str(error))
                return
            for _ in batch:
                waiting.popleft()

    def end_turn(self) -> None:
        """Write, then show the records to the taps; a failing tap is logged and does not hurt trading."""
        self._deferred = False
        self.write()
        untold = self._untold
        while untold:
            record = untold.popleft()
            for tap in self.taps:
                try:
                    tap(record)
                except Exception:
                    logger.exception("a listener to journal records failed")

    def rows(self) -> Iterator[JournalRow]:
        """The journal's records, and those that wait for their place in it."""
        yield from self._journal.rows()
        for number, (ts_ns, key, record) in enumerate(self._unwritten, self._journal.seq + 1):
            yield JournalRow(number, ts_ns, encode(record)[0], key, record)

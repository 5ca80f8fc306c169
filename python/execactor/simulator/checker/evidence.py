"""What a rule may look at: the venue log, the journal beside it, and what was worked out from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from .client_ids import Names
from .events import Event, Note
from .journal_reader import Journal
from .ledger import Ledger
from .restarts import Allowances, Window, ns

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run. journal: None when only the venue's side is judged. windows: when the engine could not act, by start."""

    events: Sequence[Event]
    names: Names
    ledger: Ledger
    journal: Journal | None
    windows: Sequence[Window]
    allow: Allowances

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if type(event) is kind]

    def among(self, *kinds: type[Event]) -> list[Event]:
        """The events of these kinds, in order; most rules look at few of them."""
        wanted = frozenset(kinds)
        return [event for event in self.events if type(event) in wanted]

    @property
    def end_ns(self) -> int:
        """When the log ends."""
        return self.events[-1].t if self.events else 0

    @property
    def calm(self) -> "Calm | None":
        """The time after the last fault, when the harness noted it; None: the log may end in mid-trouble."""
        over: Note | None = None
        quiescent = False
        for note in self.of(Note):
            if note.text == "faults over":
                over, quiescent = note, False
            elif note.text == "quiescent":
                quiescent = True
        if over is None:
            return None
        return Calm(over, self.end_ns, 0 if quiescent else ns(self.allow.settle_s))

    def hindered(self, start_ns: int, end_ns: int) -> bool:
        """Whether the engine could not act at some time between."""
        return any(window.excuses(start_ns, end_ns) for window in self.windows)


@dataclass(frozen=True, slots=True)
class Calm:
    """Nothing went wrong on purpose since the note `over`. patience_ns: how long a difference may last from then on."""

    over: Note
    end_ns: int
    patience_ns: int

    def too_long(self, since_ns: int) -> bool:
        """Whether what began at `since_ns` and still holds at the log's end should have been settled."""
        return self.end_ns - max(since_ns, self.over.t) >= self.patience_ns

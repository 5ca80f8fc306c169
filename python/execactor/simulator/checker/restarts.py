"""When the engine was down, and until when a position without a stop is excused for that."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .events import Event, Mark, Note

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Graces:
    """Seconds an engine may take: after being ready, after being started again, and to protect any position."""

    ready_s: float
    restart_s: float
    protect_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """One outage: from the kill to the moment everything must be protected again.

    end_ns: the deadline; None when the engine never came back.
    ready_ns: when the engine said that it runs.
    """

    start_ns: int
    line: int
    killed: bool
    end_ns: int | None = None
    ready_ns: int | None = None

    def excuses(self, start_ns: int, end_ns: int) -> bool:
        """Whether some of [start_ns, end_ns) lies in the window. What begins after "engine ready" has no excuse."""
        if self.ready_ns is not None and start_ns >= self.ready_ns:
            return False
        return end_ns > self.start_ns and (self.end_ns is None or start_ns < self.end_ns)


def outages(events: Iterable[Event], graces: Graces) -> tuple[Window, ...]:
    """The windows of the log, in order.

    A window opens at a kill (the venue's record or the harness's note, whichever is first; both mean one kill), at an
    "engine started" that no kill announced, and at the log's first record when the engine is started later. It closes
    at "engine ready" + graces.ready_s or at "engine started" + graces.restart_s, whichever is earlier.
    """
    windows: list[Window] = []
    waiting = False
    first: Event | None = None
    for event in events:
        first = first or event
        match event:
            case Mark(kind="kill") | Note(text="engine killed"):
                if not windows or windows[-1].end_ns is not None:
                    windows.append(Window(event.t, event.line, killed=True))
                waiting = True
            case Note(text="engine started"):
                if not windows or windows[-1].end_ns is not None:
                    begin = event if windows else first
                    windows.append(Window(begin.t, begin.line, killed=False))
                _limit(windows, event.t + ns(graces.restart_s))
                waiting = True
            case Note(text="engine ready") if waiting:
                _limit(windows, event.t + ns(graces.ready_s))
                windows[-1] = replace(windows[-1], ready_ns=event.t)
                waiting = False
    return tuple(windows)


def ns(seconds: float) -> int:
    """Whole nanoseconds of a grace."""
    return round(seconds * _NS_PER_S)


def _limit(windows: list[Window], end_ns: int) -> None:
    """The stricter of the deadlines holds."""
    last = windows[-1]
    windows[-1] = replace(last, end_ns=end_ns if last.end_ns is None else min(last.end_ns, end_ns))

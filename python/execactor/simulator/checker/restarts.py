"""When the engine was down or cut off, and until when a position without a stop is excused for that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .events import Event, Mark, Note, Response

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Allowances:
    """Seconds that an engine may take.

    ready_s, restart_s: to protect what is held, after it said that it is ready, and after it was started again or the
    network came back. protect_s: to protect any position. dropped_s: to notice that the venue dropped a stop without a
    word and place another. unseen_s: to notice a fill of which no event told, beside the lag of the venue's listings.
    in_flight_s: the longest that a request may be under way. settle_s: to be at rest after the last fault.
    decision_age_s: how old a decision may be that still opens risk.
    """

    ready_s: float = 2.0
    restart_s: float = 6.0
    protect_s: float = 2.0
    dropped_s: float = 12.0
    unseen_s: float = 2.0
    in_flight_s: float = 1.0
    settle_s: float = 60.0
    decision_age_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which the engine could not act, to the moment everything must be protected again.

    end_ns: the deadline; None when the engine never came back. ready_ns: when the engine said that it runs.
    cause: "outage", "cut" (no network) or "pause" (a ban, or patience that the venue asked for). killed: by a kill.
    """

    start_ns: int
    line: int
    killed: bool = False
    end_ns: int | None = None
    ready_ns: int | None = None
    cause: str = "outage"

    def excuses(self, start_ns: int, end_ns: int) -> bool:
        """Whether some of [start_ns, end_ns) lies in the window. What begins after "engine ready" has no excuse."""
        if self.ready_ns is not None and start_ns >= self.ready_ns:
            return False
        return end_ns > self.start_ns and (self.end_ns is None or start_ns < self.end_ns)


def outages(events: Iterable[Event], allow: Allowances) -> tuple[Window, ...]:
    """The engine's own absences, in order.

    A window opens at a kill (the venue's record or the harness's note, whichever is first; both mean one kill), at an
    "engine started" that no kill announced, and at the log's first record when the engine is started later. It closes
    at "engine ready" + ready_s or at "engine started" + restart_s, whichever is earlier.
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
                    windows.append(Window(begin.t, begin.line))
                _limit(windows, event.t + ns(allow.restart_s))
                waiting = True
            case Note(text="engine ready") if waiting:
                _limit(windows, event.t + ns(allow.ready_s))
                windows[-1] = replace(windows[-1], ready_ns=event.t)
                waiting = False
    return tuple(windows)


def hindrances(events: Iterable[Event], allow: Allowances) -> tuple[Window, ...]:
    """What kept a running engine from acting: from "network cut" to "network restored" + restart_s, and from an answer
    429 or 418 until the pause that it asks for is over + protect_s and a request's way.
    """
    windows: list[Window] = []
    cut: Note | None = None
    for event in events:
        match event:
            case Note(text="network cut"):
                cut = cut or event
            case Note(text="network restored") if cut is not None:
                windows.append(Window(cut.t, cut.line, end_ns=event.t + ns(allow.restart_s), cause="cut"))
                cut = None
            case Response(retry_after_s=int(pause)):
                end = event.t + ns(pause + allow.protect_s + allow.in_flight_s)
                windows.append(Window(event.t, event.line, end_ns=end, cause="pause"))
    if cut is not None:
        windows.append(Window(cut.t, cut.line, cause="cut"))
    return tuple(windows)


def deadline(windows: Sequence[Window], start_ns: int, allowed_ns: int) -> tuple[int | None, Window | None]:
    """Until when something that began at `start_ns` may last, and the last window that extended it.

    A window extends what its beginning found in time, and what began in it; None: for ever.
    """
    due = start_ns + allowed_ns
    last: Window | None = None
    for window in windows:
        if window.start_ns <= due and window.excuses(start_ns, due + 1):
            if window.end_ns is None:
                return None, window
            due, last = max(due, window.end_ns), window
    return due, last


def ns(seconds: float) -> int:
    """Whole nanoseconds of an allowance."""
    return round(seconds * _NS_PER_S)


def _limit(windows: list[Window], end_ns: int) -> None:
    """The stricter of the deadlines holds."""
    last = windows[-1]
    windows[-1] = replace(last, end_ns=end_ns if last.end_ns is None else min(last.end_ns, end_ns))

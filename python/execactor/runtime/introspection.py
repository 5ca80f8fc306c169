"""How each actor of a system is doing, without slowing it down: what is measured at all is sampled."""

from typing import TYPE_CHECKING

import msgspec

from execactor._core import Histogram

if TYPE_CHECKING:
    from execactor.runtime.cell import Cell

FIRST_SAMPLE = 64
"""How many messages an actor handles before one is timed: most actors of a large system need no histogram."""
_RAREST = 256
_STEP_NS = 100


def next_sample(processed: int) -> int:
    """After which message the next one is timed: each time twice as many, later one in 256 (below a chain's p99)."""
    return processed + min(processed, _RAREST)


class HandlerTimes(msgspec.Struct, frozen=True):
    """How long an actor's handlers took, in ns.

    One message after 64, 128 and 256 others was timed, and then one in 256. An async handler
    counts from its start to its end, waiting included.
    """

    samples: int
    mean_ns: float
    p50_ns: int
    p99_ns: int
    max_ns: int


class HandlerClock:
    """An actor's handler times in an HDR histogram (Rust).

    In steps of 100 ns: in nanoseconds the histogram of one actor would take 40 KiB and more, so it takes 0.4 to 16 KiB
    as long as every handler stays below 0.2 ms.
    """

    __slots__ = ("_histogram",)

    def __init__(self) -> None:
        self._histogram = Histogram()

    def record(self, duration_ns: int) -> None:
        """Count one duration, rounded to the next step."""
        self._histogram.record((duration_ns + _STEP_NS // 2) // _STEP_NS)

    @property
    def times(self) -> HandlerTimes:
        """What was measured so far."""
        found = self._histogram
        return HandlerTimes(
            samples=found.count,
            mean_ns=found.mean * _STEP_NS,
            p50_ns=found.percentile(50) * _STEP_NS,
            p99_ns=found.percentile(99) * _STEP_NS,
            max_ns=found.max * _STEP_NS,
        )


class ActorSnapshot(msgspec.Struct, frozen=True):
    """One living actor.

    depths: waiting messages by lane. processed: messages handled since its start, also by earlier instances.
    phase: where it is in its life, lower case. parent, children: names; a supervisor's children in their start order.
    senders_waiting: for room in its mailbox. dead_letters: messages for it that were not handled. handlers: None until
    one was timed.
    """

    name: str
    actor_class: str
    depths: tuple[int, int, int, int]
    processed: int
    restarts: int
    last_error: str | None
    phase: str
    parent: str | None
    children: tuple[str, ...]
    senders_waiting: int
    dead_letters: int
    handlers: HandlerTimes | None


def snapshot_of(cell: "Cell") -> ActorSnapshot:
    """How one actor is doing; from any thread."""
    return ActorSnapshot(
        name=cell.name,
        actor_class=cell.actor_class.__name__,
        depths=cell.mailbox.depths,
        processed=cell.processed,
        restarts=cell.restarts,
        last_error=cell.last_error,
        phase=cell.phase.name.lower(),
        parent=None if cell.parent is None else cell.parent.name,
        children=tuple(child.name for child in cell.children),
        senders_waiting=cell.mailbox.senders_waiting,
        dead_letters=cell.lost,
        handlers=None if cell.handler_clock is None else cell.handler_clock.times,
    )

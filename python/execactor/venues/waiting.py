"""Writes that wait for a rate limit: what protects goes first, whatever the order in which it was asked for."""

from bisect import insort
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from execactor.domain.order import Role
from execactor.venues.rate_limit import Cost, RateLimiter
from execactor.venues.transport import Clock, TimerHandle


class Turn(IntEnum):
    """Who goes first when a limit opens again; within a turn the order in which they were asked for counts."""

    STOP = 0
    EXIT_OR_CANCEL = 1
    TARGET = 2
    ENTRY = 3


_TURNS = {
    Role.STOP: Turn.STOP,
    Role.TIGHTENED_STOP: Turn.STOP,
    Role.EXIT: Turn.EXIT_OR_CANCEL,
    Role.TAKE_PROFIT_1: Turn.TARGET,
    Role.TAKE_PROFIT_2: Turn.TARGET,
    Role.ENTRY: Turn.ENTRY,
}


def turn_of(role: Role) -> Turn:
    """The turn of a new order."""
    return _TURNS[role]


class Waiter(Protocol):
    """A write that may have to wait. deadline_ns: monotonic; abandoned: its outcome is known, it must not leave."""

    cost: Cost
    turn: Turn
    urgent: bool
    deadline_ns: int

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""


W = TypeVar("W", bound=Waiter)


class WaitingRoom(Generic[W]):
    """Lets writes out as soon as the limits allow, by turn.

    send: lets one out, called synchronously. give_up: called with one that would have to wait beyond its deadline, and
    how much longer it would have had to, nanoseconds.
    """

    def __init__(
        self, clock: Clock, limiter: RateLimiter, send: Callable[[W], None], give_up: Callable[[W, int], None]
    ) -> None:
        self._clock = clock
        self._limiter = limiter
        self._send = send
        self._give_up = give_up
        self._queue: list[tuple[Turn, int, W]] = []
        self._arrivals = 0
        self._timer: TimerHandle | None = None

    def enter(self, write: W) -> None:
        """Let it out now when the limits allow and nothing waits before it; else it waits for its turn."""
        if write.abandoned:
            return
        if not self._queue and not self._limiter.delay_ns(write.cost, urgent=write.urgent):
            self._send(write)
            return
        self._arrivals += 1
        insort(self._queue, (write.turn, self._arrivals, write))
        self._serve()

    def withdraw(self, wanted: Callable[[W], bool]) -> W | None:
        """Take out the first that is wanted; None when none of them is."""
        for place, (_, _, write) in enumerate(self._queue):
            if wanted(write):
                del self._queue[place]
                return write
        return None

    def _serve(self) -> None:
        now_ns = self._clock.monotonic_ns()
        queue, self._queue = self._queue, []
        kept: list[tuple[Turn, int, W]] = []
        due_ns: int | None = None
        for place in queue:
            write = place[2]
            if write.abandoned:
                continue
            delay_ns = self._limiter.delay_ns(write.cost, urgent=write.urgent)
            if not delay_ns:
                self._send(write)
            elif now_ns + delay_ns > write.deadline_ns:
                self._give_up(write, delay_ns)
            else:
                kept.append(place)
                due_ns = now_ns + delay_ns if due_ns is None else min(due_ns, now_ns + delay_ns)
        self._queue = kept
        self._wake_at(due_ns)

    def _wake_at(self, due_ns: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due_ns is None else self._clock.call_at(due_ns, self._serve)

"""How many requests may still leave: the venue's limits, counted here and corrected by what the venue reports.

Deterministic on the clock. Windows roll, although the venue's are believed to be fixed minutes: what fits into every
rolling window fits into every fixed one. A part of each limit is kept back for what reduces risk, so that entries can
never starve a stop or a cancel.
"""

from collections import deque
from typing import Literal

import msgspec

from execactor.venues.transport import Clock

Kind = Literal["weight", "orders"]

RESERVED_FRACTION = 0.2
NANOSECONDS = 1_000_000_000


class Limit(msgspec.Struct, frozen=True):
    """At most `most` units of `kind` within any `interval_s` seconds."""

    kind: Kind
    most: int
    interval_s: int


class Cost(msgspec.Struct, frozen=True):
    """What one request takes: weight of the address, orders of the account."""

    weight: int = 0
    orders: int = 0


class _Window:
    """The spending of one limit over its rolling interval."""

    def __init__(self, limit: Limit) -> None:
        self.used = 0
        self._spent: deque[tuple[int, int]] = deque()
        self.adopt(limit)

    def adopt(self, limit: Limit) -> None:
        self.limit = limit
        self._interval_ns = limit.interval_s * NANOSECONDS
        self._most_usual = int(limit.most * (1 - RESERVED_FRACTION))

    def forget(self, now_ns: int) -> None:
        """Drop what has left the window."""
        spent = self._spent
        while spent and spent[0][0] + self._interval_ns <= now_ns:
            self.used -= spent.popleft()[1]

    def spend(self, units: int, now_ns: int) -> None:
        self.forget(now_ns)
        self.used += units
        self._spent.append((now_ns, units))

    def delay_ns(self, units: int, now_ns: int, *, urgent: bool) -> int:
        """How long until `units` fit."""
        most = self.limit.most if urgent else self._most_usual
        if self.used + units <= most:
            return 0
        self.forget(now_ns)
        excess = self.used + units - max(most, units)
        if excess <= 0:
            return 0
        for spent_ns, spent_units in self._spent:
            excess -= spent_units
            if excess <= 0:
                return spent_ns + self._interval_ns - now_ns
        raise AssertionError("a window that is empty holds no excess")


class RateLimiter:
    """Tells when a request may leave, and keeps the account of those that did.

    Urgent requests (orders that reduce risk, cancels, queries of one order) may use the whole limit, all others
    leave `RESERVED_FRACTION` of it alone. A stop (429, 418) holds back everything: a request during a ban makes it
    longer.
    """

    def __init__(self, clock: Clock, limits: tuple[Limit, ...]) -> None:
        self._clock = clock
        self._windows: dict[Kind, list[_Window]] = {"weight": [], "orders": []}
        self._stopped_until_ns = 0
        self._stop_reason = ""
        self.configure(limits)

    def configure(self, limits: tuple[Limit, ...]) -> None:
        """Adopt the limits that the venue publishes; what was spent under a limit of the same kind is kept."""
        kept = {
            (window.limit.kind, window.limit.interval_s): window
            for windows in self._windows.values()
            for window in windows
        }
        self._windows = {"weight": [], "orders": []}
        for limit in limits:
            window = kept.get((limit.kind, limit.interval_s)) or _Window(limit)
            window.adopt(limit)
            self._windows[limit.kind].append(window)

    def delay_ns(self, cost: Cost, *, urgent: bool = False) -> int:
        """Nanoseconds to wait before a request of this cost may leave; 0 when it may leave now."""
        now_ns = self._clock.monotonic_ns()
        longest = max(0, self._stopped_until_ns - now_ns)
        if cost.orders:
            for window in self._windows["orders"]:
                longest = max(longest, window.delay_ns(cost.orders, now_ns, urgent=urgent))
        if cost.weight:
            for window in self._windows["weight"]:
                longest = max(longest, window.delay_ns(cost.weight, now_ns, urgent=urgent))
        return longest

    def load(self, kind: Kind) -> float:
        """The share of this kind's tightest limit that is spent, from 0; 1 while everything is stopped."""
        now_ns = self._clock.monotonic_ns()
        if self._stopped_until_ns > now_ns:
            return 1.0
        for window in self._windows[kind]:
            window.forget(now_ns)
        return max((window.used / window.limit.most for window in self._windows[kind]), default=0.0)

    def stopped_ns(self) -> int:
        """How long the venue's order to stop still holds; 0 when there is none."""
        return max(0, self._stopped_until_ns - self._clock.monotonic_ns())

    @property
    def stop_reason(self) -> str:
        """Why nothing may leave; empty when no stop holds."""
        return self._stop_reason if self.stopped_ns() else ""

    def spend(self, cost: Cost) -> None:
        """Note a request that leaves now."""
        now_ns = self._clock.monotonic_ns()
        if cost.orders:
            for window in self._windows["orders"]:
                window.spend(cost.orders, now_ns)
        if cost.weight:
            for window in self._windows["weight"]:
                window.spend(cost.weight, now_ns)

    def observe(self, kind: Kind, interval_s: int, used: int) -> None:
        """Adopt the venue's count where it is above ours: others spend from the same address or account."""
        now_ns = self._clock.monotonic_ns()
        for window in self._windows[kind]:
            if window.limit.interval_s == interval_s:
                window.forget(now_ns)
                if used > window.used:
                    window.spend(used - window.used, now_ns)

    def stop(self, duration_ns: int, reason: str) -> None:
        """Let nothing out for `duration_ns`; an earlier, longer stop stays."""
        until_ns = self._clock.monotonic_ns() + duration_ns
        if until_ns > self._stopped_until_ns:
            self._stopped_until_ns = until_ns
            self._stop_reason = reason

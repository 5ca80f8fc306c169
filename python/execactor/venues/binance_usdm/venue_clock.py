"""The venue's time, measured, and how far our wall clock is from it."""

from collections.abc import Awaitable, Callable

from execactor.venues.transport import Clock

MAX_SKEW_MS = 5_000
_NS_PER_MS = 1_000_000
_HALF_MS_NS = _NS_PER_MS // 2
_MAX_SKEW_NS = MAX_SKEW_MS * _NS_PER_MS


class VenueClock:
    """Timestamps in the venue's time.

    They are counted from the monotonic clock, so that a step of the wall clock neither makes requests fail nor
    stretches the window in which one may still be executed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ns = clock.now_ns() - clock.monotonic_ns()
        self._measured = False

    @property
    def measured(self) -> bool:
        """Whether the venue was asked for its time; until then our wall clock stands in."""
        return self._measured

    def timestamp_ms(self) -> int:
        """Now, at the venue."""
        return (self._clock.monotonic_ns() + self._ahead_ns) // _NS_PER_MS

    def offset_ms(self) -> float:
        """Venue clock minus our wall clock."""
        return (self._clock.monotonic_ns() + self._ahead_ns - self._clock.now_ns()) / _NS_PER_MS

    def skew_problem(self) -> str | None:
        """Why no risk should be taken by this clock; None while it is within 5 s of the venue's (requirement D1)."""
        offset_ns = self._clock.monotonic_ns() + self._ahead_ns - self._clock.now_ns()
        if -_MAX_SKEW_NS <= offset_ns <= _MAX_SKEW_NS:
            return None
        return f"this machine's clock is {-offset_ns / 1e9:+.1f} s off the venue's: set it (NTP) and try again"

    async def measure(self, server_time_ms: Callable[[], Awaitable[int]], samples: int) -> None:
        """Ask the venue for its time and adopt the answer with the shortest round trip, halved.

        Raises whatever `server_time_ms` raises; what was measured before then stays.
        """
        best_ns: int | None = None
        for _ in range(samples):
            sent_ns = self._clock.monotonic_ns()
            server_ms = await server_time_ms()
            round_trip_ns = self._clock.monotonic_ns() - sent_ns
            if best_ns is None or round_trip_ns < best_ns:
                best_ns = round_trip_ns
                self._measured = True
                # The venue cuts its time to whole milliseconds: half of one is missing on average.
                self._ahead_ns = server_ms * _NS_PER_MS + _HALF_MS_NS - (sent_ns + round_trip_ns // 2)

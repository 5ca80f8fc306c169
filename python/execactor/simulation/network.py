"""The way between engine and venue: how long bytes travel, drawn by seed."""

from collections.abc import Callable

from execactor.runtime import Simulation

FASTEST_NS = 100_000
SLOWEST_BASE_NS = 20_000_000
SLOWEST_JITTER_NS = 10_000_000


class Direction:
    """One way. A message takes the direction's own time, drawn once, and a jitter: mostly little, at times a lot."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self.base_ns = FASTEST_NS + int(draw() ** 2 * SLOWEST_BASE_NS)
        self._draw = draw

    def delay_ns(self) -> int:
        """How long one message takes."""
        return self.base_ns + int(self._draw() ** 6 * SLOWEST_JITTER_NS)


class InOrder:
    """Arrival times of a connection's messages in one direction: none overtakes an earlier one."""

    __slots__ = ("_direction", "_last_ns")

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._last_ns = 0

    def arrival_ns(self, now_ns: int) -> int:
        """When a message sent now arrives."""
        return self.not_before(now_ns + self._direction.delay_ns())

    def not_before(self, time_ns: int) -> int:
        """When a message arrives that cannot be there before `time_ns`."""
        self._last_ns = max(self._last_ns, time_ns)
        return self._last_ns


class Network:
    """Both ways: `up` to the venue, `down` from it."""

    def __init__(self, simulation: Simulation) -> None:
        draw = simulation.streams.of("network").random
        self.up = Direction(draw)
        self.down = Direction(draw)

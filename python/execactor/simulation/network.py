"""The way between engine and venue: how long bytes travel, drawn by seed, and when nothing gets through."""

from collections.abc import Callable
from typing import Protocol

from execactor.runtime import Simulation

FASTEST_NS = 100_000
SLOWEST_BASE_NS = 20_000_000
SLOWEST_JITTER_NS = 10_000_000
PING_INTERVAL_NS = 5_000_000_000
"""As LiveTransport: how often a connection is probed, and how long an answer to that may take."""


class Direction:
    """One way. A message takes the direction's own time, drawn once, and a jitter: mostly little, at times a lot."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self.base_ns = FASTEST_NS + int(draw() ** 2 * SLOWEST_BASE_NS)
        self.cut_until_ns = 0
        self._draw = draw

    def arrival_ns(self, now_ns: int) -> int:
        """When a message sent now arrives. While the way is cut it waits, as TCP sends again what got lost."""
        return max(now_ns, self.cut_until_ns) + self.base_ns + int(self._draw() ** 6 * SLOWEST_JITTER_NS)


class InOrder:
    """Arrival times of a connection's messages in one direction: none overtakes an earlier one."""

    __slots__ = ("_direction", "_last_ns")

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._last_ns = 0

    def arrival_ns(self, now_ns: int) -> int:
        """When a message sent now arrives."""
        self._last_ns = max(self._last_ns, self._direction.arrival_ns(now_ns))
        return self._last_ns


class Connected(Protocol):
    """A connection that the network carries."""

    def silent(self, until_ns: int) -> None:
        """Nothing gets through from now until then, at least."""
        ...

    def broken(self) -> None:
        """The connection is gone, for both ends, at once."""
        ...


class Network:
    """Both ways: `up` to the venue, `down` from it."""

    def __init__(self, simulation: Simulation) -> None:
        self._timeline = simulation.timeline
        self._log = simulation.log
        draw = simulation.streams.of("network").random
        self.up = Direction(draw)
        self.down = Direction(draw)
        self._connections: dict[Connected, None] = {}

    def join(self, connection: Connected) -> None:
        """Carry a connection from now on."""
        self._connections[connection] = None

    def leave(self, connection: Connected) -> None:
        """It has ended."""
        self._connections.pop(connection, None)

    def partition(self, ns: int, *, up: bool = True, down: bool = True) -> None:
        """Let nothing through for so long, in one direction or both; what is sent meanwhile arrives afterwards."""
        until_ns = self._timeline.now_ns + ns
        self._log.record("partition", self._timeline.now_ns, "", (ns, up, down))
        for way, cut in ((self.up, up), (self.down, down)):
            if cut:
                way.cut_until_ns = max(way.cut_until_ns, until_ns)
        for connection in list(self._connections):
            connection.silent(until_ns)

    def mend(self) -> None:
        """Let everything through again."""
        for way in (self.up, self.down):
            way.cut_until_ns = min(way.cut_until_ns, self._timeline.now_ns)

    def reset(self) -> None:
        """Break every connection."""
        self._log.record("reset", self._timeline.now_ns, "")
        for connection in list(self._connections):
            connection.broken()

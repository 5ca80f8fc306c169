"""The venue's own clock in virtual time."""

from collections.abc import Callable

from execactor.runtime import Simulation
from execactor.runtime.timeline import Call


class VenueTime:
    """See execactor.simulator.clock.Clock. skew_ns: how far the venue's wall clock is ahead of true time.

    True time is what the engine's machine showed before its clock was first made to jump.
    """

    def __init__(self, simulation: Simulation, skew_ns: int = 0) -> None:
        self._simulation = simulation
        self._timeline = simulation.timeline
        self._offset_ns = simulation.wall_offset_ns + skew_ns

    def now_ns(self) -> int:
        return self._timeline.now_ns + self._offset_ns

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Call:
        return self._simulation.world_at(self._timeline.now_ns + round(seconds * 1e9), callback)

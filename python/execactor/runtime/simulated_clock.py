"""The clock of a simulated program: monotonic time is the timeline's, wall time can be moved."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from execactor.runtime.clock import TimerHandle

if TYPE_CHECKING:
    from execactor.runtime.simulated_loop import SimulatedLoop


class SimulatedClock:
    """See Clock. `Simulation.jump_wall_clock` moves `now_ns` alone; timers are as late as the loop draws them."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop
        self._simulation = loop.simulation
        self._timeline = loop.simulation.timeline

    def now_ns(self) -> int:
        return self._timeline.now_ns + self._simulation.wall_offset_ns

    def monotonic_ns(self) -> int:
        return self._timeline.now_ns

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        return self._loop.call_at_ns(monotonic_ns, callback)

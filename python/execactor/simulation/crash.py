"""Where an engine can die: before and after each thing that it does to the world, which is a disk and a venue."""

from execactor.runtime import SimulatedLoop, Simulation


class CrashPoints:
    """Counts the points that the engine reaches, over all its lives, and kills it at the one asked for.

    Points: "journal.before" and "journal.after" each write, "send.before" and "send.after" each request over HTTP and
    each frame over a WebSocket. Before means that nothing was done yet, after that it cannot be undone.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._kill_at = 0
        self.reached = 0

    def kill_at(self, number: int) -> None:
        """Kill the engine at its point of this number, counted from 1."""
        if number <= self.reached:
            raise ValueError(f"point {number} lies in the past: {self.reached} have been reached")
        self._kill_at = number

    def reach(self, point: str, program: SimulatedLoop) -> None:
        """The engine that runs on this loop is at a point; it may be dead when this returns."""
        if program.abandoned:
            return
        self.reached += 1
        if self.reached == self._kill_at:
            self._simulation.log.record("killed", self._simulation.timeline.now_ns, point, self.reached)
            self._simulation.abandon()

"""The whole engine in virtual time: its real actors and adapter against the simulated venue (docs/simulation.md)."""

from execactor.simulation.crash import CrashPoints
from execactor.simulation.network import Network
from execactor.simulation.stage import Stage
from execactor.simulation.transport import SimulatedTransport

__all__ = ["CrashPoints", "Network", "SimulatedTransport", "Stage"]

"""A simulated Binance USDⓈ-M Futures venue on loopback, for tests, benches and the demo (docs/simulator.md)."""

from execactor.simulator.binance_server import SimulatedVenue, serve
from execactor.simulator.config import Quirks, SimulatorConfig
from execactor.simulator.symbols import DEFAULT_SYMBOLS, Symbol, synthetic_symbols

__all__ = [
    "DEFAULT_SYMBOLS",
    "Quirks",
    "SimulatedVenue",
    "SimulatorConfig",
    "Symbol",
    "serve",
    "synthetic_symbols",
]

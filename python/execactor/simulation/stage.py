"""A simulated venue on a timeline, and the engines that trade on it, one life after the other."""

import shutil
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw

from execactor import assembly, config
from execactor.config import Credentials
from execactor.engine import Engine
from execactor.runtime import Simulation
from execactor.simulation.crash import CrashPoints
from execactor.simulation.journal import Disk, Place, SimulatedJournal
from execactor.simulation.network import Network
from execactor.simulation.transport import SimulatedTransport
from execactor.simulation.venue_clock import VenueTime
from execactor.simulator import SimulatorConfig
from execactor.simulator.venue import Venue

LOOPBACK = {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1"}
"""What the configuration names; the simulated transport leads to the venue whatever it says."""


class Stage:
    """The venue, the network, and the disk of the machine on which the engine's lives run.

    directory: for the journals; every life has a directory of its own, which begins as a copy of what the life before
    left on the disk: at its orderly end, or in the instant in which it was abandoned. `crash` kills it at a chosen
    point.
    """

    def __init__(self, simulation: Simulation, directory: Path, market: SimulatorConfig, *, skew_ns: int = 0) -> None:
        self.simulation = simulation
        self.network = Network(simulation)
        self.crash = CrashPoints(simulation)
        self.venue = Venue(market, VenueTime(simulation, skew_ns))
        self.disk = Disk(self._here, simulation.streams.of("disk").random)
        self.life = 0
        self._directory = directory
        self._kept: Path | None = None

    @property
    def journal(self) -> Path:
        """The journal of the present life, or of the last."""
        return self._disk() / "journal.db"

    def engine(self, **settings: Any) -> Engine:
        """A new engine for the program that runs now. settings: changes of the configuration, tables merged."""
        self._keep_disk()
        self.life += 1
        self.note("engine started")
        disk = self._disk()
        if self._kept is not None:
            self._kept.rename(disk)
            self._kept = None
        settings_ = config.from_mapping(
            _merged({**_DEFAULTS, "data_dir": str(disk), "lock_dir": f"{disk}-lock"}, settings)
        )
        credentials = Credentials(self.venue.config.api_key, self.venue.config.api_secret)
        clock = self.simulation.clock
        transport = SimulatedTransport(self.simulation, self.venue, self.network, self.crash)
        rng = self.simulation.streams.of("adapter")
        venue = assembly.make_venue(settings_, credentials, clock, transport=transport, rng=rng)
        self.simulation.loop.when_abandoned(self._killed)
        return Engine(settings_, credentials, clock=clock, venue=venue, open_journal=self._open_journal)

    def note(self, text: str, **fields: Any) -> None:
        """Write a line of the harness into the venue's log: what the checker is to know of the engine."""
        self.venue.log.record("note", {"text": text, **fields})

    def steer(self, symbol: str, bps: int, seconds: float) -> None:
        """Let the market drift by so many basis points."""
        self.venue.steer(symbol, self.venue.markets[symbol].mark * (1 + Decimal(bps) / 10_000), seconds)

    def rows(self, engine: Engine) -> list[tuple[Any, ...]]:
        """The running engine's journal, each record with its exact place in the venue's log, for the checker."""
        return [(*row, *self.disk.places[row[0]]) for row in engine.journal.raw_rows()]

    def written(self) -> list[tuple[Any, ...]]:
        """What the last life left of the journal, with places where they are known, once no program runs."""
        if not self.journal.exists():
            return []
        with closing(apsw.Connection(str(self.journal))) as database:
            stored = database.execute("select seq, ts_ns, kind, key, payload, chain_hash from journal order by seq")
            return [(*row, *self.disk.places.get(row[0], ())) for row in stored]

    def fold_log(self) -> None:
        """Fold the venue's log into the simulation's hash, so that two runs that agree in it agree in all."""
        for line in self.venue.log.kept:
            self.simulation.log.record("venue", line["t"], line["kind"], line)

    def _here(self) -> Place:
        return self.venue.log.lines, self.venue.clock.now_ns()

    def _killed(self) -> None:
        self._keep_disk()
        self.note("engine killed")

    def _open_journal(self, path: Path, *, account: str, now_ms: int, venue_ms: int) -> SimulatedJournal:
        loop = self.simulation.loop
        return SimulatedJournal(path, self.disk, self.crash, loop, account=account, now_ms=now_ms, venue_ms=venue_ms)

    def _disk(self) -> Path:
        return self._directory / f"life-{self.life}"

    def _keep_disk(self) -> None:
        """Copy what a process that dies now leaves. Not the shared memory: SQLite makes it anew from the log."""
        if self._kept is None and self._disk().exists():
            self._kept = self._directory / "kept"
            shutil.copytree(self._disk(), self._kept, ignore=shutil.ignore_patterns("*-shm"))


_DEFAULTS: dict[str, Any] = {"mode": "sim", "venue": LOOPBACK}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, Mapping) else value
    return merged

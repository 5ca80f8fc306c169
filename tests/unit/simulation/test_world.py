"""Each incident strikes what it names, shows in the venue's log, and is over when the world calms."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from execactor.runtime import Simulation
from execactor.simulation import Stage
from execactor.simulation.plan import (
    ClockDrift,
    DiskFull,
    ForcedClose,
    Incident,
    OtherHand,
    Silence,
    ThinBook,
    VenueFault,
    VenueRestart,
)
from execactor.simulation.world import World
from execactor.simulator import SimulatorConfig

SECOND = 1_000_000_000
BTC = "BTCUSDT"


class Scene:
    """A stage on which no engine runs, and its world."""

    def __init__(self, directory: Path, simulation: Simulation) -> None:
        self.stage = Stage(simulation, directory, SimulatorConfig(seed=1, volatility_bps=0.0))
        self.world = World(self.stage)

    def strikes(self, incident: Incident) -> None:
        self.world.arm(incident, self.stage.simulation.timeline.now_ns)
        self.stage.simulation.pass_time(incident.at_ms * 1_000_000 + 1)

    def later(self, seconds: float) -> None:
        self.stage.simulation.pass_time(int(seconds * SECOND))

    def notes(self) -> list[str]:
        return [line["text"] for line in self.stage.venue.log.kept if line["kind"] == "note"]

    @property
    def held(self) -> Any:
        return self.stage.venue.exchange.account.positions[BTC].quantity


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Simulation(1) as simulation:
        yield Scene(tmp_path, simulation)


def test_a_venue_restarts_and_is_back_after_a_while(scene: Scene) -> None:
    scene.strikes(VenueRestart(at_ms=5, lasts_ms=1_000))
    assert scene.stage.venue.context.down
    scene.later(1.1)
    assert not scene.stage.venue.context.down
    assert scene.notes() == ["network cut", "network restored"]


def test_of_two_restarts_the_longer_counts(scene: Scene) -> None:
    scene.strikes(VenueRestart(at_ms=5, lasts_ms=3_000))
    scene.strikes(VenueRestart(at_ms=5, lasts_ms=1_000))
    scene.later(1.5)
    assert scene.stage.venue.context.down
    scene.later(2)
    assert not scene.stage.venue.context.down


def test_a_clock_drifts_for_a_while(scene: Scene) -> None:
    simulation = scene.stage.simulation
    before = simulation.wall_offset_ns
    scene.strikes(ClockDrift(at_ms=5, lasts_ms=2_000, ms_per_s=-30))
    scene.later(5)
    assert simulation.wall_offset_ns - before == pytest.approx(-60_000_000, rel=0.05)


def test_a_disk_refuses_a_share_of_the_writes(scene: Scene) -> None:
    scene.strikes(DiskFull(at_ms=5, lasts_ms=1_000, per_mille=500))
    refused = sum(scene.stage.disk.refuses() for _ in range(1_000))
    assert 400 < refused < 600
    scene.later(1.1)
    assert not any(scene.stage.disk.refuses() for _ in range(1_000))
    assert scene.notes() == ["disk full", "disk restored"]


def test_another_hand_trades_or_rests_until_it_withdraws(scene: Scene) -> None:
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="BUY", quantity="0.01"))
    assert str(scene.held) == "0.010"
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="SELL", quantity="0.01", rests_bps=30))
    scene.strikes(OtherHand(at_ms=6, symbol=BTC, side="BUY", quantity="0.01", rests_bps=30))
    assert len(scene.world.strangers) == 2
    scene.world.withdraw_strangers()
    assert scene.world.strangers == []


def test_what_the_venue_refuses_to_another_hand_is_no_matter(scene: Scene) -> None:
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="BUY", quantity="1000"))
    assert scene.held == 0


def test_the_venue_takes_a_part_of_a_position_away(scene: Scene) -> None:
    scene.strikes(ForcedClose(at_ms=5, symbol=BTC, why="adl", per_cent=30))
    assert scene.held == 0
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="BUY", quantity="0.01"))
    scene.strikes(ForcedClose(at_ms=5, symbol=BTC, why="adl", per_cent=30))
    assert str(scene.held) == "0.007"
    scene.strikes(ForcedClose(at_ms=5, symbol=BTC, why="liquidation"))
    assert scene.held == 0


def test_a_thin_book_fills_an_order_at_market_in_part(scene: Scene) -> None:
    scene.strikes(ThinBook(at_ms=5, lasts_ms=1_000, symbol=BTC))
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="BUY", quantity="1"))
    assert 0 < scene.held < 1
    scene.later(1.1)
    scene.strikes(OtherHand(at_ms=5, symbol=BTC, side="SELL", quantity="1"))
    assert scene.held < -0.5


CALMED: dict[str, tuple[Incident, Callable[[Stage], bool]]] = {
    "a restart of the venue": (VenueRestart(at_ms=5, lasts_ms=60_000), lambda stage: stage.venue.context.down),
    "a disk": (DiskFull(at_ms=5, lasts_ms=60_000), lambda stage: stage.disk.refuses()),
    "a fault of the venue": (
        VenueFault(at_ms=5, name="drop_event", count=9),
        lambda stage: stage.venue.faults.draw("drop_event") is not None,
    ),
    "late listings": (
        VenueFault(at_ms=5, name="listing_lag_ms", options={"ms": 500}),
        lambda stage: stage.venue.faults.listing_lag_ms > 0,
    ),
}


@pytest.mark.parametrize("name", CALMED)
def test_nothing_goes_wrong_any_more_once_the_world_calms(scene: Scene, name: str) -> None:
    incident, strikes = CALMED[name]
    scene.strikes(incident)
    assert strikes(scene.stage)
    scene.world.calm()
    assert not strikes(scene.stage)


def test_what_strikes_is_counted_by_kind(scene: Scene) -> None:
    scene.strikes(Silence(at_ms=5, lasts_ms=100, stream="private"))
    scene.strikes(Silence(at_ms=5, lasts_ms=100, stream="market"))
    scene.strikes(VenueRestart(at_ms=5, lasts_ms=10))
    scene.strikes(VenueFault(at_ms=5, name="drop_event"))  # counted by the venue's log, when it strikes
    assert scene.world.struck == {"silence": 2, "venue_restart": 1}

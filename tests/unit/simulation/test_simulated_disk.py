"""What a killed engine had written, and nothing more, is what its next life finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from execactor.domain.messages.account import Alert, AlertLevel
from execactor.runtime import Abandoned, Simulation
from execactor.simulation import CrashPoints, Stage
from execactor.simulator import SimulatorConfig
from execactor.store import journal as journals

SECOND = 1_000_000_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Simulation(1) as simulation:
        yield Stage(simulation, tmp_path, SimulatorConfig())


def alerts(stage: Stage, *written: str) -> list[str]:
    """One life: write some alerts; returns all that the journal holds."""

    async def life() -> list[str]:
        async with stage.engine(symbols=["BTCUSDT"]) as engine:
            await engine.ready(10)
            for text in written:
                alert = Alert(level=AlertLevel.INFO, code="TEST", text=text)
                engine.journal.append(alert, key="test", ts_ns=stage.simulation.now_ns())
            records = [row.record for row in engine.journal.rows()]
            return [record.text for record in records if isinstance(record, Alert) and record.code == "TEST"]

    return stage.simulation.run(life())


def points(stage: Stage) -> dict[int, str]:
    """The crash points that are reached from now on, as they are reached."""
    reached: dict[int, str] = {}
    reach = stage.crash.reach

    def listening(point: str, program: object) -> None:
        reach(point, program)  # type: ignore[arg-type]
        reached[stage.crash.reached] = point

    stage.crash.reach = listening  # type: ignore[method-assign]
    return reached


def test_an_orderly_end_keeps_all(stage: Stage) -> None:
    assert alerts(stage, "one", "two") == ["one", "two"]
    assert alerts(stage, "three") == ["one", "two", "three"]
    assert stage.life == 2


@pytest.mark.parametrize(("after", "found"), [(False, ["one"]), (True, ["one", "two"])])
def test_a_write_is_there_or_is_not(stage: Stage, after: bool, found: list[str]) -> None:
    writes = 0

    class Counting(CrashPoints):
        def reach(self, point: str, program: object) -> None:
            nonlocal writes
            writes += armed and point == f"journal.{'after' if after else 'before'}"
            if armed and writes == 2:
                self._simulation.abandon()

    armed = False
    stage.crash = Counting(stage.simulation)

    async def life() -> None:
        nonlocal armed
        async with stage.engine(symbols=["BTCUSDT"]) as engine:
            await engine.ready(10)
            armed = True
            for text in ("one", "two", "three"):
                alert = Alert(level=AlertLevel.INFO, code="TEST", text=text)
                engine.journal.append(alert, key="test", ts_ns=stage.simulation.now_ns())

    with pytest.raises(Abandoned):
        stage.simulation.run(life())
    armed = False
    assert alerts(stage) == found


def test_a_point_in_the_past_cannot_be_meant(stage: Stage) -> None:
    reached = points(stage)
    alerts(stage)
    assert set(reached.values()) == {"journal.before", "journal.after", "send.before", "send.after"}
    with pytest.raises(ValueError, match="lies in the past"):
        stage.crash.kill_at(1)


def test_checkpoints_are_made_without_a_thread(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(journals, "CHECKPOINT_RECORDS", 5)
    written = [f"{number}" for number in range(40)]
    assert alerts(stage, *written) == written
    assert alerts(stage) == written

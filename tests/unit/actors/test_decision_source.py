"""DecisionSourceActor: files on their way to decisions, half-written ones included."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from actor_stage import MS, START_NS, Stage
from rule_makers import SYMBOL

from execactor.actors.decision_source import DecisionSourceActor, Look
from execactor.domain.messages.decisions import DecisionReceived, FlatMode

POLL_NS = 250 * MS
NOW = datetime.fromtimestamp(START_NS / 1e9, UTC)


def body(key: str = "d1", *, age_s: float = 0, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "id": key,
        "symbol": SYMBOL,
        "timestamp_iso": (NOW - timedelta(seconds=age_s)).isoformat(),
        "action": "long",
        "entry_zone": [90_700, 90_900],
        "sl": 89_800,
        "tp1": 92_200,
        "tp2": 93_500,
        "position_size_usdt": 1_000,
        "leverage": 3,
        "confidence": 0.76,
    }
    return json.dumps(fields | changes).encode()


class Source:
    """A source that watches `path`; `turn` lets one interval pass."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self.stage = stage
        self.path = path
        self.ref = stage.play(DecisionSourceActor, path, POLL_NS)

    async def turn(self, times: int = 1) -> None:
        for _ in range(times):
            await self.stage.after(POLL_NS)

    @property
    def keys(self) -> list[str]:
        """Of the decisions that were handed on."""
        return [message.decision.key for message in self.stage.told("position", DecisionReceived)]

    @property
    def flat(self) -> list[str]:
        """Reasons for flat mode."""
        return [message.reason for message in self.stage.told("position", FlatMode)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "decision.json"


@pytest.fixture
async def source(stage: Stage, file: Path) -> Source:
    source = Source(stage, file)
    await stage.settle()
    return source


async def test_a_file_is_handed_on_once(source: Source, file: Path) -> None:
    await source.turn()
    assert source.keys == []
    file.write_bytes(body())
    await source.turn(5)
    assert source.keys == ["d1"]
    assert source.flat == []


async def test_a_file_that_is_there_at_the_start_is_read_at_once(stage: Stage, file: Path) -> None:
    file.write_bytes(body())
    source = Source(stage, file)
    await stage.settle()
    assert source.keys == ["d1"]


@pytest.mark.parametrize("cut", [1, 20, 100, 200, -1])
async def test_a_file_that_is_half_written_at_the_first_look_is_no_broken_decision(
    source: Source, file: Path, cut: int
) -> None:
    file.write_bytes(body()[:cut])
    await source.turn()
    file.write_bytes(body())
    await source.turn(3)
    assert source.keys == ["d1"]
    assert source.flat == []
    assert source.stage.alerts() == []


async def test_a_file_that_stays_half_written_means_flat_mode_once(source: Source, file: Path) -> None:
    file.write_bytes(body()[:100])
    await source.turn()
    assert source.flat == []
    await source.turn()
    [reason] = source.flat
    assert reason.startswith("decision.json: malformed decision")
    await source.turn(10)
    assert len(source.flat) == 1
    assert [alert.code for alert in source.stage.alerts()] == ["DECISION_UNUSABLE"]


async def test_a_file_that_is_being_written_slowly_is_waited_for(source: Source, file: Path) -> None:
    whole = body()
    for length in range(50, len(whole), 50):
        file.write_bytes(whole[:length])
        await source.turn()
    file.write_bytes(whole)
    await source.turn()
    assert source.keys == ["d1"]
    assert source.flat == []


async def test_a_broken_file_that_is_mended_counts(source: Source, file: Path) -> None:
    file.write_bytes(b"{")
    await source.turn(2)
    file.write_bytes(body("mended"))
    await source.turn()
    assert source.keys == ["mended"]


async def test_a_file_that_breaks_again_means_flat_mode_again(source: Source, file: Path) -> None:
    for text in (b"{", b"[", b"{"):
        file.write_bytes(text)
        await source.turn(2)
    assert len(source.flat) == 3


async def test_the_same_text_written_again_is_harmless(source: Source, file: Path) -> None:
    file.write_bytes(body())
    await source.turn()
    os.utime(file, ns=(1, 1))
    await source.turn()
    assert set(source.keys) == {"d1"}, "the position knows the key"
    assert source.flat == []


async def test_a_decision_exactly_ten_minutes_old_is_fresh_and_a_second_older_is_not(
    source: Source, file: Path
) -> None:
    await source.turn(3)
    fresh = source.stage.clock.now_ns() + POLL_NS
    stamp = datetime.fromtimestamp(fresh / 1e9, UTC) - timedelta(seconds=600)
    file.write_bytes(body("edge", timestamp_iso=stamp.isoformat()))
    await source.turn()
    assert source.keys == ["edge"]
    file.write_bytes(body("late", timestamp_iso=(stamp - timedelta(seconds=1)).isoformat()))
    await source.turn(2)
    assert source.keys == ["edge"]
    assert "stale decision: 60" in source.flat[0]


async def test_a_file_that_goes_away_changes_nothing(source: Source, file: Path) -> None:
    file.write_bytes(body())
    await source.turn()
    file.unlink()
    await source.turn(3)
    assert source.flat == []
    file.write_bytes(body("back"))
    await source.turn()
    assert source.keys == ["d1", "back"]


async def test_a_file_without_end_is_not_read_to_its_end(source: Source, file: Path) -> None:
    file.write_bytes(body() + b" " * 10_000_000)
    await source.turn(2)
    assert source.keys == ["d1"]
    file.write_bytes(b'{"symbol": "' + b"x" * 10_000_000)
    await source.turn(2)
    assert len(source.flat) == 1


async def test_a_path_that_cannot_be_read_is_told_and_tried_again(
    source: Source, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(body())
    file.unlink()
    file.symlink_to(file.with_name("loop"))
    file.with_name("loop").symlink_to(file)
    await source.turn()
    file.unlink()
    file.with_name("loop").unlink()
    file.write_bytes(body())
    await source.turn()
    assert source.keys == ["d1"]


async def test_a_directory_is_watched_file_by_file(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "decisions"
    folder.mkdir()
    source = Source(stage, folder)
    (folder / "a.json").write_bytes(body("a", age_s=20))
    (folder / "b.txt").write_bytes(body("b"))
    await source.turn()
    assert source.keys == ["a"]
    (folder / "c.json").write_bytes(body("c", age_s=10))
    await source.turn()
    assert source.keys == ["a", "c"]


async def test_in_a_directory_only_the_newest_of_a_symbol_has_a_say(stage: Stage, tmp_path: Path) -> None:
    for name, age_s in (("1.json", 30), ("2.json", 10), ("3.json", 20)):
        (tmp_path / name).write_bytes(body(name[0], age_s=age_s))
    (tmp_path / "old.json").write_bytes(body("old", age_s=5_000))
    source = Source(stage, tmp_path)
    await stage.settle()
    await source.turn(3)
    assert source.keys == ["2"]
    assert source.flat == [], "a stale one beside a newer one has no say"


async def test_a_decision_for_another_symbol_is_an_alert(source: Source, file: Path) -> None:
    file.write_bytes(body(symbol="XRPUSDT"))
    await source.turn()
    assert source.keys == []
    assert "XRPUSDT, which is not among the configured symbols" in source.stage.alerts()[0].text


async def test_a_broken_decision_of_another_symbol_leaves_ours_alone(source: Source, file: Path) -> None:
    file.write_bytes(b'{"symbol": "XRPUSDT"}')
    await source.turn(2)
    assert source.flat == []
    assert len(source.stage.alerts("DECISION_UNUSABLE")) == 1


async def test_a_source_that_failed_reads_again(source: Source, file: Path) -> None:
    file.write_bytes(body())
    await source.turn()
    source.ref.tell(Look())
    source.path.unlink()
    await source.turn()
    assert source.ref.is_alive()

"""Where the checker takes a journal from: the engine's own file, also after a crash, or rows in memory."""

import json
import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from run_builder import Run

from execactor.domain.account import EngineState
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.order import OrderIntent, OrderType, Role, Side
from execactor.simulator.checker import check
from execactor.simulator.checker.__main__ import main
from execactor.store.journal import Journal
from execactor.store.records import IntentRecorded


@pytest.fixture
def run() -> Run:
    whole = Run()
    whole.leave(whole.enter())
    whole.log.record("end")
    return whole


def journal_at(path: Path, *records: IntentRecorded | EngineStateChanged) -> Journal:
    journal = Journal(path, account="a1", now_ms=1)
    for number, record in enumerate(records, start=1):
        journal.append(record, key="a1", ts_ns=1_700_000_000_000_000_000 + number)
    return journal


HALTED = EngineStateChanged(state=EngineState.HALTED, epoch=1, reason="now")
INTENDED = IntentRecorded(
    intent=OrderIntent(
        client_id="capi_exit_d1",
        decision_key="d1",
        role=Role.EXIT,
        symbol="BTCUSDT",
        side=Side.SELL,
        type=OrderType.MARKET,
        quantity=Decimal(1),
        reduce_only=True,
    ),
    epoch=0,
)
RUNNING = EngineStateChanged(state=EngineState.RUNNING, epoch=1, reason="")


def test_the_engines_own_file_is_read_and_left_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal_at(path, HALTED, RUNNING).close()
    before = path.read_bytes()

    report = check(run.log.lines, journal=path)

    assert report.counts["records"] == 2
    assert [text for text in report.violations if "[A5]" in text] == [
        "record 2 [A5]: the engine is RUNNING again though nobody resumed it"
    ]
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]


def test_what_a_killed_engine_left_in_the_write_ahead_log_counts(run: Run, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "journal.db", INTENDED)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for part in tmp_path.glob("journal.db*"):
        shutil.copy(part, crashed)
    journal.close()

    assert check(run.log.lines, journal=str(crashed / "journal.db")).counts["records"] == 1


def test_rows_in_memory_are_the_same_as_the_file(run: Run, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "journal.db", HALTED, RUNNING)
    rows = list(journal.raw_rows())
    journal.close()

    assert check(run.log.lines, journal=rows) == check(run.log.lines, journal=tmp_path / "journal.db")


def test_rows_without_a_place_are_placed_by_their_time(run: Run) -> None:
    rows = [row[:6] for row in run.journal.rows]

    assert check(run.log.lines, journal=rows).violations == ()


def test_by_time_too_an_intent_must_come_before_its_order() -> None:
    run = Run()
    run.log.request(
        "order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1", newClientOrderId="capi_entry_d1"
    )
    run.wait(1)
    run.journal.intent("capi_entry_d1", "BUY", type="MARKET")

    report = check(run.log.lines, journal=[row[:6] for row in run.journal.rows])

    assert report.violations == ("line 2 [I7]: capi_entry_d1 is sent before its intent is journaled (record 1)",)


@pytest.mark.parametrize("content", [None, b"no database at all, but long enough to look like one" * 20, b""])
def test_what_is_no_journal_is_an_error(run: Run, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises((OSError, ValueError), match=r"journal\.db"):
        check(run.log.lines, journal=path)


def test_the_command_line_takes_a_journal(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "venue.jsonl"
    log.write_text("".join(run.log.text()))
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("create table journal (seq, ts_ns, kind, key, payload, chain_hash)")
        database.executemany("insert into journal values (?, ?, ?, ?, ?, ?)", [row[:6] for row in run.journal.rows])

    assert main([str(log), "--journal", str(path), "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["counts"]["records"] == len(run.journal.rows)
    assert report["coverage"]["transitions"]["SUBMITTED>ACKNOWLEDGED"] == 3


def test_without_a_journal_nothing_is_said_of_it(run: Run) -> None:
    report = check(run.log.lines)

    assert report.ok
    assert (report.counts["records"], report.coverage.transitions, report.max_unbooked_ms) == (0, {}, 0)


def test_coverage_tells_what_a_run_showed(run: Run) -> None:
    run.log.record("fault", name="http_418", detail={})
    run.log.record("fault", name="http_418", detail={})

    coverage = check(run.log.lines, journal=run.journal.rows).coverage

    assert coverage.transitions == {
        "ACKNOWLEDGED>CANCELLED": 1,
        "ACKNOWLEDGED>FILLED": 2,
        "SUBMITTED>ACKNOWLEDGED": 3,
    }
    assert set(coverage.transitions) <= set(coverage.legal)
    assert coverage.share == 3 / len(coverage.legal)
    assert (coverage.faults, coverage.closed_trades, coverage.events) == ({"http_418": 2}, 1, len(run.log.lines))


def test_the_longest_wait_of_a_trade_for_its_booking_is_measured(run: Run) -> None:
    assert check(run.log.lines, journal=run.journal.rows).max_unbooked_ms == 5

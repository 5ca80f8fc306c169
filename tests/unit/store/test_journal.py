"""The journal: what was appended comes back, in order, and what was changed behind our back does not pass."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from rule_makers import SYMBOL, dec, entry_intent, execution, order

from execactor.domain.account import EngineState
from execactor.domain.errors import ConfigurationError, InvariantViolated
from execactor.domain.messages.account import Alert, AlertLevel, EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused, PlanStarted, TradeClosed
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected
from execactor.domain.plan import Plan, Target
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.store.journal import SCHEMA_VERSION, Journal
from execactor.store.records import (
    KINDS,
    EquityMarked,
    ExecutionAttributed,
    ExecutionBooked,
    IntentRecorded,
    OrderChanged,
    Reconciled,
    Record,
    decode,
    encode,
)

PLAN = Plan(
    key="d1",
    symbol=SYMBOL,
    side=Side.BUY,
    quantity=dec("0.050"),
    entry_price=dec("90800.10"),
    stop_price=None,
    targets=(Target(dec(92_200), dec("0.5")),),
    valid_until_ms=2,
    timestamp_ms=1,
    body_hash="h",
)
POSITION = Position(symbol=SYMBOL, quantity=dec("-0.05"), entry_price=dec("90800.123456789012345678901234"))

RECORDS: dict[str, Record] = {
    "intent": IntentRecorded(intent=entry_intent(), epoch=3),
    "order": OrderChanged(order=order(filled=dec("0.010"), venue_id="1001", reason="müşteri ✓")),
    "execution": ExecutionBooked(client_id="capi_entry_d1", execution=execution(commission="0.00000001")),
    "execution_attributed": ExecutionAttributed(client_id="capi_entry_d1", execution=execution()),
    "equity": EquityMarked(day=20_000, day_start=dec("10000.10"), peak=dec(10_001), breached=("daily_loss",)),
    "reconciled": Reconciled(reason="start", counts={"missing_stop": 1}, details=("BTCUSDT",)),
    "plan": PlanAccepted(plan=PLAN),
    "plan_started": PlanStarted(key="d1", symbol=SYMBOL),
    "plan_ended": PlanEnded(key="d1", symbol=SYMBOL, reason="tp2", entered=True),
    "plan_refused": PlanRefused(key="d1", symbol=SYMBOL, reason="too much"),
    "position_adopted": PositionAdopted(position=POSITION, stop_price=dec(91_708), key="o1"),
    "position_corrected": PositionCorrected(position=POSITION, reason="the venue is right"),
    "engine": EngineStateChanged(state=EngineState.SAFE_MODE, epoch=2, reason="a surprise"),
    "trade": TradeClosed(
        key="d1",
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=dec("0.05"),
        entry_price=dec(90_800),
        exit_price=dec(90_700),
        pnl=dec("4.1"),
        commission=dec("0.9"),
        outcome="tp1",
        fills=2,
        opened_ns=5,
        closed_ns=9,
    ),
    "alert": Alert(level=AlertLevel.CRITICAL, code="MISSING_STOP", text="look", symbol=SYMBOL),
}


def opened(path: Path, account: str = "a1", now_ms: int = 77) -> Journal:
    return Journal(path, account=account, now_ms=now_ms)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = opened(path)
    yield made
    made.close()


def test_there_is_a_record_of_every_kind_in_this_table() -> None:
    assert set(RECORDS) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_a_record_comes_back_as_it_was(journal: Journal, kind: str) -> None:
    assert journal.append(RECORDS[kind], key="k", ts_ns=9) == 1
    (row,) = journal.rows()
    assert (row.seq, row.ts_ns, row.kind, row.key, row.record) == (1, 9, kind, "k", RECORDS[kind])


def test_decimals_keep_every_digit(journal: Journal) -> None:
    journal.append(RECORDS["position_adopted"], key="k", ts_ns=1)
    (row,) = journal.rows()
    assert isinstance(row.record, PositionAdopted)
    assert str(row.record.position.entry_price) == "90800.123456789012345678901234"
    assert str(row.record.position.quantity) == "-0.05"


def fill(journal: Journal, count: int) -> None:
    for number in range(1, count + 1):
        journal.append(PlanStarted(key=f"d{number}", symbol=SYMBOL), key=SYMBOL, ts_ns=number)


def keys(journal: Journal, after: int = 0) -> list[Any]:
    return [getattr(row.record, "key", None) for row in journal.rows(after)]


def test_records_are_numbered_from_one_without_holes(journal: Journal) -> None:
    fill(journal, 5)
    assert [row.seq for row in journal.rows()] == [1, 2, 3, 4, 5]
    assert journal.seq == 5


@pytest.mark.parametrize(("after", "expected"), [(0, ["d1", "d2", "d3"]), (2, ["d3"]), (3, []), (99, [])])
def test_rows_after_a_number(journal: Journal, after: int, expected: list[str]) -> None:
    fill(journal, 3)
    assert keys(journal, after) == expected


def test_a_journal_goes_on_where_it_ended(path: Path) -> None:
    first = opened(path)
    fill(first, 3)
    first.close()
    second = opened(path, now_ms=999)
    assert (second.seq, second.created_ms) == (3, 77)
    assert second.append(PlanStarted(key="d4", symbol=SYMBOL), key=SYMBOL, ts_ns=4) == 4
    assert keys(second) == ["d1", "d2", "d3", "d4"]
    second.close()
    assert opened(path).seq == 4


def test_when_a_journal_began_is_kept_in_both_clocks(path: Path) -> None:
    Journal(path, account="a1", now_ms=77, venue_ms=70).close()
    again = Journal(path, account="a1", now_ms=999, venue_ms=1_000)
    assert (again.created_ms, again.created_venue_ms) == (77, 70)


def test_reading_while_it_grows_sees_what_was_there(journal: Journal) -> None:
    fill(journal, 2)
    rows = journal.rows()
    assert next(rows).seq == 1
    journal.append(PlanStarted(key="d3", symbol=SYMBOL), key=SYMBOL, ts_ns=3)
    assert next(rows).seq == 2


def test_raw_rows_are_what_the_file_holds(journal: Journal, path: Path) -> None:
    fill(journal, 3)
    stored = apsw.Connection(str(path)).execute("select * from journal order by seq").fetchall()
    assert list(journal.raw_rows()) == stored
    assert [len(row) for row in stored] == [6, 6, 6]


def test_closing_twice_does_no_harm(path: Path) -> None:
    journal = opened(path)
    journal.close()
    journal.close()


def change(path: Path, statement: str, *values: Any) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement, values)
    assert connection.changes() == 1
    connection.close()


@pytest.mark.parametrize("seq", [1, 2, 5])
@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(
            "update journal set payload = cast(replace(payload, 'd', 'x') as blob) where seq = ?",
            id="a byte of the content",
        ),
        pytest.param("update journal set ts_ns = ts_ns + 1 where seq = ?", id="its time"),
        pytest.param("update journal set kind = 'plan_ended' where seq = ?", id="its kind"),
        pytest.param("update journal set key = 'ETHUSDT' where seq = ?", id="its key"),
        pytest.param("update journal set chain_hash = zeroblob(16) where seq = ?", id="its link"),
    ],
)
def test_a_record_that_was_changed_breaks_the_chain(path: Path, seq: int, tamper: str) -> None:
    journal = opened(path)
    fill(journal, 5)
    journal.close()
    change(path, tamper, seq)
    with pytest.raises(InvariantViolated, match="the hash chain is broken at record"):
        opened(path)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("delete from journal where seq = 1", id="the first is missing"),
        pytest.param("delete from journal where seq = 3", id="one in the middle is missing"),
        pytest.param("update journal set seq = 9 where seq = 5", id="the last is renumbered"),
    ],
)
def test_a_missing_record_breaks_the_chain(path: Path, statement: str) -> None:
    journal = opened(path)
    fill(journal, 5)
    journal.close()
    change(path, statement)
    with pytest.raises(InvariantViolated, match="restore a backup"):
        opened(path)


def test_the_journal_of_another_account_is_refused(path: Path) -> None:
    opened(path).close()
    with pytest.raises(ConfigurationError, match="it belongs to account a1, not a2; use a directory per account"):
        opened(path, "a2")


@pytest.mark.parametrize(("version", "age"), [(SCHEMA_VERSION + 1, "newer"), (SCHEMA_VERSION - 1, "older")])
def test_the_journal_of_another_version_is_refused(path: Path, version: int, age: str) -> None:
    opened(path).close()
    change(path, "update meta set value = ? where name = 'schema_version'", str(version))
    with pytest.raises(ConfigurationError, match=f"its schema {version} is {age} than {SCHEMA_VERSION}"):
        opened(path)


def test_nobody_else_may_read_it(path: Path) -> None:
    journal = opened(path)
    fill(journal, 3)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    journal.close()
    assert len(modes) == 3  # the database, its write-ahead log, its shared memory
    assert set(modes.values()) == {"0o600"}


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("teleport", b"{}", "unknown kind 'teleport': it was written by a newer execactor"),
        ("intent", b"{}", "kind 'intent' does not parse"),
        ("intent", b"{", "kind 'intent' does not parse"),
    ],
)
def test_a_record_that_this_version_does_not_know_is_an_error(kind: str, payload: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(kind, payload)


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_a_kind_keeps_its_name(kind: str) -> None:
    name, payload = encode(RECORDS[kind])
    assert name == kind
    assert decode(name, payload) == RECORDS[kind]

"""D2, D4: each change of an order is one record of an unbroken chain; a crash between two steps hides nothing."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
from actor_stage import SECOND, Stage, snapshot
from rule_makers import execution
from test_order_doubts import ENTRY, Desk, approved, shown

from execactor.domain.errors import InvariantViolated
from execactor.domain.messages.reconciliation import SnapshotArrived
from execactor.domain.order import OrderEvent, OrderState
from execactor.domain.reports import Acknowledged, ExecutionReport, Rejected, Unknown
from execactor.store.journal import Journal
from execactor.store.records import ExecutionBooked, IntentRecorded, OrderChanged


def fill(trade_id: int, quantity: str, filled: str, *, final: bool = False) -> ExecutionReport:
    trade = execution(trade_id, quantity=quantity, client_id=ENTRY, venue_order_id="9001")
    return ExecutionReport(execution=trade, filled=Decimal(filled), final=final)


CANCELLED = shown(OrderEvent.CANCELLED, filled=Decimal("0.02"))

LIVES: dict[str, tuple[Any, list[Any], list[OrderState]]] = {
    "filled in two parts": (
        Acknowledged(venue_id="9001"),
        [fill(1, "0.02", "0.02"), fill(2, "0.03", "0.05", final=True)],
        [OrderState.ACKNOWLEDGED, OrderState.PARTIALLY_FILLED, OrderState.FILLED],
    ),
    "cancelled after a part": (
        Acknowledged(venue_id="9001"),
        [fill(1, "0.02", "0.02"), CANCELLED],
        [OrderState.ACKNOWLEDGED, OrderState.PARTIALLY_FILLED, OrderState.CANCELLED],
    ),
    "refused": (Rejected(reason="margin", code=-2019), [], [OrderState.REJECTED]),
    "in doubt, then found": (
        Unknown(reason="timeout"),
        [shown(), fill(1, "0.05", "0.05", final=True)],
        [OrderState.UNKNOWN, OrderState.ACKNOWLEDGED, OrderState.FILLED],
    ),
    "repeated and late reports change nothing": (
        Acknowledged(venue_id="9001"),
        [fill(1, "0.05", "0.05", final=True), fill(1, "0.05", "0.05", final=True), shown(), CANCELLED],
        [OrderState.ACKNOWLEDGED, OrderState.FILLED],
    ),
}


@pytest.mark.parametrize("life", LIVES)
async def test_D2_each_change_of_state_leaves_exactly_one_record_and_the_chain_holds(  # noqa: N802
    stage: Stage, tmp_path: Path, life: str
) -> None:
    result, reports, states = LIVES[life]
    desk = Desk(stage)
    await desk.send(approved(), result)
    await stage.tell(desk.ref, *reports)
    stage.context.write()
    changes = [record.order.state for record in stage.records(OrderChanged)]
    assert [state for state, before in zip(changes, [None, *changes], strict=False) if state is not before] == states
    assert len(changes) == len(states)
    assert len(stage.records(IntentRecorded)) == 1
    trades = {report.execution.key for report in reports if isinstance(report, ExecutionReport)}
    assert {record.execution.key for record in stage.records(ExecutionBooked)} == trades
    assert len(stage.records(ExecutionBooked)) == len(trades)
    stage.journal.close()
    again = Journal(tmp_path / "journal.db", account="acc", now_ms=1)
    assert len(list(again.rows())) == again.seq
    again.close()


async def test_D2_one_changed_byte_of_an_orders_record_is_noticed(stage: Stage, tmp_path: Path) -> None:  # noqa: N802
    desk = Desk(stage)
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    stage.context.write()
    stage.journal.close()
    file = apsw.Connection(str(tmp_path / "journal.db"))
    one_byte = "cast(replace(payload, 'ACKNOWLEDGED', 'ACKNOWLEDGEE') as blob)"
    file.execute(f"update journal set payload = {one_byte} where kind = 'order'")
    assert file.changes() == 1
    file.close()
    with pytest.raises(InvariantViolated, match="the hash chain is broken"):
        list(Journal(tmp_path / "journal.db", account="acc", now_ms=1).rows())


@pytest.mark.parametrize("replied", [False, True], ids=["before the venue's reply", "before the reply was written"])
@pytest.mark.parametrize("lived", [True, False], ids=["it had arrived", "it had not"])
async def test_D4_after_a_crash_there_is_one_order_in_its_true_state(  # noqa: N802
    stage: Stage, tmp_path: Path, *, replied: bool, lived: bool
) -> None:
    first = Desk(stage)
    await stage.tell(first.ref, approved())
    assert stage.count("submit") == 1
    left = _what_the_disk_holds(stage, tmp_path)
    if replied:
        await stage.answer("submit", Acknowledged(venue_id="9001"))
        assert (await first.order()).state is OrderState.ACKNOWLEDGED

    second = Stage(left)
    try:
        desk = Desk(second)
        assert (await desk.order()).state is OrderState.UNKNOWN
        await second.tell(desk.ref, approved())
        await second.tell(desk.ref, SnapshotArrived(snapshot=snapshot(requested_ns=2 * SECOND)))
        assert [order.client_id for order in second.open("query")] == [ENTRY]
        if lived:
            await second.answer("query", shown())
            assert (await desk.order()).state is OrderState.ACKNOWLEDGED
        else:
            await desk.until_asked_for_evidence()
            await second.answer("snapshot", snapshot())
            ended = await desk.order()
            assert (ended.state, ended.retryable) == (OrderState.REJECTED, True)
        assert second.count("submit") == 0, "an id that was used is never sent again"
    finally:
        second.close()


def _what_the_disk_holds(stage: Stage, directory: Path) -> Path:
    """A copy of the journal as it is on the disk while the request is on its way."""
    left = directory / "left"
    left.mkdir()
    for file in directory.glob("journal.db*"):
        shutil.copy(file, left / file.name)
    assert stage.count("submit") == 1
    return left

"""The recorder: what waits, what is written together, and that nothing leaves the process before it is written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from actor_stage import START_NS, Stage
from rule_makers import SYMBOL, entry_intent
from test_order_doubts import approved

from execactor.actors.order import OrderActor
from execactor.actors.recorder import Recorder
from execactor.actors.venue_gateway import VenueGateway
from execactor.domain.messages.decisions import PlanStarted
from execactor.domain.messages.orders import CancelOrder
from execactor.domain.order import OrderIntent
from execactor.domain.reports import Acknowledged
from execactor.runtime import ManualClock
from execactor.store.journal import Journal
from execactor.store.records import IntentRecorded, Record
from execactor.store.recovery import Recovered


class Desk:
    """A recorder whose loop turns when the test says so."""

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(directory / "journal.db", account="acc", now_ms=1)
        self.turns: list[Callable[[], object]] = []
        self.refusals: list[str] = []
        self.recorder = Recorder(
            self.journal, ManualClock(START_NS), Recovered(), self.refusals.append, self.turns.append
        )
        self.told: list[Record] = []
        self.recorder.taps.append(self.told.append)

    def record(self, *numbers: int) -> None:
        for number in numbers:
            self.recorder.record(PlanStarted(key=f"d{number}", symbol=SYMBOL), SYMBOL)

    def turn(self) -> None:
        turns, self.turns[:] = list(self.turns), []
        for call in turns:
            call()

    @property
    def written(self) -> list[str]:
        return [row.record.key for row in self.journal.rows() if isinstance(row.record, PlanStarted)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def test_records_of_a_turn_are_written_when_it_ends_and_then_told(desk: Desk) -> None:
    desk.record(1, 2, 3)
    assert (desk.written, desk.told, desk.recorder.durable) == ([], [], False)
    assert len(desk.turns) == 1, "one call is enough for all of them"
    desk.turn()
    assert desk.written == ["d1", "d2", "d3"]
    assert [record.key for record in desk.told if isinstance(record, PlanStarted)] == ["d1", "d2", "d3"]
    assert desk.recorder.durable
    desk.record(4)
    assert len(desk.turns) == 1, "the next turn is asked for again"


def test_write_brings_all_of_them_to_the_journal_at_once(desk: Desk) -> None:
    desk.record(1, 2)
    desk.recorder.write()
    assert (desk.written, desk.recorder.durable) == (["d1", "d2"], True)
    assert desk.told == [], "those who listen do not hold up what leaves now"
    desk.turn()
    assert len(desk.told) == 2
    assert desk.written == ["d1", "d2"]


def test_more_than_a_batch_keeps_its_order(desk: Desk) -> None:
    desk.record(*range(200))
    desk.turn()
    assert desk.written == [f"d{number}" for number in range(200)]


def test_what_waits_is_among_the_rows_and_in_the_fold(desk: Desk) -> None:
    desk.record(1)
    desk.recorder.write()
    desk.record(2)
    assert [(row.seq, row.kind) for row in desk.recorder.rows()] == [(1, "plan_started"), (2, "plan_started")]
    desk.recorder.record(IntentRecorded(intent=entry_intent(), epoch=0), "capi_entry_d1")
    assert list(desk.recorder.recovered.symbol(SYMBOL).orders) == ["capi_entry_d1"]
    assert len(desk.recorder.recovered.symbol(SYMBOL).orders) == 1, "folded once"


def test_a_journal_that_refuses_loses_nothing_and_says_why(desk: Desk) -> None:
    [[pages]] = list(desk.journal._db.execute("pragma page_count"))
    desk.journal._db.execute(f"pragma max_page_count = {pages}")
    for number in range(200):
        desk.record(number)
        desk.turn()
    assert "disk is full" in desk.refusals[0]
    assert not desk.recorder.durable
    assert len(desk.told) == 200
    desk.journal._db.execute("pragma max_page_count = 100000")
    desk.recorder.write()
    assert desk.written == [f"d{number}" for number in range(200)]


def test_a_tap_that_fails_hurts_nobody(desk: Desk) -> None:
    def fail(_record: Record) -> None:
        raise RuntimeError("no")

    desk.recorder.taps.insert(0, fail)
    desk.record(1)
    desk.turn()
    assert len(desk.told) == 1


async def test_whatever_was_recorded_is_in_the_journal_before_bytes_leave(stage: Stage) -> None:
    """Of another symbol's actor, too, and for a cancel as for an order."""
    seen: list[tuple[str, int, bool]] = []
    turns: list[Callable[[], object]] = []
    stage.context.recorder = Recorder(
        stage.journal, stage.clock, stage.context.recovered, lambda reason: None, turns.append
    )
    stage.play(VenueGateway, at="gateway")
    ref = stage.play(OrderActor, SYMBOL, at="order")
    submit, cancel = stage.venue.submit, stage.venue.cancel

    def submitted(intent: OrderIntent, guard: Any) -> Any:
        seen.append((intent.client_id, stage.journal.seq, stage.context.durable))
        return submit(intent, guard)

    def cancelled(order: Any) -> Any:
        seen.append((order.client_id, stage.journal.seq, stage.context.durable))
        return cancel(order)

    stage.venue.submit, stage.venue.cancel = submitted, cancelled  # type: ignore[method-assign]
    stage.context.record(PlanStarted(key="other", symbol="ETHUSDT"), "ETHUSDT")
    await stage.tell(ref, approved())
    await stage.answer("submit", Acknowledged(venue_id="9001"))
    before = stage.journal.seq
    assert not stage.context.durable, "the acknowledgement waits for the end of its turn"
    await stage.tell(ref, CancelOrder(client_id="capi_entry_d1", reason="no"))
    assert seen == [("capi_entry_d1", 2, True), ("capi_entry_d1", before + 1, True)]

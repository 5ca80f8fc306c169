"""Replaying the journal gives what was known when it was written, for any history of orders and trades."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_makers import BTC, SYMBOL, entry_intent, execution, stop_intent

from execactor.domain.order import Facts, Order, OrderEvent, OrderState
from execactor.domain.order_table import Change, OrderTable
from execactor.domain.position import Position
from execactor.domain.reports import ExecutionReport
from execactor.domain.side import Side
from execactor.store.journal import JournalRow
from execactor.store.records import ExecutionBooked, IntentRecorded, OrderChanged, Record, decode, encode
from execactor.store.recovery import SymbolHistory, replay

IDS = ["capi_entry_d1", "capi_sl_d1", "capi_entry_d2"]
UNANSWERED = (OrderState.CREATED, OrderState.RISK_APPROVED, OrderState.SUBMITTED)

events = st.tuples(
    st.just("event"),
    st.sampled_from(IDS),
    st.sampled_from([event for event in OrderEvent if event not in (OrderEvent.APPROVED, OrderEvent.SENT)]),
    st.none() | st.integers(1, 60).map(lambda lots: lots * BTC.step_size),
    st.booleans(),
)
trades = st.tuples(
    st.just("trade"),
    st.sampled_from(IDS),
    st.integers(1, 12),
    st.integers(1, 30).map(lambda lots: lots * BTC.step_size),
    st.integers(900_000, 910_000).map(lambda ticks: ticks * BTC.tick_size),
    st.booleans(),
)
strays = st.tuples(st.just("stray"), st.integers(100, 104), st.sampled_from(Side), st.booleans())
histories = st.lists(events | trades | strays, max_size=30)


class Live:
    """Keeps orders and the position as the actors do, and journals what they journal."""

    def __init__(self) -> None:
        self.table = OrderTable()
        self.position = Position(symbol=SYMBOL)
        self.records: list[Record] = []
        for client_id in IDS:
            intent = stop_intent(client_id) if "_sl_" in client_id else entry_intent(client_id)
            self.records.append(IntentRecorded(intent=intent, epoch=0))
            self.table.add(intent)
            self.table.apply(client_id, OrderEvent.SENT, now_ns=5)

    def play(self, history: list[tuple[Any, ...]]) -> None:
        for entry in history:
            match entry:
                case ("event", client_id, event, filled, verified):
                    facts = Facts(venue_id=f"v{client_id}", venue_filled=filled, verified=verified, reason="so it is")
                    self._publish(self.table.apply(client_id, event, now_ns=7, facts=facts))
                case ("trade", client_id, number, quantity, price, final):
                    side = self.table.orders[client_id].intent.side
                    one = execution(number, side, quantity, price, client_id=client_id, commission="0.01")
                    change = self.table.execute(ExecutionReport(execution=one, filled=quantity, final=final), now_ns=8)
                    assert change is not None
                    self._publish(change)
                case ("stray", number, side, _):
                    one = execution(number, side, "0.01", 90_000)
                    if one.key not in self.table.booked:
                        self.table.booked.add(one.key)
                        self.position = self.position.after(one)
                        self.records.append(ExecutionBooked(client_id="", execution=one))

    def _publish(self, change: Change) -> None:
        if change.ignored is not None and change.execution is None:
            return
        if change.execution is not None:
            self.position = self.position.after(change.execution)
            self.records.append(ExecutionBooked(client_id=change.order.client_id, execution=change.execution))
        self.records.append(OrderChanged(order=change.order))


def written_and_read(records: list[Record]) -> SymbolHistory:
    rows = [JournalRow(seq, seq, "", "", decode(*encode(record))) for seq, record in enumerate(records, start=1)]
    return replay(rows).symbol(SYMBOL)


def essence(order: Order) -> Order:
    """What is left of an order when the process that knew its times and requests is gone."""
    state = OrderState.UNKNOWN if order.state in UNANSWERED else order.state
    return msgspec.structs.replace(order, state=state, sent_ns=1, acknowledged_ns=0, ended_ns=0, pending=None)


@given(histories)
@settings(max_examples=300)
def test_replay_equals_what_was_known(history: list[tuple[Any, ...]]) -> None:
    live = Live()
    live.play(history)
    told = written_and_read(live.records)
    assert told.booked.keys() == live.table.booked
    assert told.position == live.position
    journaled: dict[str, Order] = {}
    for record in live.records:
        if isinstance(record, OrderChanged):
            journaled[record.order.client_id] = record.order
    for client_id, order in told.orders.items():
        if client_id in journaled:
            assert order == essence(journaled[client_id])
        else:
            assert order.state is OrderState.UNKNOWN


@given(histories, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_records_of_executions_that_come_twice_change_nothing(history: list[tuple[Any, ...]], random: Any) -> None:
    live = Live()
    live.play(history)
    executions = [record for record in live.records if isinstance(record, ExecutionBooked)]
    told, again = written_and_read(live.records), written_and_read(live.records + executions)
    assert (again.position, again.booked, again.fills) == (told.position, told.booked, told.fills)
    assert again.orders == told.orders


@given(histories, st.data())
@settings(max_examples=300)
def test_a_process_may_die_after_any_record(history: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """A cut anywhere loses no booked trade, and no order that was meant to be sent."""
    live = Live()
    live.play(history)
    cut = data.draw(st.integers(0, len(live.records)))
    records = live.records[:cut]
    told = written_and_read(records)
    booked = [record for record in records if isinstance(record, ExecutionBooked)]
    assert told.position.quantity == sum((each.execution.signed_quantity for each in booked), Decimal(0))
    filled: dict[str, Decimal] = dict.fromkeys(told.orders, Decimal(0))
    for each in booked:
        if each.client_id:
            filled[each.client_id] += each.execution.quantity
    assert {client_id: order.filled for client_id, order in told.orders.items()} == filled
    intents = {record.intent.client_id for record in records if isinstance(record, IntentRecorded)}
    assert set(told.orders) == intents
    assert all(order.state not in UNANSWERED for order in told.orders.values())

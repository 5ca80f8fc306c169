"""Every pair of order state and event: where it leads, or why it is ignored."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from rule_makers import entry_intent, execution, exit_intent, order, stop_intent

from execactor.domain.order import (
    TERMINAL,
    Facts,
    Order,
    OrderEvent,
    OrderState,
    OrderType,
    Pending,
    RejectCause,
    Role,
    advance,
    book,
    transition,
)

_CODES = {
    "NEW": OrderState.CREATED,
    "APP": OrderState.RISK_APPROVED,
    "SUB": OrderState.SUBMITTED,
    "UNK": OrderState.UNKNOWN,
    "ACK": OrderState.ACKNOWLEDGED,
    "TNG": OrderState.TRIGGERING,
    "TRD": OrderState.TRIGGERED,
    "PAR": OrderState.PARTIALLY_FILLED,
    "FIL": OrderState.FILLED,
    "CAN": OrderState.CANCELLED,
    "REJ": OrderState.REJECTED,
    "EXP": OrderState.EXPIRED,
}
_EVENTS = {
    "approved": OrderEvent.APPROVED,
    "sent": OrderEvent.SENT,
    "lost": OrderEvent.OUTCOME_LOST,
    "absent": OrderEvent.PROVEN_ABSENT,
    "ack": OrderEvent.ACKNOWLEDGED,
    "trigger": OrderEvent.TRIGGERING,
    "child": OrderEvent.TRIGGERED,
    "part": OrderEvent.PARTIALLY_FILLED,
    "filled": OrderEvent.FILLED,
    "cancel": OrderEvent.CANCELLED,
    "reject": OrderEvent.REJECTED,
    "expire": OrderEvent.EXPIRED,
}

# A row a state, a column an event; a cell is the state that follows, a dot is ignored.
_TABLE = """
     approved sent lost absent ack trigger child part filled cancel reject expire
NEW  APP      SUB  UNK  .      .   .       .     .    .      CAN    REJ    .
APP  .        SUB  UNK  .      .   .       .     .    .      CAN    REJ    .
SUB  .        .    UNK  .      ACK TNG     TRD   PAR  FIL    CAN    REJ    EXP
UNK  .        .    .    REJ    ACK TNG     TRD   PAR  FIL    CAN    REJ    EXP
ACK  .        .    .    .      .   TNG     TRD   PAR  FIL    CAN    REJ    EXP
TNG  .        .    .    .      .   .       TRD   PAR  FIL    CAN    REJ    EXP
TRD  .        .    .    .      .   .       .     PAR  FIL    CAN    REJ    EXP
PAR  .        .    .    .      .   .       .     .    FIL    CAN    REJ    EXP
FIL  .        .    .    .      .   .       .     .    .      .      .      .
CAN  .        .    .    .      .   .       .     .    .      .      .      .
REJ  .        .    .    .      .   .       .     .    .      .      .      .
EXP  .        .    .    .      .   .       .     .    .      .      .      .
"""


def _cells() -> Iterator[tuple[OrderState, OrderEvent, OrderState | None]]:
    header, *rows = _TABLE.strip().splitlines()
    events = [_EVENTS[name] for name in header.split()]
    for row in rows:
        code, *cells = row.split()
        for event, cell in zip(events, cells, strict=True):
            yield _CODES[code], event, _CODES.get(cell)


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [
        pytest.param(state, event, then, id=f"{state} + {event} -> {then or 'ignored'}")
        for state, event, then in _cells()
    ],
)
def test_D2_every_pair_leads_somewhere_or_is_ignored_with_a_sentence(  # noqa: N802  # the requirement's name
    state: OrderState, event: OrderEvent, then: OrderState | None
) -> None:
    following = transition(state, event)
    if then is not None:
        assert following is then
    else:
        assert not isinstance(following, OrderState)
        assert len(following.split()) >= 4


def test_D2_the_table_names_every_pair_once() -> None:  # noqa: N802
    pairs = [(state, event) for state, event, _ in _cells()]
    assert len(pairs) == len(set(pairs)) == len(OrderState) * len(OrderEvent)


@pytest.mark.parametrize(
    ("state", "event", "sentence"),
    [
        pytest.param(
            OrderState.FILLED,
            OrderEvent.ACKNOWLEDGED,
            "the order has ended FILLED: status messages no longer count, executions do",
            id="a late acknowledgement never revives a filled order",
        ),
        pytest.param(
            OrderState.RISK_APPROVED,
            OrderEvent.APPROVED,
            "APPROVED comes twice: the order is RISK_APPROVED",
            id="a second approval is a repetition",
        ),
        pytest.param(
            OrderState.SUBMITTED,
            OrderEvent.SENT,
            "SENT comes twice: the order is SUBMITTED",
            id="an order is sent once",
        ),
        pytest.param(
            OrderState.CREATED,
            OrderEvent.FILLED,
            "FILLED cannot concern an order that was never sent (CREATED)",
            id="what was never sent cannot be filled",
        ),
        pytest.param(
            OrderState.ACKNOWLEDGED,
            OrderEvent.OUTCOME_LOST,
            "a lost answer changes nothing: the order is ACKNOWLEDGED",
            id="a lost answer is not a failure",
        ),
        pytest.param(
            OrderState.SUBMITTED,
            OrderEvent.PROVEN_ABSENT,
            "proof of absence needs an order in UNKNOWN, not SUBMITTED",
            id="absence is proven only of what is in doubt",
        ),
        pytest.param(
            OrderState.PARTIALLY_FILLED,
            OrderEvent.ACKNOWLEDGED,
            "late ACKNOWLEDGED: the order is already PARTIALLY_FILLED",
            id="an acknowledgement after the first fill is late",
        ),
    ],
)
def test_an_ignored_event_comes_with_its_reason(state: OrderState, event: OrderEvent, sentence: str) -> None:
    assert transition(state, event) == sentence


@pytest.mark.parametrize("end", sorted(TERMINAL))
def test_an_ended_order_absorbs_executions_but_keeps_its_end(end: OrderState) -> None:
    ended = order(end, filled=Decimal("0.02"), quote_filled=Decimal(1816), ended_ns=5)
    after = book(ended, execution(quantity="0.01", price=90_700), now_ns=9)
    assert after.state is end
    assert (after.filled, after.quote_filled) == (Decimal("0.03"), Decimal(2723))
    assert after.ended_ns == 5


@pytest.mark.parametrize("state", [state for state in OrderState if state not in TERMINAL])
def test_an_execution_proves_that_a_live_order_reached_the_venue(state: OrderState) -> None:
    after = book(order(state), execution(quantity="0.01"), now_ns=7)
    assert after.state is OrderState.PARTIALLY_FILLED
    assert after.verified
    assert after.acknowledged_ns == 7


def test_the_execution_that_completes_the_quantity_ends_the_order() -> None:
    partly = order(filled=Decimal("0.04"), pending=Pending.CANCEL, acknowledged_ns=3)
    after = book(partly, execution(quantity="0.01"), now_ns=7)
    assert after.state is OrderState.FILLED
    assert (after.ended_ns, after.acknowledged_ns, after.pending) == (7, 3, None)


def test_an_order_that_closes_the_position_is_never_complete_by_its_quantity() -> None:
    after = book(order(intent=stop_intent()), execution(quantity=100), now_ns=7)
    assert after.state is OrderState.PARTIALLY_FILLED


def test_what_a_late_status_states_of_identity_and_quantity_is_kept() -> None:
    ended = order(OrderState.CANCELLED, filled=Decimal("0.01"), venue_filled=Decimal("0.01"))
    facts = Facts(venue_id="77", child_id="78", venue_filled=Decimal("0.03"), verified=True, reason="too late")
    after, ignored = advance(ended, OrderEvent.ACKNOWLEDGED, now_ns=9, facts=facts)
    assert ignored is not None
    assert (after.venue_id, after.child_id, after.venue_filled, after.verified) == ("77", "78", Decimal("0.03"), True)
    assert (after.state, after.reason) == (OrderState.CANCELLED, "")


def test_a_reported_quantity_never_shrinks() -> None:
    after, _ = advance(
        order(venue_filled=Decimal("0.03")),
        OrderEvent.PARTIALLY_FILLED,
        now_ns=1,
        facts=Facts(venue_filled=Decimal("0.01")),
    )
    assert after.venue_filled == Decimal("0.03")


def test_nothing_changes_when_an_ignored_event_brings_nothing() -> None:
    before = order(OrderState.FILLED)
    after, _ = advance(before, OrderEvent.ACKNOWLEDGED, now_ns=9)
    assert after is before


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        pytest.param(order(OrderState.ACKNOWLEDGED), False, id="a live order is not settled"),
        pytest.param(order(OrderState.CANCELLED), True, id="an order that never traded is settled at its end"),
        pytest.param(
            order(OrderState.CANCELLED, filled=Decimal("0.01"), venue_filled=Decimal("0.03")),
            False,
            id="fills that the venue reported and we have not booked keep it open",
        ),
        pytest.param(
            order(OrderState.FILLED, filled=Decimal("0.05"), venue_filled=Decimal("0.05")),
            True,
            id="all fills are booked",
        ),
    ],
)
def test_settled(given: Order, settled: bool) -> None:
    assert given.settled is settled


@pytest.mark.parametrize(
    ("state", "live", "working"),
    [
        (OrderState.CREATED, True, False),
        (OrderState.RISK_APPROVED, True, False),
        (OrderState.SUBMITTED, True, False),
        (OrderState.UNKNOWN, True, False),
        (OrderState.ACKNOWLEDGED, True, True),
        (OrderState.TRIGGERING, True, True),
        (OrderState.TRIGGERED, True, True),
        (OrderState.PARTIALLY_FILLED, True, True),
        (OrderState.FILLED, False, False),
        (OrderState.CANCELLED, False, False),
        (OrderState.REJECTED, False, False),
        (OrderState.EXPIRED, False, False),
    ],
)
def test_an_unknown_order_may_trade_but_works_only_once_acknowledged(
    state: OrderState, live: bool, working: bool
) -> None:
    assert (order(state).live, order(state).working) == (live, working)


def test_the_average_price_is_that_of_the_booked_executions() -> None:
    assert order().average_price is None
    booked = book(book(order(), execution(1, quantity="0.01", price=100), now_ns=1), execution(2, price=103), now_ns=2)
    assert booked.average_price == Decimal("101.5")


@pytest.mark.parametrize(
    ("event", "noted"),
    [
        (OrderEvent.TRIGGERING, True),
        (OrderEvent.TRIGGERED, True),
        (OrderEvent.CANCELLED, False),
    ],
)
def test_a_triggered_order_remembers_it_beyond_its_end(event: OrderEvent, noted: bool) -> None:
    triggered, _ = advance(order(intent=stop_intent()), event, now_ns=1)
    ended, _ = advance(triggered, OrderEvent.REJECTED, now_ns=2)
    assert ended.triggered is noted


def test_times_are_those_of_the_hand_over_the_first_confirmation_and_the_end() -> None:
    sent, _ = advance(order(OrderState.RISK_APPROVED), OrderEvent.SENT, now_ns=10)
    acknowledged, _ = advance(sent, OrderEvent.ACKNOWLEDGED, now_ns=20)
    partly, _ = advance(acknowledged, OrderEvent.PARTIALLY_FILLED, now_ns=30)
    ended, _ = advance(partly, OrderEvent.CANCELLED, now_ns=40)
    assert (ended.sent_ns, ended.acknowledged_ns, ended.ended_ns) == (10, 20, 40)


@pytest.mark.parametrize("reason", ["the price is beyond the trigger", ""])
def test_the_cause_of_a_refusal_is_kept_with_and_without_words(reason: str) -> None:
    facts = Facts(reason=reason, cause=RejectCause.WOULD_TRIGGER, retryable=True)
    refused, _ = advance(order(OrderState.SUBMITTED), OrderEvent.REJECTED, now_ns=1, facts=facts)
    assert (refused.cause, refused.retryable, refused.reason) == (RejectCause.WOULD_TRIGGER, True, reason)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"quantity": None}, "quantity must be above 0", id="an order without a size"),
        pytest.param({"quantity": 0}, "quantity must be above 0", id="an order of nothing"),
        pytest.param({"quantity": -1}, "quantity must be above 0", id="a negative size"),
        pytest.param({"price": None}, "a price goes with LIMIT", id="a limit order without a price"),
        pytest.param({"type": OrderType.MARKET}, "a price goes with LIMIT", id="a market order with a price"),
        pytest.param({"trigger_price": Decimal(1)}, "a trigger price goes with", id="a limit order with a trigger"),
        pytest.param({"close_position": True}, "close_position goes with", id="a limit order that closes whatever is"),
        pytest.param({"role": Role.EXIT}, "must be reduce-only", id="an exit that could open"),
    ],
)
def test_a_contradictory_entry_is_refused_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        entry_intent(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"quantity": Decimal(1)}, "close_position goes with", id="with a quantity beside close_position"),
        pytest.param({"reduce_only": True}, "close_position goes with", id="with reduce-only beside close_position"),
        pytest.param({"trigger_price": None}, "a trigger price goes with", id="without a trigger"),
        pytest.param({"close_position": False, "quantity": Decimal(1)}, "must be reduce-only", id="that could open"),
    ],
)
def test_a_contradictory_stop_is_refused_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stop_intent(**changes)


def test_only_a_conditional_order_may_close_whatever_is_open() -> None:
    with pytest.raises(ValueError, match="close_position goes with a conditional type"):
        exit_intent(quantity=None, reduce_only=False, close_position=True)

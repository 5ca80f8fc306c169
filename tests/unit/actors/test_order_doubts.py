"""OrderActor and its doubts: what is asked of the venue, when, and what counts as proof."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from actor_stage import MS, SECOND, Stage, snapshot
from rule_makers import SYMBOL, entry_intent, execution, stop_intent

from execactor.actors.order import OrderActor
from execactor.actors.position import Describe
from execactor.actors.venue_gateway import VenueGateway
from execactor.domain.account import EngineState
from execactor.domain.messages.account import EnterSafeMode
from execactor.domain.messages.orders import (
    CancelOrder,
    DoubtChanged,
    OrderUpdate,
    RiskApproved,
    SubmitApproved,
    SubmitProtective,
)
from execactor.domain.messages.reconciliation import OrdersReconciled, SnapshotArrived
from execactor.domain.order import Order, OrderEvent, OrderIntent, OrderState, RejectCause
from execactor.domain.reports import Acknowledged, ConditionalReport, NotFound, OrderReport, Rejected, Unknown
from execactor.domain.side import Side
from execactor.store.records import IntentRecorded

ENTRY = "capi_entry_d1"
STOP = "capi_sl_d1"


def approved(intent: OrderIntent | None = None, *, epoch: int = 0) -> SubmitApproved:
    intent = intent or entry_intent()
    assert intent.quantity is not None
    token = RiskApproved(
        client_id=intent.client_id,
        side=intent.side,
        max_quantity=intent.quantity,
        worst_price=Decimal(90_800),
        epoch=epoch,
        expires_ns=6 * SECOND,
    )
    return SubmitApproved(intent=intent, token=token)


def shown(event: OrderEvent = OrderEvent.ACKNOWLEDGED, **changes: Any) -> OrderReport:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "client_id": ENTRY,
        "venue_id": "9001",
        "event": event,
        "side": Side.BUY,
        "order_type": "LIMIT",
        "quantity": Decimal("0.05"),
    }
    return OrderReport(**fields | changes)


def shown_stop(event: OrderEvent = OrderEvent.ACKNOWLEDGED, **changes: Any) -> ConditionalReport:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "client_id": STOP,
        "venue_id": "7001",
        "event": event,
        "side": Side.SELL,
        "order_type": "STOP_MARKET",
        "trigger_price": Decimal(89_800),
    }
    return ConditionalReport(**fields | changes)


class Desk:
    """An OrderActor and its gateway on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gateway = stage.play(VenueGateway, at="gateway")
        self.ref = stage.play(OrderActor, SYMBOL, at="order")

    async def order(self, client_id: str = ENTRY) -> Order:
        orders = await self.stage.ask(self.ref, Describe())
        return next(order for order in orders if order.client_id == client_id)

    async def send(self, message: SubmitApproved | SubmitProtective, result: Any) -> None:
        await self.stage.tell(self.ref, message)
        await self.stage.answer("submit", result)

    async def doubtful_entry(self) -> None:
        await self.send(approved(), Unknown(reason="no answer"))
        assert (await self.order()).state is OrderState.UNKNOWN

    async def not_found(self, times: int = 1) -> None:
        for _ in range(times):
            await self.stage.answer("query", NotFound())

    async def until_asked_for_evidence(self) -> int:
        """Answer every query with "no such order" until open orders and trades are asked for; how often it was."""
        answers = 0
        for _ in range(2_000):
            if self.stage.open("snapshot"):
                return answers
            if self.stage.open("query"):
                answers += 1
                await self.not_found()
            else:
                await self.stage.after(50 * MS)
        raise AssertionError("it was never asked for")


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk(stage)


async def test_an_entry_is_journaled_before_it_is_sent(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, approved())
    assert [record.intent.client_id for record in stage.records(IntentRecorded)] == [ENTRY]
    assert [intent.client_id for intent in stage.open("submit")] == [ENTRY]


async def test_a_client_id_is_never_sent_twice(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, approved(), approved())
    assert stage.count("submit") == 1
    told = stage.told("position", OrderUpdate)
    assert told[-1].order.state is OrderState.ACKNOWLEDGED, "whoever asks again is told how it stands"


async def test_an_entry_without_an_approval_of_its_own_never_leaves(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, SubmitProtective(intent=entry_intent()))
    assert stage.count("submit") == 0
    assert stage.records(IntentRecorded) == []


@pytest.mark.parametrize(
    ("state", "epoch", "waited_ns", "objection"),
    [
        pytest.param(EngineState.HALTED, 0, 0, "the engine is HALTED", id="halted meanwhile"),
        pytest.param(EngineState.RUNNING, 1, 0, "approved in epoch 0, now is epoch 1", id="a newer epoch"),
        pytest.param(EngineState.RUNNING, 0, 6 * SECOND, "the approval has expired", id="it waited too long"),
    ],
)
async def test_the_last_look_is_taken_right_before_the_write(
    stage: Stage, desk: Desk, state: EngineState, epoch: int, waited_ns: int, objection: str
) -> None:
    await stage.tell(desk.ref, approved())
    [guard] = stage.venue.guards
    assert guard() is None
    stage.context.engine_state, stage.context.epoch = state, epoch
    await stage.after(waited_ns)
    assert guard() == objection


async def test_no_entry_leaves_while_the_journal_cannot_be_written(stage: Stage, desk: Desk) -> None:
    stage.journal.close()
    await stage.tell(desk.ref, approved(), SubmitProtective(intent=stop_intent()))
    assert [intent.client_id for intent in stage.open("submit")] == [STOP], "protection does"
    refused = await desk.order()
    assert (refused.state, refused.cause) == (OrderState.REJECTED, RejectCause.RISK)
    assert "journal cannot be written" in refused.reason
    assert stage.told("account", EnterSafeMode)
    assert [record.intent.client_id for record in [r for r in _waiting(stage) if isinstance(r, IntentRecorded)]] == [
        ENTRY,
        STOP,
    ]


def _waiting(stage: Stage) -> list[Any]:
    return [record for _, _, record in stage.context.recorder._unwritten]


async def test_an_entry_without_an_answer_is_asked_about_at_once(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    [ref] = stage.open("query")
    assert (ref.client_id, ref.conditional) == (ENTRY, False)


async def test_a_query_that_finds_the_entry_ends_the_doubt(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    await stage.answer("query", shown())
    assert (await desk.order()).state is OrderState.ACKNOWLEDGED
    await stage.after(60 * SECOND)
    assert stage.count("query") == 1


async def test_an_event_of_the_stream_ends_the_doubt_too(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    await stage.tell(desk.ref, shown())
    await desk.not_found()
    await stage.after(60 * SECOND)
    assert stage.count("query") == 1
    assert (await desk.order()).state is OrderState.ACKNOWLEDGED


async def test_absence_needs_three_answers_the_window_and_the_evidence(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    began_ns = stage.clock.monotonic_ns()
    answers = await desk.until_asked_for_evidence()
    assert answers >= 3
    assert 3 * SECOND <= stage.clock.monotonic_ns() - began_ns <= 3_600 * MS, "receive window 2 s and a second"
    assert (await desk.order()).state is OrderState.UNKNOWN, "not before open orders and trades agree"
    await stage.answer("snapshot", snapshot())
    order = await desk.order()
    assert (order.state, order.retryable) == (OrderState.REJECTED, True)
    assert "never took it" in order.reason


async def test_trades_from_before_the_journal_are_no_evidence(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    await desk.until_asked_for_evidence()
    assert stage.open("snapshot") == [{SYMBOL: stage.journal.created_ms}]


async def test_three_quick_answers_prove_nothing_within_the_window(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    for delay_ms in (0, 50, 100, 200):
        await stage.after(delay_ms * MS)
        await desk.not_found()
    assert stage.count("snapshot") == 0
    assert stage.count("query") == 4


@pytest.mark.parametrize(
    "contradiction",
    [
        pytest.param({"orders": [shown()]}, id="open orders list it"),
        pytest.param({"trades": [execution(1, venue_order_id="9001")]}, id="a trade of an order that we cannot name"),
    ],
)
async def test_evidence_that_contradicts_keeps_the_doubt(
    stage: Stage, desk: Desk, contradiction: dict[str, Any]
) -> None:
    await desk.doubtful_entry()
    await desk.until_asked_for_evidence()
    await stage.answer("snapshot", snapshot(**contradiction))
    assert (await desk.order()).state is OrderState.UNKNOWN
    await stage.after(SECOND)
    assert stage.open("query"), "asked about again"


async def test_a_query_that_fails_leaves_the_doubt_for_as_long_as_it_takes(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    for _ in range(30):
        await stage.answer("query", Unknown(reason="503"))
        await stage.after(2 * SECOND)
    assert (await desk.order()).state is OrderState.UNKNOWN
    assert stage.open("query")


@pytest.mark.parametrize("lost", ["query", "snapshot"])
async def test_an_answer_that_never_comes_is_asked_for_again(stage: Stage, desk: Desk, lost: str) -> None:
    await desk.doubtful_entry()
    if lost == "snapshot":
        await desk.until_asked_for_evidence()
    before = stage.count("query")
    await stage.after(5 * SECOND)
    assert stage.count("query") == before + 1


async def test_an_order_that_was_acknowledged_and_never_seen_is_doubted_for_a_minute(stage: Stage, desk: Desk) -> None:
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    stage.clock.advance(SECOND)
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=stage.clock.monotonic_ns())))
    assert [ref.conditional for ref in stage.open("query")] == [True]
    began_ns = stage.clock.monotonic_ns()
    await desk.until_asked_for_evidence()
    assert stage.clock.monotonic_ns() - began_ns >= 58 * SECOND, "listings lag by up to 40 s"
    await stage.answer("snapshot", snapshot("0.05"))
    assert (await desk.order(STOP)).state is OrderState.EXPIRED


async def test_an_order_that_is_asked_about_is_no_finding_of_the_comparisons_meanwhile(
    stage: Stage, desk: Desk
) -> None:
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    for _ in range(3):
        stage.clock.advance(10 * SECOND)
        await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=stage.clock.monotonic_ns())))
    found = [dict(message.findings).get("order_gone") for message in stage.told("position", OrdersReconciled)]
    assert found == [STOP, None, None]


async def test_what_was_told_before_a_restart_counts_from_the_restart_at_least(stage: Stage, desk: Desk) -> None:
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    await stage.after(SECOND)
    await stage.tell(desk.ref, CancelOrder(client_id=msgspec.UNSET, reason="a crash"))  # type: ignore[arg-type]
    await stage.after(30 * SECOND)
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=stage.clock.monotonic_ns())))
    began_ns = stage.clock.monotonic_ns()
    await desk.until_asked_for_evidence()
    assert 29 * SECOND < stage.clock.monotonic_ns() - began_ns < 31 * SECOND


async def test_an_order_that_was_seen_and_is_gone_is_an_alarm_soon(stage: Stage, desk: Desk) -> None:
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    await stage.tell(desk.ref, shown_stop())
    await stage.after(10 * SECOND)
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=stage.clock.monotonic_ns())))
    began_ns = stage.clock.monotonic_ns()
    await desk.until_asked_for_evidence()
    assert stage.clock.monotonic_ns() - began_ns < SECOND
    await stage.answer("snapshot", snapshot("0.05"))
    assert (await desk.order(STOP)).state is OrderState.EXPIRED
    assert [alert.code for alert in stage.alerts()] == ["ORDER_VANISHED"]


async def test_a_listing_that_was_asked_for_before_the_order_says_nothing_of_it(stage: Stage, desk: Desk) -> None:
    stage.clock.advance(SECOND)
    asked_ns = stage.clock.monotonic_ns()
    stage.clock.advance(SECOND)
    await desk.send(SubmitProtective(intent=stop_intent()), Acknowledged(venue_id="7001"))
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=asked_ns)))
    assert stage.count("query") == 0


@pytest.mark.parametrize("answer", [NotFound(), Unknown(reason="no answer")])
async def test_a_cancel_that_fails_asks_what_became_of_the_order(stage: Stage, desk: Desk, answer: Any) -> None:
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, CancelOrder(client_id=ENTRY, reason="flat"), CancelOrder(client_id=ENTRY, reason="flat"))
    assert stage.count("cancel") == 1, "one request at a time"
    await stage.answer("cancel", answer)
    assert stage.count("query") == 1
    await stage.answer("query", shown(OrderEvent.CANCELLED, filled=Decimal("0.02")))
    order = await desk.order()
    assert order.state is OrderState.CANCELLED
    assert not order.settled
    assert stage.count("snapshot") == 1, "the fill that it tells of is fetched"
    await stage.answer("snapshot", snapshot(trades=[execution(5, quantity="0.02", venue_order_id="9001")]))
    assert (await desk.order()).settled
    [fill] = [update.execution for update in stage.told("position", OrderUpdate) if update.execution is not None]
    assert fill.quantity == Decimal("0.02")


async def test_a_refused_cancel_is_an_alert_and_can_be_asked_for_again(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Acknowledged(venue_id="9001"))
    await stage.tell(desk.ref, CancelOrder(client_id=ENTRY, reason="flat"))
    await stage.answer("cancel", Rejected(reason="not now", retryable=True))
    assert [alert.code for alert in stage.alerts()] == ["CANCEL_REFUSED"]
    await stage.tell(desk.ref, CancelOrder(client_id=ENTRY, reason="flat"))
    assert stage.count("cancel") == 2


async def test_an_adapter_that_loses_an_answer_leaves_an_unknown_order(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, approved())
    await stage.answer("submit", RuntimeError("a bug in the adapter"))
    assert (await desk.order()).state is OrderState.UNKNOWN
    await stage.answer("query", RuntimeError("another"))
    assert (await desk.order()).state is OrderState.UNKNOWN
    await stage.after(SECOND)
    assert stage.open("query")


async def test_a_refusal_of_the_account_means_safe_mode(stage: Stage, desk: Desk) -> None:
    await desk.send(approved(), Rejected(reason="Invalid API-key", code=-2015, cause=RejectCause.FATAL))
    [safe] = stage.told("account", EnterSafeMode)
    assert "Invalid API-key (-2015)" in safe.reason


async def test_an_order_actor_that_restarts_takes_up_the_journal_and_doubts_what_was_in_flight(
    stage: Stage, desk: Desk
) -> None:
    await stage.tell(desk.ref, approved())
    await stage.tell(desk.ref, CancelOrder(client_id=msgspec.UNSET, reason="a crash"))  # type: ignore[arg-type]
    stage.heard["position"].clear()
    await stage.tell(desk.ref, SubmitApproved(intent=None, token=None))  # type: ignore[arg-type]
    assert (await desk.order()).state is OrderState.UNKNOWN
    [update] = stage.told("position", OrderUpdate)
    assert update.order.state is OrderState.UNKNOWN
    assert len(stage.told("reconciler", object)) == 1
    await stage.answer("submit", Acknowledged(venue_id="9001"))
    assert (await desk.order()).state is OrderState.ACKNOWLEDGED, "its answer came after the restart"


async def test_a_comparison_hands_the_position_on_with_what_was_found(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, SnapshotArrived(snapshot=snapshot("0.05", requested_ns=10 * SECOND)))
    [reconciled] = stage.told("position", OrdersReconciled)
    assert reconciled.position.quantity == Decimal("0.05")
    assert [kind for kind, _ in reconciled.findings] == ["missing_stop"]
    assert (reconciled.outdated, reconciled.quiet, reconciled.unjudged) == (False, True, False)


async def test_a_cancel_that_nobody_answers_is_repeated(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, approved(), CancelOrder(client_id=ENTRY, reason="the test"))
    await stage.tell(desk.ref, CancelOrder(client_id=ENTRY, reason="the test"))
    assert stage.count("cancel") == 1, "one is under way"
    await stage.after(3 * SECOND + 1)
    await stage.tell(desk.ref, CancelOrder(client_id=ENTRY, reason="the test"))
    assert stage.count("cancel") == 2


async def test_an_entry_that_lives_although_it_had_ended_for_us_is_cancelled(stage: Stage, desk: Desk) -> None:
    await stage.tell(desk.ref, approved())
    await stage.answer("submit", Rejected(reason="no", cause=RejectCause.OTHER))
    await stage.after(10 * SECOND)
    listing = snapshot(orders=[shown()], requested_ns=stage.clock.monotonic_ns())
    await stage.tell(desk.ref, SnapshotArrived(snapshot=listing))
    assert [order.client_id for order in stage.open("cancel")] == [ENTRY]
    assert stage.told("account", EnterSafeMode)


async def test_a_doubt_that_nobody_can_end_is_told_and_other_entries_wait(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    for _ in range(100):
        if stage.open("query"):
            await stage.answer("query", Unknown(reason="503"))
        await stage.after(SECOND // 2)
    assert (await desk.order()).state is OrderState.UNKNOWN, "however long it takes"
    [alert] = stage.alerts("ORDER_IN_DOUBT")
    assert ENTRY in alert.text
    assert [(told.symbol, told.lasts) for told in stage.told("account", DoubtChanged)] == [(SYMBOL, True)]
    while not stage.open("query"):
        await stage.after(SECOND // 2)
    await stage.answer("query", shown())
    assert (await desk.order()).state is OrderState.ACKNOWLEDGED
    assert [told.lasts for told in stage.told("account", DoubtChanged)] == [True, False]


async def test_a_doubt_that_nobody_could_even_ask_about_is_told_after_five_seconds(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    assert stage.open("query"), "the first question, which comes to no end: the network is gone"
    await stage.after(4 * SECOND)
    assert not stage.alerts("ORDER_IN_DOUBT")
    await stage.after(SECOND)
    assert len(stage.alerts("ORDER_IN_DOUBT")) == 1
    assert [told.lasts for told in stage.told("account", DoubtChanged)] == [True]


@pytest.mark.parametrize("venue_knows_after_ms", [0, 60, 360, 1_000, 2_400])
async def test_the_truth_is_known_at_most_200_ms_after_the_venue_can_tell(
    stage: Stage, desk: Desk, venue_knows_after_ms: int
) -> None:
    await desk.doubtful_entry()
    waited_ms = 0
    while (await desk.order()).state is OrderState.UNKNOWN:
        if stage.open("query"):
            await stage.answer("query", shown() if waited_ms >= venue_knows_after_ms else NotFound())
            continue
        await stage.after(10 * MS)
        waited_ms += 10
    assert waited_ms <= venue_knows_after_ms + 200


async def test_a_step_of_the_wall_clock_does_not_shorten_the_receive_window(stage: Stage, desk: Desk) -> None:
    await desk.doubtful_entry()
    stage.clock._start_ns += 3_600 * SECOND  # somebody sets the clock
    asked = 0
    while not stage.open("snapshot"):
        if stage.open("query"):
            asked += 1
            await desk.not_found()
        else:
            await stage.after(50 * MS)
    assert stage.clock.monotonic_ns() - SECOND >= 3 * SECOND
    assert asked > 3

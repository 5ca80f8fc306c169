"""The adapter against the simulated venue's impoliteness: what it must make of each fault."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from conformance import Recorder, Trading
from simulated_binance import SYMBOL, adapter_of, simulated

from execactor import _core
from execactor.domain.errors import VenueFatal
from execactor.domain.order import OrderEvent, OrderType, RejectCause, Role, Side
from execactor.domain.position import Position
from execactor.domain.reports import (
    AccountReport,
    Acknowledged,
    ConditionalReport,
    ExecutionReport,
    NotFound,
    OrderReport,
    PrivateStreamLost,
    PrivateStreamRestored,
    Rejected,
    Unknown,
    UnreadableFrame,
)
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.venues.signing import Secret

Connected = tuple[Trading, SimulatedVenue]


@pytest.fixture(params=["ws", "rest"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Connected]:
    async with simulated(order_path=request.param) as connected:
        yield connected


@pytest.fixture
async def ws() -> AsyncIterator[Connected]:
    async with simulated() as connected:
        yield connected


@pytest.fixture
async def rest() -> AsyncIterator[Connected]:
    async with simulated(order_path="rest", answer_timeout_ms=200) as connected:
        yield connected


def order_fault(venue: SimulatedVenue, name: str, count: int = 1, **options: Any) -> None:
    venue.venue.faults.order(name, count, options)


def ended_by(trading: Trading, client_id: str) -> list[OrderEvent]:
    return [e.event for e in trading.recorder.events if isinstance(e, OrderReport) and e.client_id == client_id]


class TestUnknownOutcomes:
    async def test_503_of_an_order_that_was_executed_is_unknown_and_a_query_finds_it(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "http_503_executed", kind="entry")
        intent = await trading.intent()
        assert isinstance(await trading.submit(intent), Unknown)
        found = await trading.venue.query(trading.ref(intent))
        assert isinstance(found, OrderReport)
        assert found.event is OrderEvent.ACKNOWLEDGED

    async def test_503_of_a_cancel_that_was_executed_is_unknown(self, either: Connected) -> None:
        trading, venue = either
        intent = await trading.intent()
        await trading.submit(intent)
        order_fault(venue, "http_503_executed", kind="cancel")
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), Unknown)
        await trading.recorder.told(OrderReport, client_id=intent.client_id, event=OrderEvent.CANCELLED)

    async def test_503_of_an_order_that_failed_may_be_tried_again(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "http_503_failed", kind="entry")
        intent = await trading.intent()
        result = await trading.submit(intent)
        assert isinstance(result, Rejected)
        assert result.retryable
        assert isinstance(await trading.venue.query(trading.ref(intent)), NotFound)
        assert isinstance(await trading.submit(intent), Acknowledged)

    async def test_the_order_connection_dropped_in_flight_is_unknown_and_orders_go_on(self, ws: Connected) -> None:
        trading, venue = ws
        order_fault(venue, "ws_no_answer", kind="entry")
        intent = await trading.intent()
        assert isinstance(await trading.submit(intent), Unknown)
        assert isinstance(await trading.venue.query(trading.ref(intent)), OrderReport)
        assert isinstance(await trading.submit(await trading.intent()), Acknowledged)

    @pytest.mark.parametrize("executed", [True, False])
    async def test_rest_without_an_answer_is_unknown_whatever_happened(self, rest: Connected, executed: bool) -> None:
        trading, venue = rest
        order_fault(venue, "rest_timeout", kind="entry", executed=executed)
        intent = await trading.intent()
        assert isinstance(await trading.submit(intent), Unknown)
        found = await trading.venue.query(trading.ref(intent))
        assert type(found) is (OrderReport if executed else NotFound)


class TestOrderOfEvents:
    @pytest.mark.parametrize("fault", ["event_before_response", "response_before_event"])
    async def test_event_and_response_may_come_in_either_order(self, either: Connected, fault: str) -> None:
        trading, venue = either
        order_fault(venue, fault, kind="entry", delay_ms=60, exact=True)
        intent = await trading.intent()
        future = trading.venue.submit(intent, lambda: None)
        await trading.recorder.told(OrderReport, client_id=intent.client_id)
        assert future.done() is (fault == "response_before_event")
        assert isinstance(await future, Acknowledged)

    async def test_partial_fills_add_up(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "partial_fills", parts=3, gap_ms=2)
        intent = await trading.enter()
        fills = trading.recorder.executions(intent.client_id)
        assert len(fills) == 3
        assert [each.filled for each in fills][-1] == intent.quantity
        position = Position(symbol=SYMBOL)
        for fill in fills:
            position = position.after(fill.execution)
        told = [event for event in trading.recorder.events if isinstance(event, AccountReport)][-1].positions[0]
        assert position.quantity == told.quantity
        assert position.entry_price.quantize(Decimal("1e-8")) == told.entry_price.quantize(Decimal("1e-8"))

    async def test_a_repeated_event_keeps_its_trade_id(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "duplicate_event", count=20)
        intent = await trading.enter()
        await trading.recorder.until(lambda: len(trading.recorder.executions(intent.client_id)) >= 2)
        assert len({each.execution.key for each in trading.recorder.executions(intent.client_id)}) == 1

    async def test_a_cancel_that_loses_the_race_finds_nothing_and_the_fills_are_told(self, either: Connected) -> None:
        trading, venue = either
        intent = await trading.intent()
        await trading.submit(intent)
        order_fault(venue, "cancel_races_fill", fraction=1.0)
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), NotFound)
        await trading.recorder.told(ExecutionReport, filled=intent.quantity, final=True)

    async def test_a_cancel_after_a_partial_fill_says_how_much_had_filled(self, either: Connected) -> None:
        trading, venue = either
        intent = await trading.intent()
        await trading.submit(intent)
        order_fault(venue, "cancel_races_fill", fraction=0.5)
        result = await trading.venue.cancel(trading.ref(intent))
        assert isinstance(result, Acknowledged)
        assert isinstance(result.status, OrderReport)
        assert (result.status.event, result.status.filled) == (OrderEvent.CANCELLED, intent.quantity / 2)  # type: ignore[operator]


class TestPrivateStream:
    async def test_a_garbled_frame_is_told(self, ws: Connected) -> None:
        trading, venue = ws
        order_fault(venue, "garbled_private_frame")
        await trading.submit(await trading.intent())
        await trading.recorder.told(UnreadableFrame)

    async def test_an_expired_listen_key_is_lost_and_restored_with_a_new_one(self, ws: Connected) -> None:
        trading, venue = ws
        venue.venue.private.expire_key()
        await trading.recorder.told(PrivateStreamLost)
        await trading.recorder.told(PrivateStreamRestored)
        intent = await trading.intent()
        await trading.submit(intent)
        await trading.recorder.told(OrderReport, client_id=intent.client_id)

    async def test_the_stream_reads_in_the_venues_order(self, ws: Connected) -> None:
        trading, _ = ws
        intent = await trading.enter()
        kinds = [type(event) for event in trading.recorder.events]
        assert kinds == [OrderReport, AccountReport, ExecutionReport]
        assert ended_by(trading, intent.client_id) == [OrderEvent.ACKNOWLEDGED]


class TestRefusals:
    async def test_a_venue_that_is_told_to_refuse_is_believed(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "reject_next", code=-2019, msg="Margin is insufficient.")
        result = await trading.submit(await trading.intent())
        assert isinstance(result, Rejected)
        assert (result.code, result.cause) == (-2019, RejectCause.RISK)

    async def test_an_error_code_that_nobody_knows_is_a_refusal(self, either: Connected) -> None:
        trading, venue = either
        order_fault(venue, "reject_next", code=-9999, msg="?")
        result = await trading.submit(await trading.intent())
        assert isinstance(result, Rejected)
        assert not result.retryable

    async def test_too_many_requests_stop_everything_for_as_long_as_the_venue_says(self, rest: Connected) -> None:
        trading, venue = rest
        order_fault(venue, "http_429", kind="entry", retry_after=30)
        intent = await trading.intent()
        stopped = await trading.submit(intent)
        assert isinstance(stopped, Rejected)
        assert stopped.retryable
        assert stopped.retry_after_ms == 30_000
        before = venue.venue.log.counts["request"]
        held = await trading.venue.cancel(trading.ref(intent))
        assert isinstance(held, Rejected)
        assert 29_000 < held.retry_after_ms <= 30_000
        assert venue.venue.log.counts["request"] == before

    @pytest.mark.parametrize(
        ("make", "cause"),
        [
            pytest.param(
                {"type": OrderType.STOP_MARKET, "trigger_percent": 5, "close_position": True, "quantity": None},
                RejectCause.WOULD_TRIGGER,
                id="a stop on the wrong side",
            ),
            pytest.param(
                {"type": OrderType.MARKET, "side": Side.BUY, "reduce_only": True},
                RejectCause.REDUCE_ONLY,
                id="a reduce-only order that would add",
            ),
        ],
    )
    async def test_the_venues_codes_become_causes(
        self, ws: Connected, make: dict[str, Any], cause: RejectCause
    ) -> None:
        trading, _ = ws
        await trading.enter()
        facts = {"side": Side.SELL} | make
        percent = facts.pop("trigger_percent", None)
        if percent is not None:
            facts["trigger_price"] = await trading.price(percent)
        result = await trading.submit(await trading.intent(Role.EXIT, **facts))
        assert isinstance(result, Rejected)
        assert result.cause is cause

    async def test_one_close_position_stop_per_direction_and_none_without_a_position(self, ws: Connected) -> None:
        trading, _ = ws
        nothing_open = await trading.submit(await trading.stop(-5))
        assert isinstance(nothing_open, Rejected)
        assert nothing_open.cause is RejectCause.NO_POSITION
        await trading.enter()
        assert isinstance(await trading.submit(await trading.stop(-5)), Acknowledged)
        second = await trading.submit(await trading.stop(-4))
        assert isinstance(second, Rejected)
        assert second.cause is RejectCause.STOP_EXISTS

    async def test_a_tightened_stop_beside_the_base_stop_is_taken(self, ws: Connected) -> None:
        trading, _ = ws
        await trading.enter()
        await trading.submit(await trading.stop(-5))
        tightened = await trading.intent(
            Role.TIGHTENED_STOP,
            side=Side.SELL,
            type=OrderType.STOP_MARKET,
            trigger_price=await trading.price(-4, Side.SELL),
            reduce_only=True,
        )
        result = await trading.submit(tightened)
        assert isinstance(result, Acknowledged)
        assert isinstance(result.status, ConditionalReport)
        assert (result.status.quantity, result.status.reduce_only) == (trading.quantity, True)


class TestConditionalOrders:
    async def test_an_acknowledged_stop_that_vanished_is_not_found(self, ws: Connected) -> None:
        trading, venue = ws
        await trading.enter()
        order_fault(venue, "algo_ack_lost")
        intent = await trading.stop(-5)
        assert isinstance(await trading.submit(intent), Acknowledged)
        assert isinstance(await trading.venue.query(trading.ref(intent)), NotFound)
        assert (await trading.venue.snapshot([SYMBOL], {})).conditional_orders == ()

    async def test_a_stop_that_sticks_while_triggering_is_told_as_triggering(self, ws: Connected) -> None:
        trading, venue = ws
        await trading.enter()
        order_fault(venue, "algo_stuck_triggering")
        intent = await trading.stop(-1)
        await trading.submit(intent)
        assert trading.steer is not None
        await trading.steer(await trading.price(-3))
        await trading.recorder.told(ConditionalReport, client_id=intent.client_id, event=OrderEvent.TRIGGERING)
        found = await trading.venue.query(trading.ref(intent))
        assert isinstance(found, ConditionalReport)
        assert found.event is OrderEvent.TRIGGERING
        assert await trading.position() == trading.quantity


class TestConnecting:
    @pytest.mark.parametrize(
        "wrong", [{"api_key": Secret("another-key")}, {"api_secret": Secret("another-secret")}], ids=["key", "secret"]
    )
    async def test_a_wrong_key_or_secret_is_fatal(self, wrong: dict[str, Secret]) -> None:
        async with SimulatedVenue(SimulatorConfig()) as venue:
            adapter = adapter_of(venue, **wrong)
            with pytest.raises(VenueFatal):
                await adapter.connect(Recorder().on_event, Recorder())
            await adapter.close()

    async def test_leverage_and_margin_type_are_set(self) -> None:
        async with simulated(leverage=7) as (trading, venue):
            assert venue.exchange.account.positions[SYMBOL].leverage == 7
            assert isinstance(await trading.submit(await trading.intent()), Acknowledged)


class TestMarket:
    async def test_depth_frames_and_the_snapshot_make_a_live_book(self, ws: Connected) -> None:
        trading, _ = ws
        recorder = trading.recorder
        instrument = (await trading.venue.instruments())[SYMBOL]
        book = _core.Book(str(instrument.tick_size), str(instrument.step_size))
        await recorder.until(lambda: recorder.depth)
        for _, frame in recorder.depth:
            assert not book.apply_json(frame) & _core.MALFORMED
        flags = book.apply_snapshot_json(await trading.venue.depth_snapshot(SYMBOL))
        seen = len(recorder.depth)
        while not flags & _core.SYNCED:
            flags = book.apply_snapshot_json(await trading.venue.depth_snapshot(SYMBOL))
        await recorder.until(lambda: len(recorder.depth) >= seen + 3)
        for _, frame in recorder.depth:
            assert not book.apply_json(frame) & (_core.GAP | _core.MALFORMED)
        assert book.state == "live"
        assert book.tradable

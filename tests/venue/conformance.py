"""What every venue adapter must do, as tests: subclass `VenueConformance` and give it a fixture `trading`.

The account behind the fixture starts flat, with money. What a venue cannot do by its capabilities is skipped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from execactor.domain.order import OrderEvent, OrderIntent, OrderType, Role, Side
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
    VenueEvent,
)
from execactor.venues.port import BestQuote, MarkPrice, OrderRef, Venue

PATIENCE_S = 10

Event = TypeVar("Event")


class Recorder:
    """Keeps everything that a venue tells, and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[VenueEvent] = []
        self.depth: list[tuple[str, bytes]] = []
        self.quotes: dict[str, BestQuote] = {}
        self.marks: dict[str, MarkPrice] = {}
        self.market_states: list[str] = []
        self._news = asyncio.Event()

    def on_event(self, event: VenueEvent) -> None:
        self.events.append(event)
        self._news.set()

    def on_depth(self, symbol: str, frame: bytes) -> None:
        self.depth.append((symbol, frame))
        self._news.set()

    def on_best_quote(self, quote: BestQuote) -> None:
        self.quotes[quote.symbol] = quote
        self._news.set()

    def on_mark_price(self, mark: MarkPrice) -> None:
        self.marks[mark.symbol] = mark
        self._news.set()

    def on_market_lost(self, reason: str) -> None:
        self.market_states.append("lost")
        self._news.set()

    def on_market_restored(self) -> None:
        self.market_states.append("restored")
        self._news.set()

    async def until(self, reached: Callable[[], Any]) -> None:
        """Wait until something has been told that makes `reached` true."""
        async with asyncio.timeout(PATIENCE_S):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def told(self, kind: type[Event], **facts: Any) -> Event:
        """The first event of that kind with these attributes, told already or soon."""

        def found() -> list[Event]:
            return [
                event
                for event in self.events
                if isinstance(event, kind) and all(getattr(event, name) == value for name, value in facts.items())
            ]

        await self.until(found)
        return found()[0]

    def executions(self, client_id: str) -> list[ExecutionReport]:
        return [e for e in self.events if isinstance(e, ExecutionReport) and e.execution.client_id == client_id]


@dataclass
class Trading:
    """A connected venue and what the suite needs to know about it.

    steer: move the market's price there; break_private: cut the private connection, as the venue would.
    """

    venue: Venue
    symbol: str
    quantity: Decimal
    recorder: Recorder
    steer: Callable[[Decimal], Awaitable[None]] | None = None
    break_private: Callable[[], Awaitable[None]] | None = None
    used: list[str] = field(default_factory=list)

    def client_id(self, role: Role) -> str:
        self.used.append(f"conf_{role}_{len(self.used) + 1}")
        return self.used[-1]

    async def price(self, percent: int, side: Side = Side.BUY) -> Decimal:
        """A valid price so many percent away from the market."""
        instrument = (await self.venue.instruments())[self.symbol]
        await self.recorder.until(lambda: self.symbol in self.recorder.quotes)
        away = self.recorder.quotes[self.symbol].bid * (100 + percent) / 100
        return instrument.price_passive(away, side)

    async def intent(self, role: Role = Role.ENTRY, **changes: Any) -> OrderIntent:
        """An entry far below the market unless told otherwise."""
        facts: dict[str, Any] = {
            "client_id": self.client_id(role),
            "decision_key": "conformance",
            "role": role,
            "symbol": self.symbol,
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "quantity": self.quantity,
        } | changes
        if facts["type"] is OrderType.LIMIT and "price" not in facts:
            facts["price"] = await self.price(-5)
        return OrderIntent(**facts)

    async def submit(self, intent: OrderIntent) -> Any:
        return await self.venue.submit(intent, lambda: None)

    async def enter(self) -> OrderIntent:
        """Open a position at market and wait for its fills."""
        intent = await self.intent(type=OrderType.MARKET)
        assert isinstance(await self.submit(intent), Acknowledged)
        await self.recorder.until(lambda: any(e.final for e in self.recorder.executions(intent.client_id)))
        return intent

    async def stop(self, percent: int) -> OrderIntent:
        """A stop that closes the long position."""
        return await self.intent(
            Role.STOP,
            side=Side.SELL,
            type=OrderType.STOP_MARKET,
            quantity=None,
            close_position=True,
            trigger_price=await self.price(percent, Side.SELL),
        )

    def ref(self, intent: OrderIntent, **changes: Any) -> OrderRef:
        return OrderRef(
            **({"symbol": self.symbol, "client_id": intent.client_id, "conditional": intent.type.conditional} | changes)
        )

    async def position(self) -> Decimal:
        seen = await self.venue.snapshot([self.symbol], {})
        return sum((each.quantity for each in seen.positions if each.symbol == self.symbol), Decimal(0))


class VenueConformance:
    """The shared suite."""

    async def test_market_data_flows(self, trading: Trading) -> None:
        recorder, symbol = trading.recorder, trading.symbol
        await recorder.until(lambda: symbol in recorder.quotes and symbol in recorder.marks and recorder.depth)
        quote = recorder.quotes[symbol]
        assert 0 < quote.bid < quote.ask
        assert abs(recorder.marks[symbol].price / quote.bid - 1) < Decimal("0.2")
        assert isinstance(recorder.depth[0][1], bytes)
        assert await trading.venue.depth_snapshot(symbol)

    async def test_the_rules_of_the_symbol_are_known(self, trading: Trading) -> None:
        instrument = (await trading.venue.instruments())[trading.symbol]
        assert instrument.trading
        assert instrument.tick_size > 0
        assert instrument.quantity_down(trading.quantity) == trading.quantity

    async def test_an_account_that_was_never_used_is_flat(self, trading: Trading) -> None:
        seen = await trading.venue.snapshot([trading.symbol], {trading.symbol: 0})
        assert (seen.positions, seen.open_orders, seen.conditional_orders, seen.trades) == ((), (), (), ())
        assert seen.wallet_balance > 0

    async def test_a_resting_order_is_acknowledged_told_listed_found_and_cancelled(self, trading: Trading) -> None:
        intent = await trading.intent()
        result = await trading.submit(intent)
        assert isinstance(result, Acknowledged)
        told = await trading.recorder.told(OrderReport, client_id=intent.client_id, event=OrderEvent.ACKNOWLEDGED)
        found = await trading.venue.query(trading.ref(intent))
        (listed,) = (await trading.venue.snapshot([trading.symbol], {})).open_orders
        for seen in (told, found, listed):
            assert isinstance(seen, OrderReport)
            assert (seen.client_id, seen.venue_id, seen.event) == (
                intent.client_id,
                result.venue_id,
                OrderEvent.ACKNOWLEDGED,
            )
            assert (seen.side, seen.quantity, seen.price, seen.filled) == (
                Side.BUY,
                intent.quantity,
                intent.price,
                Decimal(0),
            )
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), Acknowledged)
        await trading.recorder.told(OrderReport, client_id=intent.client_id, event=OrderEvent.CANCELLED)
        gone = await trading.venue.query(trading.ref(intent))
        assert isinstance(gone, OrderReport)
        assert gone.event is OrderEvent.CANCELLED
        assert (await trading.venue.snapshot([trading.symbol], {})).open_orders == ()

    async def test_a_second_cancel_finds_nothing(self, trading: Trading) -> None:
        intent = await trading.intent()
        await trading.submit(intent)
        await trading.venue.cancel(trading.ref(intent))
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), NotFound)

    async def test_an_order_that_never_was_is_not_found(self, trading: Trading) -> None:
        never = OrderRef(symbol=trading.symbol, client_id="conf_entry_never")
        assert isinstance(await trading.venue.query(never), NotFound)
        assert isinstance(await trading.venue.cancel(never), NotFound)

    async def test_every_fill_is_told_once_and_stated_alike_everywhere(self, trading: Trading) -> None:
        intent = await trading.enter()
        fills = trading.recorder.executions(intent.client_id)
        assert sum(each.execution.quantity for each in fills) == intent.quantity
        assert [each.filled for each in fills] == _running_sum([each.execution.quantity for each in fills])
        assert [each.final for each in fills] == [False] * (len(fills) - 1) + [True]
        listed = await trading.venue.recent_trades(trading.symbol, 0)
        seen = await trading.venue.snapshot([trading.symbol], {trading.symbol: 0})
        assert [each.key for each in listed] == [each.key for each in seen.trades]
        for told, stated in zip((each.execution for each in fills), listed, strict=True):
            assert (told.trade_id, told.venue_order_id, told.side) == (
                stated.trade_id,
                stated.venue_order_id,
                stated.side,
            )
            assert (told.price, told.quantity, told.commission, told.realized_pnl) == (
                stated.price,
                stated.quantity,
                stated.commission,
                stated.realized_pnl,
            )
            assert told.maker == stated.maker
            assert told.commission_asset

    async def test_a_fill_moves_position_and_wallet(self, trading: Trading) -> None:
        before = (await trading.venue.snapshot([trading.symbol], {})).wallet_balance
        intent = await trading.enter()
        paid = sum(each.execution.commission for each in trading.recorder.executions(intent.client_id))
        seen = await trading.venue.snapshot([trading.symbol], {})
        ((symbol, quantity),) = [(each.symbol, each.quantity) for each in seen.positions]
        assert (symbol, quantity) == (trading.symbol, intent.quantity)
        assert seen.wallet_balance == before - paid
        account = [event for event in trading.recorder.events if isinstance(event, AccountReport)][-1]
        assert account.wallet_balance == seen.wallet_balance
        assert [(each.symbol, each.quantity) for each in account.positions] == [(trading.symbol, intent.quantity)]

    async def test_a_refused_order_says_why_and_does_not_live(self, trading: Trading) -> None:
        instrument = (await trading.venue.instruments())[trading.symbol]
        intent = await trading.intent(quantity=instrument.max_quantity + instrument.step_size)
        result = await trading.submit(intent)
        assert isinstance(result, Rejected)
        assert result.code
        assert not result.retryable
        assert isinstance(await trading.venue.query(trading.ref(intent)), NotFound)

    async def test_the_guard_has_the_last_word(self, trading: Trading) -> None:
        intent = await trading.intent()
        result = await trading.venue.submit(intent, lambda: "the approval has expired")
        assert isinstance(result, Rejected)
        assert result.reason == "the approval has expired"
        assert isinstance(await trading.venue.query(trading.ref(intent)), NotFound)

    async def test_a_client_id_that_is_still_open_is_not_taken_twice(self, trading: Trading) -> None:
        intent = await trading.intent()
        assert isinstance(await trading.submit(intent), Acknowledged)
        again = await trading.submit(intent)
        assert isinstance(again, Unknown | Rejected)
        (listed,) = (await trading.venue.snapshot([trading.symbol], {})).open_orders
        assert listed.client_id == intent.client_id

    async def test_reduce_only_never_opens(self, trading: Trading) -> None:
        if not trading.venue.capabilities.reduce_only:
            pytest.skip("the venue has no reduce-only orders")
        intent = await trading.intent(Role.EXIT, side=Side.SELL, type=OrderType.MARKET, reduce_only=True)
        assert isinstance(await trading.submit(intent), Rejected)
        assert await trading.position() == 0

    async def test_a_stop_is_acknowledged_told_listed_found_and_cancelled(self, trading: Trading) -> None:
        self._needs_stops(trading)
        await trading.enter()
        intent = await trading.stop(-5)
        result = await trading.submit(intent)
        assert isinstance(result, Acknowledged)
        told = await trading.recorder.told(ConditionalReport, client_id=intent.client_id)
        found = await trading.venue.query(trading.ref(intent))
        seen = await trading.venue.snapshot([trading.symbol], {})
        assert seen.open_orders == ()
        (listed,) = seen.conditional_orders
        for report in (told, found, listed):
            assert isinstance(report, ConditionalReport)
            assert (report.client_id, report.venue_id) == (intent.client_id, result.venue_id)
            assert (report.event, report.trigger_price, report.close_position, report.quantity) == (
                OrderEvent.ACKNOWLEDGED,
                intent.trigger_price,
                True,
                None,
            )
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), Acknowledged)
        await trading.recorder.told(ConditionalReport, client_id=intent.client_id, event=OrderEvent.CANCELLED)
        assert isinstance(await trading.venue.cancel(trading.ref(intent)), NotFound)

    async def test_a_stop_that_triggers_closes_the_position_and_names_its_child(self, trading: Trading) -> None:
        self._needs_stops(trading)
        if trading.steer is None:
            pytest.skip("this market cannot be moved")
        await trading.enter()
        intent = await trading.stop(-1)
        assert isinstance(await trading.submit(intent), Acknowledged)
        await trading.steer(await trading.price(-3))
        triggered = await trading.recorder.told(
            ConditionalReport, client_id=intent.client_id, event=OrderEvent.TRIGGERED
        )
        assert triggered.child_id
        await trading.recorder.told(ConditionalReport, client_id=intent.client_id, event=OrderEvent.FILLED)
        closing = [
            event.execution
            for event in trading.recorder.events
            if isinstance(event, ExecutionReport) and event.execution.venue_order_id == triggered.child_id
        ]
        assert sum(each.quantity for each in closing) == trading.quantity
        assert {each.side for each in closing} == {Side.SELL}
        assert await trading.position() == 0
        child = await trading.venue.query(trading.ref(intent, child=True, venue_id=triggered.child_id))
        assert isinstance(child, OrderReport)
        assert (child.venue_id, child.event) == (triggered.child_id, OrderEvent.FILLED)

    async def test_a_lost_private_stream_is_told_and_comes_back(self, trading: Trading) -> None:
        if trading.break_private is None:
            pytest.skip("this private stream cannot be cut")
        await trading.break_private()
        await trading.recorder.told(PrivateStreamLost)
        await trading.recorder.told(PrivateStreamRestored)
        intent = await trading.intent()
        await trading.submit(intent)
        await trading.recorder.told(OrderReport, client_id=intent.client_id)

    async def test_after_close_nothing_is_sent_and_nothing_is_told(self, trading: Trading) -> None:
        intent = await trading.intent()
        await trading.submit(intent)
        await trading.venue.close()
        told = len(trading.recorder.events)
        assert isinstance(await trading.venue.submit(intent, lambda: None), Rejected)
        assert isinstance(await trading.venue.query(trading.ref(intent)), Unknown)
        assert len(trading.recorder.events) == told

    async def test_the_clocks_are_compared(self, trading: Trading) -> None:
        assert abs(trading.venue.clock_offset_ms()) < 1_000

    @staticmethod
    def _needs_stops(trading: Trading) -> None:
        able = trading.venue.capabilities
        if not (able.conditional_orders and able.close_position_stops):
            pytest.skip("the venue has no stops that close a position")


def _running_sum(parts: Sequence[Decimal]) -> list[Decimal]:
    sums, total = [], Decimal(0)
    for part in parts:
        total += part
        sums.append(total)
    return sums

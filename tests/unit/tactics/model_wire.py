"""The way between the position machine and the model venue, on which things get lost.

Wire stands for RiskActor, OrderActor and gateway: requests, answers and events travel separately, in any order, and
the test decides what arrives, what comes twice and what never comes.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum

import msgspec
from model_venue import ModelVenue, Report
from rule_makers import BTC, SYMBOL
from trading_desk import MS, SECOND

from execactor.actors.position import restored
from execactor.domain.account import EngineState
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused, PlanStarted, TradeClosed
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import CancelOrder, EntryRefused, OrderUpdate, RequestApproval, SubmitProtective
from execactor.domain.messages.reconciliation import RequestReconcile, VenuePositionSeen
from execactor.domain.order import Facts, OrderEvent, OrderIntent, OrderState, Pending, RejectCause
from execactor.domain.order_table import Change, OrderTable
from execactor.domain.reports import ConditionalReport, ExecutionReport, OrderReport
from execactor.store.journal import JournalRow
from execactor.store.records import ExecutionBooked, IntentRecorded, OrderChanged, Record
from execactor.store.recovery import replay
from execactor.tactics.position import Event, Tick, fresh, next_wake_ns, observe, step
from execactor.tactics.trade import Effect, TradePolicy, TradeState

MOST_ORDERS = 150


class Answer(msgspec.Struct):
    """What comes back for a request. cancels: it asked to cancel; neither lost nor refused: it was followed.

    status: how a cancelled order ended, None when there was none to cancel.
    """

    client_id: str
    cause: RejectCause | None = None
    lost: bool = False
    cancels: bool = False
    status: OrderReport | ConditionalReport | None = None
    venue_id: str = ""


class Fate(StrEnum):
    """What becomes of a request on its way."""

    ARRIVES = "ARRIVES"
    LOST = "LOST"
    ANSWER_LOST = "ANSWER_LOST"


class Crash(Exception):
    """The process is killed; what it had written to the journal is all that is left of it."""


class Wire:
    """The machine, its order table, its journal, and everything that is under way between them and the venue.

    crash_in: the number of records after whose writing the process dies, None to live on.
    """

    def __init__(self, venue: ModelVenue, *, instrument: Instrument = BTC, policy: TradePolicy | None = None) -> None:
        self.venue = venue
        self.state: TradeState = fresh(instrument, policy or TradePolicy(), "capi")
        self.table = OrderTable()
        self.now_ns = 1_000 * SECOND
        self.wake_ns: int | None = None
        self.effects: list[Effect] = []
        self.submits: list[OrderIntent] = []
        self.cancels: list[str] = []
        self.answers: list[Answer] = []
        self.doubts: list[str] = []
        self.delivered: list[Report] = []
        self.reconcile_wanted = False
        self.active = True
        self.journal: list[Record] = []
        self.crash_in: int | None = None
        self.loses: Callable[[Effect], bool] = lambda _effect: False
        self.risk_refuses = False
        self.on_step: Callable[[list[Effect]], None] = lambda _effects: None
        self.feed(EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason=""))

    def feed(self, event: Event) -> None:
        """One step of the machine; its requests set out."""
        advance = step if self.active else observe
        self.state, effects = advance(self.state, event, self.now_ns)
        self.wake_ns = next_wake_ns(self.state, self.now_ns) if self.active else None
        assert self.wake_ns is None or self.wake_ns > self.now_ns, "the next look lies in the past"
        self.effects += effects
        assert len(self.state.orders) < MOST_ORDERS, f"{MOST_ORDERS} orders for one trade: {[*self.state.orders][-6:]}"
        self.on_step(effects)
        for effect in effects:
            if not self.loses(effect):
                self._set_out(effect)

    def _set_out(self, effect: Effect) -> None:
        match effect:
            case RequestApproval(intent=intent) if self.risk_refuses:
                self.feed(EntryRefused(client_id=intent.client_id, reason="too much"))
            case RequestApproval(intent=intent) | SubmitProtective(intent=intent):
                self._submit(intent)
            case CancelOrder(client_id=client_id):
                self._cancel(client_id)
            case RequestReconcile():
                self.reconcile_wanted = True
            case PlanAccepted() | PlanStarted() | PlanEnded() | PlanRefused() | TradeClosed():
                self._record(effect)
            case _:
                pass

    def _record(self, record: Record) -> None:
        self.journal.append(record)
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.crash_in = None
                raise Crash

    def _submit(self, intent: OrderIntent) -> None:
        known = self.table.orders.get(intent.client_id)
        if known is None:
            self._record(IntentRecorded(intent=intent, epoch=0))
            self.table.add(intent)
            known = self.table.apply(intent.client_id, OrderEvent.SENT, now_ns=self.now_ns).order
            self.submits.append(intent)
        self.feed(OrderUpdate(order=known))

    def _cancel(self, client_id: str) -> None:
        order = self.table.orders.get(client_id)
        if order is None:
            return
        if not order.live:
            self.feed(OrderUpdate(order=order))
        elif order.pending is None:
            self.table.mark_pending(client_id, Pending.CANCEL)
            self.cancels.append(client_id)

    # What arrives.

    def deliver_submit(self, index: int, fate: Fate = Fate.ARRIVES) -> None:
        intent = self.submits.pop(index)
        result = None if fate is Fate.LOST else self.venue.submit(intent)
        if fate is not Fate.ARRIVES or result is None:
            self.answers.append(Answer(intent.client_id, lost=True))
        elif isinstance(result, RejectCause):
            self.answers.append(Answer(intent.client_id, cause=result))
        else:
            self.answers.append(Answer(intent.client_id, venue_id=result.venue_id))

    def deliver_cancel(self, index: int, fate: Fate = Fate.ARRIVES) -> None:
        client_id = self.cancels.pop(index)
        found = fate is not Fate.LOST and self.venue.cancel(client_id)
        status = self.venue.status(self.venue.orders[client_id]) if found else None
        self.answers.append(Answer(client_id, cancels=True, lost=fate is not Fate.ARRIVES, status=status))

    def deliver_answer(self, index: int) -> None:
        answer = self.answers.pop(index)
        if answer.cancels:
            self.table.mark_pending(answer.client_id, None)
            if answer.lost or answer.status is None:
                self._doubt(answer.client_id)
            else:
                self.read(answer.status)
            return
        if answer.lost:
            self._apply(answer.client_id, OrderEvent.OUTCOME_LOST, Facts(reason="no answer"))
            self._doubt(answer.client_id)
        elif answer.cause is not None:
            retryable = answer.cause is RejectCause.OVERLOADED
            facts = Facts(reason=f"refused: {answer.cause}", cause=answer.cause, retryable=retryable)
            self._apply(answer.client_id, OrderEvent.REJECTED, facts)
        else:
            self._apply(answer.client_id, OrderEvent.ACKNOWLEDGED, Facts(venue_id=answer.venue_id))

    def deliver_report(self) -> None:
        report = self.venue.stream.popleft()
        self.delivered.append(report)
        self.read(report)

    def read(self, report: Report) -> None:
        """Take a report from the stream, a listing or a query."""
        if isinstance(report, VenuePositionSeen):
            self.feed(report)
            return
        if isinstance(report, ExecutionReport):
            change = self.table.execute(report, now_ns=self.now_ns)
        else:
            change = self.table.report(report, now_ns=self.now_ns)
        assert change is not None, f"nobody's report: {report}"
        self._tell(change)
        if change.late:
            self.reconcile_wanted = True

    def resolve(self, client_id: str) -> None:
        """Ask the venue what became of an order in doubt; nothing is concluded while its request is under way."""
        order = self.table.orders[client_id]
        if client_id in self.in_flight:
            return
        self.doubts.remove(client_id)
        truth = self.venue.orders.get(client_id)
        if truth is not None:
            self.read(self.venue.status(truth))
            self._book_missed(client_id)
        elif order.state is OrderState.UNKNOWN:
            self._apply(client_id, OrderEvent.PROVEN_ABSENT, Facts(reason="it never lived", retryable=True))
        elif order.live:
            self._apply(client_id, OrderEvent.EXPIRED, Facts(reason="gone"))

    def reconcile(self) -> None:
        """Compare orders, trades and the position with the venue's; after a restart the machine acts from then on."""
        self.reconcile_wanted = False
        self._compare_orders()
        if not self.active:
            self.active = True
            self.feed(EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason=""))
            self.feed(Tick())

    def _compare_orders(self) -> None:
        for order in self.venue.live():
            if order.intent.client_id in self.table.orders:
                self.read(self.venue.status(order))
        unexplained = self._book_missed()
        for name, order in list(self.table.orders.items()):
            truth = self.venue.orders.get(name)
            if order.live and name not in self.in_flight and not (truth is not None and truth.live):
                self._doubt(name)
        if unexplained or self.doubts:
            self.reconcile_wanted = True
            return
        assert self.state.position.quantity == self.venue.position, "all trades are booked and the position differs"
        self.feed(VenuePositionSeen(quantity=self.venue.position))

    def _book_missed(self, client_id: str | None = None) -> bool:
        """Book the trades that were missed, of one order or all; whether some belong to no order that we can name."""
        unexplained = False
        for trade in self.venue.trades:
            if trade.key in self.table.booked or client_id not in (None, trade.client_id):
                continue
            listed = msgspec.structs.replace(trade, client_id="")  # a listing knows only the venue's order id
            if self.table.owner("", listed.venue_order_id) is None:
                unexplained = True
            else:
                self.read(ExecutionReport(execution=listed, filled=trade.quantity))
        return unexplained

    @property
    def in_flight(self) -> set[str]:
        """Orders whose request, or the answer to it, is under way."""
        return {intent.client_id for intent in self.submits} | {a.client_id for a in self.answers if not a.cancels}

    def _doubt(self, client_id: str) -> None:
        if client_id not in self.doubts and self.table.orders[client_id].live:
            self.doubts.append(client_id)

    def _apply(self, client_id: str, event: OrderEvent, facts: Facts | None = None) -> None:
        self._tell(self.table.apply(client_id, event, now_ns=self.now_ns, facts=facts or Facts()))

    def _tell(self, change: Change) -> None:
        """As OrderActor publishes: what was ignored is told again only when the venue has shown the order."""
        if change.ignored is not None and change.execution is None and not change.order.verified:
            return
        if change.execution is not None:
            self._record(ExecutionBooked(client_id=change.order.client_id, execution=change.execution))
        if change.ignored is None or change.execution is not None:
            self._record(OrderChanged(order=change.order))
        self.feed(OrderUpdate(order=change.order, execution=change.execution))

    # Restarts.

    def restart(self, arrives: Callable[[str], bool]) -> None:
        """Start again from the journal. arrives: whether a request that was under way still reaches the venue."""
        for intent in self.submits:
            if arrives(intent.client_id):
                self.venue.submit(intent)
        for client_id in self.cancels:
            if arrives(client_id):
                self.venue.cancel(client_id)
        self.submits, self.cancels, self.answers, self.doubts = [], [], [], []
        self.venue.stream.clear()
        rows = [JournalRow(seq, seq, "", "", record) for seq, record in enumerate(self.journal, start=1)]
        history = replay(rows).symbol(SYMBOL)
        self.table = OrderTable(history.orders.values(), history.booked)
        empty = fresh(self.state.instrument, self.state.policy, self.state.prefix)
        self.state = restored(empty, history, self.now_ns, self.now_ns)
        self.active, self.wake_ns = False, None
        self.reconcile_wanted = True
        self.loses = lambda _effect: False

    # Time, and a venue that behaves.

    def mark(self, price: Decimal) -> None:
        """The mark price moves, and the machine sees it."""
        self.venue.move(price)
        self.feed(MarkUpdate(symbol=SYMBOL, price=price, low=price, high=price))

    def wait(self, ms: int) -> None:
        until_ns = self.now_ns + ms * MS
        ticks = 0
        while self.wake_ns is not None and self.wake_ns <= until_ns:
            ticks += 1
            assert ticks <= 20 + ms // 10, f"{ticks} ticks within {ms} ms"
            self.now_ns = self.wake_ns
            self.feed(Tick())
        self.now_ns = until_ns

    def deliver_all(self) -> None:
        """Everything under way arrives, and what trades is matched whole."""
        while self.submits or self.cancels or self.answers or self.venue.stream or self.venue.matching:
            while self.submits:
                self.deliver_submit(0)
            while self.cancels:
                self.deliver_cancel(0)
            while self.answers:
                self.deliver_answer(0)
            for client_id in self.venue.matching:
                self.venue.match(client_id, Decimal(10**6))
            while self.venue.stream:
                self.deliver_report()
        for client_id in list(self.doubts):
            self.resolve(client_id)
        if self.reconcile_wanted:
            self.reconcile()

    def calm(self, seconds: int) -> Iterator[int]:
        """Let time pass at a venue that behaves; yields after each 100 ms."""
        for tick in range(seconds * 10):
            self.deliver_all()
            self.wait(100)
            yield tick

    @property
    def at_rest(self) -> bool:
        """No trade, no position, nothing alive at the venue, nothing under way."""
        under_way = self.submits or self.cancels or self.answers or self.doubts or self.venue.stream
        return (
            self.state.plan is None
            and self.state.position.flat
            and self.venue.position == 0
            and not self.venue.live()
            and not under_way
        )

    @property
    def trades_closed(self) -> list[TradeClosed]:
        """As the journal has them, which survives restarts."""
        return [record for record in self.journal if isinstance(record, TradeClosed)]

"""OrderActor: every order's lifecycle in one symbol: journal, send, answers, executions, tombstones."""

from typing import Any

from execactor.actors.doubts import AskNow, ref_of
from execactor.actors.examination import ExamineOrders, flat
from execactor.actors.order_keeper import OrderKeeper, Sweep
from execactor.actors.position import Describe
from execactor.actors.strangers import JudgeStrangers, Report
from execactor.actors.unheard import JudgeUnheard
from execactor.actors.venue_gateway import (
    Cancel,
    CancelOutcome,
    EvidenceGathered,
    QueryOutcome,
    Submit,
    SubmitOutcome,
    TradeIdentified,
)
from execactor.domain.fill import Execution
from execactor.domain.messages.account import AlertLevel, EnterSafeMode
from execactor.domain.messages.orders import CancelOrder, RiskApproved, SubmitApproved, SubmitProtective
from execactor.domain.messages.reconciliation import (
    OrdersReconciled,
    PositionAdopted,
    PositionCorrected,
    RequestReconcile,
    SnapshotArrived,
)
from execactor.domain.order import Facts, Order, OrderEvent, OrderIntent, OrderState, Pending, RejectCause
from execactor.domain.order_table import Change, OrderTable
from execactor.domain.reports import (
    Acknowledged,
    ConditionalReport,
    ExecutionReport,
    NotFound,
    OrderReport,
    Rejected,
    Unknown,
)
from execactor.reconcile.adoption import unrecorded
from execactor.reconcile.compare import LISTING_LAG_NS, compare_orders, compare_trades, missing_stop
from execactor.reconcile.findings import FindingKind, TradesCompared
from execactor.reconcile.survey import order_findings, survey
from execactor.store.records import ExecutionAttributed, IntentRecorded
from execactor.venues.port import OrderRef

CANCEL_LOST_NS = 3_000_000_000


class OrderActor(OrderKeeper):
    """One per symbol. Writes an intent to the journal before it is sent; never sends a client id twice."""

    def on_restart(self, cause: BaseException) -> None:
        """Start again from the journal, tell what it says, and compare with the venue."""
        self._restore(after_restart=True)
        self.doubts.begin_anew()
        for order in self.table.orders.values():
            if order.live:
                self._tell(order)
        # The failure may have come between the journal and the telling; who knows an execution already passes it over.
        for client_id, execution in self.context.executions_of(self.symbol):
            if client_id in self.table.orders:
                self._tell(self.table.orders[client_id], execution)
        reason = f"{self.symbol}: the order actor restarted: {cause}"
        self.context.reconciler.tell(RequestReconcile(symbol=self.symbol, reason=reason))

    def on_receive(self, message: Any) -> Any:
        """One message, one step of an order."""
        match message:
            case SubmitApproved(intent=intent, token=token):
                self._submit(intent, token)
            case SubmitProtective(intent=intent):
                self._submit(intent, None)
            case CancelOrder(client_id=client_id):
                self._cancel(client_id)
            case SubmitOutcome():
                self._on_submit_outcome(message)
            case CancelOutcome():
                self._on_cancel_outcome(message)
            case QueryOutcome():
                self._on_query_outcome(message)
            case EvidenceGathered():
                self._on_evidence(message)
            case OrderReport() | ConditionalReport():
                self._on_report(message)
            case ExecutionReport(execution=execution):
                self.unheard.heard(execution)
                self._on_report(message)
            case AskNow(client_id):
                self._ask_again(client_id)
            case SnapshotArrived():
                self._compare(message)
            case PositionAdopted(update_time_ms=time_ms) | PositionCorrected(update_time_ms=time_ms):
                self.strangers.position_taken_over(time_ms)
            case TradeIdentified(execution=execution):
                if self.strangers.identified(execution, self.table):
                    self._book_missed(execution)
            case JudgeUnheard():
                self.unheard.judge()
            case JudgeStrangers():
                self._judge_strangers()
            case Sweep():
                self._sweep()
            case ExamineOrders(snapshot=snapshot):
                copy = OrderTable(self.table.orders.values(), self.table.booked)
                return survey(self.symbol, copy, self.strangers.booked, snapshot, self.context.settings.prefix)
            case Describe():
                return tuple(self.table.orders.values())
        return None

    def _submit(self, intent: OrderIntent, token: RiskApproved | None) -> None:
        known = self.table.orders.get(intent.client_id)
        if known is not None:
            self._tell(known)
            return
        if token is None and not intent.role.protective:
            raise ValueError(f"{intent.client_id} increases risk and carries no approval")
        now_ns = self.clock.monotonic_ns()
        self.context.record(IntentRecorded(intent=intent, epoch=self.context.epoch), intent.client_id)
        self.context.write()
        if token is not None and not self.context.durable:
            self.table.add(intent)
            facts = Facts(reason="the journal cannot be written: no entry leaves", cause=RejectCause.RISK)
            self._publish(self.table.apply(intent.client_id, OrderEvent.REJECTED, now_ns=now_ns, facts=facts))
            return
        order = self.table.send(intent, approved=token is not None, now_ns=now_ns)
        self.context.gateway.tell(Submit(intent=intent, token=token))
        self._tell(order)

    def _on_submit_outcome(self, message: SubmitOutcome) -> None:
        now_ns = self.clock.monotonic_ns()
        client_id = message.client_id
        match message.result:
            case Acknowledged(venue_id=venue_id, status=status):
                facts = Facts(venue_id=venue_id)
                change = self.table.apply(client_id, OrderEvent.ACKNOWLEDGED, now_ns=now_ns, facts=facts)
                if change.order.acknowledged_ns:
                    self.context.latencies.record("wire_to_ack", change.order.acknowledged_ns - message.sent_ns)
                self._publish(change)
                if status is not None and status.event is not OrderEvent.ACKNOWLEDGED:
                    self._apply_status(status, seen=False)
            case Rejected(reason=reason, cause=cause, retryable=retryable, retry_after_ms=after_ms, code=code):
                why = f"{reason} ({code})" if code else reason
                facts = Facts(reason=why, cause=cause, retryable=retryable, retry_after_ms=after_ms)
                self._publish(self.table.apply(client_id, OrderEvent.REJECTED, now_ns=now_ns, facts=facts))
                if cause is RejectCause.FATAL:
                    reason = f"{client_id}: the venue refuses to work with this account: {why}"
                    self.context.account.tell(EnterSafeMode(reason=reason))
            case Unknown(reason=reason):
                facts = Facts(reason=reason)
                change = self.table.apply(client_id, OrderEvent.OUTCOME_LOST, now_ns=now_ns, facts=facts)
                self._publish(change)
                if change.order.state is OrderState.UNKNOWN:
                    self._doubt(change.order)

    def _cancel(self, client_id: str) -> None:
        order = self.table.orders.get(client_id)
        if order is None:
            return
        if not order.live:
            self._tell(order)
        elif order.pending is None or self._cancel_lost(client_id):
            self.table.mark_pending(client_id, Pending.CANCEL)
            self.cancelled_ns[client_id] = self.clock.monotonic_ns()
            self.context.gateway.tell(Cancel(order=ref_of(order)))

    def _cancel_lost(self, client_id: str) -> bool:
        """Whether a cancel got no answer at all for so long that it must have been lost; to repeat it does no harm."""
        return self.clock.monotonic_ns() - self.cancelled_ns.get(client_id, 0) > CANCEL_LOST_NS

    def _on_cancel_outcome(self, message: CancelOutcome) -> None:
        order = self.table.orders.get(message.client_id)
        if order is None:
            return
        order = self.table.mark_pending(message.client_id, None)
        self.cancelled_ns.pop(message.client_id, None)
        match message.result:
            case Acknowledged(status=status):
                if status is not None:
                    self._apply_status(status, seen=True)
                else:
                    now_ns = self.clock.monotonic_ns()
                    self._publish(self.table.apply(order.client_id, OrderEvent.CANCELLED, now_ns=now_ns))
            case NotFound() | Unknown():
                # It may have filled, or the answer was lost: only the venue can tell.
                if order.live:
                    self._doubt(order)
            case Rejected(reason=reason):
                text = f"cancel of {order.client_id} was refused: {reason}"
                self._alert(AlertLevel.WARNING, "CANCEL_REFUSED", text)

    def _on_report(self, report: Report) -> None:
        if isinstance(report, ExecutionReport):
            change = self.table.execute(report, now_ns=self.clock.monotonic_ns())
        else:
            change = self.table.report(report, now_ns=self.clock.monotonic_ns())
        if change is None:
            self.strangers.take(report, self.table)
            return
        self._publish(change)
        if isinstance(report, ExecutionReport):
            self._fetch_missed(change.order.client_id)
        if isinstance(report, ConditionalReport) and report.child_id and self.strangers:
            self._judge_strangers()

    def _judge_strangers(self) -> None:
        for report in self.strangers.judge(self.table, doubtful=bool(self.doubts)):
            self._on_report(report)

    def _doubt(self, order: Order) -> None:
        self.doubts.begin(order, self._sent_wall_ns(order.client_id))

    def _ask_again(self, client_id: str) -> None:
        order = self.table.orders.get(client_id)
        if order is None or not order.live or client_id not in self.doubts:
            self.doubts.end(client_id)
        else:
            self.doubts.ask(order)

    def _on_query_outcome(self, message: QueryOutcome) -> None:
        if isinstance(message.result, OrderReport | ConditionalReport):
            self.doubts.end(message.client_id)
            self._apply_status(message.result, seen=True)
            self._fetch_missed(message.client_id)
        else:
            self.doubts.on_outcome(message)

    def _fetch_missed(self, client_id: str) -> None:
        order = self.table.orders[client_id]
        untold = order.triggered and not order.live and not order.filled
        if not order.settled and (order.filled < order.venue_filled or untold):
            self.doubts.fetch_trades(client_id, self._sent_wall_ns(client_id))

    def _on_evidence(self, message: EvidenceGathered) -> None:
        unattributed = 0
        if message.snapshot is not None:
            compared = self._book_trades(message.snapshot.trades)
            unattributed = len(self.strangers.unknown(compared.unattributed))
        if self.doubts.proven_absent(message, unattributed_trades=unattributed):
            self._conclude_absent(message.client_id)

    def _conclude_absent(self, client_id: str) -> None:
        order = self.table.orders[client_id]
        now_ns = self.clock.monotonic_ns()
        self.doubts.end(client_id)
        if order.state is OrderState.UNKNOWN:
            facts = Facts(reason="the venue never took it: queries, open orders and trades agree", retryable=True)
            self._publish(self.table.apply(client_id, OrderEvent.PROVEN_ABSENT, now_ns=now_ns, facts=facts))
            return
        text = f"{client_id} was shown by the venue before and is gone without an event"
        self._alert(AlertLevel.CRITICAL, "ORDER_VANISHED", text)
        facts = Facts(reason="gone from the venue without an event")
        self._publish(self.table.apply(client_id, OrderEvent.EXPIRED, now_ns=now_ns, facts=facts))

    def _compare(self, message: SnapshotArrived) -> None:
        """Compare orders and trades with a snapshot of this symbol, then let the position be compared."""
        snapshot = message.snapshot
        prefix = self.context.settings.prefix
        compared = compare_orders(self.table.orders, snapshot.listed, prefix, snapshot.requested_ns)
        findings = [
            (str(found.kind), found.subject) for found in order_findings(self.symbol, compared, set(self.doubts))
        ]
        for status in compared.seen:
            self._apply_status(status, seen=True)
            self._fetch_missed(status.client_id)
        for order in compared.gone:
            self._doubt(order)
        for revenant in compared.revenants:
            self._cancel_stray(revenant)
            text = f"{revenant.client_id} lives at the venue although it had ended for us"
            self.context.account.tell(EnterSafeMode(reason=text))
        position = snapshot.positions[0] if snapshot.positions else flat(self.symbol)
        for stray in compared.strays:
            meant = unrecorded(stray, prefix, self.table.orders.values(), position.quantity)
            if meant is None:
                self._cancel_stray(stray)
            else:
                self._take_up(meant, stray)
        for foreign in compared.foreign:
            self.strangers.order(foreign)
        findings += self._compare_trades(snapshot.trades)
        outdated = position.update_time_ms < self.last_trade_ms
        missing = missing_stop(self.symbol, position.quantity, self.table.orders.values())
        if missing is not None and not outdated:
            findings.append((str(missing.kind), missing.detail))
        still_ns = snapshot.requested_ns - self.last_execution_ns
        unjudged = bool(self.strangers)
        quiet = still_ns > LISTING_LAG_NS and not self.doubts and not unjudged
        self.context.positions[self.symbol].tell(
            OrdersReconciled(
                position=position, findings=tuple(findings), outdated=outdated, quiet=quiet, unjudged=unjudged
            )
        )

    def _compare_trades(self, trades: tuple[Execution, ...]) -> list[tuple[str, str]]:
        compared = self._book_trades(trades)
        for execution in self.strangers.unknown(compared.unattributed):
            self.unheard.expect(execution)
            # It may be of a conditional order whose child we are only about to learn of.
            self.strangers.take(ExecutionReport(execution=execution, filled=execution.quantity), self.table)
        return [(str(FindingKind.MISSED_EXECUTION), execution.trade_id) for _, execution in compared.missed]

    def _book_trades(self, trades: tuple[Execution, ...]) -> TradesCompared:
        """Book what was missed; what was taken for another hand's and is ours goes to its order."""
        booked = self.table.booked - self.strangers.booked
        compared = compare_trades(self.table.orders.values(), booked, trades)
        for _, execution in compared.missed:
            if execution.key in self.strangers.booked:
                self._attribute(execution)
            else:
                self._book_missed(execution)
        return compared

    def _attribute(self, execution: Execution) -> None:
        self.strangers.booked.discard(execution.key)
        order = self.table.attribute(execution, now_ns=self.clock.monotonic_ns())
        self.context.record(ExecutionAttributed(client_id=order.client_id, execution=execution), order.client_id)
        text = f"{order.client_id}: trade {execution.trade_id} was taken for another hand's and is ours"
        self._alert(AlertLevel.WARNING, "FILL_ATTRIBUTED", text)
        self._publish(Change(order=order))

    def _cancel_stray(self, stray: OrderReport | ConditionalReport) -> None:
        conditional = isinstance(stray, ConditionalReport)
        text = f"{stray.client_id} has our prefix and is not in our journal: cancelling it"
        self._alert(AlertLevel.ERROR, "STRAY_ORDER", text)
        stray_ref = OrderRef(
            symbol=self.symbol, client_id=stray.client_id, conditional=conditional, venue_id=stray.venue_id
        )
        self.context.gateway.tell(Cancel(order=stray_ref))

    def _take_up(self, meant: OrderIntent, shown: OrderReport | ConditionalReport) -> None:
        text = f"{meant.client_id} closes the position and is not in our journal: taking it up"
        self._alert(AlertLevel.WARNING, "UNRECORDED_ORDER", text)
        self.context.record(IntentRecorded(intent=meant, epoch=self.context.epoch), meant.client_id)
        self.table.send(meant, approved=False, now_ns=self.clock.monotonic_ns())
        self._apply_status(shown, seen=True)

    def _book_missed(self, execution: Execution) -> None:
        self.unheard.expect(execution)
        report = ExecutionReport(execution=execution, filled=execution.quantity)
        change = self.table.execute(report, now_ns=self.clock.monotonic_ns())
        if change is not None and change.execution is not None:
            text = f"{change.order.client_id}: trade {execution.trade_id} was missed and is booked now"
            self._alert(AlertLevel.WARNING, "MISSED_FILL", text)
            self._publish(change)

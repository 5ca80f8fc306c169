"""OrderKeeper: one symbol's orders from the journal on; a change is journaled, then told; what is old is forgotten."""

import msgspec

from execactor.actors.context import Context
from execactor.actors.doubts import Doubts
from execactor.actors.strangers import Strangers
from execactor.actors.unheard import Unheard
from execactor.domain.fill import Execution
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.orders import ExecutionsForgotten, OrderUpdate
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderState
from execactor.domain.order_table import Change, OrderTable
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.runtime import LoopActor
from execactor.store.records import ExecutionBooked, OrderChanged
from execactor.store.recovery import SymbolHistory
from execactor.store.retention import forget, horizon_ms

TOMBSTONE_NS = 24 * 3_600_000_000_000
SWEEP_NS = 600_000_000_000


class Sweep(msgspec.Struct, frozen=True):
    """Time to forget what is of no use any more."""


class OrderKeeper(LoopActor):
    """What an OrderActor keeps, and how a change of it becomes known."""

    def __init__(self, context: Context, symbol: str) -> None:
        super().__init__(context, symbol)
        self.context = context
        self.symbol = symbol
        self.table = OrderTable()
        self.cancelled_ns: dict[str, int] = {}
        self.doubts = Doubts(context, symbol, lambda: self.timers)
        self.strangers = Strangers(context, symbol, lambda: self.timers, self._traded)
        self.unheard = Unheard(context, lambda: self.timers)
        self.last_execution_ns = 0
        self.last_trade_ms = 0

    def on_start(self) -> None:
        """Take up what the journal tells; whatever was in flight is UNKNOWN and is asked about."""
        self._restore(after_restart=False)

    def _apply_status(self, status: OrderReport | ConditionalReport, *, seen: bool) -> None:
        change = self.table.report(status, now_ns=self.clock.monotonic_ns(), seen=seen)
        if change is not None:
            self._publish(change)

    def _publish(self, change: Change) -> None:
        """Journal a change and tell those whom it concerns."""
        order, execution = change.order, change.execution
        if change.ignored is not None and execution is None:
            if order.verified:
                self._tell(order)
            return
        if execution is not None:
            self._on_execution(order, execution)
        self.context.record(OrderChanged(order=order), order.client_id)
        if not order.live or (order.verified and order.state is not OrderState.UNKNOWN):
            self.doubts.end(order.client_id)
        self._tell(order, execution)
        if change.late:
            reason = f"{self.symbol}: {order.client_id} traded after its end ({order.state})"
            self.context.reconciler.tell(RequestReconcile(symbol=self.symbol, reason=reason))

    def _on_execution(self, order: Order, execution: Execution) -> None:
        now_ns = self.clock.monotonic_ns()
        self._traded(execution)
        self.context.record(ExecutionBooked(client_id=order.client_id, execution=execution), order.client_id)
        if order.filled == execution.quantity and not order.intent.role.protective:
            self.context.latencies.record("ack_to_fill", now_ns - order.acknowledged_ns)
            self.context.latencies.record("decision_to_fill", now_ns - order.intent.decided_ns)

    def _traded(self, execution: Execution) -> None:
        """A trade, whosever, moved the position: what a listing tells from before it is outdated."""
        self.last_execution_ns = self.clock.monotonic_ns()
        self.last_trade_ms = max(self.last_trade_ms, execution.time_ms)
        self.context.last_trade_ms[self.symbol] = self.last_trade_ms

    def _tell(self, order: Order, execution: Execution | None = None) -> None:
        update = OrderUpdate(order=order, execution=execution)
        self.context.positions[self.symbol].tell(update)
        self.context.risk.tell(update)

    def _sent_wall_ns(self, client_id: str) -> int:
        return self._history.sent_wall_ns.get(client_id, self.clock.now_ns())

    def _sweep(self) -> None:
        now_ns = self.clock.monotonic_ns()
        orders, history = self.table.orders, self._history
        ended = [
            name
            for name, order in orders.items()
            if order.settled and order.ended_ns and now_ns - order.ended_ns > TOMBSTONE_NS
        ]
        self.table.forget(ended)
        for client_id in ended:
            self.cancelled_ns.pop(client_id, None)
        unsettled = [name for name, order in orders.items() if not order.settled]
        before_ms = horizon_ms(history, unsettled, self.clock.now_ns() // 1_000_000)
        gone = forget(history, kept=orders, before_ms=before_ms)
        self.table.forget_executions(gone)
        self.strangers.booked -= gone
        if gone:
            self.context.positions[self.symbol].tell(ExecutionsForgotten(gone))
            self.context.risk.tell(ExecutionsForgotten(gone))

    @property
    def _history(self) -> SymbolHistory:
        return self.context.recovered.symbol(self.symbol)

    def _alert(self, level: AlertLevel, code: str, text: str) -> None:
        self.context.alert.tell(Alert(level=level, code=code, text=text, symbol=self.symbol))

    def _restore(self, *, after_restart: bool) -> None:
        history = self.context.history(self.symbol, after_restart=after_restart)
        now_ns = self.clock.monotonic_ns()
        buried_ns = self.clock.now_ns() - TOMBSTONE_NS
        remembered = (
            o for name, o in history.orders.items() if history.ended_wall_ns.get(name, buried_ns) >= buried_ns
        )
        orders = (o if o.live else msgspec.structs.replace(o, ended_ns=now_ns) for o in remembered)
        self.table = OrderTable(orders, history.booked)
        self.strangers.restore(history.strays, history.taken_over_ms)
        self.last_trade_ms = history.last_trade_ms
        age_ns = self.clock.now_ns() - history.last_trade_ms * 1_000_000
        self.last_execution_ns = now_ns - age_ns
        self.timers.every("sweep", SWEEP_NS, Sweep())
        self._sweep()

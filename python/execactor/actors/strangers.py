"""Reports and trades of no order of ours: held until it is clear whose they are, then booked as another hand's."""

import logging
from collections.abc import Callable, Collection, Iterable

import msgspec

from execactor.actors.context import Context
from execactor.actors.venue_gateway import IdentifyTrade
from execactor.domain.fill import Execution, Origin
from execactor.domain.ids import parse
from execactor.domain.messages.account import Alert, AlertLevel, EnterSafeMode
from execactor.domain.messages.orders import StrayExecution
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order
from execactor.domain.order_table import OrderTable
from execactor.domain.reports import ConditionalReport, ExecutionReport, OrderReport
from execactor.runtime import Timers
from execactor.store.records import ExecutionBooked

GRACE_NS = 1_000_000_000
DOUBTFUL_GRACE_NS = 3_000_000_000

_PERSON_NEEDED = {
    Origin.ORDER: "a trade of an order that is not ours",
    Origin.LIQUIDATION: "the venue liquidates the position",
}
"""After which trades no new risk is taken. A deleveraging or a settlement shrinks a position and blames nobody."""

logger = logging.getLogger(__name__)

Report = OrderReport | ConditionalReport | ExecutionReport


class JudgeStrangers(msgspec.Struct, frozen=True):
    """Time to judge reports that belonged to no order of ours when they came."""


class Strangers:
    """The strangers of one OrderActor. `timers` is the actor's; traded: is told of each trade that is booked.

    booked: keys of the trades that were booked as another hand's. One of them may turn out to be ours after all.
    taken_over_ms: the venue's time of a position that was taken over from it; trades up to then are in it already.
    """

    def __init__(
        self, context: Context, symbol: str, timers: Callable[[], Timers], traded: Callable[[Execution], None]
    ) -> None:
        self._context = context
        self._symbol = symbol
        self._timers = timers
        self._traded = traded
        self._held: list[tuple[int, Report]] = []
        self._identified: set[tuple[str, str]] = set()
        self.booked: set[tuple[str, str]] = set()
        self.taken_over_ms = 0

    def __len__(self) -> int:
        return len(self._held)

    def restore(self, booked: Collection[tuple[str, str]], taken_over_ms: int) -> None:
        """Take up what the journal tells."""
        self._held, self.booked, self.taken_over_ms = [], set(booked), taken_over_ms
        self._identified.clear()

    def position_taken_over(self, update_time_ms: int) -> None:
        """Our position is the venue's of that time now."""
        self.taken_over_ms = max(self.taken_over_ms, update_time_ms)

    def take(self, report: Report, table: OrderTable) -> None:
        """A report of no order in `table`: held while one of them may still turn out to have made it."""
        now_ns = self._context.clock.monotonic_ns()
        forced = not isinstance(report, ConditionalReport) and _origin(report).forced
        if forced or not any(_nameless(order, now_ns) for order in table.orders.values()):
            self._judge(report, table)
        else:
            self._hold(report)

    def identified(self, execution: Execution, table: OrderTable) -> bool:
        """The venue told whose order made a held trade, or could not; whether it is ours after all."""
        self._held = [held for held in self._held if _key(held[1]) != execution.key]
        if table.owner(execution.client_id, execution.venue_order_id) is not None:
            return True
        self._judge(ExecutionReport(execution=execution, filled=execution.quantity), table)
        return False

    def _hold(self, report: Report) -> None:
        self._held.append((self._context.clock.monotonic_ns(), report))
        if len(self._held) == 1:
            self._timers().once("strangers", GRACE_NS, JudgeStrangers())

    def judge(self, table: OrderTable, *, doubtful: bool) -> list[Report]:
        """Judge those that have waited long enough; returns the ones that belong to us by now.

        doubtful: an order of ours is in doubt, so that a trade may well be its own.
        """
        held, self._held = self._held, []
        now_ns = self._context.clock.monotonic_ns()
        grace_ns = DOUBTFUL_GRACE_NS if doubtful else GRACE_NS
        ours: list[Report] = []
        for came_ns, report in held:
            client_id, venue_id = names_of(report)
            if table.owner(client_id, venue_id) is not None:
                ours.append(report)
            elif now_ns - came_ns < grace_ns:
                self._held.append((came_ns, report))
            else:
                self._judge(report, table)
        self._identified &= {_key(report) for _, report in self._held}
        if self._held:
            oldest_ns = min(came_ns for came_ns, _ in self._held)
            self._timers().once("strangers", oldest_ns + grace_ns - now_ns, JudgeStrangers())
        return ours

    def unknown(self, executions: Iterable[Execution]) -> list[Execution]:
        """Those of `executions` that were not booked as another hand's."""
        return [execution for execution in executions if execution.key not in self.booked]

    def order(self, report: OrderReport | ConditionalReport) -> None:
        """An order that is not ours: left alone; seeing one means SAFE MODE."""
        context = self._context
        if isinstance(report, OrderReport) and report.origin.forced:
            logger.warning("%s: the venue placed %s itself: %s", self._symbol, report.client_id, report.origin)
            return
        if parse(context.settings.prefix, report.client_id) is not None:
            reason = f"{self._symbol}: {report.client_id} has our prefix and is not in our journal"
            context.reconciler.tell(RequestReconcile(symbol=self._symbol, reason=reason))
            return
        text = f"order {report.client_id or report.venue_id} of {self._symbol} is not ours"
        context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="FOREIGN_ORDER", text=text, symbol=self._symbol))
        context.account.tell(EnterSafeMode(reason=text))

    def _judge(self, report: Report, table: OrderTable) -> None:
        if not isinstance(report, ExecutionReport):
            self.order(report)
        elif report.execution.key not in table.booked:
            execution = report.execution
            if execution.client_id or execution.key in self._identified:
                self._book(execution, table)
            else:
                # A listing tells a liquidation and a trade made by hand alike; without an answer it is the latter.
                self._identified.add(execution.key)
                self._hold(report)
                self._context.gateway.tell(IdentifyTrade(execution=execution))

    def _book(self, execution: Execution, table: OrderTable) -> None:
        context = self._context
        table.booked.add(execution.key)
        if not 0 < execution.time_ms <= self.taken_over_ms:
            self.booked.add(execution.key)
            self._traded(execution)
            context.record(ExecutionBooked(client_id="", execution=execution), execution.symbol)
            context.positions[self._symbol].tell(StrayExecution(execution=execution))
            context.risk.tell(StrayExecution(execution=execution))
        if execution.origin in _PERSON_NEEDED:
            text = f"{self._symbol}: {_PERSON_NEEDED[execution.origin]}: {execution.side} {execution.quantity}"
            context.account.tell(EnterSafeMode(reason=text))


def _nameless(order: Order, now_ns: int) -> bool:
    """Whether an order of ours may trade under an id of the venue that we have not been told yet.

    The child of a conditional order may report before the event that names it; a lost answer would have told an id.
    """
    known = order.child_id if order.intent.type.conditional else order.venue_id
    return known is None and (order.live or now_ns - order.ended_ns < GRACE_NS)


def _key(report: Report) -> tuple[str, str] | None:
    return report.execution.key if isinstance(report, ExecutionReport) else None


def _origin(report: OrderReport | ExecutionReport) -> Origin:
    return report.execution.origin if isinstance(report, ExecutionReport) else report.origin


def names_of(report: Report) -> tuple[str, str | None]:
    """Client id and venue id that a report carries; a conditional order's venue id is of another namespace."""
    if isinstance(report, ExecutionReport):
        return report.execution.client_id, report.execution.venue_order_id
    return report.client_id, report.venue_id if isinstance(report, OrderReport) else None

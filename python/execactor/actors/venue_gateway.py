"""VenueGateway: the only actor that talks to the venue; looks at approvals once more right before the write."""

from asyncio import Future
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec

from execactor.actors.context import Context, Ref
from execactor.domain.account import VenueSnapshot
from execactor.domain.fill import Execution
from execactor.domain.lanes import VENUE
from execactor.domain.messages.account import Alert, AlertLevel, EnterSafeMode, StreamChanged
from execactor.domain.messages.orders import RiskApproved
from execactor.domain.messages.reconciliation import VenuePositionSeen
from execactor.domain.order import OrderIntent
from execactor.domain.reports import (
    AccountReport,
    CancelResult,
    ConditionalReport,
    ExecutionReport,
    OrderReport,
    PrivateStreamLost,
    PrivateStreamRestored,
    QueryResult,
    SubmitResult,
    Unknown,
    UnreadableFrame,
    VenueEvent,
)
from execactor.risk.gate import last_look
from execactor.runtime import LoopActor
from execactor.venues.port import OrderRef


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> gateway: send a journaled order. Urgent: nobody waits for anything else while it lies here."""

    lane: ClassVar[int] = VENUE

    intent: OrderIntent
    token: RiskApproved | None = None


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> gateway."""

    lane: ClassVar[int] = VENUE

    order: OrderRef


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> gateway: what became of this order?"""

    order: OrderRef


class GatherEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> gateway: open orders, and executions since a venue time, of the symbol of an order in doubt."""

    client_id: str
    symbol: str
    since_ms: int


class RenewStream(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> gateway: the private stream did not tell what it should have; open it anew."""

    reason: str


class IdentifyTrade(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> gateway: whose order made this trade, of which a listing names the venue's order id alone?"""

    execution: Execution


class TradeIdentified(msgspec.Struct, frozen=True, kw_only=True):
    """The same trade with what its order told; unchanged when the venue did not tell."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    execution: Execution

    @property
    def symbol(self) -> str:
        """Symbol of the trade."""
        return self.execution.symbol


class SubmitOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """sent_ns: monotonic time at which the bytes had been handed to the socket (or the order was refused)."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    client_id: str
    symbol: str
    result: SubmitResult
    sent_ns: int


class CancelOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cancel request."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    client_id: str
    symbol: str
    result: CancelResult


class QueryOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a query."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    client_id: str
    symbol: str
    result: QueryResult


class EvidenceGathered(msgspec.Struct, frozen=True, kw_only=True):
    """What open orders and trades say of a symbol; None: the question was not answered."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    client_id: str
    symbol: str
    snapshot: VenueSnapshot | None


class VenueGateway(LoopActor):
    """One per account."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.context = context

    def on_receive(self, message: Any) -> Any:
        """Pass requests to the venue and its answers back."""
        match message:
            case Submit():
                self._submit(message)
            case Cancel(order=order):
                self._cancel(order)
            case Query(order=order):
                self._query(order)
            case GatherEvidence():
                self._gather(message)
            case RenewStream(reason=reason):
                self.context.venue.renew_private_stream(reason)
            case IdentifyTrade(execution=execution):
                self._identify(execution)
            case QueryOutcome() | EvidenceGathered() | TradeIdentified():
                self.context.orders[message.symbol].tell(message)

    def _submit(self, request: Submit) -> None:
        intent, token = request.intent, request.token
        asker = self.context.orders[intent.symbol]

        def guard() -> str | None:
            now_ns = self.clock.monotonic_ns()
            return last_look(intent, token, state=self.context.engine_state, epoch=self.context.epoch, now_ns=now_ns)

        self.context.write()
        answer = self.context.venue.submit(intent, guard)
        sent_ns = self.clock.monotonic_ns()
        if intent.decided_ns and not intent.role.protective:
            self.context.latencies.record("decision_to_wire", sent_ns - intent.decided_ns)

        def report(done: "Future[SubmitResult]") -> None:
            result = _answer(done, Unknown(reason="the venue adapter lost the answer"))
            outcome = SubmitOutcome(client_id=intent.client_id, symbol=intent.symbol, result=result, sent_ns=sent_ns)
            self._tell(asker, outcome)

        answer.add_done_callback(report)

    def _cancel(self, order: OrderRef) -> None:
        asker = self.context.orders[order.symbol]

        def report(done: "Future[CancelResult]") -> None:
            result = _answer(done, Unknown(reason="the venue adapter lost the answer"))
            self._tell(asker, CancelOutcome(client_id=order.client_id, symbol=order.symbol, result=result))

        self.context.write()
        self.context.venue.cancel(order).add_done_callback(report)

    def _tell(self, asker: Ref, outcome: SubmitOutcome | CancelOutcome) -> None:
        # While the engine stops, its actors are gone before the last answers; a restart asks for them again.
        if not self.context.closing:
            asker.tell(outcome)

    def _query(self, order: OrderRef) -> None:
        def wrap(result: QueryResult) -> QueryOutcome:
            return QueryOutcome(client_id=order.client_id, symbol=order.symbol, result=result)

        self.pipe_to_self(self.context.venue.query(order), wrap, lambda error: wrap(Unknown(reason=str(error))))

    def _identify(self, execution: Execution) -> None:
        order = OrderRef(symbol=execution.symbol, client_id="", venue_id=execution.venue_order_id, child=True)

        def named(result: QueryResult) -> TradeIdentified:
            if not isinstance(result, OrderReport):
                return TradeIdentified(execution=execution)
            told = msgspec.structs.replace(execution, client_id=result.client_id, origin=result.origin)
            return TradeIdentified(execution=told)

        self.pipe_to_self(self.context.venue.query(order), named, lambda _error: TradeIdentified(execution=execution))

    def _gather(self, request: GatherEvidence) -> None:
        def wrap(snapshot: VenueSnapshot | None) -> EvidenceGathered:
            return EvidenceGathered(client_id=request.client_id, symbol=request.symbol, snapshot=snapshot)

        asked = self.context.venue.snapshot((request.symbol,), {request.symbol: request.since_ms})
        self.pipe_to_self(asked, wrap, lambda _error: wrap(None))


class EventRouter:
    """Takes the venue's private events on the loop thread and tells those whom they concern, in order."""

    def __init__(self, context: Context, flush: Callable[[], object]) -> None:
        self._context = context
        self._flush = flush

    def __call__(self, event: VenueEvent) -> None:
        """Route one event, then let the actors handle it before the next bytes are read."""
        context = self._context
        if context.closing:
            return
        match event:
            case OrderReport() | ExecutionReport() | ConditionalReport():
                self._to_order_actor(event)
            case AccountReport():
                context.risk.tell(event)
                for position in event.positions:
                    actor = context.positions.get(position.symbol)
                    if actor is not None:
                        actor.tell(VenuePositionSeen(quantity=position.quantity))
            case PrivateStreamLost(reason=reason):
                context.account.tell(StreamChanged(continuous=False, reason=reason))
            case PrivateStreamRestored(reason=reason):
                context.account.tell(StreamChanged(continuous=True, reason=reason))
            case UnreadableFrame(reason=reason, excerpt=excerpt):
                text = f"a private frame did not parse: {reason}: {excerpt}"
                context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="UNREADABLE_FRAME", text=text))
                context.account.tell(StreamChanged(continuous=True, reason=f"unreadable private frame: {reason}"))
        self._flush()

    def _to_order_actor(self, event: OrderReport | ExecutionReport | ConditionalReport) -> None:
        actor = self._context.orders.get(event.symbol)
        if actor is not None:
            actor.tell(event)
            return
        text = f"an order of {event.symbol} changed, a symbol that this engine does not trade"
        self._context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="FOREIGN_ORDER", text=text, symbol=event.symbol))
        self._context.account.tell(EnterSafeMode(reason=text))


T = TypeVar("T")


def _answer(done: "Future[T]", otherwise: Unknown) -> "T | Unknown":
    return otherwise if done.cancelled() or done.exception() is not None else done.result()

"""Messages between actors: frozen structs that name what happened or what is wanted.

`lane` is the mailbox lane (domain/lanes.py); a message without one travels among commands.
"""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self

import msgspec

from execactor.domain.account import EngineState, VenuePosition, VenueSnapshot
from execactor.domain.decision import Decision
from execactor.domain.fill import Execution
from execactor.domain.lanes import MARKET, SYSTEM, VENUE
from execactor.domain.order import Order, OrderIntent
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.domain.signal import Signal


class DecisionReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A valid decision. received_ns: monotonic time of intake; latency is measured from here."""

    decision: Decision
    received_ns: int


class SignalReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A valid signal. received_ns: monotonic time of intake."""

    signal: Signal
    received_ns: int


class PlanReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A decision or signal, checked and sized. expires_ns: monotonic time after which it may not enter."""

    plan: Plan
    expires_ns: int


class PlanAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A plan's key is taken up: it never enters again, whatever follows."""

    plan: Plan


class PlanStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A plan is being executed from now on."""

    key: str
    symbol: str


class PlanEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A plan is over: its trade closed, or it never traded. entered: whether anything was filled."""

    key: str
    symbol: str
    reason: str
    entered: bool


class PlanRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A decision or signal was not taken up. key: its decision or idempotency key."""

    key: str
    symbol: str
    reason: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor's answer to a signal. key: decision key of the trade; duplicate: it was taken up before."""

    key: str
    accepted: bool
    duplicate: bool = False
    reason: str = ""


class FlatRequested(msgspec.Struct, frozen=True, kw_only=True):
    """The position should be flat: cancel entries, close what is open."""

    reason: str


class FlatMode(msgspec.Struct, frozen=True, kw_only=True):
    """There is no decision to follow: no entries; an open position stays managed."""

    reason: str


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best prices of a tradable book, quote per base and base units."""

    lane: ClassVar[int] = MARKET

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_ns: int = 0

    def conflation_key(self) -> tuple[str, str]:
        """The newest quote of a symbol replaces an unread one."""
        return ("quote", self.symbol)

    def merge(self, older: Self) -> Self:  # noqa: ARG002  # the protocol of conflation
        """The newest wins."""
        return self


class MarkUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Mark price, with the lowest and highest since the last one that was read."""

    lane: ClassVar[int] = MARKET

    symbol: str
    price: Decimal
    low: Decimal
    high: Decimal

    def conflation_key(self) -> tuple[str, str]:
        """Unread marks of a symbol are merged."""
        return ("mark", self.symbol)

    def merge(self, older: Self) -> Self:
        """The newest price; extremes are kept, because a stop may lie between."""
        return msgspec.structs.replace(self, low=min(self.low, older.low), high=max(self.high, older.high))


class RiskApproved(msgspec.Struct, frozen=True, kw_only=True):
    """Permission for one risk-increasing order, checked again right before the write.

    max_quantity: base units; worst_price: the limit beyond which the price may not lie; epoch: the account's epoch at
    approval; expires_ns: monotonic.
    """

    client_id: str
    side: Side
    max_quantity: Decimal
    worst_price: Decimal
    epoch: int
    expires_ns: int


class RequestApproval(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor -> RiskActor: may this entry go out?"""

    lane: ClassVar[int] = VENUE

    intent: OrderIntent


class SubmitApproved(msgspec.Struct, frozen=True, kw_only=True):
    """RiskActor -> OrderActor: an approved entry; there is no other way for one."""

    lane: ClassVar[int] = VENUE

    intent: OrderIntent
    token: RiskApproved


class SubmitProtective(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor -> OrderActor: an order that can only reduce risk; it needs no approval and is never starved."""

    lane: ClassVar[int] = VENUE

    intent: OrderIntent


class EntryRefused(msgspec.Struct, frozen=True, kw_only=True):
    """RiskActor -> PositionActor: no, and why."""

    lane: ClassVar[int] = VENUE

    client_id: str
    reason: str


class EntryAbandoned(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor -> RiskActor: an entry that was asked for never left; what it reserved is free again."""

    lane: ClassVar[int] = VENUE

    client_id: str


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel one of our orders."""

    lane: ClassVar[int] = VENUE

    client_id: str
    reason: str


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> PositionActor, RiskActor: an order changed, with the execution that changed it, if one did."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    order: Order
    execution: Execution | None = None


class StrayExecution(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> PositionActor: the position changed by an order that is not ours (liquidation, another hand)."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    execution: Execution


class ExecutionsForgotten(msgspec.Struct, frozen=True):
    """OrderActor -> PositionActor, RiskActor: executions, by key, that will never be told again."""

    keys: frozenset[tuple[str, str]]


class EngineStateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> all: what may be done from now on. epoch: approvals of older epochs are void."""

    lane: ClassVar[int] = SYSTEM

    state: EngineState
    epoch: int
    reason: str


class EnterSafeMode(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: something is wrong that a person must look at; take no new risk."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class PauseEntries(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: take no new entries until resumed; what rests is cancelled."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: the kill switch. Stays off across restarts until a person resumes."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """A person -> AccountActor: reconcile, then trade again."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class Flatten(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> PositionActor: cancel entries, close the position; stops go last, after FlatConfirmed."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class FlatConfirmed(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> PositionActor: the venue showed no position twice; the stops may go."""

    lane: ClassVar[int] = SYSTEM


class StreamChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Gateway -> AccountActor: private events are (or are not) complete from now on; either way a resync is needed."""

    lane: ClassVar[int] = SYSTEM

    continuous: bool
    reason: str


class VenuePositionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The venue stated the symbol's position (signed base units); the execution that made it follows, or was missed."""

    lane: ClassVar[int] = VENUE

    quantity: Decimal


class RequestReconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> ReconcilerActor: compare with the venue now. symbol: whose trades are in question; empty: no one's."""

    lane: ClassVar[int] = VENUE

    reason: str
    symbol: str = ""


class SnapshotArrived(msgspec.Struct, frozen=True, kw_only=True):
    """Reconciler -> OrderActor: the venue's view of one symbol, to be compared with ours."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    snapshot: VenueSnapshot


class OrdersReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> PositionActor: orders and trades are compared; now compare the position.

    findings: as (kind, detail). outdated: the listed position is older than our last execution. quiet: nothing was
    executed for so long that every listing shows it, and no order of the symbol is in doubt. unjudged: the listed
    position may hold trades that are not booked, because it is not clear yet whose they are.
    """

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    position: VenuePosition
    findings: tuple[tuple[str, str], ...]
    outdated: bool
    quiet: bool
    unjudged: bool = False


class MarketChanged(msgspec.Struct, frozen=True, kw_only=True):
    """MarketBooks -> AccountActor: market data is lost, or flows again."""

    lane: ClassVar[int] = SYSTEM

    up: bool
    reason: str = ""


class DoubtChanged(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> AccountActor: an order's fate has been unknown for long, or none of the symbol is any more."""

    lane: ClassVar[int] = SYSTEM

    symbol: str
    lasts: bool


class ReconcileEnded(msgspec.Struct, frozen=True, kw_only=True):
    """ReconcilerActor -> AccountActor: everything is compared. started_ns: when the comparison began, monotonic."""

    lane: ClassVar[int] = SYSTEM

    started_ns: int
    settled: bool
    reason: str


class SymbolReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor -> ReconcilerActor: this symbol is compared. settled False: look again soon."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    symbol: str
    findings: tuple[tuple[str, str], ...]
    settled: bool


class PositionAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the venue that we know nothing of: it gets a stop at stop_price at once. key names its orders.

    update_time_ms: the venue's time of it; trades up to then are in it already.
    """

    lane: ClassVar[int] = VENUE

    position: Position
    stop_price: Decimal
    key: str
    update_time_ms: int = 0


class PositionCorrected(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's position differs from ours and no missed trade explains it: the venue is right.

    update_time_ms: the venue's time of it; trades up to then are in it already.
    """

    lane: ClassVar[int] = VENUE

    position: Position
    reason: str
    update_time_ms: int = 0


class AlertLevel(StrEnum):
    """How much a person should hurry."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should see. code: stable name, e.g. MISSING_STOP; symbol may be empty."""

    level: AlertLevel
    code: str
    text: str
    symbol: str = ""


class TradeClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A trade from flat to flat.

    pnl: quote units, net of commissions. outcome: what closed it: tp2, tp1, break_even, stopped, exit, external (by
    another hand), or the venue itself: liquidated, deleveraged, settled.
    """

    key: str
    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal
    commission: Decimal
    outcome: str
    fills: int
    opened_ns: int
    closed_ns: int


__all__ = [
    "Alert",
    "AlertLevel",
    "CancelOrder",
    "DecisionReceived",
    "DoubtChanged",
    "EngineStateChanged",
    "EnterSafeMode",
    "EntryAbandoned",
    "EntryRefused",
    "FlatConfirmed",
    "FlatMode",
    "FlatRequested",
    "Flatten",
    "Kill",
    "MarkUpdate",
    "MarketChanged",
    "OrderUpdate",
    "OrdersReconciled",
    "PauseEntries",
    "PlanAccepted",
    "PlanEnded",
    "PlanReceived",
    "PlanRefused",
    "PlanStarted",
    "PositionAdopted",
    "PositionCorrected",
    "Quote",
    "Receipt",
    "ReconcileEnded",
    "RequestApproval",
    "RequestReconcile",
    "Resume",
    "RiskApproved",
    "SignalReceived",
    "SnapshotArrived",
    "StrayExecution",
    "StreamChanged",
    "SubmitApproved",
    "SubmitProtective",
    "SymbolReconciled",
    "TradeClosed",
    "VenuePositionSeen",
]

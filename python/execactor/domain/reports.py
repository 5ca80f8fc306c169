"""What a venue reports, in our words: answers to requests and events of the private stream."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from execactor.domain.fill import Execution, Origin
from execactor.domain.lanes import VENUE
from execactor.domain.order import OrderEvent, RejectCause
from execactor.domain.side import Side


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The status of a regular order. filled: cumulative base units; event: what the status means for our table.

    order_type: the venue's word, which may be a type that we never place.
    """

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    symbol: str
    client_id: str
    venue_id: str
    event: OrderEvent
    side: Side
    order_type: str
    quantity: Decimal
    filled: Decimal = Decimal(0)
    price: Decimal | None = None
    average_price: Decimal | None = None
    reduce_only: bool = False
    reason: str = ""
    time_ms: int = 0
    origin: Origin = Origin.ORDER


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One of our orders traded. filled: the order's cumulative quantity after it; final: the order is filled whole."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    execution: Execution
    filled: Decimal
    final: bool = False

    @property
    def symbol(self) -> str:
        """Symbol of the execution."""
        return self.execution.symbol


class ConditionalReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The status of a conditional order at the venue's algo service.

    order_type: the venue's word, as in OrderReport. child_id: venue id of the order that it became; executed: base
    units that the child traded, when stated. quantity None: it closes the whole position.
    """

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    symbol: str
    client_id: str
    venue_id: str
    event: OrderEvent
    side: Side
    order_type: str
    trigger_price: Decimal
    quantity: Decimal | None = None
    close_position: bool = False
    reduce_only: bool = False
    child_id: str | None = None
    executed: Decimal | None = None
    reason: str = ""
    time_ms: int = 0


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """A position inside an AccountReport: signed base units, entry price in quote per base."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a spot account holds of one asset, in units of it. locked: in open orders; free: the rest."""

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What came into the account (positive) or left it otherwise than by trading, in units of the asset."""

    asset: str
    amount: Decimal


class AccountReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Balances and positions that changed, and why (the venue's word).

    wallet_balance None: not of our margin asset. balances, transfer: spot accounts only; balances lists the assets that
    the venue names, each as it stands now, while a transfer is a change, whose result a later report states.
    """

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    cause: str
    wallet_balance: Decimal | None = None
    positions: tuple[PositionReport, ...] = ()
    balances: tuple[BalanceReport, ...] = ()
    transfer: Transfer | None = None
    time_ms: int = 0


class PrivateStreamLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Private events may have been missed from now on: trust nothing that depends on them until a resync."""

    lane: ClassVar[int] = VENUE

    reason: str


class PrivateStreamRestored(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Private events flow again; what happened in between must be fetched."""

    lane: ClassVar[int] = VENUE

    reason: str = ""


class UnreadableFrame(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A private frame that did not parse: never skipped, it raises an alert and forces a resync.

    excerpt: the first bytes of it, for the log; keys and signatures never appear in private events.
    """

    lane: ClassVar[int] = VENUE

    reason: str
    excerpt: str = ""


VenueEvent = (
    OrderReport
    | ExecutionReport
    | ConditionalReport
    | AccountReport
    | PrivateStreamLost
    | PrivateStreamRestored
    | UnreadableFrame
)


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The venue took the request and gave its id.

    status: what the answer itself states of the order; for one that cannot rest (IOC, MARKET) that may be its end.
    """

    venue_id: str
    status: OrderReport | ConditionalReport | None = None


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The venue certainly did not take the request. code: the venue's number, 0 when there is none.

    cause: the code in words that tactics understand. retryable: the cause may pass (overload, rate limit), so a new
    attempt makes sense after `retry_after_ms`.
    """

    reason: str
    code: int = 0
    cause: RejectCause = RejectCause.OTHER
    retryable: bool = False
    retry_after_ms: int = 0


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The answer was lost: the request may or may not have had an effect."""

    reason: str


class NotFound(msgspec.Struct, frozen=True, kw_only=True):
    """The venue says that it knows no such order. One such answer proves nothing: listings lag."""

    reason: str = ""


SubmitResult = Acknowledged | Rejected | Unknown
CancelResult = Acknowledged | Rejected | NotFound | Unknown
QueryResult = OrderReport | ConditionalReport | NotFound | Unknown

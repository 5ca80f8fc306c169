"""The way of an order between risk, its owner and the position, and what became of it."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.lanes import SYSTEM, VENUE
from execactor.domain.order import Order, OrderIntent
from execactor.domain.side import Side


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


class DoubtChanged(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> AccountActor: an order's fate has been unknown for long, or none of the symbol is any more."""

    lane: ClassVar[int] = SYSTEM

    symbol: str
    lasts: bool

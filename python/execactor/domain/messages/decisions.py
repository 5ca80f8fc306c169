"""Decisions and signals as they come in, what becomes of their plans, and the trade that they end in."""

from decimal import Decimal

import msgspec

from execactor.domain.decision import Decision
from execactor.domain.plan import Plan
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

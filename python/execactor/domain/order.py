"""An order: what we intend, what the venue confirmed of it, and the table of its states."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.side import Side

__all__ = [
    "NO_FACTS",
    "TERMINAL",
    "Facts",
    "Order",
    "OrderEvent",
    "OrderIntent",
    "OrderState",
    "OrderType",
    "Pending",
    "RejectCause",
    "Role",
    "Side",
    "TimeInForce",
    "advance",
    "book",
    "transition",
]


class OrderType(StrEnum):
    """The order types that tactics use; conditional ones trigger on the mark price."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"

    @property
    def conditional(self) -> bool:
        """Whether the venue holds it back until its trigger price is reached."""
        return self in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


class TimeInForce(StrEnum):
    """How long a limit order may rest."""

    GTC = "GTC"
    IOC = "IOC"


class Role(StrEnum):
    """What an order is for. The value is part of the client order id, so it never changes.

    `slt` is the additional, tightened stop that stands beside the base stop `sl`.
    """

    ENTRY = "entry"
    STOP = "sl"
    TIGHTENED_STOP = "slt"
    TAKE_PROFIT_1 = "tp1"
    TAKE_PROFIT_2 = "tp2"
    EXIT = "exit"

    @property
    def protective(self) -> bool:
        """Whether the order can only reduce risk."""
        return self is not Role.ENTRY


class OrderState(StrEnum):
    """Order states (ARCHITECTURE section 4): a superset of all sources' states."""

    CREATED = "CREATED"
    RISK_APPROVED = "RISK_APPROVED"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class OrderEvent(StrEnum):
    """What can happen to an order, apart from executions (`book`)."""

    APPROVED = "APPROVED"
    SENT = "SENT"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    OUTCOME_LOST = "OUTCOME_LOST"
    PROVEN_ABSENT = "PROVEN_ABSENT"


class Pending(StrEnum):
    """The request that is under way for an order, orthogonal to its state."""

    CANCEL = "CANCEL"


class RejectCause(StrEnum):
    """Why a venue refused an order, in words that tactics understand; the adapter translates its codes.

    FATAL: the venue refuses to work with this account: key, permission, signature, position mode, liquidation. No order
    that takes risk makes sense until a person has looked.
    """

    WOULD_TRIGGER = "WOULD_TRIGGER"
    STOP_EXISTS = "STOP_EXISTS"
    NO_POSITION = "NO_POSITION"
    REDUCE_ONLY = "REDUCE_ONLY"
    THIN_BOOK = "THIN_BOOK"
    OVERLOADED = "OVERLOADED"
    RISK = "RISK"
    FATAL = "FATAL"
    OTHER = "OTHER"


TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})

_UNSENT = (OrderState.CREATED, OrderState.RISK_APPROVED)
_UNANSWERED = (OrderState.SUBMITTED, OrderState.UNKNOWN)
_CONFIRMED = (OrderState.ACKNOWLEDGED, OrderState.TRIGGERING, OrderState.TRIGGERED, OrderState.PARTIALLY_FILLED)
_ENDS = {
    OrderEvent.FILLED: OrderState.FILLED,
    OrderEvent.CANCELLED: OrderState.CANCELLED,
    OrderEvent.REJECTED: OrderState.REJECTED,
    OrderEvent.EXPIRED: OrderState.EXPIRED,
}
_PROGRESS = {
    OrderEvent.ACKNOWLEDGED: OrderState.ACKNOWLEDGED,
    OrderEvent.TRIGGERING: OrderState.TRIGGERING,
    OrderEvent.TRIGGERED: OrderState.TRIGGERED,
    OrderEvent.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
}
_RANK = {state: rank for rank, state in enumerate(_CONFIRMED)}


def _legal() -> Mapping[tuple[OrderState, OrderEvent], OrderState]:
    table: dict[tuple[OrderState, OrderEvent], OrderState] = {
        (OrderState.CREATED, OrderEvent.APPROVED): OrderState.RISK_APPROVED,
        # Protective orders carry no approval: they go from CREATED to the venue.
        (OrderState.CREATED, OrderEvent.SENT): OrderState.SUBMITTED,
        (OrderState.RISK_APPROVED, OrderEvent.SENT): OrderState.SUBMITTED,
        (OrderState.SUBMITTED, OrderEvent.OUTCOME_LOST): OrderState.UNKNOWN,
        (OrderState.UNKNOWN, OrderEvent.PROVEN_ABSENT): OrderState.REJECTED,
        # Refused or withdrawn before it was sent, or a crash between the journal and the venue's answer.
        **{(state, OrderEvent.REJECTED): OrderState.REJECTED for state in _UNSENT},
        **{(state, OrderEvent.CANCELLED): OrderState.CANCELLED for state in _UNSENT},
        **{(state, OrderEvent.OUTCOME_LOST): OrderState.UNKNOWN for state in _UNSENT},
    }
    for state in (*_UNANSWERED, *_CONFIRMED):
        table |= {(state, event): end for event, end in _ENDS.items()}
    for state in _UNANSWERED:
        table |= {(state, event): to for event, to in _PROGRESS.items()}
    for state in _CONFIRMED:
        table |= {(state, event): to for event, to in _PROGRESS.items() if _RANK[to] > _RANK[state]}
    return table


_LEGAL = _legal()


def transition(state: OrderState, event: OrderEvent) -> OrderState | str:
    """The state that follows, or the reason (a sentence) why the event is ignored. Total over all pairs."""
    following = _LEGAL.get((state, event))
    if following is not None:
        return following
    if state in TERMINAL:
        return f"the order has ended {state}: status messages no longer count, executions do"
    if event in (OrderEvent.APPROVED, OrderEvent.SENT):
        return f"{event} comes twice: the order is {state}"
    if state in _UNSENT:
        return f"{event} cannot concern an order that was never sent ({state})"
    if event is OrderEvent.OUTCOME_LOST:
        return f"a lost answer changes nothing: the order is {state}"
    if event is OrderEvent.PROVEN_ABSENT:
        return f"proof of absence needs an order in UNKNOWN, not {state}"
    return f"late {event}: the order is already {state}"


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An order as we mean it; journaled before it is sent, never changed afterwards.

    quantity: base units, > 0; None exactly when close_position (the venue closes whatever is open).
    price: quote units per base unit, LIMIT only. trigger_price: mark price, conditional orders only.
    decided_ns: monotonic time at which the decision that led here was received (latency is measured from it).
    """

    client_id: str
    decision_key: str
    role: Role
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    close_position: bool = False
    decided_ns: int = 0

    def __post_init__(self) -> None:
        """Refuse contradictions, so that no later room has to expect them (raises ValueError)."""
        if self.close_position:
            if self.quantity is not None or self.reduce_only or not self.type.conditional:
                raise ValueError(f"{self.client_id}: close_position goes with a conditional type, alone")
        elif self.quantity is None or not self.quantity > 0:
            raise ValueError(f"{self.client_id}: quantity must be above 0, not {self.quantity}")
        if (self.price is None) != (self.type is not OrderType.LIMIT):
            raise ValueError(f"{self.client_id}: a price goes with LIMIT orders and with no other")
        if (self.trigger_price is None) == self.type.conditional:
            raise ValueError(f"{self.client_id}: a trigger price goes with conditional orders and with no other")
        if self.role.protective and not (self.reduce_only or self.close_position):
            raise ValueError(f"{self.client_id}: a {self.role} order must be reduce-only")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order at one venue, as far as the venue has confirmed it.

    filled, quote_filled: sums over the executions that we booked; venue_filled: the largest cumulative quantity that
    the venue reported. verified: an event, a query or a listing showed the order (an acknowledgement alone does not).
    child_id: the venue's id of the order that a triggered conditional order became; triggered: its condition was met.
    retryable: it ended REJECTED for a cause that may pass (overload, rate limit), so a successor makes sense;
    retry_after_ms: not before so long after that, as the venue asked.
    *_ns: monotonic; sent_ns is the hand-over to the socket.
    """

    intent: OrderIntent
    state: OrderState = OrderState.CREATED
    filled: Decimal = Decimal(0)
    quote_filled: Decimal = Decimal(0)
    venue_filled: Decimal = Decimal(0)
    venue_id: str | None = None
    child_id: str | None = None
    pending: Pending | None = None
    verified: bool = False
    retryable: bool = False
    retry_after_ms: int = 0
    cause: RejectCause | None = None
    reason: str = ""
    triggered: bool = False
    sent_ns: int = 0
    acknowledged_ns: int = 0
    ended_ns: int = 0

    @property
    def client_id(self) -> str:
        """Our id of the order; unique for ever."""
        return self.intent.client_id

    @property
    def live(self) -> bool:
        """Whether it may still trade: anything but an ended order, UNKNOWN included."""
        return self.state not in TERMINAL

    @property
    def working(self) -> bool:
        """Whether the venue has acknowledged it and it has not ended."""
        return self.state in _CONFIRMED

    @property
    def settled(self) -> bool:
        """Whether it ended and every fill that the venue reported of it is booked here."""
        return self.state in TERMINAL and self.filled >= self.venue_filled

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of the booked executions, quote per base; None before the first."""
        return self.quote_filled / self.filled if self.filled else None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What came with an order event, as far as known. From `reason` on it belongs to an end or a loss."""

    venue_id: str | None = None
    child_id: str | None = None
    venue_filled: Decimal | None = None
    verified: bool = False
    reason: str = ""
    cause: RejectCause | None = None
    retryable: bool = False
    retry_after_ms: int = 0


NO_FACTS = Facts()


def advance(order: Order, event: OrderEvent, *, now_ns: int, facts: Facts = NO_FACTS) -> tuple[Order, str | None]:
    """Apply `event`; returns the order and, when the event was ignored, the reason.

    Identity and quantity (venue_id, child_id, venue_filled, verified) are kept even then: a late acknowledgement does
    not revive an order, but its venue id is still true.
    """
    changes: dict[str, object] = {}
    if facts.venue_id is not None:
        changes["venue_id"] = facts.venue_id
    if facts.child_id is not None:
        changes["child_id"] = facts.child_id
    if facts.venue_filled is not None and facts.venue_filled > order.venue_filled:
        changes["venue_filled"] = facts.venue_filled
    if facts.verified and not order.verified:
        changes["verified"] = True
    following = transition(order.state, event)
    if not isinstance(following, OrderState):
        return (msgspec.structs.replace(order, **changes) if changes else order), following
    changes["state"] = following
    if facts.reason or facts.cause is not None:
        changes |= {name: getattr(facts, name) for name in ("reason", "cause", "retryable", "retry_after_ms")}
    if following in (OrderState.TRIGGERING, OrderState.TRIGGERED):
        changes["triggered"] = True
    if event is OrderEvent.SENT:
        changes["sent_ns"] = now_ns
    if following in _CONFIRMED and not order.acknowledged_ns:
        changes["acknowledged_ns"] = now_ns
    if following in TERMINAL:
        changes |= {"ended_ns": now_ns, "pending": None}
    return msgspec.structs.replace(order, **changes), None


def book(order: Order, execution: Execution, *, now_ns: int) -> Order:
    """Add an execution that was not booked before. An ended order absorbs it too: its fills are still ours."""
    filled = order.filled + execution.quantity
    changes: dict[str, object] = {
        "filled": filled,
        "quote_filled": order.quote_filled + execution.quantity * execution.price,
        "venue_filled": max(order.venue_filled, filled),
        "verified": True,
    }
    if order.live:
        whole = order.intent.quantity is not None and filled >= order.intent.quantity
        changes["state"] = OrderState.FILLED if whole else OrderState.PARTIALLY_FILLED
        if not order.acknowledged_ns:
            changes["acknowledged_ns"] = now_ns
        if whole:
            changes["ended_ns"] = now_ns
            changes["pending"] = None
    return msgspec.structs.replace(order, **changes)

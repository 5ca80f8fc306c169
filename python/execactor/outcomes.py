"""What the engine answers its callers: verdicts on signals, results of orders, their status."""

from decimal import Decimal

import msgspec

from execactor.domain.messages.account import Alert
from execactor.domain.messages.decisions import PlanEnded
from execactor.domain.order import Order, OrderState, Role
from execactor.store.records import OrderChanged, Reconciled, Record

_ANSWERED = (
    OrderState.ACKNOWLEDGED,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.REJECTED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
)


class Validation(msgspec.Struct, frozen=True):
    """Whether a signal would be taken up now, and why not. True in a condition exactly when it would."""

    valid: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.valid


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to trade. order: the entry as the venue confirmed it so far. error: why it failed."""

    success: bool
    key: str
    order: Order | None = None
    duplicate: bool = False
    error: str = ""


class OrderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An order for people. progress: pending, filled or settled; filled in base units, prices in quote per base."""

    client_id: str
    symbol: str
    role: Role
    state: OrderState
    progress: str
    quantity: Decimal | None
    filled: Decimal
    average_price: Decimal | None
    trigger_price: Decimal | None
    reason: str = ""


class EmergencyStop(msgspec.Struct, frozen=True, kw_only=True):
    """What an emergency stop did. errors: what could not be confirmed in time."""

    cancelled_orders: list[str]
    closed_positions: list[str]
    errors: list[str]


def status_of(order: Order) -> OrderStatus:
    """An order in people's words."""
    progress = "settled" if order.settled and not order.live else "filled" if order.filled else "pending"
    return OrderStatus(
        client_id=order.client_id,
        symbol=order.intent.symbol,
        role=order.intent.role,
        state=order.state,
        progress=progress,
        quantity=order.intent.quantity,
        filled=order.filled,
        average_price=order.average_price,
        trigger_price=order.intent.trigger_price,
        reason=order.reason,
    )


def entry_result(record: Record, key: str) -> OrderResult | None:
    """What a record says of the entry of `key`, once the venue or the engine has answered."""
    match record:
        case OrderChanged(order=order) if order.intent.decision_key == key and order.intent.role is Role.ENTRY:
            if order.state not in _ANSWERED:
                return None
            rejected = order.state is OrderState.REJECTED
            return OrderResult(success=not rejected, key=key, order=order, error=order.reason if rejected else "")
        case PlanEnded(key=ended, reason=reason, entered=False) if ended == key:
            return OrderResult(success=False, key=key, error=reason)
        case _:
            return None


def ended(record: Record, client_id: str) -> Order | None:
    if not isinstance(record, OrderChanged) or record.order.client_id != client_id or record.order.live:
        return None
    return record.order


def compared_for(record: Record, reason: str) -> Reconciled | None:
    """The end of a comparison that was made for this reason, perhaps among others."""
    return record if isinstance(record, Reconciled) and reason in record.reason.split("; ") else None


def kill_complete(record: Record) -> bool | None:
    return True if isinstance(record, Alert) and record.code == "KILL_COMPLETE" else None

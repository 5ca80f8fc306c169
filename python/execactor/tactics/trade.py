"""The state of one symbol's trade, and the small vocabulary that the tactics share."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.fill import Origin
from execactor.domain.ids import client_order_id, parse
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert, EnterSafeMode
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused, PlanStarted, TradeClosed
from execactor.domain.messages.orders import CancelOrder, EntryAbandoned, RequestApproval, SubmitProtective
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderIntent, OrderState, OrderType, Role, TimeInForce
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.domain.side import Side

MS = 1_000_000
SECOND = 1_000 * MS

Effect = (
    RequestApproval
    | SubmitProtective
    | CancelOrder
    | EntryAbandoned
    | EnterSafeMode
    | RequestReconcile
    | Alert
    | PlanAccepted
    | PlanStarted
    | PlanEnded
    | PlanRefused
    | TradeClosed
)


class Phase(StrEnum):
    """Where a symbol's trade stands."""

    NO_POSITION = "NO_POSITION"
    ENTERING = "ENTERING"
    IN_POSITION = "IN_POSITION"
    CLOSING = "CLOSING"
    POSITION_CLOSED = "POSITION_CLOSED"


class TradePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines and sizes of the tactics; durations in nanoseconds.

    stop_deadline_ns: a position without an acknowledged stop for longer is closed, and SAFE MODE entered.
    verify_ns: an acknowledged stop that no event, query or listing showed gets a second one beside it.
    unanswered_ns: a stop request without an answer for longer gets a successor (a duplicate is refused by the venue).
    breach_ns: the mark price beyond the stop for longer with the position still open: close it ourselves.
    fill_pause_ns: take-profits are sized once fills pause for this long.
    evidence_ns: how long the venue's refusal of a second stop counts as proof of the first.
    missed_fill_ns: a position that the venue stated and our fills do not explain for longer is looked into.
    stuck_ns: an order that hangs while triggering for longer no longer keeps a closed trade's books open.
    repeat_ns: a request whose effect is not seen after this is made again.
    exit_collar_fraction: how far beyond the mark price an exit limit order may go where the venue refuses MARKET.
    stop_required: whether a trade may be made without a stop.
    """

    stop_deadline_ns: int = 2 * SECOND
    verify_ns: int = 5 * SECOND
    unanswered_ns: int = 500 * MS
    breach_ns: int = 3 * SECOND
    fill_pause_ns: int = 250 * MS
    repeat_ns: int = SECOND
    backoff_ns: int = 200 * MS
    longest_backoff_ns: int = 2 * SECOND
    evidence_ns: int = 2 * SECOND
    missed_fill_ns: int = 500 * MS
    stuck_ns: int = 10 * SECOND
    entry_attempts: int = 3
    tp1_fraction: Decimal = Decimal("0.5")
    break_even_after_tp1: bool = True
    exit_collar_fraction: Decimal = Decimal("0.005")
    stop_required: bool = True


class TradeState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the position machine knows of one symbol.

    plan: the trade being made; queued: the one that starts when this one has ended. orders: this plan's, ended ones
    included, by client id. asked_ns: when a request was last made, by client id (cancels: "cancel:" + id).
    may_enter: the engine takes risk; a plan waits until it does.
    done: keys of plans taken up before, with the hash of their body; such a key never enters again.
    venue_quantity: the position as the venue last stated it. stray_*: what trades that no order of ours made closed,
    base and quote units; closed_by: whose act it was that left nothing open. Times are monotonic nanoseconds; 0 means
    never.
    """

    instrument: Instrument
    policy: TradePolicy
    prefix: str
    plan: Plan | None = None
    expires_ns: int = 0
    queued: Plan | None = None
    queued_expires_ns: int = 0
    position: Position
    orders: Mapping[str, Order] = {}
    asked_ns: Mapping[str, int] = {}
    done: Mapping[str, str] = {}
    fills: int = 0
    opened_ns: int = 0
    last_entry_fill_ns: int = 0
    may_enter: bool = False
    withdrawn: str = ""
    exit_reason: str = ""
    hold_stops: bool = False
    mark: Decimal | None = None
    breached_since_ns: int = 0
    exposed_since_ns: int = 0
    stray_filled: Decimal = Decimal(0)
    stray_quote: Decimal = Decimal(0)
    closed_by: Origin = Origin.ORDER
    stop_evidence_ns: int = 0
    venue_quantity: Decimal | None = None
    venue_quantity_ns: int = 0

    @property
    def symbol(self) -> str:
        """The symbol that this is about."""
        return self.instrument.symbol

    @property
    def phase(self) -> Phase:
        """Follows from the position, the plan and the exit reason; nothing else remembers it."""
        if not self.position.flat:
            return Phase.CLOSING if self.exit_reason else Phase.IN_POSITION
        if self.opened_ns:
            return Phase.POSITION_CLOSED
        return Phase.ENTERING if self.plan is not None else Phase.NO_POSITION

    @property
    def turned(self) -> bool:
        """Whether the position lies on the other side of its plan, where the plan's stop cannot protect it."""
        return self.plan is not None and self.position.quantity * self.plan.side.sign < 0

    def of(self, *roles: Role) -> list[Order]:
        """This trade's orders of these roles, in the order of their attempts."""
        return [order for order in self.orders.values() if order.intent.role in roles]

    def live(self, *roles: Role) -> list[Order]:
        """Those of them that may still trade."""
        return [order for order in self.of(*roles) if order.live]

    def filled(self, role: Role) -> Decimal:
        """Base units that orders of `role` traded."""
        return sum((order.filled for order in self.of(role)), Decimal(0))

    def next_id(self, role: Role) -> str:
        """The client id of the next attempt of `role`; attempts are never used twice."""
        assert self.plan is not None
        earlier = self.of(role) if self.orders else ()
        attempts = [parsed.attempt for order in earlier if (parsed := parse(self.prefix, order.client_id))]
        return client_order_id(self.prefix, role, self.plan.key, 1 + max(attempts) if attempts else 1)

    def backoff_over(self, ended: Iterable[Order], now_ns: int) -> bool:
        """Whether enough time has passed since the last failure: the pause doubles with each one."""
        return self.paused_after([order for order in ended if order.state is OrderState.REJECTED], now_ns)

    def paused_after(self, failures: Sequence[Order], now_ns: int) -> bool:
        """Whether the pause after the last of these is over, which doubles with each one."""
        if not failures:
            return True
        pause = min(self.policy.backoff_ns << min(len(failures) - 1, 10), self.policy.longest_backoff_ns)
        return now_ns - max(order.ended_ns for order in failures) >= pause


def intent_of(
    state: TradeState,
    role: Role,
    side: Side,
    order_type: OrderType,
    *,
    now_ns: int,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    trigger_price: Decimal | None = None,
    time_in_force: TimeInForce = TimeInForce.GTC,
    decided_ns: int | None = None,
) -> OrderIntent:
    """The next order of `role`. Without a quantity it closes the position; roles other than entry only reduce.

    decided_ns: when what led to it was received, if not now.
    """
    assert state.plan is not None
    return OrderIntent(
        client_id=state.next_id(role),
        decision_key=state.plan.key,
        role=role,
        symbol=state.symbol,
        side=side,
        type=order_type,
        quantity=quantity,
        price=price,
        trigger_price=trigger_price,
        time_in_force=time_in_force,
        reduce_only=role.protective and quantity is not None,
        close_position=quantity is None,
        decided_ns=now_ns if decided_ns is None else decided_ns,
    )


def asking(state: TradeState, intent: OrderIntent, now_ns: int) -> tuple[TradeState, Effect]:
    """Remember that `intent` was asked for, and the effect that asks."""
    effect: Effect = SubmitProtective(intent=intent) if intent.role.protective else RequestApproval(intent=intent)
    state = msgspec.structs.replace(
        state,
        orders={**state.orders, intent.client_id: Order(intent=intent)},
        asked_ns={**state.asked_ns, intent.client_id: now_ns},
    )
    return state, effect


def cancelling(state: TradeState, orders: Iterable[Order], reason: str, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Ask to cancel those that are live and wait, if that was not asked for within `repeat_ns`."""
    effects: list[Effect] = []
    asked = dict(state.asked_ns)
    for order in orders:
        key = f"cancel:{order.client_id}"
        if order.live and not order.triggered and due(asked.get(key), now_ns, state.policy.repeat_ns):
            asked[key] = now_ns
            effects.append(CancelOrder(client_id=order.client_id, reason=reason))
    return (msgspec.structs.replace(state, asked_ns=asked) if effects else state), effects


def due(last_ns: int | None, now_ns: int, interval_ns: int) -> bool:
    """Whether something last done at `last_ns` (None: never) is to be done again."""
    return last_ns is None or now_ns - last_ns >= interval_ns


def triggered_key(order: Order) -> str:
    """Where `asked_ns` keeps the time at which an order was first seen triggering."""
    return f"triggered:{order.client_id}"


def hanging(state: TradeState, orders: Iterable[Order], now_ns: int, limit_ns: int | None = None) -> list[Order]:
    """Those that were triggered longer than `limit_ns` (default: `breach_ns`) ago and still have not ended."""
    limit = state.policy.breach_ns if limit_ns is None else limit_ns
    return [
        order
        for order in orders
        if order.live and order.triggered and now_ns - state.asked_ns.get(triggered_key(order), now_ns) > limit
    ]

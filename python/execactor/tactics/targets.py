"""Take-profits: reduce-only TAKE_PROFIT_MARKET orders with a quantity, sized once the entry's fills pause."""

from decimal import Decimal

import msgspec

from execactor.domain.order import Order, OrderState, OrderType, RejectCause, Role
from execactor.domain.plan import Plan
from execactor.tactics.trade import Effect, TradeState, asking, cancelling, hanging, intent_of

_ROLES = (Role.TAKE_PROFIT_1, Role.TAKE_PROFIT_2)


def split(state: TradeState) -> dict[Role, Decimal]:
    """Base units of each target for what the entry has filled so far: whole steps, the last one closes the rest.

    A share that rounds to nothing goes to the next target.
    """
    plan = state.plan
    if plan is None or not plan.targets:
        return {}
    total = state.filled(Role.ENTRY)
    remaining = total
    sizes: dict[Role, Decimal] = {}
    for role, target in zip(_ROLES, plan.targets, strict=False):
        last = role is _ROLES[len(plan.targets) - 1]
        size = remaining if last else min(remaining, state.instrument.quantity_down(total * target.fraction))
        if size > 0:
            sizes[role] = size
            remaining -= size
    return sizes


def take_profits(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Keep one live take-profit per target of the right size, until it has filled."""
    plan = state.plan
    if state.position.flat or plan is None or state.exit_reason or not _fills_pause(state, now_ns):
        return state, []
    effects: list[Effect] = []
    for role, size in split(state).items():
        state, more = _keep(state, plan, role, size, now_ns)
        effects += more
    return state, effects


def missing(state: TradeState, now_ns: int) -> list[Role]:
    """Targets of an open position that should rest at the venue by now, and of which no order lives or has filled."""
    if state.position.flat or state.exit_reason or not _fills_pause(state, now_ns):
        return []
    return [role for role, size in split(state).items() if state.filled(role) < size and not _unsettled(state.of(role))]


def _fills_pause(state: TradeState, now_ns: int) -> bool:
    entry_over = all(order.settled for order in state.of(Role.ENTRY))
    return entry_over or now_ns - state.last_entry_fill_ns >= state.policy.fill_pause_ns


def _keep(state: TradeState, plan: Plan, role: Role, size: Decimal, now_ns: int) -> tuple[TradeState, list[Effect]]:
    orders = state.of(role)
    wanted = min(size - state.filled(role), abs(state.position.quantity))
    if wanted <= 0:
        return state, []
    # Once triggered it is a MARKET order: what the venue does not take at once follows when this part has filled.
    wanted = state.instrument.market_chunks(wanted)[0]
    unsettled = _unsettled(orders)
    if unsettled:
        wrong = [order for order in unsettled if _outgrown(order, wanted)]
        return cancelling(state, wrong, "the entry has filled further", now_ns)
    if not state.backoff_over(orders, now_ns):
        return state, []
    trigger = plan.targets[_ROLES.index(role)].price
    if orders and orders[-1].cause is RejectCause.WOULD_TRIGGER:
        # The price is beyond the target already: take the profit now, in the same role.
        intent = intent_of(state, role, state.position.closing_side, OrderType.MARKET, now_ns=now_ns, quantity=wanted)
    else:
        intent = intent_of(
            state,
            role,
            state.position.closing_side,
            OrderType.TAKE_PROFIT_MARKET,
            now_ns=now_ns,
            quantity=wanted,
            trigger_price=trigger,
        )
    state, effect = asking(state, intent, now_ns)
    return state, [effect]


def _unsettled(orders: list[Order]) -> list[Order]:
    """Those that may still trade, or have: a successor beside one whose fills are not booked would close twice."""
    return [order for order in orders if not order.settled]


def _outgrown(order: Order, wanted: Decimal) -> bool:
    untouched = order.filled == 0 and not order.triggered
    answered = order.state is OrderState.ACKNOWLEDGED
    return untouched and answered and order.intent.quantity is not None and order.intent.quantity < wanted


def drop_targets(state: TradeState, reason: str, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Cancel the take-profits that wait for their trigger."""
    return cancelling(state, state.live(*_ROLES), reason, now_ns)


def stuck(state: TradeState, now_ns: int) -> TradeState:
    """A take-profit that hangs while triggering leaves its share open: close the position ourselves."""
    if state.exit_reason or state.position.flat:
        return state
    late = hanging(state, state.of(*_ROLES), now_ns)
    if late:
        return msgspec.structs.replace(state, exit_reason=f"{late[0].client_id} hangs while triggering")
    return state

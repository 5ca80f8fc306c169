"""A symbol's trade as the journal tells it: where the position machine takes it up after a restart."""

import msgspec

from execactor.domain.order import Order, Role
from execactor.domain.plan import Plan
from execactor.store.recovery import SymbolHistory
from execactor.tactics.trade import TradeState


def restored(state: TradeState, history: SymbolHistory, now_ns: int, wall_ns: int) -> TradeState:
    """The machine's state from the journal: requests count as just made, so that answers get their time.

    An exit that had begun goes on; an entry that had ended is not made again; a stop that the venue never showed
    counts as unseen for long.
    """
    plan, queued = history.plan, history.queued
    state = msgspec.structs.replace(
        state,
        done=dict(history.done),
        position=history.position,
        queued=queued,
        queued_expires_ns=_expiry_ns(queued, now_ns, wall_ns),
    )
    if plan is None:
        return state
    orders = {name: order for name, order in history.orders.items() if order.intent.decision_key == plan.key}
    exiting = any(order.intent.role is Role.EXIT for order in orders.values())
    return msgspec.structs.replace(
        state,
        plan=plan,
        expires_ns=_expiry_ns(plan, now_ns, wall_ns),
        orders=orders,
        asked_ns={name: now_ns for name, order in orders.items() if not _never_shown_stop(order)},
        fills=history.fills,
        opened_ns=now_ns if history.fills else 0,
        last_entry_fill_ns=now_ns,
        exit_reason="the exit began before a restart" if exiting else "",
    )


def _expiry_ns(plan: Plan | None, now_ns: int, wall_ns: int) -> int:
    return 0 if plan is None else now_ns + plan.valid_until_ms * 1_000_000 - wall_ns


def _never_shown_stop(order: Order) -> bool:
    # Answers to requests of a dead process never come; the venue refuses a second stop where one exists (-4130).
    return order.intent.role is Role.STOP and order.live and not order.verified

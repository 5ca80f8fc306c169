"""The end of a trade: cancel what is left, wait until every order is settled, close the books."""

from decimal import Decimal

import msgspec

from execactor.domain.fill import Origin
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.decisions import PlanEnded, PlanStarted, TradeClosed
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderState, Role
from execactor.domain.position import Position
from execactor.tactics.entry import enter
from execactor.tactics.trade import Effect, TradeState, cancelling, due, hanging

_MONEY = Decimal("1E-8")


def finish(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Once flat: cancel what is left, stops last, and close the books when every order has ended and is settled.

    While the venue tells of a position or of entry fills that our executions do not explain, stops and books stay.
    """
    if state.plan is None or not state.position.flat:
        return state, []
    if not state.opened_ns and (any(order.live for order in state.orders.values()) or not _entry_is_over(state)):
        return state, []
    unexplained = _unexplained(state)
    left = [order for order in state.orders.values() if order.live]
    if state.hold_stops or unexplained:
        left = [order for order in left if order.intent.role not in (Role.STOP, Role.TIGHTENED_STOP)]
    state, effects = cancelling(state, left, "the position is closed", now_ns)
    stuck_orders = hanging(state, state.orders.values(), now_ns, state.policy.stuck_ns)
    waiting = any(order.live for order in state.orders.values() if order not in stuck_orders)
    unsettled = [order for order in state.orders.values() if not order.live and not order.settled]
    if unsettled and (unexplained or not waiting):
        state, more = _settle(state, unsettled, now_ns)
        return state, effects + more
    if waiting or unexplained:
        return state, effects
    effects += [_stuck_alert(state, order) for order in stuck_orders]
    state, more = _close_books(state, now_ns)
    return state, effects + more


def _unexplained(state: TradeState) -> bool:
    untold = any(order.filled < order.venue_filled for order in state.of(Role.ENTRY))
    return bool(state.opened_ns) and (untold or bool(state.venue_quantity))


def _stuck_alert(state: TradeState, order: Order) -> Alert:
    text = f"{order.client_id} hangs while triggering; the position is closed, the order is left to the venue"
    return Alert(level=AlertLevel.CRITICAL, code="ORDER_STUCK", text=text, symbol=state.symbol)


def _entry_is_over(state: TradeState) -> bool:
    entries = state.of(Role.ENTRY)
    if not entries:
        return bool(state.withdrawn)
    last = entries[-1]
    another = last.state is OrderState.REJECTED and last.retryable and len(entries) < state.policy.entry_attempts
    return not (another and not state.withdrawn)


def _settle(state: TradeState, unsettled: list[Order], now_ns: int) -> tuple[TradeState, list[Effect]]:
    key = "settle"
    if not due(state.asked_ns.get(key), now_ns, state.policy.repeat_ns):
        return state, []
    names = ", ".join(order.client_id for order in unsettled)
    state = msgspec.structs.replace(state, asked_ns={**state.asked_ns, key: now_ns})
    return state, [
        RequestReconcile(
            symbol=state.symbol, reason=f"{state.symbol}: the venue reported fills that we have not seen: {names}"
        )
    ]


def _close_books(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    plan = state.plan
    assert plan is not None
    effects: list[Effect] = []
    if state.opened_ns:
        closed = summary(state, now_ns)
        effects.append(closed)
        effects.append(PlanEnded(key=plan.key, symbol=plan.symbol, reason=closed.outcome, entered=True))
    else:
        reason = state.withdrawn or (state.of(Role.ENTRY)[-1].reason if state.of(Role.ENTRY) else "withdrawn")
        effects.append(PlanEnded(key=plan.key, symbol=plan.symbol, reason=reason, entered=False))
    following = state.queued
    state = TradeState(
        instrument=state.instrument,
        policy=state.policy,
        prefix=state.prefix,
        position=Position(symbol=state.symbol),
        done=state.done,
        may_enter=state.may_enter,
        mark=state.mark,
        venue_quantity=state.venue_quantity,
        venue_quantity_ns=state.venue_quantity_ns,
        plan=following,
        expires_ns=state.queued_expires_ns,
    )
    if following is None:
        return state, effects
    effects.append(PlanStarted(key=following.key, symbol=following.symbol))
    state, more = enter(state, now_ns)
    return state, effects + more


def summary(state: TradeState, now_ns: int) -> TradeClosed:
    """The closed trade in figures; raises AssertionError without a plan."""
    plan = state.plan
    assert plan is not None
    bought, paid = _traded(state, closing=False)
    sold, received = _traded(state, closing=True)
    sold, received = sold + state.stray_filled, received + state.stray_quote
    return TradeClosed(
        key=plan.key,
        symbol=plan.symbol,
        side=plan.side,
        quantity=bought,
        entry_price=paid / bought if bought else Decimal(0),
        exit_price=received / sold if sold else Decimal(0),
        # A mean entry price may not end within 28 digits; venues book money in 8 decimals.
        pnl=(state.position.realized_pnl - state.position.commission).quantize(_MONEY),
        commission=state.position.commission,
        outcome=_outcome(state),
        fills=state.fills,
        opened_ns=state.opened_ns,
        closed_ns=now_ns,
    )


def _traded(state: TradeState, *, closing: bool) -> tuple[Decimal, Decimal]:
    orders = [order for order in state.orders.values() if order.intent.role.protective is closing]
    return sum((o.filled for o in orders), Decimal(0)), sum((o.quote_filled for o in orders), Decimal(0))


_FORCED = {
    Origin.LIQUIDATION: "liquidated",
    Origin.DELEVERAGING: "deleveraged",
    Origin.SETTLEMENT: "settled",
}


def _outcome(state: TradeState) -> str:
    if state.closed_by in _FORCED:
        return _FORCED[state.closed_by]
    if state.filled(Role.EXIT):
        return "exit"
    if state.filled(Role.STOP):
        return "stopped"
    if state.filled(Role.TIGHTENED_STOP):
        return "break_even"
    if state.filled(Role.TAKE_PROFIT_2):
        return "tp2"
    return "tp1" if state.filled(Role.TAKE_PROFIT_1) else "external"

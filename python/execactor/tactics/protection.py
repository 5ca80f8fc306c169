"""Protection: a base stop from the first fill until flat, and a tightened one beside it after the first target.

Binance USDⓈ-M, one-way mode (ARCHITECTURE "Stops on Binance"): the base stop is STOP_MARKET with closePosition on the
mark price, never resized; tightening is an additional reduce-only STOP_MARKET with a quantity.
"""

from decimal import Decimal

import msgspec

from execactor.domain.messages.account import Alert, AlertLevel, EnterSafeMode
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderState, OrderType, RejectCause, Role
from execactor.domain.side import Side
from execactor.tactics.targets import split
from execactor.tactics.trade import Effect, TradeState, asking, hanging, intent_of


def protect(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Keep a venue-confirmed base stop on an open position; where that fails in time, ask for the exit."""
    if not _open(state) or state.plan is None or state.plan.stop_price is None or state.turned:
        return (msgspec.structs.replace(state, exposed_since_ns=0) if state.exposed_since_ns else state), []
    state = _measure_exposure(state, now_ns)
    reason = _reason_to_give_up(state, now_ns)
    effects: list[Effect] = []
    if reason and not state.exit_reason:
        state, effects = _give_up(state, reason, now_ns)
    state, placed = _place_base_stop(state, now_ns)
    return state, effects + placed


def tighten(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """After the first target: a second stop at the entry price, beside the base stop.

    What the entry fills later, what is told late of it, and what is beyond the venue's largest market order gets one
    of its own.
    """
    plan, position = state.plan, state.position
    if position.flat or plan is None or plan.stop_price is None or state.exit_reason:
        return state, []
    if not state.policy.break_even_after_tp1 or len(plan.targets) < 2 or not _first_target_done(state):
        return state, []
    stops = state.of(Role.TIGHTENED_STOP)
    if hanging(state, stops, now_ns):
        return msgspec.structs.replace(state, exit_reason="the tightened stop hangs while triggering"), []
    unguarded = abs(position.quantity) - sum(_remaining(order) for order in stops if not order.settled)
    if unguarded <= 0:
        return state, []
    if stops and stops[-1].cause is RejectCause.WOULD_TRIGGER:
        return msgspec.structs.replace(state, exit_reason="the price is back at the entry after the first target"), []
    if _failed_after_trigger(stops):
        return msgspec.structs.replace(state, exit_reason="the tightened stop was triggered but did not close"), []
    if not state.backoff_over(stops, now_ns):
        return state, []
    intent = intent_of(
        state,
        Role.TIGHTENED_STOP,
        position.closing_side,
        OrderType.STOP_MARKET,
        now_ns=now_ns,
        quantity=state.instrument.market_chunks(unguarded)[0],
        trigger_price=_break_even_price(state, stops),
    )
    state, effect = asking(state, intent, now_ns)
    return state, [effect]


def _remaining(order: Order) -> Decimal:
    assert order.intent.quantity is not None, "a tightened stop has a quantity"
    return order.intent.quantity - order.filled


def _break_even_price(state: TradeState, earlier: list[Order]) -> Decimal:
    """The mean entry price, or that of an earlier tightened stop which risked less: the mean may have moved since."""
    closing = state.position.closing_side
    prices = [order.intent.trigger_price for order in earlier if order.intent.trigger_price is not None]
    least_risk = max if closing is Side.SELL else min
    return least_risk([state.instrument.stop_price(state.position.entry_price, closing), *prices])


def acknowledged(state: TradeState, now_ns: int) -> bool:
    """Whether the venue confirmed a base stop: its acknowledgement, or its refusal of a second one."""
    return any(order.working for order in state.of(Role.STOP)) or _fresh_evidence(state, now_ns)


def verified(state: TradeState) -> bool:
    """Whether an event, a query or a listing showed a working base stop."""
    return any(order.working and order.verified for order in state.of(Role.STOP))


def _open(state: TradeState) -> bool:
    """Whether there is something to protect.

    The venue states the position, or that the entry has filled, before it reports the execution, whose event may get
    lost: a base stop closes whatever is open, so it need not wait for the quantity.
    """
    if not state.position.flat:
        return True
    entries = state.of(Role.ENTRY)
    if state.opened_ns or not entries:
        return False
    return bool(state.venue_quantity) or any(order.venue_filled for order in entries)


def _fresh_evidence(state: TradeState, now_ns: int) -> bool:
    return state.stop_evidence_ns > 0 and now_ns - state.stop_evidence_ns < state.policy.evidence_ns


def _measure_exposure(state: TradeState, now_ns: int) -> TradeState:
    since = 0 if acknowledged(state, now_ns) else (state.exposed_since_ns or now_ns)
    return state if since == state.exposed_since_ns else msgspec.structs.replace(state, exposed_since_ns=since)


def _reason_to_give_up(state: TradeState, now_ns: int) -> str:
    stops = state.of(Role.STOP)
    policy = state.policy
    if _failed_after_trigger(stops):
        return "the stop was triggered but did not close the position"
    if stops and not stops[-1].live and stops[-1].cause is RejectCause.WOULD_TRIGGER:
        return "the price is already beyond the stop"
    if state.exposed_since_ns and now_ns - state.exposed_since_ns > policy.stop_deadline_ns:
        return f"no stop was acknowledged within {policy.stop_deadline_ns / 1e9:g} s"
    if hanging(state, stops, now_ns):
        return "the stop hangs while triggering"
    if state.breached_since_ns:
        if not verified(state):
            return "the mark price is beyond the stop and no verified stop works at the venue"
        if now_ns - state.breached_since_ns > policy.breach_ns:
            return f"the mark price is beyond the stop for {policy.breach_ns / 1e9:g} s and the position is still open"
    return ""


def _failed_after_trigger(stops: list[Order]) -> bool:
    return any(order.triggered and not order.live and order.state is not OrderState.FILLED for order in stops)


def _give_up(state: TradeState, reason: str, now_ns: int) -> tuple[TradeState, list[Effect]]:
    effects: list[Effect] = [
        Alert(level=AlertLevel.CRITICAL, code="PROTECTIVE_EXIT", text=f"{state.symbol}: {reason}", symbol=state.symbol)
    ]
    if state.exposed_since_ns and now_ns - state.exposed_since_ns > state.policy.stop_deadline_ns:
        effects.append(EnterSafeMode(reason=f"{state.symbol}: {reason}"))
    return msgspec.structs.replace(state, exit_reason=reason), effects


def _place_base_stop(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    assert state.plan is not None
    stops = state.of(Role.STOP)
    if not _another_stop_is_due(state, stops, now_ns):
        return state, []
    effects: list[Effect] = []
    if any(order.working for order in stops):
        text = f"{state.symbol}: a stop is acknowledged but was not seen at the venue; placing a second one"
        effects.append(Alert(level=AlertLevel.ERROR, code="STOP_UNVERIFIED", text=text, symbol=state.symbol))
    intent = intent_of(
        state,
        Role.STOP,
        state.plan.side.opposite,
        OrderType.STOP_MARKET,
        now_ns=now_ns,
        trigger_price=state.plan.stop_price,
    )
    state, effect = asking(state, intent, now_ns)
    return state, [*effects, effect]


def _another_stop_is_due(state: TradeState, stops: list[Order], now_ns: int) -> bool:
    policy = state.policy
    if _fresh_evidence(state, now_ns):
        return False
    ended = [order for order in stops if not order.live]
    if ended and ended[-1].cause is RejectCause.WOULD_TRIGGER:
        return False
    if not state.backoff_over(ended, now_ns):
        return False
    living = [order for order in stops if order.live]
    if not living:
        return True
    last_asked = max(state.asked_ns.get(order.client_id, 0) for order in living)
    if any(order.triggered for order in living):
        return False
    if any(order.working for order in living):
        unseen = not any(order.verified for order in living)
        return unseen and now_ns - last_asked >= policy.verify_ns
    return now_ns - last_asked >= policy.unanswered_ns


def on_stop_refused(state: TradeState, order: Order, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """What a refused stop tells: that one exists already (evidence of protection), or that the position is gone."""
    if order.intent.role is not Role.STOP or order.state is not OrderState.REJECTED:
        return state, []
    if order.cause is RejectCause.STOP_EXISTS:
        state = msgspec.structs.replace(state, stop_evidence_ns=now_ns)
        return state, [
            RequestReconcile(symbol=state.symbol, reason=f"{state.symbol}: the venue says that a stop exists already")
        ]
    if order.cause is RejectCause.NO_POSITION:
        return state, [
            RequestReconcile(symbol=state.symbol, reason=f"{state.symbol}: the venue says that there is no position")
        ]
    return state, []


def _first_target_done(state: TradeState) -> bool:
    """Whether it was reached once: what the entry fills afterwards does not loosen the stop again."""
    size = split(state).get(Role.TAKE_PROFIT_1)
    reached = size is not None and state.filled(Role.TAKE_PROFIT_1) >= size
    return reached or bool(state.of(Role.TIGHTENED_STOP))

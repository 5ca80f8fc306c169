"""Entry: from a decision or signal to a plan, and from a plan to one limit order."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from execactor.domain.decision import Action, Decision
from execactor.domain.ids import decision_key
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.order import OrderState, OrderType, Role
from execactor.domain.plan import Plan, Target
from execactor.domain.side import Side
from execactor.domain.signal import Signal
from execactor.tactics.trade import MS, Effect, TradeState, asking, cancelling, intent_of

STALE = "the decision is stale"
SUPERSEDED = "a newer decision came"

Gap = tuple[str, Decimal | None, Decimal]
"""A stop or target: its name, its price as given, and what is left between it and the entry (negative for a sell)."""


def notional_by_risk(
    equity: Decimal, risk_fraction: Decimal, entry: Decimal, stop: Decimal, max_leverage: Decimal
) -> Decimal:
    """Notional in quote units at which the stop loses `risk_fraction` of the equity, capped by leverage.

    equity x risk / (stop distance / entry price); the source document divides by the absolute distance, which has the
    wrong unit (requirements 004, risk manager numbers; check E11).
    """
    # One division, at the end: a quotient that ended a hair lower would cost a step when the size is rounded down.
    return min(equity * risk_fraction * entry / abs(entry - stop), equity * max_leverage)


def plan_from_decision(
    decision: Decision,
    instrument: Instrument,
    *,
    max_notional: Decimal | None = None,
    tp1_fraction: Decimal = Decimal("0.5"),
    received_ns: int = 0,
    max_age_ms: int,
) -> Plan | str:
    """A limit entry at the middle of the zone, sized and rounded to the venue's rules; or why there is none.

    max_notional: a cap in quote units from sizing by risk; None leaves the decision's size. Raises ValueError for a
    flat decision, which is not a plan.
    """
    if decision.action is Action.FLAT:
        raise ValueError(f"decision {decision.key} is flat: there is nothing to plan")
    side = Side.BUY if decision.action is Action.LONG else Side.SELL
    price = instrument.price_passive(decision.entry_price, side)
    if price <= 0:
        low, high = decision.entry_zone
        return f"entry_zone [{low}, {high}] lies below the first tick {instrument.tick_size} of {decision.symbol}"
    notional = decision.position_size_usdt if max_notional is None else min(decision.position_size_usdt, max_notional)
    quantity = instrument.quantity_down(notional / price)
    refusal = instrument.refusal(quantity, price)
    if refusal is not None:
        return refusal
    closing = side.opposite
    stop = instrument.stop_price(decision.sl, closing)
    targets = [Target(instrument.target_price(decision.tp1, closing), tp1_fraction)]
    if decision.tp2 is not None:
        targets.append(Target(instrument.target_price(decision.tp2, closing), Decimal(1)))
    gaps = [("sl", decision.sl, price - stop), ("tp1", decision.tp1, targets[0].price - price)]
    problem = _without_a_gap(side, gaps, price)
    if problem is not None:
        return problem
    return Plan(
        key=decision.key,
        symbol=decision.symbol,
        side=side,
        quantity=quantity,
        entry_price=price,
        stop_price=stop,
        targets=tuple(targets),
        valid_until_ms=decision.timestamp_ms + max_age_ms,
        timestamp_ms=decision.timestamp_ms,
        body_hash=decision.body_hash,
        received_ns=received_ns,
    )


def plan_from_signal(
    signal: Signal, instrument: Instrument, *, mark: Decimal | None, now_ms: int, valid_ms: int, received_ns: int = 0
) -> Plan | str:
    """The plan of a buy or sell signal (limit exactly when it names a price); or why there is none."""
    limit = None if signal.price is None else instrument.price_passive(signal.price, signal.side)
    price = limit if limit is not None else mark
    if price is None:
        return f"no market price for {signal.symbol} is known yet; send a price or try again"
    if price <= 0:
        return f"price {signal.price} lies below the first tick {instrument.tick_size} of {signal.symbol}"
    closing = signal.side.opposite
    quantity = instrument.quantity_down(signal.quantity)
    refusal = instrument.refusal(quantity, price)
    if refusal is not None:
        return refusal
    stop = None if signal.stop_loss is None else instrument.stop_price(signal.stop_loss, closing)
    targets: tuple[Target, ...] = ()
    if signal.take_profit is not None:
        targets = (Target(instrument.target_price(signal.take_profit, closing), Decimal(1)),)
    gaps: list[Gap] = [("take_profit", signal.take_profit, target.price - price) for target in targets]
    if stop is not None:
        gaps.append(("stop_loss", signal.stop_loss, price - stop))
    problem = _without_a_gap(signal.side, gaps, price)
    if problem is not None:
        return problem
    return Plan(
        key=decision_key(signal.idempotency_key, signal.symbol, ""),
        symbol=signal.symbol,
        side=signal.side,
        quantity=quantity,
        entry_price=limit,
        stop_price=stop,
        targets=targets,
        valid_until_ms=now_ms + valid_ms,
        timestamp_ms=now_ms,
        body_hash=signal.body_hash,
        received_ns=received_ns,
        source="signal",
    )


def _without_a_gap(side: Side, gaps: Iterable[Gap], price: Decimal) -> str | None:
    """Which stop or target the venue's grid moves onto the entry."""
    for name, given, gap in gaps:
        if gap * side.sign <= 0:
            return f"{name} {given} lies within a tick of the entry {price}"
    return None


def enter(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Place the entry once; a refusal for a passing cause gets a few new attempts while the plan is fresh."""
    plan = state.plan
    if plan is None or not state.position.flat or state.opened_ns or state.exit_reason or state.withdrawn:
        return state, []
    entries = state.of(Role.ENTRY) if state.orders else []
    if entries and not _may_try_again(state, now_ns):
        return state, []
    if now_ns >= state.expires_ns:
        return msgspec.structs.replace(state, withdrawn=STALE), []
    if not state.may_enter:
        return state, []
    order_type = OrderType.MARKET if plan.entry_price is None else OrderType.LIMIT
    intent = intent_of(
        state,
        Role.ENTRY,
        plan.side,
        order_type,
        now_ns=now_ns,
        quantity=plan.quantity,
        price=plan.entry_price,
        decided_ns=plan.received_ns if plan.received_ns and not entries else None,
    )
    state, effect = asking(state, intent, now_ns)
    return state, [effect]


def _may_try_again(state: TradeState, now_ns: int) -> bool:
    entries = state.of(Role.ENTRY)
    failed = all(
        order.state is OrderState.REJECTED and order.retryable and not order.filled and order.settled
        for order in entries
    )
    if not failed or len(entries) >= state.policy.entry_attempts or not state.backoff_over(entries, now_ns):
        return False
    # An attempt before the venue takes requests again would be refused here, and be one attempt less.
    return all(now_ns >= order.ended_ns + order.retry_after_ms * MS for order in entries)


def withdraw(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Cancel what rests of the entry once there is a reason to: staleness, a newer decision, an exit, a trigger."""
    resting = state.live(Role.ENTRY) if state.orders else []
    if not resting:
        return state, []
    superseded = SUPERSEDED if state.queued is not None else ""
    reason = state.withdrawn or state.exit_reason or superseded or _reason_to_withdraw(state, now_ns)
    if not reason:
        return state, []
    return cancelling(msgspec.structs.replace(state, withdrawn=reason), resting, reason, now_ns)


def _reason_to_withdraw(state: TradeState, now_ns: int) -> str:
    if now_ns >= state.expires_ns:
        return STALE
    closing = [order for order in state.orders.values() if order.intent.role.protective]
    if any(order.triggered or order.filled for order in closing):
        return "an exit has been triggered"
    if state.opened_ns and state.position.flat:
        return "the position is closed"
    return ""


def refused(state: TradeState, client_id: str, reason: str) -> list[Effect]:
    """Tell people that an entry was refused."""
    return [Alert(level=AlertLevel.WARNING, code="ENTRY_REFUSED", text=f"{client_id}: {reason}", symbol=state.symbol)]

"""The position machine: NO_POSITION, ENTERING, IN_POSITION, CLOSING, POSITION_CLOSED.

`step` is total and level-triggered: it folds the event into the state, then asks again for whatever the desired state
lacks the venue's confirmation of, so that a lost effect heals at the next tick.
"""

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution, Origin
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert, AlertLevel, EngineStateChanged, FlatConfirmed, Flatten
from execactor.domain.messages.decisions import (
    FlatMode,
    FlatRequested,
    PlanAccepted,
    PlanEnded,
    PlanReceived,
    PlanRefused,
    PlanStarted,
)
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import EntryRefused, OrderUpdate, StrayExecution
from execactor.domain.messages.reconciliation import (
    PositionAdopted,
    PositionCorrected,
    RequestReconcile,
    VenuePositionSeen,
)
from execactor.domain.order import Facts, OrderEvent, OrderState, RejectCause, Role, advance
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.domain.side import Side
from execactor.tactics.closing import finish
from execactor.tactics.entry import SUPERSEDED, enter, refused, withdraw
from execactor.tactics.exit import leave
from execactor.tactics.protection import on_stop_refused, protect, tighten
from execactor.tactics.targets import stuck, take_profits
from execactor.tactics.trade import (
    SECOND,
    Effect,
    Phase,
    TradePolicy,
    TradeState,
    triggered_key,
)
from execactor.tactics.upkeep import ask_again, missed_fill, unplanned

_REMEMBERED_KEYS = 256
_IDLE_TICK_NS = SECOND


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


Event = (
    PlanReceived
    | FlatRequested
    | FlatMode
    | OrderUpdate
    | EntryRefused
    | StrayExecution
    | MarkUpdate
    | Tick
    | EngineStateChanged
    | Flatten
    | FlatConfirmed
    | PositionAdopted
    | PositionCorrected
    | VenuePositionSeen
)


def fresh(instrument: Instrument, policy: TradePolicy, prefix: str) -> TradeState:
    """The state of a symbol that was never traded."""
    return TradeState(instrument=instrument, policy=policy, prefix=prefix, position=Position(symbol=instrument.symbol))


def step(state: TradeState, event: Event, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Fold `event` at monotonic time `now_ns`, then ask for all that is still missing."""
    state, effects = _fold(state, event, now_ns)
    state = stuck(state, now_ns)
    for rule in (
        _start_waiting,
        _turn,
        protect,
        withdraw,
        enter,
        tighten,
        take_profits,
        leave,
        ask_again,
        missed_fill,
        unplanned,
        finish,
    ):
        state, more = rule(state, now_ns)
        if more:
            effects += more
    return state, effects


def observe(state: TradeState, event: Event, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Fold `event` without trading on it: while recovering, what happened counts and no order is asked for yet."""
    return _fold(state, event, now_ns)


def next_wake_ns(state: TradeState, now_ns: int) -> int | None:
    """When `step` should see a Tick at the latest; None while there is nothing to look after."""
    explained = state.venue_quantity is None or state.venue_quantity == state.position.quantity
    if state.plan is None and state.position.flat and explained:
        return None
    wake = now_ns + _IDLE_TICK_NS
    pause_ends_ns = state.last_entry_fill_ns + state.policy.fill_pause_ns
    filling = any(not order.settled for order in state.of(Role.ENTRY))
    if not state.position.flat and not state.exit_reason and filling and pause_ends_ns > now_ns:
        wake = min(wake, pause_ends_ns)
    if not explained:
        asked_ns = state.asked_ns.get("missed")
        again_ns = 0 if asked_ns is None else asked_ns + state.policy.repeat_ns
        wake = min(wake, max(state.venue_quantity_ns + state.policy.missed_fill_ns, again_ns))
    if state.exposed_since_ns or state.exit_reason or _backing_off(state):
        wake = min(wake, now_ns + state.policy.backoff_ns)
    return max(wake, now_ns + 1)


def _backing_off(state: TradeState) -> bool:
    return any(order.state is OrderState.REJECTED for order in state.orders.values())


def _fold(state: TradeState, event: Event, now_ns: int) -> tuple[TradeState, list[Effect]]:
    match event:
        case Tick():
            return state, []
        case MarkUpdate():
            return _on_mark(state, event, now_ns), []
        case OrderUpdate():
            return _on_order(state, event, now_ns)
        case PlanReceived():
            return _on_plan(state, event)
        case EntryRefused():
            return _on_refusal(state, event, now_ns)
        case FlatRequested():
            return _on_flat(state, event.reason)
        case FlatMode():
            return _without_entries(state, event.reason)
        case EngineStateChanged():
            return _on_engine_state(state, event)
        case Flatten():
            return _on_flat(msgspec.structs.replace(state, hold_stops=True), event.reason)
        case FlatConfirmed():
            return msgspec.structs.replace(state, hold_stops=False), []
        case StrayExecution():
            return _on_stray(state, event.execution, now_ns)
        case PositionAdopted():
            return _on_adoption(state, event, now_ns)
        case PositionCorrected():
            return _on_correction(state, event, now_ns)
        case VenuePositionSeen(quantity=quantity):
            since_ns = state.venue_quantity_ns if quantity == state.venue_quantity else now_ns
            return msgspec.structs.replace(state, venue_quantity=quantity, venue_quantity_ns=since_ns), []


def _on_engine_state(state: TradeState, event: EngineStateChanged) -> tuple[TradeState, list[Effect]]:
    state = msgspec.structs.replace(state, may_enter=event.state.takes_risk)
    if event.state in (EngineState.PAUSED, EngineState.SAFE_MODE, EngineState.HALTED):
        return _without_entries(state, f"the engine is {event.state}: {event.reason}")
    return state, []


def _on_mark(state: TradeState, event: MarkUpdate, now_ns: int) -> TradeState:
    stop = state.plan.stop_price if state.plan is not None else None
    breached = 0
    if stop is not None and not state.position.flat:
        long = state.position.quantity > 0
        touched = event.low <= stop if long else event.high >= stop
        beyond = event.price <= stop if long else event.price >= stop
        if beyond or (touched and not state.breached_since_ns):
            breached = state.breached_since_ns or now_ns
    return msgspec.structs.replace(state, mark=event.price, breached_since_ns=breached)


def _on_order(state: TradeState, event: OrderUpdate, now_ns: int) -> tuple[TradeState, list[Effect]]:
    order = event.order
    ours = state.plan is not None and order.intent.decision_key == state.plan.key
    if ours:
        asked = state.asked_ns
        if order.triggered and triggered_key(order) not in asked:
            asked = {**asked, triggered_key(order): now_ns}
        before = state.orders.get(order.client_id)
        state = msgspec.structs.replace(state, orders={**state.orders, order.client_id: order}, asked_ns=asked)
        newly_refused = order.state is OrderState.REJECTED and (before is None or before.live)
    else:
        newly_refused = False
    if ours and order.intent.role is Role.STOP and not order.live and order.cause is not RejectCause.STOP_EXISTS:
        # The stop that the venue's refusal of a second one proved may be this one.
        state = msgspec.structs.replace(state, stop_evidence_ns=0)
    effects: list[Effect] = []
    if event.execution is not None:
        state = _book(state, event.execution, order.intent.role, now_ns)
        if not ours:
            late = f"{state.symbol}: {order.client_id} of an earlier trade was executed"
            effects.append(RequestReconcile(symbol=state.symbol, reason=late))
    if newly_refused:
        state, more = on_stop_refused(state, order, now_ns)
        effects += more
    return state, effects


def _book(state: TradeState, execution: Execution, role: Role | None, now_ns: int) -> TradeState:
    position = state.position.after(execution)
    # What the venue stated of the position is older than an execution that it did not foretell.
    outdated = state.venue_quantity == state.position.quantity
    return msgspec.structs.replace(
        state,
        position=position,
        venue_quantity=None if outdated else state.venue_quantity,
        fills=state.fills + 1,
        opened_ns=state.opened_ns or now_ns,
        last_entry_fill_ns=now_ns if role is Role.ENTRY else state.last_entry_fill_ns,
        breached_since_ns=0 if position.flat else state.breached_since_ns,
    )


def _on_plan(state: TradeState, event: PlanReceived) -> tuple[TradeState, list[Effect]]:
    plan = event.plan
    known = state.done.get(plan.key)
    if known == plan.body_hash:
        return state, []
    if known is not None:
        text = f"decision {plan.key} came again with another content; the first one stands"
        alert = Alert(level=AlertLevel.ERROR, code="DECISION_CONFLICT", text=text, symbol=state.symbol)
        return state, [alert, PlanRefused(key=plan.key, symbol=plan.symbol, reason=text)]
    newest = max(
        (known_plan.timestamp_ms for known_plan in (state.plan, state.queued) if known_plan is not None), default=0
    )
    if plan.timestamp_ms < newest:
        text = f"decision {plan.key} is older than the one that is followed"
        return state, [PlanRefused(key=plan.key, symbol=plan.symbol, reason=text)]
    done = dict(state.done)
    done[plan.key] = plan.body_hash
    while len(done) > _REMEMBERED_KEYS:
        del done[next(iter(done))]
    state = msgspec.structs.replace(state, done=done)
    effects: list[Effect] = [PlanAccepted(plan=plan)]
    if state.phase is Phase.IN_POSITION and _same_direction(state, plan):
        state, dropped = _without_entries(state, SUPERSEDED)
        return state, [*effects, *dropped, _never_entered(plan, _KEPT)]
    if state.plan is None:
        state = msgspec.structs.replace(state, plan=plan, expires_ns=event.expires_ns)
        return state, [*effects, PlanStarted(key=plan.key, symbol=plan.symbol)]
    state, dropped = _without_entries(state, SUPERSEDED)
    state = msgspec.structs.replace(state, queued=plan, queued_expires_ns=event.expires_ns)
    return state, effects + dropped


_KEPT = "the position has this direction already and is kept"


def _same_direction(state: TradeState, plan: Plan) -> bool:
    return (state.position.quantity > 0) == (plan.side is Side.BUY)


def _never_entered(plan: Plan, reason: str) -> PlanEnded:
    return PlanEnded(key=plan.key, symbol=plan.symbol, reason=reason, entered=False)


def _start_waiting(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:  # noqa: ARG001  # as below
    """A crash came between a decision's acceptance, or the end of the trade before it, and its start."""
    waiting = state.queued
    if waiting is None or state.plan is not None or not state.position.flat:
        return state, []
    state = msgspec.structs.replace(state, plan=waiting, expires_ns=state.queued_expires_ns, queued=None)
    return state, [PlanStarted(key=waiting.key, symbol=waiting.symbol)]


def _turn(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:  # noqa: ARG001  # a rule like the others
    """Leave a position on the wrong side: of its plan, or of a newer decision that waits while it is open.

    The latter also when the position opened while its entry was being cancelled for that decision.
    """
    waiting = state.queued
    if state.position.flat or state.exit_reason:
        return state, []
    if state.turned:
        reason = f"the position of {state.position.quantity} is on the other side of its plan"
        alert = Alert(level=AlertLevel.CRITICAL, code="PROTECTIVE_EXIT", text=reason, symbol=state.symbol)
        return msgspec.structs.replace(state, exit_reason=reason), [alert]
    if waiting is None:
        return state, []
    if _same_direction(state, waiting):
        return msgspec.structs.replace(state, queued=None), [_never_entered(waiting, _KEPT)]
    return msgspec.structs.replace(state, exit_reason="a newer decision asks for the other side"), []


def _on_refusal(state: TradeState, event: EntryRefused, now_ns: int) -> tuple[TradeState, list[Effect]]:
    order = state.orders.get(event.client_id)
    if order is None or not order.live:
        return state, []
    facts = Facts(reason=event.reason, cause=RejectCause.RISK)
    order, _ = advance(order, OrderEvent.REJECTED, now_ns=now_ns, facts=facts)
    orders = {**state.orders, order.client_id: order}
    return msgspec.structs.replace(state, orders=orders), refused(state, event.client_id, event.reason)


def _on_flat(state: TradeState, reason: str) -> tuple[TradeState, list[Effect]]:
    state, effects = _without_entries(state, reason)
    if state.exit_reason or (state.position.flat and state.plan is None):
        return state, effects
    # While flat too: what still fills before the entry is cancelled is closed at once.
    return msgspec.structs.replace(state, exit_reason=reason), effects


def _without_entries(state: TradeState, reason: str) -> tuple[TradeState, list[Effect]]:
    # A queued plan is dropped too: its key counts as taken up, so it cannot come back by itself.
    dropped: list[Effect] = [] if state.queued is None else [_never_entered(state.queued, reason)]
    withdrawn = state.withdrawn or (reason if state.plan is not None else "")
    return msgspec.structs.replace(state, queued=None, withdrawn=withdrawn), dropped


_HANDS = {
    Origin.ORDER: ("STRAY_EXECUTION", "by an order that is not ours"),
    Origin.LIQUIDATION: ("LIQUIDATED", "by the venue: the position is being liquidated"),
    Origin.DELEVERAGING: ("DELEVERAGED", "by the venue: the position was deleveraged"),
    Origin.SETTLEMENT: ("SETTLED", "by the venue: the symbol was settled"),
}


def _on_stray(state: TradeState, execution: Execution, now_ns: int) -> tuple[TradeState, list[Effect]]:
    closing = execution.side is state.position.closing_side and not state.position.flat
    state = _book(state, execution, None, now_ns)
    if closing:
        state = msgspec.structs.replace(
            state,
            stray_filled=state.stray_filled + execution.quantity,
            stray_quote=state.stray_quote + execution.quantity * execution.price,
            closed_by=execution.origin if state.position.flat else state.closed_by,
        )
    code, who = _HANDS[execution.origin]
    text = f"{execution.side} {execution.quantity} at {execution.price} {who}"
    alert = Alert(level=AlertLevel.CRITICAL, code=code, text=text, symbol=state.symbol)
    return state, [alert, RequestReconcile(symbol=state.symbol, reason=f"{state.symbol}: {text}")]


def _on_adoption(state: TradeState, event: PositionAdopted, now_ns: int) -> tuple[TradeState, list[Effect]]:
    position = event.position
    effects: list[Effect] = []
    if state.plan is None:
        plan = Plan(
            key=event.key,
            symbol=state.symbol,
            side=position.closing_side.opposite,
            quantity=abs(position.quantity),
            entry_price=position.entry_price,
            stop_price=event.stop_price,
            valid_until_ms=0,
            timestamp_ms=0,
            body_hash="adopted",
            source="adopted",
        )
        effects = [PlanAccepted(plan=plan), PlanStarted(key=plan.key, symbol=plan.symbol)]
        done = {**state.done, plan.key: plan.body_hash}
        state = msgspec.structs.replace(state, plan=plan, expires_ns=now_ns, done=done)
    # What trades of other hands cost before stays in the books, as it does when the journal is replayed.
    adopted = msgspec.structs.replace(state.position, quantity=position.quantity, entry_price=position.entry_price)
    state = msgspec.structs.replace(
        state,
        position=adopted,
        opened_ns=state.opened_ns or now_ns,
        withdrawn="adopted",
        venue_quantity=position.quantity,
    )
    return state, effects


def _on_correction(state: TradeState, event: PositionCorrected, now_ns: int) -> tuple[TradeState, list[Effect]]:
    mine = state.position
    text = f"position {mine.quantity} corrected to the venue's {event.position.quantity}: {event.reason}"
    corrected = msgspec.structs.replace(mine, quantity=event.position.quantity, entry_price=event.position.entry_price)
    state = msgspec.structs.replace(
        state, position=corrected, opened_ns=state.opened_ns or now_ns, venue_quantity=corrected.quantity
    )
    return state, [Alert(level=AlertLevel.CRITICAL, code="POSITION_CORRECTED", text=text, symbol=state.symbol)]

"""Upkeep: repeat what got lost, notice what was missed, hand over what is nobody's."""

import msgspec

from execactor.domain.messages.orders import EntryAbandoned
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Facts, OrderEvent, OrderState, advance
from execactor.domain.position import Position
from execactor.tactics.trade import SECOND, Effect, TradeState, asking, due

_APPROVAL_LOST_NS = 10 * SECOND


def ask_again(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """Repeat requests whose order never left CREATED: the message may have been lost in a restart.

    An entry is asked for once only; when nothing came of it, it counts as withdrawn.
    """
    effects: list[Effect] = []
    for order in state.orders.values():
        asked_ns = state.asked_ns.get(order.client_id)
        if order.state is not OrderState.CREATED or not due(asked_ns, now_ns, state.policy.repeat_ns):
            continue
        if order.intent.role.protective:
            state, effect = asking(state, order.intent, now_ns)
            effects.append(effect)
        elif due(asked_ns, now_ns, _APPROVAL_LOST_NS):
            ended, _ = advance(order, OrderEvent.CANCELLED, now_ns=now_ns, facts=Facts(reason="never approved"))
            state = msgspec.structs.replace(state, orders={**state.orders, order.client_id: ended})
            effects.append(EntryAbandoned(client_id=order.client_id))
    return state, effects


def missed_fill(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """The venue stated a position that our fills do not explain in time: an event was lost."""
    stated = state.venue_quantity
    if stated is None or stated == state.position.quantity:
        return state, []
    if now_ns - state.venue_quantity_ns < state.policy.missed_fill_ns:
        return state, []
    if not due(state.asked_ns.get("missed"), now_ns, state.policy.repeat_ns):
        return state, []
    state = msgspec.structs.replace(state, asked_ns={**state.asked_ns, "missed": now_ns})
    mine = state.position.quantity
    return state, [
        RequestReconcile(
            symbol=state.symbol, reason=f"{state.symbol}: the venue states {stated}, our fills make {mine}"
        )
    ]


def unplanned(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """A position without a plan is nobody's: reconciliation adopts it and gives it a stop."""
    if state.plan is not None:
        return state, []
    if state.position.flat:
        nothing = Position(symbol=state.symbol)
        if not (state.opened_ns or state.exit_reason) and state.position == nothing:
            return state, []
        # What other hands won or lost meanwhile belongs to no trade of ours.
        return msgspec.structs.replace(state, position=nothing, fills=0, opened_ns=0, exit_reason="", withdrawn=""), []
    if not due(state.asked_ns.get("unplanned"), now_ns, state.policy.repeat_ns):
        return state, []
    state = msgspec.structs.replace(state, asked_ns={**state.asked_ns, "unplanned": now_ns})
    return state, [
        RequestReconcile(
            symbol=state.symbol, reason=f"{state.symbol}: a position of {state.position.quantity} has no plan"
        )
    ]

"""Exit: close an open position with reduce-only orders, in chunks that the venue takes."""

from decimal import Decimal

from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderIntent, OrderState, OrderType, RejectCause, Role, TimeInForce
from execactor.domain.side import Side
from execactor.tactics.targets import drop_targets
from execactor.tactics.trade import Effect, TradeState, asking, due, intent_of


def leave(state: TradeState, now_ns: int) -> tuple[TradeState, list[Effect]]:
    """While there is an exit reason and a position: cancel take-profits, then close it, one order at a time.

    An exit order without an answer, or that ended before its executions came, gets a successor after `repeat_ns`:
    reduce-only orders cannot turn the position.
    """
    if state.position.flat or not state.exit_reason or state.plan is None:
        return state, []
    state, effects = drop_targets(state, state.exit_reason, now_ns)
    exits = state.of(Role.EXIT)
    if any(_still_trusted(state, order, now_ns) for order in exits) or not state.backoff_over(exits, now_ns):
        return state, effects
    if not _book_had_time(state, exits, now_ns):
        return state, effects
    state, effect = asking(state, _next_exit(state, exits, now_ns), now_ns)
    effects.append(effect)
    if exits and exits[-1].cause in (RejectCause.REDUCE_ONLY, RejectCause.NO_POSITION):
        effects.append(
            RequestReconcile(
                symbol=state.symbol, reason=f"{state.symbol}: an exit was refused, the position may be gone"
            )
        )
    return state, effects


def _still_trusted(state: TradeState, order: Order, now_ns: int) -> bool:
    patience = state.policy.repeat_ns * (3 if order.working else 1)
    return not order.settled and not due(state.asked_ns.get(order.client_id), now_ns, patience)


def _book_had_time(state: TradeState, exits: list[Order], now_ns: int) -> bool:
    """Whether a book too thin for the exits so far had time to fill again: the first gets a successor at once.

    A series without pauses would use up the venue's count of orders, which stops need, too.
    """
    short = [order for order in exits if order.state is OrderState.EXPIRED]
    return state.paused_after(short[1:], now_ns)


def _next_exit(state: TradeState, exits: list[Order], now_ns: int) -> OrderIntent:
    position = state.position
    side = position.closing_side
    quantity = state.instrument.market_chunks(abs(position.quantity))[0]
    thin = bool(exits) and exits[-1].state is OrderState.REJECTED and exits[-1].cause is RejectCause.THIN_BOOK
    if thin and state.mark is not None:
        return intent_of(
            state,
            Role.EXIT,
            side,
            OrderType.LIMIT,
            now_ns=now_ns,
            quantity=quantity,
            price=_collar(state, state.mark, side),
            time_in_force=TimeInForce.IOC,
        )
    return intent_of(state, Role.EXIT, side, OrderType.MARKET, now_ns=now_ns, quantity=quantity)


def _collar(state: TradeState, mark: Decimal, side: Side) -> Decimal:
    return state.instrument.price_passive(mark * (1 + side.sign * state.policy.exit_collar_fraction), side)

"""A digest of the trading state, to compare the state that lives with the one that the journal replays to."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal

from execactor.domain.order import Order, OrderState
from execactor.domain.position import Position
from execactor.store.recovery import Recovered

_UNANSWERED = (OrderState.CREATED, OrderState.RISK_APPROVED, OrderState.SUBMITTED, OrderState.UNKNOWN)


def state_digest(orders: Iterable[Order], positions: Iterable[Position], epoch: int) -> str:
    """Over every order's state and fills, what is held, and the epoch; whatever a crash may lose is left out.

    An order without an answer is UNKNOWN to a replay, so all such states count as one. An order that was refused is no
    part of the state: OrderActor never hears of an entry that was refused before it left, and the journal does. Both
    sides must hold the same orders: those of the last day, ended ones included.
    """
    lines = [
        f"{order.client_id} {_answered(order)} {_plain(order.filled)} {_plain(order.quote_filled)}"
        for order in orders
        if order.state is not OrderState.REJECTED or order.filled
    ]
    lines += [
        f"{held.symbol} {_plain(held.quantity)} {_plain(held.entry_price)}" for held in positions if not held.flat
    ]
    text = "\n".join([*sorted(lines), f"epoch {epoch}"])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def replayed_digest(recovered: Recovered) -> str:
    """The same over what a journal tells."""
    histories = recovered.symbols.values()
    orders = [order for history in histories for order in history.orders.values()]
    return state_digest(orders, [history.position for history in histories], recovered.epoch)


def _answered(order: Order) -> str:
    return "UNANSWERED" if order.state in _UNANSWERED else str(order.state)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"

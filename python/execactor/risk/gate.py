"""The last look before an order is written to the socket, after any wait for a rate limit."""

from execactor.domain.account import EngineState
from execactor.domain.messages.orders import RiskApproved
from execactor.domain.order import OrderIntent
from execactor.domain.side import Side


def last_look(
    intent: OrderIntent, token: RiskApproved | None, *, state: EngineState, epoch: int, now_ns: int
) -> str | None:
    """Why `intent` may not leave now; None when it may. Orders that only reduce risk always may."""
    if intent.role.protective:
        return None
    if token is None or token.client_id != intent.client_id:
        return f"{intent.client_id} carries no approval of its own"
    if not state.takes_risk:
        return f"the engine is {state}"
    if token.epoch != epoch:
        return f"approved in epoch {token.epoch}, now is epoch {epoch}"
    if now_ns > token.expires_ns:
        return "the approval has expired"
    if token.side is not intent.side or intent.quantity is None or intent.quantity > token.max_quantity:
        return f"the order goes beyond its approval of {token.side} {token.max_quantity}"
    if intent.price is not None and _worse(
        intent.side, intent.price > token.worst_price, intent.price < token.worst_price
    ):
        return f"price {intent.price} is beyond the approved {token.worst_price}"
    return None


def _worse(side: Side, above: bool, below: bool) -> bool:
    return above if side is Side.BUY else below

"""What we mean, in the venue's parameters of 2026: orders, cancels, and the bytes that are signed and sent.

Conditional types go to the algo service (since 2025-12-09; -4120 on the order endpoint).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from execactor.domain.order import OrderIntent, OrderType, TimeInForce
from execactor.venues.port import OrderRef
from execactor.venues.rate_limit import Cost

Params = dict[str, str | int]
Verb = Literal["GET", "POST", "PUT", "DELETE"]

SELF_TRADE_PREVENTION = "EXPIRE_MAKER"
"""Sent with every order, because the documented defaults contradict each other. Should two of our own orders meet, the
resting one expires: an exit must never be the one that is dropped."""

PLACE_COST = Cost(orders=1)
CANCEL_COST = Cost(weight=1)


class Call(msgspec.Struct, frozen=True):
    """One write, for either path: method of the WebSocket API, verb and path of REST, and the parameters of both.

    names: the client id and the symbol among the parameters, the only values that are not of our own making.
    """

    ws_method: str
    verb: Verb
    path: str
    params: Params
    names: str
    cost: Cost


def place(intent: OrderIntent) -> Call:
    """The call that places an order."""
    names = intent.client_id + intent.symbol
    if intent.trigger_price is not None:
        params = _conditional(intent, intent.trigger_price)
        return Call("algoOrder.place", "POST", "/fapi/v1/algoOrder", params, names, PLACE_COST)
    return Call("order.place", "POST", "/fapi/v1/order", _regular(intent), names, PLACE_COST)


def cancel(order: OrderRef) -> Call:
    """The call that cancels: by client id; the child of a triggered conditional order by the venue's id.

    Raises ValueError for a child without its venue id.
    """
    if order.conditional and not order.child:
        params: Params = {"clientAlgoId": order.client_id}
        return Call("algoOrder.cancel", "DELETE", "/fapi/v1/algoOrder", params, order.client_id, CANCEL_COST)
    return Call("order.cancel", "DELETE", "/fapi/v1/order", named(order), order.client_id + order.symbol, CANCEL_COST)


def named(order: OrderRef) -> Params:
    """The parameters that name a regular order. Raises ValueError for a child without its venue id."""
    if not order.child:
        return {"origClientOrderId": order.client_id, "symbol": order.symbol}
    if order.venue_id is None:
        raise ValueError(
            f"{order.client_id}: the child of a conditional order is named by its venue id, which is missing"
        )
    return {"orderId": int(order.venue_id), "symbol": order.symbol}


def plain(value: Decimal) -> str:
    """A decimal as the venue reads it: never with an exponent."""
    shown = str(value)
    return format(value, "f") if "E" in shown else shown


def query_string(params: Mapping[str, str | int]) -> str:
    """Parameters as they stand in a URL; percent-encoded, since exactly these bytes are signed."""
    return urlencode(params, quote_via=quote, safe="")


def _regular(intent: OrderIntent) -> Params:
    final_answer = intent.type is OrderType.MARKET or intent.time_in_force is TimeInForce.IOC
    params: Params = {
        "newClientOrderId": intent.client_id,
        # RESULT answers with the end of an order that cannot rest; one that rests is acknowledged faster with ACK.
        "newOrderRespType": "RESULT" if final_answer else "ACK",
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
        "side": intent.side,
        "symbol": intent.symbol,
        "type": intent.type,
    }
    if intent.quantity is not None:
        params["quantity"] = plain(intent.quantity)
    if intent.price is not None:
        params["price"] = plain(intent.price)
        params["timeInForce"] = intent.time_in_force
    if intent.reduce_only:
        params["reduceOnly"] = "true"
    return params


def _conditional(intent: OrderIntent, trigger_price: Decimal) -> Params:
    params: Params = {
        "algoType": "CONDITIONAL",
        "clientAlgoId": intent.client_id,
        "selfTradePreventionMode": SELF_TRADE_PREVENTION,
        "side": intent.side,
        "symbol": intent.symbol,
        "triggerPrice": plain(trigger_price),
        "type": intent.type,
        "workingType": "MARK_PRICE",
    }
    if intent.close_position:
        params["closePosition"] = "true"
    elif intent.quantity is not None:
        params["quantity"] = plain(intent.quantity)
        if intent.reduce_only:
            params["reduceOnly"] = "true"
    return params

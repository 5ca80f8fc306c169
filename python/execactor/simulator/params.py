"""Reading a request's parameters into checked requests. Parameters arrive as text, from a query, a form or JSON."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal

from execactor.simulator import errors
from execactor.simulator.algos import AlgoRequest
from execactor.simulator.errors import VenueError
from execactor.simulator.orders import OrderRequest, Side
from execactor.simulator.symbols import Symbol

Params = Mapping[str, str]

_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
_CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_TIME_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX"})
_REMOVED = ("stopPrice", "activationPrice", "callbackRate", "workingType", "priceProtect", "closePosition")


def order_request(params: Params, symbol: Symbol) -> OrderRequest:
    """POST /fapi/v1/order. Raises -1102, -1106, -1111, -1115, -1116, -1117, -4014, -4015, -4120 and more."""
    side, kind = _side(params), text(params, "type")
    if kind in _CONDITIONAL:
        raise errors.conditional_on_order_endpoint()
    if kind not in {"LIMIT", "MARKET"}:
        raise VenueError(-1116, "Invalid orderType.")
    for name in _REMOVED:
        if name in params:
            raise errors.not_required(name)
    _check_position_side(params)
    market = kind == "MARKET"
    lots = symbol.lots(number(params, "quantity"), market=market)
    if market:
        for name in ("price", "timeInForce"):
            if params.get(name):
                raise errors.not_required(name)
    time_in_force = "GTC" if market else text(params, "timeInForce")
    if time_in_force not in _TIME_IN_FORCE:
        raise VenueError(-1115, "Invalid timeInForce.")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type="MARKET" if market else "LIMIT",
        lots=lots,
        ticks=None if market else symbol.ticks(number(params, "price")),
        time_in_force=time_in_force,
        reduce_only=flag(params, "reduceOnly"),
        client_id=_client_id(params, "newClientOrderId"),
        stp=_self_trade_prevention(params),
        want_result=choice(params, "newOrderRespType", ("ACK", "RESULT"), "ACK") == "RESULT",
    )


def algo_request(params: Params, symbol: Symbol) -> AlgoRequest:
    """POST /fapi/v1/algoOrder: STOP_MARKET and TAKE_PROFIT_MARKET; the other kinds are refused by name (-1116)."""
    if text(params, "algoType") != "CONDITIONAL":
        raise errors.bad_value("algoType")
    side, kind = _side(params), text(params, "type")
    if kind not in {"STOP_MARKET", "TAKE_PROFIT_MARKET"}:
        known = " The simulator takes STOP_MARKET and TAKE_PROFIT_MARKET only." if kind in _CONDITIONAL else ""
        raise VenueError(-1116, f"Invalid orderType.{known}")
    _check_position_side(params)
    trigger_ticks = symbol.ticks(number(params, "triggerPrice"))
    close_position, reduce_only = flag(params, "closePosition"), flag(params, "reduceOnly")
    if close_position and (params.get("quantity") or "reduceOnly" in params):
        raise errors.close_position_with_quantity()
    time_in_force = params.get("timeInForce", "GTC")
    if time_in_force not in _TIME_IN_FORCE | {"GTE_GTC"}:
        raise VenueError(-1115, "Invalid timeInForce.")
    return AlgoRequest(
        symbol=symbol,
        side=side,
        type="STOP_MARKET" if kind == "STOP_MARKET" else "TAKE_PROFIT_MARKET",
        trigger_ticks=trigger_ticks,
        lots=None if close_position else symbol.lots(number(params, "quantity"), market=True),
        close_position=close_position,
        reduce_only=reduce_only,
        working_type=_working_type(params),
        time_in_force=time_in_force,
        client_id=_client_id(params, "clientAlgoId"),
        price_protect=flag(params, "priceProtect"),
        stp=_self_trade_prevention(params),
    )


def text(params: Params, name: str) -> str:
    """A required parameter. Raises -1102 when it is absent or empty."""
    value = params.get(name, "")
    if not value:
        raise errors.missing(name)
    return value


def number(params: Params, name: str) -> Decimal:
    """A required decimal. Raises -1102 when it is absent or not a number."""
    value = text(params, name)
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        raise errors.missing(name) from None
    if not parsed.is_finite():
        raise errors.missing(name)
    return parsed


def integer(params: Params, name: str) -> int | None:
    """An optional whole number. Raises -1102 when it is not one."""
    value = params.get(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise errors.missing(name) from None


def flag(params: Params, name: str) -> bool:
    """An optional "true" or "false". Raises -1130 for anything else."""
    value = params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise errors.bad_value(name)
    return value == "true"


def choice(params: Params, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = params.get(name, default)
    if value not in allowed:
        raise errors.bad_value(name)
    return value


def _side(params: Params) -> Side:
    side = text(params, "side")
    if side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    return "BUY" if side == "BUY" else "SELL"


def _working_type(params: Params) -> Literal["MARK_PRICE", "CONTRACT_PRICE"]:
    kind = choice(params, "workingType", ("MARK_PRICE", "CONTRACT_PRICE"), "CONTRACT_PRICE")
    return "MARK_PRICE" if kind == "MARK_PRICE" else "CONTRACT_PRICE"


def _check_position_side(params: Params) -> None:
    if params.get("positionSide", "BOTH") != "BOTH":
        raise errors.position_side_mismatch()


def _client_id(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value is None:
        return None
    if not _CLIENT_ID.fullmatch(value):
        raise errors.bad_client_id()
    return value


def _self_trade_prevention(params: Params) -> str:
    return choice(params, "selfTradePreventionMode", ("EXPIRE_MAKER", "NONE"), "EXPIRE_MAKER")

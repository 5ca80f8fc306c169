"""Operations on the account: positions, balances, settings, listen keys."""

from typing import Any

from execactor.simulator import errors, views
from execactor.simulator.account import MAKER_FEE, TAKER_FEE, Position
from execactor.simulator.context import Context
from execactor.simulator.params import Params, flag, integer, text
from execactor.simulator.rate_limits import RULES
from execactor.simulator.user_events import amount, short


def position_risk_v3(context: Context, params: Params) -> Any:
    """Only symbols with a position or open orders, as v3 does."""
    busy = context.exchange.watched()
    return [
        views.position_v3(position, context.exchange.markets[position.symbol].mark)
        for position in _positions(context, params)
        if position.quantity or position.symbol in busy
    ]


def position_risk_v2(context: Context, params: Params) -> Any:
    positions = _positions(context, params)
    return [views.position_v2(position, context.exchange.markets[position.symbol].mark) for position in positions]


def balance(context: Context, _params: Params) -> Any:
    exchange = context.exchange
    return [views.balance(exchange.account, exchange.unrealized(), exchange.margin.total, context.now_ms())]


def account_v3(context: Context, _params: Params) -> Any:
    exchange = context.exchange
    totals = views.account_totals(exchange.account, exchange.unrealized(), exchange.margin.total, context.now_ms())
    return totals | {
        "positions": [
            {
                "symbol": position.symbol,
                "positionSide": "BOTH",
                "positionAmt": str(position.quantity),
                "unrealizedProfit": amount(position.unrealized(exchange.markets[position.symbol].mark)),
                "isolatedMargin": amount(position.isolated_wallet),
                "notional": amount(position.quantity * exchange.markets[position.symbol].mark),
                "isolatedWallet": amount(position.isolated_wallet),
                "initialMargin": amount(exchange.margin.required(position.symbol)),
                "maintMargin": "0",
                "updateTime": position.updated_ms,
            }
            for position in _positions(context, {})
            if position.quantity
        ]
    }


def account_v2(context: Context, _params: Params) -> Any:
    exchange = context.exchange
    totals = views.account_totals(exchange.account, exchange.unrealized(), exchange.margin.total, context.now_ms())
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **totals,
        "positions": [
            {
                "symbol": position.symbol,
                "initialMargin": amount(exchange.margin.required(position.symbol)),
                "maintMargin": "0",
                "unrealizedProfit": amount(position.unrealized(exchange.markets[position.symbol].mark)),
                "positionInitialMargin": "0",
                "openOrderInitialMargin": "0",
                "leverage": str(position.leverage),
                "isolated": position.margin_type == "ISOLATED",
                "entryPrice": short(position.entry_price),
                "maxNotional": views.max_notional(position.leverage),
                "bidNotional": "0",
                "askNotional": "0",
                "positionSide": "BOTH",
                "positionAmt": str(position.quantity),
                "updateTime": position.updated_ms,
            }
            for position in _positions(context, {})
        ],
    }


def symbol_config(context: Context, params: Params) -> Any:
    return [
        {
            "symbol": position.symbol,
            "marginType": position.margin_type,
            "isAutoAddMargin": "false",
            "leverage": position.leverage,
            "maxNotionalValue": views.max_notional(position.leverage),
        }
        for position in _live_positions(context, params)
    ]


def account_config(_context: Context, _params: Params) -> Any:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def commission_rate(context: Context, params: Params) -> Any:
    return {
        "symbol": context.exchange.market(text(params, "symbol")).symbol.name,
        "makerCommissionRate": str(MAKER_FEE),
        "takerCommissionRate": str(TAKER_FEE),
        "rpiCommissionRate": "0.00005",
    }


def set_leverage(context: Context, params: Params) -> Any:
    symbol = context.exchange.market(text(params, "symbol")).symbol
    leverage = integer(params, "leverage")
    if leverage is None:
        raise errors.missing("leverage")
    if not 1 <= leverage <= symbol.max_leverage:
        raise errors.VenueError(-4028, f"Leverage {leverage} is not valid")
    context.exchange.set_leverage(symbol.name, leverage)
    return {"leverage": leverage, "maxNotionalValue": views.max_notional(leverage), "symbol": symbol.name}


def set_margin_type(context: Context, params: Params) -> Any:
    symbol = context.exchange.market(text(params, "symbol")).symbol
    margin_type = text(params, "marginType")
    if margin_type not in {"CROSSED", "ISOLATED"}:
        raise errors.VenueError(-4077, "Invalid margin type.")
    context.exchange.set_margin_type(symbol.name, "CROSSED" if margin_type == "CROSSED" else "ISOLATED")
    return {"code": 200, "msg": "success"}


def position_mode(_context: Context, _params: Params) -> Any:
    return {"dualSidePosition": False}


def set_position_mode(_context: Context, params: Params) -> Any:
    """The simulator knows one-way mode only: "false" needs no change (-4059), "true" is refused clearly."""
    text(params, "dualSidePosition")
    if flag(params, "dualSidePosition"):
        raise errors.VenueError(-4531, "The simulator offers one-way position mode only.")
    raise errors.same_position_mode()


def order_rate_limits(_context: Context, _params: Params) -> Any:
    return [rule for rule in RULES if rule["rateLimitType"] == "ORDERS"]


def create_listen_key(context: Context, _params: Params) -> Any:
    return {"listenKey": context.private.create_key()}


def keep_listen_key(context: Context, params: Params) -> Any:
    return {"listenKey": context.private.keep_key(params.get("listenKey"))}


def close_listen_key(context: Context, params: Params) -> Any:
    context.private.close_key(params.get("listenKey"))
    return {}


def _live_positions(context: Context, params: Params) -> list[Position]:
    positions = context.exchange.account.positions
    if params.get("symbol"):
        return [positions[context.exchange.market(params["symbol"]).symbol.name]]
    return list(positions.values())


def _positions(context: Context, params: Params) -> list[Position]:
    """Positions as the listings show them."""
    positions = _live_positions(context, params)
    if not context.faults.listing_lag_ms:
        return positions
    history, seen_ns = context.exchange.position_history, context.seen_ns()
    seen = (history.at(position.symbol, seen_ns, position) for position in positions)
    return [position for position in seen if position is not None]

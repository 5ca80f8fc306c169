"""JSON of the venue's answers, in the shape of 2026-07-15 and later (section 3 of the fact sheet)."""

from decimal import Decimal
from typing import Any

from execactor.simulator.account import MAINTENANCE, Account, Position
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.orders import Order, Trade
from execactor.simulator.user_events import amount, price_text, short

Json = dict[str, Any]


def placed(order: Order, *, result: bool) -> Json:
    """The answer to a placed order: as taken (ACK) or as it stands after matching (RESULT)."""
    view = _order(order)
    if not result:
        zero = str(order.symbol.quantity(0))
        view |= {"status": "NEW", "executedQty": zero, "cumQty": zero}
    return view


def cancelled(order: Order) -> Json:
    """The answer to a cancel: the order with what it had executed. No avgPrice, no cumQuote."""
    return _order(order)


def queried(order: Order) -> Json:
    """An order as GET /order and the listings show it."""
    view = _order(order)
    del view["cumQty"]
    return view | {
        "avgPrice": f"{order.average_price:.5f}",
        "cumQuote": str(order.notional),
        "time": order.created_ms,
    }


def algo_placed(algo: AlgoOrder) -> Json:
    request = algo.request
    return {
        "algoId": algo.id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.type,
        "symbol": request.symbol.name,
        "side": request.side,
        "positionSide": "BOTH",
        "timeInForce": request.time_in_force,
        "quantity": str(request.symbol.quantity(request.lots or 0)),
        "algoStatus": algo.status,
        "triggerPrice": str(algo.trigger_price),
        "price": str(request.symbol.price(0)),
        "icebergQuantity": None,
        "selfTradePreventionMode": request.stp,
        "workingType": request.working_type,
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": request.price_protect,
        "reduceOnly": request.reduce_only,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": 0,
    }


def algo_queried(algo: AlgoOrder) -> Json:
    started = algo.order_id is not None
    return algo_placed(algo) | {
        "actualOrderId": str(algo.order_id) if started else "",
        "actualPrice": f"{algo.average_price:.5f}",
        "actualQty": str(algo.executed),
        "actualType": "MARKET" if started else "",
        "tpOrderType": "",
    }


def algo_cancelled(algo: AlgoOrder) -> Json:
    """`code` is a string here, an int in cancel-all: the venue's own inconsistency."""
    return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def trade(made: Trade) -> Json:
    return {
        "symbol": made.symbol.name,
        "id": made.id,
        "orderId": made.order_id,
        "side": made.side,
        "price": str(made.price),
        "qty": str(made.quantity),
        "realizedPnl": amount(made.realized),
        "quoteQty": str(made.price * made.quantity),
        "baseQty": str(made.quantity),
        "commission": str(made.commission),
        "commissionAsset": "USDT",
        "time": made.time_ns // 1_000_000,
        "positionSide": "BOTH",
        "buyer": made.side == "BUY",
        "maker": made.maker,
        "marginAsset": "USDT",
        "pair": made.symbol.name,
    }


def position_v3(position: Position, mark: Decimal) -> Json:
    notional = position.quantity * mark
    margin = abs(notional) / position.leverage
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": str(position.quantity),
        "entryPrice": short(position.entry_price),
        "breakEvenPrice": short(position.break_even()),
        "markPrice": amount(mark),
        "unRealizedProfit": amount(position.unrealized(mark)),
        "liquidationPrice": short(position.liquidation_price()),
        "isolatedMargin": short(_isolated_margin(position, mark)),
        "notional": amount(notional),
        "marginAsset": "USDT",
        "isolatedWallet": short(position.isolated_wallet),
        "initialMargin": amount(margin),
        "maintMargin": amount(abs(notional) * MAINTENANCE),
        "positionInitialMargin": amount(margin),
        "openOrderInitialMargin": "0",
        "adl": 2,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def position_v2(position: Position, mark: Decimal) -> Json:
    notional = position.quantity * mark
    return {
        "symbol": position.symbol,
        "positionAmt": str(position.quantity),
        "entryPrice": short(position.entry_price),
        "breakEvenPrice": short(position.break_even()),
        "markPrice": amount(mark),
        "unRealizedProfit": amount(position.unrealized(mark)),
        "liquidationPrice": short(position.liquidation_price()),
        "leverage": str(position.leverage),
        "maxNotionalValue": max_notional(position.leverage),
        "marginType": "cross" if position.margin_type == "CROSSED" else "isolated",
        "isolatedMargin": amount(_isolated_margin(position, mark)),
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": short(notional),
        "isolatedWallet": short(position.isolated_wallet),
        "updateTime": position.updated_ms,
    }


def balance(account: Account, unrealized: Decimal, required: Decimal, now_ms: int) -> Json:
    available = amount(max(account.wallet + unrealized - required, Decimal(0)))
    return {
        "accountAlias": "SimU",
        "asset": "USDT",
        "balance": amount(account.wallet),
        "crossWalletBalance": amount(account.cross_wallet()),
        "crossUnPnl": amount(unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def account_totals(account: Account, unrealized: Decimal, required: Decimal, now_ms: int) -> Json:
    """The part that v2 and v3 of /account share."""
    available = amount(max(account.wallet + unrealized - required, Decimal(0)))
    totals = {
        "initialMargin": amount(required),
        "maintMargin": "0.00000000",
        "walletBalance": amount(account.wallet),
        "unrealizedProfit": amount(unrealized),
        "marginBalance": amount(account.wallet + unrealized),
        "positionInitialMargin": amount(required),
        "openOrderInitialMargin": "0.00000000",
        "crossWalletBalance": amount(account.cross_wallet()),
        "crossUnPnl": amount(unrealized),
    }
    return {
        **{f"total{name[0].upper()}{name[1:]}": value for name, value in totals.items()},
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "assets": [
            {"asset": "USDT", **totals, "availableBalance": available, "maxWithdrawAmount": available}
            | {"updateTime": now_ms}
        ],
    }


def max_notional(leverage: int) -> str:
    """The notional cap of a leverage; the simulator's brackets are a hyperbola."""
    return str(50_000_000 // leverage)


def _isolated_margin(position: Position, mark: Decimal) -> Decimal:
    return position.isolated_wallet + position.unrealized(mark) if position.isolated_wallet else Decimal(0)


def _order(order: Order) -> Json:
    filled = str(order.filled_quantity)
    return {
        "clientOrderId": order.client_id,
        "cumQty": filled,
        "executedQty": filled,
        "orderId": order.id,
        "origQty": str(order.quantity),
        "price": price_text(order),
        "reduceOnly": order.reduce_only,
        "side": order.side,
        "positionSide": "BOTH",
        "status": order.status,
        "stopPrice": "0",
        "closePosition": order.close_position,
        "symbol": order.symbol.name,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "origType": order.original_type,
        "updateTime": order.updated_ms,
        "workingType": order.working_type,
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.stp,
        "goodTillDate": 0,
    }

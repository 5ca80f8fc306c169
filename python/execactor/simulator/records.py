"""Lines of the venue log about orders, fills and positions. Decimals are strings."""

from decimal import Decimal
from typing import Any

from execactor.simulator.account import Position
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.orders import Order, Trade


def order_record(order: Order) -> dict[str, Any]:
    status = "EXPIRED" if order.status == "EXPIRED_IN_MATCH" else order.status
    return {
        "order_id": order.id,
        "client_id": order.client_id,
        "symbol": order.symbol.name,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "filled": str(order.filled_quantity),
        "reduce_only": order.reduce_only,
        "status": status,
        "parent_algo_id": order.parent_algo_id,
    }


def fill_record(order: Order, trade: Trade, position: Position, wallet: Decimal) -> dict[str, Any]:
    return {
        "symbol": order.symbol.name,
        "trade_id": trade.id,
        "order_id": order.id,
        "client_id": order.client_id,
        "side": order.side,
        "price": str(trade.price),
        "quantity": str(trade.quantity),
        "maker": trade.maker,
        "commission": str(trade.commission),
        "commission_asset": "USDT",
        "realized_pnl": str(trade.realized),
        "position": str(position.quantity),
        "entry_price": str(position.entry_price),
        "wallet": str(wallet),
    }


def position_record(position: Position) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "quantity": str(position.quantity),
        "entry_price": str(position.entry_price),
    }


def algo_record(algo: AlgoOrder, reason: str = "") -> dict[str, Any]:
    request = algo.request
    return {
        "algo_id": algo.id,
        "client_id": algo.client_id,
        "symbol": request.symbol.name,
        "side": request.side,
        "type": request.type,
        "trigger_price": str(algo.trigger_price),
        "quantity": None if request.lots is None else str(request.symbol.quantity(request.lots)),
        "close_position": request.close_position,
        "reduce_only": request.reduce_only,
        "status": algo.status,
        "order_id": algo.order_id,
        "reason": reason or algo.reason,
    }

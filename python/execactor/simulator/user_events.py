"""Payloads of the private stream (section 8 of the fact sheet, key for key as recorded)."""

from decimal import Decimal
from typing import Any

from execactor.simulator.account import Account
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.orders import Order, Trade

Event = dict[str, Any]


def order_update(order: Order, execution: str, now_ms: int, *, bids: Decimal, asks: Decimal) -> Event:
    """ORDER_TRADE_UPDATE for a change without a trade. bids, asks: notional of the symbol's open orders."""
    return {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms, "o": _order(order, execution, now_ms, bids, asks)}


def trade_update(order: Order, trade: Trade, now_ms: int, *, bids: Decimal, asks: Decimal) -> Event:
    """ORDER_TRADE_UPDATE x=TRADE; it follows the ACCOUNT_UPDATE of the same trade."""
    body = _order(order, "TRADE", now_ms, bids, asks)
    body |= {
        "l": str(trade.quantity),
        "L": str(trade.price),
        "n": str(trade.commission),
        "t": trade.id,
        "m": trade.maker,
        "rp": amount(trade.realized) if trade.realized else "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms, "o": body}


def trade_lite(order: Order, trade: Trade, now_ms: int) -> Event:
    """TRADE_LITE: the early, short notice of the same trade."""
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.symbol.name,
        "q": str(order.quantity),
        "p": price_text(order),
        "m": trade.maker,
        "c": order.client_id,
        "S": order.side,
        "L": str(trade.price),
        "l": str(trade.quantity),
        "t": trade.id,
        "i": order.id,
    }


def account_update(account: Account, symbol: str, mark: Decimal, now_ms: int, reason: str = "ORDER") -> Event:
    """ACCOUNT_UPDATE after a change of one symbol's position and of the wallet."""
    position = account.positions[symbol]
    return {
        "e": "ACCOUNT_UPDATE",
        "T": now_ms,
        "E": now_ms,
        "a": {
            "B": [{"a": "USDT", "wb": amount(account.wallet), "cw": amount(account.cross_wallet()), "bc": "0"}],
            "P": [
                {
                    "s": symbol,
                    "pa": str(position.quantity),
                    "ep": short(position.entry_price),
                    "cr": amount(position.realized) if position.realized else "0",
                    "up": amount(position.unrealized(mark)) if position.quantity else "0",
                    "mt": "cross" if position.margin_type == "CROSSED" else "isolated",
                    "iw": amount(position.isolated_wallet) if position.isolated_wallet else "0",
                    "ps": "BOTH",
                    "ma": "USDT",
                    "bep": short(position.break_even()),
                }
            ],
            "m": reason,
        },
    }


def leverage_update(symbol: str, leverage: int, now_ms: int) -> Event:
    return {"e": "ACCOUNT_CONFIG_UPDATE", "T": now_ms, "E": now_ms, "ac": {"s": symbol, "l": leverage}}


def listen_key_expired(listen_key: str, now_ms: int) -> Event:
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key}


def algo_update(algo: AlgoOrder, now_ms: int) -> Event:
    """ALGO_UPDATE. `ai` is the engine order's id as a string, empty before the trigger."""
    request = algo.request
    return {
        "e": "ALGO_UPDATE",
        "T": now_ms,
        "E": now_ms,
        "o": {
            "caid": algo.client_id,
            "aid": algo.id,
            "at": "CONDITIONAL",
            "o": request.type,
            "s": request.symbol.name,
            "S": request.side,
            "ps": "BOTH",
            "f": request.time_in_force,
            "q": "0" if request.lots is None else str(request.symbol.quantity(request.lots)),
            "X": algo.status,
            "ai": "" if algo.order_id is None else str(algo.order_id),
            "ap": average_text(algo.average_price),
            "aq": str(algo.executed),
            "act": "MARKET" if algo.order_id is not None else "0",
            "tp": str(algo.trigger_price),
            "p": "0",
            "V": request.stp,
            "wt": request.working_type,
            "pm": "NONE",
            "cp": request.close_position,
            "pP": request.price_protect,
            "R": request.reduce_only,
            "tt": algo.triggered_ms,
            "gtd": 0,
            "rm": algo.reason,
            "ia": False,
        },
    }


def _order(order: Order, execution: str, now_ms: int, bids: Decimal, asks: Decimal) -> dict[str, Any]:
    return {
        "s": order.symbol.name,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": str(order.quantity),
        "p": price_text(order),
        "ap": average_text(order.average_price),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.id,
        "l": "0",
        "z": str(order.filled_quantity) if order.filled else "0",
        "L": "0",
        "n": "0",
        "N": "USDT",
        "T": now_ms,
        "t": 0,
        "b": short(bids),
        "a": short(asks),
        "m": False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.original_type,
        "ps": "BOTH",
        "cp": order.close_position,
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.stp,
        "pm": "NONE",
        "gtd": 0,
        "er": str(order.expiry_reason),
    }


def price_text(order: Order) -> str:
    return "0" if order.ticks is None else str(order.price)


def average_text(price: Decimal) -> str:
    return f"{price:.5f}" if price else "0"


def amount(value: Decimal) -> str:
    """USDT at 8 decimals."""
    return f"{value:.8f}"


def short(value: Decimal) -> str:
    """At most 8 decimals, without trailing zeros."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return text if text not in {"", "-0"} else "0"

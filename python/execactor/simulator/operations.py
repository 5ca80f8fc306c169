"""What the venue can be asked: one table for REST paths and WebSocket API methods.

An operation is a function of the desk's exchange and the parameters; it returns the answer's JSON or raises
`VenueError`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from execactor.simulator import account_operations as account
from execactor.simulator import market_operations as market
from execactor.simulator import trading_operations as trading
from execactor.simulator.context import Context
from execactor.simulator.params import Params

Security = Literal["none", "key", "signed"]


class Operation(msgspec.Struct, frozen=True):
    """weight: of the IP's request weight; unnamed_weight: when no symbol is named, if that costs more.

    orders: what it adds to the account's order counts. changes: whether it may change the account.
    """

    run: Callable[[Context, Params], Any]
    security: Security
    weight: int
    unnamed_weight: int = 0
    orders: int = 0
    changes: bool = False

    def cost(self, params: Params) -> int:
        """Request weight of one call."""
        if self.run is market.depth:
            return market.DEPTH_WEIGHTS.get(params.get("limit", "500"), 0)
        return self.weight if params.get("symbol") else max(self.weight, self.unnamed_weight)


def _public(run: Callable[[Context, Params], Any], weight: int = 1, unnamed: int = 0) -> Operation:
    return Operation(run, "none", weight, unnamed)


def _query(run: Callable[[Context, Params], Any], weight: int = 1, unnamed: int = 0) -> Operation:
    return Operation(run, "signed", weight, unnamed)


def _change(run: Callable[[Context, Params], Any], weight: int = 1, orders: int = 0) -> Operation:
    return Operation(run, "signed", weight, 0, orders, changes=True)


_PLACE = _change(trading.place, 0, 1)
_CANCEL = _change(trading.cancel)
_STATUS = _query(trading.query)
_PLACE_ALGO = _change(trading.place_algo, 0, 1)
_CANCEL_ALGO = _change(trading.cancel_algo)
_MODIFY = _change(trading.modify, 0, 1)
_START_STREAM = Operation(account.create_listen_key, "key", 1)
_KEEP_STREAM = Operation(account.keep_listen_key, "key", 1)
_CLOSE_STREAM = Operation(account.close_listen_key, "key", 1)

REST: Mapping[str, Operation] = {
    "GET /fapi/v1/ping": _public(market.ping),
    "GET /fapi/v1/time": _public(market.server_time),
    "GET /fapi/v1/exchangeInfo": _public(market.exchange_info),
    "GET /fapi/v1/depth": _public(market.depth),
    "GET /fapi/v1/premiumIndex": _public(market.premium_index, 1, 10),
    "GET /fapi/v1/ticker/bookTicker": _public(market.book_ticker, 2, 5),
    "GET /fapi/v2/ticker/price": _public(market.ticker_price, 1, 2),
    "POST /fapi/v1/order": _PLACE,
    "PUT /fapi/v1/order": _MODIFY,
    "DELETE /fapi/v1/order": _CANCEL,
    "GET /fapi/v1/order": _STATUS,
    "GET /fapi/v1/openOrder": _query(trading.open_order),
    "GET /fapi/v1/openOrders": _query(trading.open_orders, 1, 40),
    "GET /fapi/v1/allOrders": _query(trading.all_orders, 5),
    "DELETE /fapi/v1/allOpenOrders": _change(trading.cancel_all),
    "POST /fapi/v1/algoOrder": _PLACE_ALGO,
    "DELETE /fapi/v1/algoOrder": _CANCEL_ALGO,
    "GET /fapi/v1/algoOrder": _query(trading.query_algo),
    "GET /fapi/v1/openAlgoOrders": _query(trading.open_algos, 1, 40),
    "GET /fapi/v1/allAlgoOrders": _query(trading.all_algos, 5),
    "DELETE /fapi/v1/algoOpenOrders": _change(trading.cancel_all_algos),
    "POST /fapi/v1/countdownCancelAll": _change(trading.countdown_cancel_all, 10),
    "GET /fapi/v1/userTrades": _query(trading.user_trades, 5),
    "GET /fapi/v3/positionRisk": _query(account.position_risk_v3, 5),
    "GET /fapi/v2/positionRisk": _query(account.position_risk_v2, 5),
    "GET /fapi/v3/account": _query(account.account_v3, 5),
    "GET /fapi/v2/account": _query(account.account_v2, 5),
    "GET /fapi/v3/balance": _query(account.balance, 5),
    "GET /fapi/v2/balance": _query(account.balance, 5),
    "GET /fapi/v1/symbolConfig": _query(account.symbol_config, 5),
    "GET /fapi/v1/accountConfig": _query(account.account_config, 5),
    "GET /fapi/v1/commissionRate": _query(account.commission_rate, 20),
    "POST /fapi/v1/leverage": _change(account.set_leverage),
    "POST /fapi/v1/marginType": _change(account.set_margin_type),
    "GET /fapi/v1/positionSide/dual": _query(account.position_mode, 30),
    "POST /fapi/v1/positionSide/dual": _change(account.set_position_mode),
    "GET /fapi/v1/rateLimit/order": _query(account.order_rate_limits),
    "POST /fapi/v1/listenKey": _START_STREAM,
    "PUT /fapi/v1/listenKey": _KEEP_STREAM,
    "DELETE /fapi/v1/listenKey": _CLOSE_STREAM,
}

WS_API: Mapping[str, Operation] = {
    "order.place": _PLACE,
    "order.modify": _MODIFY,
    "order.cancel": _CANCEL,
    "order.status": _STATUS,
    "algoOrder.place": _PLACE_ALGO,
    "algoOrder.cancel": _CANCEL_ALGO,
    "v2/account.position": _query(account.position_risk_v3, 5),
    "v2/account.balance": _query(account.balance, 5),
    "v2/account.status": _query(account.account_v3, 5),
    "depth": _public(market.depth),
    "ticker.price": _public(market.ticker_price, 1, 2),
    "ticker.book": _public(market.book_ticker, 2, 5),
    "userDataStream.start": _START_STREAM,
    "userDataStream.ping": _KEEP_STREAM,
    "userDataStream.stop": _CLOSE_STREAM,
}


def kind_of(operation: Operation, params: Params) -> str:
    """What a request is for, as faults and the kill switch name it."""
    if operation is _PLACE:
        if params.get("reduceOnly", "").lower() != "true":
            return "entry"
        return "take_profit" if params.get("type") == "LIMIT" else "exit"
    if operation is _PLACE_ALGO:
        return "stop" if params.get("type", "").startswith("STOP") else "take_profit"
    if not operation.changes:
        return "query"
    return "cancel" if operation.run in _CANCELLING else "setting"


_CANCELLING = frozenset({trading.cancel, trading.cancel_algo, trading.cancel_all, trading.cancel_all_algos})

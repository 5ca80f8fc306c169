"""Public operations: time, contracts, depth and prices."""

from typing import Any

from execactor.simulator import errors
from execactor.simulator.account import cents
from execactor.simulator.context import Context
from execactor.simulator.market import Market
from execactor.simulator.params import Params, text
from execactor.simulator.rate_limits import RULES
from execactor.simulator.streams import FUNDING_INTERVAL_MS

DEPTH_WEIGHTS = {"5": 2, "10": 2, "20": 2, "50": 2, "100": 5, "500": 10, "1000": 20}  # by limit


def ping(_context: Context, _params: Params) -> Any:
    return {}


def server_time(context: Context, _params: Params) -> Any:
    return {"serverTime": context.now_ms()}


def exchange_info(context: Context, _params: Params) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": context.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": list(RULES),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [market.symbol.document() for market in context.exchange.markets.values()],
    }


def depth(context: Context, params: Params) -> Any:
    market = context.exchange.market(text(params, "symbol"))
    limit = params.get("limit", "500")
    if limit not in DEPTH_WEIGHTS:
        raise errors.VenueError(-4021, f"{limit} is not valid depth limit.")
    taken = market.depth(int(limit))
    now_ms = context.now_ms()
    return {
        "lastUpdateId": taken.last_update_id,
        "E": now_ms,
        "T": now_ms,
        "bids": market.feed.texts(taken.bids),
        "asks": market.feed.texts(taken.asks),
    }


def premium_index(context: Context, params: Params) -> Any:
    def view(market: Market) -> Any:
        now_ms, mark = context.now_ms(), str(cents(market.mark))
        return {
            "symbol": market.symbol.name,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": "0.00010000",
            "interestRate": "0.00010000",
            "nextFundingTime": now_ms - now_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS,
            "time": now_ms,
        }

    return _one_or_all(context, params, view)


def book_ticker(context: Context, params: Params) -> Any:
    def view(market: Market) -> Any:
        now_ms = context.now_ms()
        ticker = market.feed.book_ticker(market.best(), now_ms)
        return {
            "symbol": ticker["s"],
            "bidPrice": ticker["b"],
            "bidQty": ticker["B"],
            "askPrice": ticker["a"],
            "askQty": ticker["A"],
            "time": now_ms,
            "lastUpdateId": ticker["u"],
        }

    return _one_or_all(context, params, view)


def ticker_price(context: Context, params: Params) -> Any:
    def view(market: Market) -> Any:
        return {"symbol": market.symbol.name, "price": str(market.last), "time": context.now_ms()}

    return _one_or_all(context, params, view)


def _one_or_all(context: Context, params: Params, view: Any) -> Any:
    """The view of one symbol when it is named, else of all."""
    if params.get("symbol"):
        return view(context.exchange.market(params["symbol"]))
    return [view(market) for market in context.exchange.markets.values()]

"""Operations on orders, conditional orders and trades."""

from typing import Any

from execactor.simulator import errors, views
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.context import Context
from execactor.simulator.orders import Order
from execactor.simulator.params import Params, algo_request, integer, order_request, text
from execactor.simulator.symbols import Symbol


def place(context: Context, params: Params) -> Any:
    request = order_request(params, _symbol(context, params))
    order = context.exchange.place(request)
    return views.placed(order, result=request.want_result)


def modify(_context: Context, _params: Params) -> Any:
    """PUT /order is not simulated: the engine cancels and places."""
    raise errors.VenueError(-1000, "The simulator does not amend orders; cancel and place instead.", 501)


def cancel(context: Context, params: Params) -> Any:
    order = _find(context, params)
    if order is None:
        raise errors.unknown_cancel()
    return views.cancelled(context.exchange.cancel(order))


def query(context: Context, params: Params) -> Any:
    order = context.seen_order(_find(context, params))
    if order is None:
        raise errors.no_such_order()
    return views.queried(order)


def open_order(context: Context, params: Params) -> Any:
    order = context.seen_order(_find(context, params))
    if order is None or not order.is_open:
        raise errors.no_such_order()
    return views.queried(order)


def open_orders(context: Context, params: Params) -> Any:
    return [views.queried(order) for order in context.seen_orders(_optional_symbol(context, params))]


def all_orders(context: Context, params: Params) -> Any:
    """Orders from orderId or startTime on, oldest first, at most `limit` (500)."""
    symbol = _optional_symbol(context, params)
    first, start = integer(params, "orderId") or 0, integer(params, "startTime") or 0
    end = integer(params, "endTime")
    shown = [
        seen
        for seen in map(context.seen_order, context.exchange.orders.all(symbol))
        if seen is not None
        and seen.id >= first
        and seen.created_ms >= start
        and (end is None or seen.created_ms <= end)
    ]
    return [views.queried(order) for order in _page(shown, params, from_start=bool(first or start))]


def cancel_all(context: Context, params: Params) -> Any:
    for order in context.exchange.orders.open(_symbol(context, params).name):
        context.exchange.cancel(order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def place_algo(context: Context, params: Params) -> Any:
    request = algo_request(params, _symbol(context, params))
    algo = context.exchange.conditional.place(request)
    answer = views.algo_placed(algo)
    lost = context.faults.draw("algo_ack_lost", kind="algo", client_id=algo.client_id, symbol=request.symbol.name)
    if lost is not None:
        _lose(context, algo, float(lost.get("after_ms", 0)) / 1000)
    return answer


def cancel_algo(context: Context, params: Params) -> Any:
    algo = _find_algo(context, params)
    if algo is None:
        raise errors.unknown_cancel()
    context.exchange.conditional.cancel(algo)
    return views.algo_cancelled(algo)


def query_algo(context: Context, params: Params) -> Any:
    algo = context.seen_algo(_find_algo(context, params))
    if algo is None:
        raise errors.no_such_order()
    return views.algo_queried(algo)


def open_algos(context: Context, params: Params) -> Any:
    """What was not handed to the matching engine yet; a triggered one shows among the regular orders."""
    wanted = integer(params, "algoId")
    algos = context.seen_algos(_optional_symbol(context, params))
    return [views.algo_queried(algo) for algo in algos if wanted in {None, algo.id} and algo.order_id is None]


def all_algos(context: Context, params: Params) -> Any:
    symbol, first = _symbol(context, params).name, integer(params, "algoId") or 0
    start, end = integer(params, "startTime") or 0, integer(params, "endTime")
    shown = [
        seen
        for seen in map(context.seen_algo, context.exchange.conditional.algos.all(symbol))
        if seen is not None
        and seen.id >= first
        and seen.created_ms >= start
        and (end is None or seen.created_ms <= end)
    ]
    return [views.algo_queried(algo) for algo in _page(shown, params, from_start=bool(first or start))]


def cancel_all_algos(context: Context, params: Params) -> Any:
    """Cancels what was not triggered yet; a triggered one is a regular order now."""
    for algo in context.exchange.conditional.algos.open(_symbol(context, params).name):
        if algo.status == "NEW":
            context.exchange.conditional.cancel(algo)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown_cancel_all(context: Context, params: Params) -> Any:
    """Dead-man switch of one symbol: regular orders only (M: conditional ones are assumed untouched)."""
    symbol = _symbol(context, params).name
    countdown_ms = integer(params, "countdownTime")
    if countdown_ms is None:
        raise errors.missing("countdownTime")
    running = context.countdowns.pop(symbol, None)
    if running is not None:
        running.cancel()

    def expire() -> None:
        context.countdowns.pop(symbol, None)
        for order in context.exchange.orders.open(symbol):
            context.exchange.cancel(order)
        context.pulse.after(symbol)

    if countdown_ms > 0:
        context.countdowns[symbol] = context.clock.call_later(countdown_ms / 1000, expire)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def user_trades(context: Context, params: Params) -> Any:
    """By symbol; fromId excludes times; newest `limit` (500) unless a start is given."""
    symbol = _symbol(context, params).name
    first, order_id = integer(params, "fromId"), integer(params, "orderId")
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if first is not None and (start is not None or end is not None):
        raise errors.not_required("startTime")
    seen_ns = context.seen_ns()
    shown = [
        trade
        for trade in context.exchange.trades
        if trade.symbol.name == symbol
        and trade.time_ns <= seen_ns
        and (first is None or trade.id >= first)
        and order_id in {None, trade.order_id}
        and (start is None or trade.time_ns // 1_000_000 >= start)
        and (end is None or trade.time_ns // 1_000_000 <= end)
    ]
    from_start = first is not None or start is not None
    return [views.trade(trade) for trade in _page(shown, params, from_start=from_start)]


def find_client_id(context: Context, params: Params) -> str:
    """The client id a request is about, looked up when it names the venue's own id."""
    for name in ("newClientOrderId", "origClientOrderId", "clientAlgoId"):
        if params.get(name):
            return params[name]
    try:
        order = context.exchange.orders.get(integer(params, "orderId") or 0)
        algo = context.exchange.conditional.algos.find(integer(params, "algoId") or 0, None)
    except errors.VenueError:
        return ""
    found = order or algo
    return "" if found is None else found.client_id


def find_order(context: Context, params: Params) -> Order | None:
    """The regular order a cancel names, None when it names none."""
    try:
        return _find(context, params)
    except errors.VenueError:
        return None


def _symbol(context: Context, params: Params) -> Symbol:
    return context.exchange.market(text(params, "symbol")).symbol


def _optional_symbol(context: Context, params: Params) -> str | None:
    return _symbol(context, params).name if params.get("symbol") else None


def _find(context: Context, params: Params) -> Order | None:
    symbol = _symbol(context, params).name
    order_id, client_id = integer(params, "orderId"), params.get("origClientOrderId")
    if order_id is None and not client_id:
        raise errors.missing("orderId")
    return context.exchange.orders.find(symbol, order_id, client_id)


def _find_algo(context: Context, params: Params) -> AlgoOrder | None:
    algo_id, client_id = integer(params, "algoId"), params.get("clientAlgoId")
    if algo_id is None and not client_id:
        raise errors.missing("algoId")
    return context.exchange.conditional.algos.find(algo_id, client_id)


def _lose(context: Context, algo: AlgoOrder, after_s: float) -> None:
    """Drops an acknowledged conditional order: at once and without its event, or after a while."""
    if not after_s:
        context.exchange.outbox.take()
        context.exchange.conditional.vanish(algo, "algo_ack_lost")
        return

    def vanish() -> None:
        context.exchange.conditional.vanish(algo, "algo_ack_lost")

    context.clock.call_later(after_s, vanish)


def _page(items: list[Any], params: Params, *, from_start: bool) -> list[Any]:
    limit = integer(params, "limit") or 500
    return items[:limit] if from_start else items[-limit:]

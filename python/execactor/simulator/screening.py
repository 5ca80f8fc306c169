"""What the venue checks before it takes an order: raises the code of the fact sheet's table, or returns."""

from decimal import Decimal

from execactor.simulator import errors
from execactor.simulator.account import Position
from execactor.simulator.config import Quirks
from execactor.simulator.market import Market
from execactor.simulator.orders import Order, OrderRequest
from execactor.simulator.symbols import Symbol


def check_price(request: OrderRequest, mark: Decimal) -> None:
    """PERCENT_PRICE: a BUY not above mark * up, a SELL not below mark * down (-4016, -4024)."""
    if request.ticks is None:
        return
    price, percent = request.symbol.price(request.ticks), request.symbol.percent_price
    if request.side == "BUY" and price > mark * (1 + percent):
        raise errors.buy_price_cap(mark * (1 + percent))
    if request.side == "SELL" and price < mark * (1 - percent):
        raise errors.sell_price_floor(mark * (1 - percent))


def check_notional(symbol: Symbol, lots: int, price: Decimal) -> None:
    """MIN_NOTIONAL (-4164); a MARKET order is valued at the mark. Reduce-only orders are exempt."""
    if price * symbol.quantity(lots) < symbol.min_notional:
        raise errors.notional_below(symbol.min_notional)


def closable_lots(position: Position, symbol: Symbol, sign: int) -> int:
    """Lots that an order of this side can take off the position; 0 when there is none on the other side."""
    held = position.quantity * -sign
    return int(held / symbol.step) if held > 0 else 0


def reduce_only_lots(request: OrderRequest, position: Position, open_orders: list[Order], quirks: Quirks) -> int:
    """Lots a reduce-only order may have: cut to the position, by a quirk (M: the sheet leaves the cut open).

    Raises -2022 when it would not reduce, or for more than the position where nothing is cut, and with the quirk -4118
    when a resting reduce-only limit already covers the whole position.
    """
    held = closable_lots(position, request.symbol, request.sign)
    if not held or (request.lots > held and not quirks.reduce_only_is_cut):
        raise errors.reduce_only_rejected()
    if quirks.full_reduce_only_limit_blocks:
        resting = (o for o in open_orders if o.reduce_only and o.type == "LIMIT" and o.sign == request.sign)
        if any(order.remaining >= held for order in resting):
            raise errors.reduce_only_covered()
    return min(request.lots, held)


def check_market_bound(request: OrderRequest, market: Market) -> None:
    """-4131: the opposite best lies further from the mark than PERCENT_PRICE allows (a thin book)."""
    bid, ask = market.best()
    opposite = ask if request.side == "BUY" else bid
    if opposite is None:
        raise errors.percent_price()
    distance = request.symbol.price(opposite[0]) / market.mark - 1
    if distance * request.sign > request.symbol.percent_price:
        raise errors.percent_price()


def check_taking(request: OrderRequest, market: Market) -> None:
    """GTX must not take (-5022); FOK must fill at once (-5021)."""
    if request.ticks is None:
        return
    if request.time_in_force == "GTX" and market.crosses(request.sign, request.ticks):
        raise errors.post_only_would_take()
    if request.time_in_force == "FOK" and market.reachable(request.sign, request.lots, request.ticks)[0] < request.lots:
        raise errors.fill_or_kill()

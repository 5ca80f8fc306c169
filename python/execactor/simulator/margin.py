"""Initial margin of the account, the rule behind -2019."""

from decimal import Decimal

from execactor.simulator.account import ZERO, Account, cents
from execactor.simulator.orders import OrderRequest, Orders


class Margin:
    """What positions and open orders tie up.

    Per symbol, one-way mode: max(|position + open buys|, |position - open sells|) in notional, divided by the
    leverage. The position counts at its entry price, a reduce-only order counts nothing. Requirements are kept per
    symbol and refreshed when something of that symbol changes.
    """

    def __init__(self, account: Account, orders: Orders) -> None:
        self._account = account
        self._orders = orders
        self._required: dict[str, Decimal] = {}
        self.total = ZERO

    def open_notional(self, symbol: str, *, reduce_only: bool) -> tuple[Decimal, Decimal]:
        """Notional of a symbol's open limit buys and sells, with or without the reduce-only ones."""
        bids = asks = ZERO
        for order in self._orders.open(symbol):
            if (order.reduce_only and not reduce_only) or order.ticks is None:
                continue
            notional = order.price * order.symbol.quantity(order.remaining)
            if order.sign > 0:
                bids += notional
            else:
                asks += notional
        return bids, asks

    def required(self, symbol: str) -> Decimal:
        return self._required.get(symbol, ZERO)

    def refresh(self, symbol: str) -> None:
        """Recomputes a symbol's requirement after its orders, position or leverage changed."""
        bids, asks = self.open_notional(symbol, reduce_only=False)
        new = self._requirement(symbol, bids, asks)
        self.total += new - self.required(symbol)
        self._required[symbol] = new

    def covers(self, request: OrderRequest, price: Decimal, unrealized: Decimal) -> bool:
        """Whether the margin balance carries one more order at this price."""
        symbol = request.symbol.name
        bids, asks = self.open_notional(symbol, reduce_only=False)
        notional = price * request.symbol.quantity(request.lots)
        if request.sign > 0:
            bids += notional
        else:
            asks += notional
        more = self._requirement(symbol, bids, asks) - self.required(symbol)
        return more <= 0 or self.total + more <= self._account.wallet + unrealized

    def _requirement(self, symbol: str, bids: Decimal, asks: Decimal) -> Decimal:
        position = self._account.positions[symbol]
        held = position.quantity * position.entry_price
        return cents(max(abs(held + bids), abs(held - asks)) / position.leverage)

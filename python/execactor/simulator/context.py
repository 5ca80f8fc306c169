"""What an operation works on."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from execactor.simulator.algos import AlgoOrder
from execactor.simulator.clock import Clock, Timer
from execactor.simulator.exchange import Exchange
from execactor.simulator.faults import Faults
from execactor.simulator.orders import Order
from execactor.simulator.private import PrivateStreams
from execactor.simulator.pulse import Pulse
from execactor.simulator.rate_limits import RateLimits

UNLISTED_MS = 40_000
"""So long a new conditional order could not be found (freqtrade issue 12681, M)."""


class Context(msgspec.Struct, kw_only=True):
    """The venue's parts, for the operations. countdowns: dead-man switches by symbol. down: every request is refused
    with 503, and every handshake, as while its servers restart.
    """

    clock: Clock
    exchange: Exchange
    faults: Faults
    private: PrivateStreams
    pulse: Pulse
    rates: RateLimits
    countdowns: dict[str, Timer] = {}
    down: bool = False

    def now_ms(self) -> int:
        return self.clock.now_ns() // 1_000_000

    def seen_ns(self) -> int:
        """The time whose state the listings show: now, or a little earlier (fault listing_lag_ms)."""
        return self.clock.now_ns() - self.faults.listing_lag_ms * 1_000_000

    def seen_order(self, order: Order | None) -> Order | None:
        """An order as the listings show it; None when they do not show it yet."""
        if order is None or not self.faults.listing_lag_ms:
            return order
        return self.exchange.order_history.at(order.id, self.seen_ns(), order)

    def seen_algo(self, algo: AlgoOrder | None) -> AlgoOrder | None:
        if algo is None or self._unlisted(algo):
            return None
        if not self.faults.listing_lag_ms:
            return algo
        return self.exchange.algo_history.at(algo.id, self.seen_ns(), algo)

    def seen_orders(self, symbol: str | None) -> list[Order]:
        """Open orders as the listings show them."""
        if not self.faults.listing_lag_ms:
            return self.exchange.orders.open(symbol)
        return _open(self.exchange.order_history.all_at(self.seen_ns()), symbol)

    def seen_algos(self, symbol: str | None) -> list[AlgoOrder]:
        if self.faults.listing_lag_ms:
            algos = _open(self.exchange.algo_history.all_at(self.seen_ns()), symbol)
        else:
            algos = self.exchange.conditional.algos.open(symbol)
        return [algo for algo in algos if not self._unlisted(algo)]

    def _unlisted(self, algo: AlgoOrder) -> bool:
        """Whether a conditional order is too new to be found (a quirk)."""
        late = self.exchange.quirks.conditional_orders_listed_late
        return late and algo.status == "NEW" and self.now_ms() - algo.created_ms < UNLISTED_MS


Listed = TypeVar("Listed", Order, AlgoOrder)


def _open(items: Iterable[Listed], symbol: str | None) -> list[Listed]:
    shown = [item for item in items if item.is_open and symbol in {None, item.symbol.name}]
    return sorted(shown, key=lambda item: item.id)

"""The venue's heartbeat: moves the markets somebody watches, and lets everything that follows happen.

One timer for all symbols, and none while nothing is watched and no capture plays.
"""

from functools import partial

from execactor.simulator.clock import Clock, Timer
from execactor.simulator.exchange import Exchange
from execactor.simulator.private import PrivateStreams
from execactor.simulator.streams import MarketStreams


class Pulse:
    """step_s: wall seconds between beats; triggers are checked at every one (the venue: at least 10 a second)."""

    def __init__(
        self, clock: Clock, exchange: Exchange, streams: MarketStreams, private: PrivateStreams, step_s: float
    ) -> None:
        self._clock = clock
        self._exchange = exchange
        self._streams = streams
        self._private = private
        self._step_s = step_s
        self._timer: Timer | None = None

    def wake(self) -> None:
        """Something may be watched now: start beating unless it beats already."""
        if self._timer is None and self._active():
            self._timer = self._clock.call_later(self._step_s, self._beat)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def after(self, symbol: str | None = None) -> None:
        """After a call into the exchange: delivers what it produced, and shows the new best prices of its symbol."""
        self.deliver()
        if symbol is not None:
            self._streams.publish_best(symbol, self._clock.now_ns() // 1_000_000)
        self.wake()

    def deliver(self, delay_s: float = 0.0) -> None:
        """Hands the exchange's events to the private stream and schedules the parts still to be matched."""
        events, wakes = self._exchange.outbox.take()
        for wake in wakes:
            self._clock.call_later(wake.seconds, partial(self._go_on, wake.order_id))
        if events:
            self._private.publish(events, delay_s)

    def _go_on(self, order_id: int) -> None:
        self._exchange.continue_order(order_id)
        order = self._exchange.orders.get(order_id)
        self.after(None if order is None else order.symbol.name)

    def _beat(self) -> None:
        self._timer = None
        now_ns = self._clock.now_ns()
        for symbol in self._active():
            market = self._exchange.markets[symbol]
            market.step(now_ns)
            self._exchange.settle(symbol)
            self._streams.publish_due(symbol, now_ns // 1_000_000)
        self.deliver()
        self.wake()

    def _active(self) -> list[str]:
        """Symbols whose markets have to move, in the order of the listing: a set's order is not repeatable."""
        watched = self._exchange.watched()
        watched.update(self._streams.symbols())
        return [name for name, market in self._exchange.markets.items() if name in watched or market.restless]

"""A generated market: a random-walk mid, a market maker's ladder around it and a flow of small takers.

Everything rests in one `MatchingBook`, so the account's orders queue by price and time with the ladder's. The walk is
a function of the seed, the number of steps and the account's own orders: the wall clock only says when to step.
"""

import math
import random
from decimal import Decimal

from execactor._core import MatchingBook
from execactor.simulator.feed import Level
from execactor.simulator.market import Depth, MakerFill, Market
from execactor.simulator.symbols import Symbol

LADDER_LEVELS = 20
LADDER_STEP_FRACTION = 0.00005  # half a basis point between the ladder's levels
TOUCH_NOTIONAL = 30_000  # USDT resting at the best price
LEVEL_NOTIONAL = 60_000  # USDT at each level of the ladder
FLOW_NOTIONAL = 3_000  # USDT of a usual taker
FLOW_PER_SECOND = 3.0
MARK_TIME_CONSTANT_S = 0.5
LONGEST_STEP_S = 1.0

_LADDER, _ACCOUNT = 0, 1  # owners in the matching book


class _Quote:
    """A resting order of the market maker."""

    __slots__ = ("lots", "order_id", "sign", "ticks")

    def __init__(self, order_id: int, sign: int, ticks: int, lots: int) -> None:
        self.order_id, self.sign, self.ticks, self.lots = order_id, sign, ticks, lots


class GeneratedMarket(Market):
    """See the module. volatility_bps: standard deviation of the mid over one second of market time. levels: of the
    ladder, on each side.
    """

    def __init__(
        self,
        symbol: Symbol,
        rng: random.Random,
        *,
        volatility_bps: float,
        speed: float = 1.0,
        levels: int = LADDER_LEVELS,
    ) -> None:
        super().__init__(symbol, first_update_id=1_000_000)
        self._rng = rng
        self._speed = speed
        self._levels = levels
        self._liquidity = 1.0
        self._volatility = volatility_bps / 10_000
        self._tick_lot = float(symbol.tick * symbol.step)
        self._book = MatchingBook()
        self._sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})  # lots by ticks: bids, asks
        self._quotes: dict[int, _Quote] = {}
        self._ladder: dict[tuple[int, int], _Quote] = {}  # by (sign, rung)
        self._climbed: dict[int, int] = {}  # nearest rung of a whole ladder, by sign
        self._touch: dict[int, _Quote] = {}  # by sign
        self._own: dict[int, tuple[int, int]] = {}  # account's resting orders: (sign, ticks)
        self._next_quote_id = 1
        self._bid = 0  # best bid the ladder was last drawn around
        self._mid = float(symbol.nearest_ticks(symbol.start_price))
        self._mark_ticks = self._mid
        self._last_ticks = round(self._mid)
        self._rung = max(2, round(self._mid * LADDER_STEP_FRACTION))
        self._target: tuple[float, float] | None = None  # (mid in ticks, seconds left)
        self._settling_s = 0.0  # market time left until the mark has followed a drift
        self._stepped_ns: int | None = None
        self._requote()
        self.feed.trades.clear()

    @property
    def mark(self) -> Decimal:
        return self.symbol.tick * round(self._mark_ticks * 1000) / 1000

    @property
    def last(self) -> Decimal:
        return self.symbol.price(self._last_ticks)

    @property
    def restless(self) -> bool:
        return self._target is not None or self._settling_s > 0

    def steer(self, target: Decimal, seconds: float) -> None:
        """Drifts the mid to a price within so many seconds of market time; the walk goes on from there."""
        self._target = (float(target / self.symbol.tick), max(seconds, 1e-9))
        self._settling_s = 10 * MARK_TIME_CONSTANT_S

    def thin_out(self, liquidity: float) -> None:
        """Quote only this fraction of the usual sizes from now on; 1 is usual."""
        self._liquidity = liquidity
        for quote in list(self._quotes.values()):
            self._cancel(quote)
        self._touch.clear()
        self._requote()

    def best(self) -> tuple[Level | None, Level | None]:
        bid, ask = self._book.best()
        return (
            None if bid is None else (bid, self._sizes[0][bid]),
            None if ask is None else (ask, self._sizes[1][ask]),
        )

    def levels(self, sign: int, limit: int) -> list[Level]:
        return self._book.depth(1 if sign > 0 else -1, limit)

    def depth(self, limit: int) -> Depth:
        return Depth(self.feed.snapshot_id(), self.levels(1, limit), self.levels(-1, limit))

    def take(self, sign: int, lots: int, limit_ticks: int | None) -> list[Level]:
        return self._market_order(_ACCOUNT, sign, lots, limit_ticks)

    def rest(self, order_id: int, sign: int, ticks: int, lots: int) -> None:
        self._own[order_id] = (sign, ticks)
        resting = self._limit_order(order_id, _ACCOUNT, sign, ticks, lots)
        assert resting == lots, f"order {order_id} was to rest at {ticks} but would take"

    def remove(self, order_id: int) -> int:
        place = self._own.pop(order_id, None)
        lots = self._book.cancel(order_id)
        if place is None or lots is None:
            return 0
        self._resize(*place, -lots)
        return lots

    def step(self, now_ns: int) -> None:
        """One step of the walk. Time beyond LONGEST_STEP_S since the last step (nobody was watching) is skipped."""
        elapsed = 0.0 if self._stepped_ns is None else (now_ns - self._stepped_ns) / 1e9
        self._stepped_ns = now_ns
        self.advance(min(elapsed, LONGEST_STEP_S) * self._speed)

    def advance(self, seconds: float) -> None:
        """Moves the market on by so much market time."""
        if seconds <= 0:
            return
        self._walk(seconds)
        self._requote()
        if self._rng.random() < FLOW_PER_SECOND * seconds:
            self._flow()
        self._mark_ticks += (self._mid - self._mark_ticks) * (1 - math.exp(-seconds / MARK_TIME_CONSTANT_S))

    def _walk(self, seconds: float) -> None:
        self._mid *= 1 + self._rng.gauss(0, self._volatility * math.sqrt(seconds))
        if self._target is not None:
            target, left = self._target
            self._mid += (target - self._mid) * min(1.0, seconds / left)
            self._target = (target, left - seconds) if left > seconds else None
        else:
            self._settling_s = max(0.0, self._settling_s - seconds)
        self._mid = max(self._mid, float(self._rung * 2))

    def _requote(self) -> None:
        bid = math.floor(self._mid)
        ask = bid + 1
        if bid != self._bid:
            self._bid = bid
            self._withdraw_crossing(bid, ask)
        if self._own:
            self._sweep(-1, ask)
            self._sweep(1, bid)
        for sign, ticks in ((1, bid), (-1, ask)):
            quote = self._touch.get(sign)
            if quote is None or quote.ticks != ticks or quote.lots <= 0:
                if quote is not None:
                    self._cancel(quote)
                self._touch[sign] = self._quote(sign, ticks, self._size(TOUCH_NOTIONAL))
        self._climb(1, (bid - 1) // self._rung)
        self._climb(-1, -((-ask - 1) // self._rung))

    def _withdraw_crossing(self, bid: int, ask: int) -> None:
        """Takes away the quotes that the new best prices would hit."""
        quotes = self._quotes.values()
        for quote in [quote for quote in quotes if (quote.ticks >= ask if quote.sign > 0 else quote.ticks <= bid)]:
            self._cancel(quote)

    def _sweep(self, sign: int, ticks: int) -> None:
        """Trades the account's orders out of the way of the moving mid: a taker of `sign` down or up to `ticks`."""
        in_way = [
            order_id
            for order_id, (own_sign, own_ticks) in self._own.items()
            if own_sign == -sign and ((own_ticks >= ticks) if own_sign > 0 else (own_ticks <= ticks))
        ]
        lots = sum(resting[2] for resting in map(self._book.order, in_way) if resting is not None)
        if lots:
            self._market_order(_LADDER, sign, lots, ticks)

    def _climb(self, sign: int, nearest: int) -> None:
        """Keeps the ladder's rungs of one side: `levels` of them from the nearest outwards."""
        if self._climbed.get(sign) == nearest:
            return
        self._climbed[sign] = nearest
        wanted = range(nearest, nearest - sign * self._levels, -sign)
        for key in [key for key in self._ladder if key[0] == sign and key[1] not in wanted]:
            self._cancel(self._ladder[key])
        for rung in wanted:
            if rung > 0 and (sign, rung) not in self._ladder:
                self._ladder[sign, rung] = self._quote(sign, rung * self._rung, self._size(LEVEL_NOTIONAL))

    def _flow(self) -> None:
        """A small taker; now and then a larger one."""
        sign = 1 if self._rng.random() < 0.5 else -1
        self._market_order(_LADDER, sign, self._size(FLOW_NOTIONAL * (10 if self._rng.random() < 0.05 else 1)), None)

    def _size(self, notional: int) -> int:
        usual = notional / (self._tick_lot * self._mid)
        return max(1, round(usual * self._liquidity * self._rng.uniform(0.3, 1.7)))

    def _quote(self, sign: int, ticks: int, lots: int) -> _Quote:
        quote = _Quote(self._next_quote_id, sign, ticks, lots)
        self._next_quote_id += 1
        self._quotes[quote.order_id] = quote
        quote.lots = self._limit_order(quote.order_id, _LADDER, sign, ticks, lots)
        if not quote.lots:
            self._quotes.pop(quote.order_id, None)
        return quote

    def _cancel(self, quote: _Quote) -> None:
        lots = self._book.cancel(quote.order_id)
        if lots is not None:
            self._resize(quote.sign, quote.ticks, -lots)
        self._drop(quote)

    def _drop(self, quote: _Quote) -> None:
        quote.lots = 0
        self._quotes.pop(quote.order_id, None)
        key = (quote.sign, quote.ticks // self._rung)
        if self._ladder.get(key) is quote:
            del self._ladder[key]
            self._climbed.pop(quote.sign, None)

    def _limit_order(self, order_id: int, owner: int, sign: int, ticks: int, lots: int) -> int:
        fills, resting, _ = self._book.limit(order_id, owner, 1 if sign > 0 else -1, ticks, lots)
        for fill in fills:
            self._traded(sign, *fill)
        if resting:
            self._resize(sign, ticks, resting)
        return resting

    def _market_order(self, owner: int, sign: int, lots: int, limit_ticks: int | None) -> list[Level]:
        order_id, self._next_quote_id = self._next_quote_id, self._next_quote_id + 1
        fills, _ = self._book.market(order_id, owner, 1 if sign > 0 else -1, lots, limit_ticks)
        for fill in fills:
            self._traded(sign, *fill)
        return [(ticks, size) for _, _, ticks, size in fills]

    def _traded(self, sign: int, maker_id: int, maker: int, ticks: int, lots: int) -> None:
        self._resize(-sign, ticks, -lots)
        self._last_ticks = ticks
        self.feed.trade(ticks, lots, seller_took=sign < 0)
        if maker == _ACCOUNT:
            self.maker_fills.append(MakerFill(maker_id, lots))
            if self._book.order(maker_id) is None:
                self._own.pop(maker_id, None)
            return
        quote = self._quotes[maker_id]
        quote.lots -= lots
        if quote.lots <= 0:
            self._drop(quote)

    def _resize(self, sign: int, ticks: int, change: int) -> None:
        sizes = self._sizes[0 if sign > 0 else 1]
        lots = sizes.get(ticks, 0) + change
        if lots > 0:
            sizes[ticks] = lots
        else:
            sizes.pop(ticks, None)
        self.feed.level(sign, ticks, max(lots, 0))

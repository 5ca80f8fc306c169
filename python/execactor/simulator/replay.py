"""A replayed market: the recorded book and tape of one symbol, with the account's orders beside them.

The recording never notices the account:
- a taking order gets the levels of the recorded book as they stand. It consumes nothing, so two orders in a row get
  the same levels;
- a resting order fills at its own price when the recording trades strictly through it, up to the traded size, older
  orders at better prices first, or when the opposite best reaches it, up to the size there.
Own orders do not show in the published depth. When the recording ends the book stands still, or with `loop` the
capture starts over: update ids go on upwards with a gap, so that a client sees it has to fetch a snapshot again.
"""

import math
from collections import deque
from decimal import Decimal
from typing import Any

from execactor._core import Book
from execactor.simulator import capture
from execactor.simulator.account import cents
from execactor.simulator.capture import Message
from execactor.simulator.feed import Level
from execactor.simulator.market import Depth, MakerFill, Market
from execactor.simulator.symbols import Symbol

MARK_TIME_CONSTANT_S = 1.0


class ReplayMarket(Market):
    """See the module. files: captures joined by '+'. Raises ValueError when there is no snapshot that syncs."""

    def __init__(self, symbol: Symbol, files: str, *, speed: float, loop: bool) -> None:
        super().__init__(symbol, first_update_id=0)
        self._files = files
        self._speed = speed
        self._loop = loop
        self._own: dict[int, list[int]] = {}  # account's resting orders: [sign, ticks, lots]
        self._marked = False
        self._id_offset = 0
        self._started_ns: int | None = None
        self._rewind()

    @property
    def mark(self) -> Decimal:
        return cents(self._mark)

    @property
    def last(self) -> Decimal:
        return self.symbol.price(self._last_ticks)

    @property
    def restless(self) -> bool:
        return bool(self._ahead)

    def best(self) -> tuple[Level | None, Level | None]:
        """The recorded bookTicker, which runs ahead of the depth."""
        return self._ticker

    def levels(self, sign: int, limit: int) -> list[Level]:
        return self._book.bids(limit) if sign > 0 else self._book.asks(limit)

    def depth(self, limit: int) -> Depth:
        """The rebuilt book. Its id is the first one of the next recorded event, so that a client syncs with it even
        when it heard no event before: quantities are absolute, nothing between the two ids is missing."""
        last_id = self._depth_ids[0] if self._depth_ids else self._book.last_update_id
        return Depth(last_id + self._id_offset, self.levels(1, limit), self.levels(-1, limit))

    def take(self, sign: int, lots: int, limit_ticks: int | None) -> list[Level]:
        taken: list[Level] = []
        for ticks, size in self.levels(-sign, 1000):
            if lots <= 0 or (limit_ticks is not None and (ticks - limit_ticks) * sign > 0):
                break
            taken.append((ticks, min(size, lots)))
            lots -= size
        return taken

    def rest(self, order_id: int, sign: int, ticks: int, lots: int) -> None:
        self._own[order_id] = [sign, ticks, lots]

    def remove(self, order_id: int) -> int:
        own = self._own.pop(order_id, None)
        return 0 if own is None else own[2]

    def step(self, now_ns: int) -> None:
        """Plays what is due: `speed` recorded seconds to one of the venue's."""
        if self._started_ns is None:
            self._started_ns = now_ns
        played_ns = int((now_ns - self._started_ns) * self._speed)
        while self._ahead and self._ahead[0].time_ns - self._first_ns <= played_ns:
            message = self._ahead.popleft()
            if message.is_depth:
                self._depth_ids.popleft()
            self._read_ahead()
            self._play(message)
        if not self._ahead and self._loop:
            self._id_offset += self._book.last_update_id - self._first_id
            self._rewind()
            self._started_ns = now_ns

    def _rewind(self) -> None:
        """Starts the recording and reads on to the first moment at which the book is whole."""
        self._book = Book(str(self.symbol.tick), str(self.symbol.step))
        self._messages = capture.read(self._files)
        self._ahead: deque[Message] = deque()
        self._depth_ids: deque[int] = deque()  # first ids of the depth events in `_ahead`
        for message in self._messages:
            if message.is_snapshot:
                self._book.apply_snapshot_json(message.raw)
            elif message.is_depth:
                self._book.apply_json(message.raw)
            self._first_ns = message.time_ns
            if self._book.state == "live":
                break
        else:
            raise ValueError(f"{self._files} holds no depth snapshot that fits its updates")
        bbo = self._book.bbo()
        if bbo is None:
            raise ValueError(f"{self._files}: the first snapshot has an empty side")
        self._ticker: tuple[Level, Level] = ((bbo[0], bbo[1]), (bbo[2], bbo[3]))
        self._last_ticks = bbo[0]
        self._mark = self._mid()
        self._marked_ns = self._first_ns
        self._first_id = self._book.last_update_id
        self.feed.update_id = self._first_id + self._id_offset
        self._read_ahead()

    def _read_ahead(self) -> None:
        """Reads on until the next depth event, whose first id a snapshot needs, or to the end."""
        while not self._depth_ids and (message := next(self._messages, None)) is not None:
            self._ahead.append(message)
            if message.is_depth:
                self._depth_ids.append(int(message.event["U"]))

    def _play(self, message: Message) -> None:
        event = message.event
        match event.get("e"):
            case "depthUpdate":
                self._play_depth(message.raw, event)
            case "bookTicker":
                self._ticker = (self._level(event["b"], event["B"]), self._level(event["a"], event["A"]))
                self.feed.update_id = int(event["u"]) + self._id_offset
                self._cross()
                if not self._marked:
                    self._follow_mid(message.time_ns)
            case "trade":
                self._play_trade(event)
            case "markPriceUpdate":
                self._marked = True
                self._mark = Decimal(event["p"])
            case _:
                return

    def _play_depth(self, raw: bytes, event: dict[str, Any]) -> None:
        self._book.apply_json(raw)
        ids = {name: int(event[name]) + self._id_offset for name in ("U", "u", "pu")}
        self.feed.ready.append({**event, **ids, "ps": self.symbol.name, "st": 1})
        self._cross()

    def _play_trade(self, event: dict[str, Any]) -> None:
        ticks, lots = self._level(event["p"], event["q"])
        seller_took = bool(event["m"])
        self._last_ticks = ticks
        self.feed.trade(ticks, lots, seller_took=seller_took)
        sign = 1 if seller_took else -1  # the side that rested
        for order_id, own in self._in_priority(sign):
            if lots <= 0 or (own[1] - ticks) * sign <= 0:
                return
            lots -= self._fill(order_id, own, lots)

    def _cross(self) -> None:
        """Fills own orders that the opposite best has reached."""
        if not self._own:
            return
        for sign in (1, -1):
            ticks, lots = self._ticker[1 if sign > 0 else 0]
            for order_id, own in self._in_priority(sign):
                if lots <= 0 or (own[1] - ticks) * sign < 0:
                    break
                lots -= self._fill(order_id, own, lots)

    def _fill(self, order_id: int, own: list[int], lots: int) -> int:
        filled = min(own[2], lots)
        own[2] -= filled
        if not own[2]:
            del self._own[order_id]
        self.maker_fills.append(MakerFill(order_id, filled))
        return filled

    def _in_priority(self, sign: int) -> list[tuple[int, list[int]]]:
        """Own orders of one side, best price first, then oldest."""
        side = [(order_id, own) for order_id, own in self._own.items() if own[0] == sign]
        return sorted(side, key=lambda entry: (-entry[1][1] * sign, entry[0]))

    def _follow_mid(self, time_ns: int) -> None:
        """Without a recorded mark price, the mark is an exponential average of the mid."""
        seconds = max(0.0, (time_ns - self._marked_ns) / 1e9)
        self._marked_ns = time_ns
        weight = Decimal(round(1_000_000 * (1 - math.exp(-seconds / MARK_TIME_CONSTANT_S)))) / 1_000_000
        self._mark += (self._mid() - self._mark) * weight

    def _mid(self) -> Decimal:
        bid, ask = self._ticker
        return self.symbol.price(bid[0] + ask[0]) / 2

    def _level(self, price: str, quantity: str) -> Level:
        return int(Decimal(price) / self.symbol.tick), int(Decimal(quantity) / self.symbol.step)

"""The market of one symbol, as the exchange sees it: something to take from, to rest in, and with a mark price."""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import NamedTuple

from execactor.simulator.feed import Feed, Level
from execactor.simulator.symbols import Symbol


class MakerFill(NamedTuple):
    """An execution of one of the account's resting orders, at its own price."""

    order_id: int
    lots: int


class Depth(NamedTuple):
    """Best levels first. last_update_id: fits the depth streams of the same market."""

    last_update_id: int
    bids: list[Level]
    asks: list[Level]


class Market(ABC):
    """One symbol's market. Signs: +1 buy, -1 sell; prices in ticks, sizes in lots.

    Executions of the account's resting orders gather in `maker_fills` until the exchange collects them.
    """

    def __init__(self, symbol: Symbol, first_update_id: int) -> None:
        self.symbol = symbol
        self.feed = Feed(symbol, first_update_id)
        self.maker_fills: list[MakerFill] = []

    @property
    @abstractmethod
    def mark(self) -> Decimal:
        """Mark price in USDT, 8 decimals at most."""

    @property
    @abstractmethod
    def last(self) -> Decimal:
        """Price of the last trade in USDT."""

    @property
    @abstractmethod
    def restless(self) -> bool:
        """Whether it has to move although nobody watches: a capture that plays, a drift that was ordered."""

    @abstractmethod
    def best(self) -> tuple[Level | None, Level | None]:
        """Best bid and ask with their sizes."""

    @abstractmethod
    def levels(self, sign: int, limit: int) -> list[Level]:
        """Up to `limit` levels of one side (+1: bids), best first."""

    @abstractmethod
    def take(self, sign: int, lots: int, limit_ticks: int | None) -> list[Level]:
        """Matches an order of the account at once, at any price or no worse than the limit; returns the executions."""

    @abstractmethod
    def rest(self, order_id: int, sign: int, ticks: int, lots: int) -> None:
        """Lets an order of the account rest. The caller took what it could reach before."""

    @abstractmethod
    def remove(self, order_id: int) -> int:
        """Takes a resting order of the account away; returns the lots it had left, 0 when it does not rest."""

    @abstractmethod
    def depth(self, limit: int) -> Depth:
        """A snapshot consistent with the depth streams."""

    @abstractmethod
    def step(self, now_ns: int) -> None:
        """Moves the market on to this time."""

    def crosses(self, sign: int, ticks: int) -> bool:
        """Whether a limit order would take at once."""
        bid, ask = self.best()
        opposite = ask if sign > 0 else bid
        return opposite is not None and (opposite[0] <= ticks if sign > 0 else opposite[0] >= ticks)

    def reachable(self, sign: int, lots: int, limit_ticks: int | None) -> tuple[int, int | None]:
        """(lots an order would get at once, the worst price it would reach)."""
        got, worst = 0, None
        for ticks, size in self.levels(-sign, 1000):
            beyond = limit_ticks is not None and (ticks > limit_ticks if sign > 0 else ticks < limit_ticks)
            if beyond or got >= lots:
                break
            got += size
            worst = ticks
        return min(got, lots), worst

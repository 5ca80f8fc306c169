"""The way of one trade: a decision, and a market that is steered to its targets, its stop, or back."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum, auto

import msgspec
from kill_stage import LOOK_S, KillStage, until

from execactor.domain.side import Side
from execactor.service.demo import decisions
from execactor.service.demo.decisions import Distances, Fed

PROTECTED = frozenset({"sl", "tp1", "tp2"})
PATIENCE_S = 4.0
STEER_S = 0.4
MARK_BPS = 4

ENTRY, BEYOND_TP1, BEYOND_TP2, BEYOND_STOP, BACK = map(Decimal, (-14, 46, 90, -70, -12))
"""Where the market is steered: basis points from the price at the decision, on the way of a gain."""


class Course(Enum):
    """Where the market goes once the trade stands."""

    TARGETS = auto()
    """To the first target, then to the second."""
    STOPPED = auto()
    """To the stop."""
    TURNED_BACK = auto()
    """To the first target, then back to the entry, where the tightened stop is."""
    FLAT = auto()
    """Nowhere: a flat decision ends the trade."""
    NEVER_ENTERED = auto()
    """Away: the entry rests until a flat decision."""


FILLED: Mapping[Course, frozenset[str]] = {
    Course.TARGETS: frozenset({"entry", "tp1", "tp2"}),
    Course.STOPPED: frozenset({"entry", "sl"}),
    Course.TURNED_BACK: frozenset({"entry", "tp1"}),
    Course.FLAT: frozenset({"entry", "exit"}),
    Course.NEVER_ENTERED: frozenset(),
}
"""Roles that fill on each course whenever the engine is killed, if the market waits for it and nothing else fails."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """What is played. resting: the entry waits for the market to come. parts: in so many pieces it is filled.

    meanwhile: the market goes on while the engine is dead; otherwise it waits for it.
    """

    side: Side
    course: Course
    resting: bool = False
    parts: int = 0
    meanwhile: bool = False


class Player:
    """Plays one trade; what is waited for before each move is given up after PATIENCE_S, so that the market goes on."""

    def __init__(self, stage: KillStage, trade: Trade, key: str) -> None:
        self.stage = stage
        self.trade = trade
        self.key = key
        self.fed = self._decision()
        self._fills_before = len(stage.exchange.trades)

    async def play(self) -> None:
        """From the decision to the last move of the market."""
        trade, stage = self.trade, self.stage
        if trade.parts:
            await stage.fault("partial_fills", role="entry", parts=trade.parts, gap_ms=400)
        await stage.feed(self.fed)
        if trade.resting or trade.course is Course.NEVER_ENTERED:
            await self._once(lambda: "entry" in self._open())
        if trade.course is Course.NEVER_ENTERED:
            await stage.feed_flat(f"{self.key}flat")
            return
        if trade.resting:
            await self._steer(ENTRY)
        await self._once(lambda: self._open() >= PROTECTED and not self._entering())
        match trade.course:
            case Course.STOPPED:
                await self.lose()
            case Course.FLAT:
                await stage.feed_flat(f"{self.key}flat")
            case Course.TARGETS | Course.TURNED_BACK:
                await self._steer(BEYOND_TP1)
                await self._once(lambda: "slt" in self._open())
                await self._steer(BEYOND_TP2 if trade.course is Course.TARGETS else BACK)

    def _decision(self) -> Fed:
        rests = self.trade.resting or self.trade.course is Course.NEVER_ENTERED
        far = Distances(reach=Decimal(-10 if rests else 6), stop=Decimal(60), tp1=Decimal(40), tp2=Decimal(80))
        symbol = self.stage.exchange.markets[self.stage.symbol].symbol
        return decisions.entry(self.key, symbol, self.trade.side, self.stage.price, far)

    async def lose(self) -> None:
        """Take the market to the stop."""
        await self._steer(BEYOND_STOP)

    async def _steer(self, bps: Decimal) -> None:
        """Move the market, and wait until the mark price is there, or less than MARK_BPS before."""
        stage, target = self.stage, self.fed.away(bps)
        market = stage.exchange.markets[stage.symbol]
        near = target * MARK_BPS / 10_000
        upwards = target > market.mark
        stage.venue.steer(stage.symbol, target, STEER_S)
        there = (lambda: market.mark > target - near) if upwards else (lambda: market.mark < target + near)
        await until(lambda: there() or self._over(), "the market does not move", within_s=10)

    async def _once(self, true: Callable[[], bool]) -> None:
        """Wait until it is true, or the trade is over, or the market goes on without the engine, or patience ends."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + PATIENCE_S
        while clock() < deadline and not true() and not self._over():
            if self._engine_away():
                if self.trade.meanwhile:
                    return
                deadline = clock() + PATIENCE_S
            await asyncio.sleep(LOOK_S)

    def _engine_away(self) -> bool:
        """Between its death and its being ready again."""
        return not self.stage.engine.running or len(self.stage.states) < len(self.stage.engines)

    def _over(self) -> bool:
        exchange = self.stage.exchange
        return len(exchange.trades) > self._fills_before and not self.stage.held and not self._entering()

    def _entering(self) -> bool:
        return "entry" in self._open()

    def _open(self) -> frozenset[str]:
        """Roles of our open orders of both kinds at the venue."""
        exchange = self.stage.exchange
        orders = [order.client_id for order in exchange.orders.open(self.stage.symbol)]
        algos = [algo.client_id for algo in exchange.conditional.algos.open()]
        return frozenset(client_id.split("_")[1] for client_id in orders + algos)

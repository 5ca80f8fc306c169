"""Polls: what the venue states of positions, asked for every second, so that a fill that no event told is noticed."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from execactor.actors.context import Context
from execactor.domain.account import VenuePosition
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.reconciliation import RequestReconcile, VenuePositionSeen
from execactor.reconcile.cadence import slowdown
from execactor.reconcile.compare import LISTING_LAG_NS
from execactor.runtime import Timers

logger = logging.getLogger(__name__)

IDLE_FACTOR = 10
"""While nothing of ours lives there is no fill to miss: only another hand could change a position."""

MARK_STALE_NS = 2_000_000_000
_NS_PER_MS = 1_000_000
_NOTHING = Decimal(0)

Pipe = Callable[[Awaitable[Any], Callable[[Any], Any], Callable[[BaseException], Any]], object]


class PollPositions(msgspec.Struct, frozen=True):
    """Time to ask for the positions."""


class PositionsCame(msgspec.Struct, frozen=True):
    """The venue's positions; None: it did not answer."""

    positions: tuple[VenuePosition, ...] | None


class PositionPoll:
    """The poll of one account. timers and pipe are its actor's; one question is under way at a time."""

    def __init__(self, context: Context, timers: Callable[[], Timers], pipe: Pipe) -> None:
        self._context = context
        self._timers = timers
        self._pipe = pipe
        self._asking = False
        self._asked_ns = 0
        self._slowed = 1
        self._strangers: frozenset[str] = frozenset()

    def start(self) -> None:
        """Ask from now on."""
        self._asking = False
        self._wait()

    def ask(self) -> None:
        """One question, unless the last one is still open; and the next one after the pause."""
        self._wait()
        context = self._context
        now_ns = context.clock.monotonic_ns()
        idle = not context.busy and now_ns - self._asked_ns < context.settings.position_poll_ns * IDLE_FACTOR
        if self._asking or idle or not context.acting:
            return
        self._asking, self._asked_ns = True, now_ns
        self._pipe(
            context.venue.positions(),
            lambda positions: PositionsCame(tuple(positions)),
            lambda _error: PositionsCame(None),
        )

    def came(self, positions: Sequence[VenuePosition] | None) -> None:
        """Tell each symbol what the venue states of it; what differs for long is looked into there."""
        self._asking = False
        if positions is None:
            return
        context = self._context
        for position in positions:
            if position.symbol in context.positions:
                tell_mark(context, position)
                if position.update_time_ms >= context.last_trade_ms.get(position.symbol, 0):
                    context.positions[position.symbol].tell(VenuePositionSeen(quantity=position.quantity))
        for symbol in context.busy - {position.symbol for position in positions}:
            if self._listings_show_the_last_trade(symbol):
                context.positions[symbol].tell(VenuePositionSeen(quantity=_NOTHING))
        self._look_at_strangers(positions)

    def _wait(self) -> None:
        context = self._context
        factor = slowdown(context.venue.load())
        if factor != self._slowed:
            self._slowed = factor
            self._tell_pace(factor)
        self._timers().once("position poll", context.settings.position_poll_ns * factor, PollPositions())

    def _tell_pace(self, factor: int) -> None:
        if factor == 1:
            logger.info("positions are polled at the configured pace again")
            return
        text = f"the venue's request budget is short: positions are polled {factor} times less often"
        self._context.alert.tell(Alert(level=AlertLevel.WARNING, code="POLL_SLOWED", text=text))

    def _listings_show_the_last_trade(self, symbol: str) -> bool:
        return self._context.venue_ms - self._context.last_trade_ms.get(symbol, 0) > LISTING_LAG_NS // _NS_PER_MS

    def _look_at_strangers(self, positions: Sequence[VenuePosition]) -> None:
        ours = self._context.positions
        strangers = frozenset(p.symbol for p in positions if p.quantity and p.symbol not in ours)
        news, self._strangers = strangers - self._strangers, strangers
        if news:
            reason = f"a position in {', '.join(sorted(news))}, which this engine does not trade"
            self._context.reconciler.tell(RequestReconcile(reason=reason))


def tell_mark(context: Context, position: VenuePosition) -> None:
    """Let the mark price of a listing stand in where the market stream has told none for long."""
    silent_ns = context.clock.monotonic_ns() - context.marked_ns.get(position.symbol, -MARK_STALE_NS)
    if position.mark_price > 0 and silent_ns >= MARK_STALE_NS:
        price = position.mark_price
        mark = MarkUpdate(symbol=position.symbol, price=price, low=price, high=price)
        context.positions[position.symbol].tell(mark)
        context.risk.tell(mark)

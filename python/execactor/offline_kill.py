"""The kill sequence without an engine: straight at the venue, for when the trading process does not answer.

The same order as the engine's own (ARCHITECTURE section 4): marker, entries, take-profits, positions, flat confirmed
twice, stops last. Every step asks the venue what is there; nothing is remembered from before. Orders that do not
carry our prefix are never touched.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.errors import RetryLater
from execactor.domain.ids import client_order_id, parse
from execactor.domain.instrument import Instrument
from execactor.domain.order import OrderIntent, OrderType, RejectCause, Role, TimeInForce
from execactor.domain.reports import (
    Acknowledged,
    ConditionalReport,
    NotFound,
    OrderReport,
    Rejected,
    SubmitResult,
)
from execactor.domain.side import Side
from execactor.runtime import Clock
from execactor.store.lock import HALT_MARKER
from execactor.venues.port import OrderRef, Venue

logger = logging.getLogger(__name__)

CONFIRM_NS = 2_000_000_000
LATE_ENTRY_MARGIN_NS = 1_000_000_000
LOOK_AGAIN_S = 0.5
_COLLAR = Decimal("0.005")
_STOPS = (Role.STOP, Role.TIGHTENED_STOP)

Pause = Callable[[float], Awaitable[None]]
Resting = OrderReport | ConditionalReport


class OfflineKill(msgspec.Struct, kw_only=True):
    """What an offline kill did. cancelled: client ids; closed: symbols that were open; flat: confirmed twice.

    problems: what did not work, in sentences; some may have healed in a later round.
    """

    cancelled: list[str] = []
    closed: list[str] = []
    problems: list[str] = []
    flat: bool = False


def leave_marker(data_dir: Path, reason: str) -> None:
    """Write the HALT marker: an engine that starts later stays off until a person resumes."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker = data_dir / HALT_MARKER
    marker.touch(mode=0o600)
    marker.write_text(f"offline kill: {reason}\n", encoding="utf-8")


class OfflineKiller:
    """One run of the sequence. Leave the marker first (`leave_marker`); the venue needs no `connect`.

    symbols: whose positions are closed and whose orders are cancelled. pause: sleeps so many seconds.
    """

    def __init__(
        self, venue: Venue, clock: Clock, symbols: tuple[str, ...], prefix: str, pause: Pause = asyncio.sleep
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._symbols = symbols
        self._prefix = prefix
        self._pause = pause
        self._done = OfflineKill()
        self._keys = _fresh_keys(clock)

    async def run(self, timeout_s: float) -> OfflineKill:
        """Go on until the account is flat twice, 2 s apart, or the time is over. Raises VenueFatal."""
        began_ns = self._clock.monotonic_ns()
        # An entry that was on its way when the engine died may still arrive within the venue's receive window.
        window_ns = self._venue.capabilities.receive_window_ms * 1_000_000 + LATE_ENTRY_MARGIN_NS
        first_flat_ns = 0
        while (now_ns := self._clock.monotonic_ns()) - began_ns < timeout_s * 1e9:
            clear = await self._round()
            if not clear:
                first_flat_ns = 0
            elif now_ns - began_ns >= window_ns and not first_flat_ns:
                first_flat_ns = now_ns
            elif first_flat_ns and now_ns - first_flat_ns >= CONFIRM_NS:
                self._done.flat = True
                await self._cancel_stops()
                return self._done
            await self._pause(LOOK_AGAIN_S)
        self._done.problems.append(f"not confirmed flat within {timeout_s:g} s; stops were left in place")
        return self._done

    async def _round(self) -> bool:
        """Look, cancel entries and take-profits, close what is open; whether there was nothing to do."""
        snapshot = await self._look()
        if snapshot is None:
            return False
        waiting = [report for report in self._ours(snapshot) if self._role(report) not in _STOPS]
        open_now = [p for p in snapshot.positions if p.symbol in self._symbols and p.quantity]
        await asyncio.gather(*(self._cancel(report) for report in waiting))
        if open_now:
            instruments = await self._instruments()
            for position in open_now:
                if position.symbol in instruments:
                    await self._close(position, instruments[position.symbol])
        return not waiting and not open_now

    async def _look(self) -> VenueSnapshot | None:
        try:
            return await self._venue.snapshot(self._symbols, {})
        except RetryLater as error:
            self._problem(f"the venue does not answer: {error}")
            return None

    async def _instruments(self) -> dict[str, Instrument]:
        try:
            return dict(await self._venue.instruments())
        except RetryLater as error:
            self._problem(f"the venue does not tell its trading rules: {error}")
            return {}

    def _ours(self, snapshot: VenueSnapshot) -> Iterator[Resting]:
        for report in snapshot.listed:
            if report.symbol in self._symbols and parse(self._prefix, report.client_id) is not None:
                yield report

    def _role(self, report: Resting) -> Role:
        parsed = parse(self._prefix, report.client_id)
        assert parsed is not None
        return parsed.role

    async def _cancel(self, report: Resting) -> None:
        result = await self._venue.cancel(
            OrderRef(
                symbol=report.symbol,
                client_id=report.client_id,
                conditional=isinstance(report, ConditionalReport),
                venue_id=report.venue_id,
            )
        )
        if isinstance(result, Acknowledged):
            logger.warning("cancelled %s", report.client_id)
            self._done.cancelled.append(report.client_id)
        elif not isinstance(result, NotFound):  # what it filled instead shows in the next round
            self._problem(f"{report.client_id} could not be cancelled: {result.reason}")

    async def _close(self, position: VenuePosition, instrument: Instrument) -> None:
        if position.symbol not in self._done.closed:
            self._done.closed.append(position.symbol)
        side = Side.SELL if position.quantity > 0 else Side.BUY
        for chunk in instrument.market_chunks(abs(position.quantity)):
            result = await self._exit(position, instrument, side, chunk, OrderType.MARKET)
            if isinstance(result, Rejected) and result.cause is RejectCause.THIN_BOOK:
                result = await self._exit(position, instrument, side, chunk, OrderType.LIMIT)
            if isinstance(result, Acknowledged):
                logger.warning("closing %s: %s %s", position.symbol, side, chunk)
            else:
                self._problem(f"{position.symbol}: {side} {chunk} was not accepted: {result.reason}")
                return

    async def _exit(
        self, position: VenuePosition, instrument: Instrument, side: Side, quantity: Decimal, order_type: OrderType
    ) -> SubmitResult:
        key = next(self._keys)
        limit = order_type is OrderType.LIMIT
        collar = instrument.price_passive(position.mark_price * (1 + side.sign * _COLLAR), side)
        intent = OrderIntent(
            client_id=client_order_id(self._prefix, Role.EXIT, key),
            decision_key=key,
            role=Role.EXIT,
            symbol=position.symbol,
            side=side,
            type=order_type,
            quantity=quantity,
            price=collar if limit else None,
            time_in_force=TimeInForce.IOC if limit else TimeInForce.GTC,
            reduce_only=True,
        )
        return await self._venue.submit(intent, lambda: None)

    async def _cancel_stops(self) -> None:
        snapshot = await self._look()
        if snapshot is not None:
            await asyncio.gather(*(self._cancel(report) for report in self._ours(snapshot)))

    def _problem(self, text: str) -> None:
        logger.warning(text)
        if text not in self._done.problems:
            self._done.problems.append(text)


def _fresh_keys(clock: Clock) -> Iterator[str]:
    """Decision keys made from the time, each used once: `k` and milliseconds since 1970."""
    last_ms = 0
    while True:
        last_ms = max(last_ms + 1, clock.now_ns() // 1_000_000)
        yield f"k{last_ms}"

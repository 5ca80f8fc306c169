"""Everything that the venue knows of the account: positions, orders of both kinds, wallet and trades."""

import asyncio
from collections.abc import Mapping, Sequence

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.errors import RetryLater
from execactor.domain.fill import Execution
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.venues.binance_frames import Unreadable
from execactor.venues.binance_usdm import answers, quirks
from execactor.venues.binance_usdm.encode import Params
from execactor.venues.binance_usdm.error_codes import Refusal
from execactor.venues.binance_usdm.rest import Rest
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.transport import Clock

_DAY_MS = 86_400_000
_WINDOW_MS = 7 * _DAY_MS
_PAGE = 1_000
_FEW_SYMBOLS = 10
"""Listing orders without a symbol weighs 40 and shows other hands' orders too; per symbol it weighs 1."""


class Reader:
    """Reads the account. All methods raise RetryLater when the venue does not answer, VenueFatal when it refuses."""

    def __init__(self, rest: Rest, clock: Clock, venue_clock: VenueClock, margin_asset: str) -> None:
        self._rest = rest
        self._clock = clock
        self._venue_clock = venue_clock
        self._margin_asset = margin_asset

    async def snapshot(self, symbols: Sequence[str], trades_since_ms: Mapping[str, int]) -> VenueSnapshot:
        """All questions at once. With more than 10 symbols, or none, the orders of every symbol are listed.

        Positions are always those of the whole account.
        """
        requested_ns = self._clock.monotonic_ns()
        try:
            positions, wallet, orders, conditionals, trades = await asyncio.gather(
                self._rest.call("GET", "/fapi/v3/positionRisk", weight=5),
                self._rest.call("GET", "/fapi/v3/balance", weight=5),
                self._open_orders(symbols),
                self._open_conditionals(symbols),
                self._all_trades(trades_since_ms),
            )
            return VenueSnapshot(
                positions=answers.positions(positions),
                open_orders=orders,
                conditional_orders=conditionals,
                wallet_balance=answers.wallet_balance(wallet, self._margin_asset),
                trades=trades,
                requested_ns=requested_ns,
            )
        except Refusal as refusal:
            raise refusal.as_error() from None
        except Unreadable as error:
            raise RetryLater(str(error)) from None

    async def positions(self) -> tuple[VenuePosition, ...]:
        """The positions of the whole account."""
        try:
            return answers.positions(await self._rest.call("GET", "/fapi/v3/positionRisk", weight=5))
        except Refusal as refusal:
            raise refusal.as_error() from None
        except Unreadable as error:
            raise RetryLater(str(error)) from None

    async def trades(self, symbol: str, since_ms: int) -> list[Execution]:
        """Executions in `symbol` since a venue time, oldest first; they carry no client id."""
        try:
            return await self._trades(symbol, since_ms)
        except Refusal as refusal:
            raise refusal.as_error() from None
        except Unreadable as error:
            raise RetryLater(str(error)) from None

    async def _open_orders(self, symbols: Sequence[str]) -> tuple[OrderReport, ...]:
        bodies = await self._listing("/fapi/v1/openOrders", symbols)
        return tuple(each for body in bodies for each in answers.orders(body))

    async def _open_conditionals(self, symbols: Sequence[str]) -> tuple[ConditionalReport, ...]:
        bodies = await self._listing("/fapi/v1/openAlgoOrders", symbols)
        return tuple(each for body in bodies for each in answers.conditionals(body))

    async def _listing(self, path: str, symbols: Sequence[str]) -> list[bytes]:
        if not 0 < len(symbols) <= _FEW_SYMBOLS:
            return [await self._rest.call("GET", path, weight=40)]
        return await asyncio.gather(*(self._rest.call("GET", path, {"symbol": each}, weight=1) for each in symbols))

    async def _all_trades(self, since_ms: Mapping[str, int]) -> tuple[Execution, ...]:
        by_symbol = await asyncio.gather(*(self._trades(symbol, since) for symbol, since in since_ms.items()))
        return tuple(sorted((each for trades in by_symbol for each in trades), key=lambda each: each.time_ms))

    async def _trades(self, symbol: str, since_ms: int) -> list[Execution]:
        """Window by window, and page by page within each: see quirks.py."""
        now_ms = self._venue_clock.timestamp_ms()
        start_ms = max(since_ms, now_ms - quirks.TRADE_HISTORY_DAYS * _DAY_MS)
        found: dict[str, Execution] = {}
        while start_ms <= now_ms:
            end_ms = start_ms + _WINDOW_MS
            first: Params = {"symbol": symbol, "startTime": start_ms, "limit": _PAGE}
            if end_ms < now_ms:
                first["endTime"] = end_ms
            page = await self._page(first)
            found.update((each.trade_id, each) for each in page)
            while len(page) == _PAGE:
                page = await self._page({"symbol": symbol, "fromId": int(page[-1].trade_id) + 1, "limit": _PAGE})
                found.update((each.trade_id, each) for each in page)
            start_ms = end_ms + 1
        return list(found.values())

    async def _page(self, params: Params) -> list[Execution]:
        return answers.executions(await self._rest.call("GET", "/fapi/v1/userTrades", params, weight=5))

"""The account's settings at the venue: checked and set when connecting, so that orders mean what the engine thinks."""

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from execactor.domain.errors import ConfigurationError, VenueFatal
from execactor.venues.binance_usdm import wire
from execactor.venues.binance_usdm.answers import parse
from execactor.venues.binance_usdm.encode import Params
from execactor.venues.binance_usdm.error_codes import Reaction, Refusal
from execactor.venues.binance_usdm.rest import Rest
from execactor.venues.binance_usdm.settings import BinanceSettings

_KEPT_WHILE_OPEN = frozenset({-4047, -4048, -4161})
"""Margin type and leverage that cannot be changed while orders or a position are open: those were there before us."""
_CANNOT_LEAVE_HEDGE_MODE = frozenset({-4067, -4068})
_BAD_LEVERAGE = -4028
_AT_ONCE = 10

logger = logging.getLogger(__name__)


class _PositionMode(msgspec.Struct):
    dualSidePosition: bool  # noqa: N815


_MODE = msgspec.json.Decoder(_PositionMode)
_CONFIGS = msgspec.json.Decoder(list[wire.SymbolConfig])


async def prepare(rest: Rest, settings: BinanceSettings) -> None:
    """Make the account fit the settings: one-way mode; margin type and leverage of each symbol.

    What an open position forbids to change is left as it is and logged: an engine that restarts into a position
    must be able to protect it. Raises ConfigurationError, VenueFatal or RetryLater.
    """
    try:
        await _one_way(rest)
        body = await rest.call("GET", "/fapi/v1/symbolConfig", weight=5)
        configured = {each.symbol: each for each in parse(_CONFIGS, body)}
        for start in range(0, len(settings.symbols), _AT_ONCE):
            some = settings.symbols[start : start + _AT_ONCE]
            await asyncio.gather(*(_prepare_symbol(rest, settings, symbol, configured) for symbol in some))
    except Refusal as refusal:
        raise refusal.as_error() from None


async def _one_way(rest: Rest) -> None:
    body = await rest.call("GET", "/fapi/v1/positionSide/dual", weight=30)
    if not parse(_MODE, body).dualSidePosition:
        return
    try:
        await _change(rest, "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"})
    except Refusal as refusal:
        if refusal.code in _CANNOT_LEAVE_HEDGE_MODE:
            raise VenueFatal(
                "the account is in hedge mode and has open orders or positions: close them, then switch to one-way mode"
            ) from None
        raise


async def _prepare_symbol(
    rest: Rest, settings: BinanceSettings, symbol: str, configured: Mapping[str, wire.SymbolConfig]
) -> None:
    now = configured.get(symbol)
    wanted = settings.margin_type
    if now is None or now.marginType != wanted:
        await _change_unless_open(rest, "/fapi/v1/marginType", {"symbol": symbol, "marginType": wanted.value})
    if now is None or now.leverage != settings.leverage:
        try:
            await _change_unless_open(rest, "/fapi/v1/leverage", {"symbol": symbol, "leverage": settings.leverage})
        except Refusal as refusal:
            if refusal.code == _BAD_LEVERAGE:
                fix = f"{symbol} does not allow it; choose less"
                raise ConfigurationError("leverage", settings.leverage, fix) from None
            raise


async def _change_unless_open(rest: Rest, path: str, params: Params) -> None:
    try:
        await _change(rest, path, params)
    except Refusal as refusal:
        if refusal.code not in _KEPT_WHILE_OPEN:
            raise
        logger.warning("setting kept while orders or a position are open: %s %s: %s", path, params, refusal)


async def _change(rest: Rest, path: str, params: Params) -> None:
    try:
        await rest.call("POST", path, params, weight=1)
    except Refusal as refusal:
        if refusal.rule.reaction is not Reaction.ALREADY:
            raise

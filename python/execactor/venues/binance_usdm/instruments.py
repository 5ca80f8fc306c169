"""exchangeInfo, translated into instruments. pricePrecision and quantityPrecision are never used: they are not the
tick and the step (fact sheet 3.8)."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from execactor.domain.instrument import Instrument
from execactor.venues.binance_usdm import wire
from execactor.venues.binance_usdm.answers import parse


class _Filter(msgspec.Struct):
    filterType: str  # noqa: N815
    tickSize: Decimal | None = None  # noqa: N815
    stepSize: Decimal | None = None  # noqa: N815
    minQty: Decimal | None = None  # noqa: N815
    maxQty: Decimal | None = None  # noqa: N815
    notional: Decimal | None = None


class _Symbol(msgspec.Struct):
    symbol: str
    contractType: str  # noqa: N815
    status: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[_Filter]


class ExchangeInfo(msgspec.Struct):
    """The parts of exchangeInfo that are used."""

    rateLimits: list[wire.LimitUse]  # noqa: N815
    symbols: list[_Symbol]

    def instruments(self) -> Mapping[str, Instrument]:
        """Every perpetual contract whose rules are complete."""
        found = (_instrument(each) for each in self.symbols if each.contractType == "PERPETUAL")
        return {each.symbol: each for each in found if each is not None}


_DECODER = msgspec.json.Decoder(ExchangeInfo)


def exchange_info(body: bytes) -> ExchangeInfo:
    """The venue's answer, typed. Raises Unreadable."""
    return parse(_DECODER, body)


def _instrument(listed: _Symbol) -> Instrument | None:
    filters = {each.filterType: each for each in listed.filters}
    empty = _Filter("")
    price = filters.get("PRICE_FILTER", empty)
    lot = filters.get("LOT_SIZE", empty)
    market = filters.get("MARKET_LOT_SIZE", lot)
    notional = filters.get("MIN_NOTIONAL", empty).notional
    if not price.tickSize or not lot.stepSize or lot.minQty is None or not lot.maxQty or notional is None:
        return None
    return Instrument(
        symbol=listed.symbol,
        base=listed.baseAsset,
        quote=listed.quoteAsset,
        tick_size=price.tickSize,
        step_size=lot.stepSize,
        min_quantity=lot.minQty,
        max_quantity=lot.maxQty,
        market_step_size=market.stepSize or lot.stepSize,
        market_min_quantity=market.minQty if market.minQty is not None else lot.minQty,
        market_max_quantity=market.maxQty or lot.maxQty,
        min_notional=notional,
        trading=listed.status == "TRADING",
    )

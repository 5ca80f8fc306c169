"""Contracts of the simulated venue and their filters (section 4 of the fact sheet)."""

from decimal import Decimal
from typing import Any

import msgspec

from execactor.simulator import errors


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """One perpetual contract.

    tick: price step in USDT; step: size step in base units. Prices travel inside the simulator as whole ticks and
    sizes as whole lots; `price` and `quantity` turn them back into decimals with the venue's number of places.
    start_price: where the generated market starts; min_notional: USDT; percent_price: how far from the mark a limit
    price may lie on its own wrong side (a fraction).
    """

    name: str
    base: str
    tick: Decimal
    step: Decimal
    start_price: Decimal
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1_000_000)
    max_quantity: Decimal = Decimal(100_000)
    market_max_quantity: Decimal = Decimal(10_000)
    min_notional: Decimal = Decimal(5)
    percent_price: Decimal = Decimal("0.15")
    max_leverage: int = 50
    max_open_orders: int = 200

    def price(self, ticks: int) -> Decimal:
        return self.tick * ticks

    def quantity(self, lots: int) -> Decimal:
        return self.step * lots

    def nearest_ticks(self, price: Decimal) -> int:
        return max(1, round(price / self.tick))

    def ticks(self, price: Decimal) -> int:
        """Whole ticks of a price. Raises -1111, -4013, -4002 or -4014."""
        if places(price.normalize()) > places(self.tick):
            raise errors.too_precise()
        if price < self.min_price:
            raise errors.price_below(self.min_price)
        if price > self.max_price:
            raise errors.price_above(self.max_price)
        ticks = price / self.tick
        if ticks != int(ticks):
            raise errors.off_tick()
        return int(ticks)

    def lots(self, quantity: Decimal, *, market: bool) -> int:
        """Whole lots of a size. Raises -1111, -4003, -4004, -4005 or -4023."""
        if quantity <= 0:
            raise errors.quantity_not_positive()
        if places(quantity.normalize()) > places(self.step):
            raise errors.too_precise()
        if quantity < self.step:
            raise errors.quantity_below()
        if quantity > (self.market_max_quantity if market else self.max_quantity):
            raise errors.quantity_above()
        lots = quantity / self.step
        if lots != int(lots):
            raise errors.off_step()
        return int(lots)

    def document(self) -> dict[str, Any]:
        """The element of exchangeInfo.symbols, in the shape of 2026 (no MAX_NUM_ALGO_ORDERS)."""
        return {
            "symbol": self.name,
            "pair": self.name,
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "status": "TRADING",
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": self.base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": places(self.tick),
            "quantityPrecision": places(self.step),
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": [],
            "settlePlan": 0,
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": 10000,
            "filters": self._filters(),
            "orderTypes": [
                "LIMIT",
                "MARKET",
                "STOP",
                "STOP_MARKET",
                "TAKE_PROFIT",
                "TAKE_PROFIT_MARKET",
                "TRAILING_STOP_MARKET",
            ],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }

    def _filters(self) -> list[dict[str, Any]]:
        step = str(self.step)
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(self.min_price),
                "maxPrice": str(self.max_price),
                "tickSize": str(self.tick),
            },
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": str(self.max_quantity), "stepSize": step},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": step,
                "maxQty": str(self.market_max_quantity),
                "stepSize": step,
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": self.max_open_orders},
            {"filterType": "MIN_NOTIONAL", "notional": str(self.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{1 + self.percent_price:.4f}",
                "multiplierDown": f"{1 - self.percent_price:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ]


def places(number: Decimal) -> int:
    """Decimal places as written: 0.10 has two."""
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


DEFAULT_SYMBOLS = (
    Symbol(
        name="BTCUSDT",
        base="BTC",
        tick=Decimal("0.10"),
        step=Decimal("0.001"),
        start_price=Decimal("60000.00"),
        min_price=Decimal("556.80"),
        max_price=Decimal(4_529_764),
        max_quantity=Decimal(1000),
        market_max_quantity=Decimal(120),
        percent_price=Decimal("0.05"),
        max_leverage=125,
    ),
    Symbol(
        name="ETHUSDT",
        base="ETH",
        tick=Decimal("0.01"),
        step=Decimal("0.001"),
        start_price=Decimal("3000.00"),
        min_price=Decimal("39.86"),
        max_price=Decimal(306_177),
        max_quantity=Decimal(10_000),
        market_max_quantity=Decimal(2000),
        percent_price=Decimal("0.05"),
        max_leverage=125,
    ),
    Symbol(
        name="SOLUSDT",
        base="SOL",
        tick=Decimal("0.0100"),
        step=Decimal("0.01"),
        start_price=Decimal("150.0000"),
        min_price=Decimal("0.4200"),
        max_price=Decimal(100_000),
        max_quantity=Decimal(1_000_000),
        market_max_quantity=Decimal(5000),
        max_leverage=100,
    ),
)


def synthetic_symbols(count: int) -> tuple[Symbol, ...]:
    """SYM0001USDT, SYM0002USDT, ...: made-up contracts between 5 and 500 USDT, for benches with many symbols."""
    return tuple(
        Symbol(
            name=f"SYM{number:04d}USDT",
            base=f"SYM{number:04d}",
            tick=Decimal("0.0010"),
            step=Decimal("0.1"),
            start_price=Decimal(5 + number * 37 % 496).quantize(Decimal("0.0001")),
        )
        for number in range(1, count + 1)
    )

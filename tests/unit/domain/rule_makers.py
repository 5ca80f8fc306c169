"""Makers of domain nouns for the tests of the rules: a test names only what matters to it."""

from decimal import Decimal
from typing import Any

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.order import Order, OrderIntent, OrderState, OrderType, Role
from execactor.domain.side import Side

SYMBOL = "BTCUSDT"

BTC = Instrument(
    symbol=SYMBOL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.10"),
    step_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(1000),
    market_step_size=Decimal("0.001"),
    market_min_quantity=Decimal("0.001"),
    market_max_quantity=Decimal(120),
    min_notional=Decimal(5),
)


def dec(value: Any) -> Any:
    """The exact decimal of a number or text; None stays None."""
    return None if value is None else Decimal(str(value))


def instrument(**changes: Any) -> Instrument:
    words = ("symbol", "base", "quote", "trading")
    return msgspec.structs.replace(
        BTC, **{name: value if name in words else dec(value) for name, value in changes.items()}
    )


def entry_intent(client_id: str = "capi_entry_d1", *, quantity: Any = "0.05", **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "d1",
        "role": Role.ENTRY,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": dec(quantity),
        "price": dec(90_800),
    }
    return OrderIntent(**(fields | changes))


def stop_intent(client_id: str = "capi_sl_d1", **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "d1",
        "role": Role.STOP,
        "symbol": SYMBOL,
        "side": Side.SELL,
        "type": OrderType.STOP_MARKET,
        "trigger_price": dec(89_800),
        "close_position": True,
    }
    return OrderIntent(**(fields | changes))


def target_intent(client_id: str = "capi_tp1_d1", *, quantity: Any = "0.025", **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "d1",
        "role": Role.TAKE_PROFIT_1,
        "symbol": SYMBOL,
        "side": Side.SELL,
        "type": OrderType.TAKE_PROFIT_MARKET,
        "quantity": dec(quantity),
        "trigger_price": dec(92_200),
        "reduce_only": True,
    }
    return OrderIntent(**(fields | changes))


def exit_intent(client_id: str = "capi_exit_d1", *, quantity: Any = "0.05", **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "d1",
        "role": Role.EXIT,
        "symbol": SYMBOL,
        "side": Side.SELL,
        "type": OrderType.MARKET,
        "quantity": dec(quantity),
        "reduce_only": True,
    }
    return OrderIntent(**(fields | changes))


def order(state: OrderState = OrderState.ACKNOWLEDGED, intent: OrderIntent | None = None, **changes: Any) -> Order:
    return Order(intent=intent or entry_intent(), state=state, **changes)


def execution(
    trade_id: Any = 1,
    side: Side = Side.BUY,
    quantity: Any = "0.01",
    price: Any = 90_800,
    *,
    commission: Any = 0,
    **changes: Any,
) -> Execution:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "trade_id": str(trade_id),
        "venue_order_id": "1001",
        "side": side,
        "price": dec(price),
        "quantity": dec(quantity),
        "commission": dec(commission),
    }
    return Execution(**(fields | changes))

"""A signal: one action asked for under an idempotency key."""

import hashlib
from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.side import Side


class SignalAction(StrEnum):
    """What a signal asks for; the close actions only ever reduce."""

    BUY = "buy"
    SELL = "sell"
    CLOSE = "close"
    CLOSE_LONG = "close_long"
    CLOSE_SHORT = "close_short"

    @property
    def closes(self) -> bool:
        """Whether it only reduces an open position."""
        return self in (SignalAction.CLOSE, SignalAction.CLOSE_LONG, SignalAction.CLOSE_SHORT)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One action to take. quantity: base units, > 0 for buy and sell; price None means at market.

    idempotency_key: the same key is executed once, whatever happens in between; with another body it is refused.
    stop_loss, take_profit: prices, quote per base. A policy decides whether the stop may be absent (default: no).
    """

    idempotency_key: str
    symbol: str
    action: SignalAction
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    strategy_id: str = ""
    confidence: Decimal | None = None

    @property
    def side(self) -> Side:
        """The side of the entry; meaningless for the close actions."""
        return Side.BUY if self.action is SignalAction.BUY else Side.SELL

    @property
    def body_hash(self) -> str:
        """Identifies the content."""
        return hashlib.blake2b(msgspec.json.encode(self, order="deterministic"), digest_size=8).hexdigest()


def signal_problem(signal: Signal, *, stop_required: bool, reference_price: Decimal | None) -> str | None:
    """What is wrong with a signal, naming the field and the fix; None when nothing is.

    reference_price: the price that a market signal is judged against (the mark); None skips the side checks.
    """
    if not signal.idempotency_key:
        return "idempotency_key is empty: the same key makes a repeated signal harmless"
    if len(signal.symbol) < 2:
        return f"symbol {signal.symbol!r} is too short"
    numbers = {
        "quantity": signal.quantity,
        "price": signal.price,
        "stop_loss": signal.stop_loss,
        "take_profit": signal.take_profit,
    }
    for name, value in numbers.items():
        if value is not None and not value.is_finite():
            return f"{name} is {value}; a finite number is needed"
    if signal.action.closes:
        return None
    if not signal.quantity > 0:
        return f"quantity {signal.quantity} must be above 0"
    prices = {"price": signal.price, "stop_loss": signal.stop_loss, "take_profit": signal.take_profit}
    for name, price in prices.items():
        if price is not None and price <= 0:
            return f"{name} {price} must be above 0"
    if signal.stop_loss is None and stop_required:
        return "stop_loss is missing: the strategy's policy requires a stop"
    return _side_problem(signal, signal.price if signal.price is not None else reference_price)


def _side_problem(signal: Signal, entry: Decimal | None) -> str | None:
    if entry is None:
        return None
    sign = signal.side.sign
    if signal.stop_loss is not None and (entry - signal.stop_loss) * sign <= 0:
        return f"stop_loss {signal.stop_loss} is on the wrong side of the entry {entry} for a {signal.action}"
    if signal.take_profit is not None and (signal.take_profit - entry) * sign <= 0:
        return f"take_profit {signal.take_profit} is on the wrong side of the entry {entry} for a {signal.action}"
    return None

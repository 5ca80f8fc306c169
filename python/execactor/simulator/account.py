"""The account: wallet, positions, leverage and margin, in exact decimals.

Arithmetic of one-way mode (the rule a checker of the venue log recomputes):
entry price after an increase = (|old| * old entry + |added| * price) / (|old| + |added|), 28 significant digits;
unchanged by a reduction; the fill price after a flip or from flat.
realised PnL of a reduction = (price - entry) * reduced quantity for a long, the negative for a short, rounded half
even to 8 decimals. commission = price * quantity * rate, rounded half even to 8 decimals.
wallet after a fill = wallet before + realised PnL - commission.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

MAKER_FEE = Decimal("0.0002")
TAKER_FEE = Decimal("0.0004")
MAINTENANCE = Decimal("0.005")
ZERO = Decimal(0)
_CENT = Decimal("0.00000001")

MarginType = Literal["CROSSED", "ISOLATED"]


class Booked(NamedTuple):
    """A position after one execution, and the profit the execution realised."""

    quantity: Decimal
    entry_price: Decimal
    realized: Decimal


class Position(msgspec.Struct, kw_only=True):
    """One symbol's position. quantity: signed base units; realized: since the venue started, before fees."""

    symbol: str
    leverage: int
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO
    realized: Decimal = ZERO
    margin_type: MarginType = "CROSSED"
    isolated_wallet: Decimal = ZERO
    updated_ms: int = 0

    def unrealized(self, mark: Decimal) -> Decimal:
        return (mark - self.entry_price) * self.quantity

    def break_even(self) -> Decimal:
        """Entry price moved by one taker fee: where closing pays for the opening."""
        if not self.quantity:
            return ZERO
        return self.entry_price * (1 + TAKER_FEE if self.quantity > 0 else 1 - TAKER_FEE)

    def liquidation_price(self) -> Decimal:
        """Estimate for an isolated position; 0 for a crossed one. The simulator never liquidates."""
        if not self.quantity or self.margin_type == "CROSSED":
            return ZERO
        cushion = self.isolated_wallet / abs(self.quantity) - self.entry_price * MAINTENANCE
        return max(ZERO, self.entry_price - cushion if self.quantity > 0 else self.entry_price + cushion)


class Account:
    """Wallet and positions of the one account of the venue (USDT only)."""

    def __init__(self, wallet: Decimal, leverages: dict[str, int]) -> None:
        self.wallet = wallet
        self.held: set[str] = set()  # symbols with a position
        self.positions = {name: Position(symbol=name, leverage=leverage) for name, leverage in leverages.items()}

    def book(self, symbol: str, signed: Decimal, price: Decimal, *, maker: bool) -> tuple[Decimal, Decimal]:
        """Books an execution; returns (realised PnL, commission)."""
        position = self.positions[symbol]
        booked = average(position.quantity, position.entry_price, signed, price)
        commission = cents(price * abs(signed) * (MAKER_FEE if maker else TAKER_FEE))
        position.quantity, position.entry_price = booked.quantity, booked.entry_price
        position.realized += booked.realized
        position.isolated_wallet = self._isolated_margin(position)
        self.wallet += booked.realized - commission
        if booked.quantity:
            self.held.add(symbol)
        else:
            self.held.discard(symbol)
        return booked.realized, commission

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        position = self.positions[symbol]
        position.margin_type = margin_type
        position.isolated_wallet = self._isolated_margin(position)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        position = self.positions[symbol]
        position.leverage = leverage
        position.isolated_wallet = self._isolated_margin(position)

    def cross_wallet(self) -> Decimal:
        """Wallet without what isolated positions hold."""
        return self.wallet - sum((self.positions[symbol].isolated_wallet for symbol in self.held), ZERO)

    @staticmethod
    def _isolated_margin(position: Position) -> Decimal:
        if position.margin_type == "CROSSED":
            return ZERO
        return cents(abs(position.quantity) * position.entry_price / position.leverage)


def average(quantity: Decimal, entry_price: Decimal, signed: Decimal, price: Decimal) -> Booked:
    """Average-cost booking of a signed execution into a position; pure. See the module's rule."""
    if quantity * signed >= 0:
        total = quantity + signed
        return Booked(total, (abs(quantity) * entry_price + abs(signed) * price) / abs(total), ZERO)
    closed = min(abs(quantity), abs(signed))
    gain = (price - entry_price) * closed
    realized = cents(gain if quantity > 0 else -gain)
    total = quantity + signed
    if not total:
        return Booked(ZERO, ZERO, realized)
    return Booked(total, entry_price if total * quantity > 0 else price, realized)


def cents(amount: Decimal) -> Decimal:
    """An amount of USDT at the venue's 8 decimals."""
    return amount.quantize(_CENT)

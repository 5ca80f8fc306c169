"""Recomputes positions, realised profit, fees and the wallet from the fills and compares them with what the venue says.

Average cost of a one-way position: fills that open or add move the average entry, fills that reduce realise
(price - entry) * quantity and leave the entry alone. Money is kept at eight decimals, as the venue keeps USDT.
The first statement about a symbol, or about the wallet, is the baseline when the log starts in mid-life.
After a contradiction the venue's value is taken on, so that one error is reported once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .events import Event, Fill, PositionChange, Start

_ZERO = Decimal(0)
_MONEY_TOLERANCE = Decimal("0.000001")
_PRICE_TOLERANCE = Decimal("0.00000001")  # relative: the average entry may be rounded, to no fixed number of digits
_MONEY_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Movement:
    """What one fill did to a position, as recomputed.

    before, after: signed base units. closed, opened: base units >= 0, closed + opened = the fill's quantity.
    entry_before: average entry of what was held, zero when flat. realized: quote units before fees.
    """

    fill: Fill
    before: Decimal
    after: Decimal
    closed: Decimal
    opened: Decimal
    entry_before: Decimal
    realized: Decimal


@dataclass(slots=True)
class _Holding:
    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO

    @property
    def entry(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else _ZERO

    def restate(self, quantity: Decimal, entry: Decimal) -> None:
        self.quantity, self.cost = quantity, quantity * entry

    def take(self, fill: Fill) -> Movement:
        before, entry = self.quantity, self.entry
        direction = 1 if before > 0 else -1
        closed = min(fill.quantity, abs(before)) if before * fill.side < 0 else _ZERO
        opened = fill.quantity - closed
        realized = _money((fill.price - entry) * closed * direction)
        self.quantity = before + fill.side * fill.quantity
        if closed and not opened:
            self.cost = entry * self.quantity
        else:
            kept = _ZERO if closed else self.cost
            self.cost = kept + fill.price * opened * fill.side
        return Movement(fill, before, self.quantity, closed, opened, entry, realized)


@dataclass(slots=True)
class Ledger:
    """Books fills in order; `problems` are the venue's contradictions, `movements` what each fill did.

    held_after: by log line, the signed position a fill or a position record left.
    """

    movements: list[Movement] = field(default_factory=list)
    held_after: dict[int, Decimal] = field(default_factory=dict)
    baselines: dict[str, PositionChange] = field(default_factory=dict)
    wallet: Decimal | None = None
    realized: Decimal = _ZERO
    fees: Decimal = _ZERO
    fee_rates: tuple[Decimal, Decimal] | None = None
    problems: list[str] = field(default_factory=list)
    _holdings: dict[str, _Holding] = field(default_factory=dict)
    _trade_ids: set[tuple[str, int]] = field(default_factory=set)

    def positions(self) -> dict[str, Decimal]:
        """Signed quantity of every symbol that is not flat."""
        return {symbol: held.quantity for symbol, held in sorted(self._holdings.items()) if held.quantity}

    def book(self, fill: Fill) -> None:
        """Apply one fill and compare the venue's statements about it."""
        if (fill.symbol, fill.trade_id) in self._trade_ids:
            self.problems.append(f"line {fill.line}: trade {fill.trade_id} of {fill.symbol} is logged twice")
            return
        self._trade_ids.add((fill.symbol, fill.trade_id))
        if fill.symbol not in self._holdings:
            self._begin(_before(fill))
        held = self._holdings[fill.symbol]
        movement = held.take(fill)
        self.movements.append(movement)
        self.realized += movement.realized
        self.fees += fill.fee
        if abs(movement.realized - fill.realized) > _MONEY_TOLERANCE:
            self.problems.append(
                f"line {fill.line}: realised profit {fill.realized} logged, {plain(movement.realized)} recomputed"
            )
        self._compare_fee(fill)
        self._compare_position(fill.line, fill.symbol, fill.position, fill.entry)
        self._compare_wallet(fill, movement.realized - fill.fee)
        self.held_after[fill.line] = held.quantity

    def state(self, change: PositionChange) -> None:
        """Compare a position the venue states with the recomputed one."""
        if change.symbol not in self._holdings:
            self._begin(change)
        else:
            self._compare_position(change.line, change.symbol, change.quantity, change.entry)
        self.held_after[change.line] = self._holdings[change.symbol].quantity

    def _begin(self, first: PositionChange) -> None:
        held = self._holdings[first.symbol] = _Holding()
        held.restate(first.quantity, first.entry)
        if first.quantity:
            self.baselines[first.symbol] = first

    def _compare_position(self, line: int, symbol: str, quantity: Decimal, entry: Decimal) -> None:
        held = self._holdings[symbol]
        same_entry = not quantity or abs(held.entry - entry) <= _PRICE_TOLERANCE * max(Decimal(1), abs(entry))
        if held.quantity == quantity and same_entry:
            return
        self.problems.append(
            f"line {line}: {symbol} position {quantity} at {entry} logged, "
            f"{plain(held.quantity)} at {plain(held.entry)} recomputed from fills"
        )
        held.restate(quantity, entry)

    def _compare_fee(self, fill: Fill) -> None:
        if self.fee_rates is None:
            return
        fee = _money(fill.price * fill.quantity * self.fee_rates[0 if fill.maker else 1])
        if abs(fill.fee - fee) > _MONEY_TOLERANCE:
            self.problems.append(f"line {fill.line}: commission {fill.fee} logged, {plain(fee)} recomputed")

    def _compare_wallet(self, fill: Fill, change: Decimal) -> None:
        if self.wallet is None:
            self.wallet = fill.wallet
            return
        self.wallet += change
        if abs(self.wallet - fill.wallet) > _MONEY_TOLERANCE:
            self.problems.append(
                f"line {fill.line}: wallet {fill.wallet} logged, {plain(self.wallet)} recomputed from fills"
            )
            self.wallet = fill.wallet


def keep_books(events: Iterable[Event], fee_rates: tuple[Decimal, Decimal] | None = None) -> Ledger:
    """The ledger after all fills and position statements of `events`; fee_rates: (maker, taker), as fractions."""
    ledger = Ledger(fee_rates=fee_rates)
    for event in events:
        match event:
            case Start():
                ledger.wallet = event.wallet
            case Fill():
                ledger.book(event)
            case PositionChange():
                ledger.state(event)
    return ledger


def plain(value: Decimal) -> str:
    """`value` for people and JSON: at most eight decimals, no exponent, no trailing zeros."""
    rounded = _money(value)
    return f"{rounded.normalize():f}" if rounded else "0"


def _money(value: Decimal) -> Decimal:
    return value.quantize(_MONEY_UNIT)


def _before(fill: Fill) -> PositionChange:
    """The position a first fill implies was held before it, solved from the venue's values after it."""
    quantity = fill.position - fill.side * fill.quantity
    if not quantity:
        entry = _ZERO
    elif fill.position * quantity <= 0:
        entry = fill.price - fill.realized / quantity
    elif abs(fill.position) > abs(quantity):
        entry = (fill.entry * fill.position - fill.price * fill.side * fill.quantity) / quantity
    else:
        entry = fill.entry
    return PositionChange(fill.line, fill.t, fill.symbol, quantity, entry)

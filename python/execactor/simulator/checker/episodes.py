"""Closed trades: a symbol's way from flat to flat, and how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .client_ids import Name, Names
from .invariants import Finding, at_line
from .ledger import Movement, plain

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed position.

    key: of the decision whose entry opened it, None when none of ours did. side: "long" or "short".
    quantity: base units opened over its life. entry_price, exit_price: averages. pnl: quote units, net of `fees`.
    outcome: by the role of the last closing fill: "stopped", "tp1_then_stop" (a stop after tp1 had filled), "tp1",
    "tp2", "exit", another role's name, or "foreign". fills: one that turns a position counts for both trades.
    opened_ns: None for a position that was there when the log began. ours: whether any fill was ours.
    """

    symbol: str
    key: str | None
    side: str
    quantity: str
    entry_price: str
    exit_price: str
    pnl: str
    fees: str
    outcome: str
    opened_ns: int | None
    closed_ns: int
    fills: int
    ours: bool


@dataclass(slots=True)
class _Episode:
    opened_ns: int | None
    opened: Decimal = _ZERO
    spent: Decimal = _ZERO
    closed: Decimal = _ZERO
    fetched: Decimal = _ZERO
    realized: Decimal = _ZERO
    fees: Decimal = _ZERO
    fills: int = 0
    key: str | None = None
    closing_roles: list[str] = field(default_factory=list)
    ours: bool = False

    def open(self, movement: Movement, names: Names) -> None:
        fill = movement.fill
        self.opened += movement.opened
        self.spent += movement.opened * fill.price
        name = self._count(movement, movement.opened, names)
        if name is not None and name.opens and self.key is None:
            self.key = name.key

    def close(self, movement: Movement, names: Names) -> None:
        self.closed += movement.closed
        self.fetched += movement.closed * movement.fill.price
        self.realized += movement.realized
        name = self._count(movement, movement.closed, names)
        self.closing_roles.append(name.role if name else "")

    def _count(self, movement: Movement, part: Decimal, names: Names) -> Name | None:
        """A fill that reverses a position belongs to two episodes, and its fee to both by quantity."""
        self.fills += 1
        self.fees += movement.fill.fee * part / movement.fill.quantity
        name = names.parse(movement.fill.client_id)
        self.ours = self.ours or name is not None
        return name

    def trade(self, last: Movement) -> Trade:
        return Trade(
            symbol=last.fill.symbol,
            key=self.key,
            side="long" if last.before > 0 else "short",
            quantity=plain(self.opened),
            entry_price=plain(self.spent / self.opened),
            exit_price=plain(self.fetched / self.closed),
            pnl=plain(self.realized - self.fees),
            fees=plain(self.fees),
            outcome=_outcome(self.closing_roles),
            opened_ns=self.opened_ns,
            closed_ns=last.fill.t,
            fills=self.fills,
            ours=self.ours,
        )


def closed_trades(movements: Iterable[Movement], names: Names) -> tuple[Trade, ...]:
    """All episodes that ended, in the order of their end."""
    trades: list[Trade] = []
    running: dict[str, _Episode] = {}
    for movement in movements:
        symbol = movement.fill.symbol
        if movement.closed:
            episode = running.setdefault(symbol, _inherited(movement))
            episode.close(movement, names)
            if movement.after * movement.before <= 0:
                trades.append(running.pop(symbol).trade(movement))
        if movement.opened:
            fresh = _inherited(movement) if movement.before and not movement.closed else _Episode(movement.fill.t)
            running.setdefault(symbol, fresh).open(movement, names)
    return tuple(trades)


def wrong_openings(movements: Iterable[Movement], names: Names) -> list[Finding]:
    """Every fill of a closing role of ours that opened, added to or turned a position (A7)."""
    found: list[Finding] = []
    for movement in movements:
        name = names.parse(movement.fill.client_id)
        if movement.opened and name is not None and name.role and not name.opens:
            text = (
                f"{movement.fill.client_id} may only close, but took {movement.fill.symbol} to {plain(movement.after)}"
            )
            found.append(at_line("A7", movement.fill.line, text))
    return found


def _inherited(movement: Movement) -> _Episode:
    """An episode whose opening the log does not show."""
    held = abs(movement.before)
    return _Episode(None, opened=held, spent=held * movement.entry_before)


def _outcome(closing_roles: list[str]) -> str:
    last = closing_roles[-1]
    if last not in {"sl", "slt"}:
        return last or "foreign"
    return "tp1_then_stop" if "tp1" in closing_roles else "stopped"

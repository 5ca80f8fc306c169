"""The stops that stand at the venue, and what they are worth to a position."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .events import ENDED_ALGO, ENDED_ORDER, LIVE_ALGO, AlgoChange, Event, Fill, OrderChange

_ZERO = Decimal(0)
_DEAD_CHILD = ENDED_ORDER - {"FILLED"}


@dataclass(frozen=True, slots=True)
class Rung:
    """A trigger and the base units it closes; None closes whatever is held."""

    trigger: Decimal
    quantity: Decimal | None
    client_id: str = field(default="", compare=False)


Ladder = tuple[Rung, ...]


@dataclass(slots=True)
class _Stop:
    algo: AlgoChange
    child: OrderChange | None = None
    filled: Decimal = _ZERO
    of_earlier_position: bool = False

    @property
    def working(self) -> bool:
        """Live, and the order it triggered, if any, has not ended without filling."""
        return self.algo.status in LIVE_ALGO and (self.child is None or self.child.status not in _DEAD_CHILD)

    def closes(self, position: Decimal) -> bool:
        """Whether its trigger can only take away from `position`."""
        return self.algo.side * position < 0 and (self.algo.close_position or self.algo.reduce_only)

    def rung(self) -> Rung:
        """A triggered stop closes what its order was born with, however much is held by now."""
        whole = self.child.quantity if self.child is not None else self.algo.quantity
        if self.child is None and self.algo.close_position:
            return Rung(self.algo.trigger, None, self.algo.client_id)
        return Rung(self.algo.trigger, (whole or _ZERO) - self.filled, self.algo.client_id)


@dataclass(slots=True)
class StopBook:
    """The STOP_MARKET orders that may still close something, followed through trigger and child order."""

    _stops: dict[str, dict[int, _Stop]] = field(default_factory=dict)
    _children: dict[int, _Stop] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take note of one event; all but stops, their orders and their fills leave the book as it is."""
        match event:
            case AlgoChange(type="STOP_MARKET"):
                self._follow(event)
            case OrderChange(parent=int(parent)) if stop := self._stops.get(event.symbol, {}).get(parent):
                self._children[event.order_id] = stop
                stop.child = event
            case Fill() if stop := self._children.get(event.order_id):
                stop.filled += event.quantity

    def _follow(self, algo: AlgoChange) -> None:
        of_symbol = self._stops.setdefault(algo.symbol, {})
        if algo.status in ENDED_ALGO - {"VANISHED"}:
            of_symbol.pop(algo.algo_id, None)
            return
        of_symbol.setdefault(algo.algo_id, _Stop(algo)).algo = algo

    def position_changed_hands(self, symbol: str) -> None:
        """The position ended or turned: stops placed so far were not meant for the next one."""
        for stop in self._stops.get(symbol, {}).values():
            stop.of_earlier_position = True

    def ladder(self, symbol: str, position: Decimal) -> Ladder:
        """The working stops, anybody's, that close `position`."""
        return _ladder((stop for stop in self._closing(symbol, position) if stop.working), position)

    def placed_for(self, symbol: str, position: Decimal, owner: str, *, believed: bool) -> Ladder:
        """The working stops placed during this position's life under client ids that begin with `owner`.

        believed: also those the venue dropped without telling.
        """
        own = (
            stop
            for stop in self._closing(symbol, position)
            if stop.algo.client_id.startswith(owner) and not stop.of_earlier_position
        )
        return _ladder(
            (stop for stop in own if stop.working or (believed and stop.algo.status == "VANISHED")), position
        )

    def dropped(self, symbol: str) -> set[str]:
        """Client ids of the stops that the venue dropped without telling."""
        return {stop.algo.client_id for stop in self._stops.get(symbol, {}).values() if stop.algo.status == "VANISHED"}

    def _closing(self, symbol: str, position: Decimal) -> Iterator[_Stop]:
        return (stop for stop in self._stops.get(symbol, {}).values() if stop.closes(position))


def _ladder(stops: Iterable[_Stop], position: Decimal) -> Ladder:
    """Nearest to the market first."""
    return tuple(sorted((stop.rung() for stop in stops), key=lambda rung: rung.trigger, reverse=position > 0))


def covers(ladder: Ladder, position: Decimal) -> bool:
    """Whether the stops together close all of `position`."""
    total = _ZERO
    for rung in ladder:
        if rung.quantity is None:
            return True
        total += rung.quantity
    return total >= abs(position)


def proceeds(ladder: Ladder, position: Decimal) -> Decimal:
    """Quote units the position would fetch at the stops' triggers, signed so that more is always better.

    Nearest stops close first. Units no stop covers take the furthest trigger: ladders of different size then compare.
    """
    left, total = abs(position), _ZERO
    for rung in ladder:
        taken = left if rung.quantity is None else min(left, rung.quantity)
        total += taken * rung.trigger
        left -= taken
    total += left * ladder[-1].trigger
    return total if position > 0 else -total

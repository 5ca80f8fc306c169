"""What the exchange hands out: events for the private stream, lines for the venue log, parts still to be matched."""

from collections.abc import Callable
from typing import Any, NamedTuple

from execactor.simulator.user_events import Event

Record = Callable[[str, dict[str, Any]], None]


class Wake(NamedTuple):
    """Ask the exchange to go on with an order after so many seconds."""

    seconds: float
    order_id: int


class Outbox:
    """Collects what one call into the exchange produced; the caller takes it and delivers it.

    record: takes the lines of the venue log at once, so that they stand in the order in which things happened.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.events: list[Event] = []
        self.wakes: list[Wake] = []
        self._burst = 0
        self._lites = 0

    def burst(self) -> None:
        """Starts an order's own events: its TRADE_LITEs go before all of them, as recorded."""
        self._burst, self._lites = len(self.events), 0

    def lite(self, event: Event) -> None:
        self.events.insert(self._burst + self._lites, event)
        self._lites += 1

    def event(self, event: Event) -> None:
        self.events.append(event)

    def wake(self, seconds: float, order_id: int) -> None:
        self.wakes.append(Wake(seconds, order_id))

    def take(self) -> tuple[list[Event], list[Wake]]:
        """Everything since the last call."""
        events, wakes = self.events, self.wakes
        self.events, self.wakes = [], []
        self._burst = self._lites = 0
        return events, wakes

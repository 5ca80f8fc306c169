"""Where the exchange lets faults and the kill switch reach into matching."""

from typing import NamedTuple, Protocol

from execactor.simulator.algos import AlgoOrder
from execactor.simulator.orders import Order


class Split(NamedTuple):
    """An execution in parts: their sizes in lots, and the seconds between them."""

    parts: tuple[int, ...]
    gap_s: float


class Mischief(Protocol):
    """Asked by the exchange while it matches."""

    def split(self, order: Order, lots: int) -> Split | None:
        """How a taking order of so many lots is to be matched in parts; None: all at once."""

    def before_fill(self, order: Order) -> None:
        """An execution of this order is about to be booked."""

    def after_fill(self, order: Order) -> None:
        """It is booked; its events are not sent yet."""

    def sticks(self, algo: AlgoOrder) -> bool:
        """Whether this conditional order stays TRIGGERING for ever."""

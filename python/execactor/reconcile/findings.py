"""What a comparison with the venue can find."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.order import Order
from execactor.domain.reports import ConditionalReport, OrderReport


class FindingKind(StrEnum):
    """Names of findings, as they are counted and journaled."""

    MISSED_EXECUTION = "missed_execution"
    ORDER_GONE = "order_gone"
    STRAY_ORDER = "stray_order"
    FOREIGN_ORDER = "foreign_order"
    ORPHAN_POSITION = "orphan_position"
    PHANTOM_POSITION = "phantom_position"
    QUANTITY_MISMATCH = "quantity_mismatch"
    MISSING_STOP = "missing_stop"
    MISSING_TAKE_PROFIT = "missing_take_profit"

    @property
    def action(self) -> str:
        """What a comparison does about it."""
        return _ACTIONS[self]


_ACTIONS = {
    FindingKind.MISSED_EXECUTION: "book it on its order, once",
    FindingKind.ORDER_GONE: "ask what became of it; place it anew when it is still needed",
    FindingKind.STRAY_ORDER: "cancel it, or take it up when it protects the present trade",
    FindingKind.FOREIGN_ORDER: "leave it alone, SAFE MODE",
    FindingKind.ORPHAN_POSITION: "adopt it with a stop, SAFE MODE",
    FindingKind.PHANTOM_POSITION: "take over the venue's, once it shows twice",
    FindingKind.QUANTITY_MISMATCH: "take over the venue's, once it shows twice",
    FindingKind.MISSING_STOP: "place it at once; exit when that fails for 2 s",
    FindingKind.MISSING_TAKE_PROFIT: "place it",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the venue and us. subject: the order or trade id, empty for a position."""

    kind: FindingKind
    symbol: str
    subject: str = ""
    detail: str = ""


class OrdersCompared(msgspec.Struct, frozen=True, kw_only=True):
    """Our orders of one symbol beside the venue's listing.

    seen: listed orders that are ours. strays: listed, with our prefix, unknown to us. foreign: listed, not ours.
    revenants: listed although they had ended for us, too long ago for a listing that lags.
    gone: live for us, sent before the listing was asked for, and not in it: only a query can tell what became of them.
    """

    seen: tuple[OrderReport | ConditionalReport, ...]
    revenants: tuple[OrderReport | ConditionalReport, ...]
    strays: tuple[OrderReport | ConditionalReport, ...]
    foreign: tuple[OrderReport | ConditionalReport, ...]
    gone: tuple[Order, ...]


class TradesCompared(msgspec.Struct, frozen=True, kw_only=True):
    """Trades of the account beside what we booked: missed ones with the order they belong to, and those of no order."""

    missed: tuple[tuple[Order, Execution], ...]
    unattributed: tuple[Execution, ...]


class PositionCompared(msgspec.Struct, frozen=True, kw_only=True):
    """kind None: equal. Quantities are signed base units."""

    kind: FindingKind | None
    ours: Decimal
    theirs: Decimal

"""A comparison with the venue, from its cause to its end."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.lanes import SYSTEM, VENUE
from execactor.domain.position import Position


class VenuePositionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The venue stated the symbol's position (signed base units); the execution that made it follows, or was missed."""

    lane: ClassVar[int] = VENUE

    quantity: Decimal


class RequestReconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> ReconcilerActor: compare with the venue now. symbol: whose trades are in question; empty: no one's."""

    lane: ClassVar[int] = VENUE

    reason: str
    symbol: str = ""


class SnapshotArrived(msgspec.Struct, frozen=True, kw_only=True):
    """Reconciler -> OrderActor: the venue's view of one symbol, to be compared with ours."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    snapshot: VenueSnapshot


class OrdersReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """OrderActor -> PositionActor: orders and trades are compared; now compare the position.

    findings: as (kind, detail). outdated: the listed position is older than our last execution. quiet: nothing was
    executed for so long that every listing shows it, and no order of the symbol is in doubt. unjudged: the listed
    position may hold trades that are not booked, because it is not clear yet whose they are.
    """

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    position: VenuePosition
    findings: tuple[tuple[str, str], ...]
    outdated: bool
    quiet: bool
    unjudged: bool = False


class SymbolReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """PositionActor -> ReconcilerActor: this symbol is compared. settled False: look again soon."""

    lane: ClassVar[int] = VENUE
    retry_after_restart: ClassVar[bool] = True

    symbol: str
    findings: tuple[tuple[str, str], ...]
    settled: bool


class ReconcileEnded(msgspec.Struct, frozen=True, kw_only=True):
    """ReconcilerActor -> AccountActor: everything is compared. started_ns: when the comparison began, monotonic."""

    lane: ClassVar[int] = SYSTEM

    started_ns: int
    settled: bool
    reason: str


class PositionAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the venue that we know nothing of: it gets a stop at stop_price at once. key names its orders.

    update_time_ms: the venue's time of it; trades up to then are in it already.
    """

    lane: ClassVar[int] = VENUE

    position: Position
    stop_price: Decimal
    key: str
    update_time_ms: int = 0


class PositionCorrected(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's position differs from ours and no missed trade explains it: the venue is right.

    update_time_ms: the venue's time of it; trades up to then are in it already.
    """

    lane: ClassVar[int] = VENUE

    position: Position
    reason: str
    update_time_ms: int = 0

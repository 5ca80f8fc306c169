"""Compare one symbol's orders, trades and position with the venue's."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from execactor.domain.fill import Execution
from execactor.domain.ids import parse
from execactor.domain.order import Order, OrderState, Role
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.reconcile.findings import (
    Finding,
    FindingKind,
    OrdersCompared,
    PositionCompared,
    TradesCompared,
)

LISTING_LAG_NS = 3_000_000_000
"""How far behind the venue's listings may be."""


def compare_orders(
    ours: Mapping[str, Order],
    listed: Iterable[OrderReport | ConditionalReport],
    prefix: str,
    requested_ns: int,
) -> OrdersCompared:
    """Sort a listing of open orders of both kinds; `requested_ns` is the monotonic time before it was asked for.

    The child order of a triggered conditional order is recognised by its venue id or by its parent's client id. An
    order that ended for us within LISTING_LAG_NS before may still be listed; one that ended earlier lives.
    """
    children = {order.child_id for order in ours.values() if order.child_id is not None}
    seen: list[OrderReport | ConditionalReport] = []
    revenants: list[OrderReport | ConditionalReport] = []
    strays: list[OrderReport | ConditionalReport] = []
    foreign: list[OrderReport | ConditionalReport] = []
    for report in listed:
        order = ours.get(report.client_id)
        if order is not None:
            ended_long_ago = not order.live and requested_ns - order.ended_ns > LISTING_LAG_NS
            (revenants if ended_long_ago and order.state is not OrderState.FILLED else seen).append(report)
        elif isinstance(report, OrderReport) and report.venue_id in children:
            continue
        elif parse(prefix, report.client_id) is not None:
            strays.append(report)
        else:
            foreign.append(report)
    found = {report.client_id for report in (*seen, *revenants)}
    gone = tuple(
        order
        for order in ours.values()
        if order.live and order.client_id not in found and 0 < order.sent_ns < requested_ns
    )
    return OrdersCompared(
        seen=tuple(seen), revenants=tuple(revenants), strays=tuple(strays), foreign=tuple(foreign), gone=gone
    )


def compare_trades(
    ours: Iterable[Order], booked: Collection[tuple[str, str]], trades: Iterable[Execution]
) -> TradesCompared:
    """Find executions that we have not booked and the orders they belong to, by the venue's order ids."""
    by_venue_id: dict[str, Order] = {}
    for order in ours:
        # The id of a conditional order is of another namespace than that of orders: only its child trades.
        venue_id = order.child_id if order.intent.type.conditional else order.venue_id
        if venue_id is not None:
            by_venue_id[venue_id] = order
    missed: list[tuple[Order, Execution]] = []
    unattributed: list[Execution] = []
    for execution in trades:
        if execution.key in booked:
            continue
        owner = by_venue_id.get(execution.venue_order_id)
        if owner is None:
            unattributed.append(execution)
        else:
            missed.append((owner, execution))
    return TradesCompared(missed=tuple(missed), unattributed=tuple(unattributed))


class Verdict(StrEnum):
    """What to do about a position that differs."""

    FINE = "FINE"
    LOOK_AGAIN = "LOOK_AGAIN"
    ADOPT = "ADOPT"
    CORRECT = "CORRECT"


def judge_position(
    compared: PositionCompared, *, planned: bool, outdated: bool, quiet: bool, persists: bool
) -> Verdict:
    """An unknown position is adopted at once, because it needs a stop; any other difference must show twice.

    planned: a plan of ours is being executed. outdated: the listing is older than our last execution. quiet: nothing
    moved for so long that a listing must show it. persists: the same difference was seen in the round before.
    """
    if compared.kind is None:
        return Verdict.FINE
    if compared.kind is FindingKind.ORPHAN_POSITION and not planned and not outdated:
        return Verdict.ADOPT
    return Verdict.CORRECT if persists and quiet else Verdict.LOOK_AGAIN


def compare_position(ours: Decimal, theirs: Decimal, *, planned: bool) -> PositionCompared:
    """Name the difference between two signed quantities: orphan, phantom or mismatch.

    planned: a plan of ours is being executed; a position without one is an orphan, also when we know its quantity.
    """
    kind: FindingKind | None = None
    if theirs != 0 and not planned:
        kind = FindingKind.ORPHAN_POSITION
    elif ours != theirs:
        if ours == 0:
            kind = FindingKind.ORPHAN_POSITION
        elif theirs == 0:
            kind = FindingKind.PHANTOM_POSITION
        else:
            kind = FindingKind.QUANTITY_MISMATCH
    return PositionCompared(kind=kind, ours=ours, theirs=theirs)


def missing_stop(symbol: str, position: Decimal, orders: Iterable[Order]) -> Finding | None:
    """A position without a base stop that the venue has shown or acknowledged."""
    if position == 0 or any(order.working for order in orders if order.intent.role is Role.STOP):
        return None
    return Finding(
        kind=FindingKind.MISSING_STOP, symbol=symbol, detail=f"position {position} has no working stop at the venue"
    )

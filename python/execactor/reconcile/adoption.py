"""Orders of ours that the venue shows and the journal does not hold: which of them are taken up instead of cancelled.

While the disk is full, orders that only reduce risk leave without a record (docs/reliability.md). A process that dies
then leaves a working stop behind that its next life knows nothing of: to cancel it would uncover the position.
"""

from collections.abc import Iterable
from decimal import Decimal

from execactor.domain.ids import parse
from execactor.domain.order import Order, OrderIntent, OrderType, Role
from execactor.domain.reports import ConditionalReport, OrderReport

_TYPES = frozenset(str(kind) for kind in OrderType if kind.conditional)


def unrecorded(
    report: OrderReport | ConditionalReport, prefix: str, ours: Iterable[Order], held: Decimal
) -> OrderIntent | None:
    """What we must have meant by an order that closes `held` (signed base units) for its latest decision.

    None when it does not: it may take risk, serve another decision, or close nothing.
    """
    parsed = parse(prefix, report.client_id)
    if parsed is None or not parsed.role.protective or not isinstance(report, ConditionalReport):
        return None
    sized = report.close_position or (report.reduce_only and report.quantity is not None)
    if not sized or report.side.sign * held >= 0 or report.order_type not in _TYPES:
        return None
    entries = [order.intent for order in ours if order.intent.role is Role.ENTRY]
    latest = parse(prefix, entries[-1].client_id) if entries else None
    if latest is None or latest.key != parsed.key:
        return None
    return OrderIntent(
        client_id=report.client_id,
        decision_key=entries[-1].decision_key,
        role=parsed.role,
        symbol=report.symbol,
        side=report.side,
        type=OrderType(report.order_type),
        quantity=None if report.close_position else report.quantity,
        trigger_price=report.trigger_price,
        reduce_only=report.reduce_only and not report.close_position,
        close_position=report.close_position,
    )

"""What a comparison would find in one symbol, without anything being done about it."""

from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from execactor.domain.account import VenueSnapshot
from execactor.domain.order_table import OrderTable
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.reconcile.compare import compare_orders, compare_trades, missing_stop
from execactor.reconcile.findings import Finding, FindingKind, OrdersCompared


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """findings: of orders and trades. unbooked: by how much missed executions change the position, base units."""

    findings: tuple[Finding, ...]
    unbooked: Decimal


def order_findings(symbol: str, compared: OrdersCompared, doubted: Collection[str] = ()) -> list[Finding]:
    """What a comparison of orders found. An order in flight that is not listed is a doubt, no finding.

    doubted: client ids of orders that the venue is being asked about already: that they are not listed is no news.
    """
    gone = [
        (FindingKind.ORDER_GONE, order.client_id)
        for order in compared.gone
        if order.working and order.client_id not in doubted
    ]
    strays = [(FindingKind.STRAY_ORDER, report.client_id) for report in (*compared.revenants, *compared.strays)]
    foreign = [
        (FindingKind.FOREIGN_ORDER, report.client_id or report.venue_id)
        for report in compared.foreign
        if not _placed_by_the_venue(report)
    ]
    return [Finding(kind=kind, symbol=symbol, subject=subject) for kind, subject in (*gone, *strays, *foreign)]


def survey(
    symbol: str, table: OrderTable, strangers: Collection[tuple[str, str]], snapshot: VenueSnapshot, prefix: str
) -> Surveyed:
    """Compare one symbol's part of a snapshot; `table` is the caller's to lose, since what is found is applied to it.

    strangers: keys of the trades that were booked as another hand's.
    """
    now_ns = snapshot.requested_ns
    compared = compare_orders(table.orders, snapshot.listed, prefix, now_ns)
    findings = order_findings(symbol, compared)
    for report in compared.seen:
        table.report(report, now_ns=now_ns)
    trades = compare_trades(table.orders.values(), table.booked - set(strangers), snapshot.trades)
    missed = [execution for _, execution in trades.missed if execution.key not in strangers]
    findings += [
        Finding(
            kind=FindingKind.MISSED_EXECUTION,
            symbol=symbol,
            subject=execution.trade_id,
            detail=f"{execution.side} {execution.quantity} at {execution.price}",
        )
        for execution in missed
    ]
    held = snapshot.positions[0].quantity if snapshot.positions else Decimal(0)
    missing = missing_stop(symbol, held, table.orders.values())
    findings += [] if missing is None else [missing]
    return Surveyed(
        findings=tuple(findings),
        unbooked=sum((execution.signed_quantity for execution in missed), Decimal(0)),
    )


def outside(symbols: Collection[str], snapshot: VenueSnapshot) -> list[Finding]:
    """Positions and orders in symbols that this engine does not trade."""
    found: Iterable[tuple[str, str]] = (
        *((p.symbol, f"position {p.quantity} {p.symbol}") for p in snapshot.positions if p.quantity),
        *((report.symbol, f"order {report.client_id} {report.symbol}") for report in snapshot.listed),
    )
    return [
        Finding(kind=FindingKind.FOREIGN_ORDER, symbol="", subject=text)
        for symbol, text in found
        if symbol not in symbols
    ]


def _placed_by_the_venue(report: OrderReport | ConditionalReport) -> bool:
    return isinstance(report, OrderReport) and report.origin.forced

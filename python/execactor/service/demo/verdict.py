"""The end of the demo: figures from the checker and the engine, as a table or as one JSON object."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execactor.service.tables import table
from execactor.simulator.checker import Report

_LEGS = ("decision_to_wire", "wire_to_ack", "ack_to_fill", "decision_to_fill")
_LEG_NAMES = {
    "decision_to_wire": "decision -> wire",
    "wire_to_ack": "wire -> ack",
    "ack_to_fill": "ack -> fill",
    "decision_to_fill": "decision -> fill",
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo showed.

    seconds: wall time; report: the checker's, of the venue's log and the engine's own report; latency_us: by leg;
    expected: the outcome that each decision key must have; venue_log: where it was kept, if it was.
    """

    seconds: float
    report: Report
    latency_us: Mapping[str, Mapping[str, float]]
    expected: Mapping[str, str]
    venue_log: str | None

    @property
    def missing(self) -> list[str]:
        """Expected trades that did not happen, or ended otherwise."""
        outcomes = {trade.key: trade.outcome for trade in self.report.trades}
        wrong = [
            f"{key} should end {outcome}, but ended {outcomes.get(key) or 'not at all'}"
            for key, outcome in self.expected.items()
            if outcomes.get(key) != outcome
        ]
        return wrong if self.report.trades else [*wrong, "no trade happened"]

    @property
    def ok(self) -> bool:
        """The expected trades happened and the checker found nothing."""
        return self.report.ok and not self.missing

    def as_json(self) -> str:
        """Everything, on one line."""
        report = self.report
        return json.dumps(
            {
                "ok": self.ok,
                "seconds": round(self.seconds, 1),
                "trades": [_trade(trade) for trade in report.trades],
                "fills": report.counts["fills"],
                "fees": report.fees,
                "pnl": f"{Decimal(report.realized_pnl) - Decimal(report.fees):f}",
                "duplicates": report.duplicates,
                "max_unprotected_ms": report.max_unprotected_ms,
                "max_unprotected_restart_ms": report.max_unprotected_restart_ms,
                "mismatches": list(report.mismatches),
                "violations": list(report.violations),
                "venue_errors": list(report.venue_errors),
                "missing": self.missing,
                "kills": report.counts["kills"],
                "latency_us": self.latency_us,
                "venue_log": self.venue_log,
            }
        )

    def as_text(self) -> str:
        """Tables for people."""
        report = self.report
        trades = [
            (t.key or "", t.symbol, t.side, t.quantity, t.entry_price, t.exit_price, t.outcome, t.fills, t.fees, t.pnl)
            for t in report.trades
        ]
        heads = ("decision", "symbol", "side", "size", "entry", "exit", "outcome", "fills", "fees", "P&L net")
        pnl = Decimal(report.realized_pnl) - Decimal(report.fees)
        figures = [
            ("trades", str(len(report.trades))),
            ("fills", str(report.counts["fills"])),
            ("fees", f"{Decimal(report.fees):.4f} USDT"),
            ("P&L net", f"{pnl:+.4f} USDT"),
            ("duplicates", str(report.duplicates)),
            ("longest without a confirmed stop", f"{report.max_unprotected_ms:.1f} ms"),
            ("the same, across the kill", f"{report.max_unprotected_restart_ms:.1f} ms"),
            ("mismatches", str(len(report.mismatches))),
        ]
        legs = [
            (_LEG_NAMES[leg], f"{found['p50']:.0f}", f"{found['p99']:.0f}", f"{found['count']:.0f}")
            for leg, found in self.latency_us.items()
        ]
        parts = [
            table(heads, [[_shown(cell) for cell in row] for row in trades]),
            table(("", ""), figures),
            table(("latency", "p50 µs", "p99 µs", "samples"), legs),
            *[f"MISSING: {text}" for text in self.missing],
            *[f"VIOLATION: {text}" for text in report.violations],
            *[f"MISMATCH: {text}" for text in report.mismatches],
            *[f"VENUE ERROR: {text}" for text in report.venue_errors],
            f"{'OK' if self.ok else 'FAILED'} in {self.seconds:.1f} s",
        ]
        return "\n\n".join(parts[:3]) + "\n\n" + "\n".join(parts[3:])


def best_of(lives: Iterable[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Each leg from the life of the engine that has most samples of it: percentiles of two lives do not add up."""
    found: dict[str, dict[str, float]] = {}
    for life in lives:
        for leg in _LEGS:
            figures = life.get(leg)
            if figures is not None and figures["count"] > found.get(leg, {"count": 0})["count"]:
                found[leg] = {name: figures[name] for name in ("p50", "p99", "max", "count")}
    return {leg: found[leg] for leg in _LEGS if leg in found}


def _trade(trade: Any) -> dict[str, Any]:
    names = ("key", "symbol", "side", "quantity", "entry_price", "exit_price", "outcome", "fills", "fees", "pnl")
    return {name: getattr(trade, name) for name in names}


def _shown(cell: object) -> str:
    """Long decimals shortened for the eye; the JSON has them whole."""
    text = str(cell)
    head, point, tail = text.partition(".")
    return f"{Decimal(text):.4f}" if point and tail.isdigit() and head.lstrip("-").isdigit() and len(tail) > 4 else text

"""What the checker found, as plain data."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from .entries import Duplicate
from .episodes import Trade
from .protection import Naked


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on one venue log.

    violations: the engine broke a safety rule; a sentence each, with the log's line. Every duplicate is one of them.
    duplicates: how many; duplicate_list: which. max_unprotected_ms: the longest a position stood without a working stop
    outside outages, max_unprotected_restart_ms: across one, both wall clock; unprotected: every such interval.
    mismatches: the end states of venue, our orders and the engine's report that do not fit together.
    venue_errors: the log contradicts itself, so the venue (or the file) is wrong, not the engine.
    notices: worth knowing, nobody's fault. positions: signed base units at the end.
    realized_pnl (before fees), fees, wallet: quote units, recomputed from fills; wallet None when never stated.
    counts: lines, requests, fills, kills, faults.
    """

    violations: tuple[str, ...]
    duplicates: int
    duplicate_list: tuple[Duplicate, ...]
    max_unprotected_ms: float
    max_unprotected_restart_ms: float
    unprotected: tuple[Naked, ...]
    trades: tuple[Trade, ...]
    mismatches: tuple[str, ...]
    venue_errors: tuple[str, ...]
    notices: tuple[str, ...]
    positions: Mapping[str, str]
    realized_pnl: str
    fees: str
    wallet: str | None
    counts: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """No violation and no mismatch, in a log that does not contradict itself."""
        return not (self.violations or self.mismatches or self.venue_errors)

    def to_json(self) -> str:
        """All fields and `ok` as one JSON object."""
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=1)

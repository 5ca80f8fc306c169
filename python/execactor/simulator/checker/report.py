"""What the checker found, as plain data."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from .entries import Duplicate
from .episodes import Trade
from .invariants import Finding
from .protection import Naked


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the engine's life a run showed.

    transitions: steps of orders in the journal ("UNKNOWN>FILLED") and how often; legal: those that a journal can show.
    faults: by name. events: lines of the venue log. closed_trades: of ours.
    """

    transitions: Mapping[str, int]
    legal: tuple[str, ...]
    faults: Mapping[str, int]
    events: int
    closed_trades: int

    @property
    def share(self) -> float:
        """Of the legal steps, how many were seen at least once."""
        return len(set(self.transitions) & set(self.legal)) / len(self.legal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on one run.

    findings: every breach of the catalogue (`invariants.CHECKS`); violations: the same as sentences. Every duplicate is
    one of them. duplicates: how many; duplicate_list: which. max_unprotected_ms: the longest a position stood without
    a working stop outside outages, max_unprotected_restart_ms: across one, both wall clock; unprotected: every such
    interval. max_unbooked_ms: the longest that a trade of ours waited to be booked, 0 without a journal.
    mismatches: the end states of venue, our orders and the engine's report that do not fit together.
    venue_errors: the log contradicts itself, so the venue (or the file) is wrong, not the engine.
    notices: worth knowing, nobody's fault. positions: signed base units at the end.
    realized_pnl (before fees), fees, wallet: quote units, recomputed from fills; wallet None when never stated.
    counts: lines, requests, fills, kills, faults, and records of the journal.
    """

    findings: tuple[Finding, ...]
    violations: tuple[str, ...]
    duplicates: int
    duplicate_list: tuple[Duplicate, ...]
    max_unprotected_ms: float
    max_unprotected_restart_ms: float
    unprotected: tuple[Naked, ...]
    max_unbooked_ms: float
    trades: tuple[Trade, ...]
    mismatches: tuple[str, ...]
    venue_errors: tuple[str, ...]
    notices: tuple[str, ...]
    positions: Mapping[str, str]
    realized_pnl: str
    fees: str
    wallet: str | None
    counts: Mapping[str, int]
    coverage: Coverage

    @property
    def ok(self) -> bool:
        """No violation and no mismatch, in a log that does not contradict itself."""
        return not (self.findings or self.mismatches or self.venue_errors)

    @property
    def broken(self) -> tuple[str, ...]:
        """The ids of the checks that failed, each once."""
        return tuple(dict.fromkeys(finding.check for finding in self.findings))

    def to_json(self) -> str:
        """All fields, `ok` and `broken` as one JSON object."""
        fields = asdict(self)
        fields["findings"] = [finding._asdict() for finding in self.findings]
        return json.dumps({"ok": self.ok, "broken": self.broken, **fields}, indent=1)

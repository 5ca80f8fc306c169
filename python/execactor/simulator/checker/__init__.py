"""The independent checker: judges an engine by what the venue logged and what the engine's journal holds.

It shares no code with the engine or the simulator and needs only the standard library, so that one wrong idea cannot
hide in both. What it judges is in docs/checker.md, the log's format in docs/simulator.md.
`python -m execactor.simulator.checker LOG` runs it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

from .agreement import digests, disagreements, leftovers
from .bookings import judge_bookings, longest_unbooked_ns
from .client_ids import Names
from .convergence import judge_comparisons, judge_rest
from .doubts import judge_doubts
from .entries import watch_entries
from .episodes import closed_trades, wrong_openings
from .events import AlgoChange, DecisionFed, Fault, Fill, Note, OrderChange
from .evidence import Evidence
from .exits import judge_exits, judge_tightened
from .freshness import judge_freshness
from .halts import judge_halts
from .intents import judge_intents
from .invariants import CHECKS, Finding
from .journal_reader import Row, load
from .journal_reader import read as read_journal
from .ledger import keep_books, plain
from .limits import judge_limits
from .log_reader import VenueLog, read
from .orders import live_client_ids, tabulate
from .patience import judge_patience
from .protection import judge, watch
from .report import Coverage, Report
from .requests import watch_requests
from .restarts import Allowances, hindrances, outages
from .transitions import OBSERVABLE, judge_transitions

__all__ = ["CHECKS", "Allowances", "Coverage", "Finding", "Report", "check"]

_EXACT = Context(prec=60)  # sums of venue decimals are exact; averages are right to far beyond every tolerance
_DEFAULTS = Allowances()
_RULES = (
    judge_intents,
    judge_bookings,
    judge_halts,
    judge_limits,
    judge_patience,
    judge_freshness,
    judge_exits,
    judge_tightened,
    judge_doubts,
    judge_comparisons,
)


def check(
    lines: Iterable[str | Mapping[str, Any]],
    *,
    journal: str | Path | Iterable[Row] | None = None,
    prefix: str = "capi",
    engine_report: Mapping[str, Any] | None = None,
    allow: Allowances = _DEFAULTS,
    fee_rates: tuple[Decimal, Decimal] | None = None,
) -> Report:
    """Judge a venue log (lines of JSON, or the objects they hold) and the engine's journal beside it.

    journal: the file, or its rows (`journal_reader.Row`); without it, what only the engine can tell is not judged.
    prefix: of our client ids.
    engine_report: the engine's view at the end, each part optional, decimals as strings:
    {"positions": {symbol: quantity}, "trade_ids": [..] or {symbol: [..]}, "open_orders": [client ids],
    "trades": [{"symbol", "pnl"}, ..], "live_digest": text, "replayed_digest": text}.
    allow: the times that an engine may take.
    fee_rates: the venue's (maker, taker) rates as fractions; given, every commission is recomputed too.
    Raises ValueError for a malformed engine_report and OSError or ValueError for a journal that cannot be read; a
    malformed log or record is reported, not raised.
    """
    with localcontext(_EXACT):
        log = read(lines)
        rows, broken = (None, []) if journal is None else read_journal(load(journal), log.events)
        windows = (*outages(log.events, allow), *hindrances(log.events, allow))
        evidence = Evidence(
            events=log.events,
            names=Names(prefix),
            ledger=keep_books(log.events, fee_rates),
            journal=rows,
            windows=sorted(windows, key=lambda window: window.start_ns),
            allow=allow,
        )
        return _judge(log, evidence, engine_report or {}, broken)


def _judge(log: VenueLog, evidence: Evidence, engine: Mapping[str, Any], broken: Iterable[Finding]) -> Report:
    names, ledger = evidence.names, evidence.ledger
    table = tabulate(evidence.among(OrderChange, AlgoChange, Fill), complete=log.kinds.get("end", 0) > 0)
    entries = watch_entries(evidence.among(OrderChange, AlgoChange, Fill, DecisionFed, Fault), names)
    naked, widened = watch(evidence)
    exposure = judge(naked, evidence)
    trades = closed_trades(ledger.movements, names)
    live = live_client_ids(table)
    moves, seen = judge_transitions(evidence)
    outage_list = [window for window in evidence.windows if window.cause == "outage"]
    found = [
        *broken,
        *(duplicate.finding() for duplicate in entries.duplicates),
        *entries.findings,
        *watch_requests(evidence),
        *widened,
        *exposure.findings,
        *wrong_openings(ledger.movements, names),
        *moves,
        *digests(engine, evidence.of(Note)),
        *judge_rest(evidence, live, naked),
    ]
    for rule in _RULES:
        found.extend(rule(evidence))
    findings = tuple(sorted(found))
    notices = [
        *log.notices,
        *(f"{symbol} was held before the log began" for symbol in ledger.baselines),
        *(f"the engine never came back after line {window.line}" for window in outage_list if window.end_ns is None),
    ]
    return Report(
        findings=findings,
        violations=tuple(map(str, findings)),
        duplicates=len(entries.duplicates),
        duplicate_list=tuple(sorted(entries.duplicates, key=lambda duplicate: duplicate.line)),
        max_unprotected_ms=exposure.longest_ns / 1_000_000,
        max_unprotected_restart_ms=exposure.longest_restart_ns / 1_000_000,
        unprotected=tuple(naked),
        max_unbooked_ms=longest_unbooked_ns(evidence) / 1_000_000,
        trades=trades,
        mismatches=(
            *leftovers(live, ledger.positions(), names, engine.get("open_orders", ())),
            *disagreements(engine, ledger, live, trades, names),
        ),
        venue_errors=(*log.problems, *ledger.problems, *table.problems),
        notices=tuple(notices),
        positions={symbol: plain(quantity) for symbol, quantity in ledger.positions().items()},
        realized_pnl=plain(ledger.realized),
        fees=plain(ledger.fees),
        wallet=None if ledger.wallet is None else plain(ledger.wallet),
        counts={
            "lines": sum(log.kinds.values()),
            "requests": log.kinds.get("request", 0),
            "fills": len(ledger.movements),
            "kills": sum(window.killed for window in outage_list),
            "faults": log.kinds.get("fault", 0),
            "records": 0 if evidence.journal is None else evidence.journal.records,
        },
        coverage=Coverage(
            transitions=dict(sorted(seen.items())),
            legal=OBSERVABLE,
            faults=dict(Counter(fault.name for fault in evidence.of(Fault))),
            events=sum(log.kinds.values()),
            closed_trades=sum(trade.ours for trade in trades),
        ),
    )

"""The independent checker: judges an engine by what the venue logged, and by nothing else.

It shares no code with the engine or the simulator and needs only the standard library, so that one wrong idea cannot
hide in both. What it judges is in docs/checker.md, the log's format in docs/simulator.md.
`python -m execactor.simulator.checker LOG` runs it.
"""

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, localcontext
from typing import Any

from .agreement import disagreements, leftovers
from .client_ids import Names
from .entries import watch_entries
from .episodes import closed_trades, wrong_openings
from .ledger import Ledger, keep_books, plain
from .log_reader import VenueLog, read
from .orders import live_client_ids, tabulate
from .protection import judge, watch
from .report import Report
from .requests import watch_requests
from .restarts import Graces, outages

__all__ = ["Report", "check"]

_EXACT = Context(prec=60)  # sums of venue decimals are exact; averages are right to far beyond every tolerance


def check(
    lines: Iterable[str | Mapping[str, Any]],
    *,
    prefix: str = "capi",
    engine_report: Mapping[str, Any] | None = None,
    ready_grace_s: float = 2.0,
    restart_grace_s: float = 6.0,
    protect_within_s: float = 2.0,
    fee_rates: tuple[Decimal, Decimal] | None = None,
) -> Report:
    """Judge a venue log (lines of JSON, or the objects they hold).

    prefix: of our client ids.
    engine_report: the engine's view at the end, each part optional, decimals as strings:
    {"positions": {symbol: quantity}, "trade_ids": [..] or {symbol: [..]}, "open_orders": [client ids],
    "trades": [{"symbol", "pnl"}, ..]}.
    protect_within_s: how long a position may stand without a working stop.
    ready_grace_s, restart_grace_s: how long after "engine ready", and after "engine started" following a kill, until
    every position must be protected again; the earlier of the two deadlines counts.
    fee_rates: the venue's (maker, taker) rates as fractions; given, every commission is recomputed too.
    Raises ValueError for a malformed engine_report; a malformed log is reported, not raised.
    """
    with localcontext(_EXACT):
        log = read(lines)
        graces = Graces(ready_grace_s, restart_grace_s, protect_within_s)
        return _judge(log, Names(prefix), engine_report or {}, graces, keep_books(log.events, fee_rates))


def _judge(log: VenueLog, names: Names, engine: Mapping[str, Any], graces: Graces, ledger: Ledger) -> Report:
    table = tabulate(log.events, complete=log.kinds.get("end", 0) > 0)
    entries = watch_entries(log.events, names)
    requests = watch_requests(log.events, names)
    windows = outages(log.events, graces)
    naked, widened = watch(log.events, ledger, names)
    exposure = judge(naked, windows, graces)
    trades = closed_trades(ledger.movements, names)
    live = live_client_ids(table)
    found = [
        *((duplicate.line, duplicate.text) for duplicate in entries.duplicates),
        *entries.violations,
        *requests.violations,
        *widened,
        *exposure.violations,
        *wrong_openings(ledger.movements, names),
    ]
    notices = [
        *log.notices,
        *(f"{symbol} was held before the log began" for symbol in ledger.baselines),
        *(f"the engine never came back after line {window.line}" for window in windows if window.end_ns is None),
    ]
    return Report(
        violations=tuple(f"line {line}: {text}" for line, text in sorted(found)),
        duplicates=len(entries.duplicates),
        duplicate_list=tuple(sorted(entries.duplicates, key=lambda duplicate: duplicate.line)),
        max_unprotected_ms=exposure.longest_ns / 1_000_000,
        max_unprotected_restart_ms=exposure.longest_restart_ns / 1_000_000,
        unprotected=tuple(naked),
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
            "kills": sum(window.killed for window in windows),
            "faults": log.kinds.get("fault", 0),
        },
    )

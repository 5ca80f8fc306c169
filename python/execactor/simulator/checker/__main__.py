"""`python -m execactor.simulator.checker LOG`: exit 0 when all is in order, 1 when not, 2 when it cannot be read."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import Report, check


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the log named on the command line and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m execactor.simulator.checker", description="Check a venue log.")
    parser.add_argument("log", type=Path, help="JSON lines written by the simulator")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--prefix", default="capi", help="prefix of the engine's client ids (default: capi)")
    parser.add_argument("--engine-report", type=Path, metavar="FILE", help="the engine's final report, a JSON object")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="the engine's journal.db; it is copied, then read")
    chosen = parser.parse_args(arguments)
    try:
        engine_report = json.loads(chosen.engine_report.read_text()) if chosen.engine_report else None
        with chosen.log.open(encoding="utf-8") as lines:
            report = check(lines, journal=chosen.journal, prefix=chosen.prefix, engine_report=engine_report)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(f"{report.to_json() if chosen.json else _summary(report)}\n")
    return 0 if report.ok else 1


def _summary(report: Report) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    wallet = "no wallet" if report.wallet is None else f"wallet {report.wallet}"
    lines = [
        f"{'ok' if report.ok else 'NOT OK'}: {counts}",
        f"duplicates {report.duplicates}, longest without a stop {report.max_unprotected_ms:.1f} ms, "
        f"across restarts {report.max_unprotected_restart_ms:.1f} ms",
        f"profit {report.realized_pnl} before fees {report.fees}, {wallet}",
    ]
    lines += [f"trade {t.symbol} {t.key} {t.side} {t.quantity}: {t.outcome}, {t.pnl} net" for t in report.trades]
    for heading, findings in (
        ("violation", report.violations),
        ("mismatch", report.mismatches),
        ("venue error", report.venue_errors),
        ("notice", report.notices),
    ):
        lines += [f"{heading}: {finding}" for finding in findings]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

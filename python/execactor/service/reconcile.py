"""`execactor reconcile`: the engine's view beside the venue's, compared now or only shown."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from execactor.service.engine_call import ask, socket_of
from execactor.service.exit_codes import Exit
from execactor.service.options import finds_engine, json_option
from execactor.service.tables import table

_PATIENCE_S = 20.0
"""Longer than the engine waits for the venue, so that it can say what holds a comparison up."""


@click.command(epilog="Example: execactor reconcile --dry-run --json")
@finds_engine
@json_option
@click.option("--dry-run", is_flag=True, help="Only show what differs; nothing is sent or changed.")
def reconcile_command(config_file: Path | None, data_dir: Path, as_json: bool, dry_run: bool) -> int:
    """Compare orders, trades and positions with the venue's and act on what differs.

    Exit codes: 0 both agree (with --dry-run: nothing differs), 1 they do not, 3 refused (the venue does not answer),
    69 no engine, 77 not your engine.
    """
    socket = socket_of(config_file, data_dir)
    found = ask(socket, "reconcile", dry_run=dry_run, timeout_s=_PATIENCE_S)
    return _show_difference(found, as_json=as_json) if dry_run else _show_comparison(found, as_json=as_json)


def _show_difference(rows: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        counts = dict(Counter(row["kind"] for row in rows))
        click.echo(json.dumps({"dry_run": True, "counts": counts, "differences": rows}))
    elif rows:
        columns = ("symbol", "kind", "subject", "detail", "action")
        shown = [[row[column] or "-" for column in columns] for row in rows]
        click.echo(table(("symbol", "difference", "of", "detail", "a comparison would"), shown))
    else:
        click.echo("no difference")
    return Exit.FAILED if rows else Exit.OK


def _show_comparison(record: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"dry_run": False, **record}))
    else:
        lines = list(record["details"]) or ["no difference"]
        if not record["settled"]:
            lines.append(f"the venue and the engine do not agree after {record['rounds']} rounds")
        click.echo("\n".join(lines))
    return Exit.OK if record["settled"] else Exit.FAILED

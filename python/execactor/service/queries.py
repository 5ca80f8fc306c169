"""`execactor status`, `positions`, `orders`, `trades`: what the engine knows."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from execactor.service.engine_call import ask, socket_of
from execactor.service.exit_codes import Exit
from execactor.service.options import coloured, finds_engine, json_option
from execactor.service.tables import table

_STATE_COLOURS = {"RUNNING": "green", "SAFE_MODE": "red", "HALTED": "red"}

Row = Mapping[str, Any]


@click.command(epilog="Example: execactor status -c execactor.toml --check")
@finds_engine
@json_option
@click.option("--check", is_flag=True, help="Exit 4 unless the engine is RUNNING.")
def status_command(config_file: Path | None, data_dir: Path, as_json: bool, check: bool) -> int:
    """Show the engine's state, equity, books and latencies.

    Exit codes: 0 ok, 4 with --check when it takes no risk (anything but RUNNING), 69 no engine, 77 not your engine.
    """
    status = ask(socket_of(config_file, data_dir), "status")
    click.echo(json.dumps(status) if as_json else _status_text(status))
    return Exit.NOT_TRADING if check and status["state"] != "RUNNING" else Exit.OK


@click.command(epilog="Example: execactor positions --data-dir run")
@finds_engine
@json_option
def positions_command(config_file: Path | None, data_dir: Path, as_json: bool) -> int:
    """Show every symbol's trade: phase, position, mark price, stop.

    Exit codes: 0 ok, 69 no engine, 77 not your engine.
    """
    rows = ask(socket_of(config_file, data_dir), "positions")
    flattened = [{**row, **row["position"]} for row in rows]
    columns = ("symbol", "phase", "quantity", "entry_price", "mark_price", "stop_price", "realized_pnl", "key")
    return _show(rows, flattened, columns, as_json=as_json)


@click.command(epilog="Example: execactor orders --live --json")
@finds_engine
@json_option
@click.option("--live", is_flag=True, help="Only orders that may still trade.")
def orders_command(config_file: Path | None, data_dir: Path, as_json: bool, live: bool) -> int:
    """Show orders of the last 24 hours, ended ones included.

    Exit codes: 0 ok, 69 no engine, 77 not your engine.
    """
    rows = ask(socket_of(config_file, data_dir), "orders", live=live)
    columns = (
        "client_id", "symbol", "side", "type", "state", "quantity", "filled", "price", "trigger_price", "average_price",
        "reason",
    )  # fmt: skip
    return _show(rows, rows, columns, as_json=as_json)


@click.command(epilog="Example: execactor trades --json")
@finds_engine
@json_option
def trades_command(config_file: Path | None, data_dir: Path, as_json: bool) -> int:
    """Show closed trades of this journal, oldest first; P&L is net of commissions.

    Exit codes: 0 ok, 69 no engine, 77 not your engine.
    """
    rows = ask(socket_of(config_file, data_dir), "trades")
    columns = ("key", "symbol", "side", "quantity", "entry_price", "exit_price", "outcome", "commission", "pnl")
    return _show(rows, rows, columns, as_json=as_json)


def _show(whole: Sequence[Row], rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> int:
    """Everything as a JSON array, or some columns as a table."""
    if as_json:
        click.echo(json.dumps(whole))
    elif rows:
        heads = [column.replace("_", " ") for column in columns]
        click.echo(table(heads, [[_cell(row.get(column)) for column in columns] for row in rows]))
    else:
        click.echo("none")
    return Exit.OK


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _loop_text(status: Row) -> str:
    lag = status["loop_lag_us"]
    busy = ", ".join(f"{each['name']} {each['share']:.0%}" for each in status["busy_threads"])
    late = f"late p50 {lag['p50'] / 1_000:.1f} ms, p99 {lag['p99'] / 1_000:.1f} ms"
    return f"{late}, {status['slow_handlers']} slow handlers" + (f"; busy beside it: {busy}" if busy else "")


def _status_text(status: Row) -> str:
    equity = status["equity"]
    state = str(status["state"])
    shown = click.style(state, fg=_STATE_COLOURS.get(state, "yellow")) if coloured(sys.stdout) else state
    lines = [
        ("state", f"{shown} {status['reason']}".rstrip()),
        ("mode", f"{status['mode']}, account {status['account']}, process {status['pid']}"),
        ("symbols", " ".join(status["symbols"])),
        ("kill switch", f"{status['kill_stage']}, epoch {status['epoch']}"),
        ("equity", f"{equity['equity']} (wallet {equity['wallet']}, open {equity['unrealized_pnl']})"),
        (
            "losses",
            f"day {float(equity['daily_loss_fraction']):.2%}, drawdown {float(equity['drawdown_fraction']):.2%}",
        ),
        ("trades", str(status["trades"])),
        ("journal", f"{status['journal_seq']} records"),
        ("loop", _loop_text(status)),
        ("books", ", ".join(f"{book['symbol']} {book['state']}" for book in status["books"])),
    ]
    lines += [("alerts", f"{count} {code}") for code, count in status["alerts"].items()]
    lines += [
        (leg.replace("_", " "), f"p50 {found['p50']:.0f} µs, p99 {found['p99']:.0f} µs, {found['count']} samples")
        for leg, found in status["latency_us"].items()
    ]
    return table(("", ""), lines)

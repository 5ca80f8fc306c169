"""The examples run, and the pages name every command, option and key as they are."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from execactor import config
from execactor.config import Config
from execactor.domain.decision import Decision, parse_decision
from execactor.service.cli import execactor
from execactor.service.exit_codes import Exit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, DOCS = ROOT / "examples", ROOT / "docs"


def test_the_embedded_example_trades_in_fewer_than_30_lines() -> None:
    source = EXAMPLES / "embedded.py"
    assert len(source.read_text().splitlines()) < 30
    done = subprocess.run([sys.executable, str(source)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "engine is RUNNING" in done.stdout
    assert "filled: capi_entry_first" in done.stdout
    assert "entry accepted: True" in done.stdout
    assert "closed: ['BTCUSDT']" in done.stdout


def test_the_example_decision_is_valid_once_its_time_is_now() -> None:
    body = json.loads((EXAMPLES / "decision.json").read_text())
    body["timestamp_iso"] = datetime.now(UTC).isoformat()
    decision = parse_decision(json.dumps(body).encode(), round(datetime.now(UTC).timestamp() * 1000))
    assert isinstance(decision, Decision), decision


def test_the_example_configuration_shows_the_defaults() -> None:
    shown = config.load(EXAMPLES / "execactor.toml")
    default = config.from_mapping({"symbols": shown.symbols})
    different = [name for name, value in settings(shown) if value != dict(settings(default))[name]]
    assert different == ["decisions.path"]


def settings(node: msgspec.Struct, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in msgspec.structs.asdict(node).items():
        if isinstance(value, msgspec.Struct):
            yield from settings(value, f"{path}{name}.")
        elif f"{path}{name}" != "base":
            yield f"{path}{name}", value


def documented_keys() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \| .* \| (.+?) \| .* \|$", (DOCS / "configuration.md").read_text(), re.M)
    return dict(rows)


def test_the_page_of_the_configuration_names_every_key_with_its_default() -> None:
    actual = dict(settings(config.from_mapping({"symbols": ["BTCUSDT"]})))
    told = documented_keys()
    assert set(told) == set(actual)
    assert Config.__struct_fields__[-1] == "base"
    for key, value in actual.items():
        shown = {"symbols": "required", "lock_dir": told["lock_dir"], "decisions.path": "empty"}.get(key)
        plain = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        assert told[key].strip("`") == (shown or plain).strip("`"), key


@pytest.mark.parametrize("name", execactor.list_commands(click.Context(execactor)))
def test_the_page_of_the_command_line_names_every_command(name: str) -> None:
    assert f"`{name}" in (DOCS / "cli.md").read_text()


def test_the_page_of_the_command_line_names_every_exit_code() -> None:
    page = (DOCS / "cli.md").read_text()
    assert all(f"| {int(code)} |" in page for code in Exit)


def test_the_page_of_the_command_line_names_every_method_of_the_socket() -> None:
    page = (DOCS / "cli.md").read_text()
    methods = importlib.import_module("execactor.control.methods").METHODS
    assert all(f"`{method}`" in page for method in [*methods, "subscribe"])

"""The checker stands alone: it imports nothing of the project, and runs from the command line."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from venue_log_builder import LogBuilder

import execactor.simulator.checker
from execactor.simulator.checker.__main__ import main

PACKAGE = Path(execactor.simulator.checker.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_imports_are_the_standard_librarys_or_its_own(module: Path) -> None:
    own = {path.stem for path in MODULES}
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            roots = {str(node.module).split(".")[0]}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1
            assert node.module is None or node.module in own
            continue
        else:
            continue
        assert roots <= sys.stdlib_module_names


def test_nothing_is_imported_by_name_at_run_time() -> None:
    for module in MODULES:
        names = {node.id for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"__import__", "importlib", "eval", "exec"}


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    log = LogBuilder()
    log.trade("capi_entry_d1", "BUY", "1", "100")
    log.trigger_and_fill(log.stop("capi_sl_d1", "SELL", "95"), "95")
    log.record("end")
    path = tmp_path / "venue.jsonl"
    path.write_text("".join(log.text()), encoding="utf-8")
    return path


def test_a_log_in_order_exits_0_with_a_summary(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(log_file)]) == 0

    out = capsys.readouterr().out
    assert out.startswith("ok: ")
    assert "trade BTCUSDT d1 long 1: stopped, -5.078 net" in out


def test_a_violation_exits_1(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = len(log_file.read_text().splitlines()) + 1
    with log_file.open("a") as log:
        log.write(json.dumps({"n": line, "t": 0, "kind": "request", "id": 1, "method": "order.place", "params": {}}))

    assert main([str(log_file)]) == 1
    assert f"violation: line {line} [A1]: order.place sends the client id None" in capsys.readouterr().out


def test_the_prefix_is_an_option(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(log_file), "--prefix", "other"]) == 0
    assert "trade BTCUSDT None long 1: foreign" in capsys.readouterr().out


def test_json_is_the_whole_report(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(log_file), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_the_engines_report_is_read_from_a_file(log_file: Path, tmp_path: Path) -> None:
    engine_report = tmp_path / "engine.json"
    engine_report.write_text('{"positions": {"BTCUSDT": "1"}}')

    assert main([str(log_file), "--engine-report", str(engine_report)]) == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not text"])
def test_an_unreadable_log_exits_2(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "venue.jsonl"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SystemExit) as stopped:
        main([str(path)])

    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_it_runs_as_a_module(log_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "execactor.simulator.checker", str(log_file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: ")

"""The command line: help, versions, exit codes, and the one line that an error is."""

import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from processes import Processes, eventually, execactor

import execactor as package
from execactor.control import ControlClosed, ControlDenied, ControlRefused, ControlTimeout, EngineAbsent
from execactor.domain.errors import ConfigurationError, ExecactorError, RetryLater, VenueFatal
from execactor.service.cli import main
from execactor.service.exit_codes import Exit
from execactor.service.failures import exit_code

COMMANDS = (
    "run", "status", "positions", "orders", "trades", "kill", "reconcile", "resume", "doctor", "simulator", "simulate",
    "demo",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example_and_its_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == Exit.OK
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Usage: execactor {command}" in shown
    assert "Example: execactor" in shown
    assert "Exit codes:" in shown
    assert "--json" in shown


def test_the_list_of_commands_is_whole_and_needs_none_of_their_modules() -> None:
    script = (
        "import sys; from execactor.service.cli import main; code = main(['--help']);"
        "loaded = [name for name in ('execactor.engine', 'aiohttp', 'execactor._core') if name in sys.modules];"
        "print(loaded); sys.exit(code or bool(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert all(f"  {command} " in done.stdout for command in COMMANDS)


def test_the_version_is_the_packages() -> None:
    done = execactor("--version")
    assert (done.returncode, done.stdout) == (0, f"execactor, version {package.__version__}\n")
    project = Path(package.__file__).parents[2] / "pyproject.toml"
    if project.exists():
        assert tomllib.loads(project.read_text())["project"]["version"] == package.__version__


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["dance"], "No such command 'dance'", id="an unknown command"),
        pytest.param(["status", "--loud"], "No such option", id="an unknown option"),
        pytest.param(["simulator", "--port", "x"], "'x' is not a valid integer", id="a port that is no number"),
        pytest.param(["simulator", "--faults", "all"], "'all' is not one of", id="an unknown profile of faults"),
        pytest.param(["simulator", "--speed", "0"], "must be above 0", id="a market that stands still"),
        pytest.param(["demo", "--speed", "0"], "not in the range", id="a demo that stands still"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.USAGE
    assert says in capsys.readouterr().err.replace('"', "'")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("key", 1, "fix"), 78),
        (VenueFatal("key invalid"), 77),
        (ControlDenied("not yours"), 77),
        (RetryLater("no connection"), 69),
        (EngineAbsent("no engine"), 69),
        (ControlTimeout("hangs"), 69),
        (ControlClosed("gone"), 69),
        (ControlRefused("refused", "no"), 3),
        (ExecactorError("a defect"), 70),
    ],
)
def test_each_error_has_the_exit_code_of_the_reaction_that_it_needs(error: ExecactorError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("command", ["status", "positions", "orders", "trades", "kill", "resume"])
def test_without_an_engine_a_command_exits_69_and_says_how_to_start_one(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--data-dir", str(tmp_path)]) == Exit.UNAVAILABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"execactor: no engine is running at {tmp_path}/control.sock; start one with `execactor run`"
    ]


def test_a_defect_exits_70_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from execactor.service import queries

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(queries, "ask", broken)
    assert main(["status", "--data-dir", str(tmp_path)]) == Exit.INTERNAL
    assert "ZeroDivisionError: a defect" in capsys.readouterr().err


def test_a_pipe_that_closes_early_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m execactor --help | true", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


ROW = {
    "symbol": "BTCUSDT",
    "kind": "stray_order",
    "subject": "capi_entry_x",
    "detail": "",
    "action": "cancel it",
}
RECORD = {"reason": "r", "counts": {"stray_order": 1}, "details": ["BTCUSDT stray_order: x"], "rounds": 2}


@pytest.mark.parametrize(
    ("arguments", "answer", "code", "says"),
    [
        pytest.param(["--dry-run"], [ROW], 1, "BTCUSDT  stray_order  capi_entry_x  -       cancel it", id="a table"),
        pytest.param(["--dry-run", "--json"], [ROW], 1, '"counts": {"stray_order": 1}', id="a difference as JSON"),
        pytest.param([], RECORD | {"settled": True}, 0, "BTCUSDT stray_order: x", id="found, and settled"),
        pytest.param([], RECORD | {"settled": False}, 1, "do not agree after 2 rounds", id="not settled"),
        pytest.param(["--json"], RECORD | {"settled": False}, 1, '"settled": false', id="not settled, as JSON"),
    ],
)
def test_reconcile_shows_what_differs_and_exits_by_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    answer: object,
    code: int,
    says: str,
) -> None:
    from execactor.service import reconcile

    monkeypatch.setattr(reconcile, "ask", lambda *_, **__: answer)
    assert main(["reconcile", *arguments]) == code
    assert says in capsys.readouterr().out


def test_the_commands_show_a_running_engine(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator())
    processes.engine(file)
    by_file = ["-c", str(file)]
    by_directory = ["--data-dir", str(tmp_path / "run")]
    status = execactor("status", *by_file, "--check")
    assert status.returncode == 0
    assert "RUNNING" in status.stdout
    assert json.loads(execactor("status", *by_directory, "--json").stdout)["mode"] == "sim"
    positions = json.loads(execactor("positions", *by_file, "--json").stdout)
    assert [row["symbol"] for row in positions] == ["BTCUSDT", "ETHUSDT"]
    assert execactor("positions", *by_directory).stdout.splitlines()[0].split()[:2] == ["symbol", "phase"]
    assert json.loads(execactor("orders", *by_file, "--json").stdout) == []
    assert execactor("trades", *by_file).stdout == "none\n"

    dry_run = execactor("reconcile", *by_directory, "--dry-run")
    assert (dry_run.returncode, dry_run.stdout) == (0, "no difference\n")
    shown = json.loads(execactor("reconcile", *by_file, "--dry-run", "--json").stdout)
    assert shown == {"dry_run": True, "counts": {}, "differences": []}
    compared = execactor("reconcile", *by_file)
    assert (compared.returncode, compared.stdout) == (0, "no difference\n")

    assert json.loads(execactor("kill", *by_file, "--json", "--wait", "0", "--reason", "drill").stdout)["flat"] is False
    halted = execactor("status", *by_file, "--check")
    assert (halted.returncode, "HALTED drill" in halted.stdout) == (4, True)
    assert execactor("resume", *by_file).returncode == 3
    killed = execactor("kill", *by_file)
    assert (killed.returncode, killed.stdout) == (0, "HALTED: the account is flat, stops are cancelled\n")
    resumed = execactor("resume", *by_file, "--json", "--reason", "checked")
    assert resumed.returncode == 0
    assert json.loads(resumed.stdout)["kill_stage"] == "OFF"
    assert eventually(lambda: execactor("status", *by_file, "--check").returncode == 0)
    offline = execactor("kill", *by_file, "--offline", EXECACTOR_API_KEY="k", EXECACTOR_API_SECRET="s")
    assert offline.returncode == 3
    assert "answers: use `execactor kill` without --offline" in offline.stderr
    assert not (tmp_path / "run" / "HALT").exists()


def test_colours_are_for_terminals_and_no_color_switches_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from execactor.service.options import coloured

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured(Terminal())  # type: ignore[arg-type]
    assert not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())  # type: ignore[arg-type]

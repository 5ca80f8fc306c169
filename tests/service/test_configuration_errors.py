"""A wrong setting: exit 78, and one line with the key, the value and the fix."""

from pathlib import Path

import pytest

from execactor.service.cli import main

GOOD = 'mode = "sim"\nsymbols = ["BTCUSDT"]\n'


@pytest.mark.parametrize(
    ("text", "key", "value", "fix"),
    [
        pytest.param("symbols = [", "-c", "execactor.toml", "not valid TOML", id="no TOML"),
        pytest.param('mode = "sim"', "symbols", "None", "required; add it", id="a key is missing"),
        pytest.param(GOOD + "color = 1", "color", "1", "unknown key; remove it", id="an unknown key"),
        pytest.param(GOOD + "[risk]\nlimit = 5", "risk.limit", "5", "unknown key", id="an unknown key of a section"),
        pytest.param(GOOD + "[venue]\nleverage = 'x'", "venue.leverage", "'x'", "expected `int`", id="a wrong type"),
        pytest.param(GOOD + "[venue]\nleverage = 9", "venue.leverage", "9", "risk.max_leverage", id="above a limit"),
        pytest.param(GOOD + "[venue]\nleverage = 0", "venue.leverage", "0", "must be above 0", id="no leverage"),
        pytest.param(
            GOOD + "[venue]\nrecv_window_ms = 9000", "venue.recv_window_ms", "9000", "choose 1 to 2000", id="a range"
        ),
        pytest.param(
            GOOD + "[venue]\nrest_url = 'https://fapi.binance.com'", "venue.rest_url", "'https://fapi.binance.com'",
            "loopback only", id="the simulator elsewhere",
        ),
        pytest.param(
            GOOD + "[risk]\ndaily_loss_fraction = 2", "risk.daily_loss_fraction", "2", "e.g. 0.02 for 2 %", id="percent"
        ),
        pytest.param(GOOD + "[risk]\nmax_order_notional = nan", "risk.max_order_notional", "NaN", "above 0", id="NaN"),
        pytest.param('mode = "live"\nsymbols = ["BTCUSDT"]', "mode", "'live'", "use testnet or sim", id="live"),
        pytest.param('mode = "paper"\nsymbols = ["BTCUSDT"]', "mode", "'paper'", "use sim", id="paper"),
        pytest.param('mode = "fast"\nsymbols = ["BTCUSDT"]', "mode", "'fast'", "choose ", id="no mode"),
        pytest.param("symbols = []", "symbols", "[]", 'name at least one, e.g. ["BTCUSDT"]', id="no symbols"),
        pytest.param(GOOD + 'prefix = "a_b"', "prefix", "'a_b'", "1 to 8 letters and digits", id="a bad prefix"),
        pytest.param(GOOD + '[log]\nlevel = "LOUD"', "log.level", "'LOUD'", "choose ", id="a bad level"),
        pytest.param(GOOD, "EXECACTOR_API_KEY", "''", "put it into the environment", id="no key"),
    ],
)  # fmt: skip
def test_the_line_names_key_value_and_fix(
    text: str, key: str, value: str, fix: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("EXECACTOR_API_KEY", "EXECACTOR_API_KEY_FILE", "EXECACTOR_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "execactor.toml"
    file.write_text(text)
    assert main(["run", "-c", str(file)]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"execactor: configuration error: {key} = ")
    assert value in line
    assert fix in line


@pytest.mark.parametrize("command", ["run", "status", "positions", "orders", "trades", "kill", "resume"])
def test_a_configuration_file_that_is_not_there_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "-c", str(tmp_path / "none.toml")]) == 78
    assert f"-c = '{tmp_path}/none.toml': the file cannot be read" in capsys.readouterr().err


def test_a_log_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECACTOR_API_KEY", "k")
    monkeypatch.setenv("EXECACTOR_API_SECRET", "s")
    (tmp_path / "logs").write_text("a file, not a directory")
    file = tmp_path / "execactor.toml"
    file.write_text(GOOD)
    assert main(["run", "-c", str(file)]) == 78
    assert "log.file = " in capsys.readouterr().err


def test_a_capture_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "btcusdt_20240808.gz")
    assert main(["simulator", "--port", "0", "--replay", missing]) == 78
    assert f"--replay = '{missing}'" in capsys.readouterr().err
    assert main(["demo", "--replay", missing]) == 78

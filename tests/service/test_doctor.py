"""`execactor doctor`: each check, what it says, and the fix that it names."""

import json
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_room import settings_of

from execactor import config
from execactor.service import checks
from execactor.service.checks import Finding, Verdict
from execactor.service.cli import main
from execactor.simulator import SimulatedVenue, SimulatorConfig


def only(findings: Iterable[Finding], check: str) -> Finding:
    return next(finding for finding in findings if finding.check == check)


def source_tree(tmp_path: Path, library_is_older: bool) -> Path:
    package = tmp_path / "python" / "execactor"
    source = tmp_path / "rust" / "core" / "src" / "book.rs"
    for file in (package / "_core.abi3.so", source):
        file.parent.mkdir(parents=True)
        file.write_text("")
    now = time.time()
    os.utime(package / "_core.abi3.so", (now, now - 60 if library_is_older else now))
    os.utime(source, (now - 30, now - 30))
    return package


def test_an_extension_older_than_its_sources_fails_and_names_make_build(tmp_path: Path) -> None:
    found = only(checks.extension(source_tree(tmp_path, library_is_older=True)), "extension sources")
    assert found.verdict is Verdict.FAIL
    assert "rust/core/src/book.rs is newer" in found.detail
    assert "make build" in found.fix


def test_an_extension_younger_than_its_sources_is_fine(tmp_path: Path) -> None:
    found = only(checks.extension(source_tree(tmp_path, library_is_older=False)), "extension sources")
    assert found.verdict is Verdict.OK


def test_an_installation_without_sources_has_nothing_to_compare(tmp_path: Path) -> None:
    assert [finding.check for finding in checks.extension(tmp_path / "site-packages" / "execactor")] == ["extension"]


def test_sqlite_must_be_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(checks.sqlite(), "sqlite").verdict is Verdict.OK
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    found = only(checks.sqlite(), "sqlite")
    assert (found.verdict, "3.51.3 or newer" in found.fix) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(50 << 20, Verdict.FAIL), (500 << 20, Verdict.WARN), (5 << 30, Verdict.OK)],
)
def test_the_disk_must_have_room(free: int, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    settings = config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path))
    assert only(checks.disk(settings), "disk").verdict is verdict


def test_what_others_may_read_fails_with_the_chmod_that_helps(tmp_path: Path) -> None:
    settings = config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path), base=tmp_path)
    (tmp_path / ".env").write_text("EXECACTOR_API_KEY=k\n")
    (tmp_path / ".env").chmod(0o644)
    (tmp_path / "run").mkdir(mode=0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(settings.control_socket))
        settings.control_socket.chmod(0o666)
        found = {finding.check: finding for finding in checks.permissions(settings)}
    assert {finding.verdict for finding in found.values()} == {Verdict.FAIL}
    assert found[".env"].fix == f"chmod 600 {tmp_path}/.env"
    assert found["data directory"].fix == f"chmod 700 {tmp_path}/run"
    assert found["control socket"].fix == f"chmod 600 {tmp_path}/run/control.sock"


def test_what_only_the_user_may_read_and_what_is_not_there_are_fine(tmp_path: Path) -> None:
    settings = config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path), base=tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    assert {finding.verdict for finding in checks.permissions(settings)} == {Verdict.OK}


def test_missing_keys_fail_and_present_ones_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path), base=tmp_path)
    monkeypatch.delenv("EXECACTOR_API_KEY", raising=False)
    missing = only(checks.keys(settings), "keys")
    assert (missing.verdict, missing.detail) == (Verdict.FAIL, "EXECACTOR_API_KEY")
    monkeypatch.setenv("EXECACTOR_API_KEY", "visible-key")
    monkeypatch.setenv("EXECACTOR_API_SECRET", "visible-secret")
    assert "visible" not in only(checks.keys(settings), "keys").detail


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"),
    [(0, Verdict.OK), (-600, Verdict.WARN), (600, Verdict.WARN), (5_000, Verdict.FAIL)],
)
async def test_the_clock_is_measured_against_the_venue(
    ahead_ms: int, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimulatedVenue(SimulatorConfig()) as venue:
        ours = time.time
        monkeypatch.setattr(checks, "time", SimpleNamespace(time=lambda: ours() - ahead_ms / 1_000))
        found = await checks.clock(config.from_mapping(settings_of(venue.rest_url, tmp_path)))
    assert found.verdict is verdict, found
    assert ("NTP" in found.fix) == (verdict is not Verdict.OK)


async def test_a_venue_that_is_not_there_fails_with_what_to_start(tmp_path: Path) -> None:
    found = await checks.clock(config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path)))
    assert (found.verdict, "execactor simulator" in found.fix) == (Verdict.FAIL, True)


async def test_an_engine_that_hangs_fails_and_none_is_fine(tmp_path: Path) -> None:
    settings = config.from_mapping(settings_of("http://127.0.0.1:9", tmp_path))
    assert [found.verdict for found in await checks.engine(settings)] == [Verdict.OK]
    settings.data_path.mkdir()
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(settings.control_socket))
        hung.listen()
        (found,) = await checks.engine(settings)
    assert (found.verdict, "kill --offline" in found.fix) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("p99_us", "slow", "share", "verdict", "said"),
    [
        (1_500, 0, 0.0, Verdict.OK, "late p99 1.5 ms, 0 slow handlers"),
        (21_000, 0, 0.0, Verdict.WARN, "late p99 21.0 ms"),
        (1_500, 2, 0.1, Verdict.WARN, "2 slow handlers"),
        (1_500, 0, 0.5, Verdict.WARN, "busy beside it: model"),
    ],
)
def test_what_holds_the_loop_of_a_running_engine_is_a_warning(
    p99_us: float, slow: int, share: float, verdict: Verdict, said: str
) -> None:
    busy = [{"name": "model", "share": share}]
    found = checks.loop_finding({"loop_lag_us": {"p99": p99_us}, "slow_handlers": slow, "busy_threads": busy})
    assert found.verdict is verdict
    assert said in found.detail
    assert bool(found.fix) == (verdict is not Verdict.OK)


def test_the_command_exits_1_when_a_check_failed_and_shows_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "execactor.toml"
    file.write_text('mode = "sim"\nsymbols = []\n')
    assert main(["doctor", "-c", str(file), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    wrong = next(finding for finding in shown["findings"] if finding["check"] == "configuration")
    assert (shown["ok"], wrong["verdict"], wrong["detail"]) == (False, "fail", "symbols = []")
    assert main(["doctor", "-c", str(file)]) == 1
    assert "fail  configuration" in capsys.readouterr().out


def test_without_a_configuration_the_installation_alone_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["doctor"])
    assert "start from examples/execactor.toml" in capsys.readouterr().out

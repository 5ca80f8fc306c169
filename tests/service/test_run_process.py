"""`execactor run` as a process: how it starts, stops, refuses and is killed."""

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from engine_room import KEYS, decision
from processes import Processes, eventually, execactor

from execactor.service.cli import main


def test_sigterm_and_sigint_stop_it_in_time_and_remove_the_socket(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator())
    for number in (signal.SIGTERM, signal.SIGINT):
        engine = processes.engine(file)
        assert eventually((tmp_path / "run" / "control.sock").exists)
        began = time.monotonic()
        engine.process.send_signal(number)
        assert engine.ends() == 0, engine.output
        assert time.monotonic() - began < 10
        assert "stopped" in engine.output
        assert not (tmp_path / "run" / "control.sock").exists()


def test_the_second_signal_ends_it_at_once() -> None:
    script = (
        "import asyncio\n"
        "from execactor.service.run import on_signals\n"
        "async def main():\n"
        "    on_signals()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert not eventually(lambda: process.poll() is not None, within_s=0.3)
        process.terminate()
        assert process.wait(5) == 128 + signal.SIGTERM


def test_it_ends_with_the_process_that_holds_its_standard_input(processes: Processes) -> None:
    file = processes.configuration(processes.simulator())
    engine = processes.engine(file, "--exit-with-parent")
    engine.hang_up()
    assert engine.ends() == 0


def test_the_simulator_ends_with_its_parent_too(processes: Processes) -> None:
    venue = processes.start("simulator", "--port", "0", "--exit-with-parent")
    assert "simulated venue at http://127.0.0.1:" in venue.line_with("simulated venue")
    venue.hang_up()
    assert venue.ends() == 0


def test_a_taken_port_exits_69(processes: Processes) -> None:
    port = processes.simulator().rpartition(":")[2]
    second = execactor("simulator", "--port", port)
    assert (second.returncode, f"port {port} cannot be used" in second.stderr) == (69, True)


def test_a_second_engine_on_the_account_is_refused_and_hurts_nobody(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator())
    engine = processes.engine(file)
    second = execactor("run", "-c", str(file), **KEYS)
    assert second.returncode == 78
    assert f"process {engine.pid} trades this account already; stop it first" in second.stderr
    assert "Traceback" not in second.stdout + second.stderr
    assert execactor("status", "-c", str(file), "--check").returncode == 0


def test_a_key_that_the_venue_refuses_exits_77(processes: Processes) -> None:
    file = processes.configuration(processes.simulator())
    refused = execactor("run", "-c", str(file), EXECACTOR_API_KEY="wrong", EXECACTOR_API_SECRET="wrong")
    assert refused.returncode == 77
    assert "the venue refuses to work with this account" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_a_venue_that_cannot_be_reached_exits_69(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("execactor.assembly.CONNECT_S", 0.3)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert main(["run", "-c", str(processes.configuration("http://127.0.0.1:9"))]) == 69
    assert "the venue cannot be reached" in capsys.readouterr().err


def test_a_signal_while_it_waits_for_the_venue_stops_it(processes: Processes) -> None:
    waiting = processes.start("run", "-c", str(processes.configuration("http://127.0.0.1:9")), **KEYS)
    waiting.line_with("trying again")
    assert waiting.stop() == 0


def test_secrets_that_others_may_read_are_warned_about(processes: Processes, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    dotenv.chmod(0o644)
    started = processes.start("run", "-c", str(processes.configuration("http://127.0.0.1:9")))
    line = started.line_with("has mode 0644")
    assert "warning" in line
    assert f"chmod 600 {dotenv}" in line


def test_json_lines_on_stdout_when_asked_for(processes: Processes) -> None:
    file = processes.configuration(processes.simulator())
    engine = processes.start("run", "-c", str(file), "--json", **KEYS)
    line = json.loads(engine.line_with("RUNNING"))
    assert (line["event"], line["level"]) == ("engine is RUNNING: ", "info")


def test_kill_9_and_again_the_same_position_with_the_same_stop(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator(), '[decisions]\npath = "decisions"\n')
    (tmp_path / "decisions").mkdir()
    engine = processes.engine(file)
    hold(file, tmp_path)
    engine.kill()
    assert (tmp_path / "run" / "control.sock").exists()
    processes.engine(file)
    assert eventually(lambda: len(asked(file, "orders", "--live")) == 3)
    (position, _) = asked(file, "positions")
    assert (position["phase"], position["key"]) == ("IN_POSITION", "held")
    lines = [json.loads(line) for line in (tmp_path / "venue.jsonl").read_text().splitlines()]
    placed = [line["client_id"] for line in lines if line["kind"] == "algo" and line["status"] == "NEW"]
    assert sorted(placed) == ["capi_sl_held", "capi_tp1_held", "capi_tp2_held"]


def test_an_engine_that_hangs_is_killed_offline_and_stays_off(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator(), '[decisions]\npath = "decisions"\n')
    (tmp_path / "decisions").mkdir()
    engine = processes.engine(file)
    hold(file, tmp_path)
    engine.process.send_signal(signal.SIGSTOP)
    done = execactor("kill", "--offline", "-c", str(file), "--reason", "it hangs", "--json", **KEYS)
    shown = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert shown["closed"] == ["BTCUSDT"]
    assert f"process {engine.pid} trades this account already" in shown["problems"][-1]
    assert "end that process" in shown["problems"][-1]
    engine.kill()
    again = processes.start("run", "-c", str(file), **KEYS)
    again.line_with("kill sequence complete")
    status = execactor("status", "-c", str(file), "--check")
    assert (status.returncode, "HALTED offline kill: it hangs" in status.stdout) == (4, True)
    assert execactor("resume", "-c", str(file)).returncode == 0
    assert eventually(lambda: execactor("status", "-c", str(file), "--check").returncode == 0)
    assert not (tmp_path / "run" / "HALT").exists()


def test_an_offline_kill_that_cannot_reach_the_venue_exits_1_and_leaves_the_marker(
    processes: Processes, tmp_path: Path
) -> None:
    file = processes.configuration("http://127.0.0.1:9")
    done = execactor("kill", "--offline", "-c", str(file), "--wait", "1", **KEYS)
    assert done.returncode == 1
    assert "NOT confirmed flat: look at the venue" in done.stdout
    assert (tmp_path / "run" / "HALT").exists()


def asked(file: Path, *arguments: str) -> list[dict[str, object]]:
    answer = json.loads(execactor(*arguments, "-c", str(file), "--json").stdout)
    assert isinstance(answer, list)
    return answer


def hold(file: Path, directory: Path) -> None:
    """Feed a decision and wait until its stop and targets are at the venue."""
    assert eventually(lambda: asked(file, "positions")[0]["mark_price"] is not None)
    body = decision("BTCUSDT", Decimal(str(asked(file, "positions")[0]["mark_price"])), key="held")
    draft = directory / "draft"
    draft.write_bytes(body)
    draft.replace(directory / "decisions" / "held.json")
    assert eventually(lambda: len([o for o in asked(file, "orders", "--live") if o["state"] == "ACKNOWLEDGED"]) == 3)

"""`execactor kill` and `resume`: off, and on again."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from execactor import assembly
from execactor import config as configuration
from execactor.config import Config
from execactor.control.client import ControlClient, ControlRefused, ControlTimeout, EngineAbsent
from execactor.domain.errors import ConfigurationError
from execactor.offline_kill import OfflineKill, OfflineKiller, leave_marker
from execactor.runtime import SystemClock
from execactor.service.engine_call import ask, socket_of
from execactor.service.exit_codes import Exit
from execactor.service.logging import to_stderr
from execactor.service.options import config_option, data_dir_option, finds_engine, json_option
from execactor.store.lock import AccountLock

DEFAULT_CONFIG = Path("execactor.toml")
_POLL_S = 0.1
_PROBE_S = 2.0


@click.command(
    epilog='Example: execactor kill --reason "news"; when the engine hangs: execactor kill --offline -c FILE'
)
@config_option
@data_dir_option
@json_option
@click.option("--reason", default="killed by hand", show_default=True, help="What people will read later.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=30.0, show_default=True, help="Seconds until flat.")
@click.option("--offline", is_flag=True, help="Act at the venue directly: the engine does not answer.")
def kill_command(
    config_file: Path | None, data_dir: Path, as_json: bool, reason: str, wait_s: float, offline: bool
) -> int:
    """Pull the kill switch: cancel entries, close every position, cancel stops last, stay off until `resume`.

    With --offline (needs the configuration file and the keys) the same is done without the engine, and the marker HALT
    in the data directory keeps a later engine off. Orders without our prefix are never touched.
    Exit codes: 0 flat confirmed, 1 not confirmed in time, 3 --offline while the engine answers, 69 no engine,
    77 not your engine or key refused.
    """
    if offline:
        settings = configuration.load(config_file or DEFAULT_CONFIG)
        done = asyncio.run(_kill_offline(settings, reason, wait_s))
        click.echo(msgspec.json.encode(done) if as_json else _offline_text(done))
        return Exit.OK if done.flat else Exit.FAILED
    status = asyncio.run(_kill(socket_of(config_file, data_dir), reason, wait_s))
    flat = status["kill_stage"] == "FLAT"
    text = "the account is flat, stops are cancelled" if flat else "not confirmed flat yet; the sequence goes on"
    click.echo(json.dumps({**status, "flat": flat}) if as_json else f"{status['state']}: {text}")
    return Exit.OK if flat or not wait_s else Exit.FAILED


@click.command(epilog='Example: execactor resume --reason "checked by hand"')
@finds_engine
@json_option
@click.option("--reason", default="resumed by hand", show_default=True, help="What people will read later.")
def resume_command(config_file: Path | None, data_dir: Path, as_json: bool, reason: str) -> int:
    """Trade again after a kill, SAFE MODE or a pause; the engine compares with the venue first.

    Exit codes: 0 followed, 3 refused (the reason is printed), 69 no engine, 77 not your engine.
    """
    status = ask(socket_of(config_file, data_dir), "resume", reason=reason)
    click.echo(json.dumps(status) if as_json else f"{status['state']}: trading starts after a comparison")
    return Exit.OK


async def _kill(socket: Path, reason: str, wait_s: float) -> dict[str, Any]:
    async with await ControlClient.connect(socket) as client:
        status: dict[str, Any] = await client.call("kill", reason=reason)
        over_s = time.monotonic() + wait_s
        while status["kill_stage"] != "FLAT" and time.monotonic() < over_s:
            await asyncio.sleep(_POLL_S)
            status = await client.call("account")
        return status


async def _kill_offline(settings: Config, reason: str, wait_s: float) -> OfflineKill:
    await _refuse_if_alive(settings.control_socket)
    credentials = configuration.credentials(settings)
    leave_marker(settings.data_path, reason)
    log = to_stderr()
    clock = SystemClock(asyncio.get_running_loop())
    lock = AccountLock(settings.lock_path, assembly.fingerprint(settings, credentials))
    venue = assembly.make_venue(settings, credentials, clock)
    try:
        hung = _lock_problem(lock)
        done = await OfflineKiller(venue, clock, settings.symbols, settings.prefix).run(wait_s)
        if hung is not None:
            done.problems.append(f"{hung}; it did not answer and may still act: end that process")
        return done
    finally:
        await venue.close()
        lock.release()
        log.close()


async def _refuse_if_alive(socket: Path) -> None:
    """Raises ControlRefused when the engine answers, and ControlClosed or ControlDenied when it will not talk to us."""
    try:
        async with await ControlClient.connect(socket, _PROBE_S) as client:
            await client.call("ping")
    except (EngineAbsent, ControlTimeout):
        return
    raise ControlRefused("refused", f"the engine at {socket} answers: use `execactor kill` without --offline")


def _lock_problem(lock: AccountLock) -> str | None:
    """Take the account if it is free, so that no engine starts meanwhile; else who holds it."""
    try:
        lock.acquire()
    except ConfigurationError as error:
        return str(error)
    return None


def _offline_text(done: OfflineKill) -> str:
    lines = [
        f"cancelled: {', '.join(done.cancelled) or 'nothing'}",
        f"closed: {', '.join(done.closed) or 'nothing'}",
        *[f"problem: {text}" for text in done.problems],
        "the account is flat, confirmed twice" if done.flat else "NOT confirmed flat: look at the venue",
    ]
    return "\n".join(lines)

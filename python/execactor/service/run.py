"""`execactor run`: the trading process of one account."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import click
import uvloop

from execactor import config as configuration
from execactor.config import Config, Credentials
from execactor.control import ControlServer
from execactor.domain.errors import ConfigurationError, ExecactorError
from execactor.engine import Engine
from execactor.runtime import set_switch_interval
from execactor.service import checks
from execactor.service.exit_codes import Exit
from execactor.service.logging import LogSettings, LogWriter, configure
from execactor.service.options import coloured, config_option, exit_with_parent_option, json_option
from execactor.service.parent import stop_with_parent

logger = logging.getLogger(__name__)

STOP_S = 10.0
WARM_UP_S = 2.0
DEFAULT_CONFIG = Path("execactor.toml")


@click.command(epilog="Example: execactor run -c execactor.toml")
@config_option
@json_option
@exit_with_parent_option
def run_command(config_file: Path | None, as_json: bool, exit_with_parent: bool) -> int:
    """Run the engine of one account until SIGTERM or SIGINT.

    Without -c, ./execactor.toml is read. Log lines go to stdout (JSON lines with --json) and to the configured file.
    The first signal stops within 10 s and leaves protective orders at the venue; a second one ends at once.
    Exit codes: 0 stopped, 69 venue unreachable, 77 venue refuses the key, 78 a setting is wrong.
    """
    settings = configuration.load(config_file or DEFAULT_CONFIG)
    credentials = configuration.credentials(settings)
    log = _log_to(settings, credentials, as_json=as_json)
    for finding in checks.permissions(settings):
        if finding.verdict is not checks.Verdict.OK:
            logger.warning("%s: others may read it; %s", finding.detail, finding.fix)
    try:
        uvloop.run(_run(settings, credentials, exit_with_parent=exit_with_parent))
    except Exception as error:
        logger.critical("the engine ended: %s", error, exc_info=not isinstance(error, ExecactorError))
        raise
    finally:
        log.close()
    return Exit.OK


def _log_to(settings: Config, credentials: Credentials, *, as_json: bool) -> LogWriter:
    wanted = settings.log
    file = settings.path(wanted.file) if wanted.file else None
    try:
        return configure(
            LogSettings(
                level=wanted.level,
                file=file,
                max_bytes=wanted.max_bytes,
                backups=wanted.backups,
                stream=sys.stdout,
                json_stream=as_json,
                colour=coloured(sys.stdout),
                secrets=(credentials.api_key, credentials.api_secret),
            )
        )
    except OSError as error:
        raise ConfigurationError("log.file", str(file), f"cannot be written: {error.strerror}") from error


async def _run(settings: Config, credentials: Credentials, *, exit_with_parent: bool) -> None:
    stopping = on_signals()
    if exit_with_parent:
        stop_with_parent(asyncio.get_running_loop())
    set_switch_interval()
    engine = Engine.from_config(settings, credentials=credentials)
    starting = asyncio.ensure_future(engine.start())
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    await starting
    try:
        async with ControlServer(engine, settings.control_socket):
            logger.info("control socket %s, process %d", settings.control_socket, os.getpid())
            collecting = asyncio.ensure_future(_keep_tidy(engine))
            try:
                await stopping.wait()
            finally:
                collecting.cancel()
    finally:
        logger.info("stopping; orders at the venue stay")
        await _stop(engine)


async def _stop(engine: Engine) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await engine.stop()
    except TimeoutError:
        raise ExecactorError(f"the engine did not stop within {STOP_S:g} s; its orders are at the venue") from None
    logger.info("stopped")


def on_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second one ends the process without a word."""
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        logger.info("%s: stopping", signal.Signals(number).name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    return stopping


async def _keep_tidy(engine: Engine) -> None:
    """After warm-up no automatic garbage collection."""
    await engine.ready()
    await asyncio.sleep(WARM_UP_S)
    engine.collect_when_idle()

"""`execactor simulator`: a simulated venue on loopback."""

import asyncio
import json
import os
from decimal import Decimal
from pathlib import Path

import click
import uvloop

from execactor.domain.errors import ConfigurationError
from execactor.service.exit_codes import Exit
from execactor.service.logging import to_stderr
from execactor.service.options import exit_with_parent_option, json_option
from execactor.service.parent import stop_with_parent
from execactor.simulator import SimulatorConfig, serve


@click.command(
    epilog="Example: execactor simulator --port 8181 --seed 7, then execactor run -c examples/execactor.toml"
)
@click.option("--port", type=click.IntRange(0, 65535), default=8181, show_default=True, help="0 chooses a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Draws prices, faults and delays.")
@click.option("--replay", metavar="FILE", help="Captures joined by '+'; their symbol is replayed.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="Of the market against the wall clock.")
@click.option("--venue-log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write all of it.")
@click.option("--faults", type=click.Choice(["none", "default", "rough"]), default="none", show_default=True)
@click.option("--wallet", type=click.IntRange(1), default=100_000, show_default=True, help="USDT.")
@json_option
@exit_with_parent_option
def simulator_command(
    port: int,
    seed: int,
    replay: str | None,
    speed: float,
    venue_log: Path | None,
    faults: str,
    wallet: int,
    as_json: bool,
    exit_with_parent: bool,
) -> int:
    """Run a simulated Binance USDⓈ-M venue on 127.0.0.1 until SIGTERM or SIGINT.

    One line on stdout tells the address once it listens (with --json: {"rest_url", "ws_url", "pid"}).
    Key and secret are simulator-api-key and simulator-api-secret. Exit codes: 0 stopped, 69 the port is taken,
    78 an option cannot be followed.
    """
    if speed <= 0:
        raise click.BadParameter(f"{speed:g} must be above 0; 1 is real time", param_hint="--speed")
    settings = SimulatorConfig(
        port=port,
        seed=seed,
        faults=faults,  # type: ignore[arg-type]  # click checked the choice
        speed=speed,
        replay=replay,
        venue_log=venue_log,
        wallet=Decimal(wallet),
    )
    log = to_stderr()
    try:
        uvloop.run(_serve(settings, as_json=as_json, exit_with_parent=exit_with_parent))
    except (FileNotFoundError, ValueError) as error:
        raise ConfigurationError("--replay", replay, str(error)) from None
    except OSError as error:
        click.echo(f"execactor: port {port} cannot be used: {error.strerror}", err=True)
        return Exit.UNAVAILABLE
    finally:
        log.close()
    return Exit.OK


async def _serve(settings: SimulatorConfig, *, as_json: bool, exit_with_parent: bool) -> None:
    def ready(rest_url: str) -> None:
        if exit_with_parent:
            stop_with_parent(asyncio.get_running_loop())
        ws_url = f"ws{rest_url.removeprefix('http')}"
        facts = {"rest_url": rest_url, "ws_url": ws_url, "pid": os.getpid()}
        text = json.dumps(facts) if as_json else f"simulated venue at {rest_url} and {ws_url}, process {os.getpid()}"
        click.echo(text)

    await serve(settings, ready)

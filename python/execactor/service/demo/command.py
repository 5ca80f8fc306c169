"""The command `execactor demo`."""

import asyncio
import json
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import click

from execactor.domain.errors import ConfigurationError, ExecactorError
from execactor.service.demo.progress import Progress
from execactor.service.demo.scripts import GENERATED_SYMBOLS, play_generated, play_replay
from execactor.service.demo.stage import Scenery, Stage, cancel_on_sigterm
from execactor.service.demo.verdict import Verdict, best_of
from execactor.service.exit_codes import Exit
from execactor.service.options import json_option
from execactor.simulator.capture import symbol_of
from execactor.simulator.checker import check

LONGEST_S = 48.0
_REPLAY_SPEED = Decimal(10)


@click.command(epilog="Example: execactor demo --json | tail -n 1")
@json_option
@click.option("--replay", metavar="FILE", help="Trade on a recorded capture (files joined by '+').")
@click.option("--venue-log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Keep it here.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the generated market.")
@click.option("--speed", type=click.FloatRange(0.1, 100), help="Of the market; default 1, with --replay 10.")
def demo_command(as_json: bool, replay: str | None, venue_log: Path | None, seed: int, speed: float | None) -> int:
    """Trade three decisions on a simulated venue, with a kill -9 in mid-trade.

    Starts a simulator and an engine as two processes on loopback, shows what happens, and ends within a minute
    with the verdict of the independent checker. With --json the verdict is one JSON object on the last line of stdout,
    and the progress goes to stderr. Exit codes: 0 all as expected, 1 not.
    """
    for file in replay.split("+") if replay is not None else []:
        if not Path(file).is_file():
            raise ConfigurationError("--replay", file, "there is no such file")
    default = Decimal(1) if replay is None else _REPLAY_SPEED
    with tempfile.TemporaryDirectory(prefix="execactor-demo-") as name:
        directory = Path(name)
        scenery = Scenery(
            directory=directory,
            venue_log=venue_log.resolve() if venue_log is not None else directory / "venue.jsonl",
            symbols=GENERATED_SYMBOLS if replay is None else (symbol_of(replay),),
            seed=seed,
            speed=default if speed is None else Decimal(str(speed)),
            replay=None if replay is None else "+".join(str(Path(file).resolve()) for file in replay.split("+")),
        )
        try:
            return asyncio.run(_perform(scenery, as_json=as_json, kept=venue_log))
        except asyncio.CancelledError:
            raise click.Abort from None


async def _perform(scenery: Scenery, *, as_json: bool, kept: Path | None) -> int:
    cancel_on_sigterm()
    began_s = time.monotonic()
    progress = Progress(to_stderr=as_json)
    stage = Stage(scenery, progress)
    try:
        async with stage:
            play = play_generated if scenery.replay is None else play_replay
            async with asyncio.timeout(LONGEST_S):
                expected = await play(stage)
            engine_report = await stage.final_report()
    except (ExecactorError, TimeoutError) as error:
        progress.flush()
        reason = f"it was not over within {LONGEST_S:g} s" if isinstance(error, TimeoutError) else str(error)
        _tell_tails(stage)
        click.echo(f"execactor: the demo failed: {reason}", err=True)
        if as_json:
            click.echo(json.dumps({"ok": False, "error": reason}))
        return Exit.FAILED
    progress.flush()
    with scenery.venue_log.open(encoding="utf-8") as lines:
        report = check(lines, engine_report=engine_report)
    verdict = Verdict(
        seconds=time.monotonic() - began_s,
        report=report,
        latency_us=best_of(stage.latencies),
        expected=expected,
        venue_log=None if kept is None else str(kept),
    )
    if not verdict.ok:
        _tell_tails(stage)
    click.echo("", err=as_json)
    click.echo(verdict.as_text(), err=as_json)
    if as_json:
        click.echo(verdict.as_json())
    return Exit.OK if verdict.ok else Exit.FAILED


def _tell_tails(stage: Stage) -> None:
    for log in dict.fromkeys(child.log for child in stage.children):
        tail = next(child.tail() for child in stage.children if child.log == log)
        click.echo(f"--- last lines of {log.name}\n{tail}", err=True)

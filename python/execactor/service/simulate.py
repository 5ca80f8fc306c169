"""`execactor simulate`: the whole engine in virtual time, under faults drawn by seed."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from execactor.service.exit_codes import Exit
from execactor.service.options import json_option
from execactor.simulation import story
from execactor.simulation.campaign import Campaign, fast_disk
from execactor.simulation.draw import draw_plan
from execactor.simulation.plan import Plan
from execactor.simulation.regression import keep, read_plan
from execactor.simulation.shrink import Shrinking
from execactor.simulation.tally import Failure, Summary, Tally
from execactor.simulation.trial import Verdict, run

MOST_TOLD = 5
"""So many failing seeds of a campaign are told, and shrunk when that was asked for; the others are named."""

REGRESSIONS = Path("tests/simulation/regressions")


@click.command(epilog="Example: execactor simulate --seeds 1000 --shrink, then execactor simulate --seed 17 --story")
@click.option("--seeds", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@click.option("--first-seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes. Default: one for each core.")
@click.option("--stop-after", type=click.IntRange(1), metavar="N", help="Stop after so many failing seeds.")
@click.option("--seed", type=click.IntRange(0), help="Run this seed alone.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Run the plan of this file (a regression file, for one) alone.",
)
@click.option("--story", "tells", is_flag=True, help="With --seed or --plan: tell all that happens.")
@click.option("--shrink", is_flag=True, help="Make failing plans small and write them as regression files.")
@click.option(
    "--regressions",
    type=click.Path(path_type=Path, file_okay=False),
    default=REGRESSIONS,
    show_default=True,
    metavar="DIR",
    help="Where --shrink writes.",
)
@json_option
def simulate_command(
    seeds: int,
    first_seed: int,
    jobs: int | None,
    stop_after: int | None,
    seed: int | None,
    plan_file: Path | None,
    tells: bool,
    shrink: bool,
    regressions: Path,
    as_json: bool,
) -> int:
    """Run the whole engine in virtual time under faults drawn by seed, and judge each run (docs/simulation.md).

    Figures go to stdout, progress and the stories of failing seeds to stderr. With --seed or --plan one run is shown.
    Exit codes: 0 no problem, 1 at least one seed has problems, 2 usage, 130 interrupted (after the figures so far).
    """
    if seed is not None and plan_file is not None:
        raise click.UsageError("--seed and --plan exclude each other")
    if seed is not None or plan_file is not None:
        with _no_logging():
            return _one(_plan(seed, plan_file), regressions if shrink else None, tells=tells, as_json=as_json)
    if tells:
        raise click.UsageError("--story needs --seed or --plan")
    progress = _Progress(seeds)
    campaign = Campaign(
        seeds, first_seed=first_seed, jobs=jobs or os.cpu_count() or 1, stop_after=stop_after, tell=progress.show
    )
    with ended_once():
        summary = campaign.run()
    progress.end()
    with _no_logging():
        for failure in summary.failures[:MOST_TOLD]:
            _tell_failure(failure, regressions if shrink else None)
    _print(summary, as_json=as_json)
    if summary.interrupted:
        raise click.Abort
    return Exit.FAILED if summary.failures else Exit.OK


def _plan(seed: int | None, plan_file: Path | None) -> Plan:
    if plan_file is None:
        assert seed is not None
        return draw_plan(seed)
    try:
        return read_plan(plan_file)
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--plan") from None


def _one(plan: Plan, regressions: Path | None, *, tells: bool, as_json: bool) -> int:
    """One run, told on stdout."""
    log: list[dict[str, Any]] = []
    rows: list[tuple[Any, ...]] = []
    verdict = run(plan, disk=fast_disk(), tell=log, rows=rows)
    course = list(story.course(log, rows)) if tells else []
    if as_json:
        shown = msgspec.structs.asdict(verdict) | {"plan": plan} | ({"story": course} if tells else {})
        click.echo(msgspec.json.encode(shown))
    else:
        click.echo("\n".join([*story.head(plan, verdict, verdict.problems), *course]))
        if course and verdict.problems:
            click.echo("\n".join(f"problem: {problem}" for problem in verdict.problems))
    if verdict.problems and regressions is not None:
        _shrink(plan, verdict, regressions)
    return Exit.FAILED if verdict.problems else Exit.OK


def _tell_failure(failure: Failure, regressions: Path | None) -> None:
    plan = draw_plan(failure.seed)
    click.echo("\n".join(story.head(plan, None, failure.problems)), err=True)
    click.echo(f"  told by: execactor simulate --seed {failure.seed} --story", err=True)
    if regressions is not None and "harness" not in failure.broken:
        _shrink(plan, run(plan, disk=fast_disk()), regressions)


def _shrink(plan: Plan, found: Verdict, regressions: Path) -> None:
    def fails(smaller: Plan) -> bool:
        return found.broken[0] in run(smaller, disk=fast_disk()).broken

    shrinking = Shrinking(plan, fails)
    small = shrinking.run()
    verdict = run(small, disk=fast_disk())
    path = keep(small, verdict, regressions)
    click.echo(f"  shrunk in {shrinking.runs} runs to {path}:", err=True)
    click.echo("\n".join(story.head(small, verdict, verdict.problems)), err=True)


def _print(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(summary))
        return
    click.echo(
        f"{summary.seeds} seeds from {summary.first_seed} on, {summary.violations} with problems, "
        f"in {summary.seconds:.1f} s: {summary.seeds_per_s:.1f} seeds/s with {summary.jobs} processes\n"
        f"{summary.events_per_s:.0f} events/s on one core; {summary.cpu_ms_per_seed:.1f} ms of processor a seed; "
        f"{summary.lives} lives of the engine\n"
        f"median of a seed: {summary.events:.0f} events, {summary.faults:.0f} faults, "
        f"{summary.closed_trades:.0f} closed trades; {summary.traded_share:.0%} of them close one\n"
        f"{summary.transitions:.1%} of the legal steps of orders; unseen: {', '.join(summary.unseen) or 'none'}\n"
        f"faults: {', '.join(f'{name} {count}' for name, count in summary.faults_by_kind.items())}\n"
        f"digest {summary.digest}"
    )
    if summary.failures:
        named = ", ".join(f"{failure.seed} ({' '.join(failure.broken)})" for failure in summary.failures)
        click.echo(f"seeds with problems: {named}")


class _Progress:
    """One line on stderr: rewritten on a terminal, else a new one at times."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()
        self._every_s = 1.0 if self._live else 30.0
        self._shown_at = self._began

    def show(self, tally: Tally) -> None:
        """How far it is, unless that was shown just now."""
        now = time.monotonic()
        if now - self._shown_at < self._every_s:
            return
        self._shown_at = now
        rate = tally.seeds / (now - self._began)
        text = f"{tally.seeds} of {self._seeds} seeds, {rate:.1f}/s, {len(tally.failures)} with problems"
        click.echo(f"\r{text}" if self._live else text, err=True, nl=not self._live)

    def end(self) -> None:
        """Leave the line that was rewritten."""
        if self._live:
            click.echo("", err=True)


@contextmanager
def ended_once() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C, and what comes after the first of them is not heard: so that whatever ends the command,
    its figures are told, its processes end with it and nothing stays on the disk.
    """
    signals = (signal.SIGINT, signal.SIGTERM)

    def end(_number: int, _frame: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(each, end) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


@contextmanager
def _no_logging() -> Iterator[None]:
    """The engine's own log is no part of what is told; the journal has its alerts."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)

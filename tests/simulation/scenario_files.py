"""Named scenarios: `scenario_files.py [ID ...] [--without] [--seeds N] [--json] [--table]`.

Plays each in virtual time and prints what became of it. --without: plays it with its rule taken out of a copy of the
product, and tells whether that is noticed. --seeds: plays it on the seeds 1 to N instead of its own. --table: prints
the table of docs/reliability.md. Exits 1 when a scenario fails, or when one does not fail without its rule.
"""

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec
from mutant import run_mutant
from scenario_play import Play
from scenario_script import Scenario, load, names

from execactor.domain.messages.account import AlertLevel
from execactor.runtime import Simulation

_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scenario.

    broken: which expectations failed, by name: a field of Expectation, the id of a check of the checker, `end` and
    `venue` for its mismatches, `wait`, or `run` for an exception. problems: the same as sentences. waits: how long each
    wait of the script took, ms.
    """

    id: str
    broken: tuple[str, ...]
    problems: tuple[str, ...]
    waits: tuple[tuple[str, float], ...] = ()
    digest: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.broken


def play(scenario: Scenario, seed: int | None = None) -> Verdict:
    """Run a scenario on its seed, or on another one, and compare what became of it with what is expected."""
    chosen = scenario.setting.seed if seed is None else seed
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as disk, Simulation(chosen) as simulation:
        played = Play(scenario, simulation, Path(disk))
        try:
            played.run()
        except BaseException as error:  # whatever it is, it is the finding
            story = "".join(traceback.format_exception(error)).strip()
            return Verdict(id=scenario.id, broken=("run",), problems=(story,), waits=tuple(played.waits))
        played.stage.fold_log()
        found = list(_found(scenario, played))
        return Verdict(
            id=scenario.id,
            broken=tuple(dict.fromkeys(name for name, _ in found)),
            problems=tuple(f"{name}: {text}" for name, text in found),
            waits=tuple(played.waits),
            digest=simulation.log.digest,
        )


def _found(scenario: Scenario, played: Play) -> Iterator[tuple[str, str]]:
    """Everything that is not as expected: its name and a sentence."""
    report, expect, evidence = played.report, scenario.expect, played.evidence
    assert report is not None
    if played.missed is not None:
        yield "wait", played.missed
    for finding in report.findings:
        yield finding.check, finding.text
    yield from (("end", text) for text in report.mismatches)
    yield from (("venue", text) for text in report.venue_errors)
    if evidence.entries() != expect.entries:
        yield "entries", f"the venue received {evidence.entries()}, not {expect.entries}"
    held = {symbol for symbol, quantity in report.positions.items() if float(quantity)}
    if ("held" if held else "flat") != expect.position:
        yield "position", f"at the end {held or 'nothing'} is held"
    if played.state != expect.state:
        yield "state", f"the engine ends in {played.state}, not {expect.state}"
    if expect.trades is not None and tuple(evidence.trades) != expect.trades:
        yield "trades", f"closed trades ended {tuple(evidence.trades)}, not {expect.trades}"
    if expect.findings is not None and evidence.findings != expect.findings:
        yield "findings", f"comparisons found {evidence.findings}, not {expect.findings}"
    yield from _alerts(scenario, played)
    yield from _requests(scenario, played)


def _alerts(scenario: Scenario, played: Play) -> Iterator[tuple[str, str]]:
    raised, expect = played.evidence.alerts, scenario.expect
    for code in expect.alerts:
        if code not in raised:
            yield "alerts", f"{code} was not raised, but {sorted(raised)}"
    for code, level in raised.items():
        if level is AlertLevel.CRITICAL and code not in (*expect.alerts, *expect.tolerated):
            yield "alerts", f"{code} was raised"


def _requests(scenario: Scenario, played: Play) -> Iterator[tuple[str, str]]:
    evidence, expect = played.evidence, scenario.expect
    for request, wanted in expect.sent.items():
        least, most = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        if not least <= (times := evidence.sent(request)) <= most:
            yield "sent", f"{request}: {times} times, not {wanted}"
    for request in expect.never:
        if times := evidence.sent(request):
            yield "never", f"{request}: {times} times"
    for one, other in expect.before:
        first, second = evidence.first(one), evidence.first(other)
        if first is None or (second is not None and first > second):
            yield "before", f"{one} (line {first}) does not come before {other} (line {second})"


def play_without(scenario: Scenario) -> Verdict:
    """Play it on a copy of the product without its rule, in a process of its own. Raises StalePatch."""
    done = run_mutant(scenario.without.patches, [__file__, scenario.id, "--json"])
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Verdict)
    except (IndexError, msgspec.DecodeError):
        return Verdict(id=scenario.id, broken=("harness",), problems=(f"{done.stdout}\n{done.stderr}",))


def unnoticed(scenario: Scenario, verdict: Verdict) -> str:
    """Why a run without the rule does not show that the scenario needs it; empty when it does."""
    lacking = [name for name in scenario.without.breaks if name not in verdict.broken]
    return f"without its rule {lacking} should fail, and what fails is {verdict.broken}" if lacking else ""


def row(scenario: Scenario) -> str:
    """Its row in docs/reliability.md."""
    file, rule = scenario.rule.split()
    others = f"{scenario.others} ({', '.join(scenario.threads)})"
    return f"| `{scenario.id}` | {others} | {scenario.title} | `{file}` {rule} |"


def main(asked: argparse.Namespace) -> int:
    """Play what was asked for."""
    failed = 0
    if asked.table:
        sys.stdout.writelines(f"{row(load(name))}\n" for name in asked.ids or names())
        return 0
    for scenario in map(load, asked.ids or names()):
        for seed in (None,) if asked.seeds == 1 else range(1, asked.seeds + 1):
            begun = time.perf_counter()
            verdict = play_without(scenario) if asked.without else play(scenario, seed)
            problem = unnoticed(scenario, verdict) if asked.without else "; ".join(verdict.broken)
            failed += bool(problem)
            if asked.json:
                sys.stdout.write(f"{msgspec.json.encode(verdict).decode()}\n")
                continue
            took = f"{time.perf_counter() - begun:.2f} s"
            told = [f"{scenario.id:24} seed {seed or scenario.setting.seed:<4} {took}  {problem or 'ok'}"]
            if problem or asked.verbose:
                told += [f"    {text}" for text in (*verdict.problems, *map(str, verdict.waits))]
            sys.stdout.writelines(f"{line}\n" for line in told)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--table", action="store_true")
    logging.disable(logging.CRITICAL)
    sys.exit(main(parser.parse_args()))

"""Who tests the tester: each planted bug (tests/simulation/bugs) must be seen by the check that is there for it.

`seeded_bugs.py [--seeds N] [--jobs J] [--only NAME] [--json]` plants one bug after the other in a copy of the tree and
runs the fault simulation there: the bug's own course, if it has one, then the seeds from 1 on, until one of the checks
that it names finds something that the tree without the bug does not have on the same run. Exit code 1: a bug escapes, a
patch no longer applies, or the tree without bugs has problems on the runs that were needed.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from subprocess import TimeoutExpired
from threading import Lock

import msgspec
from bug import Bug, all_bugs, stale
from bug_hunt import Broken, Catch, Hunt
from mutant import Patch, run_mutant

SEEDS = 1_000
HUNTER = Path(__file__).with_name("bug_hunt.py")
START_S, RUN_S, SWEEP_S = 120, 10, 900
"""So long the beginning of a process, a run, and a course killed at each of its points may take at most."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one bug. run: the seed, or the course, that showed it; checks: those that it broke.

    runs: how many it took. problem: why it was not caught.
    """

    bug: str
    breaks: str
    caught: bool = False
    run: int | str | None = None
    checks: tuple[str, ...] = ()
    runs: int = 0
    seconds: float = 0.0
    problem: str = ""


class Unpatched(msgspec.Struct, frozen=True, kw_only=True):
    """The tree without bugs on all that was run: how many of the runs have problems, and which."""

    runs: int
    violations: int
    broken: tuple[Broken, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What --json prints."""

    bugs: int
    caught: int
    unpatched: Unpatched
    seconds: float
    outcomes: tuple[Outcome, ...]

    @property
    def well(self) -> bool:
        """Whether every bug is caught, and nothing but bugs."""
        return self.caught == self.bugs and not self.unpatched.violations


def hunt(patches: Sequence[Patch], wanted: Hunt) -> Catch:
    """Hunt in a copy of the tree with these patches.

    Raises RuntimeError when the process fails, and StalePatch.
    """
    argv = [str(HUNTER), msgspec.json.encode(wanted).decode()]
    try:
        done = run_mutant(patches, argv, timeout_s=START_S + sum(map(_longest_s, wanted.runs)))
    except TimeoutExpired as error:
        raise RuntimeError(f"{len(wanted.runs)} runs took longer than {error.timeout:.0f} s") from error
    if done.returncode:
        raise RuntimeError(f"the process ended with code {done.returncode}: {done.stderr[-2_000:]}")
    return msgspec.json.decode(done.stdout, type=Catch)


def _longest_s(asked: int | str) -> int:
    return SWEEP_S if isinstance(asked, str) and asked.endswith("@") else RUN_S


class CleanTree:
    """The tree without bugs, which runs everything once."""

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        self._runs: set[int | str] = set()
        self._broken: dict[int | str, Broken] = {}
        self._one_at_a_time = Lock()

    def run(self, runs: Iterable[int | str]) -> None:
        """Run those of them that did not run yet."""
        with self._one_at_a_time, ThreadPoolExecutor(self._jobs) as pool:
            left = [each for each in dict.fromkeys(runs) if each not in self._runs]
            shares = [tuple(left[start :: self._jobs]) for start in range(min(self._jobs, len(left)))]
            for catch in pool.map(lambda share: hunt((), Hunt((), share)), shares):
                self._broken |= {each.run: each for each in catch.broken}
            self._runs.update(left)

    def breaks(self, run: int | str) -> frozenset[str]:
        """The checks that it breaks without any bug."""
        self.run((run,))
        return frozenset(self._broken[run].checks) if run in self._broken else frozenset()

    def figures(self) -> Unpatched:
        """All that was run."""
        broken = sorted(self._broken.values(), key=lambda each: str(each.run))
        return Unpatched(runs=len(self._runs), violations=len(broken), broken=tuple(broken))


def judge(bug: Bug, seeds: Iterable[int], clean: CleanTree) -> Outcome:
    """Run the bug's course, then the seeds, until it is caught."""
    began = time.monotonic()
    if reason := stale(bug):
        return Outcome(bug=bug.name, breaks=bug.breaks, problem=f"the patch no longer applies: {reason}")
    left: list[int | str] = [*([bug.course] if bug.course else []), *seeds]
    ran, problem = 0, "it escapes"
    while left:
        try:
            catch = hunt(bug.patches, Hunt(bug.checks, tuple(left)))
        except RuntimeError as error:
            problem = str(error)
            break
        ran, left = ran + catch.ran, left[catch.ran :]
        if not catch.caught:
            break
        found = catch.broken[-1]
        if set(found.checks) & set(bug.checks) - clean.breaks(found.run):
            return Outcome(
                bug=bug.name,
                breaks=bug.breaks,
                caught=True,
                run=found.run,
                checks=found.checks,
                runs=ran,
                seconds=round(time.monotonic() - began, 1),
            )
    seconds = round(time.monotonic() - began, 1)
    return Outcome(bug=bug.name, breaks=bug.breaks, runs=ran, seconds=seconds, problem=problem)


def judge_all(bugs: Sequence[Bug], seeds: int, jobs: int, *, told: bool) -> Summary:
    """Every bug, and the tree without any on as many seeds as the most patient of them needed."""
    began = time.monotonic()
    clean = CleanTree(jobs)
    clean.run(bug.course for bug in bugs if bug.course and not bug.course.endswith("@"))
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(judge, bug, range(1, seeds + 1), clean) for bug in bugs]):
            outcomes.append(done.result())
            if told:
                sys.stderr.write(f"{line_of(outcomes[-1])}\n")
    clean.run(range(1, max((each.run for each in outcomes if isinstance(each.run, int)), default=0) + 1))
    return Summary(
        bugs=len(bugs),
        caught=sum(outcome.caught for outcome in outcomes),
        unpatched=clean.figures(),
        seconds=round(time.monotonic() - began, 1),
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.bug)),
    )


def line_of(outcome: Outcome) -> str:
    """One line for people."""
    if not outcome.caught:
        return f"NOT CAUGHT {outcome.bug} after {outcome.runs} runs, {outcome.seconds} s: {outcome.problem}"
    where = f"seed {outcome.run}" if isinstance(outcome.run, int) else f'"{outcome.run}"'
    return f"caught {outcome.bug} by {' '.join(outcome.checks)} at {where}, run {outcome.runs}, {outcome.seconds} s"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many at most for each bug")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", metavar="NAME", help="may be given more than once")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    bugs = [bug for bug in all_bugs() if not asked.only or bug.name in asked.only]
    if missing := set(asked.only or ()) - {bug.name for bug in bugs}:
        parser.error(f"no such bug: {', '.join(sorted(missing))}")
    summary = judge_all(bugs, asked.seeds, asked.jobs, told=not asked.json)
    if asked.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary), indent=1).decode() + "\n")
    else:
        clean = summary.unpatched
        for each in clean.broken:
            sys.stderr.write(f"without any bug, run {each.run} breaks {' '.join(each.checks)}: {each.problems[0]}\n")
        sys.stdout.write(
            f"bugs {summary.bugs}, caught {summary.caught}, in {summary.seconds} s\n"
            f"without any bug: {clean.violations} of {clean.runs} runs have problems\n"
        )
    return 0 if summary.well else 1


if __name__ == "__main__":
    raise SystemExit(main())

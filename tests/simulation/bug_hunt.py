"""Runs on a copy of the product: courses and seeds, until one breaks a check that is looked for.

`python bug_hunt.py HUNT` takes a Hunt as JSON and prints a Catch. A course is named by its scenario (bug_courses.py,
crash_scenarios.py); "NAME@17" is killed at its 17th crash point, and "NAME@" at each of them in turn.
"""

import gc
import logging
import sys
from collections.abc import Iterator

import msgspec
from bug_courses import COURSES

from execactor.simulation.campaign import fast_disk
from execactor.simulation.draw import draw_plan
from execactor.simulation.plan import Crash, Plan
from execactor.simulation.trial import run

DOWN_MS = 20


class Hunt(msgspec.Struct, frozen=True):
    """checks: what to look for; empty: nothing, on to the end. runs: seeds, and courses."""

    checks: tuple[str, ...]
    runs: tuple[int | str, ...]


class Broken(msgspec.Struct, frozen=True):
    """A run with problems."""

    run: int | str
    checks: tuple[str, ...]
    problems: tuple[str, ...]


class Catch(msgspec.Struct, frozen=True):
    """ran: how many of the runs asked for. broken: those with problems; last the one that was looked for."""

    ran: int
    caught: bool
    broken: tuple[Broken, ...]


def hunt(wanted: Hunt) -> Catch:
    """Run one after the other."""
    broken: list[Broken] = []
    for number, asked in enumerate(wanted.runs, 1):
        for name, plan in _plans(asked):
            verdict = run(plan, disk=fast_disk())
            gc.collect()
            if verdict.problems:
                broken.append(Broken(name, tuple(dict.fromkeys(verdict.broken)), verdict.problems))
            if set(verdict.broken) & set(wanted.checks):
                return Catch(number, True, tuple(broken))
    return Catch(len(wanted.runs), False, tuple(broken))


def _plans(asked: int | str) -> Iterator[tuple[int | str, Plan]]:
    if isinstance(asked, int):
        yield asked, draw_plan(asked)
        return
    name, killed, point = asked.partition("@")
    course = COURSES[name]
    if not killed:
        yield name, course
        return
    points = [int(point)] if point else range(1, sum(run(course, disk=fast_disk()).points) + 1)
    for number in points:
        yield f"{name}@{number}", msgspec.structs.replace(course, crashes=(Crash(point=number, down_ms=DOWN_MS),))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    gc.disable()
    sys.stdout.buffer.write(msgspec.json.encode(hunt(msgspec.json.decode(sys.argv[1], type=Hunt))))

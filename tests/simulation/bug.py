"""A planted bug: a unified diff of the product with a header that says what it breaks and which check should see it.

The header:

    Breaks: a sentence.
    Caught by: I2, I10
    Course: kill switch in position, resumed, traded again

`Course` names what is run before any seed where chance would take long (bug_hunt.py): a canonical scenario, followed
by @ when it is to be killed at each of its crash points. It may be left out.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from mutant import Patch, StalePatch, patched

BUGS = Path(__file__).parent / "bugs"
_ROOM = "b/python/execactor/"
_FIELD = re.compile(r"^(Breaks|Caught by|Course): (.+(?:\n  .+)*)", re.MULTILINE)


class Bug(msgspec.Struct, frozen=True):
    """checks: ids of the checker, any of which is the right one to see it. course: see the module; may be empty."""

    name: str
    breaks: str
    checks: tuple[str, ...]
    course: str
    patches: tuple[Patch, ...]


def read_bug(path: Path) -> Bug:
    """The bug of a patch file. Raises ValueError when it lacks a header, or is no diff of files of the product."""
    header, _, diff = path.read_text(encoding="utf-8").partition("\n--- ")
    given = {name: " ".join(text.split()) for name, text in _FIELD.findall(header)}
    patches = tuple(_hunks(f"--- {diff}".splitlines()))
    if "Breaks" not in given or "Caught by" not in given or not patches:
        raise ValueError(f"{path.name} needs the lines 'Breaks:' and 'Caught by:', and a diff")
    return Bug(
        name=path.stem,
        breaks=given["Breaks"],
        checks=tuple(given["Caught by"].split(", ")),
        course=given.get("Course", ""),
        patches=patches,
    )


def all_bugs() -> list[Bug]:
    """Every planted bug, by name."""
    return [read_bug(path) for path in sorted(BUGS.glob("*.patch"))]


def stale(bug: Bug) -> str:
    """Why the bug cannot be planted in the tree any more; empty when it can."""
    try:
        patched(bug.patches)
    except (StalePatch, FileNotFoundError) as error:
        return str(error)
    return ""


def _hunks(lines: Sequence[str]) -> Iterator[Patch]:
    """Each hunk as the text that it replaces, wherever that stands by now."""
    file = ""
    old: list[str] = []
    new: list[str] = []
    for line in (*lines, "@@"):
        if line.startswith(("@@", "--- ")):
            if old or new:
                yield Patch(file, "\n".join(old) + "\n", "\n".join(new) + "\n")
            old, new = [], []
        elif line.startswith("+++ "):
            if not line.startswith(f"+++ {_ROOM}"):
                raise ValueError(f"not a file of the product: {line}")
            file = line.removeprefix(f"+++ {_ROOM}").split("\t")[0]
        elif line.startswith("\\"):
            raise ValueError("a file without a newline at its end")
        else:
            old += [line[1:]] if line[:1] in (" ", "-", "") else []
            new += [line[1:]] if line[:1] in (" ", "+", "") else []

"""Runs Python on a copy of the product in which something was changed: a rule taken out, or a bug put in.

The copy is a tree of links to the real files (the compiled extension too), so it costs milliseconds and each run has
one of its own; only the changed files are written. The product itself knows nothing of it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "python"
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change of one file.

    file: below python/execactor. old: a text that stands there exactly once. new: what stands there instead.
    """

    file: str
    old: str
    new: str


class StalePatch(Exception):
    """The file does not hold the text that a patch replaces, or more than once: the product has moved on."""


def patched(patches: Sequence[Patch]) -> dict[str, str]:
    """The new text of each file that the patches change. Raises StalePatch."""
    texts: dict[str, str] = {}
    for patch in patches:
        text = texts.get(patch.file) or (PYTHON / "execactor" / patch.file).read_text(encoding="utf-8")
        if (found := text.count(patch.old)) != 1:
            raise StalePatch(f"{patch.file} holds {found} times, not once:\n{patch.old}")
        texts[patch.file] = text.replace(patch.old, patch.new)
    return texts


def run_mutant(
    patches: Sequence[Patch],
    argv: Sequence[str],
    *,
    timeout_s: float = 60,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run `python *argv` from the repository's root on the product with these changes; output is captured as text.

    Raises StalePatch, and subprocess.TimeoutExpired after timeout_s (the process is dead then).
    """
    with tempfile.TemporaryDirectory(prefix="execactor-mutant-", dir=_IN_MEMORY) as directory:
        copy = Path(directory) / "execactor"
        shutil.copytree(PYTHON / "execactor", copy, copy_function=os.symlink)
        for file, text in patched(patches).items():
            (copy / file).unlink()
            (copy / file).write_text(text, encoding="utf-8")
            for compiled in (copy / file).parent.glob(f"__pycache__/{Path(file).stem}.*"):
                compiled.unlink()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        return subprocess.run(
            [sys.executable, *argv],
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

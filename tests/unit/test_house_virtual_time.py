"""What runs in virtual time asks only those whom a simulation can replace for the time, for chance and for threads.

A clock, a random stream and a transport are passed in; the loop makes timers. The few files that are the real world
themselves are named here.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "execactor"
ROOMS = ("actors", "venues", "store", "signals", "simulator", "simulation")
FILES = ("engine.py", "assembly.py", "listeners.py", "outcomes.py", "overview.py", "performance.py")
REAL_WORLD = {
    "venues/transport.py": "real sockets; a simulation has its own transport",
    "store/checkpoints.py": "a thread; a simulation makes its checkpoints at once",
    "simulator/clock.py": "the clock of a simulator on loopback",
    "simulation/campaign.py": "the processes that run simulations side by side, and how long they take",
    "simulation/worker.py": "one of them",
}
MODULES = {
    **dict.fromkeys(["time", "sched"], "the machine's clock"),
    **dict.fromkeys(["uuid", "secrets"], "chance that no seed decides"),
    **dict.fromkeys(["threading", "concurrent", "multiprocessing", "subprocess", "queue"], "what runs beside the loop"),
    **dict.fromkeys(["socket", "ssl", "select"], "input and output that no transport carries"),
}
CALLS = {
    **dict.fromkeys(["now", "utcnow", "today"], "the machine's clock"),
    **dict.fromkeys(["urandom", "SystemRandom"], "chance that no seed decides"),
    **dict.fromkeys(["to_thread"], "a thread"),
}
BUILTINS = {"id": "an address"}


def problems(root: Path) -> list[str]:
    """Every file and line that would make two simulated runs differ."""
    paths = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    paths += [root / name for name in FILES if (root / name).exists()]
    return [
        f"{path.relative_to(root).as_posix()}:{line}: {problem}"
        for path in paths
        if path.relative_to(root).as_posix() not in REAL_WORLD
        for line, problem in _in_file(ast.parse(path.read_text()))
    ]


def _in_file(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _module(node.lineno, alias.name)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from _module(node.lineno, module)
                if module == "random" and any(alias.name != "Random" for alias in names):
                    yield node.lineno, "draws from the process's own random numbers"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="random"), attr=name)) if name != "Random":
                yield node.lineno, f"random.{name}() draws from the process's own random numbers"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CALLS:
                yield node.lineno, f"calls {name}(): {CALLS[name]}"
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                yield node.lineno, f"calls {name}(): {BUILTINS[name]}"


def _module(line: int, name: str) -> Iterator[tuple[int, str]]:
    top = name.split(".", maxsplit=1)[0]
    if top in MODULES:
        yield line, f"imports {name}: {MODULES[top]}"


def test_what_runs_in_virtual_time_asks_only_what_is_passed_in() -> None:
    assert problems(PACKAGE) == []


@pytest.mark.parametrize("name", REAL_WORLD)
def test_an_exception_is_needed(name: str) -> None:
    assert list(_in_file(ast.parse((PACKAGE / name).read_text())))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param("import time", "imports time: the machine's clock", id="a clock"),
        pytest.param("def f():\n    from time import monotonic", "a.py:2: imports time", id="in a function"),
        pytest.param("import uuid", "imports uuid", id="random names"),
        pytest.param("import secrets", "imports secrets", id="secrets"),
        pytest.param("import threading", "imports threading", id="threads"),
        pytest.param("from concurrent.futures import ThreadPoolExecutor", "imports concurrent.futures", id="pools"),
        pytest.param("import socket", "imports socket", id="sockets"),
        pytest.param("import random\nrandom.random()", "a.py:2: random.random() draws", id="anybody's chance"),
        pytest.param("from random import choice", "draws from the process's own", id="anybody's choice"),
        pytest.param("import os\nos.urandom(4)", "calls urandom()", id="the system's chance"),
        pytest.param("from datetime import UTC, datetime\ndatetime.now(UTC)", "calls now()", id="now"),
        pytest.param("import asyncio\nasyncio.to_thread(print)", "calls to_thread()", id="a thread by asyncio"),
        pytest.param("x = id(object())", "calls id(): an address", id="an address"),
    ],
)
@pytest.mark.parametrize("place", ["actors", "venues/deeper", "store", "simulator", "simulation"])
def test_what_would_make_two_runs_differ_is_caught(tmp_path: Path, place: str, code: str, words: str) -> None:
    planted = tmp_path / place / "a.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(code)
    (found,) = problems(tmp_path)
    assert words in found
    assert found.startswith(f"{place}/a.py:")


@pytest.mark.parametrize(
    "code",
    [
        "import random\ndef f(rng: random.Random) -> float:\n    return rng.random()",
        "from random import Random\nRandom(7).random()",
        "import asyncio\nasyncio.sleep(1)",
        "def f(clock):\n    return clock.now_ns()",
    ],
)
def test_what_a_simulation_can_replace_is_not(tmp_path: Path, code: str) -> None:
    planted = tmp_path / "actors" / "a.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(code)
    assert problems(tmp_path) == []

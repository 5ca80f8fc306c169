"""The rooms of the rules are pure: no clock, no randomness, no threads, no event loop, no input or output.

What is not known to be pure may not be imported there at all.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "execactor"
PURE_ROOMS = ("domain", "tactics", "risk", "reconcile", "signals")
PURE_MODULES = {
    *("base64", "bisect", "collections", "datetime", "decimal", "enum", "fractions", "functools", "hashlib"),
    *("heapq", "itertools", "json", "math", "operator", "re", "statistics", "typing"),
    *("msgspec", "execactor"),
}
IMPURE_BUILTINS = {
    **dict.fromkeys(["open", "input", "print", "breakpoint"], "input and output"),
    **dict.fromkeys(["exec", "eval", "compile", "__import__"], "code that no test has seen"),
    **dict.fromkeys(["hash", "id"], "another value in every process"),
}
WALL_CLOCK = {"now", "utcnow", "today", "utcfromtimestamp"}
LOCAL_ZONE = {"fromtimestamp": 1, "astimezone": 0}  # with no more arguments than this they use the machine's time zone


def impurities(root: Path) -> list[str]:
    """Everything impure in the pure rooms under `root`, as file:line and a sentence."""
    found = []
    for room in PURE_ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            for line, problem in _in_file(ast.parse(path.read_text())):
                found.append(f"{path.relative_to(root)}:{line}: {problem}")
    return found


def _in_file(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _module(node.lineno, alias.name)
            case ast.ImportFrom(module=str(module), level=0):
                yield from _module(node.lineno, module)
            case ast.Call():
                yield from _call(node)
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield node.lineno, "waits for an event loop"
            case ast.Global():
                yield node.lineno, "changes a global"


def _module(line: int, name: str) -> Iterator[tuple[int, str]]:
    if name.split(".", maxsplit=1)[0] not in PURE_MODULES:
        yield line, f"imports {name}, which is not known to be pure"


def _call(call: ast.Call) -> Iterator[tuple[int, str]]:
    match call.func:
        case ast.Name(id=name) if name in IMPURE_BUILTINS:
            yield call.lineno, f"calls {name}(): {IMPURE_BUILTINS[name]}"
        case ast.Attribute(attr=name) if name in WALL_CLOCK:
            yield call.lineno, f"calls {name}(): the wall clock"
        case ast.Attribute(attr=name) if name in LOCAL_ZONE:
            if len(call.args) + len(call.keywords) <= LOCAL_ZONE[name]:
                yield call.lineno, f"calls {name}() without a time zone: the machine's own"


def test_the_rooms_of_the_rules_are_pure() -> None:
    assert impurities(PACKAGE) == []


def test_there_is_something_to_look_at() -> None:
    looked_at = [path.name for room in PURE_ROOMS for path in (PACKAGE / room).rglob("*.py")]
    assert {"decision.py", "position.py", "exposure.py", "compare.py"} <= set(looked_at)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param("import time", "imports time", id="a clock"),
        pytest.param("from time import monotonic_ns", "imports time", id="a part of it"),
        pytest.param("import random", "imports random", id="random numbers"),
        pytest.param("import secrets", "imports secrets", id="secret ones"),
        pytest.param("import uuid", "imports uuid", id="random names"),
        pytest.param("import threading", "imports threading", id="threads"),
        pytest.param("from concurrent.futures import Future", "imports concurrent.futures", id="pools"),
        pytest.param("import asyncio", "imports asyncio", id="an event loop"),
        pytest.param("import socket", "imports socket", id="sockets"),
        pytest.param("import os.path", "imports os.path", id="the system"),
        pytest.param("from pathlib import Path", "imports pathlib", id="files"),
        pytest.param("import logging", "imports logging", id="logs"),
        pytest.param("import apsw", "imports apsw", id="a database"),
        pytest.param("def f():\n    import time", "a.py:2: imports time", id="in a function"),
        pytest.param("open('x')", "calls open(): input and output", id="opening a file"),
        pytest.param("print('x')", "calls print()", id="printing"),
        pytest.param("eval('1')", "calls eval()", id="code in text"),
        pytest.param("hash('x')", "calls hash(): another value in every process", id="a salted hash"),
        pytest.param("id(object())", "calls id()", id="an address"),
        pytest.param("from datetime import datetime\ndatetime.now()", "a.py:2: calls now()", id="now"),
        pytest.param("import datetime\ndatetime.datetime.now(datetime.UTC)", "calls now()", id="now in UTC"),
        pytest.param("from datetime import datetime\ndatetime.utcnow()", "calls utcnow()", id="utcnow"),
        pytest.param("from datetime import date\ndate.today()", "calls today()", id="today"),
        pytest.param(
            "from datetime import datetime\ndatetime.fromtimestamp(1)", "calls fromtimestamp() without", id="local time"
        ),
        pytest.param("def f(at):\n    return at.astimezone()", "calls astimezone() without", id="the local zone"),
        pytest.param("async def f():\n    pass", "waits for an event loop", id="a coroutine"),
        pytest.param("def f():\n    global x\n    x = 1", "a.py:2: changes a global", id="a global"),
    ],
)
@pytest.mark.parametrize("room", PURE_ROOMS)
def test_what_is_impure_is_caught(tmp_path: Path, room: str, code: str, words: str) -> None:
    planted = tmp_path / room / "deeper" / "a.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(code)
    (found,) = impurities(tmp_path)
    assert words in found
    assert found.startswith(f"{room}/deeper/a.py:")


@pytest.mark.parametrize(
    "code",
    [
        "from decimal import Decimal",
        "from execactor.domain.side import Side",
        "from .side import Side",
        "from datetime import UTC, datetime\ndatetime.fromisoformat('2026-11-20T10:05:00Z').astimezone(UTC)",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(1, UTC)",
        "import hashlib\nhashlib.blake2b(b'x').hexdigest()",
    ],
)
def test_what_is_pure_is_not(tmp_path: Path, code: str) -> None:
    planted = tmp_path / "domain" / "a.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(code)
    assert impurities(tmp_path) == []

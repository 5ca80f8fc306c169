"""Who may import whom (ARCHITECTURE section 2): arrows between rooms only go down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "execactor"

ARROWS = {
    "service": {"simulation"},
    "simulation": {"engine", "simulator"},
    "engine": {"actors", "store", "venues", "runtime"},
    "actors": {"tactics", "risk", "reconcile", "signals", "runtime", "venues", "store"},
    "tactics": {"domain"},
    "risk": {"domain"},
    "reconcile": {"domain"},
    "signals": {"domain"},
    "venues": {"domain"},
    "store": {"domain"},
    "simulator": {"domain"},
    "runtime": set(),
    "domain": set(),
}
# A file or folder right under the package, and the room that it belongs to. The engine's room is the composition root.
ROOM_OF = {
    **{room: room for room in ARROWS},
    **dict.fromkeys(
        [
            "assembly",
            "config",
            "control",
            "listeners",
            "loop_care",
            "offline_kill",
            "outcomes",
            "overview",
            "performance",
        ],
        "engine",
    ),
    "__main__": "service",
    "_core": "_core",
}
# Where the extension may be used: rooms, or single files. The doctor asks it for its build and nothing else.
CORE_USERS = {"signals", "simulator", "actors/market", "runtime", "venues/paper", "service/checks"}
# Rooms where nothing is real: only they themselves may import them, and some commands.
STAGES = {"simulator", "simulation"}
# Which files of the service may start the simulator: the commands `simulator`, `simulate` and `demo`.
SIMULATOR_COMMANDS = ("service/simulator", "service/simulate", "service/demo")


def below(room: str) -> set[str]:
    """Every room that `room` may import: those that its arrows reach, and itself."""
    reached, waiting = {room}, [room]
    while waiting:
        for lower in ARROWS[waiting.pop()] - reached:
            reached.add(lower)
            waiting.append(lower)
    return reached if room in STAGES else reached - STAGES


def imported(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every module of ours that a file in `package` imports, wherever in the file."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        for name in names:
            if name.split(".")[0] == "execactor":
                yield getattr(node, "lineno", 0), name


def violations(root: Path) -> list[str]:
    """Every arrow that is not allowed, as file:line and a sentence."""
    found = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).with_suffix("")
        room = ROOM_OF.get(place.parts[0])
        where = f"{path.relative_to(root)}"
        if place.parts == ("__init__",):
            room = "domain"  # the package itself imports nothing
        if room is None:
            found.append(f"{where}:1: belongs to no room; name its room in this test and in ARCHITECTURE")
            continue
        for line, name in imported(ast.parse(path.read_text()), ["execactor", *place.parent.parts]):
            problem = _problem(place.as_posix(), room, name)
            if problem is not None:
                found.append(f"{where}:{line}: {problem}")
    return found


def _problem(place: str, room: str, name: str) -> str | None:
    parts = name.split(".")
    if len(parts) == 1 or (parts[1] not in ROOM_OF and parts[1].startswith("__")):
        return None  # the package itself, or what it says of itself
    target = ROOM_OF.get(parts[1])
    if target is None:
        return f"imports {name}, which belongs to no room"
    if target == "_core":
        allowed = CORE_USERS & {place, place.split("/", maxsplit=1)[0]}
        return None if allowed else f"{place} may not import the extension"
    if target in STAGES and room == "service":
        return None if place.startswith(SIMULATOR_COMMANDS) else f"{place} may not import the {target} ({name})"
    return None if target in below(room) else f"{room} may not import {target} ({name})"


def test_arrows_between_rooms_only_go_down() -> None:
    assert violations(PACKAGE) == []


def test_messages_are_imported_from_their_topic() -> None:
    """The package of messages has no names of its own, so that each has one way to it."""
    topics = {path.stem for path in (PACKAGE / "domain" / "messages").glob("*.py")}
    strays = [
        f"{path.name}:{line}: {name}"
        for root in (PACKAGE, Path(__file__).resolve().parents[1])
        for path in sorted(root.rglob("*.py"))
        for line, name in imported(ast.parse(path.read_text()), [])
        if name.startswith("execactor.domain.messages.") and name.split(".")[3] not in topics
    ]
    assert strays == []


def test_only_the_service_knows_structlog() -> None:
    """Elsewhere it would write to the stdout of a program that embeds the engine and never configured it."""
    users = {
        path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "import structlog" in path.read_text()
    }
    assert users == {"service"}


def test_every_room_is_there() -> None:
    files = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}
    assert {"service", "engine", "actors", "tactics", "risk", "reconcile", "domain", "runtime", "store"} <= files


@pytest.mark.parametrize(
    ("room", "lower"),
    [
        ("service", {"service", "engine", "actors", "tactics", "risk", "reconcile", "signals"}),
        ("engine", {"engine", "actors", "tactics", "risk", "reconcile", "signals"}),
        ("actors", {"actors", "tactics", "risk", "reconcile", "signals"}),
    ],
)
def test_upper_rooms_reach_all_that_lies_below(room: str, lower: set[str]) -> None:
    assert below(room) == lower | {"runtime", "venues", "store", "domain"}


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        pytest.param("domain/order.py", "import execactor.store.journal", "domain may not import store", id="domain"),
        pytest.param(
            "domain/a.py", "from execactor.tactics import exit", "domain may not import tactics", id="upwards"
        ),
        pytest.param(
            "tactics/a.py", "from execactor.risk.limits import Limits", "tactics may not import risk", id="aside"
        ),
        pytest.param(
            "runtime/a.py", "from execactor.domain.side import Side", "runtime may not import domain", id="runtime"
        ),
        pytest.param(
            "venues/a.py", "from execactor import store", "venues may not import store", id="from the package"
        ),
        pytest.param("store/a.py", "from ..actors import order", "store may not import actors", id="relative"),
        pytest.param("actors/a.py", "from execactor.engine import Engine", "actors may not import engine", id="actors"),
        pytest.param("control/a.py", "from execactor.service import cli", "engine may not import service", id="engine"),
        pytest.param("engine.py", "import execactor.simulator", "engine may not import simulator", id="the simulator"),
        pytest.param("actors/a.py", "import execactor.simulator", "actors may not import simulator", id="from actors"),
        pytest.param(
            "engine.py", "import execactor.simulation", "engine may not import simulation", id="the simulation"
        ),
        pytest.param(
            "simulator/a.py", "import execactor.simulation", "simulator may not import simulation", id="its stage"
        ),
        pytest.param(
            "service/run.py",
            "from execactor.simulation import Stage",
            "service/run may not import the simulation",
            id="run in virtual time",
        ),
        pytest.param(
            "simulator/a.py", "import execactor.venues.port", "simulator may not import venues", id="its rules"
        ),
        pytest.param(
            "service/run.py",
            "from execactor.simulator import serve",
            "service/run may not import the simulator",
            id="run",
        ),
        pytest.param("risk/a.py", "from execactor import _core", "risk/a may not import the extension", id="_core"),
        pytest.param("actors/order.py", "import execactor._core", "actors/order may not import the ext", id="an actor"),
        pytest.param(
            "domain/a.py", "def f():\n    import execactor.store", "a.py:2: domain may not", id="in a function"
        ),
        pytest.param(
            "risk/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from execactor.actors.risk import RiskActor",
            "a.py:3: risk may not import actors",
            id="for types only",
        ),
        pytest.param(
            "tactics/a.py",
            "import importlib\nimportlib.import_module('execactor.store.journal')",
            "a.py:2: tactics may not import store",
            id="by name",
        ),
        pytest.param("gossip/a.py", "", "gossip/a.py:1: belongs to no room", id="a new room"),
        pytest.param(
            "risk/a.py", "import execactor.gossip", "execactor.gossip, which belongs to no room", id="into it"
        ),
    ],
)
def test_an_arrow_that_is_not_allowed_is_caught(tmp_path: Path, place: str, code: str, words: str) -> None:
    planted = tmp_path / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(code)
    (found,) = violations(tmp_path)
    assert words in found
    assert found.startswith(f"{place}:")


@pytest.mark.parametrize(
    ("place", "code"),
    [
        pytest.param("service/demo_market.py", "from execactor.simulator import serve", id="the demo's market"),
        pytest.param("service/simulator.py", "import execactor.simulator", id="the command simulator"),
        pytest.param("service/simulate.py", "import execactor.simulation", id="the command simulate"),
        pytest.param("simulation/a.py", "from execactor.simulator.venue import Venue", id="the stage and its venue"),
        pytest.param("simulation/a.py", "from execactor.engine import Engine", id="the stage and its engine"),
        pytest.param("actors/market.py", "from execactor._core import Book", id="the market's book"),
        pytest.param("engine.py", "from execactor import __version__", id="the version"),
        pytest.param("actors/a.py", "from execactor.domain.side import Side", id="an arrow over several rooms"),
        pytest.param("tactics/a.py", "from .trade import MS\nfrom . import exit", id="within a room"),
        pytest.param("risk/a.py", "import decimal", id="the standard library"),
        pytest.param("__init__.py", "__version__ = '1'", id="the package itself"),
    ],
)
def test_an_arrow_that_is_allowed_is_not(tmp_path: Path, place: str, code: str) -> None:
    planted = tmp_path / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(code)
    assert violations(tmp_path) == []

"""The runtime knows nothing about trading: of execactor it imports only itself (and, for histograms, _core)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import execactor.runtime

ROOM = Path(execactor.runtime.__file__).parent
ALLOWED = ("execactor.runtime", "execactor._core")


def imported_names(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name} imports relatively: use full names"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("source", sorted(ROOM.rglob("*.py")), ids=lambda path: path.name)
def test_no_module_of_the_room_imports_another_room(source):
    foreign = {
        name for name in imported_names(source) if name.split(".")[0] == "execactor" and not name.startswith(ALLOWED)
    }
    assert foreign == set()


def test_importing_it_loads_no_other_room():
    program = "import sys, execactor.runtime; print(*(name for name in sys.modules if name.startswith('execactor.')))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if not name.startswith(ALLOWED)] == []

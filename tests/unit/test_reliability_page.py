"""docs/reliability.md names rules and tests: each of them exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\s]+)`", PAGE)
TESTS = sorted({name for name in CODE if name.startswith("test_") and not name.endswith(".py")})
FILES = sorted({name for name in CODE if name.endswith(".py") and name not in {"bench/faults.py"}})


@pytest.fixture(scope="module")
def defined() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    return {name for source in sources for name in re.findall(r"def (test_\w+)", source)}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_the_page_names_exists(name: str, defined: set[str]) -> None:
    assert name in defined


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_the_page_names_exists(name: str) -> None:
    places = [ROOT / name, ROOT / "python" / "execactor" / name, *(ROOT / "tests").rglob(name)]
    assert any(place.is_file() for place in places)

"""docs/runtime.md: the tests that it names exist, and its example runs."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "runtime.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::([\w:]+)`", PAGE)))


def test_the_page_names_tests():
    assert len(NAMED) >= 20


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda name: name)
def test_each_named_test_exists(file, test):
    *classes, last = test.split("::")
    source = (Path(__file__).parent / file).read_text()
    place = 0
    for name in classes:
        place = source.index(f"\nclass {name}:", place)
    assert re.search(rf"(def|class) {last}\b", source[place:])


def test_the_example_runs(capsys):
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "docs/runtime.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "3\n"

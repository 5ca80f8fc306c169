"""The fault table of bench/faults.py holds, in virtual time."""

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    logging.disable()
    yield importlib.import_module("faults")
    logging.disable(logging.NOTSET)


def test_every_row_of_the_fault_table_holds(faults: Any) -> None:
    rows = [faults.measure(row, virtual=True) for row in faults.ROWS]
    assert len(rows) == 8
    assert {row["fault"]: row["fails"] for row in rows if not row["holds"]} == {}


def test_a_row_does_not_hold_when_its_order_was_sent_twice(faults: Any) -> None:
    row = faults.ROWS[1]
    evidence = faults.in_virtual_time(row.script)
    (request,) = evidence.requests("entry")
    evidence.log.append(request)
    outcome, _, claims = row.judge(evidence)
    assert outcome == "ACKNOWLEDGED"
    assert not claims["one order"]

"""Garbage collection and thread switching are set as asked, and can be put back."""

import gc
import sys
from collections.abc import Iterator

import pytest

from execactor.runtime import freeze_garbage, set_switch_interval


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.enable()
    sys.setswitchinterval(interval)


def test_frozen_garbage_is_collected_only_by_hand():
    collect = freeze_garbage()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert collect() >= 1


def test_the_switch_interval_is_set_and_the_former_one_returned():
    former = sys.getswitchinterval()
    assert set_switch_interval(0.001) == former
    assert sys.getswitchinterval() == pytest.approx(0.001)

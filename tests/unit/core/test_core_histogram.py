"""The latency histogram against exact percentiles."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execactor import _core

PERCENTILES = (0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0)


def filled(values: list[int]) -> _core.Histogram:
    histogram = _core.Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def exact(values: list[int], q: float) -> int:
    return sorted(values)[max(0, math.ceil(q * len(values) / 100) - 1)]


@pytest.mark.parametrize("median_ns", [300, 20_000, 3_000_000, 40_000_000_000])
def test_percentiles_are_within_a_thousandth_and_never_below_the_exact_ones(median_ns: int) -> None:
    rng = random.Random(median_ns)
    values = [int(rng.lognormvariate(math.log(median_ns), 1.2)) for _ in range(20_000)]
    histogram = filled(values)
    for q in PERCENTILES:
        assert exact(values, q) <= histogram.percentile(q) <= exact(values, q) * 1.001
    assert (histogram.count, histogram.max) == (len(values), max(values))
    assert histogram.mean == pytest.approx(sum(values) / len(values))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.sampled_from(PERCENTILES))
def test_any_values_in_the_64_bit_range(values: list[int], q: float) -> None:
    reported = filled(values).percentile(q)
    assert exact(values, q) <= reported <= exact(values, q) * 1.001


def test_merging_is_recording_both_even_with_itself() -> None:
    left, right = filled([10, 20, 30]), filled([5_000_000])
    left.merge(right)
    assert (left.count, left.max, left.percentile(50), right.count) == (4, 5_000_000, 20, 1)
    left.merge(left)
    assert (left.count, left.percentile(50)) == (8, 20)


def test_an_empty_or_reset_histogram_is_all_zero() -> None:
    reset = filled([1, 2, 3])
    reset.reset()
    for histogram in (_core.Histogram(), reset):
        assert (histogram.count, histogram.max, histogram.mean, histogram.percentile(99)) == (0, 0, 0.0, 0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda histogram: histogram.record(-1), r"nanoseconds must be from 0 .*, got -1"),
        (lambda histogram: histogram.record(2**64), r"nanoseconds must be from 0 "),
        (lambda histogram: histogram.percentile(-0.1), r"q must be a percentage from 0 to 100, got -0.1"),
        (lambda histogram: histogram.percentile(101), r"q must be a percentage from 0 to 100, got 101"),
        (lambda histogram: histogram.percentile(math.nan), r"q must be a percentage from 0 to 100, got NaN"),
    ],
)
def test_a_bad_value_is_refused_by_name(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(_core.Histogram())

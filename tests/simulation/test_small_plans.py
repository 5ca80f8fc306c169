"""What seeds of the fault simulation found, each as the smallest plan that shows it."""

from collections.abc import Sequence
from typing import Any

import pytest

from execactor.simulation.plan import Crash, Decide, DiskFull, GoFlat, Partition, Plan, Reset, VenueFault
from execactor.simulation.trial import run

SYMBOL = "BTCUSDT"


def decide(key: str = "d0", *, at_ms: int = 200, entry_bps: int = 6) -> Decide:
    """A long that crosses the market unless entry_bps is negative."""
    return Decide(
        at_ms=at_ms,
        key=key,
        symbol=SYMBOL,
        action="long",
        entry_bps=entry_bps,
        stop_bps=-60,
        tp1_bps=40,
        tp2_bps=80,
        notional=1_000,
    )


def plan(*acts: Any, end_ms: int, incidents: Sequence[Any] = (), crash: Crash | None = None, **settings: Any) -> Plan:
    crashes = () if crash is None else (crash,)
    return Plan(
        seed=1, symbols=(SYMBOL,), acts=acts, incidents=tuple(incidents), crashes=crashes, end_ms=end_ms, **settings
    )


@pytest.mark.parametrize("skew_ms", [-900, 900])
def test_a_fill_is_found_after_a_crash_though_the_venues_clock_is_another(skew_ms: int) -> None:
    for point in range(34, 58, 3):
        verdict = run(plan(decide(), end_ms=900, crash=Crash(point=point, down_ms=200), skew_ms=skew_ms))
        assert verdict.problems == (), point
        assert verdict.lives == 2


def test_a_stop_that_was_acknowledged_and_lost_is_found_gone_once() -> None:
    lost = VenueFault(at_ms=100, name="algo_ack_lost")
    assert run(plan(decide(), end_ms=2_500, incidents=[lost])).problems == ()


def test_what_a_full_disk_did_not_take_is_written_when_it_has_room_again() -> None:
    full = DiskFull(at_ms=6_900, lasts_ms=500)
    flat = GoFlat(at_ms=7_000, key="f0", symbol=SYMBOL)
    assert run(plan(decide(), flat, end_ms=7_600, incidents=[full])).problems == ()


def test_a_ban_is_waited_for_before_the_venues_clock_is_known() -> None:
    banned = VenueFault(at_ms=0, name="http_418", count=2)
    assert run(plan(decide(at_ms=3_000), end_ms=4_000, incidents=[banned], skew_ms=-600)).problems == ()


def test_connections_that_break_while_the_engine_connects_leave_no_stream_down() -> None:
    for at_ms in range(380, 460, 20):
        assert run(plan(decide(at_ms=1_000), end_ms=1_500, incidents=[Reset(at_ms=at_ms)])).problems == (), at_ms


def test_a_fill_is_found_after_a_crash_though_the_venues_clock_was_measured_through_a_cut_network() -> None:
    cut = Partition(at_ms=3, lasts_ms=8_202)
    for point in range(50, 80, 3):
        crash = Crash(point=point, down_ms=700)
        verdict = run(plan(decide(at_ms=8_300), end_ms=8_400, incidents=[cut], crash=crash, skew_ms=-353))
        assert verdict.problems == (), point


def test_a_stop_whose_intent_a_full_disk_lost_is_taken_up_by_the_next_life_and_its_id_stays_used() -> None:
    full = DiskFull(at_ms=1_012, lasts_ms=800)
    for point in range(60, 72, 3):
        verdict = run(plan(decide(at_ms=1_000), end_ms=2_500, incidents=[full], crash=Crash(point=point, down_ms=900)))
        assert verdict.problems == (), point

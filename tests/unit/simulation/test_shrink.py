"""Shrinking: what the failure does not need goes; what is left cannot go."""

import msgspec
import pytest

from execactor.simulation.draw import draw_plan
from execactor.simulation.plan import Crash, Decide, Partition, Plan, Reset, Steer, VenueFault
from execactor.simulation.regression import Regression, keep, read_plan
from execactor.simulation.shrink import Shrinking
from execactor.simulation.trial import Verdict

DECIDE = Decide(
    at_ms=500, key="d0", symbol="ETHUSDT", action="long", entry_bps=6, stop_bps=-60, tp1_bps=40, tp2_bps=80, notional=9
)  # fmt: skip
BIG = Plan(
    seed=1,
    symbols=("BTCUSDT", "ETHUSDT"),
    acts=(DECIDE, msgspec.structs.replace(DECIDE, at_ms=900, key="d1")),
    incidents=(
        Steer(at_ms=100, symbol="BTCUSDT", bps=5, over_ms=900),
        VenueFault(at_ms=200, name="drop_event", count=8),
        Reset(at_ms=300),
        Partition(at_ms=600, lasts_ms=4_000),
        Steer(at_ms=700, symbol="ETHUSDT", bps=5, over_ms=900),
    ),
    crashes=(Crash(point=3, down_ms=1), Crash(point=40, down_ms=3_000), Crash(point=9, down_ms=5)),
    end_ms=9_000,
    habits="default",
    skew_ms=400,
    odd_quirks=("market_percent_price", "close_position_expires_when_flat"),
)


def test_only_what_the_failure_needs_is_left() -> None:
    def fails(plan: Plan) -> bool:
        events = [each for each in plan.incidents if isinstance(each, VenueFault) and each.count >= 3]
        cut = [each for each in plan.incidents if isinstance(each, Partition) and each.lasts_ms >= 300]
        killed = [crash for crash in plan.crashes if crash.point == 40]
        return bool(events and cut and killed and DECIDE in plan.acts)

    small = Shrinking(BIG, fails).run()
    assert fails(small)
    assert small.acts == (DECIDE,)
    assert small.incidents == (VenueFault(at_ms=200, name="drop_event", count=4), Partition(at_ms=600, lasts_ms=500))
    assert small.crashes == (Crash(point=40, down_ms=0),)
    assert (small.symbols, small.habits, small.skew_ms, small.odd_quirks) == (("ETHUSDT",), "none", 0, ())
    assert small.end_ms == 601


def test_a_quirk_that_is_needed_stays() -> None:
    small = Shrinking(BIG, lambda plan: "market_percent_price" in plan.odd_quirks).run()
    assert small.odd_quirks == ("market_percent_price",)
    assert (small.acts, small.incidents, small.crashes) == ((), (), ())


@pytest.mark.parametrize("most", [0, 5])
def test_it_asks_no_more_often_than_it_may(most: int) -> None:
    asked = []
    shrinking = Shrinking(draw_plan(1), lambda plan: asked.append(plan) is None, most_runs=most)
    shrinking.run()
    assert len(asked) == shrinking.runs == most


def test_a_kept_plan_is_read_back_and_so_is_a_bare_one(tmp_path) -> None:
    verdict = Verdict(
        seed=1, problems=("record 3 [I2]: twice",), broken=("I2",), events=1, faults=0, struck={}, trades=0, lives=1,
        transitions=(), legal=(), digest="",
    )  # fmt: skip
    path = keep(BIG, verdict, tmp_path / "new")
    assert path.name == "seed-1-I2.json"
    assert read_plan(path) == BIG
    assert msgspec.json.decode(path.read_bytes(), type=Regression).problems == verdict.problems
    bare = tmp_path / "bare.json"
    bare.write_bytes(msgspec.json.encode(BIG))
    assert read_plan(bare) == BIG


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1}', '{"plan": 3, "broken": [], "problems": []}'])
def test_a_file_that_holds_no_plan_is_refused_by_name(tmp_path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"wrong\.json holds no plan"):
        read_plan(path)

"""What few seeds see: it comes, and leaves the other seeds as they are."""

from collections import Counter

from execactor.simulation.draw import draw_plan
from execactor.simulation.plan import Decide, PartFills, Plan, VenueFault
from execactor.simulation.rarities import with_rarities

SEEDS = range(300)


def told_again(plan: Plan) -> bool:
    keys = Counter(act.key for act in plan.acts if isinstance(act, Decide))
    return max(keys.values()) > 1


def test_each_of_them_comes_in_some_seeds_and_not_in_most() -> None:
    plans = [draw_plan(seed) for seed in SEEDS]
    shares = [
        sum(told_again(plan) for plan in plans),
        sum(plan.max_positions == 1 for plan in plans),
        sum(any(isinstance(each, PartFills) for each in plan.incidents) for plan in plans),
        sum(
            any(isinstance(each, VenueFault) and each.name == "executed_late" for each in plan.incidents)
            for plan in plans
        ),
    ]
    assert all(0 < share < len(plans) / 3 for share in shares), shares


def test_acts_and_incidents_stay_in_the_order_of_their_time() -> None:
    for seed in SEEDS:
        plan = draw_plan(seed)
        acts, incidents = [act.at_ms for act in plan.acts], [each.at_ms for each in plan.incidents]
        assert (acts, incidents) == (sorted(acts), sorted(incidents))


def test_they_follow_from_the_seed() -> None:
    plan = draw_plan(7)
    assert with_rarities(plan) == with_rarities(plan)

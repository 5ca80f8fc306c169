"""What happens in few seeds only, and would cost money where nobody had thought of it.

It has a random stream of its own: what is added here leaves the plans of the other seeds as they are.
"""

import random
from collections.abc import Iterator

import msgspec

from execactor.runtime import RandomStreams
from execactor.simulation.plan import Act, Decide, Incident, PartFills, Plan, VenueFault


def with_rarities(plan: Plan) -> Plan:
    """The plan with what its seed draws of them."""
    rng = RandomStreams(plan.seed).of("rarities")
    incidents = sorted((*plan.incidents, *_incidents(rng, plan)), key=lambda incident: incident.at_ms)
    again = _decided_again(plan) if rng.random() < 0.05 else ()
    one_at_a_time = len(plan.symbols) > 1 and rng.random() < 0.5
    return msgspec.structs.replace(
        plan,
        acts=(*plan.acts, *again),
        incidents=tuple(incidents),
        end_ms=plan.end_ms + (2_000 if again else 0),
        max_positions=1 if one_at_a_time else None,
    )


def _incidents(rng: random.Random, plan: Plan) -> Iterator[Incident]:
    """Several may strike one seed."""
    at_ms = rng.randrange(plan.end_ms)
    if rng.random() < 0.1:
        # An entry of which nobody knows for a moment, and which lives after all.
        yield VenueFault(at_ms=0, name="executed_late", options={"role": "entry"})
    if rng.random() < 0.05:
        yield VenueFault(at_ms=at_ms, name="executed_late", count=2)
    if rng.random() < 0.08:
        # The rest of an entry stays open while its first part is held.
        gap_ms = rng.choice((400, 1_500, 4_000))
        yield VenueFault(at_ms=0, name="partial_fills", options={"role": "entry", "parts": 3, "gap_ms": gap_ms})
    rests = [act for act in plan.acts if isinstance(act, Decide) and act.entry_bps < 0]
    if rests and rng.random() < 0.3:
        # A part of an entry fills, and the rest goes on resting.
        part_ms = min(rests[0].at_ms + rng.randrange(100, 1_500), plan.end_ms - 1)
        yield PartFills(at_ms=part_ms, symbol=rests[0].symbol, per_mille=rng.choice((100, 500, 900)))
    if rng.random() < 0.04:
        # No stop gets through for longer than a position may be without one.
        yield VenueFault(at_ms=at_ms, name="http_503_failed", count=rng.choice((5, 8)), options={"role": "sl"})


def _decided_again(plan: Plan) -> tuple[Act, ...]:
    """The first decision comes once more after its trade, as from a source that tells everything at least once."""
    first = next(act for act in plan.acts if isinstance(act, Decide))
    return (msgspec.structs.replace(first, at_ms=plan.end_ms + 500),)

"""How often to ask the venue: as wished while its request budget has room, ever more slowly when others need it.

Half of the budget is ours to look with. Above that each further tenth halves the pace, so that polling ends up well
below the part that is kept for what reduces risk (venues/rate_limit.py keeps a fifth).
"""

_FREE = 0.5
_STEP = 0.1
_SLOWEST = 8


def slowdown(load: float) -> int:
    """By how much a pause is stretched (1, 2, 4 or 8) while this share of the request budget is used."""
    if load <= _FREE:
        return 1
    return min(2 << int((load - _FREE) / _STEP), _SLOWEST)

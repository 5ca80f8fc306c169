"""Courses on which planted bugs show at once: the canonical scenarios, and what would take too long to be swept."""

from collections.abc import Mapping

from crash_scenarios import BTC, SCENARIOS

from execactor.simulation.plan import (
    Act,
    Await,
    Decide,
    GoFlat,
    Halt,
    PartFills,
    Pause,
    Plan,
    Restart,
    Resume,
    Steer,
    Strike,
)

TOO_OLD_MS = 607_000
"""Ten minutes, and what a cancel may take (docs/checker.md, I15)."""


def _decide(key: str, entry_bps: int = 6) -> Decide:
    return Decide(
        at_ms=200,
        key=key,
        symbol=BTC,
        action="long",
        entry_bps=entry_bps,
        stop_bps=-90,
        tp1_bps=40,
        tp2_bps=80,
        notional=1_000,
    )


def _course(*acts: Act, step_ms: int = 100) -> Plan:
    return Plan(
        seed=1, symbols=(BTC,), acts=acts, incidents=(), crashes=(), end_ms=0, volatility_bps=0.1, step_ms=step_ms
    )


_PART_FILLED = (
    _decide("a", -30),
    Await(what="entry rests"),
    Strike(incident=PartFills(at_ms=0, symbol=BTC, per_mille=500)),
    Await(what="part filled"),
)

COURSES: Mapping[str, Plan] = {
    **{name: scenario.plan for name, scenario in SCENARIOS.items()},
    "the market comes to an entry that has rested for ten minutes": _course(
        _decide("a", -30),
        Await(what="entry rests"),
        Pause(ms=TOO_OLD_MS),
        Strike(incident=Steer(at_ms=0, symbol=BTC, bps=-50, over_ms=500)),
        Pause(ms=3_000),
        step_ms=250,
    ),
    "kill switch two seconds into a position": _course(
        _decide("a"),
        Await(what="protected"),
        Pause(ms=2_000),
        Halt(at_ms=0, resume_ms=3_000),
        Await(what="flat"),
    ),
    "restarted in the HALT, then asked to enter": _course(
        _decide("a"),
        Await(what="protected"),
        Halt(at_ms=0, resume_ms=60_000),
        Await(what="flat"),
        Pause(ms=3_000),
        Restart(down_ms=300),
        _decide("b"),
        Pause(ms=2_000),
        Resume(),
    ),
    "flat while the rest of an entry rests": _course(
        *_PART_FILLED, GoFlat(at_ms=0, key="f", symbol=BTC), Await(what="flat")
    ),
    "the rest of an entry rests": _course(*_PART_FILLED, Pause(ms=4_000)),
}

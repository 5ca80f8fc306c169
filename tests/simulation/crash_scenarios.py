"""Canonical trades in which the engine is killed at every point: what happens, and which roles fill when it is not.

Every step waits for the one before it to have shown at the venue, so that a scenario takes the same course whenever the
engine is killed in it.
"""

from collections.abc import Mapping

import msgspec

from execactor.simulation.plan import (
    Act,
    Await,
    Condition,
    Decide,
    Direction,
    DiskFull,
    GoFlat,
    Halt,
    Incident,
    OtherHand,
    Partition,
    Pause,
    Plan,
    Reset,
    Restart,
    Resume,
    Steer,
    StopVanishes,
    Strike,
    VenueFault,
)

BTC, ETH = "BTCUSDT", "ETHUSDT"
CROSSING, RESTING = 6, -14
BEGIN_MS = 200


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """fills: the roles that fill when nobody is killed. struck: the venue's faults that the log must show then."""

    plan: Plan
    fills: frozenset[str]
    struck: frozenset[str]


def _decide(key: str, action: Direction = "long", *, entry_bps: int = CROSSING, symbol: str = BTC) -> Decide:
    return Decide(
        at_ms=BEGIN_MS,
        key=key,
        symbol=symbol,
        action=action,
        entry_bps=entry_bps,
        stop_bps=-60,
        tp1_bps=40,
        tp2_bps=80,
        notional=2_000,
    )


def _flat(key: str = "f", symbol: str = BTC) -> GoFlat:
    return GoFlat(at_ms=0, key=key, symbol=symbol)


def _until(what: Condition, symbol: str = BTC) -> Await:
    return Await(what=what, symbol=symbol)


def _move(bps: int, symbol: str = BTC) -> tuple[Act, ...]:
    """The market goes there and stands."""
    return (
        Strike(incident=Steer(at_ms=0, symbol=symbol, bps=bps, over_ms=300)),
        Pause(ms=200),
        Await(what="market still", symbol=symbol),
    )


def _fault(name: str, count: int = 1, **options: object) -> Strike:
    return Strike(incident=VenueFault(at_ms=0, name=name, count=count, options=options))


def _strike(incident: Incident) -> Strike:
    return Strike(incident=incident)


def _scenario(
    *acts: Act | tuple[Act, ...], fills: str, struck: str = "", symbols: tuple[str, ...] = (BTC,)
) -> Scenario:
    steps = tuple(step for act in acts for step in (act if isinstance(act, tuple) else (act,)))
    plan = Plan(seed=1, symbols=symbols, acts=steps, incidents=(), crashes=(), end_ms=0, volatility_bps=0.1)
    return Scenario(plan=plan, fills=frozenset(fills.split()), struck=frozenset(struck.split()))


_ENTER = (_decide("a"), _until("protected"))
_ENTER_SHORT = (_decide("a", "short"), _until("protected"))
_REST = (_decide("a", entry_bps=RESTING), _until("entry rests"))
_IN_PARTS = _fault("partial_fills", role="entry", parts=3, gap_ms=400)
_CLOSE = (_flat(), _until("flat"))

SCENARIOS: Mapping[str, Scenario] = {
    "entry at market, closed": _scenario(_ENTER, _CLOSE, fills="entry exit"),
    "entry rests, fills, first and second target": _scenario(
        _REST, _move(-18), _until("protected"), _move(62), _until("tightened"), _move(45), _until("flat"),
        fills="entry tp1 tp2",
    ),
    "short, first and second target": _scenario(
        _ENTER_SHORT, _move(-50), _until("tightened"), _move(-45), _until("flat"), fills="entry tp1 tp2"
    ),
    "first target, then the stop at the entry": _scenario(
        _ENTER, _move(50), _until("tightened"), _move(-52), _until("flat"), fills="entry tp1 slt"
    ),
    "stopped": _scenario(_ENTER, _move(-75), _until("flat"), fills="entry sl"),
    "stop refused once": _scenario(
        _fault("reject_next", kind="stop"), _ENTER, _move(-75), _until("flat"), fills="entry sl", struck="reject_next"
    ),
    "stop refused for good": _scenario(
        _fault("reject_next", 100, kind="stop"), _decide("a"), _until("held"), _until("flat"),
        fills="entry exit", struck="reject_next",
    ),
    "stop acknowledged and lost": _scenario(
        _fault("algo_ack_lost", role="sl"), _ENTER, _move(-75), _until("flat"),
        fills="entry sl", struck="algo_ack_lost",
    ),
    "stop vanishes": _scenario(
        _ENTER, _strike(StopVanishes(at_ms=0, symbol=BTC)), _until("protected"), _CLOSE, fills="entry exit"
    ),
    "stop hangs while triggering": _scenario(
        _fault("algo_stuck_triggering", role="sl"), _ENTER, _move(-75), _until("flat"),
        fills="entry exit", struck="algo_stuck_triggering",
    ),
    "entry fills in parts, then stopped": _scenario(
        _IN_PARTS, _ENTER, _move(-75), _until("flat"), fills="entry sl", struck="partial_fills"
    ),
    "flat while the entry fills in parts": _scenario(
        _IN_PARTS, _decide("a"), _until("part filled"), _CLOSE, fills="entry exit", struck="partial_fills"
    ),
    "entry refused": _scenario(
        _fault("reject_next", kind="entry"), _decide("a"), Pause(ms=1_500), fills="", struck="reject_next"
    ),
    "entry carried out, answered with 503": _scenario(
        _fault("http_503_executed", kind="entry"), _ENTER, _CLOSE, fills="entry exit", struck="http_503_executed"
    ),
    "resting entry carried out, neither answer nor event": _scenario(
        _fault("ws_no_answer", kind="entry"), _fault("drop_event", kind="ORDER_TRADE_UPDATE"), _REST, _move(-18),
        _until("protected"), _CLOSE, fills="entry exit", struck="ws_no_answer drop_event",
    ),
    "entry in doubt that never lived": _scenario(
        _fault("http_503_failed", kind="entry", code=-1007, msg="Timeout waiting for response from backend server."),
        _ENTER, _CLOSE, fills="entry exit", struck="http_503_failed",
    ),
    "decision replaced while the entry rests": _scenario(
        _REST, _decide("b", entry_bps=CROSSING), _until("protected"), _CLOSE, fills="entry exit"
    ),
    "decision turned round in position": _scenario(
        _ENTER, _decide("b", "short"), Pause(ms=500), _until("protected"), _move(75), _until("flat"),
        fills="entry exit sl",
    ),
    "flat while the entry rests": _scenario(_REST, _CLOSE, fills=""),
    "entry fills while it is cancelled": _scenario(
        _fault("cancel_races_fill", fraction=0.5), _REST, _CLOSE, fills="entry exit", struck="cancel_races_fill"
    ),
    "kill switch while the entry rests": _scenario(
        _REST, Halt(at_ms=0, resume_ms=0), _until("flat"), Resume(), _until("engine running"), fills=""
    ),
    "kill switch in position, resumed, traded again": _scenario(
        _ENTER, Halt(at_ms=0, resume_ms=0), _until("flat"), Pause(ms=3_000), Resume(), _until("engine running"),
        _decide("b"), _until("protected"), _CLOSE, fills="entry exit",
    ),
    "two symbols, one to its targets, one to its stop": _scenario(
        _decide("a"), _decide("b", "short", symbol=ETH), _until("protected"), _until("protected", ETH),
        _move(50), _until("tightened"), _move(45), _until("flat"), _move(75, ETH), _until("flat", ETH),
        fills="entry tp1 tp2 sl", symbols=(BTC, ETH),
    ),
    "connections break in position": _scenario(
        _ENTER, _strike(Reset(at_ms=0)), _move(50), _until("tightened"), _CLOSE, fills="entry tp1 exit"
    ),
    "venue away for two seconds in position": _scenario(
        _ENTER, _strike(Partition(at_ms=0, lasts_ms=2_000)), _move(-75), _until("flat"), fills="entry sl"
    ),
    "listen key lost in position": _scenario(
        _ENTER, _fault("listen_key_expired"), Pause(ms=300), _CLOSE, fills="entry exit"
    ),
    "orphan adopted": _scenario(
        Await(what="engine running"), _strike(OtherHand(at_ms=0, symbol=BTC, side="BUY", quantity="0.02")),
        Pause(ms=4_000), _move(-300), Pause(ms=2_000), fills="sl",
    ),
    "fill that no event tells": _scenario(
        _REST, _fault("drop_event", 4), _move(-18), _until("protected"), _CLOSE, fills="entry exit", struck="drop_event"
    ),
    "too many requests as the entry is sent": _scenario(
        _fault("http_429", kind="entry", retry_after=2), _ENTER, _CLOSE, fills="entry exit", struck="http_429"
    ),
    "restarted in position": _scenario(
        _ENTER, Restart(down_ms=700), _move(50), _until("tightened"), _CLOSE, fills="entry tp1 exit"
    ),
    "disk full in position": _scenario(
        _ENTER, _strike(DiskFull(at_ms=0, lasts_ms=1_500)), _move(50), _until("tightened"), _move(45), _until("flat"),
        fills="entry tp1 tp2",
    ),
}  # fmt: skip

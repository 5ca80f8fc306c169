"""Which state the engine is in: what was asked for, and whether we know what the venue knows."""

from collections.abc import Callable

import pytest

from execactor.domain.account import EngineState
from execactor.risk.engine_state import EngineMode, begun, compared, doubted, interrupted, market, resumed, stopped

Change = Callable[[EngineMode], EngineMode]

BEGUN: Change = begun


def lost(now_ns: int) -> Change:
    return lambda mode: interrupted(mode, stream_up=False, now_ns=now_ns)


def restored(now_ns: int) -> Change:
    return lambda mode: interrupted(mode, stream_up=True, now_ns=now_ns)


def comparison(started_ns: int) -> Change:
    return lambda mode: compared(mode, started_ns=started_ns)


def stop(goal: EngineState) -> Change:
    return lambda mode: stopped(mode, goal, f"why {goal}")


def resume(now_ns: int) -> Change:
    return lambda mode: resumed(mode, "a person looked", now_ns)


def data(*, up: bool) -> Change:
    return lambda mode: market(mode, up=up)


def doubt(symbol: str, *, lasts: bool = True) -> Change:
    return lambda mode: doubted(mode, symbol, lasts=lasts)


NO_DATA, DATA = data(up=False), data(up=True)
PAUSE, SAFE, HALT = (stop(goal) for goal in (EngineState.PAUSED, EngineState.SAFE_MODE, EngineState.HALTED))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param([], "STARTING", id="before the venue is connected"),
        pytest.param([BEGUN], "RECONCILING", id="connected, not yet compared"),
        pytest.param([BEGUN, comparison(1)], "RUNNING", id="compared"),
        pytest.param([BEGUN, comparison(1), lost(5)], "PAUSED", id="the private stream is lost"),
        pytest.param([BEGUN, comparison(1), lost(5), comparison(6)], "PAUSED", id="compared while it is lost"),
        pytest.param([BEGUN, comparison(1), lost(5), restored(7)], "RECONCILING", id="the stream is back"),
        pytest.param(
            [BEGUN, comparison(1), lost(5), restored(7), comparison(6)],
            "RECONCILING",
            id="a comparison begun before it was back proves nothing",
        ),
        pytest.param(
            [BEGUN, comparison(1), lost(5), restored(7), comparison(7)], "RUNNING", id="one begun afterwards does"
        ),
        pytest.param(
            [BEGUN, comparison(1), restored(7), comparison(8), comparison(6)],
            "RUNNING",
            id="an older comparison that ends later takes nothing back",
        ),
        pytest.param([BEGUN, comparison(1), restored(5)], "RECONCILING", id="a frame that could not be read"),
        pytest.param([BEGUN, lost(5), restored(6)], "RECONCILING", id="lost before the first comparison"),
        pytest.param([BEGUN, comparison(1), NO_DATA], "RECONCILING", id="market data is lost: entries wait"),
        pytest.param([BEGUN, comparison(1), NO_DATA, DATA], "RUNNING", id="and is back"),
        pytest.param([BEGUN, comparison(1), NO_DATA, SAFE], "SAFE_MODE", id="safe mode without market data"),
        pytest.param([BEGUN, comparison(1), NO_DATA, lost(5)], "PAUSED", id="neither market data nor private stream"),
        pytest.param([BEGUN, comparison(1), doubt("A")], "RECONCILING", id="an order's fate is unknown: entries wait"),
        pytest.param([BEGUN, comparison(1), doubt("A"), doubt("A", lasts=False)], "RUNNING", id="until it is known"),
        pytest.param(
            [BEGUN, comparison(1), doubt("A"), doubt("B"), doubt("A", lasts=False)], "RECONCILING", id="of each symbol"
        ),
        pytest.param([BEGUN, comparison(1), doubt("A", lasts=False)], "RUNNING", id="an end without a beginning"),
        pytest.param([BEGUN, comparison(1), PAUSE], "PAUSED", id="paused"),
        pytest.param([BEGUN, comparison(1), SAFE], "SAFE_MODE", id="in safe mode"),
        pytest.param([BEGUN, comparison(1), HALT], "HALTED", id="killed"),
        pytest.param([BEGUN, comparison(1), SAFE, PAUSE], "SAFE_MODE", id="a pause does not lift safe mode"),
        pytest.param([BEGUN, comparison(1), HALT, SAFE], "HALTED", id="nor safe mode the kill"),
        pytest.param([BEGUN, comparison(1), PAUSE, HALT], "HALTED", id="a kill goes beyond a pause"),
        pytest.param([BEGUN, comparison(1), SAFE, lost(5)], "SAFE_MODE", id="safe mode without a stream"),
        pytest.param([HALT], "STARTING", id="a kill remembered from before the restart"),
        pytest.param([HALT, BEGUN], "RECONCILING", id="is compared first, so that protection may act"),
        pytest.param([HALT, BEGUN, comparison(1)], "HALTED", id="and holds"),
        pytest.param([BEGUN, comparison(1), PAUSE, resume(9)], "RECONCILING", id="resumed: compare once more"),
        pytest.param([BEGUN, comparison(1), PAUSE, resume(9), comparison(8)], "RECONCILING", id="from now on"),
        pytest.param([BEGUN, comparison(1), PAUSE, resume(9), comparison(9)], "RUNNING", id="then trade"),
        pytest.param([BEGUN, comparison(1), HALT, resume(9), comparison(9)], "RUNNING", id="after a kill too"),
        pytest.param(
            [BEGUN, comparison(1), lost(5), PAUSE, resume(9), comparison(9)], "PAUSED", id="not without a stream"
        ),
    ],
)
def test_state(changes: list[Change], state: str) -> None:
    mode = EngineMode()
    for change in changes:
        mode = change(mode)
    assert mode.state == state


def test_the_reason_is_that_of_the_strictest_stop() -> None:
    mode = SAFE(PAUSE(begun(EngineMode())))
    assert mode.reason == "why SAFE_MODE"
    assert PAUSE(mode) is mode
    assert stopped(mode, EngineState.SAFE_MODE, "another reason") is mode
    assert resumed(mode, "a person looked", 9).reason == "resumed: a person looked"


@pytest.mark.parametrize(
    ("state", "takes_risk"), [(state, state is EngineState.RUNNING) for state in EngineState], ids=list(EngineState)
)
def test_only_a_running_engine_takes_risk(state: EngineState, takes_risk: bool) -> None:
    assert state.takes_risk is takes_risk

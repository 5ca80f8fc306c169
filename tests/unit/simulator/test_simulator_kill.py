"""One SIGKILL at a named point of the protocol, seen on a real child process."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from still_venue import WHOLE, StillVenue

from execactor.simulator.kill import POINTS


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for ever."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def entry(still: StillVenue) -> Any:
    return still.send(
        "POST /fapi/v1/order",
        symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.1", newClientOrderId="capi_entry_1",
    )  # fmt: skip


def algo(still: StillVenue, kind: str, role: str, trigger: str) -> Any:
    return still.send(
        "POST /fapi/v1/algoOrder",
        algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type=kind, triggerPrice=trigger,
        workingType="MARK_PRICE", clientAlgoId=f"capi_{role}_1", **WHOLE,
    )  # fmt: skip


def walk(still: StillVenue) -> list[Any]:
    """Enter, protect, cancel the take-profit, leave: passes every point."""
    answers = [
        entry(still),
        algo(still, "STOP_MARKET", "sl", "59000"),
        algo(still, "TAKE_PROFIT_MARKET", "tp1", "62000"),
    ]
    answers.append(still.send("DELETE /fapi/v1/algoOrder", clientAlgoId="capi_tp1_1"))
    answers.append(
        still.send(
            "POST /fapi/v1/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.1", reduceOnly="true"
        )
    )
    return answers


@pytest.mark.parametrize("point", sorted(POINTS))
def test_the_engine_is_killed_at_the_point(point: str, child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point=point)
    walk(still)
    assert child.wait(10) == -signal.SIGKILL
    (line,) = still.log("kill")
    assert (line["point"], line["pid"]) == (point, child.pid)


@pytest.mark.parametrize("seed", range(6))
def test_a_request_that_arrived_is_executed_or_not_but_never_answered(
    seed: int, child: subprocess.Popen[bytes]
) -> None:
    still = StillVenue(seed=seed)
    still.venue.kill.arm(pid=child.pid, point="entry_request.before")
    assert entry(still) == [None]
    assert still.held in {0, Decimal("0.1")}
    kinds = [line["kind"] for line in still.venue.log.kept]
    assert kinds.index("request") < kinds.index("kill")
    assert "fill" not in kinds or kinds.index("kill") < kinds.index("fill")


def test_both_outcomes_of_an_arrived_request_happen() -> None:
    outcomes = set()
    for seed in range(12):
        with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
            still = StillVenue(seed=seed)
            still.venue.kill.arm(pid=process.pid, point="entry_request.before")
            entry(still)
            outcomes.add(still.held)
        if len(outcomes) == 2:
            return
    pytest.fail("the seed never changed the outcome")


def test_after_a_request_it_is_executed_and_never_answered(child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point="entry_request.after")
    assert entry(still) == [None]
    assert still.held == Decimal("0.1")
    assert still.log("response")[-1]["status"] == 0


def test_after_a_fill_its_events_are_not_sent_yet(child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point="fill.after")
    entry(still)
    kinds = [line["kind"] for line in still.venue.log.kept]
    assert kinds.index("fill") < kinds.index("kill") < kinds.index("event")


@pytest.mark.parametrize(("moment", "sent"), [("before", 0), ("after", 1)])
def test_an_order_event_is_not_or_just_written(moment: str, sent: int, child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point=f"order_event.{moment}")
    entry(still)
    lines = list(still.venue.log.kept)
    at = next(index for index, line in enumerate(lines) if line["kind"] == "kill")
    updates = [line for line in lines[:at] if line["kind"] == "event" and line["e"] == "ORDER_TRADE_UPDATE"]
    assert len(updates) == sent


def test_the_nth_time_and_the_role_count(child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point="take_profit_request.before", nth=2, role="tp1")
    entry(still)
    algo(still, "TAKE_PROFIT_MARKET", "tp2", "63000")
    still.send("DELETE /fapi/v1/algoOrder", clientAlgoId="capi_tp2_1")
    algo(still, "TAKE_PROFIT_MARKET", "tp1", "62000")
    assert still.log("kill") == []
    algo(still, "TAKE_PROFIT_MARKET", "tp1", "62000")
    assert child.wait(10) == -signal.SIGKILL


def test_it_kills_once(child: subprocess.Popen[bytes]) -> None:
    still = StillVenue()
    still.venue.kill.arm(pid=child.pid, point="fill.before")
    walk(still)
    assert len(still.log("kill")) == 1


@pytest.mark.parametrize(
    "bad", [{"point": "lunch.before"}, {"pid": 1}, {"pid": 0}, {"nth": 0}], ids=["point", "init", "group", "nth"]
)
def test_a_senseless_order_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"point|pid|nth"):
        StillVenue().venue.kill.arm(**{"pid": 999_999, "point": "fill.before", **bad})


def test_an_engine_that_is_gone_already_is_noted() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait(10)
    still = StillVenue()
    still.venue.kill.arm(pid=process.pid, point="entry_request.after")
    entry(still)
    assert still.log("kill")[0]["missing"] is True

"""How long a position stood without a working stop while the engine was down and coming up again."""

import pytest
from checker_cases import Build, TimeCases, enter, judge_time
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

case = TimeCases()


@case("a kill excuses until the engine is ready and two seconds more", restart=7000)
def _(log: LogBuilder) -> None:
    enter(log)
    log.record("kill", point="fill.after", pid=7)
    log.wait(4000)
    log.note("engine started")
    log.wait(1000)
    log.note("engine ready")
    log.wait(2000)
    log.stop("capi_sl_d1", "SELL", "95")
    log.wait(1000)


@case("two seconds and a bit after ready is too late", restart=7001, trips=("1.0 ms past the deadline of the outage",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.record("kill", point="fill.after", pid=7)
    log.wait(4000)
    log.note("engine started")
    log.wait(1000)
    log.note("engine ready")
    log.wait(2001)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a slow start is held to six seconds after the start", restart=8001, trips=("1001.0 ms past the deadline",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.note("engine killed")
    log.wait(1000)
    log.note("engine started")
    log.wait(5500)
    log.note("engine ready")
    log.wait(1501)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a log that notes only ready is held to ready", restart=3500, trips=("500.0 ms past the deadline",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.note("engine killed")
    log.wait(1000)
    log.note("engine ready")
    log.wait(2500)
    log.stop("capi_sl_d1", "SELL", "95")


@case("what was protected before the kill is measured as ever", longest=500)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(500)
    log.stop("capi_sl_d1", "SELL", "95")
    log.note("engine killed")
    log.note("engine started")
    log.note("engine ready")


@case("what is opened at the deadline or later is measured as ever", longest=500)
def _(log: LogBuilder) -> None:
    log.note("engine killed")
    log.note("engine started")
    log.wait(6000)
    enter(log)
    log.wait(500)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a stop that lasts through the restart leaves nothing to excuse")
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_sl_d1", "SELL", "95")
    log.note("engine killed")
    log.wait(60_000)
    log.note("engine started")
    log.note("engine ready")
    log.wait(60_000)


@case("a start nobody killed for begins an outage too", restart=900)
def _(log: LogBuilder) -> None:
    log.note("engine started")
    log.note("engine ready")
    log.wait(60_000)
    enter(log)
    stop = log.stop("capi_sl_d1", "SELL", "95")
    log.note("engine started")
    log.wait(100)
    log.algo(stop, "VANISHED")
    log.wait(900)
    log.stop("capi_sl_d1_a2", "SELL", "95")
    log.note("engine ready")


@case("an engine that is ready before any start is noted gives no excuse", longest=100)
def _(log: LogBuilder) -> None:
    log.note("engine ready")
    enter(log)
    log.wait(100)
    log.stop("capi_sl_d1", "SELL", "95")


@case("only the first ready of a start counts", longest=2500, trips=("for 2500.0 ms",))
def _(log: LogBuilder) -> None:
    log.note("engine started")
    log.note("engine ready")
    enter(log)
    log.wait(2500)
    log.stop("capi_sl_d1", "SELL", "95")
    log.note("engine ready")


@case("an engine that is never started again cannot protect", restart=60_000)
def _(log: LogBuilder) -> None:
    enter(log)
    log.note("engine killed")
    log.wait(60_000)


@case("the time before the kill counts as any other", longest=2500, restart=3500, trips=("for 2500.0 ms",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(2500)
    log.note("engine killed")
    log.note("engine started")
    log.note("engine ready")
    log.wait(1000)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a kill during the restart begins a new outage", restart=10_000)
def _(log: LogBuilder) -> None:
    enter(log)
    for _attempt in range(2):
        log.note("engine killed")
        log.wait(1000)
        log.note("engine started")
        log.wait(3000)
    log.note("engine ready")
    log.wait(2000)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a kill after the deadline excuses nothing", restart=9000, trips=("1000.0 ms past the deadline",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.note("engine killed")
    log.note("engine started")
    log.wait(7000)
    log.note("engine killed")
    log.note("engine started")
    log.wait(2000)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a position opened after ready has no excuse", longest=2100, trips=("for 2100.0 ms",))
def _(log: LogBuilder) -> None:
    log.note("engine killed")
    log.note("engine started")
    log.note("engine ready")
    enter(log)
    log.wait(2100)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a position opened just before the deadline has its two seconds", restart=1900)
def _(log: LogBuilder) -> None:
    log.note("engine killed")
    log.note("engine started")
    log.wait(5900)
    enter(log)
    log.wait(1900)
    log.stop("capi_sl_d1", "SELL", "95")


@case("what was open before the first start is excused until then", restart=3_600_500)
def _(log: LogBuilder) -> None:
    log.trade("web_1", "BUY", "1", "100")
    log.wait(3_600_000)
    log.note("engine started")
    log.wait(500)
    log.stop("capi_sl_BTCUSDT", "SELL", "95")
    log.note("engine ready")


@pytest.mark.parametrize(("build", "longest", "restart", "trips"), case)
def test_time_without_a_stop(build: Build, longest: float, restart: float, trips: tuple[str, ...]) -> None:
    judge_time(build, longest, restart, trips)


def test_the_venues_kill_and_the_harnesss_note_are_one_kill() -> None:
    log = LogBuilder()
    log.record("kill", point="entry_request.after", pid=7)
    log.note("engine killed")
    log.note("engine started")
    log.note("engine ready")
    log.note("engine killed")

    report = check(log.lines)

    assert report.counts["kills"] == 2
    assert check(log.lines[3:5]).counts["kills"] == 0
    assert "the engine never came back after line 6" in report.notices


def test_a_kill_that_found_no_process_is_none() -> None:
    log = LogBuilder()
    log.record("kill", point="entry_request.after", pid=7, missing=True)

    assert check(log.lines).counts["kills"] == 0

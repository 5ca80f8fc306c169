"""How long a position stood without a working stop."""

import pytest
from checker_cases import Build, TimeCases, enter, judge_time
from venue_log_builder import LogBuilder

from execactor.simulator.checker import Allowances, check

case = TimeCases()


@case("from the fill to the stop's NEW", longest=120.5)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(120.5)
    log.stop("capi_sl_d1", "SELL", "95")
    log.wait(60_000)


@case("a stop just in time is no violation", longest=2000)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(2000)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a stop too late is one", longest=2001, trips=("BTCUSDT had no working stop for 2001.0 ms",))
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(2001)
    log.stop("capi_sl_d1", "SELL", "95")


@case("a position flat again before any stop", longest=300)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(300)
    log.trade("capi_exit_d1", "SELL", "1", "99", reduce_only=True)
    log.wait(10_000)


@case("an exit in flight protects nothing", longest=2500, trips=("for 2500.0 ms",))
def _(log: LogBuilder) -> None:
    enter(log)
    order = log.place("capi_exit_d1", "SELL", "1", reduce_only=True)
    log.wait(2500)
    log.fill(order, "99")


@case("a position open at the end is measured to the end", longest=700)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(700)


@case("a stop that closes the position covers every later fill")
def _(log: LogBuilder) -> None:
    order = log.place("capi_entry_d1", "BUY", "1")
    log.fill(order, "100", "0.1")
    log.stop("capi_sl_d1", "SELL", "95")
    log.wait(5000)
    log.fill(order, "100", "0.9")
    log.wait(5000)


@case("a stop with a quantity covers no more than that", longest=400)
def _(log: LogBuilder) -> None:
    order = log.place("capi_entry_d1", "BUY", "1")
    log.fill(order, "100", "0.5")
    log.stop("capi_sl_d1", "SELL", "95", "0.5")
    log.wait(5000)
    log.fill(order, "100", "0.5")
    log.wait(400)
    log.stop("capi_sl_d1_a2", "SELL", "95", "0.5")
    log.wait(5000)


@case("a stop on the opening side protects nothing", longest=500)
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_sl_d1", "BUY", "95")
    log.wait(500)


@case("a stop of another symbol protects nothing", longest=500)
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_sl_d1", "SELL", "95", symbol="ETHUSDT")
    log.wait(500)


@case("a stop that may open a position protects nothing", longest=500)
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_sl_d1", "SELL", "95", "1", reduce_only=False)
    log.wait(500)


@case("a take-profit is no stop", longest=500)
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_tp1_d1", "SELL", "110", "1", type="TAKE_PROFIT_MARKET")
    log.wait(500)


@case("a short is protected by a stop that buys", longest=50)
def _(log: LogBuilder) -> None:
    log.trade("capi_entry_d1", "SELL", "1", "100")
    log.wait(50)
    log.stop("capi_sl_d1", "BUY", "105")
    log.wait(5000)


@case("from the stop's end, whatever ended it", longest=900)
def _(log: LogBuilder) -> None:
    enter(log)
    for number, (status, ms) in enumerate(
        {"CANCELED": 100, "VANISHED": 900, "EXPIRED": 300, "REJECTED": 200}.items(), start=1
    ):
        stop = log.stop(f"capi_sl_d1_a{number}", "SELL", "95")
        log.wait(5000)
        log.algo(stop, status)
        log.wait(ms)
    log.stop("capi_sl_d1_a5", "SELL", "95")
    log.wait(5000)


@case("the tightened stop protects while the base stop is missing")
def _(log: LogBuilder) -> None:
    enter(log)
    base = log.stop("capi_sl_d1", "SELL", "95")
    log.stop("capi_slt_d1", "SELL", "97", "1")
    log.algo(base, "VANISHED")
    log.wait(5000)


@case("a stop that triggered still works while its order fills in parts")
def _(log: LogBuilder) -> None:
    enter(log)
    stop = log.stop("capi_sl_d1", "SELL", "95")
    child = log.trigger(stop)
    log.wait(3000)
    log.fill(child, "95", "0.4")
    log.wait(3000)
    log.fill(child, "94", "0.6")
    log.algo(stop, "FINISHED")
    log.wait(3000)


@case("a stop whose order expired works no more", longest=800)
def _(log: LogBuilder) -> None:
    enter(log)
    stop = log.stop("capi_sl_d1", "SELL", "95")
    child = log.trigger(stop)
    log.fill(child, "95", "0.4")
    log.end(child, "EXPIRED")
    log.wait(800)
    log.trade("capi_exit_d1", "SELL", "0.6", "94", reduce_only=True)


@case("a triggered stop covers what it triggered for, not what was bought since", longest=600)
def _(log: LogBuilder) -> None:
    entry = log.place("capi_entry_d1", "BUY", "1")
    log.fill(entry, "100", "0.5")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    child = log.trigger(stop)
    log.fill(entry, "100", "0.5")
    log.wait(600)
    log.trade("capi_exit_d1", "SELL", "0.5", "94", reduce_only=True)
    log.fill(child, "95")
    log.algo(stop, "FINISHED")


@case("what a triggered stop has filled it covers no more", longest=500)
def _(log: LogBuilder) -> None:
    entry = log.place("capi_entry_d1", "BUY", "1.2")
    log.fill(entry, "100", "1")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    child = log.trigger(stop)
    log.fill(child, "95", "0.4")
    log.wait(3000)
    log.fill(entry, "95", "0.2")
    log.wait(500)
    log.trade("capi_exit_d1", "SELL", "0.2", "94", reduce_only=True)
    log.wait(3000)
    log.fill(child, "94", "0.6")


@case("turning the position turns what protects it", longest=250)
def _(log: LogBuilder) -> None:
    enter(log)
    log.stop("capi_sl_d1", "SELL", "95")
    log.wait(100)
    log.trade("web_1", "SELL", "2", "100")
    log.wait(250)
    log.stop("capi_sl_x", "BUY", "105")
    log.wait(5000)


@case("a clock that steps back shortens nothing else", longest=100)
def _(log: LogBuilder) -> None:
    enter(log)
    log.wait(-5000)
    log.stop("capi_sl_d1", "SELL", "95")
    log.wait(100)
    log.trade("capi_entry_d2", "SELL", "2", "100")
    log.wait(100)
    log.trade("capi_exit_d2", "BUY", "1", "100")


@pytest.mark.parametrize(("build", "longest", "restart", "trips"), case)
def test_time_without_a_stop(build: Build, longest: float, restart: float, trips: tuple[str, ...]) -> None:
    judge_time(build, longest, restart, trips)


def test_the_graces_are_the_callers() -> None:
    log = LogBuilder()
    enter(log)
    log.wait(1500)
    log.stop("capi_sl_d1", "SELL", "95")

    assert check(log.lines).violations == ()
    assert check(log.lines, allow=Allowances(protect_s=1.4)).violations != ()


def test_a_position_older_than_the_log_is_naked_from_its_first_line() -> None:
    log = LogBuilder()
    log.start_with("1", "100")
    log.wait(1200)
    log.trade("capi_exit_d1", "SELL", "1", "101", reduce_only=True)

    report = check(log.lines)

    assert report.max_unprotected_ms == 1200
    assert report.venue_errors == ()
    assert "BTCUSDT was held before the log began" in report.notices

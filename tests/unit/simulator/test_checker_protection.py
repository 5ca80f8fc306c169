"""How long a position stood without a working stop, alone and across restarts of the engine."""

from collections.abc import Callable

import pytest
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

Build = Callable[[LogBuilder], None]
CASES = []


def case(
    sentence: str, *, longest: float = 0.0, restart: float = 0.0, trips: tuple[str, ...] = ()
) -> Callable[[Build], Build]:
    """Registers a log with the longest naked intervals in ms, and a part of each violation it must cause."""

    def register(build: Build) -> Build:
        CASES.append(pytest.param(build, longest, restart, trips, id=sentence))
        return build

    return register


def enter(log: LogBuilder, quantity: str = "1") -> None:
    log.trade("capi_entry_d1", "BUY", quantity, "100")


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


@pytest.mark.parametrize(("build", "longest", "restart", "trips"), CASES)
def test_time_without_a_stop(build: Build, longest: float, restart: float, trips: tuple[str, ...]) -> None:
    log = LogBuilder()
    build(log)
    log.record("end")

    report = check(log.text())

    assert report.venue_errors == ()
    assert (report.max_unprotected_ms, report.max_unprotected_restart_ms) == (longest, restart)
    assert len(report.violations) == len(trips), report.violations
    for part, violation in zip(trips, report.violations, strict=True):
        assert part in violation


def test_the_graces_are_the_callers() -> None:
    log = LogBuilder()
    enter(log)
    log.wait(1500)
    log.stop("capi_sl_d1", "SELL", "95")

    assert check(log.lines).violations == ()
    assert check(log.lines, protect_within_s=1.4).violations != ()


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


def test_a_position_older_than_the_log_is_naked_from_its_first_line() -> None:
    log = LogBuilder()
    log.start_with("1", "100")
    log.wait(1200)
    log.trade("capi_exit_d1", "SELL", "1", "101", reduce_only=True)

    report = check(log.lines)

    assert report.max_unprotected_ms == 1200
    assert report.venue_errors == ()
    assert "BTCUSDT was held before the log began" in report.notices

"""A stop never moves to risk more: logs that trip the rule, and logs that just pass."""

import pytest
from checker_cases import Build, RuleCases, judge_rule, leave, long_position
from venue_log_builder import LogBuilder

case = RuleCases()


@case("a stop lowered under a long is a violation", trips="from 95 for all to 94 for all, which risks more")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "CANCELED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "94"))


@case("a stop replaced at the same trigger is allowed")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "CANCELED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "95"))


@case("a stop raised over a short is a violation", trips="from 105 for all to 106 for all, which risks more")
def _(log: LogBuilder) -> None:
    log.trade("capi_entry_d1", "SELL", "1", "100")
    log.algo(log.stop("capi_sl_d1", "BUY", "105"), "CANCELED")
    stop = log.stop("capi_sl_d1_a2", "BUY", "106")
    log.trade("capi_exit_d1", "BUY", "1", "100")
    log.algo(stop, "CANCELED")


@case("a short's stop raised after a part was bought back is a violation", trips="from 105 for all to 106 for all")
def _(log: LogBuilder) -> None:
    log.trade("capi_entry_d1", "SELL", "1", "100")
    base = log.stop("capi_sl_d1", "BUY", "105")
    log.trade("capi_tp1_d1", "BUY", "0.4", "90")
    log.algo(base, "CANCELED")
    stop = log.stop("capi_sl_d1_a2", "BUY", "106")
    log.trade("capi_exit_d1", "BUY", "0.6", "100")
    log.algo(stop, "CANCELED")


@case("a wider stop for a position that grew is a violation", trips="from 95 for 1 to 94 for 2, which risks more")
def _(log: LogBuilder) -> None:
    log.fed("d1", "2")
    entry = log.place("capi_entry_d1", "BUY", "2")
    log.fill(entry, "100", "1")
    small = log.stop("capi_sl_d1", "SELL", "95", "1")
    log.fill(entry, "100", "1")
    log.algo(small, "CANCELED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "94", "2"), quantity="2")


@case("a tighter stop for a position that grew is allowed")
def _(log: LogBuilder) -> None:
    log.fed("d1", "2")
    entry = log.place("capi_entry_d1", "BUY", "2")
    log.fill(entry, "100", "1")
    small = log.stop("capi_sl_d1", "SELL", "95", "1")
    log.fill(entry, "100", "1")
    log.algo(small, "CANCELED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "95", "2"), quantity="2")


@case("a tightened stop taken away again is a violation", trips="from 98 for 1 and 95 for all to 95 for all")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    log.algo(log.stop("capi_slt_d1", "SELL", "98", "1"), "CANCELED")
    leave(log, base)


@case("a tightened stop may be followed by a tighter one, placed first")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    first = log.stop("capi_slt_d1", "SELL", "98", "1")
    second = log.stop("capi_slt_d1_a2", "SELL", "99", "1")
    log.algo(first, "CANCELED")
    leave(log, base)
    log.algo(second, "CANCELED")


@case("a tightened stop for half, after half was sold at tp1, is no step back")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    whole = log.stop("capi_slt_d1", "SELL", "98", "1")
    log.trade("capi_tp1_d1", "SELL", "0.5", "110", reduce_only=True)
    half = log.stop("capi_slt_d1_a2", "SELL", "98", "0.5")
    log.algo(whole, "CANCELED")
    log.trigger_and_fill(half, "98")
    log.algo(base, "CANCELED")


@case("a tightened stop for less than before is a violation", trips="which risks more")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    whole = log.stop("capi_slt_d1", "SELL", "98", "1")
    half = log.stop("capi_slt_d1_a2", "SELL", "98", "0.5")
    log.algo(whole, "CANCELED")
    log.trade("capi_exit_d1", "SELL", "1", "101", reduce_only=True)
    log.algo(half, "CANCELED")
    log.algo(base, "CANCELED")


@case("a stop the venue dropped is not lowered by us")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    log.algo(log.stop("capi_slt_d1", "SELL", "98", "1"), "VANISHED")
    leave(log, base)


@case("a tightened stop cancelled for a better one the venue then drops is not lowered by us")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    first = log.stop("capi_slt_d1", "SELL", "98", "1")
    log.algo(log.stop("capi_slt_d1_a2", "SELL", "99", "1"), "VANISHED")
    log.algo(first, "CANCELED")
    leave(log, base)


@case("replacing a dropped stop further away is a violation", trips="from 95 for all to 94 for all")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "VANISHED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "94"))


@case("a base stop takes the place of a dropped one, though a tightened one was dropped too")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "VANISHED")
    log.algo(log.stop("capi_slt_d1", "SELL", "98", "1"), "VANISHED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "95"))


@case("but not further away than it was", trips="from 95 for all to 94 for all")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "VANISHED")
    log.algo(log.stop("capi_slt_d1", "SELL", "98", "1"), "VANISHED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "94"))


@case("the next position may have a wider stop")
def _(log: LogBuilder) -> None:
    leave(log, long_position(log))
    log.trade("capi_entry_d2", "BUY", "1", "100")
    leave(log, log.stop("capi_sl_d2", "SELL", "90"), "d2")


@case("a stop lost in an earlier position is no measure for the next")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    log.algo(log.stop("capi_slt_d1", "SELL", "98", "1"), "VANISHED")
    leave(log, base)
    log.trade("capi_entry_d2", "BUY", "1", "100")
    log.algo(log.stop("capi_sl_d2", "SELL", "90"), "CANCELED")
    leave(log, log.stop("capi_sl_d2_a2", "SELL", "90"), "d2")


@case("a stop left over from an earlier position may be cleared away in the next")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    left_over = log.stop("capi_slt_d1", "SELL", "98", "1")
    leave(log, base)
    log.trade("capi_entry_d2", "BUY", "1", "100")
    stop = log.stop("capi_sl_d2", "SELL", "90")
    log.algo(left_over, "CANCELED")
    leave(log, stop, "d2")


@case("a stop of another hand may move as it likes")
def _(log: LogBuilder) -> None:
    base = long_position(log)
    log.algo(log.stop("web_1", "SELL", "99"), "CANCELED")
    leave(log, base)


@pytest.mark.parametrize(("build", "trips", "duplicate", "prefix"), case)
def test_rule(build: Build, trips: str | None, duplicate: str | None, prefix: str) -> None:
    judge_rule(build, trips, duplicate, prefix)

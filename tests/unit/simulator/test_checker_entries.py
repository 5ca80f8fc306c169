"""No decision is entered twice and no client id used twice: a log that trips each rule, and one that just passes."""

import pytest
from checker_cases import Build, RuleCases, judge_rule, leave, long_position
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

case = RuleCases()


@case("a whole trade breaks no rule")
def _(log: LogBuilder) -> None:
    leave(log, long_position(log))


@case(
    "a second entry beside a live one is a duplicate", trips="are live at the same time", duplicate="two live entries"
)
def _(log: LogBuilder) -> None:
    first = log.place("capi_entry_d1", "BUY", "1")
    second = log.place("capi_entry_d1_a2", "BUY", "1")
    log.end(first)
    log.end(second)


@case("a second entry after the first was cancelled is a chase")
def _(log: LogBuilder) -> None:
    log.end(log.place("capi_entry_d1", "BUY", "1"))
    log.end(log.place("capi_entry_d1_a2", "BUY", "1"))


@case("two decisions may enter at the same time")
def _(log: LogBuilder) -> None:
    orders = [log.place("capi_entry_d1", "BUY", "1"), log.place("capi_entry_d2", "BUY", "1")]
    for order in orders:
        log.end(order)


@case("a refused entry beside a live one never lived")
def _(log: LogBuilder) -> None:
    first = log.place("capi_entry_d1", "BUY", "1")
    log.place("capi_entry_d1_a2", "BUY", "1", status="REJECTED")
    log.end(first)


@case(
    "an id used for two orders is a duplicate, reported once",
    trips="capi_exit_d1 was used for order",
    duplicate="id used twice",
)
def _(log: LogBuilder) -> None:
    first = log.place("capi_exit_d1", "SELL", "1")
    log.end(first)
    second = log.place("capi_exit_d1", "SELL", "1")
    log.end(first)
    log.end(second)


@case(
    "an id used for an order and a stop is a duplicate",
    trips="is used again for conditional order",
    duplicate="id used twice",
)
def _(log: LogBuilder) -> None:
    log.end(log.place("capi_sl_d1", "SELL", "1"))
    log.algo(log.stop("capi_sl_d1", "SELL", "95"), "CANCELED")


@case("a request that the network doubled may be carried out twice")
def _(log: LogBuilder) -> None:
    long_position(log)
    first = log.stop("capi_tp1_d1", "SELL", "120", "1", type="TAKE_PROFIT_MARKET")
    log.algo(first, "VANISHED")
    log.record("fault", name="duplicate_request", detail={"client_id": "capi_tp1_d1"})
    log.algo(log.stop("capi_tp1_d1", "SELL", "120", "1", type="TAKE_PROFIT_MARKET"), "VANISHED")


@case(
    "but not three times",
    trips="is used again for conditional order",
    duplicate="id used twice",
)
def _(log: LogBuilder) -> None:
    long_position(log)
    log.record("fault", name="duplicate_request", detail={"client_id": "capi_tp1_d1"})
    for _ in range(3):
        log.algo(log.stop("capi_tp1_d1", "SELL", "120", "1", type="TAKE_PROFIT_MARKET"), "VANISHED")


@case("a triggered stop and the order it becomes share one id")
def _(log: LogBuilder) -> None:
    log.trigger_and_fill(long_position(log), "95")


@case("a foreign id may be used as often as its owner likes")
def _(log: LogBuilder) -> None:
    log.end(log.place("web_1", "BUY", "1"))
    log.end(log.place("web_1", "BUY", "1"))


@case(
    "an entry filled above the decision is a duplicate",
    trips="is filled 1.001, above its quantity 1",
    duplicate="overfilled",
)
def _(log: LogBuilder) -> None:
    log.fed("d1", "1")
    log.trade("capi_entry_d1", "BUY", "1.001", "100")
    leave(log, log.stop("capi_sl_d1", "SELL", "95"), quantity="1.001")


@case("two attempts may fill the decision together")
def _(log: LogBuilder) -> None:
    log.fed("d1", "1")
    first = log.place("capi_entry_d1", "BUY", "1")
    log.fill(first, "100", "0.4")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    log.end(first)
    log.trade("capi_entry_d1_a2", "BUY", "0.6", "101")
    leave(log, stop)


@case(
    "without a fed decision the largest entry is the measure",
    trips="is filled 1.4, above its quantity 1",
    duplicate="overfilled",
)
def _(log: LogBuilder) -> None:
    first = log.place("capi_entry_d1", "BUY", "1")
    log.fill(first, "100", "0.7")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    log.end(first)
    second = log.place("capi_entry_d1_a2", "BUY", "1")
    log.fill(second, "100", "0.7")
    log.end(second)
    leave(log, stop, quantity="1.4")


@case(
    "the first body of a decision is the one that counts",
    trips="is filled 2, above its quantity 1",
    duplicate="overfilled",
)
def _(log: LogBuilder) -> None:
    log.fed("d1", "1")
    log.fed("d1", "2")
    log.trade("capi_entry_d1", "BUY", "2", "100")
    leave(log, log.stop("capi_sl_d1", "SELL", "95"), quantity="2")


@case(
    "an entry that fills after a whole one is a duplicate",
    trips="capi_entry_d1_a2 filled after capi_entry_d1 had already filled decision d1",
    duplicate="entered again",
)
def _(log: LogBuilder) -> None:
    log.fed("d1", "2")
    log.trade("capi_entry_d1", "BUY", "1", "100")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    log.trade("capi_entry_d1_a2", "BUY", "1", "100")
    leave(log, stop, quantity="2")


@case("an entry filled on the wrong side is a violation", trips="against the side of decision d1")
def _(log: LogBuilder) -> None:
    log.fed("d1", "1", side="short")
    log.trade("capi_entry_d1", "BUY", "1", "100")
    leave(log, log.stop("capi_sl_d1", "SELL", "95"))


@case("a decision that is neither long nor short has no wrong side")
def _(log: LogBuilder) -> None:
    log.fed("d1", "1", side="auto")
    log.trade("capi_entry_d1", "BUY", "1", "100")
    leave(log, log.stop("capi_sl_d1", "SELL", "95"))


@case("an id with our prefix must name a role and a decision", trips="names no role and decision")
def _(log: LogBuilder) -> None:
    log.end(log.place("capi_d1", "BUY", "1"))


@case("a role of another prefix is foreign, not ours", prefix="mine")
def _(log: LogBuilder) -> None:
    log.place("capi_entry_d1", "BUY", "1")
    log.place("capi_entry_d1_a2", "BUY", "1")


@case("an exit that turns the position is a violation", trips="may only close, but took BTCUSDT to -0.5")
def _(log: LogBuilder) -> None:
    stop = long_position(log)
    log.trade("capi_exit_d1", "SELL", "1.5", "101")
    log.algo(stop, "CANCELED")
    log.trade("web_1", "BUY", "0.5", "101")


@pytest.mark.parametrize(("build", "trips", "duplicate", "prefix"), case)
def test_rule(build: Build, trips: str | None, duplicate: str | None, prefix: str) -> None:
    judge_rule(build, trips, duplicate, prefix)


def test_what_a_trigger_makes_goes_by_the_name_of_the_conditional_order() -> None:
    log = LogBuilder()
    stop = long_position(log)
    log.algo(stop, "TRIGGERING")
    child = log.place("8f86oIgngLKPMSIiTidO4Y", "SELL", "1", parent=stop, reduce_only=True)
    log.algo(stop, "TRIGGERED", child)
    log.fill(child, "95")
    log.algo(stop, "FINISHED")
    log.record("end")
    report = check(log.text())
    assert report.violations == ()
    assert [trade.outcome for trade in report.trades] == ["stopped"]

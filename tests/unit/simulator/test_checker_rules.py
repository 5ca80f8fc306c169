"""Every safety rule of the checker: a log that trips it, and one that just passes."""

from collections.abc import Callable

import pytest
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

Build = Callable[[LogBuilder], None]
CASES = []


def case(
    sentence: str, *, trips: str | None = None, duplicate: str | None = None, prefix: str = "capi"
) -> Callable[[Build], Build]:
    """Registers a log. `trips`: part of the one violation it must cause; `duplicate`: the rule if it is one."""

    def register(build: Build) -> Build:
        CASES.append(pytest.param(build, trips, duplicate, prefix, id=sentence))
        return build

    return register


def long_position(log: LogBuilder, key: str = "d1", quantity: str = "1") -> int:
    """A filled entry and its base stop at 95; returns the stop's id."""
    log.fed(key, quantity)
    log.trade(f"capi_entry_{key}", "BUY", quantity, "100")
    return log.stop(f"capi_sl_{key}", "SELL", "95")


def leave(log: LogBuilder, stop: int, key: str = "d1", quantity: str = "1") -> None:
    """Closes the position, the stop last."""
    log.trade(f"capi_exit_{key}", "SELL", quantity, "101", reduce_only=True)
    log.algo(stop, "CANCELED")


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


@case("an id with our prefix must name a role and a decision", trips="names no role and decision")
def _(log: LogBuilder) -> None:
    log.end(log.place("capi_d1", "BUY", "1"))


@case("a role of another prefix is foreign, not ours", prefix="mine")
def _(log: LogBuilder) -> None:
    log.place("capi_entry_d1", "BUY", "1")
    log.place("capi_entry_d1_a2", "BUY", "1")


@case("an entry sent again after the venue took it is a violation", trips="is sent again")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.end(log.place("capi_entry_d1", "BUY", "1"))
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("an entry sent again after a refusal may live")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.place("capi_entry_d1", "BUY", "1", status="REJECTED")
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.end(log.place("capi_entry_d1", "BUY", "1"))


@case("an entry after the HALT is a violation", trips="new risk after the HALT")
def _(log: LogBuilder) -> None:
    log.note("engine halted")
    log.request("POST /fapi/v1/order", newClientOrderId="capi_entry_d1", side="BUY")


@case("a close that is not reduce-only after the HALT is a violation", trips="new risk after the HALT")
def _(log: LogBuilder) -> None:
    log.note("HALT")
    log.request("POST /fapi/v1/order", newClientOrderId="capi_exit_d1", side="SELL")


@case("reduce-only closes and stops may follow the HALT, entries only the resumption")
def _(log: LogBuilder) -> None:
    log.note("engine halted")
    log.request("POST /fapi/v1/order", newClientOrderId="capi_exit_d1", side="SELL", reduceOnly="true")
    log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition=True)
    log.note("engine resumed")
    log.request("POST /fapi/v1/order", newClientOrderId="capi_entry_d2", side="BUY")


@case("cancelling a foreign order by client id is a violation", trips="touches web_1, which is not ours")
def _(log: LogBuilder) -> None:
    log.place("web_1", "BUY", "1")
    log.request("DELETE /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="web_1")


@case("cancelling a foreign order by the venue's id is a violation", trips="touches web_1, which is not ours")
def _(log: LogBuilder) -> None:
    order = log.place("web_1", "BUY", "1")
    log.request("order.cancel", symbol="BTCUSDT", orderId=str(order))


@case("cancelling a foreign stop is a violation", trips="touches web_2, which is not ours")
def _(log: LogBuilder) -> None:
    log.request("DELETE /fapi/v1/algoOrder", algoId=log.stop("web_2", "SELL", "95"))


@case("cancelling all orders of a symbol with a foreign one is a violation", trips="touches web_1, which is not ours")
def _(log: LogBuilder) -> None:
    log.place("web_1", "BUY", "1")
    log.request("DELETE /fapi/v1/allOpenOrders", symbol="BTCUSDT")


@case("a dead-man switch over a foreign order is a violation", trips="touches web_1, which is not ours")
def _(log: LogBuilder) -> None:
    log.place("web_1", "BUY", "1")
    log.request("POST /fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="0")
    log.request("POST /fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="120000")


@case("cancelling all stops of a symbol with a foreign one is a violation", trips="touches web_2, which is not ours")
def _(log: LogBuilder) -> None:
    log.stop("web_2", "SELL", "95")
    log.request("DELETE /fapi/v1/algoOpenOrders", symbol="BTCUSDT")


@case("cancelling our own, or all where only ours are open, is allowed")
def _(log: LogBuilder) -> None:
    log.end(log.place("web_1", "BUY", "1"))
    log.place("web_2", "BUY", "1", symbol="ETHUSDT")
    order = log.place("capi_entry_d1", "BUY", "1")
    log.request("order.cancel", symbol="BTCUSDT", orderId=order)
    log.request("DELETE /fapi/v1/allOpenOrders", symbol="BTCUSDT")
    log.request("DELETE /fapi/v1/order", symbol="BTCUSDT", origClientOrderId="capi_entry_d1")
    log.end(order)


@case("an order sent without our prefix is a violation", trips="which lacks our prefix")
def _(log: LogBuilder) -> None:
    log.request("POST /fapi/v1/order", symbol="BTCUSDT", side="BUY")


@case("an exit that turns the position is a violation", trips="may only close, but took BTCUSDT to -0.5")
def _(log: LogBuilder) -> None:
    stop = long_position(log)
    log.trade("capi_exit_d1", "SELL", "1.5", "101")
    log.algo(stop, "CANCELED")
    log.trade("web_1", "BUY", "0.5", "101")


@case("a stop lowered under a long is a violation", trips="from 95 for all to 94 for all, which risks more")
def _(log: LogBuilder) -> None:
    log.algo(long_position(log), "CANCELED")
    leave(log, log.stop("capi_sl_d1_a2", "SELL", "94"))


@case("a stop raised under a long is allowed")
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


@pytest.mark.parametrize(("build", "trips", "duplicate", "prefix"), CASES)
def test_rule(build: Build, trips: str | None, duplicate: str | None, prefix: str) -> None:
    log = LogBuilder()
    build(log)
    log.record("end")

    report = check(log.text(), prefix=prefix)

    assert report.venue_errors == ()
    assert report.duplicates == len(report.duplicate_list)
    assert [found.rule for found in report.duplicate_list] == ([duplicate] if duplicate else [])
    if trips is None:
        assert report.violations == ()
    else:
        assert len(report.violations) == 1, report.violations
        assert trips in report.violations[0]
        assert report.violations[0].startswith("line ")
        assert not report.ok

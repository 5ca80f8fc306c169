"""What an engine must not ask the venue for: a log that trips each rule, and one that just passes."""

import pytest
from checker_cases import Build, RuleCases, judge_rule
from venue_log_builder import LogBuilder

case = RuleCases()


@case("an entry sent again after the venue took it is a violation", trips="is sent again")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.end(log.place("capi_entry_d1", "BUY", "1"))
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("an order whose time stamp was refused may go once more")
def _(log: LogBuilder) -> None:
    log.refuse(log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY"), -1021)
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("but not twice more", trips="[I14]: capi_entry_d1 is sent again")
def _(log: LogBuilder) -> None:
    log.refuse(log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY"), -1021)
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("an order refused for another reason needs an id of its own", trips="[I14]: capi_sl_d1 is sent again")
def _(log: LogBuilder) -> None:
    log.refuse(log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition=True), -2021)
    log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition=True)


@case("a request that the network doubled is not sent again")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")
    log.record("fault", name="duplicate_request", detail={"client_id": "capi_entry_d1"})
    log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("an id that no venue takes is a violation", trips="[I14]: 'capi_entry_d1é' does not follow the scheme")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_entry_d1é", side="BUY")


@case("36 characters fit")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId=f"capi_entry_{'d' * 25}", side="BUY")


@case("37 do not", trips="does not follow the scheme")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId=f"capi_entry_{'d' * 26}", side="BUY")


@case("an id that names no role is a violation", trips="[I14]: 'capi_hedge_d1' does not follow the scheme")
def _(log: LogBuilder) -> None:
    log.request("order.place", newClientOrderId="capi_hedge_d1", side="BUY", reduceOnly="true")


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


@pytest.mark.parametrize(("build", "trips", "duplicate", "prefix"), case)
def test_rule(build: Build, trips: str | None, duplicate: str | None, prefix: str) -> None:
    judge_rule(build, trips, duplicate, prefix)

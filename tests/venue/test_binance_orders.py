"""What becomes of a write: each way in which the venue can answer, or not answer, and what it proves."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from scripted_venue import (
    MS,
    SECOND,
    Bench,
    allowed,
    entry,
    json,
    order_object,
    refusal,
    reply,
    settle,
    sorted_payload,
    stop,
    submit,
    symbol_rules,
)

from execactor.domain.order import OrderEvent, OrderType, RejectCause
from execactor.domain.reports import (
    Acknowledged,
    ConditionalReport,
    OrderReport,
    Rejected,
    Unknown,
)
from execactor.venues.port import OrderRef
from execactor.venues.signing import HmacSigner, Secret
from execactor.venues.transport import AnswerLost, HttpResponse, NotSent

ORDER = OrderRef(symbol="BTCUSDT", client_id="capi_entry_k1")
STOP = OrderRef(symbol="BTCUSDT", client_id="capi_sl_k1", conditional=True)


@pytest.fixture(params=["ws", "rest"])
async def bench(request: pytest.FixtureRequest) -> Bench:
    made = Bench(order_path=request.param)
    await made.connect()
    return made


async def test_an_acknowledged_order_carries_the_venues_id_and_status(bench: Bench) -> None:
    result = await submit(bench, json(order_object()))
    assert isinstance(result, Acknowledged)
    assert result.venue_id == "22542179"
    assert isinstance(result.status, OrderReport)
    assert result.status.event is OrderEvent.ACKNOWLEDGED


async def test_the_end_of_an_order_that_cannot_rest_comes_with_the_answer(bench: Bench) -> None:
    done = order_object(status="FILLED", executedQty="0.010", type="MARKET", price="0")
    result = await submit(bench, json(done), type=OrderType.MARKET, price=None)
    assert (result.status.event, result.status.filled) == (OrderEvent.FILLED, Decimal("0.010"))


MEANINGS_OF_503 = [
    pytest.param(
        "Unknown error, please check your request or try again later.", Unknown, False, id="may have executed"
    ),
    pytest.param("Service Unavailable.", Rejected, True, id="failed for certain"),
    pytest.param(
        "Internal error; unable to process your request. Please try again.", Rejected, True, id="failed, may be resent"
    ),
    pytest.param(
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
        Rejected,
        True,
        id="throttled",
    ),
    pytest.param("Something that nobody has seen before", Unknown, False, id="an unknown one may have executed"),
]


@pytest.mark.parametrize(("message", "kind", "retryable"), MEANINGS_OF_503)
async def test_the_four_meanings_of_503(bench: Bench, message: str, kind: type, retryable: bool) -> None:
    result = await submit(bench, refusal(503, -1 if kind is Unknown else 0, message))
    assert type(result) is kind
    assert getattr(result, "retryable", False) is retryable


REFUSALS = [
    pytest.param(400, -2019, Rejected(reason="", code=-2019, cause=RejectCause.RISK), id="margin"),
    pytest.param(400, -2021, Rejected(reason="", code=-2021, cause=RejectCause.WOULD_TRIGGER), id="would trigger"),
    pytest.param(400, -4131, Rejected(reason="", code=-4131, cause=RejectCause.THIN_BOOK), id="thin book"),
    pytest.param(401, -2015, Rejected(reason="", code=-2015, cause=RejectCause.FATAL), id="key"),
    pytest.param(400, -987654, Rejected(reason="", code=-987654), id="an unknown code with 4xx proves a refusal"),
    pytest.param(500, -987654, Unknown(reason=""), id="an unknown code with 5xx proves nothing"),
    pytest.param(408, 0, Unknown(reason=""), id="408 is a timeout behind the front"),
    pytest.param(400, -1006, Unknown(reason=""), id="-1006 says that nobody knows"),
    pytest.param(400, -1007, Unknown(reason=""), id="-1007 says that nobody knows"),
]


@pytest.mark.parametrize(("status", "code", "expected"), REFUSALS)
async def test_a_refusal_is_read_by_the_table(
    bench: Bench, status: int, code: int, expected: Rejected | Unknown
) -> None:
    result = await submit(bench, refusal(status, code))
    assert type(result) is type(expected)
    if isinstance(expected, Rejected):
        assert (result.code, result.cause, result.retryable) == (expected.code, expected.cause, expected.retryable)


async def test_a_duplicate_client_id_means_that_an_order_with_it_is_open(bench: Bench) -> None:
    result = await submit(bench, refusal(400, -4116, "clientOrderId is duplicated"))
    assert result == Unknown(reason="duplicate client id: an order with it is open")


async def test_a_lost_answer_is_not_a_failure(bench: Bench) -> None:
    assert isinstance(await submit(bench, AnswerLost("the connection broke")), Unknown)


async def test_a_success_that_cannot_be_read_is_not_a_failure_either(bench: Bench) -> None:
    assert isinstance(await submit(bench, json({"hello": "there"})), Unknown)


@pytest.mark.parametrize("code", [-1021, -5028])
async def test_a_timestamp_outside_the_window_is_measured_anew_and_sent_once_more_under_the_same_id(code: int) -> None:
    bench = Bench()
    await bench.connect()
    bench.venue.ahead_ms = 1_234
    future = bench.adapter.submit(entry(), allowed)
    reply(bench, refusal(400, code))
    await settle()
    first, second = bench.venue.orders.sent
    assert first["params"]["newClientOrderId"] == second["params"]["newClientOrderId"]
    assert second["params"]["timestamp"] - first["params"]["timestamp"] == pytest.approx(1_234, abs=1)
    reply(bench, json(order_object()))
    await settle()
    assert isinstance(await future, Acknowledged)


async def test_a_second_timestamp_refusal_is_reported_and_not_sent_a_third_time() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    for _ in range(2):
        reply(bench, refusal(400, -1021))
        await settle()
    assert len(bench.venue.orders.sent) == 2
    result = await future
    assert isinstance(result, Rejected)
    assert result.retryable


def new_rules(bench: Bench, **filters: str) -> None:
    """From now on the venue publishes another tick or step."""
    rules = symbol_rules("BTCUSDT")
    for each in rules["filters"]:
        each.update({name: value for name, value in filters.items() if name in each})
    bench.venue.answers["GET /fapi/v1/exchangeInfo"] = json({"rateLimits": [], "symbols": [rules]})


@pytest.mark.parametrize("code", [-1013, -1111, -4014, -4023])
async def test_an_order_off_the_venues_new_grid_is_adjusted_once_under_the_same_id(code: int) -> None:
    bench = Bench()
    await bench.connect()
    new_rules(bench, tickSize="7", stepSize="0.004")
    future = bench.adapter.submit(entry(), allowed)
    reply(bench, refusal(400, code))
    await settle()
    first, second = (sent["params"] for sent in bench.venue.orders.sent)
    assert first["newClientOrderId"] == second["newClientOrderId"]
    assert (second["quantity"], second["price"]) == ("0.008", "59997")
    reply(bench, json(order_object()))
    await settle()
    assert isinstance(await future, Acknowledged)


async def test_a_stop_is_adjusted_towards_less_risk() -> None:
    bench = Bench()
    await bench.connect()
    new_rules(bench, tickSize="7")
    bench.adapter.submit(stop(), allowed)
    reply(bench, refusal(400, -4014))
    await settle()
    assert [sent["params"]["triggerPrice"] for sent in bench.venue.orders.sent] == ["59000.0", "59003"]


async def test_a_second_refusal_by_a_filter_is_reported() -> None:
    bench = Bench()
    await bench.connect()
    new_rules(bench, tickSize="7")
    future = bench.adapter.submit(entry(), allowed)
    for _ in range(2):
        reply(bench, refusal(400, -4014))
        await settle()
    assert len(bench.venue.orders.sent) == 2
    result = await future
    assert isinstance(result, Rejected)
    assert (result.code, result.retryable) == (-4014, False)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({}, id="the same rules as before"),
        pytest.param({"stepSize": "5"}, id="nothing is left of the order"),
    ],
)
async def test_a_refusal_that_new_rules_do_not_explain_is_reported(rules: dict[str, str]) -> None:
    bench = Bench()
    await bench.connect()
    new_rules(bench, **rules)
    future = bench.adapter.submit(entry(), allowed)
    reply(bench, refusal(400, -1111))
    await settle()
    assert len(bench.venue.orders.sent) == 1
    assert (await future).code == -1111


async def test_without_the_rules_the_refusal_is_reported() -> None:
    bench = Bench()
    await bench.connect()
    bench.venue.answers["GET /fapi/v1/exchangeInfo"] = refusal(401, -2015)
    future = bench.adapter.submit(entry(), allowed)
    reply(bench, refusal(400, -1111))
    await settle()
    assert len(bench.venue.orders.sent) == 1
    assert (await future).code == -1111


async def test_the_guard_is_asked_again_before_the_second_sending() -> None:
    bench = Bench()
    await bench.connect()
    asked: list[str | None] = [None, "the approval has expired"]
    future = bench.adapter.submit(entry(), lambda: asked.pop(0))
    reply(bench, refusal(400, -1021))
    await settle()
    assert len(bench.venue.orders.sent) == 1
    assert await future == Rejected(reason="the approval has expired", cause=RejectCause.RISK)


async def test_the_bytes_are_with_the_socket_when_submit_and_cancel_return() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    assert [sent["method"] for sent in bench.venue.orders.sent] == ["order.place"]
    assert not future.done()
    bench.adapter.cancel(ORDER)
    assert [sent["method"] for sent in bench.venue.orders.sent] == ["order.place", "order.cancel"]


async def test_the_signature_covers_all_parameters_in_alphabetical_order() -> None:
    bench = Bench()
    await bench.connect()
    bench.adapter.submit(stop(), allowed)
    (sent,) = bench.venue.orders.sent
    params = dict(sent["params"])
    signature = params.pop("signature")
    assert params["timestamp"] == bench.clock.now_ns() // MS
    assert params["recvWindow"] == 2_000
    assert signature == HmacSigner(Secret("the-api-secret")).sign(sorted_payload(params))


async def test_a_refusing_guard_keeps_the_order_here(bench: Bench) -> None:
    result = await bench.adapter.submit(entry(), lambda: "outside of the price collar")
    assert result == Rejected(reason="outside of the price collar", cause=RejectCause.RISK)
    assert not bench.venue.of("POST /fapi/v1/order")


async def test_no_answer_in_time_is_unknown_and_a_late_one_becomes_an_event() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    await bench.pass_time(1 * SECOND)
    assert isinstance(await future, Unknown)
    reply(bench, json(order_object()))
    (told,) = bench.events
    assert isinstance(told, OrderReport)
    assert (told.client_id, told.event) == ("capi_entry_k1", OrderEvent.ACKNOWLEDGED)
    assert bench.adapter.counts["late answers"] == 1


@pytest.mark.parametrize(("intent", "kind"), [(entry, OrderReport), (stop, ConditionalReport)])
async def test_a_late_refusal_is_told_as_the_end_of_the_order(intent: Callable[[], Any], kind: type) -> None:
    bench = Bench()
    await bench.connect()
    bench.adapter.submit(intent(), allowed)
    await bench.pass_time(1 * SECOND)
    reply(bench, refusal(400, -2019))
    (told,) = bench.events
    assert type(told) is kind
    assert (told.client_id, told.event) == (intent().client_id, OrderEvent.REJECTED)


async def test_a_connection_lost_in_flight_leaves_each_request_unknown_and_the_next_goes_over_rest() -> None:
    bench = Bench()
    await bench.connect()
    futures = [bench.adapter.submit(entry(f"capi_entry_{n}"), allowed) for n in range(3)]
    bench.venue.orders.end("reset by peer")
    assert [type(await future) for future in futures] == [Unknown] * 3
    bench.venue.answers["POST /fapi/v1/order"] = json(order_object("capi_entry_4"))
    assert isinstance(await bench.adapter.submit(entry("capi_entry_4"), allowed), Acknowledged)
    assert [request.params["newClientOrderId"] for request in bench.venue.of("POST /fapi/v1/order")] == ["capi_entry_4"]
    await bench.pass_time(1 * SECOND)
    bench.adapter.submit(entry("capi_entry_5"), allowed)
    assert bench.venue.orders.sent[-1]["params"]["newClientOrderId"] == "capi_entry_5"


async def test_an_order_connection_that_cannot_be_opened_is_no_obstacle() -> None:
    bench = Bench()
    bench.venue.refused = "/ws-fapi/"
    await bench.connect()
    bench.venue.answers["POST /fapi/v1/order"] = json(order_object())
    assert isinstance(await bench.adapter.submit(entry(), allowed), Acknowledged)
    bench.venue.refused = None
    await bench.pass_time(11 * SECOND)
    bench.adapter.submit(entry("capi_entry_k2"), allowed)
    assert len(bench.venue.orders.sent) == 1


async def test_a_socket_that_takes_nothing_certainly_sent_nothing_so_rest_takes_over() -> None:
    bench = Bench()
    await bench.connect()
    bench.venue.orders.full = True
    bench.venue.answers["POST /fapi/v1/algoOrder"] = refusal(400, -4130)
    result = await bench.adapter.submit(stop(), allowed)
    assert isinstance(result, Rejected)
    assert result.cause is RejectCause.STOP_EXISTS


async def test_a_connection_that_was_never_made_is_a_refusal_that_may_be_tried_again() -> None:
    bench = Bench(order_path="rest")
    await bench.connect()
    result = await submit(bench, NotSent("connection refused"))
    assert isinstance(result, Rejected)
    assert result.retryable


async def test_an_answer_that_nobody_can_read_gives_the_connection_up_because_it_may_be_anybodys() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    bench.venue.orders.deliver(b"{garbled")
    assert isinstance(await future, Unknown)
    assert not bench.venue.open_links("/ws-fapi/")


async def test_a_key_revoked_in_mid_session_gives_the_connection_up() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    bench.venue.orders.tell({"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key"}})
    result = await future
    assert isinstance(result, Unknown)
    assert "-2015" in result.reason


async def test_an_answer_to_nobody_is_counted_and_ends_nothing() -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.submit(entry(), allowed)
    bench.venue.orders.tell({"id": 4711, "status": 200, "result": order_object()})
    bench.venue.orders.tell({"id": "text", "status": 200, "result": order_object()})
    assert not future.done()
    assert bench.adapter.counts["answers to nobody"] == 2


async def test_of_many_requests_without_an_answer_the_newest_thousand_are_still_awaited() -> None:
    bench = Bench()
    await bench.connect()
    for n in range(11):
        for m in range(100):
            bench.adapter.cancel(OrderRef(symbol="BTCUSDT", client_id=f"capi_entry_{n}_{m}"))
        await bench.pass_time(10 * SECOND, step_ns=SECOND)
    assert bench.adapter.counts["no answer in time"] == 1_100
    for request in (99, 100):
        reply(bench, refusal(400, -2011), request=request)
    assert (bench.adapter.counts["answers to nobody"], bench.adapter.counts["late answers"]) == (1, 1)


async def test_answers_may_come_in_any_order() -> None:
    bench = Bench()
    await bench.connect()
    first = bench.adapter.submit(entry("capi_entry_1"), allowed)
    second = bench.adapter.submit(entry("capi_entry_2"), allowed)
    reply(bench, json(order_object("capi_entry_2", orderId=2)), request=1)
    reply(bench, refusal(400, -2019), request=0)
    assert (await second).venue_id == "2"  # type: ignore[union-attr]
    assert isinstance(await first, Rejected)


@pytest.mark.parametrize("changes", [{"client_id": "capi_entry_a:b/c"}, {"symbol": "１２３４USDT"}, {"symbol": 'A"B'}])
async def test_a_client_id_or_symbol_that_quoting_would_change_goes_over_rest(changes: dict[str, str]) -> None:
    bench = Bench()
    await bench.connect()
    bench.venue.answers["POST /fapi/v1/order"] = json(order_object())
    await bench.adapter.submit(entry(**changes), allowed)
    assert not bench.venue.orders.sent
    (sent,) = bench.venue.of("POST /fapi/v1/order")
    assert changes.items() <= {"client_id": sent.params["newClientOrderId"], "symbol": sent.params["symbol"]}.items()


async def test_each_request_is_given_up_at_its_own_time_also_when_an_earlier_one_was_answered() -> None:
    bench = Bench()
    await bench.connect()
    futures = []
    for n in range(4):
        futures.append(bench.adapter.submit(entry(f"capi_entry_{n}"), allowed))
        await bench.pass_time(300 * MS)
    reply(bench, json(order_object("capi_entry_1")), request=1)
    await settle()
    outcomes = [type(future.result()) if future.done() else None for future in futures]
    assert outcomes == [Unknown, Acknowledged, None, None]
    await bench.pass_time(399 * MS, step_ns=MS)
    assert not futures[2].done()
    await bench.pass_time(1 * MS)
    assert isinstance(futures[2].result(), Unknown)
    assert not futures[3].done()
    await bench.pass_time(300 * MS)
    assert isinstance(futures[3].result(), Unknown)
    await bench.pass_time(10 * SECOND)
    late = bench.adapter.submit(entry("capi_entry_late"), allowed)
    await bench.pass_time(999 * MS, step_ns=333 * MS)
    assert not late.done()
    await bench.pass_time(1 * MS)
    assert isinstance(late.result(), Unknown)


async def test_closing_leaves_what_is_in_flight_unknown() -> None:
    bench = Bench(order_path="rest")
    await bench.connect()
    never: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
    bench.venue.answers["POST /fapi/v1/order"] = never
    future = bench.adapter.submit(entry(), allowed)
    await settle()
    await bench.adapter.close()
    assert isinstance(await future, Unknown)

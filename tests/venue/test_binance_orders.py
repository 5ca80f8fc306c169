# ruff: noqa: N802  requirement ids are written as the requirements write them
"""What becomes of a write: each way in which the venue can answer, or not answer, and what it proves."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from scripted_venue import MS, SECOND, Bench, allowed, entry, json, order_object, refusal, settle, stop

from execactor.domain.errors import RetryLater
from execactor.domain.order import OrderEvent, OrderType, RejectCause, Role, Side
from execactor.domain.reports import (
    Acknowledged,
    ConditionalReport,
    NotFound,
    OrderReport,
    Rejected,
    Unknown,
)
from execactor.venues.binance_usdm.encode import sorted_payload
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


async def submit(bench: Bench, answer: HttpResponse | Exception, **changes: Any) -> Any:
    """Submit an entry whose one answer, over either path, is the given one."""
    if bench.settings.order_path == "rest":
        bench.venue.answers["POST /fapi/v1/order"] = answer
        return await bench.adapter.submit(entry(**changes), allowed)
    future = bench.adapter.submit(entry(**changes), allowed)
    reply(bench, answer)
    await settle()
    return await future


def reply(bench: Bench, answer: HttpResponse | Exception, request: int = -1) -> None:
    """Answer a request of the WebSocket API as REST would have answered it."""
    link = bench.venue.orders
    if isinstance(answer, Exception):
        link.end("gone")
        return
    body = json_of(answer)
    kind = "result" if answer.status < 300 else "error"
    link.tell({"id": link.sent[request]["id"], "status": answer.status, kind: body})


def json_of(answer: HttpResponse) -> Any:
    import msgspec

    return msgspec.json.decode(answer.body)


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


class TestCancel:
    async def test_each_kind_of_order_is_cancelled_where_it_lives(self) -> None:
        bench = Bench()
        await bench.connect()
        bench.adapter.cancel(ORDER)
        bench.adapter.cancel(STOP)
        child = OrderRef(symbol="BTCUSDT", client_id="capi_sl_k1", conditional=True, venue_id="77", child=True)
        bench.adapter.cancel(child)
        sent = [(each["method"], each["params"]) for each in bench.venue.orders.sent]
        assert [method for method, _ in sent] == ["order.cancel", "algoOrder.cancel", "order.cancel"]
        assert sent[0][1]["origClientOrderId"] == "capi_entry_k1"
        assert sent[1][1]["clientAlgoId"] == "capi_sl_k1"
        assert "symbol" not in sent[1][1]
        assert sent[2][1]["orderId"] == 77

    @pytest.mark.parametrize("path", ["ws", "rest"])
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            pytest.param(json(order_object(status="CANCELED")), Acknowledged, id="cancelled"),
            pytest.param(refusal(400, -2011, "Unknown order sent."), NotFound, id="-2011 may mean that it filled"),
            pytest.param(refusal(503, 0, "Unknown error, please check your request"), Unknown, id="503"),
            pytest.param(refusal(400, -1008, "throttled"), Rejected, id="throttled"),
            pytest.param(AnswerLost("gone"), Unknown, id="no answer"),
        ],
    )
    async def test_what_the_answer_to_a_cancel_proves(self, path: str, answer: Any, kind: type) -> None:
        bench = Bench(order_path=path)
        await bench.connect()
        bench.venue.answers["DELETE /fapi/v1/order"] = answer
        future = bench.adapter.cancel(ORDER)
        if path == "ws":
            reply(bench, answer)
        assert type(await future) is kind

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            pytest.param({"algoId": 5, "clientAlgoId": "x", "code": "200", "msg": "success"}, Acknowledged, id="text"),
            pytest.param({"algoId": 5, "clientAlgoId": "x", "code": 200, "msg": "success"}, Acknowledged, id="number"),
            pytest.param({"algoId": 5, "code": "-2011", "msg": "?"}, Unknown, id="a success that says otherwise"),
        ],
    )
    async def test_the_code_in_the_answer_to_a_conditional_cancel(self, body: Any, kind: type) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.cancel(STOP)
        reply(bench, json(body))
        assert type(await future) is kind

    async def test_a_child_without_its_venue_id_cannot_be_named(self) -> None:
        bench = Bench()
        await bench.connect()
        with pytest.raises(ValueError, match="named by its venue id"):
            bench.adapter.cancel(OrderRef(symbol="BTCUSDT", client_id="c", conditional=True, child=True))


class TestRateLimit:
    async def test_a_stop_of_everything_refuses_at_once_and_names_when_to_come_back(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        bench.venue.answers["GET /fapi/v1/order"] = refusal(429, -1003, "Too many requests", retry_after="7")
        assert isinstance(await bench.adapter.query(ORDER), Unknown)
        again = await bench.adapter.query(ORDER)
        assert isinstance(again, Unknown)
        assert "rate limit" in again.reason
        assert len(bench.venue.of("GET /fapi/v1/order")) == 1
        with pytest.raises(RetryLater, match="Too many requests"):
            await bench.adapter.snapshot([], {})
        held = bench.adapter.submit(entry("capi_entry_k2"), allowed)
        result = await held
        assert isinstance(result, Rejected)
        assert result.retryable
        assert 6_900 <= result.retry_after_ms <= 7_001
        assert len(bench.venue.orders.sent) == 1
        reply(bench, json(order_object()))
        assert isinstance(await future, Acknowledged)

    @pytest.mark.parametrize("lasts_ms", [1_000, 180_000])
    @pytest.mark.parametrize("path", ["ws", "rest"])
    async def test_a_ban_lasts_until_the_time_that_its_message_names_and_no_longer(
        self, path: str, lasts_ms: int
    ) -> None:
        bench = Bench(order_path=path, rate_wait_ms=0)
        await bench.connect()
        until_ms = bench.clock.now_ns() // MS + lasts_ms
        banned = refusal(418, -1003, f"Way too many requests; IP banned until {until_ms}.", retry_after="300")
        refused = await submit(bench, banned)
        assert isinstance(refused, Rejected)
        held = await bench.adapter.submit(stop(), allowed)
        for result in (refused, held):
            assert isinstance(result, Rejected)
            assert result.retry_after_ms == pytest.approx(lasts_ms + 50, abs=2)
        bench.clock.advance((lasts_ms + 45) * MS)
        assert isinstance(await bench.adapter.submit(stop(), allowed), Rejected)
        bench.clock.advance(7 * MS)
        assert not bench.adapter.submit(stop(), allowed).done()

    @pytest.mark.parametrize(
        ("data", "wait_ms"),
        [
            pytest.param({"serverTime": 1_780_000_000_100, "retryAfter": 1_780_000_007_100}, 7_000, id="said"),
            pytest.param({"serverTime": 1_780_000_000_100}, 1_000, id="not said"),
            pytest.param(["of another shape"], 1_000, id="said in a way that nobody knows"),
            pytest.param(None, 1_000, id="null"),
        ],
    )
    async def test_over_the_order_connection_the_wait_that_the_venue_asks_for_is_in_the_body(
        self, data: Any, wait_ms: int
    ) -> None:
        bench = Bench(rate_wait_ms=0)
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        link = bench.venue.orders
        error = {"code": -1003, "msg": "Too much request weight used", "data": data}
        link.tell({"id": link.sent[0]["id"], "status": 429, "error": error})
        result = await future
        assert isinstance(result, Rejected)
        assert result.retry_after_ms == wait_ms
        held = await bench.adapter.submit(stop(), allowed)
        assert isinstance(held, Rejected)
        assert held.retry_after_ms == pytest.approx(wait_ms, abs=2)

    async def test_a_short_wait_is_waited_and_the_guard_is_asked_after_it(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        reply(bench, refusal(429, -1003, "Too many requests"))
        await future
        await bench.pass_time(500 * MS)
        asked: list[int] = []
        waiting = bench.adapter.submit(entry("capi_entry_k2"), lambda: asked.append(1))  # type: ignore[func-returns-value]
        assert not asked
        assert len(bench.venue.orders.sent) == 1
        await bench.pass_time(600 * MS)
        assert asked == [1]
        assert bench.venue.orders.sent[-1]["params"]["newClientOrderId"] == "capi_entry_k2"
        waiting.cancel()

    async def test_an_order_that_still_waits_is_withdrawn_by_its_cancel(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        reply(bench, refusal(429, -1003, "Too many requests"))
        await future
        await bench.pass_time(500 * MS)
        waiting = bench.adapter.submit(entry("capi_entry_k2"), allowed)
        cancelled = await bench.adapter.cancel(OrderRef(symbol="BTCUSDT", client_id="capi_entry_k2"))
        assert isinstance(cancelled, NotFound)
        assert isinstance(await waiting, Rejected)
        await bench.pass_time(2 * SECOND)
        assert len(bench.venue.orders.sent) == 1

    async def test_entries_cannot_starve_a_stop(self) -> None:
        bench = Bench()
        await bench.connect()
        futures = [bench.adapter.submit(entry(f"capi_entry_{n}"), allowed) for n in range(300)]
        assert len(bench.venue.orders.sent) == 240
        assert isinstance(await futures[-1], Rejected)
        bench.adapter.submit(stop(), allowed)
        assert bench.venue.orders.sent[-1]["method"] == "algoOrder.place"

    async def test_what_the_answers_say_about_the_count_is_believed(self) -> None:
        bench = Bench()
        await bench.connect()
        bench.adapter.submit(entry(), allowed)
        link = bench.venue.orders
        used = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 299}
        link.tell({"id": link.sent[0]["id"], "status": 200, "result": order_object(), "rateLimits": [used]})
        assert isinstance(await bench.adapter.submit(entry("capi_entry_2"), allowed), Rejected)
        bench.adapter.submit(stop(), allowed)
        assert len(link.sent) == 2


class TestClockSkew:
    @pytest.mark.parametrize(("ahead_ms", "sent"), [(4_900, 1), (5_100, 0), (-4_900, 1), (-5_100, 0)])
    async def test_D1_risk_is_rejected_locally_when_the_clocks_are_more_than_5_s_apart(
        self, ahead_ms: int, sent: int
    ) -> None:
        bench = Bench()
        bench.venue.ahead_ms = ahead_ms
        await bench.connect()
        assert bench.adapter.clock_offset_ms() == pytest.approx(ahead_ms, abs=1)
        future = bench.adapter.submit(entry(), allowed)
        assert len(bench.venue.orders.sent) == sent
        if not sent:
            result = await future
            assert isinstance(result, Rejected)
            assert "NTP" in result.reason

    async def test_D1_what_reduces_risk_goes_out_nevertheless_in_the_venues_time(self) -> None:
        bench = Bench()
        bench.venue.ahead_ms = 60_000
        await bench.connect()
        bench.adapter.submit(stop(), allowed)
        bench.adapter.submit(entry("capi_exit_k1", role=Role.EXIT, side=Side.SELL, reduce_only=True), allowed)
        bench.adapter.cancel(ORDER)
        assert len(bench.venue.orders.sent) == 3
        stamped = bench.venue.orders.sent[0]["params"]["timestamp"]
        assert stamped == pytest.approx(bench.clock.now_ns() // MS + 60_000, abs=1)

    async def test_the_venues_clock_is_measured_again_every_minute(self) -> None:
        bench = Bench()
        await bench.connect()
        bench.venue.ahead_ms = 250
        await bench.pass_time(61 * SECOND, step_ns=SECOND)
        assert bench.adapter.clock_offset_ms() == pytest.approx(250, abs=1)


async def test_closing_leaves_what_is_in_flight_unknown() -> None:
    bench = Bench(order_path="rest")
    await bench.connect()
    never: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
    bench.venue.answers["POST /fapi/v1/order"] = never
    future = bench.adapter.submit(entry(), allowed)
    await settle()
    await bench.adapter.close()
    assert isinstance(await future, Unknown)

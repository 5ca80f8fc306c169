"""Reads that fail: which are put again, how soon, and that nothing that changes something ever is."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from scripted_venue import MS, SECOND, Bench, Request, allowed, entry, json, order_object, refusal, settle

from execactor.domain.account import VenueSnapshot
from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.reports import Acknowledged, OrderReport, Rejected, Unknown
from execactor.venues.port import OrderRef
from execactor.venues.transport import AnswerLost, HttpResponse, NotSent

ORDER = OrderRef(symbol="BTCUSDT", client_id="capi_entry_k1")
QUERY = "GET /fapi/v1/order"
PARTS = {
    "GET /fapi/v3/positionRisk": json([]),
    "GET /fapi/v3/balance": json([{"asset": "USDT", "balance": "122.5"}]),
    "GET /fapi/v1/openOrders": json([]),
    "GET /fapi/v1/openAlgoOrders": json([]),
    "GET /fapi/v1/userTrades": json([]),
}

THROTTLED = "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."
PASSING = [
    pytest.param(refusal(503, 0, "Service Unavailable."), id="503 service unavailable"),
    pytest.param(refusal(503, -1008, THROTTLED), id="503 throttled"),
    pytest.param(refusal(503, 0, "Unknown error, please check your request or try again later."), id="503 unknown"),
    pytest.param(refusal(400, -1001, "Internal error; unable to process your request."), id="-1001"),
    pytest.param(refusal(400, -1007, "Timeout waiting for response from backend server."), id="-1007"),
    pytest.param(refusal(408, 0), id="408"),
    pytest.param(HttpResponse(502, {}, b"<html>Bad gateway</html>"), id="502 of something before the venue"),
    pytest.param(NotSent("connection refused"), id="connection refused"),
    pytest.param(AnswerLost("timeout"), id="no answer in time"),
]
LASTING = [
    pytest.param(refusal(429, -1003, "Too many requests", retry_after="1"), id="429"),
    pytest.param(refusal(418, -1003, "banned", retry_after="1"), id="418"),
    pytest.param(refusal(400, -1003, "Too many requests"), id="-1003"),
    pytest.param(refusal(400, -2013, "Order does not exist."), id="-2013"),
    pytest.param(refusal(401, -2015, "Invalid API-key, IP, or permissions for action."), id="-2015"),
    pytest.param(refusal(400, -1102), id="-1102"),
    pytest.param(refusal(403, 0, "Forbidden"), id="403"),
]


class Times:
    """Answers one by one, and notes when each was asked for."""

    def __init__(self, bench: Bench, *answers: HttpResponse | Exception) -> None:
        self.bench = bench
        self.answers = list(answers)
        self.asked_ns: list[int] = []

    def __call__(self, _: Request) -> HttpResponse | Exception:
        self.asked_ns.append(self.bench.clock.monotonic_ns())
        return self.answers.pop(0)

    @property
    def pauses_ms(self) -> list[float]:
        return [(later - sooner) / MS for sooner, later in zip(self.asked_ns, self.asked_ns[1:], strict=False)]


async def connected(**settings: Any) -> Bench:
    bench = Bench(**settings)
    await bench.connect()
    bench.venue.answers |= PARTS
    return bench


async def snapshot(bench: Bench) -> VenueSnapshot:
    symbols = ("BTCUSDT", "ETHUSDT")
    return await bench.adapter.snapshot(symbols, dict.fromkeys(symbols, bench.clock.now_ns() // MS - 1_000))


@pytest.mark.parametrize("failure", PASSING)
async def test_a_read_that_failed_or_was_not_answered_is_put_again_after_50_and_100_ms_or_half_as_long_again(
    failure: HttpResponse | Exception,
) -> None:
    bench = await connected()
    times = bench.venue.answers[QUERY] = Times(bench, failure, failure, json(order_object()))
    assert isinstance(await bench.finish(bench.adapter.query(ORDER)), OrderReport)
    first, second = times.pauses_ms
    assert 50 <= first <= 76
    assert 100 <= second <= 151
    assert bench.adapter.counts["reads put again"] == 2


async def test_the_pauses_are_spread_so_that_readers_do_not_come_back_together() -> None:
    bench = await connected()
    failure = AnswerLost("timeout")
    pauses = set()
    for _ in range(5):
        times = bench.venue.answers[QUERY] = Times(bench, failure, json(order_object()))
        await bench.finish(bench.adapter.query(ORDER))
        pauses.update(times.pauses_ms)
    assert len(pauses) > 1


@pytest.mark.parametrize("failure", PASSING)
async def test_the_third_failure_is_the_outcome(failure: HttpResponse | Exception) -> None:
    bench = await connected()
    bench.venue.answers[QUERY] = failure
    assert isinstance(await bench.finish(bench.adapter.query(ORDER)), Unknown)
    assert len(bench.venue.of(QUERY)) == 3


@pytest.mark.parametrize("answer", LASTING)
async def test_what_would_be_answered_alike_is_asked_once(answer: HttpResponse) -> None:
    bench = await connected()
    bench.venue.answers[QUERY] = answer
    await bench.adapter.query(ORDER)
    assert len(bench.venue.of(QUERY)) == 1


async def test_a_stop_that_the_venue_orders_meanwhile_ends_the_repetition() -> None:
    bench = await connected()
    bench.venue.answers[QUERY] = AnswerLost("timeout")
    reading = asyncio.ensure_future(bench.adapter.query(ORDER))
    await settle()
    bench.venue.answers["GET /fapi/v1/depth"] = refusal(429, -1003, "Too many requests", retry_after="30")
    with pytest.raises(RetryLater):
        await bench.adapter.depth_snapshot("BTCUSDT")
    found = await bench.finish(reading)
    assert isinstance(found, Unknown)
    assert "rate limit" in found.reason
    assert len(bench.venue.of(QUERY)) == 1


async def test_a_repetition_waits_for_the_weight_budget() -> None:
    bench = await connected()
    spent = refusal(503, 0, "Service Unavailable.", x_mbx_used_weight_1m="2399")
    bench.venue.answers["GET /fapi/v1/depth"] = [spent, json({"bids": []})]
    reading = asyncio.ensure_future(bench.adapter.depth_snapshot("BTCUSDT"))
    await bench.pass_time(10 * SECOND)
    assert len(bench.venue.of("GET /fapi/v1/depth")) == 1
    await bench.pass_time(51 * SECOND, step_ns=SECOND)
    assert await reading
    assert len(bench.venue.of("GET /fapi/v1/depth")) == 2


class TestSnapshot:
    async def test_its_parts_are_read_at_once(self) -> None:
        bench = await connected()
        bench.venue.requests.clear()
        gate = asyncio.Event()

        async def held(answer: HttpResponse) -> HttpResponse:
            await gate.wait()
            return answer

        for name, answer in PARTS.items():
            bench.venue.answers[name] = lambda _, answer=answer: held(answer)
        reading = asyncio.ensure_future(snapshot(bench))
        await settle()
        assert len(bench.venue.requests) == 8
        gate.set()
        assert (await reading).wallet_balance == Decimal("122.5")

    @pytest.mark.parametrize("part", PARTS)
    async def test_one_part_that_failed_is_put_again_alone_and_does_not_fail_the_whole(self, part: str) -> None:
        bench = await connected()
        bench.venue.requests.clear()
        per_symbol = 2 if part.startswith("GET /fapi/v1/") else 1
        bench.venue.answers[part] = [AnswerLost("timeout"), *[PARTS[part]] * per_symbol]
        assert (await bench.finish(snapshot(bench))).wallet_balance == Decimal("122.5")
        assert {name: len(bench.venue.of(name)) for name in PARTS} == {
            name: (2 if name.startswith("GET /fapi/v1/") else 1) + (name == part) for name in PARTS
        }

    @pytest.mark.parametrize(
        ("answer", "error", "asked"),
        [
            (AnswerLost("timeout"), RetryLater, 3),
            (refusal(429, -1003, "Too many requests", retry_after="7"), RetryLater, 1),
            (refusal(401, -2015), VenueFatal, 1),
        ],
    )
    async def test_a_part_that_keeps_failing_fails_the_whole(
        self, answer: HttpResponse | Exception, error: type[Exception], asked: int
    ) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v3/balance"] = answer
        with pytest.raises(error):
            await bench.finish(snapshot(bench))
        assert len(bench.venue.of("GET /fapi/v3/balance")) == asked


class TestClock:
    async def test_a_measurement_that_failed_is_made_again_and_the_pause_is_no_round_trip(self) -> None:
        bench = await connected()
        bench.venue.ahead_ms = 3_000
        right = bench.venue.answers["GET /fapi/v1/time"]
        failed = False

        def fail_once(request: Request) -> Any:
            nonlocal failed
            failed, before = True, failed
            return right(request) if before else AnswerLost("timeout")  # type: ignore[operator]

        bench.venue.answers["GET /fapi/v1/time"] = fail_once
        bench.venue.answers[QUERY] = [refusal(400, -1021), json(order_object())]
        assert isinstance(await bench.finish(bench.adapter.query(ORDER)), OrderReport)
        assert bench.adapter.clock_offset_ms() == pytest.approx(3_000, abs=1)

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(AnswerLost("timeout"), id="no answer"),
            pytest.param(refusal(503, 0, "Service Unavailable."), id="failed"),
            pytest.param(json({"serverTime": "soon"}), id="unreadable"),
            pytest.param(refusal(429, -1003, "Too many requests", retry_after="9"), id="too many requests"),
        ],
    )
    async def test_without_a_measurement_there_is_no_connection_and_no_second_sending(self, answer: Any) -> None:
        bench = Bench()
        working = bench.venue.answers["GET /fapi/v1/time"]
        bench.venue.answers["GET /fapi/v1/time"] = answer
        with pytest.raises(RetryLater):
            await bench.finish(bench.connect())
        await bench.pass_time(10 * SECOND)
        bench.venue.answers["GET /fapi/v1/time"] = working
        await bench.connect()
        bench.venue.answers["GET /fapi/v1/time"] = answer
        future = bench.adapter.submit(entry(), allowed)
        link = bench.venue.orders
        link.tell({"id": link.sent[0]["id"], "status": 400, "error": {"code": -1021, "msg": "outside of recvWindow"}})
        result = await bench.finish(future)
        assert isinstance(result, Rejected)
        assert (result.code, result.retryable) == (-1021, True)
        assert len(link.sent) == 1

    async def test_a_measurement_that_fails_later_leaves_the_last_one_and_is_made_again(self) -> None:
        bench = await connected()
        working = bench.venue.answers["GET /fapi/v1/time"]
        bench.venue.ahead_ms = 250
        bench.venue.answers["GET /fapi/v1/time"] = AnswerLost("timeout")
        await bench.pass_time(61 * SECOND, step_ns=20 * MS)
        assert bench.adapter.clock_offset_ms() == pytest.approx(0, abs=1)
        bench.venue.answers["GET /fapi/v1/time"] = working
        await bench.pass_time(61 * SECOND, step_ns=SECOND)
        assert bench.adapter.clock_offset_ms() == pytest.approx(250, abs=1)

    async def test_closing_during_the_measurement_before_a_second_sending_ends_the_order_as_refused(self) -> None:
        bench = await connected()
        never: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
        bench.venue.answers["GET /fapi/v1/time"] = never
        future = bench.adapter.submit(entry(), allowed)
        link = bench.venue.orders
        link.tell({"id": link.sent[0]["id"], "status": 400, "error": {"code": -1021, "msg": "outside of recvWindow"}})
        await settle()
        await bench.adapter.close()
        assert isinstance(await future, Rejected)


class TestReadsThatAreRefused:
    async def test_trades(self) -> None:
        bench = await connected()
        for answer, error in ((refusal(401, -2015), VenueFatal), (json({"no": "list"}), RetryLater)):
            bench.venue.answers["GET /fapi/v1/userTrades"] = answer
            with pytest.raises(error):
                await bench.adapter.recent_trades("BTCUSDT", bench.clock.now_ns() // MS)

    async def test_the_rules_of_the_symbols(self) -> None:
        bench = await connected()
        for answer, error in ((refusal(403, 0, "Forbidden"), VenueFatal), (json({"symbols": 1}), RetryLater)):
            bench.venue.answers["GET /fapi/v1/exchangeInfo"] = answer
            with pytest.raises(error):
                await bench.adapter.instruments()


class TestWrites:
    @pytest.mark.parametrize("failure", PASSING)
    async def test_an_order_over_rest_is_never_sent_again(self, failure: HttpResponse | Exception) -> None:
        bench = await connected(order_path="rest")
        bench.venue.answers["POST /fapi/v1/order"] = [failure, json(order_object())]
        result = await bench.finish(bench.adapter.submit(entry(), allowed))
        assert isinstance(result, Unknown | Rejected)
        await bench.pass_time(SECOND)
        assert len(bench.venue.of("POST /fapi/v1/order")) == 1

    @pytest.mark.parametrize("failure", PASSING)
    async def test_a_cancel_over_rest_is_never_sent_again(self, failure: HttpResponse | Exception) -> None:
        bench = await connected(order_path="rest")
        bench.venue.answers["DELETE /fapi/v1/order"] = [failure, json(order_object(status="CANCELED"))]
        assert not isinstance(await bench.finish(bench.adapter.cancel(ORDER)), Acknowledged)
        await bench.pass_time(SECOND)
        assert len(bench.venue.of("DELETE /fapi/v1/order")) == 1

    async def test_a_change_of_the_accounts_settings_is_never_sent_again(self) -> None:
        bench = Bench(leverage=9)
        bench.venue.answers["POST /fapi/v1/leverage"] = AnswerLost("timeout")
        with pytest.raises(RetryLater):
            await bench.finish(bench.connect())
        assert len(bench.venue.of("POST /fapi/v1/leverage")) == 1

# ruff: noqa: N802  requirement ids are written as the requirements write them
"""What keeps an order here although the connection stands: rate limits, bans, and clocks that differ."""

from decimal import Decimal
from typing import Any

import pytest
from scripted_venue import MS, SECOND, Bench, allowed, entry, json, order_object, refusal, reply, stop, submit

from execactor.domain.errors import RetryLater
from execactor.domain.order import OrderType, Role, Side
from execactor.domain.reports import Acknowledged, NotFound, Rejected, Unknown
from execactor.venues.port import OrderRef

ORDER = OrderRef(symbol="BTCUSDT", client_id="capi_entry_k1")
TARGET: dict[str, Any] = {
    "type": OrderType.TAKE_PROFIT_MARKET,
    "price": None,
    "trigger_price": Decimal(61_000),
    "reduce_only": True,
}


def name_of(sent: dict[str, Any]) -> str:
    """The client id that a request names."""
    params = sent["params"]
    return next(
        str(params[name]) for name in ("newClientOrderId", "clientAlgoId", "origClientOrderId") if name in params
    )


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

    async def test_what_waited_for_the_end_of_a_pause_leaves_by_what_it_protects(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        reply(bench, refusal(429, -1003, "Too many requests"))
        await future
        await bench.pass_time(500 * MS)
        waiting = [
            bench.adapter.submit(entry("capi_entry_k2"), allowed),
            bench.adapter.submit(entry("capi_tp1_k1", role=Role.TAKE_PROFIT_1, side=Side.SELL, **TARGET), allowed),
            bench.adapter.cancel(ORDER),
            bench.adapter.submit(entry("capi_exit_k1", role=Role.EXIT, side=Side.SELL, reduce_only=True), allowed),
            bench.adapter.submit(stop("capi_slt_k1", role=Role.TIGHTENED_STOP), allowed),
            bench.adapter.submit(stop(), allowed),
        ]
        assert len(bench.venue.orders.sent) == 1
        await bench.pass_time(600 * MS)
        assert [name_of(sent) for sent in bench.venue.orders.sent[1:]] == [
            "capi_slt_k1",
            "capi_sl_k1",
            "capi_entry_k1",
            "capi_exit_k1",
            "capi_tp1_k1",
            "capi_entry_k2",
        ]
        for answer in waiting:
            answer.cancel()

    async def test_an_entry_asked_for_as_a_pause_ends_does_not_overtake_a_stop_that_waits(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        reply(bench, refusal(429, -1003, "Too many requests"))
        # Timers of one time fire in the order in which they were set: this one before the one that the stop waits for.
        ends_ns = bench.clock.monotonic_ns() + 1_000 * MS
        bench.clock.call_at(ends_ns, lambda: bench.adapter.submit(entry("capi_entry_k2"), allowed))
        await future
        await bench.pass_time(500 * MS)
        bench.adapter.submit(stop(), allowed)
        await bench.pass_time(600 * MS)
        assert [name_of(sent) for sent in bench.venue.orders.sent[1:]] == ["capi_sl_k1", "capi_entry_k2"]

    async def test_a_stop_that_nobody_waits_for_any_more_is_not_sent(self) -> None:
        bench = Bench()
        await bench.connect()
        future = bench.adapter.submit(entry(), allowed)
        reply(bench, refusal(429, -1003, "Too many requests"))
        await future
        await bench.pass_time(500 * MS)
        bench.adapter.submit(stop(), allowed).cancel()
        await bench.pass_time(600 * MS)
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

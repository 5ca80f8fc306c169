"""Reading the account: what is asked, how pages are put together, and what an odd answer means."""

from decimal import Decimal
from typing import Any

import pytest
from scripted_venue import MS, Bench, Request, json, order_object, refusal

from execactor.domain.account import VenueSnapshot
from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.order import OrderEvent
from execactor.domain.reports import ConditionalReport, NotFound, OrderReport, Unknown
from execactor.domain.side import Side
from execactor.venues.port import OrderRef
from execactor.venues.transport import AnswerLost, HttpResponse

DAY_MS = 86_400_000


def trade(trade_id: int, time_ms: int) -> dict[str, Any]:
    return {
        "buyer": True,
        "commission": "0.01",
        "commissionAsset": "USDT",
        "id": trade_id,
        "maker": False,
        "orderId": 7,
        "price": "100.5",
        "qty": "0.002",
        "realizedPnl": "0",
        "side": "BUY",
        "positionSide": "BOTH",
        "symbol": "BTCUSDT",
        "time": time_ms,
    }


def position(symbol: str, quantity: str, side: str = "BOTH") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": quantity,
        "entryPrice": "0.385",
        "markPrice": "0.41",
        "updateTime": 5,
    }


def conditional(**changes: Any) -> dict[str, Any]:
    return {
        "algoId": 2148627,
        "clientAlgoId": "capi_sl_k1",
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0",
        "algoStatus": "NEW",
        "actualOrderId": "",
        "actualPrice": "0.00000",
        "triggerPrice": "750.000",
        "closePosition": True,
        "reduceOnly": False,
        "updateTime": 9,
    } | changes


class Trades:
    """userTrades as the venue answers it: by time within seven days, or by id."""

    def __init__(self, times_ms: list[int]) -> None:
        self.trades = [trade(1000 + n, time_ms) for n, time_ms in enumerate(times_ms)]

    def __call__(self, request: Request) -> HttpResponse:
        params = request.params
        limit = int(params["limit"])
        if "fromId" in params:
            assert "startTime" not in params
            page = [each for each in self.trades if each["id"] >= int(params["fromId"])]
        else:
            start = int(params["startTime"])
            end = int(params.get("endTime", start + 7 * DAY_MS))
            assert end - start <= 7 * DAY_MS
            page = [each for each in self.trades if start <= each["time"] <= end]
        return json(page[:limit])


async def connected() -> Bench:
    bench = Bench()
    await bench.connect()
    bench.venue.answers |= {
        "GET /fapi/v3/positionRisk": json([]),
        "GET /fapi/v3/balance": json([{"asset": "BNB", "balance": "1"}, {"asset": "USDT", "balance": "122.5"}]),
        "GET /fapi/v1/openOrders": json([]),
        "GET /fapi/v1/openAlgoOrders": json([]),
        "GET /fapi/v1/userTrades": json([]),
    }
    return bench


async def snapshot(bench: Bench, *symbols: str) -> VenueSnapshot:
    return await bench.adapter.snapshot(symbols, {})


async def test_positions_orders_of_both_kinds_and_the_wallet() -> None:
    bench = await connected()
    bench.venue.answers["GET /fapi/v3/positionRisk"] = json([position("ADAUSDT", "-30"), position("BTCUSDT", "0")])
    bench.venue.answers["GET /fapi/v1/openOrders"] = json([order_object(avgPrice="0.0", executedQty="0.004")])
    bench.venue.answers["GET /fapi/v1/openAlgoOrders"] = json([conditional()])
    before_ns = bench.clock.monotonic_ns()
    seen = await snapshot(bench)
    assert [(each.symbol, each.quantity, each.entry_price) for each in seen.positions] == [
        ("ADAUSDT", Decimal(-30), Decimal("0.385")),
        ("BTCUSDT", Decimal(0), Decimal("0.385")),
    ]
    assert [(each.client_id, each.filled) for each in seen.open_orders] == [("capi_entry_k1", Decimal("0.004"))]
    (stop,) = seen.conditional_orders
    assert (stop.client_id, stop.close_position, stop.quantity, stop.child_id) == ("capi_sl_k1", True, None, None)
    assert seen.wallet_balance == Decimal("122.5")
    assert seen.requested_ns == before_ns


async def test_few_symbols_are_asked_one_by_one_and_many_at_once() -> None:
    bench = await connected()
    await snapshot(bench, "BTCUSDT", "ETHUSDT")
    assert [each.params.get("symbol") for each in bench.venue.of("GET /fapi/v1/openOrders")] == ["BTCUSDT", "ETHUSDT"]
    bench.venue.requests.clear()
    await snapshot(bench, *(f"S{n}USDT" for n in range(11)))
    assert [each.params.get("symbol") for each in bench.venue.of("GET /fapi/v1/openOrders")] == [None]
    assert [each.params.get("symbol") for each in bench.venue.of("GET /fapi/v1/openAlgoOrders")] == [None]


async def test_a_conditional_order_of_another_hand_does_not_blind_the_snapshot() -> None:
    bench = await connected()
    strange = conditional(
        clientAlgoId="web_1", orderType="TRAILING_STOP_MARKET", triggerPrice="", quantity="0.5", closePosition=False
    )
    bench.venue.answers["GET /fapi/v1/openAlgoOrders"] = json([strange])
    (seen,) = (await snapshot(bench)).conditional_orders
    assert (seen.client_id, seen.quantity) == ("web_1", Decimal("0.5"))
    assert (seen.order_type, seen.reason) == ("TRAILING_STOP_MARKET", "")


async def test_a_position_of_hedge_mode_cannot_be_expressed_and_is_refused() -> None:
    bench = await connected()
    bench.venue.answers["GET /fapi/v3/positionRisk"] = json([position("ADAUSDT", "30", "LONG")])
    with pytest.raises(RetryLater, match="hedge mode in ADAUSDT"):
        await snapshot(bench)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(500, -1000), RetryLater),
        (refusal(401, -2015), VenueFatal),
        (AnswerLost("gone"), RetryLater),
        (json({"not": "a list"}), RetryLater),
        (json([order_object(status="NOBODY_KNOWS")]), RetryLater),
        (json([order_object(executedQty="NaN")]), RetryLater),
        (json([order_object(origQty="Infinity")]), RetryLater),
    ],
)
async def test_half_a_snapshot_is_none(answer: Any, error: type[Exception]) -> None:
    bench = await connected()
    bench.venue.answers["GET /fapi/v1/openOrders"] = answer
    with pytest.raises(error):
        await bench.finish(snapshot(bench))


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("GET /fapi/v3/positionRisk", json([position("BTCUSDT", "NaN")])),
        ("GET /fapi/v3/positionRisk", json([position("BTCUSDT", "1") | {"entryPrice": "Infinity"}])),
        ("GET /fapi/v3/positionRisk", json([position("BTCUSDT", "1") | {"markPrice": "NaN"}])),
        ("GET /fapi/v3/balance", json([{"asset": "USDT", "balance": "NaN"}])),
        *(
            ("GET /fapi/v1/userTrades", json([trade(1, 1) | {key: "NaN"}]))
            for key in ("price", "qty", "commission", "realizedPnl")
        ),
    ],
)
async def test_a_number_that_is_none_never_gets_into_our_sums(call: str, answer: HttpResponse) -> None:
    bench = await connected()
    bench.venue.answers[call] = answer
    with pytest.raises(RetryLater, match="not a finite number"):
        await bench.finish(bench.adapter.snapshot(["BTCUSDT"], {"BTCUSDT": bench.clock.now_ns() // MS}))


class TestTrades:
    async def recent(self, times_ms: list[int], since_ms: int) -> tuple[list[int], Bench]:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/userTrades"] = Trades(times_ms)
        found = await bench.adapter.recent_trades("BTCUSDT", since_ms)
        return [int(each.trade_id) for each in found], bench

    async def test_pages_are_joined_without_loss_or_repetition(self) -> None:
        now_ms = Bench().clock.now_ns() // MS
        found, bench = await self.recent([now_ms - 5_000 + n for n in range(2_500)], now_ms - 60_000)
        assert found == list(range(1_000, 3_500))
        assert len(bench.venue.of("GET /fapi/v1/userTrades")) == 3

    async def test_a_page_that_is_just_full_is_followed_by_a_look_for_more(self) -> None:
        now_ms = Bench().clock.now_ns() // MS
        found, bench = await self.recent([now_ms - 5_000] * 1_000, now_ms - 60_000)
        assert len(found) == 1_000
        assert bench.venue.of("GET /fapi/v1/userTrades")[-1].params["fromId"] == "2000"

    async def test_older_trades_are_found_window_by_window(self) -> None:
        now_ms = Bench().clock.now_ns() // MS
        days = [20, 19, 9, 1]
        found, bench = await self.recent([now_ms - day * DAY_MS for day in days], now_ms - 22 * DAY_MS)
        assert found == [1_000, 1_001, 1_002, 1_003]
        assert len(bench.venue.of("GET /fapi/v1/userTrades")) == 4

    async def test_what_the_venue_keeps_no_more_is_not_asked_for(self) -> None:
        now_ms = Bench().clock.now_ns() // MS
        _, bench = await self.recent([], 0)
        first = bench.venue.of("GET /fapi/v1/userTrades")[0]
        assert int(first.params["startTime"]) == pytest.approx(now_ms - 90 * DAY_MS, abs=1_000)

    async def test_trades_carry_no_client_id_but_all_that_is_booked(self) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/userTrades"] = Trades([bench.clock.now_ns() // MS])
        seen = await bench.adapter.snapshot(["BTCUSDT"], {"BTCUSDT": bench.clock.now_ns() // MS - 1_000})
        (execution,) = seen.trades
        assert execution.client_id == ""
        assert (execution.trade_id, execution.venue_order_id, execution.side) == ("1000", "7", Side.BUY)
        assert (execution.price, execution.quantity, execution.commission) == (
            Decimal("100.5"),
            Decimal("0.002"),
            Decimal("0.01"),
        )


class TestQuery:
    async def test_each_kind_is_asked_where_it_lives(self) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/order"] = json(order_object(avgPrice="60000.0", status="PARTIALLY_FILLED"))
        bench.venue.answers["GET /fapi/v1/algoOrder"] = json(
            conditional(algoStatus="TRIGGERED", actualOrderId="88", orderType="TAKE_PROFIT_MARKET")
        )
        found = await bench.adapter.query(OrderRef(symbol="BTCUSDT", client_id="capi_entry_k1"))
        assert isinstance(found, OrderReport)
        assert found.event is OrderEvent.PARTIALLY_FILLED
        stop = await bench.adapter.query(OrderRef(symbol="BTCUSDT", client_id="capi_sl_k1", conditional=True))
        assert isinstance(stop, ConditionalReport)
        assert (stop.event, stop.child_id, stop.order_type) == (
            OrderEvent.TRIGGERED,
            "88",
            "TAKE_PROFIT_MARKET",
        )
        child = OrderRef(symbol="BTCUSDT", client_id="capi_sl_k1", conditional=True, venue_id="88", child=True)
        await bench.adapter.query(child)
        asked = bench.venue.of("GET /fapi/v1/order")
        assert asked[0].params["origClientOrderId"] == "capi_entry_k1"
        assert asked[1].params["orderId"] == "88"

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            pytest.param(refusal(400, -2013, "Order does not exist."), NotFound, id="no such order"),
            pytest.param(refusal(400, -2011, "Unknown order sent."), NotFound, id="unknown order"),
            pytest.param(refusal(500, -1000), Unknown, id="error"),
            pytest.param(refusal(401, -2015), Unknown, id="key"),
            pytest.param(AnswerLost("gone"), Unknown, id="no answer"),
            pytest.param(json({"orderId": "?"}), Unknown, id="unreadable"),
            pytest.param(json(order_object(status="PENDING_MIRACLE")), Unknown, id="unknown status"),
        ],
    )
    async def test_what_an_answer_proves(self, answer: Any, kind: type) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/order"] = answer
        assert type(await bench.finish(bench.adapter.query(OrderRef(symbol="BTCUSDT", client_id="x")))) is kind

    async def test_a_reading_is_repeated_once_after_a_timestamp_refusal(self) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/order"] = [refusal(400, -1021), json(order_object())]
        found = await bench.adapter.query(OrderRef(symbol="BTCUSDT", client_id="x"))
        assert isinstance(found, OrderReport)

    @pytest.mark.parametrize(
        ("executed", "event"), [("0", OrderEvent.CANCELLED), ("", OrderEvent.CANCELLED), ("0.002", OrderEvent.FILLED)]
    )
    async def test_finished_means_filled_or_cancelled_by_the_executed_quantity(
        self, executed: str, event: OrderEvent
    ) -> None:
        bench = await connected()
        bench.venue.answers["GET /fapi/v1/algoOrder"] = json(conditional(algoStatus="FINISHED", actualQty=executed))
        found = await bench.adapter.query(OrderRef(symbol="BTCUSDT", client_id="x", conditional=True))
        assert isinstance(found, ConditionalReport)
        assert found.event is event

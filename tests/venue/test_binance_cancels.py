"""Cancels: each where its order lives, and what the answer proves."""

from typing import Any

import pytest
from scripted_venue import Bench, json, order_object, refusal, reply

from execactor.domain.reports import Acknowledged, NotFound, Rejected, Unknown
from execactor.venues.port import OrderRef
from execactor.venues.transport import AnswerLost

ORDER = OrderRef(symbol="BTCUSDT", client_id="capi_entry_k1")
STOP = OrderRef(symbol="BTCUSDT", client_id="capi_sl_k1", conditional=True)


async def test_each_kind_of_order_is_cancelled_where_it_lives() -> None:
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
async def test_what_the_answer_to_a_cancel_proves(path: str, answer: Any, kind: type) -> None:
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
async def test_the_code_in_the_answer_to_a_conditional_cancel(body: Any, kind: type) -> None:
    bench = Bench()
    await bench.connect()
    future = bench.adapter.cancel(STOP)
    reply(bench, json(body))
    assert type(await future) is kind


async def test_a_child_without_its_venue_id_cannot_be_named() -> None:
    bench = Bench()
    await bench.connect()
    with pytest.raises(ValueError, match="named by its venue id"):
        bench.adapter.cancel(OrderRef(symbol="BTCUSDT", client_id="c", conditional=True, child=True))

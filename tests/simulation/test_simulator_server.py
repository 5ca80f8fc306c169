"""The simulated venue over real loopback sockets."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from loopback import Client, next_event

from execactor._core import Book
from execactor.simulator import SimulatedVenue, SimulatorConfig, serve

MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"}
STOP = {
    "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "59900",
    "closePosition": "true", "workingType": "MARK_PRICE", "clientAlgoId": "capi_sl_1",
}  # fmt: skip


@pytest.fixture
async def venue() -> AsyncIterator[SimulatedVenue]:
    async with SimulatedVenue(SimulatorConfig(volatility_bps=0.5, step_ms=10)) as running:
        yield running


@pytest.fixture
async def client(venue: SimulatedVenue) -> AsyncIterator[Client]:
    async with Client.of(venue) as ready:
        yield ready


@pytest.mark.parametrize("body", [False, True], ids=["query string", "form body"])
async def test_an_order_travels_in_the_query_or_in_the_body(client: Client, body: bool) -> None:
    status, answer, headers = await client.call("POST", "/fapi/v1/order", body=body, **LIMIT)
    assert (status, answer["status"], answer["price"]) == (200, "NEW", "59000.00")
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
    assert "X-MBX-USED-WEIGHT-1M" in headers


async def test_errors_have_a_code_and_a_status(client: Client) -> None:
    status, answer, _ = await client.call("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=1)
    assert (status, answer) == (400, {"code": -2013, "msg": "Order does not exist."})
    status, answer, _ = await client.call("GET", "/fapi/v9/nothing")
    assert (status, answer["code"]) == (404, -5000)


async def test_a_trade_from_entry_to_stop(venue: SimulatedVenue, client: Client) -> None:
    private = await client.listen()
    await client.call("POST", "/fapi/v1/order", **MARKET, newClientOrderId="capi_entry_1")
    assert (await next_event(private, "ORDER_TRADE_UPDATE"))["o"]["X"] == "NEW"
    filled = await next_event(private, "ORDER_TRADE_UPDATE")
    assert (filled["o"]["X"], filled["o"]["c"]) == ("FILLED", "capi_entry_1")
    await client.call("POST", "/fapi/v1/algoOrder", **STOP)
    assert (await next_event(private, "ALGO_UPDATE"))["o"]["X"] == "NEW"
    await client.sim("POST", "/market", symbol="BTCUSDT", target="59800", seconds=0.1)
    states = [(await next_event(private, "ALGO_UPDATE"))["o"]["X"] for _ in range(3)]
    assert states == ["TRIGGERING", "TRIGGERED", "FINISHED"]
    _, trades, _ = await client.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    assert [trade["side"] for trade in trades] == ["BUY", "SELL"]
    assert venue.exchange.account.held == set()


async def test_orders_over_the_websocket_api(client: Client) -> None:
    ws = await client.connect("/ws-fapi/v1")

    async def ask(method: str, **params: Any) -> Any:
        await ws.send_str(client.ws_request(method, **params))
        return await ws.receive_json(timeout=10)

    placed = await ask("order.place", **LIMIT, newClientOrderId="w")
    assert (placed["id"], placed["status"], placed["result"]["clientOrderId"]) == (1, 200, "w")
    assert placed["rateLimits"][0]["rateLimitType"] == "ORDERS"
    assert (await ask("order.status", symbol="BTCUSDT", origClientOrderId="w"))["result"]["status"] == "NEW"
    assert (await ask("order.cancel", symbol="BTCUSDT", origClientOrderId="w"))["result"]["status"] == "CANCELED"
    unknown = await ask("order.cancel", symbol="BTCUSDT", origClientOrderId="w")
    assert (unknown["status"], unknown["error"]["code"]) == (400, -2011)
    await ask("order.place", **MARKET)
    assert (await ask("algoOrder.place", **STOP))["result"]["algoStatus"] == "NEW"
    assert (await ask("v2/account.position"))["result"][0]["positionAmt"] == "0.100"
    assert (await ask("v2/account.balance"))["result"][0]["asset"] == "USDT"
    assert (await ask("algoOrder.cancel", clientAlgoId="capi_sl_1"))["result"]["code"] == "200"
    assert (await ask("order.modify", **LIMIT))["status"] == 501
    assert len((await ask("userDataStream.start"))["result"]["listenKey"]) == 64
    assert (await ask("session.logon"))["status"] == 400
    await ws.send_str("nonsense")
    assert (await ws.receive_json(timeout=10))["error"]["code"] == -1135
    forged = orjson.loads(client.ws_request("order.place", **MARKET))
    forged["params"]["quantity"] = "1"
    await ws.send_str(orjson.dumps(forged).decode())
    assert (await ws.receive_json(timeout=10))["error"]["code"] == -1022


async def test_rate_limits_can_be_hidden(client: Client) -> None:
    ws = await client.connect("/ws-fapi/v1?returnRateLimits=false")
    await ws.send_str(client.ws_request("order.place", **LIMIT))
    assert "rateLimits" not in await ws.receive_json(timeout=10)


async def test_depth_over_the_wire_rebuilds_a_live_book(client: Client) -> None:
    ws = await client.connect("/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker")
    book = Book("0.10", "0.001")
    await client.sim("POST", "/market", symbol="BTCUSDT", target="60100", seconds=0.5)
    _, snapshot, _ = await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    book.apply_snapshot_json(orjson.dumps(snapshot))
    seen = 0
    while seen < 5:
        frame = (await ws.receive(timeout=10)).data
        if orjson.loads(frame)["stream"].endswith("depth@100ms"):
            book.apply_json(frame)
            seen += 1
    assert (book.state, book.counters()["gaps"], book.tradable) == ("live", 0, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ws/btcusdt@depth", 404), ("/stream?streams=btcusdt@depth", 404), ("/private/ws?listenKey=no", 400)],
)
async def test_a_handshake_is_refused(client: Client, path: str, status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.connect(path)
    assert refused.value.status == status


async def test_a_lost_answer_ends_the_connection(venue: SimulatedVenue, client: Client) -> None:
    await client.sim("POST", "/fault", name="rest_timeout", executed=True, hold_s=0)
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", "/fapi/v1/order", **MARKET)
    assert venue.exchange.account.positions["BTCUSDT"].quantity == Decimal("0.1")
    await client.sim("POST", "/fault", name="ws_no_answer")
    ws = await client.connect("/ws-fapi/v1")
    await ws.send_str(client.ws_request("order.place", **MARKET))
    assert (await ws.receive(timeout=10)).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    assert venue.exchange.account.positions["BTCUSDT"].quantity == Decimal("0.2")


async def test_a_broken_private_stream_can_be_opened_again(client: Client) -> None:
    private = await client.listen()
    await client.sim("POST", "/fault", name="user_stream_disconnect", now=True)
    assert (await private.receive(timeout=10)).type == aiohttp.WSMsgType.CLOSE
    again = await client.listen()
    await client.sim("POST", "/fault", name="listen_key_expired", now=True)
    assert (await next_event(again, "listenKeyExpired"))["listenKey"]


async def test_the_harness_sees_and_moves_everything(venue: SimulatedVenue, client: Client) -> None:
    private = await client.listen()
    assert await client.sim("POST", "/trade", symbol="BTCUSDT", side="BUY", quantity="0.1") == (
        200,
        {"order_id": 8886000001, "client_id": (await next_event(private, "TRADE_LITE"))["c"], "status": "FILLED"},
    )
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "quantity": "0.1", "price": "61000"}
    assert (await client.sim("POST", "/order", **order, client_id="foreign"))[1]["status"] == "NEW"
    await client.call("POST", "/fapi/v1/algoOrder", **STOP)
    _, state = await client.sim("GET", "/state")
    assert state["positions"][0]["quantity"] == "0.100"
    assert [each["client_id"] for each in state["orders"]] == ["foreign"]
    assert [each["client_id"] for each in state["algos"]] == ["capi_sl_1"]
    assert state["wallet"] == str(venue.exchange.account.wallet)
    assert Decimal(state["marks"]["BTCUSDT"]) > 0
    assert state["counts"]["fill"] == 1
    assert (await client.sim("DELETE", "/algo", client_id="capi_sl_1"))[0] == 200
    assert (await client.call("GET", "/fapi/v1/openAlgoOrders"))[1] == []
    await client.sim("POST", "/note", text="decision fed", key="1", symbol="BTCUSDT")
    note = venue.venue.log.kept[-1]
    assert (note["kind"], note["text"], note["key"]) == ("note", "decision fed", "1")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/fault", {"name": "bad_mood"}, "unknown fault"),
        ("/fault", {}, "missing field 'name'"),
        ("/kill", {"pid": os.getpid(), "point": "fill.after"}, "pid must be"),
        ("/market", {"symbol": "NOPE", "target": "1"}, "not a generated market"),
        ("/market", {"symbol": "BTCUSDT", "target": "high"}, "target must be a decimal"),
        ("/trade", {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.0001"}, "-1111"),
    ],
)
async def test_a_bad_wish_of_the_harness_is_explained(client: Client, path: str, body: Any, says: str) -> None:
    status, answer = await client.sim("POST", path, **body)
    assert status == 400
    assert says in answer["error"]


async def test_every_request_and_answer_and_connection_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "venue.jsonl"
    config = SimulatorConfig(venue_log=path, volatility_bps=0.0)
    async with SimulatedVenue(config) as venue, Client.of(venue) as client:
        private = await client.listen()
        await client.call("POST", "/fapi/v1/order", **MARKET, newClientOrderId="capi_entry_1")
        await next_event(private, "ACCOUNT_UPDATE")
        await client.call("GET", "/fapi/v1/openOrders")
        await private.close()
        written = [orjson.loads(line) for line in path.read_bytes().splitlines()]  # flushed line by line
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert lines[: len(written)] == written
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(before["t"] <= after["t"] for before, after in pairwise(lines))
    assert (lines[0]["kind"], lines[0]["seed"], lines[0]["faults"], lines[-1]["kind"]) == ("start", 1, "none", "end")
    requests = [line for line in lines if line["kind"] == "request"]
    assert [line["method"] for line in requests] == [
        "POST /fapi/v1/listenKey",
        "POST /fapi/v1/order",
        "GET /fapi/v1/openOrders",
    ]
    assert not {"signature", "apiKey"} & {name for line in requests for name in line["params"]}
    assert [line["id"] for line in lines if line["kind"] == "response"] == [line["id"] for line in requests]
    connections = [(line["what"], line["stream"]) for line in lines if line["kind"] == "connection"]
    assert connections == [("open", "user"), ("close", "user")]
    assert config.api_secret not in path.read_text()


async def test_it_serves_until_it_is_told_to_stop() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(SimulatorConfig(), ready.set_result))
    url = await asyncio.wait_for(ready, 10)
    async with Client(SimulatorConfig(), url) as client:
        assert (await client.call("GET", "/fapi/v1/ping"))[0] == 200
        await client.sim("POST", "/shutdown")
    await asyncio.wait_for(serving, 10)


SERVE = """
import asyncio
from execactor.simulator import SimulatorConfig, serve
asyncio.run(serve(SimulatorConfig(), lambda url: print(url, flush=True)))
"""


def test_a_served_venue_ends_on_sigterm() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


ENGINE = """
import asyncio, sys
from loopback import Client
from execactor.simulator import SimulatorConfig

async def main():
    async with Client(SimulatorConfig(), sys.argv[1]) as client:
        private = await client.listen()
        print("ready", flush=True)
        sys.stdin.readline()
        await client.call("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.1",
                          newClientOrderId="capi_entry_1")
        print("answered", flush=True)

asyncio.run(main())
"""


async def test_a_client_in_mid_request_is_killed_over_the_wire(venue: SimulatedVenue, client: Client) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENGINE, venue.rest_url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    status, _ = await client.sim("POST", "/kill", pid=process.pid, point="entry_request.after", role="entry")
    assert status == 200
    process.stdin.write(b"go\n")
    assert await process.wait() == -signal.SIGKILL
    assert await process.stdout.read() == b""
    _, state = await client.sim("GET", "/state")
    assert state["positions"][0]["quantity"] == "0.100"
    assert state["counts"]["kill"] == 1

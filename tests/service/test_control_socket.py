"""The control socket: what it answers, whom it answers, and what it does with bad or slow clients."""

import asyncio
import logging
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_room import Room, decision, room_of, until

from execactor.control import (
    Bounds,
    ControlClient,
    ControlClosed,
    ControlDenied,
    ControlRefused,
    ControlServer,
    ControlTimeout,
    EngineAbsent,
    methods,
)
from execactor.domain.errors import ConfigurationError
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.simulator.admin import Admin


async def raw(room: Room) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(str(room.socket))


async def frame(reader: asyncio.StreamReader) -> dict[str, Any]:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return msgspec.msgpack.decode(await reader.readexactly(length), type=dict[str, Any])


def framed(message: object) -> bytes:
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


def remember(room: Room, count: int, text: str = "noted") -> None:
    for number in range(count):
        alert = Alert(level=AlertLevel.INFO, code=f"TEST_{number}", text=text)
        room.engine.journal.append(alert, key="test", ts_ns=number)


async def test_it_says_who_it_is_and_how_it_stands(room: Room) -> None:
    async with await room.client() as client:
        ping = await client.call("ping")
        status = await client.call("status")
    assert (ping["pid"], ping["state"]) == (os.getpid(), "RUNNING")
    assert status["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert status["equity"]["wallet"] == "100000.00000000"
    assert status["kill_stage"] == "OFF"


async def test_a_decision_over_the_socket_becomes_a_protected_position(room: Room) -> None:
    async with await room.client() as client:
        body = decision("BTCUSDT", await room.mark(), key="d1").decode()
        assert await client.call("decide", body=body) == {"key": "d1", "symbol": "BTCUSDT", "action": "long"}
        await until(lambda: len(room.venue.exchange.conditional.algos.open()) == 3)
        position = (await client.call("positions"))[0]
        live = await client.call("orders", live=True)
        everything = await client.call("orders")
        fills = await client.call("fills")
        report = await client.call("report")
    assert (position["phase"], position["key"]) == ("IN_POSITION", "d1")
    assert {order["role"] for order in live} == {"sl", "tp1", "tp2"}
    entry = next(order for order in everything if order["role"] == "entry")
    assert (entry["state"], entry["live"], entry["quantity"]) == ("FILLED", False, entry["filled"])
    assert [fill["client_id"] for fill in fills] == ["capi_entry_d1"] * len(fills)
    assert report["positions"] == {"BTCUSDT": position["position"]["quantity"], "ETHUSDT": "0"}
    assert report["trade_ids"] == {"BTCUSDT": [fill["execution"]["trade_id"] for fill in fills]}
    assert set(report["open_orders"]) == {order["client_id"] for order in live}
    assert report["trades"] == []


async def test_the_newest_fills_can_be_asked_for_alone(room: Room) -> None:
    await room.open()
    async with await room.client() as client:
        assert await client.call("fills", limit=0) == []
        assert len(await client.call("fills", limit=1)) == 1


async def test_a_dry_run_tells_what_differs_and_touches_nothing(room: Room) -> None:
    await room.open()
    admin = Admin(room.venue.venue, lambda: None)
    async with await room.client() as client:
        assert await client.call("reconcile", dry_run=True) == []
        admin.drop_algo({"client_id": "capi_tp1_held"})
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "1000"}
        for kind in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"):
            admin.fault({"name": "drop_event", "count": 100, "kind": kind})
        admin.order(order | {"client_id": "capi_entry_ghost"})
        admin.order(order | {"client_id": "web_1"})
        before = len(room.venue_log)
        rows = await client.call("reconcile", dry_run=True)
        assert [(row["symbol"], row["kind"], row["subject"]) for row in rows] == [
            ("BTCUSDT", "order_gone", "capi_tp1_held"),
            ("ETHUSDT", "stray_order", "capi_entry_ghost"),
            ("ETHUSDT", "foreign_order", "web_1"),
        ]
        assert rows[2]["action"] == "leave it alone, SAFE MODE"
        written = [line for line in room.venue_log[before:] if line["kind"] == "request"]
        assert not [line for line in written if not line["method"].startswith("GET ")]
        assert room.engine.state == "RUNNING"

        record = await client.call("reconcile")
        assert record["reason"] == "asked for by a person"
        assert {"order_gone": 1, "stray_order": 1, "foreign_order": 1}.items() <= record["counts"].items()
        assert record["settled"]
        await until(lambda: room.engine.state == "SAFE_MODE")
        orders = room.venue.exchange.orders
        await until(lambda: [order.client_id for order in orders.open()] == ["web_1"])
        algos = room.venue.exchange.conditional.algos
        await until(lambda: "capi_tp1_held_a2" in [algo.client_id for algo in algos.open()])
        assert [row["kind"] for row in await client.call("reconcile", dry_run=True)] == ["foreign_order"]


async def test_a_venue_that_does_not_answer_is_no_difference(room: Room) -> None:
    async with await room.client() as client:
        room.venue.venue.faults.order("http_418", 100, {"retry_after": 60})
        with pytest.raises(ControlRefused, match="the venue does not answer"):
            await client.call("reconcile", dry_run=True)


async def test_kill_closes_everything_and_resume_waits_for_that(room: Room) -> None:
    await room.open()
    status: dict[str, Any] = {}
    async with await room.client() as client:
        assert (await client.call("kill", reason="drill"))["state"] == "HALTED"
        with pytest.raises(ControlRefused, match="still closing") as refused:
            await client.call("resume", reason="too early")
        assert refused.value.code == "refused"

        async def look() -> None:
            status.update(await client.call("account"))

        await until(lambda: status.get("kill_stage") == "FLAT", before=look, within_s=15)
        assert status["reason"] == "drill"
        trades = await client.call("trades")
        assert [(trade["key"], trade["outcome"]) for trade in trades] == [("held", "exit")]
        await client.call("resume", reason="checked")
        await until(lambda: status["state"] == "RUNNING", before=look)


@pytest.mark.parametrize(
    ("method", "params", "code", "says"),
    [
        pytest.param("dance", {}, "unknown_method", "no method 'dance'", id="a method that does not exist"),
        pytest.param("kill", {}, "bad_request", "reason", id="a parameter is missing"),
        pytest.param("kill", {"reason": 5}, "bad_request", "reason", id="a parameter of the wrong type"),
        pytest.param("ping", {"loud": True}, "bad_request", "loud", id="a parameter that it does not take"),
        pytest.param("subscribe", {"after": "now"}, "bad_request", "after", id="a subscription from nowhere"),
        pytest.param("decide", {"body": "{"}, "refused", "malformed decision", id="a broken decision"),
        pytest.param("decide", {"body": '{"symbol": 5}'}, "refused", "symbol", id="a decision of another shape"),
    ],
)
async def test_a_request_that_cannot_be_followed_is_answered_with_the_reason(
    room: Room, method: str, params: dict[str, Any], code: str, says: str
) -> None:
    async with await room.client() as client:
        with pytest.raises(ControlRefused, match=says) as refused:
            await client.call(method, **params)
    assert refused.value.code == code


async def test_a_decision_for_a_symbol_that_is_not_traded_is_refused(room: Room) -> None:
    async with await room.client() as client:
        with pytest.raises(ControlRefused, match="DOGEUSDT is not among the configured symbols"):
            await client.call("decide", body=decision("DOGEUSDT", await room.mark(), key="d").decode())


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        pytest.param(ZeroDivisionError("a defect"), "internal", "a defect", id="a method with a defect"),
        pytest.param("x" * (17 << 20), "too_large", "above the limit", id="an answer above 16 MiB"),
    ],
)
async def test_trouble_inside_a_method_is_answered_and_the_connection_goes_on(
    room: Room, monkeypatch: pytest.MonkeyPatch, answer: Any, code: str, says: str
) -> None:
    async def method(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    params, _ = methods.METHODS["ping"]
    monkeypatch.setitem(methods.METHODS, "trouble", (params, method))  # type: ignore[arg-type]
    async with await room.client() as client:
        with pytest.raises(ControlRefused, match=says) as refused:
            await client.call("trouble")
        assert refused.value.code == code
        assert (await client.call("ping"))["state"] == "RUNNING"


async def test_after_the_engine_stopped_the_answer_says_so(room: Room) -> None:
    async with await room.client() as client:
        await room.engine.stop()
        with pytest.raises(ControlRefused, match="not running") as refused:
            await client.call("status")
    assert refused.value.code == "not_running"


async def test_only_the_user_may_open_the_socket(room: Room) -> None:
    assert stat.S_IMODE(room.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(room.socket.stat().st_mode) == 0o600


async def test_a_peer_of_another_user_is_refused_by_its_credentials(tmp_path: Path) -> None:
    async with room_of(tmp_path, uid=os.getuid() + 1) as room, await room.client() as client:
        with pytest.raises(ControlClosed, match=f"user {os.getuid()} may not control"):
            await client.call("ping")


async def test_more_clients_than_the_bound_are_sent_away(tmp_path: Path) -> None:
    async with room_of(tmp_path, Bounds(connections=1)) as room, await room.client() as first:
        await first.call("ping")
        async with await room.client() as second:
            with pytest.raises(ControlClosed, match="1 clients are connected already"):
                await second.call("ping")
        assert (await first.call("ping"))["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        pytest.param(struct.pack(">I", (1 << 20) + 1), "above the limit of 1048576", id="a frame above 1 MiB"),
        pytest.param(struct.pack(">I", 3) + b"\xc1\xff\x00", "not a request", id="no MessagePack"),
        pytest.param(framed([1, "ping"]), "not a request", id="a list instead of a map"),
        pytest.param(framed({"id": "one", "method": "ping"}), "not a request", id="an id that is no number"),
        pytest.param(framed({"method": "ping"}), "not a request", id="no id"),
    ],
)
async def test_a_bad_frame_ends_its_connection_and_no_other(room: Room, sent: bytes, says: str) -> None:
    async with await room.client() as bystander:
        reader, writer = await raw(room)
        writer.write(sent)
        assert says in (await frame(reader))["end"]
        assert await reader.read() == b""
        writer.close()
        assert (await bystander.call("ping"))["state"] == "RUNNING"


async def test_a_client_that_leaves_inside_a_frame_leaves_no_trace(room: Room) -> None:
    _, writer = await raw(room)
    writer.write(struct.pack(">I", 100) + b"half")
    await writer.drain()
    writer.close()
    async with await room.client() as client:
        assert (await client.call("ping"))["state"] == "RUNNING"


async def test_a_subscriber_gets_the_journal_from_where_it_asked_and_then_what_is_written(room: Room) -> None:
    remember(room, 100)
    first = room.engine.journal.seq - 70
    seen: list[dict[str, Any]] = []
    async with await room.client() as client:
        async with asyncio.timeout(10):
            async for event in client.events(first):
                seen.append(event)
                if event["seq"] == first + 70:
                    room.engine.kill("drill")
                if event["kind"] == "engine":
                    break
    assert [event["seq"] for event in seen] == list(range(first + 1, first + 1 + len(seen)))
    assert len(seen) > 70
    assert seen[0]["record"]["text"] == "noted"
    assert seen[-1]["record"] == {"state": "HALTED", "epoch": 1, "reason": "drill"}


async def test_a_subscriber_that_leaves_is_forgotten(room: Room) -> None:
    taps = room.engine._running().context.taps
    before = len(taps)
    async with await room.client() as client:
        async for _ in client.events():
            break
        assert len(taps) == before + 1
    await until(lambda: len(taps) == before)


async def test_a_subscriber_that_does_not_read_is_disconnected_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noticed = asyncio.Event()

    class Notice(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "too slow" in record.getMessage():
                noticed.set()

    handler = Notice()
    logging.getLogger("execactor.control.server").addHandler(handler)
    async with room_of(tmp_path, Bounds(buffer_bytes=1 << 14, patience_s=0.3)) as room:
        remember(room, 3_000, text="x" * 500)
        loop = asyncio.get_running_loop()
        slow = socket.socket(socket.AF_UNIX)
        slow.setblocking(False)
        await loop.sock_connect(slow, str(room.socket))
        await loop.sock_sendall(slow, framed({"id": 1, "method": "subscribe"}))
        async with await room.client() as bystander:
            while not noticed.is_set():
                assert (await bystander.call("ping", timeout_s=0.25))["state"] == "RUNNING"
        reader, writer = await asyncio.open_unix_connection(sock=slow)
        rest = [message async for message in _to_the_end(reader)]
        writer.close()
    logging.getLogger("execactor.control.server").removeHandler(handler)
    assert "too slow" in rest[-1]["end"]
    assert 0 < len(rest) < 3_000


async def _to_the_end(reader: asyncio.StreamReader) -> Any:
    while True:
        try:
            yield await frame(reader)
        except asyncio.IncompleteReadError:
            return


async def test_the_socket_of_a_dead_engine_is_replaced(room: Room, tmp_path: Path) -> None:
    left = tmp_path / "dead" / "control.sock"
    left.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    async with ControlServer(room.engine, left), await ControlClient.connect(left) as client:
        assert (await client.call("ping"))["state"] == "RUNNING"
    assert not left.exists()


async def test_the_socket_of_a_living_engine_is_respected(room: Room) -> None:
    second = ControlServer(room.engine, room.socket)
    with pytest.raises(ConfigurationError, match="another engine answers there"):
        await second.start()
    async with await room.client() as client:
        assert (await client.call("ping"))["state"] == "RUNNING"


async def test_a_file_in_the_sockets_place_is_not_touched(room: Room, tmp_path: Path) -> None:
    place = tmp_path / "precious"
    place.write_text("mine")
    with pytest.raises(ConfigurationError, match="not a socket"):
        await ControlServer(room.engine, place).start()
    assert place.read_text() == "mine"


async def test_a_path_too_long_for_a_socket_is_a_configuration_error(room: Room, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="107 bytes; choose a shorter directory"):
        await ControlServer(room.engine, tmp_path / ("x" * 120)).start()


async def test_a_directory_that_others_could_enter_is_closed_to_them(room: Room, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    async with ControlServer(room.engine, tmp_path / "open" / "control.sock"):
        assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


async def test_a_directory_that_belongs_to_everybody_is_refused_and_left_as_it_is(room: Room, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with pytest.raises(ConfigurationError, match="choose a directory of its own"):
        await ControlServer(room.engine, tmp_path / "shared" / "control.sock").start()
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o1777


async def test_a_directory_that_cannot_be_made_is_a_configuration_error(room: Room, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        await ControlServer(room.engine, tmp_path / "file" / "control.sock").start()


async def test_clients_hear_that_the_engine_stops(room: Room) -> None:
    async with await room.client() as client:
        await client.call("ping")
        await room.server.stop()
        with pytest.raises(ControlClosed):
            await client.call("ping")


async def test_without_an_engine_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(EngineAbsent, match="start one with `execactor run`"):
        await ControlClient.connect(tmp_path / "control.sock")


async def test_a_dead_engines_socket_is_no_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    with pytest.raises(EngineAbsent):
        await ControlClient.connect(tmp_path / "control.sock")


async def test_an_engine_that_hangs_is_a_timeout_that_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(path))
        hung.listen()
        async with await ControlClient.connect(path) as client:
            with pytest.raises(ControlTimeout, match="kill --offline"):
                await client.call("ping", timeout_s=0.1)


async def test_a_socket_that_may_not_be_opened_names_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def denied(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    # The tests may run as root, whom the kernel denies nothing.
    monkeypatch.setattr(asyncio, "open_unix_connection", denied)
    with pytest.raises(ControlDenied, match="the user that runs the engine"):
        await ControlClient.connect(tmp_path / "control.sock")

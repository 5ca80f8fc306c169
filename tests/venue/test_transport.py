"""The live transport against a server on this machine: what proves that nothing left, and what does not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from execactor.runtime.clock import ManualClock
from execactor.venues.transport import AnswerLost, LiveTransport, NotSent, sleep

BOTH_LOOPS = True

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server whose every path is answered by `handler`; yields its host and port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def transport() -> AsyncIterator[LiveTransport]:
    made = LiveTransport()
    yield made
    await made.close()


class Client:
    """Both callbacks of a WebSocket, with events to wait for."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.reasons: list[str] = []
        self._changed = asyncio.Event()

    def on_frame(self, frame: bytes) -> None:
        self.frames.append(frame)
        self._changed.set()

    def on_close(self, reason: str) -> None:
        self.reasons.append(reason)
        self._changed.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 5)


async def unused_port() -> str:
    async def never(_: web.Request) -> web.StreamResponse:
        raise AssertionError

    async with serving(never) as host:
        return host


class TestHttp:
    async def test_an_answer_comes_whole_whatever_its_status(self, transport: LiveTransport) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            return web.Response(status=418, headers={"Retry-After": "7"}, body=request.raw_path.encode() + b" " + body)

        async with serving(answer) as host:
            url = f"http://{host}/path?a=%3A%2F&b=x+y&signature=1"
            got = await transport.request("POST", url, headers={"X-Key": "k"}, body=b"body", timeout_s=5)
        assert (got.status, got.headers["retry-after"]) == (418, "7")
        # The very bytes that were signed.
        assert got.body == b"/path?a=%3A%2F&b=x+y&signature=1 body"

    async def test_the_connection_is_kept(self, transport: LiveTransport) -> None:
        peers: set[object] = set()

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            peers.add(request.transport.get_extra_info("peername"))
            return web.Response()

        async with serving(answer) as host:
            for _ in range(3):
                await transport.request("GET", f"http://{host}/", headers={}, timeout_s=5)
        assert len(peers) == 1

    async def test_a_connection_that_cannot_be_made_sent_nothing(self, transport: LiveTransport) -> None:
        host = await unused_port()
        with pytest.raises(NotSent):
            await transport.request("POST", f"http://{host}/order", headers={}, timeout_s=5)

    async def test_a_name_that_does_not_resolve_sent_nothing(self, transport: LiveTransport) -> None:
        with pytest.raises(NotSent):
            await transport.request("POST", "http://no-such-host.invalid/order", headers={}, timeout_s=5)

    async def test_a_connection_cut_before_the_answer_proves_nothing(self, transport: LiveTransport) -> None:
        async def cut(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        async with serving(cut) as host:
            with pytest.raises(AnswerLost):
                await transport.request("POST", f"http://{host}/order", headers={}, timeout_s=5)

    async def test_no_answer_in_time_proves_nothing(self, transport: LiveTransport) -> None:
        released = asyncio.Event()

        async def hang(_: web.Request) -> web.StreamResponse:
            await released.wait()
            return web.Response()

        async with serving(hang) as host:
            with pytest.raises(AnswerLost):
                await transport.request("POST", f"http://{host}/order", headers={}, timeout_s=0.05)
            released.set()

    @pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "GET"])
    async def test_a_kept_connection_that_dies_is_not_a_reason_to_send_twice(
        self, transport: LiveTransport, method: str
    ) -> None:
        arrived: list[str] = []

        async def dies_on_the_second(request: web.Request) -> web.StreamResponse:
            arrived.append(request.method)
            if len(arrived) == 2:
                assert request.transport is not None
                request.transport.abort()
            return web.Response()

        async with serving(dies_on_the_second) as host:
            await transport.request("GET", f"http://{host}/", headers={}, timeout_s=5)
            with pytest.raises(AnswerLost):
                await transport.request(method, f"http://{host}/order", headers={}, timeout_s=5)
        assert len(arrived) == 2

    async def test_no_redirect_is_followed(self, transport: LiveTransport) -> None:
        async def elsewhere(_: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": "/elsewhere"})

        async with serving(elsewhere) as host:
            assert (await transport.request("POST", f"http://{host}/", headers={}, timeout_s=5)).status == 307

    async def test_a_closed_transport_sends_nothing(self, transport: LiveTransport) -> None:
        await transport.close()
        with pytest.raises(NotSent, match="closed"):
            await transport.request("POST", "http://127.0.0.1:1/", headers={}, timeout_s=5)
        with pytest.raises(NotSent, match="closed"):
            await transport.open_websocket("ws://127.0.0.1:1/", print, print)

    async def test_an_error_names_neither_the_query_nor_a_header(self, transport: LiveTransport) -> None:
        host = await unused_port()

        async def cut(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        async with serving(cut) as live:
            for target in (host, live):
                url = f"http://{target}/order?signature=SECRET"
                with pytest.raises((NotSent, AnswerLost)) as caught:
                    await transport.request("POST", url, headers={"X-MBX-APIKEY": "SECRET"}, timeout_s=5)
                assert "SECRET" not in str(caught.value)
                assert caught.value.__cause__ is None
        with pytest.raises(NotSent) as refused:
            await transport.open_websocket(f"ws://{host}/ws?listenKey=SECRET", print, print)
        assert "SECRET" not in str(refused.value)


def socket_server(talk: Callable[[web.WebSocketResponse], Awaitable[None]]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await talk(ws)
        return ws

    return answer


class TestWebSocket:
    async def test_messages_go_both_ways_as_text(self, transport: LiveTransport) -> None:
        kinds: list[WSMsgType] = []

        async def echo(ws: web.WebSocketResponse) -> None:
            async for message in ws:
                kinds.append(message.type)
                await ws.send_str(message.data)

        client = Client()
        async with serving(socket_server(echo)) as host:
            link = await transport.open_websocket(f"ws://{host}/ws", client.on_frame, client.on_close)
            link.send(b'{"id":1}')
            await client.until(lambda: bool(client.frames))
            link.close()
        assert client.frames == [b'{"id":1}']
        assert isinstance(client.frames[0], bytes)
        assert kinds == [WSMsgType.TEXT]

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
    async def test_a_message_of_any_size_arrives_whole_and_nothing_else_does(
        self, transport: LiveTransport, size: int
    ) -> None:
        arrived: list[str] = []

        async def listen(ws: web.WebSocketResponse) -> None:
            async for message in ws:
                arrived.append(message.data)
                await ws.send_str("next")

        text = ("0123456789ü" * (size // 12 + 1)).encode()[:size].decode(errors="ignore").ljust(size, "x")[:size]
        client = Client()
        async with serving(socket_server(listen)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            for count in (1, 2):
                link.send(text.encode())
                await client.until(lambda count=count: len(client.frames) == count)
            link.close()
        assert arrived == [text, text]

    async def test_no_two_messages_are_masked_alike(self, transport: LiveTransport) -> None:
        """RFC 6455 section 10.3: a mask must not be predicted from those before it."""
        import socket

        listener = socket.create_server(("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        opening = asyncio.ensure_future(
            transport.open_websocket(f"ws://127.0.0.1:{listener.getsockname()[1]}/", print, print)
        )
        peer, _ = await loop.run_in_executor(None, listener.accept)
        await loop.run_in_executor(None, answer_handshake, peer)
        link = await opening
        masks = set()
        for _ in range(600):
            link.send(b"same")
            frame = peer.recv(100)
            assert frame[:2] == bytes((0x81, 0x80 | 4))
            masks.add(frame[2:6])
            assert bytes(byte ^ frame[2 + at % 4] for at, byte in enumerate(frame[6:])) == b"same"
        assert len(masks) > 590
        link.close()
        peer.close()
        listener.close()

    async def test_the_bytes_are_with_the_socket_when_send_returns(self, transport: LiveTransport) -> None:
        """The server's kernel has them although the client's loop has not turned once since."""
        import socket

        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        opening = asyncio.ensure_future(transport.open_websocket(f"ws://127.0.0.1:{port}/", print, print))
        peer, _ = await loop.run_in_executor(None, listener.accept)
        await loop.run_in_executor(None, answer_handshake, peer)
        link = await opening
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(1)
        link.send(b"x" * 100)
        assert len(peer.recv(1_000)) == 2 + 4 + 100
        link.close()
        peer.close()
        listener.close()

    async def test_a_message_in_the_same_packet_as_the_handshake_is_not_lost(self, transport: LiveTransport) -> None:
        import socket

        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        client = Client()
        loop = asyncio.get_running_loop()
        opening = asyncio.ensure_future(
            transport.open_websocket(f"ws://127.0.0.1:{port}/", client.on_frame, client.on_close)
        )
        peer, _ = await loop.run_in_executor(None, listener.accept)
        await loop.run_in_executor(None, answer_handshake, peer, b"\x81\x05hello\x81\x05again")
        await opening
        assert client.frames == [b"hello", b"again"]
        peer.close()
        listener.close()

    async def test_frames_are_handed_over_in_the_turn_in_which_they_are_read(self, transport: LiveTransport) -> None:
        """All messages of one packet, in order, without a turn of the loop between them."""
        turns: list[int] = []
        turn = 0

        async def count() -> None:
            nonlocal turn
            while True:
                turn += 1
                await asyncio.sleep(0)

        async def burst(ws: web.WebSocketResponse) -> None:
            assert ws._writer is not None
            ws._writer.transport.write(b"".join(b"\x81\x01%d" % n for n in range(5)))
            await ws.receive()

        client = Client()

        def on_frame(frame: bytes) -> None:
            turns.append(turn)
            client.on_frame(frame)

        counting = asyncio.ensure_future(count())
        async with serving(socket_server(burst)) as host:
            link = await transport.open_websocket(f"ws://{host}/", on_frame, client.on_close)
            await client.until(lambda: len(client.frames) == 5)
            link.close()
        counting.cancel()
        assert client.frames == [b"0", b"1", b"2", b"3", b"4"]
        assert len(set(turns)) == 1

    async def test_a_large_message_comes_whole(self, transport: LiveTransport) -> None:
        big = "x" * 3_000_000

        async def send(ws: web.WebSocketResponse) -> None:
            await ws.send_str(big)
            await ws.receive()

        client = Client()
        async with serving(socket_server(send)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            await client.until(lambda: bool(client.frames))
            link.close()
        assert client.frames == [big.encode()]

    async def test_fragments_are_joined(self, transport: LiveTransport) -> None:
        async def send(ws: web.WebSocketResponse) -> None:
            assert ws._writer is not None
            ws._writer.transport.write(b"\x01\x02ab" + b"\x00\x02cd" + b"\x89\x00" + b"\x80\x02ef" + b"\x81\x02gh")
            await ws.receive()

        client = Client()
        async with serving(socket_server(send)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            await client.until(lambda: len(client.frames) == 2)
            link.close()
        assert client.frames == [b"abcdef", b"gh"]

    async def test_the_end_is_told_once_with_the_venues_reason(self, transport: LiveTransport) -> None:
        async def leave(ws: web.WebSocketResponse) -> None:
            await ws.close(code=1012, message=b"service restart")

        client = Client()
        async with serving(socket_server(leave)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            await client.until(lambda: bool(client.reasons))
            with pytest.raises(NotSent):
                link.send(b"too late")
        assert client.reasons == ["close frame 1012 service restart"]

    async def test_a_connection_that_breaks_is_told(self, transport: LiveTransport) -> None:
        async def break_off(ws: web.WebSocketResponse) -> None:
            assert ws._writer is not None
            ws._writer.transport.abort()

        client = Client()
        async with serving(socket_server(break_off)) as host:
            await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            await client.until(lambda: bool(client.reasons))
        assert len(client.reasons) == 1

    async def test_after_our_own_close_nothing_is_called_any_more(self, transport: LiveTransport) -> None:
        left = asyncio.Event()

        async def talk(ws: web.WebSocketResponse) -> None:
            await ws.receive()
            left.set()

        client = Client()
        async with serving(socket_server(talk)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
            link.close()
            await asyncio.wait_for(left.wait(), 5)
            await transport.close()
            with pytest.raises(NotSent):
                link.send(b"too late")
        assert client.reasons == []

    async def test_a_peer_that_does_not_read_makes_send_refuse_instead_of_queueing_without_end(
        self, transport: LiveTransport
    ) -> None:
        released = asyncio.Event()

        async def deaf(ws: web.WebSocketResponse) -> None:
            assert ws._req is not None
            assert ws._req.transport is not None
            ws._req.transport.pause_reading()
            await released.wait()

        client = Client()
        async with serving(socket_server(deaf)) as host:
            link = await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)

            def send_until_refused() -> None:
                for _ in range(1_000):
                    link.send(b"x" * 100_000)

            with pytest.raises(NotSent, match="does not read"):
                send_until_refused()
            released.set()

    async def test_a_defect_of_the_receiver_ends_the_connection_loudly(self, transport: LiveTransport) -> None:
        async def send(ws: web.WebSocketResponse) -> None:
            await ws.send_str("first")
            await ws.send_str("second")
            await ws.receive()

        client = Client()
        seen: list[bytes] = []

        def defective(frame: bytes) -> None:
            seen.append(frame)
            raise RuntimeError("a defect")

        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with serving(socket_server(send)) as host:
            await transport.open_websocket(f"ws://{host}/", defective, client.on_close)
            await client.until(lambda: bool(client.reasons))
        assert seen == [b"first"]
        assert any(isinstance(context.get("exception"), RuntimeError) for context in told)

    async def test_a_refused_handshake_is_not_a_connection(self, transport: LiveTransport) -> None:
        async def refuse(_: web.Request) -> web.StreamResponse:
            return web.Response(status=404)

        client = Client()
        async with serving(refuse) as host:
            with pytest.raises(NotSent, match="InvalidStatus"):
                await transport.open_websocket(f"ws://{host}/", client.on_frame, client.on_close)
        assert client.reasons == []

    async def test_frames_are_never_logged(self, transport: LiveTransport, caplog: pytest.LogCaptureFixture) -> None:
        async def echo(ws: web.WebSocketResponse) -> None:
            async for message in ws:
                await ws.send_str(message.data)

        caplog.set_level(logging.DEBUG)
        client = Client()
        async with serving(socket_server(echo)) as host:
            url = f"ws://{host}/ws?listenKey=SECRET"
            link = await transport.open_websocket(url, client.on_frame, client.on_close)
            link.send(b"SECRET")
            await client.until(lambda: bool(client.frames))
            link.close()
            await transport.close()
        assert "SECRET" not in caplog.text


def answer_handshake(peer: object, more: bytes = b"") -> None:
    """The server's half of the opening handshake (RFC 6455 section 4), and frames in the same packet."""
    import base64
    import hashlib
    import socket

    assert isinstance(peer, socket.socket)
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += peer.recv(4_096)
    key = next(line.split(b": ")[1] for line in asked.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n" + more
    )


async def test_sleep_is_over_when_the_clock_says_so() -> None:
    clock = ManualClock()
    waking = sleep(clock, 1_000)
    clock.advance(999)
    assert not waking.done()
    clock.advance(1)
    assert waking.done()


async def test_a_cancelled_sleep_may_still_be_woken() -> None:
    clock = ManualClock()
    sleep(clock, 1_000).cancel()
    clock.advance(1_000)

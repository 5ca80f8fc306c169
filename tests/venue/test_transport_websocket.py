"""WebSockets of the live transport against a server on this machine: bytes, order, ends, and what they prove."""

import asyncio
import base64
import hashlib
import logging
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import WSMsgType, web
from live_server import Handler, serving

from execactor.venues.transport import LiveTransport, NotSent

BOTH_LOOPS = True


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


def answer_handshake(peer: socket.socket, more: bytes = b"") -> None:
    """The server's half of the opening handshake (RFC 6455 section 4), and frames in the same packet."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += peer.recv(4_096)
    key = next(line.split(b": ")[1] for line in asked.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n" + more
    )

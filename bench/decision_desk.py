"""The venue's order desk of the latency bench, in a process of its own: reads, stamps the time, acknowledges.

`python bench/decision_desk.py` prints its port, serves until its standard input ends, then prints one JSON object: when
it had read each request (monotonic nanoseconds, the same clock in every process of a machine) by client order id, and
how long each bare message had been under way. A connection that does not begin with an HTTP request carries bare
messages: the time of sending in ASCII, padded to the length of a request, each answered with one byte.
"""

import asyncio
import base64
import hashlib
import json
import struct
import sys
import time
from typing import Any, cast

import msgspec
import uvloop

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STAMP_DIGITS = 20


class Stamps(msgspec.Struct):
    """What the desk noted."""

    read_ns: dict[str, int] = {}
    bare_ns: list[int] = []


class Desk(asyncio.Protocol):
    """One connection: WebSocket API or bare messages."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._buffer = b""
        self._speaks = ""
        self._orders = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        read_ns = time.monotonic_ns()
        if not self._speaks:
            self._speaks = "http" if data.startswith(b"GET ") else "bare"
        if self._speaks == "bare":
            self._stamps.bare_ns.append(read_ns - int(data[:_STAMP_DIGITS]))
            self._transport.write(b".")
            return
        self._buffer += data
        if self._speaks == "http":
            self._shake_hands()
        while self._speaks == "websocket" and (frame := self._frame()) is not None:
            self._answer(*frame, read_ns)

    def _shake_hands(self) -> None:
        head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not end:
            self._buffer = head
            return
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key.split(b":")[1].strip() + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._speaks = "websocket"

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame of the client (RFC 6455 section 5.2): opcode and payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = struct.unpack_from("!H", buffer, 2)[0], 4
        if len(buffer) < start + 4 + length:
            return None
        mask, body = buffer[start : start + 4], buffer[start + 4 : start + 4 + length]
        self._buffer = buffer[start + 4 + length :]
        return buffer[0] & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))

    def _answer(self, opcode: int, payload: bytes, read_ns: int) -> None:
        if opcode == 0x9:
            self._send(0xA, payload)
        elif opcode == 0x8:
            self._transport.close()
        elif opcode == 0x1:
            request = msgspec.json.decode(payload)
            client_id = request["params"].get("newClientOrderId")
            if client_id is not None:
                self._stamps.read_ns[client_id] = read_ns
            answer = {"id": request["id"], "status": 200, "result": self._result(request["params"]), "rateLimits": []}
            self._send(0x1, msgspec.json.encode(answer))

    def _result(self, params: dict[str, Any]) -> dict[str, Any]:
        self._orders += 1
        cancelled = "origClientOrderId" in params
        return {
            "orderId": self._orders,
            "clientOrderId": params["origClientOrderId" if cancelled else "newClientOrderId"],
            "symbol": params["symbol"],
            "status": "CANCELED" if cancelled else "NEW",
            "side": "BUY",
            "type": "LIMIT",
            "origType": "LIMIT",
            "timeInForce": "GTC",
            "origQty": params.get("quantity", "1"),
            "price": params.get("price", "1"),
            "executedQty": "0",
            "cumQty": "0",
            "reduceOnly": False,
            "positionSide": "BOTH",
            "updateTime": time.time_ns() // 1_000_000,
        }

    def _send(self, opcode: int, payload: bytes) -> None:
        head = bytes([0x80 | opcode])
        size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
        self._transport.write(head + size + payload)


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    stamps = Stamps()
    server = await loop.create_server(lambda: Desk(stamps), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"read_ns": stamps.read_ns, "bare_ns": stamps.bare_ns}), flush=True)


if __name__ == "__main__":
    uvloop.run(serve())

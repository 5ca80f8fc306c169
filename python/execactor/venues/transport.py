"""Bytes in, bytes out: the one place that knows an HTTP or a WebSocket library, and the clock that adapters use.

Adapters see the two protocols `Transport` and `Clock` only, so that the same adapter runs in virtual time against a
simulated transport. Failures are told apart by what they prove: `NotSent` or `AnswerLost`.
"""

import asyncio
import logging
import os
import struct
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from yarl import URL

from execactor.domain.errors import ExecactorError

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without a compiler
    from websockets.utils import apply_mask

_MAX_FRAME_BYTES = 16 * 2**20
_WRITE_BUFFER_BYTES = 64 * 2**10
_DATA_OPCODES = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_WHOLE_TEXT = 0b1000_0000 | Opcode.TEXT
_MASKED = 0b1000_0000
_MASK_POOL_BYTES = 1_024

_logger = logging.getLogger(__name__)
# At DEBUG the library logs whole frames and handshakes, and those carry keys and signatures.
_logger.setLevel(logging.INFO)


class NotSent(ExecactorError):
    """The request never left this machine, or the connection was never made: it certainly had no effect."""


class AnswerLost(ExecactorError):
    """Bytes may have left and no answer came: the request may or may not have had an effect."""


class HttpResponse(msgspec.Struct, frozen=True):
    """An answer, whatever its status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebSocketLink(Protocol):
    """An open WebSocket."""

    def send(self, data: bytes) -> None:
        """Hand one text message to the socket before returning. Raises NotSent when it cannot leave at once."""

    def close(self) -> None:
        """End the connection without waiting; neither callback is called any more."""


class Transport(Protocol):
    """How an adapter reaches its venue. All methods are called on the event-loop thread."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float
    ) -> Awaitable[HttpResponse]:
        """One HTTP exchange: never retried, never redirected. The URL goes out exactly as given.

        timeout_s covers everything, the connection included. Raises NotSent or AnswerLost; neither names the query.
        """

    async def open_websocket(
        self, url: str, on_frame: Callable[[bytes], None], on_close: Callable[[str], None]
    ) -> WebSocketLink:
        """Connect, then call on_frame with each whole message, synchronously as it is read from the socket.

        on_frame may be called before this returns. on_close is called once, with a reason, when the connection ends
        without our `close`. An exception out of on_frame ends the connection. Raises NotSent when it cannot be opened.
        """

    async def close(self) -> None:
        """End all connections for good."""


class TimerHandle(Protocol):
    """A pending call of a clock."""

    def cancel(self) -> None:
        """Take the call back. Harmless when it has already been made or cancelled."""


class Clock(Protocol):
    """What adapters may know about time, in integer nanoseconds (execactor.runtime.clock provides it)."""

    def now_ns(self) -> int:
        """Wall-clock time since the Unix epoch."""

    def monotonic_ns(self) -> int:
        """Time that never goes back; its origin means nothing."""

    def call_at(self, monotonic_ns: int, callback: Callable[[], object]) -> TimerHandle:
        """Call `callback` once `monotonic_ns()` has reached the given value."""


def sleep(clock: Clock, delay_ns: int) -> asyncio.Future[None]:
    """A future that is done after `delay_ns` of the clock's time."""
    waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not waking.done():
            waking.set_result(None)

    clock.call_at(clock.monotonic_ns() + delay_ns, wake)
    return waking


class LiveTransport:
    """Real sockets: aiohttp with kept-alive connections for HTTP, the websockets library for WebSockets.

    No proxy is used, whatever the environment says: a proxy that buffers would break every bound on latency.
    ping_interval_s: how often an idle WebSocket is probed; it counts as lost after another such interval in silence.
    """

    def __init__(self, *, ping_interval_s: float = 5.0, open_timeout_s: float = 5.0) -> None:
        self._ping_interval_s = ping_interval_s
        self._open_timeout_s = open_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._closing: set[asyncio.Task[None]] = set()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float
    ) -> HttpResponse:
        """See Transport. A connection that dies while it is reused counts as AnswerLost: bytes may have left."""
        if self._closed:
            raise NotSent(f"{method} {_shown(url)}: the transport is closed")
        session = self._open_session()
        limit = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with session.request(
                method,
                # Quoting again would change the bytes that were signed.
                URL(url, encoded=True),
                headers=headers,
                data=body,
                timeout=limit,
                allow_redirects=False,
                middlewares=(_once(),),
            ) as answer:
                content = await answer.read()
                received = {name.lower(): value for name, value in answer.headers.items()}
                return HttpResponse(answer.status, received, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotSent(f"{method} {_shown(url)}: no connection ({type(error).__name__})") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AnswerLost(f"{method} {_shown(url)}: no answer ({type(error).__name__})") from None

    async def open_websocket(
        self, url: str, on_frame: Callable[[bytes], None], on_close: Callable[[str], None]
    ) -> "LiveLink":
        """See Transport. Messages may be as large as 16 MiB; fragments are joined."""
        if self._closed:
            raise NotSent(f"WebSocket {_shown(url)}: the transport is closed")
        try:
            connection = await connect(
                url,
                compression=None,
                proxy=None,
                open_timeout=self._open_timeout_s,
                ping_interval=self._ping_interval_s,
                ping_timeout=self._ping_interval_s,
                close_timeout=1,
                max_size=_MAX_FRAME_BYTES,
                write_limit=_WRITE_BUFFER_BYTES,
                logger=_logger,
                # The library takes any factory ("a wrapper or a subclass"), its annotation only a subclass.
                create_connection=cast("type[ClientConnection]", partial(_Connection, on_frame, on_close)),
            )
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            raise NotSent(f"WebSocket {_shown(url)}: {type(error).__name__}") from None
        return LiveLink(cast("_Connection", connection), self._closing)

    async def close(self) -> None:
        """End all connections for good and wait for the closing handshakes (about a second at most)."""
        self._closed = True
        if self._closing:
            await asyncio.wait(self._closing)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(keepalive_timeout=60, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


class LiveLink:
    """An open WebSocket of LiveTransport."""

    def __init__(self, connection: "_Connection", closing: set[asyncio.Task[None]]) -> None:
        self._connection = connection
        self._closing = closing

    def send(self, data: bytes) -> None:
        """Write one text frame to the socket now.

        Raises NotSent when the connection is closed, or when earlier bytes still wait because the peer does not read:
        an order stuck behind them would leave at a time that nobody chose.
        """
        self._connection.write(data)

    def close(self) -> None:
        """Start the closing handshake; no callback is called any more."""
        self._connection.mute()
        task = asyncio.get_running_loop().create_task(self._connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Connection(ClientConnection):
    """Hands messages over as they are read, without the library's queue and the task switch that it costs."""

    def __init__(
        self,
        on_frame: Callable[[bytes], None],
        on_close: Callable[[str], None],
        protocol: ClientProtocol,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | tuple[int | None, int | None] | None = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
    ) -> None:
        super().__init__(
            protocol,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_queue=max_queue,
            write_limit=write_limit,
        )
        self._on_frame = on_frame
        self._on_close = on_close
        self._fragments: list[bytes] = []
        self._masks = _Masks()
        self._muted = False

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in _DATA_OPCODES:
            super().process_event(event)
            return
        if self._muted:
            return
        if event.fin and not self._fragments:
            self._on_frame(bytes(event.data))
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._on_frame(message)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.response is None or self.protocol.handshake_exc is not None or self._muted:
            return
        self._muted = True
        cause = type(exc).__name__ if exc is not None else "connection ended"
        received = self.protocol.close_rcvd
        self._on_close(f"close frame {received.code} {received.reason}".rstrip() if received else cause)

    def write(self, data: bytes) -> None:
        if self.protocol.state is not State.OPEN or self.transport.is_closing():
            raise NotSent("the WebSocket is closed")
        if self.paused:
            waiting = self.transport.get_write_buffer_size()
            raise NotSent(f"the peer does not read: {waiting} bytes wait to be sent")
        # The library's own way (a Frame, its checks, a queue) takes three times as long for the same bytes. Nothing can
        # come in between: whatever the library itself writes, it hands to the transport at once, too.
        self.transport.write(_text_frame(data, self._masks.draw()))

    def mute(self) -> None:
        self._muted = True


class _Masks:
    """Masking keys of frames: from the system's strong randomness (RFC 6455 section 10.3), many at a time."""

    __slots__ = ("_pool", "_used")

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def draw(self) -> bytes:
        if self._used == len(self._pool):
            self._pool = os.urandom(_MASK_POOL_BYTES)
            self._used = 0
        self._used += 4
        return self._pool[self._used - 4 : self._used]


def _text_frame(payload: bytes, mask: bytes) -> bytes:
    """One whole text message as a client sends it (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", _WHOLE_TEXT, _MASKED | length)
    elif length < 2**16:
        head = struct.pack("!BBH", _WHOLE_TEXT, _MASKED | 126, length)
    else:
        head = struct.pack("!BBQ", _WHOLE_TEXT, _MASKED | 127, length)
    return head + mask + apply_mask(payload, mask)


def _once() -> Callable[[aiohttp.ClientRequest, aiohttp.ClientHandlerType], Awaitable[aiohttp.ClientResponse]]:
    """A middleware for one request: aiohttp repeats DELETE and PUT by itself when a kept connection turns out dead."""
    sent = False

    async def forward(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal sent
        if sent:
            raise AnswerLost(f"{request.method} {request.url.path}: the kept connection died (not repeated)")
        sent = True
        return await handler(request)

    return forward


def _shown(url: str) -> str:
    """The URL without its query, where keys and signatures are."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"

"""The simulated venue on loopback: aiohttp around `Venue`, and the way to embed or serve it."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Self

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from execactor.simulator.admin import admin_routes
from execactor.simulator.clock import LoopClock
from execactor.simulator.config import SimulatorConfig
from execactor.simulator.errors import VenueError
from execactor.simulator.exchange import Exchange
from execactor.simulator.venue import RestReply, Venue

HOST = "127.0.0.1"
PING_INTERVAL_S = 180.0  # the venue pings every 3 minutes


class SimulatedVenue:
    """A venue on 127.0.0.1 for as long as the `async with` lasts.

    rest_url, ws_url: where clients connect (`/fapi/...` under the one; `/public`, `/market`, `/private` and
    `/ws-fapi/v1` under the other).
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._runner: web.AppRunner | None = None
        self._venue: Venue | None = None
        self._links: set[_Socket] = set()
        self.stopped = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._venue = Venue(self._config, LoopClock())
        app = web.Application(client_max_size=1 << 20)
        app.add_routes(admin_routes(self._venue, self.stopped.set))
        app.router.add_route("*", "/fapi/{rest:.*}", self._rest)
        app.router.add_get("/{rest:.*}", self._websocket)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._config.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for link in list(self._links):
            link.close(WSCloseCode.GOING_AWAY, "venue stops")
        assert self._runner is not None
        await self._runner.cleanup()
        self.venue.stop()

    @property
    def venue(self) -> Venue:
        if self._venue is None:
            raise RuntimeError("the venue is not running; use it inside `async with`")
        return self._venue

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    @property
    def rest_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}"

    def steer(self, symbol: str, target: Decimal, seconds: float) -> None:
        """Drifts a generated market to a price. Raises ValueError for an unknown or a replayed symbol."""
        self.venue.steer(symbol, target, seconds)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode(errors="replace") if request.can_read_body else ""
        answered: asyncio.Future[RestReply | None] = asyncio.get_running_loop().create_future()

        def reply(answer: RestReply | None) -> None:
            if not answered.done():  # the client may have given up meanwhile
                answered.set_result(answer)

        self.venue.rest(request.method, path, query, request.headers, body, reply)
        answer = await answered
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(
            status=answer.status, headers=answer.headers, body=answer.body, content_type="application/json"
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        ws = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        link = _Socket(ws, request)
        try:
            session = self.venue.connect(path, query, link)
        except VenueError as refused:
            return web.Response(
                status=refused.status, body=orjson.dumps(refused.body()), content_type="application/json"
            )
        self._links.add(link)
        try:
            await ws.prepare(request)
            link.start()
            async for message in ws:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    session.receive(message.data)
        finally:
            self._links.discard(link)
            session.closed(link.reason or f"client closed ({ws.close_code})")
            await link.stop()
        return ws


class _Socket:
    """The venue's end of one WebSocket: frames go out in order from a writer task (`Link`)."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self._ws = ws
        self._request = request
        self._waiting: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._more = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None
        self.reason = ""

    def start(self) -> None:
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def send(self, data: bytes, written: Callable[[], None] | None = None) -> None:
        if self._closing is None:
            self._waiting.append((data, written))
            self._more.set()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self.reason = reason
            self._more.set()

    async def stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while self._closing is None or self._waiting:
                while self._waiting:
                    data, written = self._waiting.popleft()
                    await self._ws.send_frame(data, WSMsgType.TEXT)
                    if written is not None:
                        written()
                if self._closing is None:
                    self._more.clear()
                    await self._more.wait()
            code, reason = self._closing
            if code == 1006 and self._request.transport is not None:  # dropped without a close frame
                self._request.transport.abort()
            else:
                await self._ws.close(code=code, message=reason.encode())


async def serve(config: SimulatorConfig, ready: Callable[[str], None]) -> None:
    """Runs a venue until SIGTERM, SIGINT or POST /sim/shutdown; `ready` gets its REST URL once it listens."""
    async with SimulatedVenue(config) as venue:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, venue.stopped.set)
        ready(venue.rest_url)
        try:
            await venue.stopped.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

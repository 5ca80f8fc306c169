"""The adapter's transport in virtual time: bytes to the simulated venue and back, on a network drawn by seed."""

import asyncio
from collections.abc import Callable, Mapping

from execactor.runtime import Simulation
from execactor.simulation.crash import CrashPoints
from execactor.simulation.link import Connection, SimulatedLink
from execactor.simulation.network import Network
from execactor.simulator.errors import VenueError
from execactor.simulator.venue import RestReply, Venue
from execactor.venues.transport import AnswerLost, HttpResponse, NotSent

OPEN_TIMEOUT_S = 5.0
"""As LiveTransport."""


class SimulatedTransport:
    """See execactor.venues.transport.Transport. It belongs to the program that runs when it is made.

    A request that has left arrives whatever becomes of the program; what comes back to a dead one reaches nobody. When
    the program is abandoned, the venue sees its connections end, as the system ends those of a killed process.
    """

    def __init__(self, simulation: Simulation, venue: Venue, network: Network, crash: CrashPoints) -> None:
        self._simulation = simulation
        self._timeline = simulation.timeline
        self._loop = simulation.loop
        self._venue = venue
        self._network = network
        self._crash = crash
        self._connections: dict[Connection, None] = {}
        self._closed = False
        self._loop.when_abandoned(self._cut)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float
    ) -> "asyncio.Future[HttpResponse]":
        """See Transport."""
        answer: asyncio.Future[HttpResponse] = self._loop.create_future()
        path, query = _target(url)
        if self._closed:
            answer.set_exception(NotSent(f"{method} {path}: the transport is closed"))
            return answer
        self._crash.reach("send.before", self._loop)
        if self._loop.abandoned:
            return answer

        def arrive() -> None:
            self._venue.rest(method, path, query, headers, (body or b"").decode(errors="replace"), reply)

        def reply(reply: RestReply | None) -> None:
            arrival_ns = self._network.down.arrival_ns(self._timeline.now_ns)
            if reply is None:
                self._loop.deliver_at(arrival_ns, lose, "the connection ended")
            else:
                received = {name.lower(): value for name, value in reply.headers.items()}
                response = HttpResponse(reply.status, received, reply.body)
                self._loop.deliver_at(arrival_ns, _resolve, answer, response)

        def lose(reason: str) -> None:
            if not answer.done():
                answer.set_exception(AnswerLost(f"{method} {path}: no answer ({reason})"))

        patience = self._loop.call_later(timeout_s, lose, "TimeoutError")
        answer.add_done_callback(lambda _answer: patience.cancel())
        self._simulation.world_at(self._network.up.arrival_ns(self._timeline.now_ns), arrive)
        self._crash.reach("send.after", self._loop)
        return answer

    async def open_websocket(
        self, url: str, on_frame: Callable[[bytes], None], on_close: Callable[[str], None]
    ) -> SimulatedLink:
        """See Transport. It takes two round trips: to connect, and for the handshake; more than 5 s are too many."""
        path, query = _target(url)
        opened: asyncio.Future[None] = self._loop.create_future()
        if self._closed:
            raise NotSent(f"WebSocket {path}: the transport is closed")
        connection = Connection(self._simulation, self._loop, self._network, self._crash, on_frame, on_close)
        connection.when_ended(lambda: self._connections.pop(connection, None))

        def handshake() -> None:
            try:
                connection.session = self._venue.connect(path, query, connection)
            except VenueError as refused:
                connection.refuse(opened, NotSent(f"WebSocket {path}: refused with HTTP status {refused.status}"))
            else:
                self._connections[connection] = None
                connection.accept(opened)

        if not self._loop.abandoned:
            self._simulation.world_at(connection.handshake_ns(), handshake)
        patience = self._loop.call_later(OPEN_TIMEOUT_S, _open_too_late, opened, path)
        try:
            await opened
        except (asyncio.CancelledError, NotSent):
            connection.end_from_client("client closed (1006)")
            raise
        finally:
            patience.cancel()
        return SimulatedLink(connection)

    async def close(self) -> None:
        """See Transport."""
        self._closed = True
        for connection in list(self._connections):
            connection.end_from_client("client closed (1000)")

    def _cut(self) -> None:
        for connection in list(self._connections):
            connection.end_from_client("client closed (1006)")


def _target(url: str) -> tuple[str, str]:
    """Path and query as they go over the wire."""
    target = "/" + url.split("://", maxsplit=1)[1].partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


def _open_too_late(opened: "asyncio.Future[None]", path: str) -> None:
    if not opened.done():
        opened.set_exception(NotSent(f"WebSocket {path}: TimeoutError"))


def _resolve(answer: "asyncio.Future[HttpResponse]", response: HttpResponse) -> None:
    if not answer.done():
        answer.set_result(response)

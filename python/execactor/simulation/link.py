"""One WebSocket in virtual time, with an end at the engine and one at the venue."""

import asyncio
import logging
from collections.abc import Callable

from execactor.runtime import SimulatedLoop, Simulation
from execactor.simulation.crash import CrashPoints
from execactor.simulation.network import PING_INTERVAL_NS, InOrder, Network
from execactor.simulator.venue import Session
from execactor.venues.transport import NotSent

logger = logging.getLogger(__name__)

ABNORMAL = 1006
"""No close frame came: the connection was just gone."""


class Connection:
    """Both ends of one WebSocket, and the bytes between them, in order. To the venue it is its `Link`."""

    def __init__(
        self,
        simulation: Simulation,
        loop: SimulatedLoop,
        network: Network,
        crash: CrashPoints,
        on_frame: Callable[[bytes], None],
        on_close: Callable[[str], None],
    ) -> None:
        self.session: Session | None = None
        self._simulation = simulation
        self._timeline = simulation.timeline
        self._loop = loop
        self._network = network
        self._crash = crash
        self._up = InOrder(network.up)
        self._down = InOrder(network.down)
        self._on_frame = on_frame
        self._on_close = on_close
        self._when_ended: Callable[[], object] = lambda: None
        self._draw = simulation.streams.of("pings").random
        self._client_open = True
        self._venue_open = True

    def when_ended(self, call: Callable[[], object]) -> None:
        """Call once when the venue's end has gone."""
        self._when_ended = call

    # The venue's end

    def handshake_ns(self) -> int:
        """When the handshake of a connection begun now arrives: a round trip to connect comes first."""
        connected_ns = self._network.down.arrival_ns(self._network.up.arrival_ns(self._timeline.now_ns))
        return self._up.arrival_ns(connected_ns)

    def accept(self, opened: "asyncio.Future[None]") -> None:
        """The handshake succeeded."""
        self._network.join(self)
        self._loop.deliver_at(self._down.arrival_ns(self._timeline.now_ns), _open, opened, None)

    def refuse(self, opened: "asyncio.Future[None]", refusal: NotSent) -> None:
        """It did not."""
        self._client_open = self._venue_open = False
        self._loop.deliver_at(self._down.arrival_ns(self._timeline.now_ns), _open, opened, refusal)

    def send(self, data: bytes, written: Callable[[], None] | None = None) -> None:
        """Send a frame to the engine."""
        if not self._venue_open:
            return
        self._loop.deliver_at(self._down.arrival_ns(self._timeline.now_ns), self._arrived, data)
        if written is not None:
            written()

    def close(self, code: int, reason: str) -> None:
        """The venue ends the connection after what it has sent."""
        if not self._venue_open:
            return
        self._venue_open = False
        shown = "connection ended" if code == ABNORMAL else f"close frame {code} {reason}".rstrip()
        self._loop.deliver_at(self._down.arrival_ns(self._timeline.now_ns), self._lost, shown)
        # Not at once: the venue may be going through its sessions now.
        self._simulation.world_at(self._timeline.now_ns, self._closed, reason)

    def _received(self, data: bytes) -> None:
        if self._venue_open and self.session is not None:
            self.session.receive(data)

    def _gone(self, reason: str) -> None:
        if self._venue_open:
            self._venue_open = False
            self._closed(reason)

    def _closed(self, reason: str) -> None:
        self._network.leave(self)
        self._when_ended()
        if self.session is not None:
            self.session.closed(reason)

    # The network between

    def silent(self, until_ns: int) -> None:
        """See Connected: the engine probes the connection and gives it up when no answer comes."""
        probed_ns = self._timeline.now_ns + int(self._draw() * PING_INTERVAL_NS)
        if probed_ns + PING_INTERVAL_NS < until_ns:
            self._loop.deliver_at(probed_ns + PING_INTERVAL_NS, self._unanswered)

    def broken(self) -> None:
        """See Connected."""
        self._loop.deliver_at(self._timeline.now_ns, self._lost, "ConnectionResetError")
        self._simulation.world_at(self._timeline.now_ns, self._gone, "connection reset")

    def _unanswered(self) -> None:
        if self._client_open:
            self.end_from_client("client closed (1011)")
            self._on_close("no answer to a ping")

    # The engine's end

    def send_to_venue(self, data: bytes) -> None:
        """Raises NotSent when the engine knows that the connection has ended."""
        if not self._client_open and not self._loop.abandoned:
            raise NotSent("the WebSocket is closed")
        self._crash.reach("send.before", self._loop)
        if self._loop.abandoned:
            return
        self._simulation.world_at(self._up.arrival_ns(self._timeline.now_ns), self._received, data)
        self._crash.reach("send.after", self._loop)

    def end_from_client(self, reason: str) -> None:
        """The engine's end is gone; the venue learns it after what was sent before."""
        if self._client_open:
            self._client_open = False
            self._simulation.world_at(self._up.arrival_ns(self._timeline.now_ns), self._gone, reason)

    def _arrived(self, data: bytes) -> None:
        if not self._client_open:
            return
        try:
            self._on_frame(data)
        except Exception as error:
            logger.exception("a frame could not be taken")
            self.end_from_client("client closed (1011)")
            self._on_close(type(error).__name__)

    def _lost(self, reason: str) -> None:
        if self._client_open:
            self._client_open = False
            self._on_close(reason)


class SimulatedLink:
    """See execactor.venues.transport.WebSocketLink."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, data: bytes) -> None:
        """See WebSocketLink."""
        self._connection.send_to_venue(data)

    def close(self) -> None:
        """See WebSocketLink."""
        self._connection.end_from_client("client closed (1000)")


def _open(opened: "asyncio.Future[None]", refusal: NotSent | None) -> None:
    if opened.done():
        return
    if refusal is None:
        opened.set_result(None)
    else:
        opened.set_exception(refusal)

"""The simulated transport keeps the promises of the real one, in virtual time, and tells what a dead program did."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import orjson
import pytest

from execactor.runtime import Abandoned, Simulation
from execactor.simulation import CrashPoints, Network, SimulatedTransport
from execactor.simulation.venue_clock import VenueTime
from execactor.simulator import SimulatorConfig
from execactor.simulator.venue import Venue
from execactor.venues.transport import AnswerLost, HttpResponse, NotSent, Transport, WebSocketLink

SECOND = 1_000_000_000
REST, STREAMS = "http://venue", "ws://venue"
KEY = {"X-MBX-APIKEY": SimulatorConfig().api_key}


class Room:
    """A venue, a network, and what a client on them heard."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.network = Network(simulation)
        self.venue = Venue(SimulatorConfig(), VenueTime(simulation))
        self.frames: list[bytes] = []
        self.closed: list[str] = []

    def transport(self) -> SimulatedTransport:
        return SimulatedTransport(self.simulation, self.venue, self.network, CrashPoints(self.simulation))

    def open(self, transport: Transport, path: str) -> Coroutine[Any, Any, WebSocketLink]:
        return transport.open_websocket(f"{STREAMS}{path}", self.frames.append, self.closed.append)

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.venue.log.kept if line["kind"] == kind]


@pytest.fixture
def room() -> Iterator[Room]:
    with Simulation(1) as simulation:
        yield Room(simulation)


def run(room: Room, program: Callable[[SimulatedTransport], Coroutine[Any, Any, Any]]) -> Any:
    async def whole() -> Any:
        return await program(room.transport())

    return room.simulation.run(whole())


async def ask(transport: Transport, path: str, method: str = "GET", **options: Any) -> HttpResponse:
    return await transport.request(method, f"{REST}{path}", **{"headers": {}, "timeout_s": 1.0} | options)


# HTTP


def test_a_request_is_answered_after_a_round_trip(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> float:
        began = asyncio.get_running_loop().time()
        answer = await ask(transport, "/fapi/v1/time")
        assert answer.status == 200
        assert answer.headers == {"x-mbx-used-weight-1m": "1"}
        sent_back_ns = orjson.loads(answer.body)["serverTime"] * 1_000_000
        assert 0 <= room.simulation.now_ns() - sent_back_ns < SECOND
        return asyncio.get_running_loop().time() - began

    took = run(room, program)
    assert took * 1e9 >= room.network.up.base_ns + room.network.down.base_ns - 1


def test_a_query_goes_out_as_it_is_and_a_refusal_is_an_answer(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> HttpResponse:
        return await ask(transport, "/fapi/v1/order?symbol=BTCUSDT&signature=0", headers=KEY)

    answer = run(room, program)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (400, -1022)
    assert room.lines("request")[0]["params"] == {"symbol": "BTCUSDT"}


def test_no_answer_in_time_is_an_answer_lost_and_the_request_arrives_all_the_same(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        with pytest.raises(AnswerLost, match=r"GET /fapi/v1/time: no answer \(TimeoutError\)") as caught:
            await ask(transport, "/fapi/v1/time?secret=1", timeout_s=room.network.up.base_ns / 2e9)
        assert "secret" not in str(caught.value)
        await asyncio.sleep(1)

    run(room, program)
    assert len(room.lines("request")) == 1


def test_a_connection_that_the_venue_drops_is_an_answer_lost(room: Room) -> None:
    room.venue.faults.order("http_503_failed", 1, {})
    room.venue.rest = lambda *call: call[-1](None)  # type: ignore[method-assign]

    async def program(transport: SimulatedTransport) -> None:
        with pytest.raises(AnswerLost, match="the connection ended"):
            await ask(transport, "/fapi/v1/time")

    run(room, program)


def test_who_gives_up_waiting_does_no_harm(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        answer = transport.request("GET", f"{REST}/fapi/v1/time", headers={}, timeout_s=1.0)
        answer.cancel()  # type: ignore[attr-defined]  # a future in fact
        await asyncio.sleep(2)

    run(room, program)


def test_a_closed_transport_sends_nothing(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        await transport.close()
        with pytest.raises(NotSent):
            await ask(transport, "/fapi/v1/time")
        with pytest.raises(NotSent):
            await room.open(transport, "/public/stream")

    run(room, program)
    assert room.lines("request") == []


# WebSockets


def test_frames_come_in_order_both_ways(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        link = await room.open(transport, "/public/stream")
        for number in range(9):
            link.send(orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        await asyncio.sleep(1)
        link.close()
        with pytest.raises(NotSent):
            link.send(b"too late")
        await asyncio.sleep(1)

    run(room, program)
    assert [orjson.loads(frame)["id"] for frame in room.frames] == list(range(9))
    assert room.closed == []
    assert [line["what"] for line in room.lines("connection")] == ["open", "close"]
    assert room.lines("connection")[1]["reason"] == "client closed (1000)"


def test_market_data_flows(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        await room.open(transport, "/public/stream?streams=btcusdt@depth@100ms")
        await asyncio.sleep(5)

    run(room, program)
    events = [orjson.loads(frame)["data"] for frame in room.frames]
    assert len(events) > 20
    assert all(later["pu"] == earlier["u"] for earlier, later in itertools.pairwise(events))


def test_a_refused_handshake_was_never_made(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        with pytest.raises(NotSent, match="WebSocket /nowhere: refused with HTTP status 404"):
            await room.open(transport, "/nowhere?secret=1")

    run(room, program)
    assert room.lines("connection") == []


@pytest.mark.parametrize(("code", "told"), [(1001, "close frame 1001 server restart"), (1006, "connection ended")])
def test_the_venue_ends_a_connection_after_what_it_sent(room: Room, code: int, told: str) -> None:
    async def program(transport: SimulatedTransport) -> None:
        link = await room.open(transport, "/public/stream?streams=btcusdt@bookTicker")
        await asyncio.sleep(1)
        (session,) = next(iter(room.venue.streams._topics.values()))
        session.link.send(b"last")
        session.link.close(code, "server restart")
        session.link.send(b"one too many")
        link.send(b"unheard")
        await asyncio.sleep(1)
        with pytest.raises(NotSent):
            link.send(b"too late")

    run(room, program)
    assert room.frames[-1] == b"last"
    assert room.closed == [told]
    assert room.lines("connection")[-1]["reason"] == "server restart"


def test_an_exception_out_of_on_frame_ends_the_connection(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        await transport.open_websocket(f"{STREAMS}/public/stream?streams=btcusdt@bookTicker", int, room.closed.append)
        await asyncio.sleep(2)

    run(room, program)
    assert room.closed == ["ValueError"]
    assert room.lines("connection")[-1]["reason"] == "client closed (1011)"


def test_a_dialler_that_is_cancelled_leaves_no_connection(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        dialling = asyncio.create_task(room.open(transport, "/public/stream?streams=btcusdt@bookTicker"))
        await asyncio.sleep(0)
        dialling.cancel()
        await asyncio.sleep(2)

    run(room, program)
    assert [line["what"] for line in room.lines("connection")] == ["open", "close"]
    assert room.frames == []


# A network that fails


def test_what_is_sent_while_the_way_is_cut_arrives_afterwards(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        link = await room.open(transport, "/public/stream")
        room.network.partition(3 * SECOND)
        cut_ns = room.simulation.timeline.now_ns
        link.send(orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
        with pytest.raises(AnswerLost):
            await ask(transport, "/fapi/v1/time")
        assert room.lines("request") == []
        await asyncio.sleep(2.9 - (room.simulation.timeline.now_ns - cut_ns) / SECOND)
        assert room.frames == []
        await asyncio.sleep(1)

    run(room, program)
    assert len(room.frames) == 1
    assert len(room.lines("request")) == 1
    assert room.closed == []


@pytest.mark.parametrize("way", ["up", "down"])
def test_one_direction_alone_can_be_cut(room: Room, way: str) -> None:
    async def program(transport: SimulatedTransport) -> list[str]:
        room.network.partition(3 * SECOND, up=way == "up", down=way == "down")
        with pytest.raises(AnswerLost):
            await ask(transport, "/fapi/v1/time")
        return [line["method"] for line in room.lines("request")]

    assert run(room, program) == ([] if way == "up" else ["GET /fapi/v1/time"])


def test_a_connection_without_a_pong_is_given_up_between_5_and_10_s(room: Room) -> None:
    ended: list[float] = []

    async def program(transport: SimulatedTransport) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            await transport.open_websocket(f"{STREAMS}/public/stream", room.frames.append, room.closed.append)
        began = loop.time()
        room.network.partition(60 * SECOND, up=False)
        while len(room.closed) < 20:
            await asyncio.sleep(0.1)
            ended.extend([loop.time() - began] * (len(room.closed) - len(ended)))
        await asyncio.sleep(60)

    run(room, program)
    assert set(room.closed) == {"no answer to a ping"}
    assert 4.9 < min(ended) < 6 < 9 < max(ended) < 10.2
    assert [line["what"] for line in room.lines("connection")] == ["open"] * 20 + ["close"] * 20


def test_a_dial_into_the_void_was_never_sent_and_leaves_no_connection(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        room.network.partition(30 * SECOND)
        with pytest.raises(NotSent, match="WebSocket /public/stream: TimeoutError"):
            await room.open(transport, "/public/stream?streams=btcusdt@bookTicker")
        await asyncio.sleep(60)

    run(room, program)
    assert [line["what"] for line in room.lines("connection")] == ["open", "close"]
    assert room.frames == []


def test_a_reset_ends_a_connection_at_both_ends(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        link = await room.open(transport, "/public/stream?streams=btcusdt@bookTicker")
        await asyncio.sleep(1)
        room.network.reset()
        await asyncio.sleep(0.001)
        with pytest.raises(NotSent):
            link.send(b"too late")
        heard = len(room.frames)
        await asyncio.sleep(1)
        assert len(room.frames) == heard

    run(room, program)
    assert room.closed == ["ConnectionResetError"]
    assert room.lines("connection")[-1]["reason"] == "connection reset"


# kill -9


def test_what_a_dead_program_had_sent_arrives_and_nothing_else(room: Room) -> None:
    async def program(transport: SimulatedTransport) -> None:
        link = await room.open(transport, "/public/stream?streams=btcusdt@bookTicker")
        sent = [transport.request("GET", f"{REST}/fapi/v1/time", headers={}, timeout_s=1.0)]
        room.simulation.abandon()
        sent.append(transport.request("GET", f"{REST}/fapi/v1/depth", headers={}, timeout_s=1.0))
        link.send(b"unsent")
        link.close()
        await asyncio.sleep(0)
        raise AssertionError(sent)

    with pytest.raises(Abandoned):
        run(room, program)
    heard = len(room.frames)
    room.simulation.pass_time(5 * SECOND)
    assert len(room.frames) == heard
    assert [line["method"] for line in room.lines("request")] == ["GET /fapi/v1/time"]
    assert room.lines("connection")[-1]["reason"] == "client closed (1006)"
    assert room.closed == []


def test_latencies_are_the_seeds() -> None:
    def drawn(seed: int) -> list[int]:
        with Simulation(seed) as simulation:
            network = Network(simulation)
            return [way.arrival_ns(0) for way in (network.up, network.down) for _ in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert min(drawn(3)) >= 100_000

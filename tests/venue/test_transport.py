"""HTTP over the live transport against a server on this machine: what proves that nothing left, and what does not."""

import asyncio

import pytest
from aiohttp import web
from live_server import serving, unused_port

from execactor.runtime.clock import ManualClock
from execactor.venues.transport import AnswerLost, LiveTransport, NotSent, sleep

BOTH_LOOPS = True


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

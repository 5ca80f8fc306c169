"""The offline kill: flat without an engine, in the right order, and nobody else's orders are touched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_room import CREDENTIALS, SYMBOLS, Room, decision, room_of, settings_of, until

from execactor import assembly, config
from execactor.domain.errors import VenueFatal
from execactor.offline_kill import OfflineKill, OfflineKiller, leave_marker
from execactor.runtime import SystemClock
from execactor.simulator.checker import check
from execactor.simulator.orders import OrderRequest
from execactor.simulator.params import order_request
from execactor.simulator.symbols import DEFAULT_SYMBOLS
from execactor.store.lock import HALT_MARKER


class Hurried(SystemClock):
    """A clock ten times as fast, so that waiting for confirmations does not take the test's time."""

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() * 10


async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds / 10)


@asynccontextmanager
async def killer_of(
    rest_url: str, directory: Path, symbols: tuple[str, ...] = SYMBOLS, credentials: config.Credentials = CREDENTIALS
) -> AsyncIterator[OfflineKiller]:
    settings = config.from_mapping(settings_of(rest_url, directory))
    clock = SystemClock(asyncio.get_running_loop())
    venue = assembly.make_venue(settings, credentials, clock)
    try:
        yield OfflineKiller(venue, Hurried(asyncio.get_running_loop()), symbols, settings.prefix, pause)
    finally:
        await venue.close()


async def killed(room: Room, timeout_s: float = 60) -> OfflineKill:
    async with killer_of(room.venue.rest_url, room.directory) as killer:
        return await killer.run(timeout_s)


def foreign_order(room: Room, symbol: str, price: Decimal) -> None:
    params = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "quantity": "1", "price": f"{price:f}"}
    more = {"timeInForce": "GTC", "newClientOrderId": "web_1"}
    request: OrderRequest = order_request({**params, **more}, room.venue.exchange.market(symbol).symbol)
    room.venue.exchange.place(request)


def sent(log: list[dict[str, Any]], after: int) -> list[tuple[str, str]]:
    """(method, client id) of the writes after a line of the log, in their order."""
    names = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
    return [
        (line["method"], next(line["params"][name] for name in names if name in line["params"]))
        for line in log
        if line["kind"] == "request" and line["n"] > after and line["method"].split()[0] in ("POST", "DELETE")
    ]


async def test_it_cancels_entries_and_targets_closes_confirms_and_cancels_stops_last(tmp_path: Path) -> None:
    async with room_of(tmp_path) as room:
        await room.open("BTCUSDT", "held")
        resting = decision("ETHUSDT", await room.mark("ETHUSDT"), key="resting", reach="-0.01")
        await room.engine.submit_decision(resting)
        await until(lambda: any(o.client_id == "capi_entry_resting" for o in room.venue.exchange.orders.open()))
        foreign_order(room, "ETHUSDT", Decimal(2900))
        await room.engine.stop()
        before = room.venue_log[-1]["n"]

        done = await killed(room)

        assert done.flat
        assert done.closed == ["BTCUSDT"]
        assert done.problems == []
        assert set(done.cancelled) == {"capi_entry_resting", "capi_tp1_held", "capi_tp2_held", "capi_sl_held"}
        assert [order.client_id for order in room.venue.exchange.orders.open()] == ["web_1"]
        assert room.venue.exchange.conditional.algos.open() == []
        assert not any(position.quantity for position in room.venue.exchange.account.positions.values())
        writes = sent(room.venue_log, before)
        exit_at = next(index for index, (_, name) in enumerate(writes) if name.startswith("capi_exit_k"))
        assert {name for _, name in writes[:exit_at]} == {"capi_entry_resting", "capi_tp1_held", "capi_tp2_held"}
        assert writes[-1] == ("DELETE /fapi/v1/algoOrder", "capi_sl_held")
        report = check((tmp_path / "venue.jsonl").open())
        assert report.violations == ()
        assert report.duplicates == 0


async def test_flat_is_only_believed_after_the_receive_window_and_twice(tmp_path: Path) -> None:
    async with room_of(tmp_path) as room:
        await room.engine.stop()
        clock = Hurried(asyncio.get_running_loop())
        began_ns = clock.monotonic_ns()
        done = await killed(room)
        took_s = (clock.monotonic_ns() - began_ns) / 1e9
    assert done.flat
    assert 5.0 <= took_s < 15.0  # 2 s receive window and 1 s beyond, then 2 s between the two looks


async def test_an_entry_that_arrives_late_is_cancelled_too(tmp_path: Path) -> None:
    async with room_of(tmp_path) as room:
        await room.engine.stop()
        killing = asyncio.ensure_future(killed(room))
        await asyncio.sleep(0)
        params = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "2900"}
        more = {"timeInForce": "GTC", "newClientOrderId": "capi_entry_late"}
        market = room.venue.exchange.market("ETHUSDT").symbol
        await until(lambda: room.venue_log[-1]["kind"] == "response")
        room.venue.exchange.place(order_request({**params, **more}, market))
        done = await killing
    assert done.flat
    assert done.cancelled == ["capi_entry_late"]


@pytest.mark.parametrize(
    ("fault", "options", "problem"),
    [
        pytest.param("reject_next", {"code": -4131, "msg": "thin"}, None, id="a thin book: a limit order closes"),
        pytest.param("http_503_executed", {}, "503", id="an answer that was lost: the next look tells"),
        pytest.param("http_503_failed", {}, "503", id="a refusal that passes: it is tried again"),
        pytest.param("http_429", {"retry_after": 0}, "429", id="a limit of the venue: it is tried again"),
    ],
)
async def test_trouble_with_the_closing_order_is_overcome(
    fault: str, options: dict[str, Any], problem: str | None, tmp_path: Path
) -> None:
    async with room_of(tmp_path) as room:
        await room.open()
        await room.engine.stop()
        room.venue.venue.faults.order(fault, 1, {"kind": "exit", **options})
        before = room.venue_log[-1]["n"]
        done = await killed(room)
        exits = [name for _, name in sent(room.venue_log, before) if "_exit_" in name]
        kinds = [line for line in room.venue_log if line["kind"] == "fault"]
    assert kinds
    assert done.flat
    assert len(exits) == len(set(exits))
    assert any(problem in text for text in done.problems) if problem else done.problems == []


async def test_a_large_position_is_closed_in_the_chunks_that_the_venue_takes(tmp_path: Path) -> None:
    small = tuple(msgspec.structs.replace(each, market_max_quantity=Decimal("0.010")) for each in DEFAULT_SYMBOLS)
    async with room_of(tmp_path, symbols=small) as room:
        await room.engine.stop()
        bought = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC"}
        sized = {"quantity": "0.033", "price": "61000.0"}
        room.venue.exchange.place(order_request({**bought, **sized}, room.venue.exchange.market("BTCUSDT").symbol))
        before = room.venue_log[-1]["n"]
        done = await killed(room)
        exits = [name for _, name in sent(room.venue_log, before) if "_exit_" in name]
    assert done.closed == ["BTCUSDT"]
    assert done.flat
    assert len(exits) == len(set(exits)) == 4


async def test_without_a_venue_it_says_so_and_leaves_the_stops(tmp_path: Path) -> None:
    async with killer_of("http://127.0.0.1:9", tmp_path) as killer:
        done = await killer.run(2)
    assert not done.flat
    assert any("does not answer" in text for text in done.problems)
    assert "stops were left in place" in done.problems[-1]
    assert done.cancelled == []


async def test_a_key_that_the_venue_refuses_is_fatal(tmp_path: Path) -> None:
    async with room_of(tmp_path) as room:
        wrong = config.Credentials("simulator-api-key", "wrong-secret")
        async with killer_of(room.venue.rest_url, tmp_path, credentials=wrong) as killer:
            with pytest.raises(VenueFatal):
                await killer.run(10)


async def test_positions_of_other_symbols_are_not_touched(tmp_path: Path) -> None:
    async with room_of(tmp_path) as room:
        symbol = room.venue.exchange.market("SOLUSDT").symbol
        bought = {"symbol": "SOLUSDT", "side": "BUY", "type": "MARKET", "quantity": "5"}
        room.venue.exchange.place(order_request(bought, symbol))
        await room.engine.stop()
        done = await killed(room)
        assert room.venue.exchange.account.positions["SOLUSDT"].quantity == 5
    assert done.flat
    assert done.closed == []


def test_the_marker_names_the_reason_and_is_private(tmp_path: Path) -> None:
    leave_marker(tmp_path / "run", "drill")
    marker = tmp_path / "run" / HALT_MARKER
    assert marker.read_text() == "offline kill: drill\n"
    assert marker.stat().st_mode & 0o077 == 0

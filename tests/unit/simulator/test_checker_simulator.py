"""The checker reads what the simulator really writes, and finds its books right."""

import hashlib
import heapq
import hmac
import itertools
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from execactor.simulator import SimulatorConfig
from execactor.simulator.account import MAKER_FEE, TAKER_FEE
from execactor.simulator.algos import AlgoStatus
from execactor.simulator.checker import check
from execactor.simulator.checker.events import ENDED_ALGO, ENDED_ORDER, LIVE_ALGO, LIVE_ORDER
from execactor.simulator.config import FaultProfile
from execactor.simulator.orders import Status
from execactor.simulator.venue import Venue

SYMBOLS = ("BTCUSDT", "ETHUSDT")


class VirtualClock:
    """The venue's time, moved by hand."""

    def __init__(self) -> None:
        self._now_ns = 1_760_000_000_000_000_000
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._numbers = itertools.count()

    def now_ns(self) -> int:
        return self._now_ns

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "Call":
        number = next(self._numbers)
        heapq.heappush(self._due, (self._now_ns + round(seconds * 1e9), number, callback))
        return Call(self._cancelled, number)

    def run(self, seconds: float) -> None:
        end = self._now_ns + round(seconds * 1e9)
        while self._due and self._due[0][0] <= end:
            self._now_ns, number, callback = heapq.heappop(self._due)
            if number not in self._cancelled:
                callback()
        self._now_ns = end


class Call:
    def __init__(self, cancelled: set[int], number: int) -> None:
        self._cancelled, self._number = cancelled, number

    def cancel(self) -> None:
        self._cancelled.add(self._number)


class Client:
    """A well-behaved engine in miniature, over the venue's signed REST calls."""

    def __init__(self, venue: Venue, clock: VirtualClock, seed: int) -> None:
        self.venue, self.clock, self.draw = venue, clock, random.Random(seed)

    def call(self, method: str, path: str, **params: object) -> None:
        stamped = {**params, "timestamp": self.clock.now_ns() // 1_000_000}
        query = "&".join(f"{name}={value}" for name, value in stamped.items())
        signature = hmac.new(self.venue.config.api_secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self.venue.config.api_key}
        self.venue.rest(method, path, f"{query}&signature={signature}", headers, "", lambda _reply: None)
        self.clock.run(0.001)

    def order(self, client_id: str, symbol: str, side: str, quantity: Decimal, **more: object) -> None:
        self.call(
            "POST", "/fapi/v1/order", symbol=symbol, side=side, type="MARKET", quantity=quantity,
            newClientOrderId=client_id, **more,
        )  # fmt: skip

    def stop(self, client_id: str, symbol: str, side: str, away: str, **more: object) -> None:
        """A mark-price stop so many per cent from the mark."""
        market = self.venue.exchange.markets[symbol]
        distance = market.mark * Decimal(away) / 100
        trigger = market.mark - distance if side == "SELL" else market.mark + distance
        self.call(
            "POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", type="STOP_MARKET", symbol=symbol, side=side,
            triggerPrice=trigger.quantize(Decimal("0.1")), workingType="MARK_PRICE", clientAlgoId=client_id, **more,
        )  # fmt: skip

    def held(self, symbol: str) -> Decimal:
        return self.venue.exchange.account.positions[symbol].quantity

    def trade(self, key: str, *, until_stopped: bool) -> None:
        """In at market, a stop behind it, tightened once; out by the stop or by hand; the stops last."""
        symbol, (opening, closing) = self.draw.choice(SYMBOLS), self.draw.choice([("BUY", "SELL"), ("SELL", "BUY")])
        quantity = Decimal(self.draw.randint(50, 900)) / 1000
        self.order(f"capi_entry_{key}", symbol, opening, quantity)
        self.stop(f"capi_sl_{key}", symbol, closing, "1.5", closePosition="true")
        self.clock.run(3)
        whole = abs(self.held(symbol))
        self.stop(f"capi_slt_{key}", symbol, closing, "0.9", quantity=whole, reduceOnly="true")
        if until_stopped:
            away = Decimal("0.97" if closing == "SELL" else "1.03")
            self.venue.steer(symbol, (self.venue.exchange.markets[symbol].mark * away).quantize(Decimal("0.1")), 5)
            self.clock.run(20)
        for attempt in range(1, 10):
            left = abs(self.held(symbol))
            if not left:
                break
            part = left if attempt > 2 else (left / 2).quantize(Decimal("0.001"))
            self.order(f"capi_exit_{key}_a{attempt}", symbol, closing, part, reduceOnly="true")
            self.clock.run(3)
        for role in ("slt", "sl"):
            self.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId=f"capi_{role}_{key}")


def session(path: Path, seed: int, faults: FaultProfile = "none") -> Venue:
    """Six trades of the miniature engine on a venue that logs to `path`."""
    clock = VirtualClock()
    venue = Venue(SimulatorConfig(seed=seed, venue_log=path, faults=faults), clock)
    venue.faults.order("partial_fills", 3, {})
    client = Client(venue, clock, seed)
    for number in range(6):
        client.trade(f"d{number}", until_stopped=number % 2 == 0)
    venue.stop()
    return venue


@pytest.mark.parametrize("seed", range(6))
def test_a_simulated_session_is_in_order(seed: int, tmp_path: Path) -> None:
    session(tmp_path / "venue.jsonl", seed)

    with (tmp_path / "venue.jsonl").open(encoding="utf-8") as lines:
        report = check(lines)

    assert report.ok, report
    assert report.notices == ()
    assert len(report.trades) == 6
    assert [trade.outcome for trade in report.trades] == ["stopped", "exit"] * 3
    assert 0 < report.max_unprotected_ms < 1000


@pytest.mark.parametrize("faults", ["none", "default", "rough"])
@pytest.mark.parametrize("seed", [11, 12])
def test_the_simulators_books_are_right_under_its_faults(seed: int, faults: FaultProfile, tmp_path: Path) -> None:
    venue = session(tmp_path / "venue.jsonl", seed, faults)

    with (tmp_path / "venue.jsonl").open(encoding="utf-8") as lines:
        report = check(lines, fee_rates=(MAKER_FEE, TAKER_FEE))

    assert report.venue_errors == ()
    assert report.wallet is not None
    assert abs(Decimal(report.wallet) - venue.exchange.account.wallet) < Decimal("0.000001")
    assert Decimal(report.wallet) == 100_000 + Decimal(report.realized_pnl) - Decimal(report.fees)
    assert report.counts["fills"] == len(venue.exchange.trades) > 12


def test_a_stop_that_was_dropped_shows_as_time_without_one(tmp_path: Path) -> None:
    path, clock = tmp_path / "venue.jsonl", VirtualClock()
    venue = Venue(SimulatorConfig(seed=1, venue_log=path), clock)
    client = Client(venue, clock, 1)
    client.order("capi_entry_d1", "BTCUSDT", "BUY", Decimal("0.5"))
    client.stop("capi_sl_d1", "BTCUSDT", "SELL", "1.5", closePosition="true")
    clock.run(1)
    algo = venue.exchange.conditional.algos.find(None, "capi_sl_d1")
    assert algo is not None
    venue.exchange.conditional.vanish(algo, "for the test")
    clock.run(12.5)
    client.order("capi_exit_d1", "BTCUSDT", "SELL", Decimal("0.5"), reduceOnly="true")
    venue.stop()

    report = check(path.read_text(encoding="utf-8").splitlines())

    assert report.venue_errors == ()
    assert [violation.partition(": ")[2][:37] for violation in report.violations] == [
        "BTCUSDT had no working stop for 12500"
    ]
    assert 12_500 <= report.max_unprotected_ms < 12_600


def test_the_venues_second_order_under_an_ended_id_is_found(tmp_path: Path) -> None:
    path, clock = tmp_path / "venue.jsonl", VirtualClock()
    venue = Venue(SimulatorConfig(seed=1, venue_log=path), clock)
    client = Client(venue, clock, 1)
    for _attempt in range(2):
        client.order("capi_entry_d1", "BTCUSDT", "BUY", Decimal("0.5"))
    venue.stop()

    report = check(path.read_text(encoding="utf-8").splitlines())

    assert [duplicate.rule for duplicate in report.duplicate_list] == ["id used twice", "overfilled", "entered again"]
    assert any("is sent again though the venue had accepted it" in violation for violation in report.violations)


def test_every_status_of_the_simulator_is_known() -> None:
    assert set(get_args(Status)) == LIVE_ORDER | ENDED_ORDER
    assert set(get_args(AlgoStatus)) == LIVE_ALGO | ENDED_ALGO

"""Whatever is asked of the venue: its log alone tells its state, and its books stay whole."""

import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from still_venue import StillVenue

from execactor.simulator.account import MAKER_FEE, TAKER_FEE, average, cents

D = Decimal
STEPS = 80


class Hand:
    """Somebody who presses buttons at random."""

    def __init__(self, still: StillVenue, seed: int) -> None:
        self.still = still
        self.draw = random.Random(seed)
        self.number = 0

    def act(self) -> None:
        self.draw.choice([self.market, self.limit, self.limit, self.stop, self.cancel, self.cancel_stop, self.move])()
        self.still.clock.run(self.draw.choice([0, 0, 0.01, 0.2]))

    def name(self, role: str) -> str:
        self.number += 1
        return f"capi_{role}_{self.number}"

    def order(self, **more: Any) -> None:
        side = self.draw.choice(["BUY", "SELL"])
        closing = {"reduceOnly": "true"} if self.draw.random() < 0.4 else {}
        quantity = D(self.draw.randint(1, 3000)) / 1000
        self.still.send(
            "POST /fapi/v1/order",
            symbol="BTCUSDT",
            side=side,
            quantity=quantity,
            newClientOrderId=self.name("entry"),
            **closing,
            **more,
        )

    def market(self) -> None:
        self.order(type="MARKET")

    def limit(self) -> None:
        mark = self.still.exchange.markets["BTCUSDT"].mark
        price = (mark * D(self.draw.randint(9980, 10020)) / 10000).quantize(D("0.1"))
        self.order(type="LIMIT", price=price, timeInForce=self.draw.choice(["GTC", "GTC", "IOC", "FOK", "GTX"]))

    def stop(self) -> None:
        mark = self.still.exchange.markets["BTCUSDT"].mark
        size = {"closePosition": "true"} if self.draw.random() < 0.3 else {"quantity": "0.5", "reduceOnly": "true"}
        self.still.send(
            "POST /fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side=self.draw.choice(["BUY", "SELL"]),
            type=self.draw.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"]),
            triggerPrice=(mark * D(self.draw.randint(9950, 10050)) / 10000).quantize(D("0.1")),
            workingType=self.draw.choice(["MARK_PRICE", "CONTRACT_PRICE"]),
            clientAlgoId=self.name("sl"),
            **size,
        )

    def cancel(self) -> None:
        for order in self.still.exchange.orders.open()[:1]:
            self.still.send("DELETE /fapi/v1/order", symbol="BTCUSDT", orderId=order.id)

    def cancel_stop(self) -> None:
        for algo in self.still.exchange.conditional.algos.open()[:1]:
            self.still.send("DELETE /fapi/v1/algoOrder", algoId=algo.id)

    def move(self) -> None:
        mark = self.still.exchange.markets["BTCUSDT"].mark
        self.still.venue.steer("BTCUSDT", (mark * D(self.draw.randint(9950, 10050)) / 10000).quantize(D("0.1")), 0.3)
        self.still.clock.run(1)


def played(seed: int, faults: str) -> StillVenue:
    still = StillVenue(seed=seed, faults=faults, volatility_bps=3.0)
    hand = Hand(still, seed)
    for _ in range(STEPS):
        hand.act()
        check_state(still)
    still.clock.run(1)
    return still


def check_state(still: StillVenue) -> None:
    """What must hold at every moment."""
    exchange, market = still.exchange, still.generated()
    held = exchange.account.positions["BTCUSDT"].quantity
    for order in exchange.orders.open():
        resting = market._book.order(order.id)
        if order.parts:  # in the middle of its fills: checked again before each of them
            continue
        assert resting == (order.sign, order.ticks, order.remaining)
        if order.reduce_only:
            assert order.sign * held < 0
            assert order.symbol.quantity(order.remaining) <= abs(held)
    assert exchange.margin.total == sum(map(exchange.margin.required, exchange.markets))
    for sign, index in ((1, 0), (-1, 1)):
        assert dict(market.levels(sign, 0)) == market._sizes[index]


def check_log(still: StillVenue) -> None:
    """The log's fills recompute position, entry, profit, fee and wallet; its changes give what is open."""
    quantity = entry = D(0)
    wallet = still.config.wallet
    trade_ids: list[int] = []
    for line in still.log("fill"):
        signed = D(line["quantity"]) * (1 if line["side"] == "BUY" else -1)
        booked = average(quantity, entry, signed, D(line["price"]))
        fee = cents(D(line["price"]) * D(line["quantity"]) * (MAKER_FEE if line["maker"] else TAKER_FEE))
        quantity, entry = booked.quantity, booked.entry_price
        wallet += booked.realized - fee
        assert (D(line["position"]), D(line["entry_price"])) == (quantity, entry)
        assert (D(line["realized_pnl"]), D(line["commission"]), D(line["wallet"])) == (booked.realized, fee, wallet)
        trade_ids.append(line["trade_id"])
    assert trade_ids == list(range(310_000_001, 310_000_001 + len(trade_ids)))
    assert wallet == still.exchange.account.wallet
    assert quantity == still.held
    orders = {line["order_id"]: line for line in still.log("order")}
    open_orders = {number for number, line in orders.items() if line["status"] in {"NEW", "PARTIALLY_FILLED"}}
    assert open_orders == {order.id for order in still.exchange.orders.open()}
    algos = {line["algo_id"]: line for line in still.log("algo")}
    open_algos = {number for number, line in algos.items() if line["status"] in {"NEW", "TRIGGERING", "TRIGGERED"}}
    assert open_algos == {algo.id for algo in still.exchange.conditional.algos.open()}
    filled: dict[int, Decimal] = {}
    for line in still.log("fill"):
        filled[line["order_id"]] = filled.get(line["order_id"], D(0)) + D(line["quantity"])
    assert {number: D(line["filled"]) for number, line in orders.items() if D(line["filled"])} == filled


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_log_tells_the_state_of_a_polite_venue(seed: int) -> None:
    still = played(seed, "none")
    check_log(still)
    written = [
        line["trade_id"] for line in still.log("event") if line["e"] == "ORDER_TRADE_UPDATE" and line["trade_id"]
    ]
    assert written == [line["trade_id"] for line in still.log("fill")]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["default", "rough"]))
def test_the_log_tells_the_state_of_a_rude_venue(seed: int, faults: str) -> None:
    check_log(played(seed, faults))


def test_a_seed_is_one_course_of_events() -> None:
    def course(seed: int) -> list[Any]:
        return list(played(seed, "rough").venue.log.kept)

    assert course(5) == course(5)
    assert course(5) != course(6)


COURSE = """
import hashlib, orjson
from still_venue import StillVenue, Wire
from test_venue_property import Hand
still, wire = StillVenue(seed=5, faults="rough", volatility_bps=3.0), Wire()
still.venue.connect("/public/stream", "streams=btcusdt@depth/ethusdt@depth/solusdt@depth", wire)
hand = Hand(still, 5)
for _ in range(40):
    hand.act()
print(hashlib.sha256(b"".join([*wire.raw, *map(orjson.dumps, still.venue.log.kept)])).hexdigest())
"""


def test_the_course_is_the_same_in_another_process() -> None:
    """No set's or hash's order leaks into it."""

    def digest(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parent)}
        return subprocess.run([sys.executable, "-c", COURSE], env=environment, capture_output=True, check=True).stdout

    assert digest("1") == digest("2")

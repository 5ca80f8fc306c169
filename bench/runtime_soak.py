"""Two minutes of a trading day's load on the actor runtime: does memory stay flat, and are orders quick beside quotes?

`python bench/runtime_soak.py [--seconds 120] [--json]`. 1,000 actors are 200 symbols of five stages. 2,000 orders a
second pass the five stages of a symbol; 50,000 quotes a second go to all actors, the first ones much oftener, and are
conflated by symbol. The load comes in ticks of a millisecond on the same loop, as bytes from sockets would; orders wait
in the run-queue behind the quotes of their tick. What a tick cannot send in time is left out and missing in the rates.
Exit code 1 unless memory is flat, the rates are reached to 99 %, and each order and quote sent is accounted for; also
when the process had to wait for a core for more than a tenth of the time, since then it measured the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pykka
import uvloop
from runtime_probe import resident_bytes

from execactor._core import Histogram
from execactor.runtime import ActorSystem, Lane, LoopActor, freeze_garbage, set_switch_interval

SYMBOLS = 200
STAGES = 5
ORDERS_PER_S = 2_000
QUOTES_PER_S = 50_000
TICK_S = 0.001
LONGEST_CATCH_UP_S = 0.1
SEED = 20261120
WARM_UP_FRACTION = 0.1
FLAT_KIB_PER_MINUTE = 256
"""RSS grows by pages and arenas: less than this over two minutes is a few arenas, more is a leak."""
LONGEST_WAIT_FRACTION = 0.1


class Order(msgspec.Struct, frozen=True, gc=False):
    """One order on its way through the stages."""

    sent_ns: int
    quantity: int


class Quote(msgspec.Struct, frozen=True, gc=False):
    """A price; those that wait for the same actor become one, with the range seen and how many they were."""

    lane: ClassVar[Lane] = Lane.BULK
    symbol: int
    low: int
    high: int
    merged: int = 1

    def conflation_key(self) -> int:
        return self.symbol

    def merge(self, older: Quote) -> Quote:
        return Quote(
            self.symbol, min(self.low, older.low), max(self.high, older.high), merged=self.merged + older.merged
        )


class Tally:
    """What the actors report."""

    def __init__(self) -> None:
        self.order_ns = Histogram()
        self.quotes = 0
        self.quotes_handled = 0


class Stage(LoopActor):
    """Keeps the last price and hands orders on."""

    def __init__(self, following: pykka.ActorRef[Any] | None, tally: Tally) -> None:
        super().__init__()
        self.following = following
        self.tally = tally
        self.last = (0, 0)

    def on_receive(self, message: Any) -> None:
        if type(message) is Quote:
            self.last = (message.low, message.high)
            self.tally.quotes += message.merged
            self.tally.quotes_handled += 1
        elif self.following is not None:
            self.following.tell(message)
        else:
            self.tally.order_ns.record(time.perf_counter_ns() - message.sent_ns)


class Load:
    """Tells orders and quotes at their rates."""

    def __init__(self, stages: list[pykka.ActorRef[Stage]]) -> None:
        draw = random.Random(SEED)
        self.stages = stages
        self.entries = stages[STAGES - 1 :: STAGES]
        self.busy = [int(len(stages) * draw.random() ** 3) for _ in range(65_536)]
        self.orders = self.quotes = 0
        self.lateness_ns = Histogram()

    async def run(self, seconds: float) -> None:
        started = previous = time.perf_counter()
        left_out = 0.0
        while (now := time.perf_counter()) - started < seconds:
            self.lateness_ns.record(max(0, int((now - previous - TICK_S) * 1e9)))
            left_out += max(0.0, now - previous - LONGEST_CATCH_UP_S)
            previous = now
            self._send_until(now - started - left_out)
            await asyncio.sleep(TICK_S)

    def _send_until(self, elapsed_s: float) -> None:
        busy, stages = self.busy, self.stages
        for number in range(self.quotes, int(elapsed_s * QUOTES_PER_S)):
            place = busy[number & 0xFFFF]
            stages[place].tell(Quote(place, number, number))
            self.quotes = number + 1
        for number in range(self.orders, int(elapsed_s * ORDERS_PER_S)):
            self.entries[number % SYMBOLS].tell(Order(time.perf_counter_ns(), 1))
            self.orders = number + 1


async def _resident_by_second(samples: list[tuple[float, int]]) -> None:
    while True:
        samples.append((time.perf_counter(), resident_bytes()))
        await asyncio.sleep(1)


def waited_for_a_core_s() -> float:
    """How long this process' main thread was ready to run and another one ran instead (Linux: schedstat)."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


async def _all_arrived(load: Load, tally: Tally) -> None:
    """What is still under way, an overload's backlog included; what has not come then is lost."""
    for _ in range(1_000):
        if tally.order_ns.count >= load.orders and tally.quotes >= load.quotes:
            return
        await asyncio.sleep(0.01)


async def _soak(seconds: float) -> dict[str, Any]:
    system = ActorSystem()
    tally = Tally()
    stages: list[pykka.ActorRef[Stage]] = []
    for _ in range(SYMBOLS):
        following = None
        for _ in range(STAGES):
            following = system.start(Stage, following, tally)
            stages.append(following)
    warm_up = Load(stages)
    await warm_up.run(seconds * WARM_UP_FRACTION)
    await _all_arrived(warm_up, tally)
    freeze_garbage()
    tally.quotes = tally.quotes_handled = 0
    tally.order_ns = Histogram()
    samples: list[tuple[float, int]] = []
    sampler = asyncio.create_task(_resident_by_second(samples))
    load = Load(stages)
    cpu_s, waited_s = time.process_time(), waited_for_a_core_s()
    await load.run(seconds)
    cpu_s, waited_s = time.process_time() - cpu_s, waited_for_a_core_s() - waited_s
    sampler.cancel()
    await _all_arrived(load, tally)
    lost = sum(system.dead_letters.counts.values()) + load.orders - tally.order_ns.count + load.quotes - tally.quotes
    await system.stop(system.refs, 5_000_000_000)
    return {
        "seconds": seconds,
        "orders_per_s": load.orders / seconds,
        "quotes_per_s": load.quotes / seconds,
        "quotes_handled_per_s": tally.quotes_handled / seconds,
        "lost": lost,
        "order_us": _microseconds(tally.order_ns),
        "tick_late_us": _microseconds(load.lateness_ns),
        "cpu_fraction": cpu_s / seconds,
        "waited_for_a_core_fraction": waited_s / seconds,
    } | _memory(samples)


def _microseconds(histogram: Histogram) -> dict[str, float]:
    percentiles = {f"p{percent}": histogram.percentile(percent) / 1_000 for percent in (50, 99, 99.9)}
    return percentiles | {"max": histogram.max / 1_000}


def _memory(samples: list[tuple[float, int]]) -> dict[str, float]:
    """Resident set at both ends in MiB, and its slope in KiB a minute over the second half.

    In the first half queues and histograms still find their size, the more so where others disturb the run.
    """
    resident = [each for _, each in samples]
    slope = statistics.linear_regression(*zip(*samples[len(samples) // 2 :], strict=True)).slope
    return {
        "resident_mib_first": resident[0] / 2**20,
        "resident_mib_last": resident[-1] / 2**20,
        "resident_kib_per_minute": slope * 60 / 1_024,
    }


def verdict(result: dict[str, Any]) -> list[str]:
    """What is not as it should be."""
    wrong = []
    if (waited := result["waited_for_a_core_fraction"]) > LONGEST_WAIT_FRACTION:
        wrong.append(f"others kept this process from a core for {waited:.0%} of the time")
    if result["resident_kib_per_minute"] > FLAT_KIB_PER_MINUTE:
        wrong.append(f"memory grows by {result['resident_kib_per_minute']:,.0f} KiB a minute")
    for name, wanted in (("orders_per_s", ORDERS_PER_S), ("quotes_per_s", QUOTES_PER_S)):
        if result[name] < 0.99 * wanted:
            wrong.append(f"{name}: this machine kept {result[name]:,.0f} of {wanted:,}")
    if result["lost"]:
        wrong.append(f"{result['lost']:,} messages are unaccounted for")
    return wrong


def show(result: dict[str, Any]) -> None:
    """Print the figures for people."""
    print(f"1,000 actors, {result['seconds']:.0f} s, one core busy to {result['cpu_fraction']:.0%}", end=", ")
    print(f"waited for it {result['waited_for_a_core_fraction']:.0%} of the time")
    print(f"  orders/s {result['orders_per_s']:,.0f}, quotes/s {result['quotes_per_s']:,.0f}", end=" ")
    print(f"({result['quotes_handled_per_s']:,.0f} handled, the others merged), lost {result['lost']}")
    for name, what in (("order_us", "order through five stages, µs"), ("tick_late_us", "millisecond tick late by, µs")):
        print(f"  {what:<30}" + "".join(f"  {name} {value:,.1f}" for name, value in result[name].items()))
    print(f"  resident {result['resident_mib_first']:.1f} -> {result['resident_mib_last']:.1f} MiB", end=", ")
    print(f"slope {result['resident_kib_per_minute']:+,.1f} KiB/min (flat: at most {FLAT_KIB_PER_MINUTE})")


def main(arguments: list[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    set_switch_interval()
    result = uvloop.run(_soak(options.seconds))
    wrong = verdict(result)
    print(json.dumps(result | {"wrong": wrong})) if options.json else show(result)
    for line in wrong:
        print(f"FAILS: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

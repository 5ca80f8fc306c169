"""A bit of everything the runtime offers, in virtual time: `python simulated_workload.py [--seeds N] [--first-seed S]`.

Prints one line per seed: the seed, how many messages were handled, and the hash over all events. Two runs of the same
commit print the same, in whatever process.
"""

import argparse
import asyncio
import logging
import sys
from typing import Any, ClassVar

import msgspec
import pykka

from execactor.runtime import ActorSystem, Lane, LoopActor, Simulation, Supervision

MS = 1_000_000
MESSAGES = 500
WORKERS = 4


class Order(msgspec.Struct, frozen=True):
    number: int
    hops: int


class Fill(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.URGENT
    retry_after_restart: ClassVar[bool] = True

    number: int


class Quote(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK

    symbol: str
    low: int
    high: int

    def conflation_key(self) -> str:
        return self.symbol

    def merge(self, older: "Quote") -> "Quote":
        return Quote(self.symbol, min(self.low, older.low), max(self.high, older.high))


class Slow(msgspec.Struct, frozen=True):
    number: int


class Answered(msgspec.Struct, frozen=True):
    lane: ClassVar[Lane] = Lane.SYSTEM

    total: int


class Report(msgspec.Struct, frozen=True):
    names: frozenset[str]


class Beat(msgspec.Struct, frozen=True):
    pass


class Ledger(LoopActor):
    """Adds up what reaches it, in the order in which that comes."""

    supervision = Supervision(max_restarts=1_000)

    def __init__(self, _name: str) -> None:
        super().__init__(_name)
        self.total = 0

    def on_receive(self, message: Any) -> int:
        self.total = (self.total * 31 + getattr(message, "number", 7)) % 1_000_003
        return self.total


class Worker(LoopActor):
    """Passes orders on, sleeps on some, asks about others."""

    supervision = Supervision(max_restarts=1_000, backoff_min_ns=MS, backoff_max_ns=5 * MS)

    def __init__(self, ledger: pykka.ActorRef[Any], peers: list[pykka.ActorRef[Any]]) -> None:
        super().__init__(ledger, peers)
        self.ledger = ledger
        self.peers = peers

    def on_start(self) -> None:
        self.timers.every("beat", 3 * MS, Beat())

    def on_receive(self, message: Any) -> Any:
        match message:
            case Order(number, hops):
                if hops and self.peers:
                    self.peers[number % len(self.peers)].tell(Order(number, hops - 1))
                elif number % 5 == 0:
                    self.pipe_to_self(self.ledger.ask(message, block=False), Answered, lambda _: Answered(0))
                else:
                    self.ledger.tell(message)
            case Slow():
                return self.sleep(message)
            case Fill(number):
                self.timers.once(("later", number), number % 3 * MS, Order(number, 1))
            case Beat():
                self.ledger.tell(Report(frozenset({"beat", self.actor_ref.name})))
        return None

    async def sleep(self, message: Slow) -> int:
        async with asyncio.timeout(0.004):
            await asyncio.sleep(message.number % 7 / 1_000)
        self.ledger.tell(message)
        return message.number


async def program(simulation: Simulation) -> None:
    """Feed the workers for some rounds, then stop them all."""
    draw = simulation.streams.of("workload").random
    system = ActorSystem()
    ledger = system.start(Ledger, "ledger", name="ledger")
    workers: list[pykka.ActorRef[Any]] = []
    for number in range(WORKERS):
        workers.append(system.start(Worker, ledger, list(workers), name=f"worker-{number}"))
    number = 0
    while simulation.log.counts["handle"] < MESSAGES:
        number += 1
        for worker in workers:
            worker.tell(Order(int(draw() * 1_000), hops=3))
            worker.tell(Order(int(draw() * 1_000), hops=5))
            worker.tell(Fill(number))
            worker.tell(Quote("BTC", number, number))
            worker.tell(Quote("BTC", number - 1, number + 1))
        workers[number % WORKERS].tell(Slow(number))
        await asyncio.sleep(0.005 * draw())
    await system.stop([*workers, ledger], 1_000 * MS)


def run(seed: int) -> tuple[int, str]:
    """Messages handled, and the hash."""
    with Simulation(seed) as simulation:
        simulation.failures.share = 0.005
        simulation.run(program(simulation))
        return simulation.log.counts["handle"], simulation.log.digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first-seed", type=int, default=1)
    asked = parser.parse_args()
    logging.disable()  # injected failures are loud
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        handled, digest = run(seed)
        sys.stdout.write(f"{seed} {handled} {digest}\n")


if __name__ == "__main__":
    main()

"""A bit of everything the runtime offers, in virtual time: `python simulated_workload.py [--seeds N] [--first-seed S]`.

Prints one line per seed: the seed, how many messages were handled, and the hash over all events. Two runs of the same
commit print the same, in whatever process.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
from typing import Any, ClassVar

import msgspec
import pykka

from execactor.runtime import (
    ActorSystem,
    ChildSpec,
    InjectedFailure,
    Lane,
    LoopActor,
    LoopRef,
    MailboxSpec,
    Simulation,
    Strategy,
    Supervision,
    Supervisor,
)

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

    def __init__(self, ledger: LoopRef[Any], peers: list[LoopRef[Any]]) -> None:
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


class Narrow(LoopActor):
    """Lets one message wait, answers calls late, and sees who ends."""

    mailbox = MailboxSpec(normal_capacity=1)

    def __init__(self, ledger: LoopRef[Any], watched: LoopRef[Any]) -> None:
        super().__init__(ledger, watched)
        self.ledger = ledger
        self.watched = watched

    def on_start(self) -> None:
        self.watch(self.watched)

    async def on_receive(self, message: Any) -> int:  # type: ignore[override]  # pykka's is sync
        await asyncio.sleep(0.002)
        self.ledger.tell(message)
        return 1


async def push(narrow: LoopRef[Any], number: int) -> None:
    """One message that may wait for room, and a call that may come too late."""
    with contextlib.suppress(pykka.ActorDeadError, pykka.Timeout, InjectedFailure):
        await narrow.send(Order(number, 0))
        await narrow.call(Slow(number), timeout_ns=3 * MS)


async def program(simulation: Simulation) -> None:
    """Feed the actors until they have handled MESSAGES, then stop them all."""
    draw = simulation.streams.of("workload").random
    system = ActorSystem()
    ledger = loop_ref(system.start(Ledger, "ledger", name="ledger"))
    workers: list[LoopRef[Any]] = []
    for number in range(WORKERS - 2):
        workers.append(loop_ref(system.start(Worker, ledger, list(workers), name=f"worker-{number}")))
    family = [
        ChildSpec(name=f"child-{number}", actor_class=Worker, args=(ledger, list(workers))) for number in range(2)
    ]
    intensity = Supervision(max_restarts=1_000, backoff_min_ns=MS, jitter_fraction=0.5)
    parent = system.start(Supervisor, family, strategy=Strategy.ALL_FOR_ONE, intensity=intensity, name="parent")
    workers += [loop_ref(system.lookup(spec.name)) for spec in family]
    narrow = loop_ref(system.start(Narrow, ledger, workers[0], name="narrow"))
    pushing: list[asyncio.Task[None]] = []
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
        pushing.append(asyncio.create_task(push(narrow, number)))
        await asyncio.sleep(0.005 * draw())
    await asyncio.gather(*pushing)
    await system.stop([*workers[: WORKERS - 2], parent, narrow, ledger], 1_000 * MS)


def loop_ref(ref: pykka.ActorRef[Any] | None) -> LoopRef[Any]:
    """The same ref, of the kind that can be sent to and called."""
    assert isinstance(ref, LoopRef)
    return ref


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

"""What every contender of the runtime bench does alike: messages, the work of a node, the order of visits."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

HOPS = 5
BURST = 1_000
SEED = 20261120


class Order(msgspec.Struct, frozen=True, gc=False):
    """What goes through a chain: about the size of a message that the engine sends."""

    symbol: str
    side: str
    price: int
    quantity: int


class Burst(msgspec.Struct, frozen=True, gc=False):
    """One of many messages told at once; the last one for each node says that it has come."""

    last: bool


ORDER = Order("BTCUSDT", "buy", 6_178_090, 1_000)
MORE, LAST = Burst(last=False), Burst(last=True)


class Flow:
    """The last node of a chain writes here when the message came."""

    __slots__ = ("done", "reached_ns")

    def __init__(self, done: Callable[[], object]) -> None:
        self.reached_ns = 0
        self.done = done


def shuffled(nodes: Sequence[Any], times: int) -> Iterator[Any]:
    """Nodes in an order that no cache foresees, each as often as the others."""
    order = list(nodes)
    random.Random(SEED).shuffle(order)
    return itertools.islice(itertools.cycle(order), times)


def bursts(nodes: Sequence[Any], times: int) -> tuple[list[tuple[Any, Burst]], int]:
    """One burst, which ends with a LAST for each node, and how many times to send it."""
    rounds = max(1, BURST // len(nodes))
    burst = [(node, MORE) for _ in range(rounds - 1) for node in nodes] + [(node, LAST) for node in nodes]
    return burst, max(1, times // len(burst))


class Node:
    """The work of a node, whatever carries its messages. `forward` hands a message to the next node."""

    forward: Callable[[Any], object] | None
    flow: Flow

    def handle(self, message: Any) -> Any:
        if self.forward is not None:
            return self.forward(message)
        if type(message) is Burst and not message.last:
            return None
        self.flow.reached_ns = time.perf_counter_ns()
        self.flow.done()
        return None


class PlainNode(Node):
    __slots__ = ("flow", "forward")

    def __init__(self, forward: Callable[[Any], object] | None, flow: Flow) -> None:
        self.forward = forward
        self.flow = flow

"""Four ways to pass a message to one of many: LoopActor, pykka's ThreadingActor, a task per asyncio queue, a call.

Each contender does the same work: a node hands the message to the next node, or notes when it came, or answers.
`chain` messages pass five nodes; N is the number of chains, each of five nodes of its own. Elsewhere N is the number of
nodes. One message is under way at a time, except in `tell`, which sends bursts.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pykka
from runtime_nodes import MORE, ORDER, Flow, Node, PlainNode, bursts, shuffled
from runtime_on_loop import AsyncioQueues, LoopActors

from execactor.runtime import freeze_garbage


class Contender(Protocol):
    """Nodes of one kind, at most one batch of them at a time, and what can be sent through them."""

    def start(self, chains: int, hops: int) -> None:
        """Make chains of nodes; returns when all of them are ready."""
        ...

    def stop(self) -> None:
        """Stop all nodes; returns when all of them are gone."""
        ...

    def chain(self, times: int) -> list[int]:
        """Nanoseconds from telling the first node of a chain until the last node's handler runs, `times` times."""
        ...

    def ask(self, times: int) -> list[int]:
        """Nanoseconds of a round trip, `times` times."""
        ...

    def tell(self, times: int) -> float:
        """Messages handled per second, told in bursts."""
        ...


class ThreadNode(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, forward: Callable[[Any], object] | None, flow: Flow) -> None:
        super().__init__()
        self.forward = forward
        self.flow = flow

    on_receive = Node.handle


class ThreadingActors:
    """pykka's own actors, a thread each, told from the main thread."""

    def __init__(self) -> None:
        self.refs: list[pykka.ActorRef[ThreadNode]] = []
        self.heads: list[pykka.ActorRef[ThreadNode]] = []
        self.arrived: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.flow = Flow(lambda: self.arrived.put(None))

    def start(self, chains: int, hops: int) -> None:
        for _ in range(chains):
            forward = None
            for _ in range(hops):
                ref = ThreadNode.start(forward, self.flow)
                self.refs.append(ref)
                forward = ref.tell
            self.heads.append(ref)

    def stop(self) -> None:
        for answer in [ref.stop(block=False) for ref in self.refs]:
            answer.get()

    def chain(self, times: int) -> list[int]:
        taken = []
        for head in shuffled(self.heads, times):
            started_ns = time.perf_counter_ns()
            head.tell(ORDER)
            self.arrived.get()
            taken.append(self.flow.reached_ns - started_ns)
        return taken

    def ask(self, times: int) -> list[int]:
        taken = []
        for ref in shuffled(self.heads, times):
            started_ns = time.perf_counter_ns()
            ref.ask(MORE)
            taken.append(time.perf_counter_ns() - started_ns)
        return taken

    def tell(self, times: int) -> float:
        burst, rounds = bursts(self.heads, times)
        started_ns = time.perf_counter_ns()
        for _ in range(rounds):
            for ref, message in burst:
                ref.tell(message)
            for _ in self.heads:
                self.arrived.get()
        return len(burst) * rounds * 1e9 / (time.perf_counter_ns() - started_ns)


class DirectCalls:
    """Bare calls: the bound."""

    def __init__(self) -> None:
        self.nodes: list[PlainNode] = []
        self.heads: list[PlainNode] = []
        self.flow = Flow(lambda: None)

    def start(self, chains: int, hops: int) -> None:
        for _ in range(chains):
            forward = None
            for _ in range(hops):
                node = PlainNode(forward, self.flow)
                self.nodes.append(node)
                forward = node.handle
            self.heads.append(node)

    def stop(self) -> None:
        self.nodes.clear()
        self.heads.clear()

    def chain(self, times: int) -> list[int]:
        taken = []
        for head in shuffled(self.heads, times):
            started_ns = time.perf_counter_ns()
            head.handle(ORDER)
            taken.append(self.flow.reached_ns - started_ns)
        return taken

    def ask(self, times: int) -> list[int]:
        taken = []
        for head in shuffled(self.heads, times):
            started_ns = time.perf_counter_ns()
            head.handle(MORE)
            taken.append(time.perf_counter_ns() - started_ns)
        return taken

    def tell(self, times: int) -> float:
        burst, rounds = bursts(self.heads, times)
        started_ns = time.perf_counter_ns()
        for _ in range(rounds):
            for node, message in burst:
                node.handle(message)
        return len(burst) * rounds * 1e9 / (time.perf_counter_ns() - started_ns)


KINDS: dict[str, Callable[[], Contender]] = {
    "loop_actor": LoopActors,
    "threading_actor": ThreadingActors,
    "asyncio_queue": AsyncioQueues,
    "direct": DirectCalls,
}


@contextmanager
def running(kind: str, chains: int, hops: int) -> Iterator[Contender]:
    """A contender whose nodes have started, with the collector as the engine has it."""
    contender = KINDS[kind]()
    contender.start(chains, hops)
    collect = freeze_garbage()
    try:
        yield contender
    finally:
        contender.stop()
        collect()

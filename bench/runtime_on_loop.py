"""The contenders that share an event loop: LoopActors, and a task with an asyncio.Queue per node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from runtime_nodes import MORE, ORDER, Flow, Node, PlainNode, bursts, shuffled

from execactor.runtime import ActorSystem, LoopActor


class LoopNode(LoopActor):
    def __init__(self, forward: Callable[[Any], object] | None, flow: Flow) -> None:
        super().__init__()
        self.forward = forward
        self.flow = flow

    on_receive = Node.handle


class QueueNode(PlainNode):
    __slots__ = ("inbox", "task")

    def __init__(self, forward: Callable[[Any], object] | None, flow: Flow) -> None:
        super().__init__(forward, flow)
        self.inbox: asyncio.Queue[tuple[Any, asyncio.Future[Any] | None]] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def tell(self, message: Any) -> None:
        self.inbox.put_nowait((message, None))

    async def _serve(self) -> None:
        while True:
            message, reply_to = await self.inbox.get()
            response = self.handle(message)
            if reply_to is not None:
                reply_to.set_result(response)


class _OnLoop:
    """What the two kinds that share an event loop have in common: the loop, and waiting on it."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.heads: list[Any] = []
        self.arrived: asyncio.Future[None] = self.loop.create_future()
        self.missing = 0
        self.flow = Flow(self._one_arrived)

    def _one_arrived(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.arrived.set_result(None)

    def expect(self, arrivals: int) -> asyncio.Future[None]:
        """To await: that many messages have come to the ends of their chains."""
        self.missing = arrivals
        self.arrived = self.loop.create_future()
        return self.arrived

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def chain(self, times: int) -> list[int]:
        async def measure() -> list[int]:
            taken = []
            for head in shuffled(self.heads, times):
                arrived = self.expect(1)
                started_ns = time.perf_counter_ns()
                head.tell(ORDER)
                await arrived
                taken.append(self.flow.reached_ns - started_ns)
            return taken

        return list(self.run(measure()))

    def tell(self, times: int) -> float:
        burst, rounds = bursts(self.heads, times)

        async def measure() -> float:
            started_ns = time.perf_counter_ns()
            for _ in range(rounds):
                arrived = self.expect(len(self.heads))
                for node, message in burst:
                    node.tell(message)
                await arrived
            return len(burst) * rounds * 1e9 / (time.perf_counter_ns() - started_ns)

        return float(self.run(measure()))


class LoopActors(_OnLoop):
    """LoopActors of one system, told from a coroutine on its loop."""

    def __init__(self) -> None:
        super().__init__()
        self.system = ActorSystem(loop=self.loop)

    def start(self, chains: int, hops: int) -> None:
        async def begin() -> None:
            for _ in range(chains):
                forward = None
                for _ in range(hops):
                    ref = self.system.start(LoopNode, forward, self.flow)
                    forward = ref.tell
                self.heads.append(ref)
            await self.heads[-1].proxy().actor_urn  # comes back once all have started

        self.run(begin())

    def stop(self) -> None:
        async def end() -> None:
            for answer in [ref.stop(block=False) for ref in self.system.refs]:
                await answer

        self.run(end())
        self.loop.close()

    def ask(self, times: int) -> list[int]:
        async def measure() -> list[int]:
            taken = []
            for ref in shuffled(self.heads, times):
                started_ns = time.perf_counter_ns()
                await ref.ask(MORE, block=False)
                taken.append(time.perf_counter_ns() - started_ns)
            return taken

        return list(self.run(measure()))


class AsyncioQueues(_OnLoop):
    """A task with an asyncio.Queue per node: what a careful programmer writes without actors."""

    nodes: list[QueueNode]

    def start(self, chains: int, hops: int) -> None:
        async def begin() -> None:
            self.nodes = []
            for _ in range(chains):
                forward = None
                for _ in range(hops):
                    node = QueueNode(forward, self.flow)
                    self.nodes.append(node)
                    forward = node.tell
                self.heads.append(node)
            await asyncio.sleep(0)

        self.run(begin())

    def stop(self) -> None:
        async def end() -> None:
            for node in self.nodes:
                node.task.cancel()
            await asyncio.wait([node.task for node in self.nodes])

        self.run(end())
        self.loop.close()

    def ask(self, times: int) -> list[int]:
        async def measure() -> list[int]:
            taken = []
            for node in shuffled(self.heads, times):
                started_ns = time.perf_counter_ns()
                reply = self.loop.create_future()
                node.inbox.put_nowait((MORE, reply))
                await reply
                taken.append(time.perf_counter_ns() - started_ns)
            return taken

        return list(self.run(measure()))

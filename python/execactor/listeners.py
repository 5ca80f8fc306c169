"""Who listens to an engine: callbacks and streams of fills, fed from the journal's records."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.messages.decisions import PlanEnded
from execactor.domain.order import Order, OrderState
from execactor.store.records import ExecutionBooked, OrderChanged, Record
from execactor.tactics.entry import STALE

logger = logging.getLogger(__name__)

T = TypeVar("T")

Callback = Callable[[Any], Awaitable[None] | None]
_QUEUE_BOUND = 10_000


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution and the order it belongs to; client_id is empty for a trade that was not ours."""

    client_id: str
    execution: Execution


class Listeners:
    """Callbacks by event name and open fill streams. A callback that raises is logged and hurts nobody else."""

    EVENTS = ("filled", "partial_fill", "cancelled", "rejected", "timeout")

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {name: [] for name in self.EVENTS}
        self._streams: list[asyncio.Queue[Fill]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_state: dict[str, OrderState] = {}

    def add(self, event: str, callback: Callback) -> Callback:
        """Call `callback` (sync or async) at each `event`; returns it, so that this serves as a decorator."""
        self._callbacks[event].append(callback)
        return callback

    async def fills(self) -> AsyncIterator[Fill]:
        """Fills from now on. A reader that falls more than 10,000 behind loses the oldest, with a warning."""
        queue: asyncio.Queue[Fill] = asyncio.Queue(_QUEUE_BOUND)
        self._streams.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._streams.remove(queue)

    def on_record(self, record: Record) -> None:
        """A tap of the journal."""
        match record:
            case ExecutionBooked(client_id=client_id, execution=execution):
                self._spread(Fill(client_id=client_id, execution=execution))
            case OrderChanged(order=order):
                self._on_order(order)
            case PlanEnded(reason=reason, entered=False) if reason == STALE:
                self._call("timeout", record)

    async def drain(self) -> None:
        """Wait for async callbacks that still run."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_order(self, order: Order) -> None:
        before = self._last_state.get(order.client_id)
        if order.live:
            self._last_state[order.client_id] = order.state
        else:
            self._last_state.pop(order.client_id, None)
        match order.state:
            case OrderState.FILLED if before is not OrderState.FILLED:
                self._call("filled", order)
            case OrderState.PARTIALLY_FILLED:
                self._call("partial_fill", order)
            case OrderState.CANCELLED | OrderState.EXPIRED:
                self._call("cancelled", order)
            case OrderState.REJECTED:
                self._call("rejected", order)

    def _spread(self, fill: Fill) -> None:
        for queue in self._streams:
            if queue.full():
                queue.get_nowait()
                logger.warning("a reader of fills is %d behind: the oldest one was dropped", _QUEUE_BOUND)
            queue.put_nowait(fill)

    def _call(self, event: str, subject: Any) -> None:
        for callback in self._callbacks[event]:
            try:
                result = callback(subject)
            except Exception:
                logger.exception("callback on_%s failed", event)
                continue
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(_guarded(result, event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


class Expectations:
    """Futures that resolve with the first journal record that a matcher accepts."""

    def __init__(self) -> None:
        self._open: list[tuple[Callable[[Record], Any], asyncio.Future[Any]]] = []

    def expect(self, matcher: "Callable[[Record], T | None]") -> "asyncio.Future[T]":
        """A future for what `matcher` makes of the first record that it does not answer with None."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._open.append((matcher, future))
        return future

    def on_record(self, record: Record) -> None:
        """A tap of the journal."""
        for matcher, future in self._open:
            if not future.done():
                result = matcher(record)
                if result is not None:
                    future.set_result(result)
        self._open = [entry for entry in self._open if not entry[1].done()]


class StateChanges:
    """Who waits for a state of the engine."""

    def __init__(self) -> None:
        self._waiters: list[tuple[frozenset[EngineState], asyncio.Future[EngineState]]] = []

    def on_state(self, change: EngineStateChanged) -> None:
        """A listener of the engine's state."""
        for wanted, answer in self._waiters:
            if change.state in wanted and not answer.done():
                answer.set_result(change.state)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]

    async def until(self, wanted: frozenset[EngineState], now: Callable[[], EngineState]) -> EngineState:
        """The first of these states that the engine is in, from now on."""
        if now() in wanted:
            return now()
        answer: asyncio.Future[EngineState] = asyncio.get_running_loop().create_future()
        self._waiters.append((wanted, answer))
        return await answer


async def _guarded(awaitable: Awaitable[None], event: str) -> None:
    try:
        await awaitable
    except Exception:
        logger.exception("callback on_%s failed", event)

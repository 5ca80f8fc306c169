"""asyncio tasks that belong to one actor and die with it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import CoroutineType
from typing import Any, TypeVar

import pykka

from execactor.runtime.future import as_awaitable

T = TypeVar("T")


class OwnedTasks:
    """The tasks of one actor: cancelled, and their outcome ignored, when it stops or restarts."""

    __slots__ = ("_fail", "_loop", "_running", "_tell")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[Any], object],
        fail: Callable[[BaseException], object],
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._fail = fail
        self._running: dict[asyncio.Task[Any], None] = {}  # cancelled in the order in which they began

    def pipe(
        self,
        awaitable: Awaitable[T] | pykka.Future[T],
        wrap: Callable[[T], Any],
        on_error: Callable[[BaseException], Any],
    ) -> asyncio.Task[T]:
        """Run `awaitable`, then tell the actor `wrap(result)` or `on_error(exception)`."""

        def finished(task: asyncio.Task[T]) -> None:
            if not self._disown(task):
                return
            try:
                exc = asyncio.CancelledError() if task.cancelled() else task.exception()
                self._tell(wrap(task.result()) if exc is None else on_error(exc))
            except Exception as bug:  # noqa: BLE001 - a failing wrap is the actor's own failure
                self._fail(bug)

        # Not wrapped once more: a task cancelled before its first step would leave the inner coroutine never awaited.
        coro = awaitable if isinstance(awaitable, CoroutineType) else _awaited(awaitable)
        return self._own(self._loop.create_task(coro), finished)

    def spawn(self, coro: Coroutine[Any, Any, T], name: str | None) -> asyncio.Task[T]:
        """Run `coro` beside the actor. An exception in it is the actor's failure; being cancelled is not."""

        def finished(task: asyncio.Task[T]) -> None:
            if self._disown(task) and not task.cancelled():
                exc = task.exception()
                if exc is not None:
                    self._fail(exc)

        return self._own(self._loop.create_task(coro, name=name), finished)

    def cancel_all(self) -> None:
        """Cancel all of them, now of no owner."""
        running, self._running = self._running, {}
        for task in running:
            task.cancel()

    def _own(self, task: asyncio.Task[T], finished: Callable[[asyncio.Task[T]], None]) -> asyncio.Task[T]:
        self._running[task] = None
        task.add_done_callback(finished)
        return task

    def _disown(self, task: asyncio.Task[Any]) -> bool:
        if task in self._running:
            del self._running[task]
            return True
        if not task.cancelled():
            task.exception()  # marks it as seen: the owner is gone, asyncio need not complain
        return False


async def _awaited(awaitable: Awaitable[T] | pykka.Future[T]) -> T:
    return await (as_awaitable(awaitable) if isinstance(awaitable, pykka.Future) else awaitable)

"""The tasks of a simulated program: in the order in which they were made, whatever asyncio does with them."""

import asyncio
import itertools
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_FEWEST_TO_PURGE = 256
_SHOWN = 20


class SimulatedTask(asyncio.Task[T]):
    """A task whose hash is the same in every run: asyncio keeps tasks in sets and cancels them in a set's order."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, T], *, name: str | None = None, **options: Any) -> None:
        self.number = number
        super().__init__(coro, name=name or f"task-{number}", **options)

    def __hash__(self) -> int:
        return self.number


class SimulatedTasks:
    """Makes the tasks of one loop and keeps a reference to each that is not done.

    A task that only its own future knows would be garbage-collected, and its coroutine run its finally blocks.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._tasks: list[SimulatedTask[Any]] = []
        self._purge_at = _FEWEST_TO_PURGE

    def make(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> SimulatedTask[Any]:
        """A new task. options: as asyncio's (name, context, ..)."""
        if len(self._tasks) >= self._purge_at:
            self._tasks = self.pending()
            self._purge_at = max(_FEWEST_TO_PURGE, 2 * len(self._tasks))
        task: SimulatedTask[Any] = SimulatedTask(next(self._numbers), coro, loop=loop, **options)
        self._tasks.append(task)
        return task

    def pending(self) -> list[SimulatedTask[Any]]:
        """Those that are not done, the oldest first."""
        return [task for task in self._tasks if not task.done()]

    def what_waits(self) -> str:
        """The pending tasks, and where each waits, for people."""
        waiting = self.pending()
        names = [f"{task.get_name()} ({_place(task)})" for task in waiting[:_SHOWN]]
        more = f", and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
        return f"{len(waiting)} tasks wait: {', '.join(names)}{more}"

    def clear(self) -> None:
        """Forget them all."""
        self._tasks.clear()

    def bury(self) -> None:
        """End the coroutines of a dead program without a word. What their finally blocks do now reaches nobody."""
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # coroutines that never began
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own name, not in typeshed
                _close(task.get_coro())
            self._tasks.clear()


def _place(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    return f"{frames[0].f_code.co_qualname} line {frames[0].f_lineno}" if frames else "at its end"


def _close(coro: Any) -> None:
    # A finally block that awaits answers GeneratorExit with RuntimeError and is closed again, where it waits now.
    for _ in range(1_000):
        try:
            coro.close()
        except RuntimeError:
            continue
        except BaseException:  # noqa: BLE001 - a dead program's complaint
            return
        return

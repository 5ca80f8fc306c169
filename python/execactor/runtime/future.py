"""pykka futures for actors on a loop: awaitable there, blocking elsewhere, and never a deadlock."""

import asyncio
import contextlib
import functools
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, TypeVar, cast

import pykka

from execactor.runtime.dispatcher import on_dispatcher_thread

T = TypeVar("T")
J = TypeVar("J")
M = TypeVar("M")
R = TypeVar("R")

_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
_PENDING: Any = object()

# One lock for all futures: it is held for a few instructions, and a lock each would triple a future's cost.
_lock = threading.Lock()


class WouldDeadlock(RuntimeError):
    """A blocking wait on the thread that has to produce the answer. Await the future instead."""


def refuse_to_block(what: str) -> None:
    """Raise WouldDeadlock when the calling thread serves actors."""
    if on_dispatcher_thread():
        raise WouldDeadlock(
            f"{what} would block the dispatcher's own thread for ever: await the future (block=False), "
            "use pipe_to_self() in an actor, or call from another thread"
        )


class LoopFuture(pykka.Future[T]):
    """The answer of a LoopActor.

    On a thread whose loop serves actors: `await` it (`get()` raises WouldDeadlock until it is resolved).
    On any other thread: `get(timeout=...)` as with pykka; awaiting on another event loop works too.
    """

    __slots__ = ("_failure", "_sources", "_value", "_waiters", "is_settled")

    def __init__(self) -> None:
        super().__init__()
        self.is_settled = False
        """Whether a value, an exception or a get-hook is there."""
        self._value: Any = _PENDING
        self._failure: tuple[BaseException, TracebackType | None] | None = None
        self._waiters: list[Callable[[], object]] | None = None
        self._sources: tuple[pykka.Future[Any], ...] = ()

    def get(self, *, timeout: float | None = None) -> T:
        """Wait for the value, at most `timeout` seconds.

        Raises the actor's exception, pykka.Timeout, or WouldDeadlock on a thread that serves actors.
        """
        if not self.is_settled:
            refuse_to_block("Future.get()")
            self._block(timeout)
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if self._failure is not None:
            try:
                # With its first traceback: each get() would lengthen it otherwise.
                raise self._failure[0].with_traceback(self._failure[1])
            finally:
                del self  # or the traceback, which knows this frame, would keep the future in a cycle
        return cast("T", self._value)

    def set(self, value: T | None = None) -> None:
        """Resolve with a value. Raises queue.Full, as pykka's futures do, when it is resolved already."""
        with _lock:
            if self.is_settled:
                raise queue.Full
            self._value = value
            self.is_settled = True
            waiters, self._waiters = self._waiters, None
        if waiters is not None:
            _call_each(waiters)

    def set_exception(self, exc_info: _ExcInfo | None = None) -> None:
        """Resolve with an exception, by default the one being handled. Raises queue.Full when resolved already."""
        exc_type, exc, traceback = sys.exc_info() if exc_info is None else exc_info
        assert exc_type is not None, "set_exception() needs exc_info or an exception being handled"
        if exc is None:
            exc = exc_type()
        with _lock:
            if self.is_settled:
                raise queue.Full
            self._failure = exc, traceback
            self.is_settled = True
            waiters, self._waiters = self._waiters, None
        if waiters is not None:
            _call_each(waiters)

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Let `func(timeout)` produce the value at the first `get()`. Raises queue.Full when resolved already."""
        with _lock:
            if self._value is not _PENDING or self._failure is not None:
                raise queue.Full
            super().set_get_hook(func)
            self.is_settled = True
            waiters, self._waiters = self._waiters, None
        if waiters is not None:
            _call_each(waiters)

    def filter(self: "LoopFuture[Iterable[J]]", func: Callable[[J], bool]) -> "LoopFuture[Iterable[J]]":
        return derived_future(lambda timeout: list(filter(func, self.get(timeout=timeout))), self)

    def join(self: "LoopFuture[Any]", *futures: pykka.Future[Any]) -> "LoopFuture[Iterable[Any]]":
        return derived_future(lambda timeout: [each.get(timeout=timeout) for each in (self, *futures)], self, *futures)

    def map(self, func: Callable[[T], M]) -> "LoopFuture[M]":
        return derived_future(lambda timeout: func(self.get(timeout=timeout)), self)

    def reduce(self: "LoopFuture[Iterable[J]]", func: Callable[[R, J], R], *args: R) -> "LoopFuture[R]":
        return derived_future(lambda timeout: functools.reduce(func, self.get(timeout=timeout), *args), self)

    def __await__(self) -> Generator[Any, None, T]:
        if not self.is_settled:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            self.when_settled(functools.partial(_release, loop, waiter))
            yield from waiter
        if self._get_hook is not None:
            return (yield from self._from_hook().__await__())
        try:
            return self.get()
        finally:
            del self  # as in get()

    __iter__ = __await__

    async def _from_hook(self) -> T:
        for source in self._sources:
            await _outcome_known(source)
        if self._sources:
            return self.get()
        # A foreign hook may block, so it waits on a thread of its own.
        return await asyncio.get_running_loop().run_in_executor(None, self.get)

    def _block(self, timeout: float | None) -> None:
        settled = threading.Event()
        self.when_settled(settled.set)
        if not settled.wait(timeout):
            with _lock:
                if self._waiters is not None:
                    self._waiters.remove(settled.set)
                    raise pykka.Timeout(f"{timeout} seconds")

    def when_settled(self, call: Callable[[], object]) -> None:
        """Make a call once it is resolved, on the resolving thread, or now when it is resolved already."""
        with _lock:
            if not self.is_settled:
                if self._waiters is None:
                    self._waiters = []
                self._waiters.append(call)
                return
        call()


def as_awaitable(future: pykka.Future[T]) -> "asyncio.Future[T] | LoopFuture[T]":
    """Make any pykka future safe to await on a loop: awaiting a ThreadingFuture itself would block the loop."""
    if isinstance(future, LoopFuture):
        return future
    return asyncio.get_running_loop().run_in_executor(None, future.get)


def derived_future(hook: Callable[[float | None], T], *sources: pykka.Future[Any]) -> LoopFuture[T]:
    """A future computed by `hook(timeout)`, which gets only `sources`: so it can be awaited without a thread."""
    future: LoopFuture[T] = LoopFuture()
    future.set_get_hook(hook)
    future._sources = sources
    return future


async def _outcome_known(future: pykka.Future[Any]) -> None:
    # The hook gets the same exception from get() and decides what it means.
    with contextlib.suppress(Exception):
        await as_awaitable(future)


def _release(loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
    if _running_loop() is loop:
        _wake(waiter)
        return
    # A closed loop took the asker away with it: no business of whoever answers.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_wake, waiter)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _call_each(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        call()

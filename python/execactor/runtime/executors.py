"""Named pools of threads and processes for work that blocks, each with a bounded queue."""

import asyncio
import concurrent.futures
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

import msgspec

P = ParamSpec("P")
T = TypeVar("T")

Kind = Literal["threads", "processes"]


class PoolFull(RuntimeError):
    """A pool's queue has no room for one more job. Nothing was queued."""


class PoolSnapshot(msgspec.Struct, frozen=True):
    """One pool. unfinished: jobs that run or wait; at most workers + capacity. refused: for want of room, so far."""

    name: str
    kind: Kind
    workers: int
    capacity: int
    unfinished: int
    refused: int


class BlockingPool:
    """Workers for jobs that would block the loop: files, databases, compression.

    Threads are for work that waits or lets go of the interpreter: a busy Python thread beside the loop costs it
    milliseconds. Everything else belongs in processes, whose jobs and results are pickled; they are spawned at the
    first job. capacity: how many jobs may wait beyond those that run.
    """

    def __init__(self, name: str, *, workers: int = 1, capacity: int = 1_000, kind: Kind = "threads") -> None:
        if workers < 1 or capacity < 0:
            raise ValueError(f"pool {name!r} needs workers >= 1 and capacity >= 0, got {workers} and {capacity}")
        self.name = name
        self.kind: Kind = kind
        self._workers = workers
        self._capacity = capacity
        self._unfinished = 0
        self._refused = 0
        self._lock = threading.Lock()
        self._executor: concurrent.futures.Executor
        if kind == "threads":
            self._executor = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)
        else:
            context = multiprocessing.get_context("spawn")  # a fork would copy the loop's sockets and locks
            self._executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "concurrent.futures.Future[T]":
        """Have a call made by a worker, from any thread; first come, first served.

        Raises PoolFull when there is no room, RuntimeError after the shutdown.
        """
        with self._lock:
            if self._unfinished >= self._workers + self._capacity:
                self._refused += 1
                raise PoolFull(
                    f"pool {self.name!r}: {self._capacity} jobs wait already for its {self._workers} {self.kind}; "
                    "try again later, or give it more workers or capacity"
                )
            self._unfinished += 1
        try:
            future = self._executor.submit(call, *args, **kwargs)
        except BaseException:
            self._finished(None)
            raise
        future.add_done_callback(self._finished)
        return future

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """`submit`, awaitable on the running loop, so that an actor can `pipe_to_self(pool.run(...), ...)`.

        Cancelled before it was begun, the job is left out; a running one goes on and its result is dropped.
        """
        return asyncio.wrap_future(self.submit(call, *args, **kwargs))

    def snapshot(self) -> PoolSnapshot:
        """How busy the pool is."""
        return PoolSnapshot(self.name, self.kind, self._workers, self._capacity, self._unfinished, self._refused)

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no more jobs and cancel those that wait. wait: until those that run have ended."""
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def _finished(self, _future: "concurrent.futures.Future[Any] | None") -> None:
        with self._lock:
            self._unfinished -= 1


class Executors:
    """The pools of one system, by name. They end with it."""

    def __init__(self) -> None:
        self._pools: dict[str, BlockingPool] = {}

    def open(self, name: str, *, workers: int = 1, capacity: int = 1_000, kind: Kind = "threads") -> BlockingPool:
        """Make a pool. Raises ValueError when the name is taken or a number is too small."""
        if name in self._pools:
            raise ValueError(f"name: there is a pool called {name!r} already")
        pool = self._pools[name] = BlockingPool(name, workers=workers, capacity=capacity, kind=kind)
        return pool

    def __getitem__(self, name: str) -> BlockingPool:
        return self._pools[name]

    def snapshot(self) -> list[PoolSnapshot]:
        """How busy each pool is, in the order they were made."""
        return [pool.snapshot() for pool in self._pools.values()]

    def shutdown(self, *, wait: bool = True) -> None:
        """Shut all pools down. wait: until what runs has ended; it blocks, so not on a loop's thread."""
        for pool in self._pools.values():
            pool.shutdown(wait=False)
        if wait:
            for pool in self._pools.values():
                pool.shutdown()

"""Many seeds over several processes, whatever becomes of the processes."""

import multiprocessing
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec

from execactor.simulation.tally import Summary, Tally
from execactor.simulation.worker import READY, Done, work

CHUNK = 32
PATIENCE_S = 300.0
"""So long a process may be at one seed; a seed takes tenths of a second."""

_GONE_S = 5.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  within, each run has a directory of its own with a random name
_DONE = msgspec.msgpack.Decoder(Done)


def fast_disk() -> Path | None:
    """Where journals cost the least: memory, where the system has such a directory; else the default one."""
    return _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None


class Campaign:
    """Runs the seeds from `first_seed` on over `jobs` processes.

    stop_after: so many failures end it. tell: is called with the tally after each seed, and about once a second.
    patience_s: a process that has been at one seed for longer is ended.
    A process that ends by itself costs the seed that it was at, which is a failure; another takes the rest over.
    """

    def __init__(
        self,
        seeds: int,
        *,
        first_seed: int = 1,
        jobs: int = 1,
        stop_after: int | None = None,
        tell: Callable[[Tally], None] = lambda tally: None,  # noqa: ARG005
        patience_s: float = PATIENCE_S,
        target: Callable[[Connection, Path], None] = work,
    ) -> None:
        self.tally = Tally()
        self._first_seed = first_seed
        self._left = deque(range(first_seed, first_seed + seeds))
        self._jobs = max(1, min(jobs, seeds))
        self._stop_after = stop_after
        self._tell = tell
        self._patience_s = patience_s
        self._target = target
        self._workers: list[_Worker] = []

    def run(self) -> Summary:
        """To the end, or to Ctrl-C. Raises RuntimeError when a process does not even start."""
        began = time.monotonic()
        interrupted = False
        with tempfile.TemporaryDirectory(prefix="execactor-campaign-", dir=fast_disk()) as directory:
            try:
                for _ in range(self._jobs):
                    self._start(Path(directory))
                while any(worker.seeds for worker in self._workers) and not self._enough():
                    self._listen(Path(directory))
            except KeyboardInterrupt:
                interrupted = True
            finally:
                for worker in self._workers:
                    worker.end()
        seconds = time.monotonic() - began
        return self.tally.summary(
            first_seed=self._first_seed, jobs=self._jobs, seconds=seconds, interrupted=interrupted
        )

    def _enough(self) -> bool:
        return self._stop_after is not None and len(self.tally.failures) >= self._stop_after

    def _start(self, directory: Path) -> None:
        worker = _Worker(self._target, directory)
        self._workers.append(worker)
        self._give(worker)

    def _give(self, worker: "_Worker") -> None:
        """The next seeds; towards the end few at a time, so that the processes end together."""
        size = max(1, min(CHUNK, len(self._left) // (2 * self._jobs)))
        worker.give([self._left.popleft() for _ in range(min(size, len(self._left)))])

    def _listen(self, directory: Path) -> None:
        heard = wait([worker.pipe for worker in self._workers], timeout=1.0)
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.pipe in heard:
                self._hear(worker, directory)
            elif worker.seeds and now - worker.heard_at > (self._patience_s if worker.ready else PATIENCE_S):
                worker.process.kill()  # its pipe ends, which is heard next
        self._tell(self.tally)

    def _hear(self, worker: "_Worker", directory: Path) -> None:
        try:
            message = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            self._lost(worker, directory)
            return
        worker.heard_at = time.monotonic()
        if message == READY:
            worker.ready = True
            return
        done = _DONE.decode(message)
        worker.seeds.popleft()
        if done.verdict is None:
            self.tally.lose(done.seed, done.failure)
        else:
            self.tally.add(done.verdict, done.cpu_ns)
        if not worker.seeds:
            self._give(worker)

    def _lost(self, worker: "_Worker", directory: Path) -> None:
        self._workers.remove(worker)
        silent = time.monotonic() - worker.heard_at > self._patience_s
        code = worker.end()
        if not worker.ready:
            raise RuntimeError(f"a process of the campaign ended with code {code} before it was ready")
        if not worker.seeds:
            return
        why = f"took longer than {self._patience_s:g} s" if silent else f"ended its process with code {code}"
        self.tally.lose(worker.seeds.popleft(), why)
        self._left.extendleft(reversed(worker.seeds))
        self._start(directory)


class _Worker:
    def __init__(self, target: Callable[[Connection, Path], None], directory: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self.process: SpawnProcess = context.Process(target=target, args=(far_end, directory), daemon=True)
        self.process.start()
        far_end.close()  # so that the pipe ends with the process
        self.seeds: deque[int] = deque()
        self.ready = False
        self.heard_at = time.monotonic()

    def give(self, seeds: Iterable[int]) -> None:
        """It answers for each, in this order."""
        self.seeds.extend(seeds)
        if self.seeds:
            try:
                self.pipe.send(list(self.seeds))
            except OSError:
                return  # it has just ended, which is heard next

    def end(self) -> int | None:
        """At once, whatever it is at; its exit code."""
        self.pipe.close()
        self.process.join(0.2)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(_GONE_S)
        return self.process.exitcode

"""The figures of a campaign: what its seeds found, how much they showed, and how fast."""

import hashlib
from collections import Counter
from statistics import median

import msgspec

from execactor.simulation.trial import Verdict


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that did not go through. broken: ids of the checks; "harness" when no verdict came about."""

    seed: int
    broken: tuple[str, ...]
    problems: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What `execactor simulate --json` prints.

    seeds: that ran. violations: how many of them have problems, which are in `failures`. seeds_per_s: of wall time, all
    processes together. events_per_s: of processor time, so on one core. events, faults, closed_trades: medians of a
    seed; traded_share: of the seeds, how many closed a trade. transitions: of the legal steps of orders that a journal
    can show, how many were seen; unseen names the others. faults_by_kind: that struck. digest: over the seeds'
    digests in the order of the seeds, equal when everything went the same way.
    """

    seeds: int
    first_seed: int
    violations: int
    interrupted: bool
    jobs: int
    seconds: float
    seeds_per_s: float
    events_per_s: float
    cpu_ms_per_seed: float
    events: float
    faults: float
    closed_trades: float
    traded_share: float
    lives: int
    transitions: float
    unseen: tuple[str, ...]
    faults_by_kind: dict[str, int]
    digest: str
    failures: tuple[Failure, ...]


class Tally:
    """Sums verdicts up as they come, in any order."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._digests: dict[int, str] = {}
        self._events: list[int] = []
        self._faults: list[int] = []
        self._trades: list[int] = []
        self._lives = 0
        self._cpu_ns = 0
        self._seen: Counter[str] = Counter()
        self._legal: dict[str, None] = {}
        self._kinds: Counter[str] = Counter()

    @property
    def seeds(self) -> int:
        """How many are through, well or not."""
        return len(self._digests)

    def add(self, verdict: Verdict, cpu_ns: int) -> None:
        """A seed ran to its end."""
        self._digests[verdict.seed] = verdict.digest
        self._events.append(verdict.events)
        self._faults.append(verdict.faults)
        self._trades.append(verdict.trades)
        self._lives += verdict.lives
        self._cpu_ns += cpu_ns
        self._seen.update(verdict.transitions)
        self._legal.update(dict.fromkeys(verdict.legal))
        self._kinds.update(verdict.struck)
        if verdict.problems:
            self.failures.append(Failure(seed=verdict.seed, broken=verdict.broken, problems=verdict.problems))

    def lose(self, seed: int, why: str) -> None:
        """A seed has no verdict: the harness failed, or the process that ran it ended."""
        self._digests[seed] = why
        self.failures.append(Failure(seed=seed, broken=("harness",), problems=(why,)))

    def summary(self, *, first_seed: int, jobs: int, seconds: float, interrupted: bool) -> Summary:
        """The figures so far."""
        ran = len(self._events)
        unseen = tuple(step for step in self._legal if step not in self._seen)
        return Summary(
            seeds=self.seeds,
            first_seed=first_seed,
            violations=len(self.failures),
            interrupted=interrupted,
            jobs=jobs,
            seconds=round(seconds, 3),
            seeds_per_s=_rate(self.seeds, seconds),
            events_per_s=_rate(sum(self._events), self._cpu_ns / 1e9),
            cpu_ms_per_seed=_rate(self._cpu_ns / 1e6, ran),
            events=median(self._events or [0]),
            faults=median(self._faults or [0]),
            closed_trades=median(self._trades or [0]),
            traded_share=_rate(sum(trades > 0 for trades in self._trades), ran),
            lives=self._lives,
            transitions=_rate(len(self._legal) - len(unseen), len(self._legal)),
            unseen=unseen,
            faults_by_kind=dict(sorted(self._kinds.items())),
            digest=self._digest(),
            failures=tuple(sorted(self.failures, key=lambda failure: failure.seed)),
        )

    def _digest(self) -> str:
        over = hashlib.blake2b(digest_size=16)
        for seed in sorted(self._digests):
            over.update(f"{seed}:{self._digests[seed]};".encode())
        return over.hexdigest()


def _rate(amount: float, of: float) -> float:
    return round(amount / of, 3) if of else 0.0

"""How often a failing actor is started again, and how long it pauses before that."""

from collections import deque
from random import Random
from typing import NamedTuple

import msgspec

_NS_PER_S = 1_000_000_000
_LARGEST_EXPONENT = 62  # an uncapped 2**n once froze a prototype after its thousandth crash


class Supervision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Restart intensity, as in Erlang/OTP's supervisors: more than `max_restarts` within `within_ns` means giving up.

    The n-th restart inside the window waits `backoff_min_ns * 2**(n - 1)`, at most `backoff_max_ns`;
    0 (the default) restarts as soon as the dispatcher gets to it. `max_restarts=0` never restarts, as in pykka.
    keep_trying_ns: None gives up for good; otherwise giving up is only escalated, at each failure beyond
    the intensity, and the actor is restarted after this pause, for as long as it takes.
    jitter_fraction: up to this part of each wait, drawn from the system's random numbers, is left out, so that many
    that failed together do not come back together.
    Raises ValueError when a bound is negative or the backoff's bounds are crossed.
    """

    max_restarts: int = 3
    within_ns: int = 10 * _NS_PER_S
    backoff_min_ns: int = 0
    backoff_max_ns: int = 30 * _NS_PER_S
    keep_trying_ns: int | None = None
    jitter_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts must not be negative, got {self.max_restarts}; use 0 for no restart")
        if self.within_ns <= 0:
            raise ValueError(f"within_ns must be positive, got {self.within_ns}")
        if not 0 <= self.backoff_min_ns <= self.backoff_max_ns:
            raise ValueError(
                f"need 0 <= backoff_min_ns <= backoff_max_ns, got {self.backoff_min_ns} and {self.backoff_max_ns}"
            )
        if self.keep_trying_ns is not None and self.keep_trying_ns <= 0:
            raise ValueError(f"keep_trying_ns must be positive, got {self.keep_trying_ns}; None gives up for good")
        if not 0 <= self.jitter_fraction <= 1:
            raise ValueError(f"jitter_fraction must be between 0 and 1, got {self.jitter_fraction}")


class Verdict(NamedTuple):
    """What follows a failure. delay_ns: until the restart, None for no restart. too_often: beyond the intensity."""

    delay_ns: int | None
    too_often: bool


class RestartHistory:
    """Remembers recent restarts, of one actor or of a supervisor's children, and decides on the next one."""

    __slots__ = ("_random", "_recent_ns", "_supervision")

    def __init__(self, supervision: Supervision, random: Random) -> None:
        self._supervision = supervision
        self._random = random
        self._recent_ns: deque[int] = deque()

    def judge(self, monotonic_ns: int) -> Verdict:
        """What follows a failure that happened now."""
        rules = self._supervision
        while self._recent_ns and monotonic_ns - self._recent_ns[0] > rules.within_ns:
            self._recent_ns.popleft()
        earlier = len(self._recent_ns)
        if earlier >= rules.max_restarts:
            keep_trying_ns = rules.keep_trying_ns
            return Verdict(None if keep_trying_ns is None else self._jittered(keep_trying_ns), too_often=True)
        self._recent_ns.append(monotonic_ns)
        backoff_ns = min(rules.backoff_max_ns, rules.backoff_min_ns << min(earlier, _LARGEST_EXPONENT))
        return Verdict(self._jittered(backoff_ns), too_often=False)

    def _jittered(self, wait_ns: int) -> int:
        widest_ns = int(wait_ns * self._supervision.jitter_fraction)
        return wait_ns - self._random.randint(0, widest_ns) if widest_ns else wait_ns

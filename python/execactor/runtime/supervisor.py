"""How often a failing actor is started again, and how long it pauses before that."""

from collections import deque

import msgspec

_NS_PER_S = 1_000_000_000
_LARGEST_EXPONENT = 62  # an uncapped 2**n once froze a prototype after its thousandth crash


class Supervision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Restart intensity, as in Erlang/OTP's supervisors: more than `max_restarts` within `within_ns` means giving up.

    The n-th restart inside the window waits `backoff_min_ns * 2**(n - 1)`, at most `backoff_max_ns`;
    0 (the default) restarts as soon as the dispatcher gets to it. `max_restarts=0` never restarts, as in pykka.
    keep_trying_ns: None stops an actor that is given up; otherwise giving up is only escalated, at each failure beyond
    the intensity, and the actor is restarted after this pause, for as long as it takes.
    Raises ValueError when a bound is negative or the backoff's bounds are crossed.
    """

    max_restarts: int = 3
    within_ns: int = 10 * _NS_PER_S
    backoff_min_ns: int = 0
    backoff_max_ns: int = 30 * _NS_PER_S
    keep_trying_ns: int | None = None

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


class RestartHistory:
    """Remembers an actor's recent restarts and decides on the next one."""

    __slots__ = ("_recent_ns", "_supervision")

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision
        self._recent_ns: deque[int] = deque()

    def next_delay_ns(self, monotonic_ns: int) -> int | None:
        """How long to wait before the restart that a failure now asks for; None when there were too many."""
        rules = self._supervision
        while self._recent_ns and monotonic_ns - self._recent_ns[0] > rules.within_ns:
            self._recent_ns.popleft()
        earlier = len(self._recent_ns)
        if earlier >= rules.max_restarts:
            return None
        self._recent_ns.append(monotonic_ns)
        return min(rules.backoff_max_ns, rules.backoff_min_ns << min(earlier, _LARGEST_EXPONENT))

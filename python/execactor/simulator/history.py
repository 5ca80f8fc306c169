"""What the venue's listings looked like a moment ago (fault listing_lag_ms).

The venue's queries are served from replicas that trail the matching engine. Each change of an order, a conditional
order or a position is kept as a copy with its time, for HORIZON_NS; a lagging query reads the copies.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from copy import copy
from typing import Generic, NamedTuple, TypeVar

HORIZON_NS = 60_000_000_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Version(NamedTuple, Generic[V]):
    time_ns: int
    value: V | None  # None: gone
    final: bool  # never changes again


class History(Generic[K, V]):
    """Versions of values by key, as far back as HORIZON_NS."""

    def __init__(self) -> None:
        self._versions: dict[K, deque[_Version[V]]] = {}
        self._changes: deque[tuple[int, K]] = deque()

    def record(self, key: K, value: V | None, now_ns: int, *, final: bool = False) -> None:
        """Keeps a copy of what the value is from now on."""
        self._versions.setdefault(key, deque()).append(_Version(now_ns, copy(value), final))
        self._changes.append((now_ns, key))
        while self._changes[0][0] < now_ns - HORIZON_NS:
            self._trim(self._changes.popleft()[1], now_ns - HORIZON_NS)

    def at(self, key: K, when_ns: int, live: V | None) -> V | None:
        """The value at that time, None when there was none. live: the value now, for keys that ended long ago."""
        versions = self._versions.get(key)
        if versions is None:
            return live
        found: V | None = None
        for version in versions:
            if version.time_ns > when_ns:
                break
            found = version.value
        return found

    def all_at(self, when_ns: int) -> Iterator[V]:
        """The values of all keys that changed within the horizon or did not end, as they were at that time."""
        for key in list(self._versions):
            value = self.at(key, when_ns, None)
            if value is not None:
                yield value

    def _trim(self, key: K, horizon_ns: int) -> None:
        """Keeps one version from before the horizon, the value that held then, unless it was the key's end."""
        versions = self._versions.get(key)
        if versions is None:
            return
        while len(versions) > 1 and versions[1].time_ns <= horizon_ns:
            versions.popleft()
        if len(versions) == 1 and versions[0].final and versions[0].time_ns <= horizon_ns:
            del self._versions[key]

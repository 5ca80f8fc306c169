"""What happened in a simulated run, folded into a hash that two equal runs share in whatever process they are made."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec
import pykka

from execactor.runtime.ref import LoopRef


class EventLog:
    """Counts (by kind) and hashes events, and keeps the latest `kept` of them for a failing run's story.

    An event is a kind, the virtual time and plain data. Messages count by the name of their class and their fields, as
    far as these are data: structs, dataclasses, containers (sets and dicts sorted), numbers, text, Decimals, enums.
    Anything else (a future, a function) counts by the name of its class alone, so that no address, no hash and no
    random name gets in.
    """

    def __init__(self, kept: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=16)
        self._fold = self._hash.update
        self._encode = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic").encode
        self._latest: deque[bytes] = deque(maxlen=kept)
        self._keeps = kept > 0

    def record(self, kind: str, time_ns: int, name: str, subject: Any = None) -> None:
        """Fold in one event. name: whom it happened to. subject: a message, an exception, or plain data."""
        self.counts[kind] += 1
        try:
            line = self._encode((kind, time_ns, name, type(subject).__qualname__, subject))
        except (TypeError, ValueError, OverflowError, RecursionError):
            line = self._encode((kind, time_ns, name, type(subject).__qualname__))  # it holds what is no data at all
        self._fold(line)
        if self._keeps:
            self._latest.append(line)

    @property
    def digest(self) -> str:
        """The hash over all events so far."""
        return self._hash.hexdigest()

    def story(self) -> Iterable[str]:
        """The latest events as lines of text, oldest first: time in ms, kind, name, class, fields."""
        for line in self._latest:
            kind, time_ns, name, what, *fields = msgspec.msgpack.decode(line)
            shown = "" if fields in ([], [None]) else f" {fields[0]}"
            yield f"{time_ns / 1e6:.6f} {kind} {name} {what}{shown}"


def _plain(value: Any) -> Any:
    if isinstance(value, LoopRef):
        return value.name
    if isinstance(value, pykka.ActorRef):
        return value.actor_class.__qualname__
    if isinstance(value, Enum):
        return value.name
    return type(value).__qualname__

"""What waits for an actor: four lanes, strict priority between them, order kept within each."""

from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Any, Protocol

import msgspec
import pykka

DEFAULT_BULK_CAPACITY = 4096


class Lane(IntEnum):
    """How urgent a message is. A message class names its lane in the class variable `lane`; the default is NORMAL."""

    SYSTEM = 0  # kill, supervision
    URGENT = 1  # private venue events: never behind market data
    NORMAL = 2
    BULK = 3  # market data: bounded, the oldest is dropped, conflated where the class says how


_SYSTEM, _URGENT, _NORMAL, _BULK = (int(lane) for lane in Lane)
known_lanes: dict[type, int] = {}


def lane_of(message: object) -> int:
    """The lane of a message, from its class. Raises TypeError when the class variable `lane` is not a Lane."""
    message_class = type(message)
    lane = known_lanes.get(message_class)
    if lane is None:
        declared = getattr(message_class, "lane", Lane.NORMAL)
        if not isinstance(declared, int) or not _SYSTEM <= declared <= _BULK:
            raise TypeError(
                f"{message_class.__qualname__}.lane must be a ClassVar holding a Lane (0 to 3), not {declared!r}; "
                "an ordinary field of a message needs another name"
            )
        lane = known_lanes[message_class] = int(declared)
    return lane


class Addressed(Protocol):
    """What waits in a mailbox: a message, and the future of its answer if somebody asked. pykka's Envelope is one."""

    message: Any
    reply_to: pykka.Future[Any] | None


class Letter(msgspec.Struct):
    """Our own, which costs less than half of pykka's Envelope to make."""

    message: Any
    reply_to: pykka.Future[Any] | None = None


class ConflatedLetter(Letter, kw_only=True):
    """A queued BULK message that a younger one of the same key is merged into."""

    key: Hashable


class Mailbox:
    """The four queues of one actor. Not thread-safe: only the dispatcher's thread touches it.

    The oldest NORMAL message waits in a slot of its own: among thousands of actors most have one message at a time,
    and a deque would cost each of them 0.6 KiB and several cache misses.
    """

    __slots__ = ("_bulk", "_bulk_capacity", "_conflated", "_first", "_normal", "_system", "_urgent")

    def __init__(self, bulk_capacity: int = DEFAULT_BULK_CAPACITY) -> None:
        if bulk_capacity < 1:
            raise ValueError(f"bulk_capacity must be at least 1, not {bulk_capacity}")
        self._bulk_capacity = bulk_capacity
        self._system: deque[Addressed] | None = None
        self._urgent: deque[Addressed] | None = None
        self._first: Addressed | None = None  # of NORMAL; None when nothing waits there
        self._normal: deque[Addressed] | None = None  # what waits behind it
        self._bulk: deque[Addressed] | None = None
        self._conflated: dict[Hashable, ConflatedLetter] | None = None

    def push(self, letter: Addressed, lane: int) -> Addressed | None:
        """Queue a letter; returns the one that had to go for it, if any (the oldest of a full BULK lane).

        A BULK message whose class has `conflation_key()` is merged into the queued one of that key, which keeps its
        place: `younger.merge(older)`. A message that somebody waits for (an ask) is never merged.
        """
        if lane == _NORMAL:
            if self._first is None:
                self._first = letter
            elif self._normal is None:
                self._normal = deque((letter,))
            else:
                self._normal.append(letter)
        elif lane == _BULK:
            return self._push_bulk(letter)
        elif lane == _URGENT:
            if self._urgent is None:
                self._urgent = deque()
            self._urgent.append(letter)
        else:
            self._system_queue().append(letter)
        return None

    def _push_bulk(self, letter: Addressed) -> Addressed | None:
        message = letter.message
        if hasattr(message, "conflation_key") and type(letter) is Letter and letter.reply_to is None:
            if self._conflated is None:
                self._conflated = {}
            key = (type(message), message.conflation_key())
            older = self._conflated.get(key)
            if older is not None:
                older.message = message.merge(older.message)
                return None
            letter = self._conflated[key] = ConflatedLetter(message, key=key)
        if self._bulk is None:
            self._bulk = deque()
        self._bulk.append(letter)
        return self._taken(self._bulk.popleft()) if len(self._bulk) > self._bulk_capacity else None

    def push_front(self, letter: Addressed) -> None:
        """Queue a letter before all others, whatever its lane."""
        self._system_queue().appendleft(letter)

    def _system_queue(self) -> deque[Addressed]:
        if self._system is None:
            self._system = deque()
        return self._system

    def pop(self) -> Addressed | None:
        """Take the next message: the oldest of the most urgent lane that has one."""
        if self._system:
            return self._system.popleft()
        if self._urgent:
            return self._urgent.popleft()
        first = self._first
        if first is not None:
            self._first = self._normal.popleft() if self._normal else None
            return first
        if self._bulk:
            return self._taken(self._bulk.popleft())
        return None

    def pop_hot(self) -> Addressed | None:
        """Take the next message of the SYSTEM and URGENT lanes."""
        if self._system:
            return self._system.popleft()
        if self._urgent:
            return self._urgent.popleft()
        return None

    def _taken(self, letter: Addressed) -> Addressed:
        if type(letter) is ConflatedLetter and self._conflated is not None:
            del self._conflated[letter.key]
        return letter

    def pending(self) -> bool | None:
        """True: a SYSTEM or URGENT message waits. False: only others do. None: nothing waits."""
        if self._system or self._urgent:
            return True
        return False if self._first is not None or self._bulk else None

    @property
    def depths(self) -> tuple[int, int, int, int]:
        """How many messages wait, by lane."""
        system, urgent, behind, bulk = (
            len(queue) if queue else 0 for queue in (self._system, self._urgent, self._normal, self._bulk)
        )
        return system, urgent, behind + (self._first is not None), bulk

"""What waits for an actor: four lanes, strict priority between them, order kept within each."""

import logging
from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Any, Protocol

import msgspec
import pykka
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from execactor.runtime.overflow import MailboxSpec, Overflow

logger = logging.getLogger(__name__)

_BACKPRESSURE, _DROP_OLDEST = Overflow.BACKPRESSURE, Overflow.DROP_OLDEST


class Lane(IntEnum):
    """How urgent a message is. A message class names its lane in the class variable `lane`; the default is NORMAL."""

    SYSTEM = 0  # kill, supervision
    URGENT = 1  # private venue events: never behind market data
    NORMAL = 2
    BULK = 3  # market data: bounded, conflated where the class says how


_SYSTEM, _URGENT, _NORMAL, _BULK = (int(lane) for lane in Lane)
known_lanes: dict[type, int] = {}
PYKKA_MESSAGES = frozenset({_ActorStop, ProxyCall, ProxyGetAttr, ProxySetAttr})
classes_apart: set[type] = set(PYKKA_MESSAGES)
"""The message classes that are looked at before they are handled: pykka's own, and those with an `expires_at_ns`."""


def lane_of(message: object) -> int:
    """The lane of a message, from its class. Raises TypeError when the class variable `lane` is not a Lane.

    Every message passes here before the first of its class is queued.
    """
    message_class = type(message)
    lane = known_lanes.get(message_class)
    if lane is None:
        declared = getattr(message_class, "lane", Lane.NORMAL)
        if not isinstance(declared, int) or not _SYSTEM <= declared <= _BULK:
            raise TypeError(
                f"{message_class.__qualname__}.lane must be a ClassVar holding a Lane (0 to 3), not {declared!r}; "
                "an ordinary field of a message needs another name"
            )
        if hasattr(message, "expires_at_ns"):
            classes_apart.add(message_class)
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


class CallLetter(Letter, kw_only=True):
    """A message whose asker gives up at a time of the system's monotonic clock: from then on it is not handled."""

    expires_at_ns: int


class ConflatedLetter(Letter, kw_only=True):
    """A queued BULK message that a younger one of the same key is merged into."""

    key: Hashable


class Waiting:
    """A letter whose sender waits for room. admitted: resolved once it is queued; None when nobody waits for that."""

    __slots__ = ("admitted", "lane", "letter")

    def __init__(self, letter: Addressed, lane: int, admitted: pykka.Future[None] | None) -> None:
        self.letter = letter
        self.lane = lane
        self.admitted = admitted


class Mailbox:
    """The four queues of one actor, and the senders who wait for room in them.

    Not thread-safe: only the dispatcher's thread changes it. The oldest NORMAL message waits in a slot of its own:
    among thousands of actors most have one message at a time, and a deque would cost each of them 0.6 KiB and several
    cache misses.
    """

    __slots__ = (
        "_bounds",
        "_bulk",
        "_conflated",
        "_first",
        "_normal",
        "_room_behind",
        "_system",
        "_urgent",
        "_waiting",
    )

    def __init__(self, spec: MailboxSpec) -> None:
        self._bounds = spec.by_lane
        self._room_behind = spec.normal_capacity - 1
        self._system: deque[Addressed] | None = None
        self._urgent: deque[Addressed] | None = None
        self._first: Addressed | None = None  # of NORMAL; None when nothing waits there
        self._normal: deque[Addressed] | None = None  # what waits behind it
        self._bulk: deque[Addressed] | None = None
        self._conflated: dict[Hashable, ConflatedLetter] | None = None
        # While a sender waits for a lane, that lane is full: no later message can overtake it.
        self._waiting: dict[int, deque[Waiting]] | None = None

    def push(self, letter: Addressed, lane: int) -> Addressed | None:
        """Queue a letter; returns the one for which there was no room, if any.

        That is the oldest of a full DROP_OLDEST lane, else `letter` itself, which is not queued then.
        A BULK message whose class has `conflation_key()` is merged into the queued one of that key, which keeps its
        place: `younger.merge(older)`. A message that somebody waits for (an ask) is never merged.
        """
        if lane == _NORMAL:
            if self._first is None:
                self._first = letter
                return None
            behind = self._normal
            if behind is not None and len(behind) < self._room_behind:
                behind.append(letter)
                return None
            return self._push_behind(letter)
        if lane == _BULK:
            return self._push_bulk(letter)
        self.push_beyond(letter, lane)
        return None

    def push_beyond(self, letter: Addressed, lane: int) -> None:
        """Queue a letter at the end of its lane, full or not."""
        if lane == _NORMAL:
            if self._first is None:
                self._first = letter
            elif self._normal is None:
                self._normal = deque((letter,))
            else:
                self._normal.append(letter)
        elif lane == _URGENT:
            if self._urgent is None:
                self._urgent = deque()
            self._urgent.append(letter)
        elif lane == _BULK:
            self._bulk_queue().append(letter)
        else:
            self._system_queue().append(letter)

    def push_front(self, letter: Addressed) -> None:
        """Queue a letter before all others, whatever its lane."""
        self._system_queue().appendleft(letter)

    def push_first(self, letter: Addressed, lane: int) -> None:
        """Queue a letter before all others of its lane, full or not."""
        if lane == _NORMAL:
            if self._first is not None:
                if self._normal is None:
                    self._normal = deque()
                self._normal.appendleft(self._first)
            self._first = letter
        elif lane == _URGENT:
            if self._urgent is None:
                self._urgent = deque()
            self._urgent.appendleft(letter)
        elif lane == _BULK:
            self._bulk_queue().appendleft(letter)
        else:
            self.push_front(letter)

    def _push_behind(self, letter: Addressed) -> Addressed | None:
        """Queue the second letter of NORMAL, or one too many."""
        gone = None
        if self.depth(_NORMAL) > self._room_behind:
            gone = self._without_room(letter, _NORMAL, self._first)
            if gone is letter:
                return gone
            if gone is not None:
                self._first = self._normal.popleft() if self._normal else None
        self.push_beyond(letter, _NORMAL)
        return gone

    def _push_bulk(self, letter: Addressed, *, has_waited: bool = False) -> Addressed | None:
        message, queue = letter.message, self._bulk_queue()
        key: Hashable = None
        if hasattr(message, "conflation_key") and type(letter) is Letter and letter.reply_to is None:
            key = (type(message), message.conflation_key())
            older = None if self._conflated is None else self._conflated.get(key)
            if older is not None:
                if self._waiting is not None and _BULK in self._waiting and not has_waited:
                    return letter  # one who waits may have a message of that key, which comes first
                older.message = message.merge(older.message)
                return None
        gone = None
        if len(queue) >= self._bounds[_BULK][0]:
            gone = self._without_room(letter, _BULK, queue[0])
            if gone is letter:
                return gone
            if gone is not None:
                self._taken(queue.popleft())
        if key is not None:
            if self._conflated is None:
                self._conflated = {}
            letter = self._conflated[key] = ConflatedLetter(message, key=key)
        queue.append(letter)
        return gone

    def _without_room(self, letter: Addressed, lane: int, oldest: Addressed | None) -> Addressed | None:
        """Which letter goes."""
        if type(letter.message) is _ActorStop:
            return None
        # A stop that waits is not dropped: what comes after it would not be handled anyway.
        if oldest is not None and self._bounds[lane][1] is _DROP_OLDEST and type(oldest.message) is not _ActorStop:
            return oldest
        return letter

    def _system_queue(self) -> deque[Addressed]:
        if self._system is None:
            self._system = deque()
        return self._system

    def _bulk_queue(self) -> deque[Addressed]:
        if self._bulk is None:
            self._bulk = deque()
        return self._bulk

    def pop(self) -> Addressed | None:
        """Take the next message: the oldest of the most urgent lane that has one."""
        if self._system:
            return self._system.popleft()
        if self._urgent:
            return self._urgent.popleft()
        first = self._first
        if first is not None:
            self._first = self._normal.popleft() if self._normal else None
            if self._waiting is not None:
                self._let_in(_NORMAL)
            return first
        if self._bulk:
            letter = self._taken(self._bulk.popleft())
            if self._waiting is not None:
                self._let_in(_BULK)
            return letter
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

    # Senders who wait for room

    def waits_for_room(self, lane: int) -> bool:
        """Whether senders to a full lane are to wait."""
        return self._bounds[lane][1] is _BACKPRESSURE

    def capacity(self, lane: int) -> int:
        """How many messages may wait in a lane."""
        return self._bounds[lane][0]

    def wait(self, waiting: Waiting) -> None:
        """Let a sender wait behind those who wait already. Only for a letter that `push` has just refused."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting.setdefault(waiting.lane, deque()).append(waiting)

    def withdraw(self, waiting: Waiting) -> bool:
        """Give up waiting; False when the letter is queued already, or lost."""
        queue = None if self._waiting is None else self._waiting.get(waiting.lane)
        if queue is None or waiting not in queue:
            return False
        queue.remove(waiting)
        self._forget_lane(waiting.lane, queue)
        return True

    def abandon(self) -> list[Waiting]:
        """All who wait for room, first come first, who from now on wait no more."""
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else [each for lane in sorted(waiting) for each in waiting[lane]]

    def _let_in(self, lane: int) -> None:
        waiting = None if self._waiting is None else self._waiting.get(lane)
        if waiting is None:
            return
        # Letters that always find room may have overfilled the lane; one that was merged took none.
        while waiting and self.depth(lane) < self._bounds[lane][0]:
            first = waiting.popleft()
            try:
                if lane == _BULK:
                    self._push_bulk(first.letter, has_waited=True)
                else:
                    self.push_beyond(first.letter, lane)
            except Exception:
                logger.exception("A message that had waited for room could not be merged")
                self.push_beyond(first.letter, lane)
            if first.admitted is not None:
                first.admitted.set()
        self._forget_lane(lane, waiting)

    def _forget_lane(self, lane: int, waiting: deque[Waiting]) -> None:
        if not waiting and self._waiting is not None:
            del self._waiting[lane]
            self._waiting = self._waiting or None

    def pending(self) -> bool | None:
        """True: a SYSTEM or URGENT message waits. False: only others do. None: nothing waits."""
        if self._system or self._urgent:
            return True
        return False if self._first is not None or self._bulk else None

    def depth(self, lane: int) -> int:
        """How many messages wait in a lane; from any thread."""
        return self.depths[lane]

    @property
    def depths(self) -> tuple[int, int, int, int]:
        """How many messages wait, by lane."""
        system, urgent, behind, bulk = (
            len(queue) if queue else 0 for queue in (self._system, self._urgent, self._normal, self._bulk)
        )
        return system, urgent, behind + (self._first is not None), bulk

    @property
    def senders_waiting(self) -> int:
        """How many senders wait for room."""
        return 0 if self._waiting is None else sum(map(len, self._waiting.values()))

"""Where every message of a run is written down: sent, begun, and the one end that it may come to.

A broken promise is noted, not raised: an exception in a handler would only be one more failure to supervise.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import msgspec
import pykka

from execactor.runtime import DeadLetter, Lane, MailboxFull, MessageDropped


class Deed(msgspec.Struct, frozen=True):
    """What the handler of a message does: its kind, and whom or how long it is about."""

    kind: str
    other: int = 0
    ns: int = 0


class Work(msgspec.Struct, frozen=True, eq=False):
    number: int
    deed: Deed


class SystemWork(Work, frozen=True, eq=False):
    lane: ClassVar[Lane] = Lane.SYSTEM


class UrgentWork(Work, frozen=True, eq=False):
    lane: ClassVar[Lane] = Lane.URGENT


class RetriedWork(UrgentWork, frozen=True, eq=False):
    retry_after_restart: ClassVar[bool] = True


class NormalWork(Work, frozen=True, eq=False):
    lane: ClassVar[Lane] = Lane.NORMAL


class BulkWork(Work, frozen=True, eq=False):
    lane: ClassVar[Lane] = Lane.BULK


class ConflatedWork(BulkWork, frozen=True, eq=False):
    on_merge: ClassVar[Callable[["ConflatedWork"], None]]

    def conflation_key(self) -> str:
        return "key"

    def merge(self, older: "ConflatedWork") -> "ConflatedWork":
        type(self).on_merge(older)
        return self


class DoomedWork(NormalWork, frozen=True, eq=False):
    """Worth nothing after its time."""

    expires_at_ns: int


WORK = (SystemWork, UrgentWork, RetriedWork, NormalWork, BulkWork, ConflatedWork)


class Receiver(Protocol):
    """What the ledger knows of an actor's life."""

    name: str
    ref: pykka.ActorRef[Any]
    busy: "Entry | None"
    again: "Entry | None"
    stop_asked_at: int | None

    @property
    def dead(self) -> bool: ...

    @property
    def is_between(self) -> bool: ...

    @property
    def room_at_least(self) -> int: ...

    def is_current(self, instance: object) -> bool: ...


class Entry:
    """One message to one actor. `way`: how it was sent, for only messages of one way keep their order."""

    def __init__(self, message: Work, life: Receiver, way: str, *, asked: bool) -> None:
        self.message = message
        self.life = life
        self.way = way
        self.asked = asked
        self.future: pykka.Future[Any] | asyncio.Task[Any] | None = None
        self.expires_at_ns: int | None = getattr(message, "expires_at_ns", None)
        self.begun = 0
        self.failures = 0
        self.end: str | None = None

    def __repr__(self) -> str:
        return f"{type(self.message).__name__} {self.message.number} ({self.message.deed.kind}) to {self.life.name}"

    @property
    def waits(self) -> bool:
        return self.end is None and not self.begun

    @property
    def retries(self) -> bool:
        return isinstance(self.message, RetriedWork) and not self.asked

    def goes_before(self, other: "Entry") -> bool:
        """Whether this one, still waiting, has to be handled before the other."""
        mine, its = self.message.lane, other.message.lane
        if self.way == other.way and mine == its != Lane.BULK:
            return self.message.number < other.message.number
        # What came from elsewhere is queued only when the dispatcher lets it in.
        return self.way == other.way == "tell" and mine < its


class Ledger:
    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.entries: list[Entry] = []
        self.violations: list[str] = []
        ConflatedWork.on_merge = lambda older: self.ended(self.entries[older.number], "merged")

    def blame(self, text: str) -> None:
        self.violations.append(text)

    def write(
        self, life: Receiver, kind: type[Work], deed: Deed, way: str = "tell", *, asked: bool = False, **fields: int
    ) -> Entry:
        entry = Entry(kind(len(self.entries), deed, **fields), life, way, asked=asked)
        self.entries.append(entry)
        return entry

    def send(self, life: Receiver, kind: type[Work], deed: Deed, way: str = "tell", *, asked: bool = False) -> None:
        """Tell or ask; only the dead and the full may refuse. `way`: "tell", or "thread" on a foreign one."""
        was_dead, waiting = life.dead, sum(each.life is life and each.waits for each in self.entries)
        entry = self.write(life, kind, deed, way, asked=asked)
        refused = False
        try:
            if asked:
                entry.future = life.ref.ask(entry.message, block=False)
                refused = outcome(entry.future) == MailboxFull.__name__
            else:
                life.ref.tell(entry.message)
        except pykka.ActorDeadError:
            if not was_dead:
                self.blame(f"a living actor refused {entry}")
        except MailboxFull:
            refused = True
        else:
            if was_dead and not asked:
                self.blame(f"a dead actor took {entry}")
        if refused:
            self.ended(entry, "refused")
            if waiting < life.room_at_least or kind.lane != Lane.NORMAL:
                self.blame(f"{entry} was refused, and there was room")

    def begins(self, instance: object, message: Work) -> Entry:
        """A handler of `instance` has got the message."""
        entry = self.entries[message.number]
        life = entry.life
        if not life.is_current(instance):
            self.blame(f"{entry} reached an instance that is not the actor's own or was replaced")
        if life.dead:
            self.blame(f"{entry} was handled after the stop")
        if life.is_between:
            self.blame(f"{entry} was handled between an end and the restart")
        if entry.expires_at_ns is not None and self.now_ns() >= entry.expires_at_ns:
            self.blame(f"{entry} was handled after its time")
        if life.busy is not None:
            self.blame(f"{entry} was handled while {life.busy} was")
        if entry.end is not None:
            self.blame(f"{entry} was handled after its end: {entry.end}")
        if life.again is not None:
            if life.again is not entry:
                self.blame(f"{entry} was handled before {life.again}, which was due again")
            life.again = None
        elif entry.begun:
            self.blame(f"{entry} was handled again and nobody had asked for that")
        else:
            self._check_order(entry)
        entry.begun += 1
        life.busy = entry
        return entry

    def _check_order(self, entry: Entry) -> None:
        life = entry.life
        for other in self.entries:
            if other.life is life and other.waits and other.goes_before(entry):
                self.blame(f"{entry} was handled before {other}")
        asked_at = life.stop_asked_at
        behind_it = asked_at is not None and entry.message.number >= asked_at
        if behind_it and entry.way == "tell" and entry.message.lane == Lane.NORMAL:
            self.blame(f"{entry} was handled, but a stop was asked for at {asked_at}")

    def finished(self, entry: Entry, attempt: int = 1) -> None:
        """The handler has come to its end. One that its actor had given up does not count."""
        if entry.life.busy is entry and entry.begun == attempt:
            entry.life.busy = None
            self.ended(entry, "done")

    def raised(self, entry: Entry) -> None:
        """The handler of an asked message raises: the asker's business."""
        if entry.life.busy is entry:
            entry.life.busy = None
            self.ended(entry, "raised")

    def ended(self, entry: Entry, end: str) -> None:
        if entry.end is not None:
            self.blame(f"{entry} ended twice: {entry.end}, {end}")
        entry.end = end

    def on_dead_letter(self, letter: DeadLetter) -> None:
        if not isinstance(letter.message, Work):
            return
        entry = self.entries[letter.message.number]
        reason = letter.reason
        self.ended(entry, reason)
        allowed = {
            "undeliverable": entry.life.dead and not entry.begun,
            "stopped": entry.life.dead,
            "failed": entry.begun > 0,
            "dropped": entry.message.lane >= Lane.NORMAL and not entry.begun,
            "expired": entry.expires_at_ns is not None and self.now_ns() >= entry.expires_at_ns and not entry.begun,
        }
        if not allowed[reason]:
            self.blame(f"{entry} is a dead letter {reason}")
        if letter.actor != entry.life.name:
            self.blame(f"{entry} is a dead letter of {letter.actor}")
        if entry.life.busy is entry and (reason == "stopped" or entry.life.dead):
            entry.life.busy = None

    def unended(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.end is None]

    def check_answers(self) -> None:
        """Every asker has been told what became of the message."""
        for entry in self.entries:
            if entry.future is None:
                continue
            told = outcome(entry.future)
            gave_up = entry.way == "call" and told == pykka.Timeout.__name__
            if told != _EXPECTED_ANSWER[entry.end or "none"] and not gave_up:
                self.blame(f"{entry} ended as {entry.end}, and its asker was told: {told}")


_EXPECTED_ANSWER = {
    "done": "value",
    "raised": "Boom",
    "dropped": MessageDropped.__name__,
    "refused": MailboxFull.__name__,
    "failed": "ActorDeadError",
    "stopped": "ActorDeadError",
    "undeliverable": "ActorDeadError",
    "expired": "Timeout",
    "none": "nothing",
}


def outcome(future: "pykka.Future[Any] | asyncio.Task[Any]") -> str:
    """What somebody who waits for it is told by now."""
    try:
        if isinstance(future, asyncio.Task):
            future.result()
        else:
            future.get(timeout=0)
    except asyncio.InvalidStateError:
        return "nothing"
    except Exception as exc:
        return type(exc).__name__
    return "value"

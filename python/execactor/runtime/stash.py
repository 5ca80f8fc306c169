"""Messages that an actor puts aside until it is ready for them, such as while it recovers."""

from typing import TYPE_CHECKING, Any

import pykka

from execactor.runtime.mailbox import Addressed, CallLetter, Letter, Mailbox, lane_of
from execactor.runtime.overflow import MailboxSpec
from execactor.runtime.recovery import RetriedLetter

if TYPE_CHECKING:
    from execactor.runtime.life import Life


class StashingMailbox(Mailbox):
    """The mailbox of an actor with a stash: it remembers which letter is being handled."""

    __slots__ = ("current",)

    def __init__(self, spec: MailboxSpec) -> None:
        super().__init__(spec)
        self.current: Addressed | None = None

    def pop(self) -> Addressed | None:
        self.current = super().pop()
        return self.current

    def pop_hot(self) -> Addressed | None:
        self.current = super().pop_hot()
        return self.current


class Stash:
    """An actor's messages for later, at most `capacity` of them. Belongs to its cell.

    A restart puts them back into the mailbox, each in front of its lane; a stop makes them dead letters. Call these
    methods only from the actor's own code on the dispatcher's thread.
    """

    __slots__ = ("_capacity", "_held", "_life", "_mailbox")

    def __init__(self, life: "Life", mailbox: StashingMailbox, capacity: int) -> None:
        self._life = life
        self._mailbox = mailbox
        self._capacity = capacity
        self._held: list[tuple[Addressed, pykka.Future[Any] | None]] = []

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, message: Any) -> bool:
        """Put aside the message that is being handled; who asked it is answered when it is handled in the end.

        False when there is no room: then it is a dead letter ("dropped"), and its asker gets MessageDropped.
        """
        letter = self._mailbox.current
        if letter is None or letter.message is not message:
            letter = Letter(message)
        elif self._holds(letter):
            return True
        if len(self._held) >= self._capacity:
            # Its asker gets this answer, not what the handler returns.
            self._life.lose(_detached(letter), "dropped")
            letter.reply_to = None
            return False
        self._held.append((letter, letter.reply_to))
        letter.reply_to = None
        return True

    def release(self) -> int:
        """Put all back into the mailbox, in their order and each in front of its lane; returns how many they were."""
        held, self._held = self._held, []
        for letter, reply_to in reversed(held):
            letter.reply_to = reply_to
            again = letter if type(letter) in (Letter, CallLetter, RetriedLetter) else _detached(letter)
            self._mailbox.push_first(again, lane_of(letter.message))
        if held:
            self._life.look_again()
        return len(held)

    def give_back(self, letter: Addressed) -> None:
        """The handler that held this letter failed: it goes the way of any other failed one."""
        for place, (held, reply_to) in enumerate(self._held):
            if held is letter:
                letter.reply_to = reply_to
                del self._held[place]
                return

    def _holds(self, letter: Addressed) -> bool:
        return any(held is letter for held, _ in self._held)


def _detached(letter: Addressed) -> Letter:
    """The message in a letter of its own: no tick of a timer, and nothing that others may be merged into."""
    return Letter(letter.message, letter.reply_to)

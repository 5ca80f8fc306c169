"""Messages that no actor handled: counted, logged, kept for a while and shown to whoever subscribes."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

logger = logging.getLogger(__name__)

Reason = Literal["undeliverable", "dropped", "stopped", "failed", "expired"]


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that was not handled, and why.

    actor: the name of the actor it was for.
    reason: "undeliverable" (the actor was dead), "dropped" (a full lane had no room for it), "stopped" (left in the
    mailbox, or waiting for room there, when the actor stopped), "expired" (reached after its deadline) or "failed" (the
    handler raised: then `traceback` tells where).
    """

    actor: str
    message: Any
    reason: Reason
    traceback: str | None = None


class DeadLetters:
    """The latest dead letters of a system, oldest first, and how many there were by reason.

    Everything but reading happens on the system's own thread.
    """

    def __init__(self, capacity: int = 1_000) -> None:
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._subscribers: list[Callable[[DeadLetter], object]] = []
        self._notifying = False
        self.counts: Counter[Reason] = Counter()

    def subscribe(self, callback: Callable[[DeadLetter], object]) -> Callable[[], None]:
        """Call `callback` with each new dead letter; returns the function that ends this.

        A dead letter that a subscriber itself causes is kept and counted, but nobody is called for it.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def record(self, letter: DeadLetter) -> None:
        """Keep, count, log and hand on one dead letter."""
        self._letters.append(letter)
        self.counts[letter.reason] += 1
        self._log(letter, self.counts[letter.reason])
        if self._notifying:
            return
        self._notifying = True
        try:
            for callback in tuple(self._subscribers):
                self._notify(callback, letter)
        finally:
            self._notifying = False

    @staticmethod
    def _notify(callback: Callable[[DeadLetter], object], letter: DeadLetter) -> None:
        try:
            callback(letter)
        except Exception:
            logger.exception("A dead-letter subscriber failed")

    @staticmethod
    def _log(letter: DeadLetter, count: int) -> None:
        # Only the class: a message may carry a secret. A flood is logged at each doubling.
        if letter.reason == "failed" or count & (count - 1) == 0:
            logger.warning(
                "Dead letter for %s: %s %s (number %d of its kind)",
                letter.actor,
                type(letter.message).__qualname__,
                letter.reason,
                count,
            )

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._letters))

    def __len__(self) -> int:
        return len(self._letters)

    def __getitem__(self, index: int) -> DeadLetter:
        return self._letters[index]

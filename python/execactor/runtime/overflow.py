"""How many messages may wait for an actor, and what becomes of one too many."""

import enum
import functools
import sys

import msgspec


class Overflow(enum.Enum):
    """What a full lane does with one more message."""

    BACKPRESSURE = enum.auto()
    """The sender waits, in `await ref.send()` or, on a foreign thread, in `tell`; a `tell` on the loop is refused."""
    DROP_OLDEST = enum.auto()
    """The message that has waited longest becomes a dead letter."""
    DROP_NEWEST = enum.auto()
    """The message that comes becomes a dead letter."""


class MailboxFull(RuntimeError):
    """There is no room, and the sender may not be made to wait. Nothing was queued."""


class MailboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of an actor's NORMAL and BULK lanes, in messages. SYSTEM and URGENT have none: they never refuse.

    A stop request always finds room, and so does what an actor sends itself (a timer's tick, a piped result).
    Raises ValueError for a capacity below 1.
    """

    normal_capacity: int = 16_384
    normal_overflow: Overflow = Overflow.BACKPRESSURE
    bulk_capacity: int = 4_096
    bulk_overflow: Overflow = Overflow.DROP_OLDEST

    def __post_init__(self) -> None:
        for name in ("normal_capacity", "bulk_capacity"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def by_lane(self) -> tuple[tuple[int, Overflow], ...]:
        """Capacity and policy of each lane."""
        return _by_lane(self)


@functools.cache
def _by_lane(spec: MailboxSpec) -> tuple[tuple[int, Overflow], ...]:
    unbounded = (sys.maxsize, Overflow.BACKPRESSURE)
    return (
        unbounded,
        unbounded,
        (spec.normal_capacity, spec.normal_overflow),
        (spec.bulk_capacity, spec.bulk_overflow),
    )

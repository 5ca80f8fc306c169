"""What a supervisor knows of its children: how to make each, and what follows when one fails or stops."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

_DEFAULT_STOP_DEADLINE_NS = 5_000_000_000


class Strategy(enum.Enum):
    """Who is restarted when a child has failed: it alone, it and those started after it, or all."""

    ONE_FOR_ONE = enum.auto()
    REST_FOR_ONE = enum.auto()
    ALL_FOR_ONE = enum.auto()


class Restart(enum.Enum):
    """When a child comes back. The names and meanings are Erlang/OTP's."""

    PERMANENT = enum.auto()  # whenever it fails; and when somebody stops it, as a new actor with a new ref
    TRANSIENT = enum.auto()  # when it fails; stopping it is final
    TEMPORARY = enum.auto()  # never, nor when a sibling's failure ends it


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child of a supervisor.

    name: unique among the living actors of the system. actor_class: a LoopActor, called with `args` and `kwargs`, at
    each restart again.
    stop_deadline_ns: how long an orderly stop may take before the child is aborted; None waits for ever. A child that
    is a supervisor needs the time of all of its own children.
    """

    name: str
    actor_class: type[Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    restart: Restart = Restart.PERMANENT
    stop_deadline_ns: int | None = _DEFAULT_STOP_DEADLINE_NS

    def __post_init__(self) -> None:
        if self.stop_deadline_ns is not None and self.stop_deadline_ns <= 0:
            raise ValueError(f"stop_deadline_ns of {self.name!r} must be positive, got {self.stop_deadline_ns}")

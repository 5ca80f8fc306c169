"""What may be done, who asks for another state of the engine, and what a person should see."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.lanes import SYSTEM


class EngineStateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> all: what may be done from now on. epoch: approvals of older epochs are void."""

    lane: ClassVar[int] = SYSTEM

    state: EngineState
    epoch: int
    reason: str


class EnterSafeMode(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: something is wrong that a person must look at; take no new risk."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class PauseEntries(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: take no new entries until resumed; what rests is cancelled."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Anyone -> AccountActor: the kill switch. Stays off across restarts until a person resumes."""

    lane: ClassVar[int] = SYSTEM
    retry_after_restart: ClassVar[bool] = True

    reason: str


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """A person -> AccountActor: reconcile, then trade again."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class Flatten(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> PositionActor: cancel entries, close the position; stops go last, after FlatConfirmed."""

    lane: ClassVar[int] = SYSTEM

    reason: str


class FlatConfirmed(msgspec.Struct, frozen=True, kw_only=True):
    """AccountActor -> PositionActor: the venue showed no position twice; the stops may go."""

    lane: ClassVar[int] = SYSTEM


class StreamChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Gateway -> AccountActor: private events are (or are not) complete from now on; either way a resync is needed."""

    lane: ClassVar[int] = SYSTEM
    retry_after_restart: ClassVar[bool] = True

    continuous: bool
    reason: str


class AlertLevel(StrEnum):
    """How much a person should hurry."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should see. code: stable name, e.g. MISSING_STOP; symbol may be empty."""

    level: AlertLevel
    code: str
    text: str
    symbol: str = ""

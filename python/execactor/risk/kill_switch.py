"""The kill sequence: no new risk, entries away, positions closed, flat confirmed twice, stops last."""

from enum import StrEnum

import msgspec

SECOND = 1_000_000_000


class Stage(StrEnum):
    """How far the sequence is."""

    OFF = "OFF"
    FLATTENING = "FLATTENING"
    CONFIRMING = "CONFIRMING"
    FLAT = "FLAT"


class KillSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """State of the sequence; times are monotonic nanoseconds."""

    stage: Stage = Stage.OFF
    reason: str = ""
    first_flat_ns: int = 0
    flattened_ns: int = 0


class KillOrdered(msgspec.Struct, frozen=True):
    """Someone pulled it, or a restart found it pulled."""

    reason: str


class AccountSeen(msgspec.Struct, frozen=True):
    """The venue was asked. flat: no position; quiet: no entry of ours is open there, none is UNKNOWN here."""

    flat: bool
    quiet: bool


class KillTick(msgspec.Struct, frozen=True):
    """Time has passed."""


class KillReleased(msgspec.Struct, frozen=True):
    """A person resumes."""


class BumpEpoch(msgspec.Struct, frozen=True):
    """Make every approval given so far void, durably, before anything else."""


class FlattenAll(msgspec.Struct, frozen=True):
    """Tell every position to cancel entries and close."""

    reason: str


class LookAgain(msgspec.Struct, frozen=True):
    """Ask the venue for positions and orders."""


class ReleaseStops(msgspec.Struct, frozen=True):
    """Flat was confirmed twice: the stops may be cancelled."""


KillEvent = KillOrdered | AccountSeen | KillTick | KillReleased
KillEffect = BumpEpoch | FlattenAll | LookAgain | ReleaseStops

CONFIRM_NS = 2 * SECOND
REPEAT_NS = 2 * SECOND
WATCH_NS = 10 * SECOND


def step(switch: KillSwitch, event: KillEvent, now_ns: int) -> tuple[KillSwitch, list[KillEffect]]:
    """Advance the sequence (ARCHITECTURE section 4, kill sequence)."""
    match event:
        case KillOrdered(reason):
            if switch.stage is Stage.FLAT:
                return switch, [LookAgain()]
            if switch.stage is not Stage.OFF:
                return switch, []
            pulled = KillSwitch(stage=Stage.FLATTENING, reason=reason, flattened_ns=now_ns)
            return pulled, [BumpEpoch(), FlattenAll(reason), LookAgain()]
        case KillReleased():
            return KillSwitch(), []
        case AccountSeen(flat, quiet):
            return _seen(switch, flat and quiet, now_ns)
        case KillTick():
            return _tick(switch, now_ns)


def _seen(switch: KillSwitch, clear: bool, now_ns: int) -> tuple[KillSwitch, list[KillEffect]]:
    if switch.stage is Stage.OFF or (switch.stage is Stage.FLAT and clear):
        return switch, []
    if switch.stage is Stage.FLAT:
        # A late fill, or another hand: what appears while the switch is pulled is closed too.
        again = msgspec.structs.replace(switch, stage=Stage.FLATTENING, first_flat_ns=0, flattened_ns=now_ns)
        return again, [FlattenAll(switch.reason)]
    if not clear:
        return msgspec.structs.replace(switch, stage=Stage.FLATTENING, first_flat_ns=0), []
    if switch.stage is Stage.FLATTENING:
        return msgspec.structs.replace(switch, stage=Stage.CONFIRMING, first_flat_ns=now_ns), []
    if now_ns - switch.first_flat_ns >= CONFIRM_NS:
        return msgspec.structs.replace(switch, stage=Stage.FLAT), [ReleaseStops()]
    return switch, []


def _tick(switch: KillSwitch, now_ns: int) -> tuple[KillSwitch, list[KillEffect]]:
    if switch.stage is Stage.OFF:
        return switch, []
    if switch.stage is Stage.FLAT:
        if now_ns - switch.flattened_ns < WATCH_NS:
            return switch, []
        return msgspec.structs.replace(switch, flattened_ns=now_ns), [LookAgain()]
    effects: list[KillEffect] = [LookAgain()]
    if switch.stage is Stage.FLATTENING and now_ns - switch.flattened_ns >= REPEAT_NS:
        switch = msgspec.structs.replace(switch, flattened_ns=now_ns)
        effects.append(FlattenAll(switch.reason))
    return switch, effects

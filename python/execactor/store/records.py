"""What the journal holds: facts and intents, each a struct with a stable kind."""

from decimal import Decimal

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.messages.account import Alert, EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused, PlanStarted, TradeClosed
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected
from execactor.domain.order import Order, OrderIntent


class IntentRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """An order is about to be sent: written before the send, so that a crash cannot hide it."""

    intent: OrderIntent
    epoch: int


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The order as it stands after a change, except for its executions, which have records of their own."""

    order: Order


class ExecutionBooked(msgspec.Struct, frozen=True, kw_only=True):
    """A venue trade was booked on one of our orders; client_id is empty when it belonged to none."""

    client_id: str
    execution: Execution


class ExecutionAttributed(msgspec.Struct, frozen=True, kw_only=True):
    """A trade booked as another hand's was of one of our orders: its order is credited, the position stays."""

    client_id: str
    execution: Execution


class EquityMarked(msgspec.Struct, frozen=True, kw_only=True):
    """The day's first equity and the peak, quote units, when either changed notably."""

    day: int
    day_start: Decimal
    peak: Decimal
    breached: tuple[str, ...] = ()


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison with the venue ended: counts by finding, and what was found.

    rounds: how many times the venue was asked. settled: whether it agreed with us at the end.
    """

    reason: str
    counts: dict[str, int]
    details: tuple[str, ...] = ()
    rounds: int = 1
    settled: bool = True


Record = (
    IntentRecorded
    | OrderChanged
    | ExecutionBooked
    | ExecutionAttributed
    | EquityMarked
    | Reconciled
    | PlanAccepted
    | PlanStarted
    | PlanEnded
    | PlanRefused
    | PositionAdopted
    | PositionCorrected
    | EngineStateChanged
    | TradeClosed
    | Alert
)

KINDS: dict[str, type[msgspec.Struct]] = {
    "intent": IntentRecorded,
    "order": OrderChanged,
    "execution": ExecutionBooked,
    "execution_attributed": ExecutionAttributed,
    "equity": EquityMarked,
    "reconciled": Reconciled,
    "plan": PlanAccepted,
    "plan_started": PlanStarted,
    "plan_ended": PlanEnded,
    "plan_refused": PlanRefused,
    "position_adopted": PositionAdopted,
    "position_corrected": PositionCorrected,
    "engine": EngineStateChanged,
    "trade": TradeClosed,
    "alert": Alert,
}
_KIND_OF = {struct: kind for kind, struct in KINDS.items()}
_DECODERS = {kind: msgspec.json.Decoder(struct) for kind, struct in KINDS.items()}
_ENCODER = msgspec.json.Encoder()


def encode(record: Record) -> tuple[str, bytes]:
    """Kind and payload of a record."""
    return _KIND_OF[type(record)], _ENCODER.encode(record)


def decode(kind: str, payload: bytes) -> Record:
    """The record of a row; raises ValueError for a kind or payload that this version does not know."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise ValueError(f"journal record of unknown kind {kind!r}: it was written by a newer execactor")
    try:
        return decoder.decode(payload)  # type: ignore[return-value]  # the table above pairs kinds and structs
    except msgspec.MsgspecError as error:
        raise ValueError(f"journal record of kind {kind!r} does not parse: {error}") from error


__all__ = [
    "KINDS",
    "EquityMarked",
    "ExecutionAttributed",
    "ExecutionBooked",
    "IntentRecorded",
    "OrderChanged",
    "Reconciled",
    "Record",
    "decode",
    "encode",
]

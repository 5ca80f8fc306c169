"""The decision.json contract: what a position in one symbol should be; the newest decision wins."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.ids import decision_key

MAX_AGE_MS = 600_000
MAX_AHEAD_MS = 5_000
_MAX_EXPONENT = 18


class Action(StrEnum):
    """Where the position should go."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One valid decision. Prices are quote per base; position_size_usdt is the notional in quote units.

    entry_zone: (lowest, highest) price at which to enter; sl, tp1, tp2: stop and targets, tp2 may be absent.
    key: identifies the decision in client order ids; body_hash: its content.
    """

    key: str
    symbol: str
    action: Action
    timestamp_ms: int
    entry_zone: tuple[Decimal, Decimal]
    sl: Decimal
    tp1: Decimal
    tp2: Decimal | None
    position_size_usdt: Decimal
    leverage: Decimal
    confidence: Decimal
    reason: str
    body_hash: str

    @property
    def entry_price(self) -> Decimal:
        """The middle of the entry zone."""
        return (self.entry_zone[0] + self.entry_zone[1]) / 2


class DecisionProblem(msgspec.Struct, frozen=True):
    """Why a decision cannot be followed: the symbol goes into flat mode (no entry; open positions stay managed).

    symbol: None when the text is too broken to tell. stale: it was right once, but is too old to enter on.
    timestamp_ms: of a stale one; 0 when the text has none that counts.
    """

    symbol: str | None
    reason: str
    stale: bool = False
    timestamp_ms: int = 0


class _Wire(msgspec.Struct):
    symbol: str
    timestamp_iso: str
    action: Action
    entry_zone: tuple[Decimal, Decimal]
    sl: Decimal
    position_size_usdt: Decimal
    leverage: Decimal
    tp1: Decimal | None = None
    tp2: Decimal | None = None
    id: str | None = None
    reason: str = ""
    confidence: Decimal = Decimal(0)
    risk_level: int = 0
    risk_checks: dict[str, bool] = {}


class _SymbolOnly(msgspec.Struct):
    symbol: str | None = None


_DECODER = msgspec.json.Decoder(_Wire)
_CANONICAL = msgspec.json.Encoder(order="deterministic")


def parse_decision(body: bytes, now_ms: int, *, max_age_ms: int = MAX_AGE_MS) -> Decision | DecisionProblem:
    """Read and check one decision.json. Never raises: whatever is wrong comes back with the field and the fix.

    now_ms: wall time. Exactly `max_age_ms` old is still fresh (requirement E5: 10:00 is accepted, 10:01 is not).
    """
    try:
        wire = _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        return DecisionProblem(_symbol_of(body), f"malformed decision: {error}")
    try:
        timestamp = datetime.fromisoformat(wire.timestamp_iso)
    except ValueError:
        unreadable = f"timestamp_iso {wire.timestamp_iso!r} is not an ISO 8601 time; write e.g. 2026-11-20T10:05:00Z"
        return DecisionProblem(wire.symbol, unreadable)
    if timestamp.tzinfo is None:
        timestamp = timestamp.replace(tzinfo=UTC)
    timestamp_ms = round(timestamp.timestamp() * 1000)
    problem = _first_problem(wire)
    if problem is not None:
        return DecisionProblem(wire.symbol, problem)
    age_ms = now_ms - timestamp_ms
    if age_ms > max_age_ms:
        reason = f"stale decision: {age_ms / 1000:.0f} s old, {max_age_ms / 1000:.0f} s is the most"
        return DecisionProblem(wire.symbol, reason, stale=True, timestamp_ms=timestamp_ms)
    if age_ms < -MAX_AHEAD_MS:
        ahead = f"timestamp_iso lies {-age_ms / 1000:.0f} s in the future; check the clocks"
        return DecisionProblem(wire.symbol, ahead)
    # The same time is the same decision, however it is written.
    utc = timestamp if timestamp.tzinfo is UTC else timestamp.astimezone(UTC)
    wire.timestamp_iso = utc.isoformat()
    canonical = _CANONICAL.encode(wire)
    return Decision(
        key=decision_key(wire.id, wire.symbol, wire.timestamp_iso),
        symbol=wire.symbol,
        action=wire.action,
        timestamp_ms=timestamp_ms,
        entry_zone=wire.entry_zone,
        sl=wire.sl,
        tp1=wire.tp1 if wire.tp1 is not None else Decimal(0),
        tp2=wire.tp2,
        position_size_usdt=wire.position_size_usdt,
        leverage=wire.leverage,
        confidence=wire.confidence,
        reason=wire.reason,
        body_hash=hashlib.blake2b(canonical, digest_size=8).hexdigest(),
    )


def _symbol_of(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_SymbolOnly).symbol
    except msgspec.MsgspecError:
        return None


_NUMBERS = ("entry_zone", "entry_zone", "sl", "tp1", "tp2", "position_size_usdt", "leverage", "confidence")


def _first_problem(wire: _Wire) -> str | None:
    if not wire.symbol:
        return "symbol is empty"
    if wire.id == "":
        return "id is empty: leave it out, or name the decision"
    numbers = (*wire.entry_zone, wire.sl, wire.tp1, wire.tp2, wire.position_size_usdt, wire.leverage, wire.confidence)
    for place, value in enumerate(numbers):
        if value is None:
            continue
        if not value.is_finite():
            return f"{_NUMBERS[place]} is {value}; a finite number is needed"
        if value and not -_MAX_EXPONENT <= value.adjusted() <= _MAX_EXPONENT:
            return f"{_NUMBERS[place]} {value} is beyond what a price or size can be"
    if not 0 <= wire.confidence <= 1:
        return f"confidence {wire.confidence} is outside 0..1"
    if wire.action is Action.FLAT:
        return None
    return _entry_problem(wire)


def _entry_problem(wire: _Wire) -> str | None:
    low, high = wire.entry_zone
    sign = 1 if wire.action is Action.LONG else -1
    entry = (low + high) / 2
    beyond, before = ("below", "above") if sign > 0 else ("above", "below")
    if not 0 < low <= high:
        return f"entry_zone [{low}, {high}] must be two prices above 0, the lower one first"
    if not wire.sl > 0 or (entry - wire.sl) * sign <= 0:
        return f"sl {wire.sl} is on the wrong side: a {wire.action} stop lies {beyond} the entry {entry}"
    if wire.tp1 is None:
        return f"tp1 is missing: a {wire.action} decision needs a first target"
    for name, target in (("tp1", wire.tp1), ("tp2", wire.tp2)):
        if target is not None and target <= 0:
            return f"{name} {target} must be above 0"
    if (wire.tp1 - entry) * sign <= 0:
        return f"tp1 {wire.tp1} is on the wrong side: a {wire.action} target lies {before} the entry {entry}"
    if wire.tp2 is not None and (wire.tp2 - wire.tp1) * sign <= 0:
        return f"tp2 {wire.tp2} must lie {before} tp1 {wire.tp1} for a {wire.action}"
    if wire.position_size_usdt <= 0:
        return f"position_size_usdt {wire.position_size_usdt} must be above 0"
    if wire.leverage < 1:
        return f"leverage {wire.leverage} must be at least 1"
    if not all(wire.risk_checks.values()):
        failed = sorted(name for name, passed in wire.risk_checks.items() if not passed)
        return f"risk_checks failed: {', '.join(failed)}"
    return None

"""The decisions that the demo feeds, built around a price."""

import json
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import msgspec

from execactor.domain.side import Side
from execactor.simulator.symbols import Symbol

_BPS = Decimal("0.0001")
_NOTIONAL = Decimal(2_000)


class Distances(msgspec.Struct, frozen=True, kw_only=True):
    """How far from the reference price things lie, in basis points, all positive.

    reach: how far beyond it the entry's limit lies, so that it fills at once; stop: on the way of a loss; tp1, tp2: on
    the way of a gain.
    """

    reach: Decimal
    stop: Decimal
    tp1: Decimal
    tp2: Decimal


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it was fed. body: the decision.json; quantity: base units of its entry."""

    key: str
    symbol: str
    side: Side
    quantity: Decimal
    reference: Decimal
    body: dict[str, Any]

    def away(self, bps: Decimal) -> Decimal:
        """The price so many basis points on the way of a gain (negative: of a loss), quote per base."""
        return self.reference * (1 + self.side.sign * bps * _BPS)


def entry(key: str, symbol: Symbol, side: Side, reference: Decimal, distances: Distances) -> Fed:
    """A decision to go long or short at once. reference: the price now, quote per base."""
    gain = side.sign * _BPS

    def on_tick(price: Decimal) -> Decimal:
        return (price / symbol.tick).to_integral_value() * symbol.tick

    limit = on_tick(reference * (1 + gain * distances.reach))
    quantity = (_NOTIONAL / limit / symbol.step).to_integral_value(ROUND_FLOOR) * symbol.step
    body = {
        "id": key,
        "symbol": symbol.name,
        "timestamp_iso": datetime.now(UTC).isoformat(),
        "action": "long" if side is Side.BUY else "short",
        "entry_zone": [f"{limit - symbol.tick:f}", f"{limit + symbol.tick:f}"],
        "sl": f"{on_tick(reference * (1 - gain * distances.stop)):f}",
        "tp1": f"{on_tick(reference * (1 + gain * distances.tp1)):f}",
        "tp2": f"{on_tick(reference * (1 + gain * distances.tp2)):f}",
        "position_size_usdt": f"{_NOTIONAL:f}",
        "leverage": "3",
        "confidence": "0.8",
        "reason": "demo",
    }
    return Fed(key=key, symbol=symbol.name, side=side, quantity=quantity, reference=reference, body=body)


def flat(key: str, symbol: str) -> dict[str, Any]:
    """A decision to hold nothing."""
    return {
        "id": key,
        "symbol": symbol,
        "timestamp_iso": datetime.now(UTC).isoformat(),
        "action": "flat",
        "entry_zone": ["0", "0"],
        "sl": "0",
        "position_size_usdt": "0",
        "leverage": "1",
        "reason": "the demo ends",
    }


def write(directory: Path, body: dict[str, Any]) -> None:
    """Put a decision where the engine looks, whole or not at all."""
    target = directory / f"{body['id']}.json"
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(body), encoding="utf-8")
    draft.replace(target)

"""Signals for an engine of a session."""

from decimal import Decimal
from typing import Any

from engine_session import BTC, Session, until, until_async

from execactor.domain.signal import Signal, SignalAction


def signal(s: Session, key: str, action: str = "buy", **changes: Any) -> Signal:
    """A market signal of 0.016 BTC with a stop 1 % and a target 2 % away."""
    mark, sign = s.mark(), 1 if action == "buy" else -1
    fields: dict[str, Any] = {
        "idempotency_key": key,
        "symbol": BTC,
        "action": SignalAction(action),
        "quantity": Decimal("0.016"),
        "stop_loss": mark * (1 - sign * Decimal("0.01")),
        "take_profit": mark * (1 + sign * Decimal("0.02")),
    }
    return Signal(**fields | changes)


async def marked(s: Session) -> None:
    """Wait until the engine knows the mark price."""
    await until_async(lambda: _marked(s))


async def _marked(s: Session) -> bool:
    return (await s.view()).mark_price is not None


async def close(s: Session, key: str = "close") -> None:
    """Close the position by a signal; returns once everything is cleaned up."""
    result = await s.engine.execute_signal(signal(s, key, "close"))
    assert result.success
    await s.idle()
    await until(lambda: not s.resting())

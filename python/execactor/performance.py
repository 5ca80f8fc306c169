"""Performance figures in the shape of source document 002, computed from the journal's records."""

import statistics
from collections import deque
from typing import Any

from execactor.actors.context import AccountView
from execactor.actors.position import PositionView
from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanRefused, TradeClosed
from execactor.domain.order import Order, OrderState, Role
from execactor.runtime.latency import LatencyBoard
from execactor.store.records import OrderChanged, Record
from execactor.store.recovery import RECENT

_SAMPLES = 1_000


class Performance:
    """Counts and samples since the start, and the last RECENT trades; recovered ones are added by the engine."""

    def __init__(self) -> None:
        self.signals = 0
        self.successes = 0
        self.failures = 0
        self.violations = 0
        self.trades: deque[TradeClosed] = deque(maxlen=RECENT)
        self._slippage_percent: deque[float] = deque(maxlen=_SAMPLES)
        self._filled: dict[str, None] = {}

    def on_record(self, record: Record) -> None:
        """A tap of the journal."""
        match record:
            case PlanAccepted():
                self.signals += 1
            case PlanRefused():
                self.signals += 1
                self.failures += 1
            case PlanEnded(entered=entered):
                self.successes += entered
                self.failures += not entered
            case TradeClosed():
                self.trades.append(record)
            case Alert(code="ENTRY_REFUSED"):
                self.violations += 1
            case OrderChanged(order=order):
                self._on_order(order)

    def _on_order(self, order: Order) -> None:
        """Slippage of a filled entry against its limit price, positive when unfavourable (document 002)."""
        expected, actual = order.intent.price, order.average_price
        if order.intent.role is not Role.ENTRY or order.state is not OrderState.FILLED or expected is None:
            return
        if actual is None or order.client_id in self._filled:
            return
        self._filled[order.client_id] = None
        if len(self._filled) > _SAMPLES:
            del self._filled[next(iter(self._filled))]
        self._slippage_percent.append(float((actual - expected) / expected * 100 * order.intent.side.sign))

    def report(
        self, mode: str, state: EngineState, positions: list[PositionView], account: AccountView, board: LatencyBoard
    ) -> dict[str, Any]:
        """The metrics dictionary; percents as numbers, times in milliseconds unless a name says otherwise."""
        finished = self.successes + self.failures
        return {
            "engine": {
                "mode": mode,
                "is_running": state is EngineState.RUNNING,
                "circuit_breaker_active": state in (EngineState.PAUSED, EngineState.SAFE_MODE, EngineState.HALTED),
                "total_signals": self.signals,
                "successful_executions": self.successes,
                "failed_executions": self.failures,
                "success_rate": self.successes / finished if finished else 0.0,
            },
            "positions": {
                "total_positions": sum(not view.position.flat for view in positions),
                "total_unrealized_pnl": account.unrealized_pnl,
                "winning_positions": sum(trade.pnl > 0 for trade in self.trades),
                "losing_positions": sum(trade.pnl < 0 for trade in self.trades),
            },
            "risk": {
                "current_drawdown_pct": float(account.drawdown_fraction * 100),
                "daily_loss_pct": float(account.daily_loss_fraction * 100),
                "risk_violations": self.violations,
            },
            "monitoring": {
                "execution": {"avg_fill_time_ms": _ms(board.percentile_us("decision_to_fill", 50))},
                "slippage": self._slippage(),
                "speed": self._speed(board),
            },
        }

    def _slippage(self) -> dict[str, float]:
        samples = self._slippage_percent
        return {
            "avg_slippage_pct": statistics.fmean(samples) if samples else 0.0,
            "min_slippage_pct": min(samples, default=0.0),
            "max_slippage_pct": max(samples, default=0.0),
            "positive_slippage_rate": sum(value > 0 for value in samples) / len(samples) if samples else 0.0,
            "sample_size": len(samples),
        }

    def _speed(self, board: LatencyBoard) -> dict[str, float]:
        leg = board.report().get("wire_to_ack")
        if leg is None:
            return {"avg_latency_ms": 0.0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0, "sample_size": 0}
        return {
            "avg_latency_ms": leg["mean"] / 1_000,
            "p50_ms": leg["p50"] / 1_000,
            "p99_ms": leg["p99"] / 1_000,
            "max_ms": leg["max"] / 1_000,
            "sample_size": leg["count"],
        }


def _ms(microseconds: float | None) -> float:
    return 0.0 if microseconds is None else microseconds / 1_000

"""An account: the engine's state on it, and what the venue says of it."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.reports import ConditionalReport, OrderReport


class EngineState(StrEnum):
    """What the engine may do on the account (ARCHITECTURE section 4).

    PAUSED: no new entries. SAFE_MODE: no new risk, protection continues, a person resumes. HALTED: kill switch.
    """

    STARTING = "STARTING"
    RECONCILING = "RECONCILING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SAFE_MODE = "SAFE_MODE"
    HALTED = "HALTED"

    @property
    def takes_risk(self) -> bool:
        """Whether an order that increases risk may leave."""
        return self is EngineState.RUNNING


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the venue states it: signed quantity in base units, prices in quote per base."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal = Decimal(0)
    update_time_ms: int = 0


class VenueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the venue knows of the account at about one time.

    wallet_balance: quote units, without unrealised P&L. trades: executions since the time that was asked for, oldest
    first, of the symbols that were asked for. requested_ns: monotonic time before the first question was sent: what
    happened later may or may not be in it.
    """

    positions: tuple[VenuePosition, ...]
    open_orders: tuple[OrderReport, ...]
    conditional_orders: tuple[ConditionalReport, ...]
    wallet_balance: Decimal
    trades: tuple[Execution, ...] = ()
    requested_ns: int = 0

    @property
    def listed(self) -> tuple[OrderReport | ConditionalReport, ...]:
        """Open orders of both kinds."""
        return (*self.open_orders, *self.conditional_orders)

    def of(self, symbol: str) -> "VenueSnapshot":
        """The part that is about one symbol; the wallet balance stays."""
        return msgspec.structs.replace(
            self,
            positions=tuple(position for position in self.positions if position.symbol == symbol),
            open_orders=tuple(report for report in self.open_orders if report.symbol == symbol),
            conditional_orders=tuple(report for report in self.conditional_orders if report.symbol == symbol),
            trades=tuple(execution for execution in self.trades if execution.symbol == symbol),
        )

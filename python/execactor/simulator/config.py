"""What a simulated venue is started with."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from execactor.simulator.symbols import DEFAULT_SYMBOLS, Symbol

FaultProfile = Literal["none", "default", "rough"]


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """Reported and unproven habits of the venue's conditional and reduce-only orders, each of which can be switched.

    full_reduce_only_limit_blocks: a resting reduce-only limit for the whole position refuses other closes (-4118).
    one_close_position_per_kind: a second closePosition stop of one direction is refused (-4130).
    close_position_needs_position: a closePosition order without a position is refused (-4509).
    close_position_expires_when_flat: closePosition orders live only as long as the position (as GTE_GTC ones do).
    market_percent_price: a MARKET order is refused when the opposite best is too far from the mark (-4131).
    triggered_order_keeps_client_id: the order that a trigger makes has the clientAlgoId; else a name of the venue's.
    conditional_orders_listed_late: a new one cannot be queried or listed for 40 s; its event is sent at once.
    one_namespace_of_client_ids: an open order and an open conditional order cannot have the same id (-4116).
    reduce_only_is_cut: one for more than the position is cut to it; else refused (-2022).
    """

    full_reduce_only_limit_blocks: bool = True
    one_close_position_per_kind: bool = True
    close_position_needs_position: bool = True
    close_position_expires_when_flat: bool = False
    market_percent_price: bool = False
    triggered_order_keeps_client_id: bool = True
    conditional_orders_listed_late: bool = False
    one_namespace_of_client_ids: bool = False
    reduce_only_is_cut: bool = True


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated Binance USDⓈ-M venue on 127.0.0.1.

    port: 0 chooses a free one. seed: draws prices, faults and delays. faults: profile of `faults.py`.
    speed: how fast the generated or replayed market runs against the wall clock.
    replay: captures joined by '+' (`data/binance_usdm/btcusdt_20240808.gz`); their symbol is replayed, the others
    are generated. loop: start a capture over when it ends (otherwise its book stands still).
    venue_log: file for the venue log; None keeps the last lines in memory.
    wallet: USDT. step_ms: wall time between steps of the generated market and between checks of triggers.
    volatility_bps: standard deviation of the generated mid over one second. levels: of a generated book, on each side.
    listen_key_validity_s: 60 minutes at the venue; tests shorten it.
    quirks: None takes the reported ones, or with the profile "rough" draws them by seed.
    enforce_rate_limits: answer 429 once the documented weight or order count of the window is used up.
    """

    port: int = 0
    seed: int = 1
    faults: FaultProfile = "none"
    speed: float = 1.0
    replay: str | None = None
    loop: bool = False
    venue_log: Path | None = None
    symbols: tuple[Symbol, ...] = DEFAULT_SYMBOLS
    wallet: Decimal = Decimal(100_000)
    leverage: int = 20
    api_key: str = "simulator-api-key"
    api_secret: str = "simulator-api-secret"  # noqa: S105  the simulated venue's own default, known to everybody
    step_ms: int = 50
    volatility_bps: float = 2.0
    levels: int = 20
    listen_key_validity_s: float = 3600.0
    enforce_rate_limits: bool = False
    quirks: Quirks | None = None

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(f"speed must be greater than 0, got {self.speed}; 1 is real time")
        if self.step_ms < 1:
            raise ValueError(f"step_ms must be at least 1, got {self.step_ms}")
        if not self.symbols:
            raise ValueError("symbols must name at least one contract")

    def __repr__(self) -> str:
        shown = (name for name in self.__struct_fields__ if name not in {"api_secret", "symbols"})
        return f"SimulatorConfig({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

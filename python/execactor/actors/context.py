"""What the actors of one account share: the journal, the venue, the settings, and each other's refs."""

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pykka

from execactor.domain.account import EngineState
from execactor.domain.instrument import Instrument
from execactor.domain.messages import EngineStateChanged
from execactor.risk.limits import Limits
from execactor.runtime import Clock
from execactor.runtime.latency import LatencyBoard
from execactor.store.journal import Journal
from execactor.store.records import Record
from execactor.store.recovery import Recovered, SymbolHistory, replay
from execactor.tactics.trade import TradePolicy
from execactor.venues.port import Venue

logger = logging.getLogger(__name__)

Ref = pykka.ActorRef[Any]
Tap = Callable[[Record], None]


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors need of the configuration. Durations in nanoseconds; max_decision_age_ms of wall time.

    orphan_stop_fraction: distance of the stop that an adopted position gets, of its entry price.
    """

    account: str
    prefix: str
    symbols: tuple[str, ...]
    policy: TradePolicy
    limits: Limits
    max_decision_age_ms: int = 600_000
    reconcile_interval_ns: int = 300_000_000_000
    orphan_stop_fraction: Decimal = Decimal("0.01")


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The last published figures of the account, quote units; replaced whole, so that reading needs no lock."""

    equity: Decimal = Decimal(0)
    wallet: Decimal = Decimal(0)
    unrealized_pnl: Decimal = Decimal(0)
    day_start: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    daily_loss_fraction: Decimal = Decimal(0)
    drawdown_fraction: Decimal = Decimal(0)


class Context:
    """One per engine. The refs are filled in by the engine before any message flows.

    engine_state and epoch are AccountActor's, kept here for actors that restart.
    """

    def __init__(
        self,
        settings: AccountSettings,
        journal: Journal,
        venue: Venue,
        instruments: Mapping[str, Instrument],
        clock: Clock,
        recovered: Recovered,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.venue = venue
        self.instruments = instruments
        self.clock = clock
        self.recovered = recovered
        self.latencies = LatencyBoard()
        self.view = AccountView()
        self.taps: list[Tap] = []
        self.state_listeners: list[Callable[[EngineStateChanged], None]] = []
        self.engine_state = EngineState.STARTING
        self.epoch = recovered.epoch
        self.account: Ref
        self.risk: Ref
        self.reconciler: Ref
        self.alert: Ref
        self.gateway: Ref
        self.market: Ref
        self._key_owners = {key: name for name, history in recovered.symbols.items() for key in history.done}
        self.positions: dict[str, Ref] = {}
        self.orders: dict[str, Ref] = {}

    def record(self, record: Record, key: str) -> None:
        """Write to the journal, then show it to the taps; a failing tap is logged and does not hurt trading."""
        self.journal.append(record, key=key, ts_ns=self.clock.now_ns())
        for tap in self.taps:
            try:
                tap(record)
            except Exception:
                logger.exception("a listener to journal records failed")

    def claim_key(self, key: str, symbol: str) -> str | None:
        """Reserve a decision key for `symbol`; returns the other symbol that has it already, or None.

        Client order ids are made of the key alone, so two symbols must never share one.
        """
        owner = self._key_owners.setdefault(key, symbol)
        return None if owner == symbol else owner

    def history(self, symbol: str, *, after_restart: bool) -> SymbolHistory:
        """What the journal tells of a symbol; after an actor's restart it is read anew."""
        if after_restart:
            return replay(self.journal.rows()).symbol(symbol)
        return self.recovered.symbol(symbol)

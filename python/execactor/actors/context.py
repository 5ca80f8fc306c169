"""What the actors of one account share: the journal, the venue, the settings, and each other's refs."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pykka

from execactor.actors.recorder import Defer, Recorder, Tap
from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import EngineStateChanged, EnterSafeMode
from execactor.domain.messages.decisions import DecisionReceived
from execactor.domain.messages.orders import OrderUpdate, StrayExecution
from execactor.risk.limits import Limits
from execactor.runtime import Clock
from execactor.runtime.latency import LatencyBoard
from execactor.store.journal import Journal, JournalRow
from execactor.store.records import Record
from execactor.store.recovery import Recovered, SymbolHistory, as_after_a_restart
from execactor.tactics.trade import TradePolicy
from execactor.venues.port import Venue

logger = logging.getLogger(__name__)

Ref = pykka.ActorRef[Any]


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors need of the configuration. Durations in nanoseconds; max_decision_age_ms of wall time.

    halt_marker: the file that an offline kill leaves.
    orphan_stop_fraction: distance of the stop that an adopted position gets, of its entry price.
    """

    account: str
    prefix: str
    symbols: tuple[str, ...]
    policy: TradePolicy
    limits: Limits
    max_decision_age_ms: int = 600_000
    reconcile_interval_ns: int = 300_000_000_000
    position_poll_ns: int = 1_000_000_000
    order_poll_ns: int = 10_000_000_000
    orphan_stop_fraction: Decimal = Decimal("0.01")
    halt_marker: Path | None = None


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The last published figures of the account, quote units; replaced whole, so that reading needs no lock."""

    equity: Decimal = Decimal(0)
    wallet: Decimal = Decimal(0)
    unrealized_pnl: Decimal = Decimal(0)
    day_start: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    daily_loss_fraction: Decimal = Decimal(0)
    drawdown_fraction: Decimal = Decimal(0)


def untold(
    message: OrderUpdate | StrayExecution, told: Collection[tuple[str, str]]
) -> OrderUpdate | StrayExecution | None:
    """What is new in a message for an actor that took up the executions `told` from the journal when it (re)started.

    The journal is written before anybody is told: a message that waited for a restart may tell of a fill once more.
    """
    if message.execution is None or message.execution.key not in told:
        return message
    return msgspec.structs.replace(message, execution=None) if isinstance(message, OrderUpdate) else None


class Context:
    """One per engine. The refs are filled in by the engine before any message flows.

    engine_state, epoch, stream_up and market_up are AccountActor's, acting and waiting PositionActors', kept here for
    actors that restart: symbols whose orders were compared once (busy: those with a plan or a position; last_trade_ms:
    the venue's time of the last execution that we know of), and decisions that wait until risk may be taken.
    stream_since_ms: the venue's time since which the private stream stands. marked_ns: monotonic time of the market
    stream's last mark price, by symbol.
    closing: the engine stops; what still comes from the venue is for the next start. defer: see Recorder.
    """

    def __init__(
        self,
        settings: AccountSettings,
        journal: Journal,
        venue: Venue,
        instruments: Mapping[str, Instrument],
        clock: Clock,
        recovered: Recovered,
        defer: Defer | None = None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.venue = venue
        self.instruments = instruments
        self.clock = clock
        self.recorder = Recorder(journal, clock, recovered, self._unwritable, defer)
        self.latencies = LatencyBoard()
        self.view = AccountView()
        self.state_listeners: list[Callable[[EngineStateChanged], None]] = []
        self.engine_state = EngineState.STARTING
        self.epoch = recovered.epoch
        self.stream_up = True
        self.stream_since_ms = 0
        self.market_up = True
        self.acting: set[str] = set()
        self.busy: set[str] = set()
        self.marked_ns: dict[str, int] = {}
        self.last_trade_ms = {name: history.last_trade_ms for name, history in recovered.symbols.items()}
        self.waiting: dict[str, DecisionReceived] = {}
        self.closing = False
        self.account: Ref
        self.risk: Ref
        self.reconciler: Ref
        self.alert: Ref
        self.gateway: Ref
        self.market: Ref
        self._keys = {
            key: (name, body_hash)
            for name, history in recovered.symbols.items()
            for key, body_hash in history.done.items()
        }
        self.positions: dict[str, Ref] = {}
        self.orders: dict[str, Ref] = {}

    @property
    def venue_ms(self) -> int:
        """The venue's time now, as far as its clock is known."""
        return self.clock.now_ns() // 1_000_000 + int(self.venue.clock_offset_ms())

    @property
    def recovered(self) -> Recovered:
        """What the journal tells, this run included."""
        return self.recorder.recovered

    @property
    def taps(self) -> list[Tap]:
        """Who sees each record once it is written."""
        return self.recorder.taps

    @property
    def durable(self) -> bool:
        """Whether the journal holds every record; while it does not, nothing that takes risk may leave."""
        return self.recorder.durable

    def record(self, record: Record, key: str) -> None:
        """Have a record written in this turn of the loop, or by the next `write`."""
        self.recorder.record(record, key)

    def write(self) -> None:
        """Have the journal hold every record. To be called before anything leaves the process."""
        self.recorder.write()

    def rows(self) -> Iterator[JournalRow]:
        """The journal's records, and those that wait for their place in it."""
        return self.recorder.rows()

    def _unwritable(self, reason: str) -> None:
        if not self.closing:
            self.account.tell(EnterSafeMode(reason=reason))

    def executions_of(self, symbol: str) -> list[tuple[str, Execution]]:
        """Executions of a symbol's present plan in the journal, with the client id of their order."""
        return list(self.recovered.symbol(symbol).executions)

    def knows_key(self, key: str) -> bool:
        """Whether a decision key was ever taken up on this account."""
        return key in self._keys

    def claim_key(self, key: str, symbol: str, body_hash: str) -> tuple[str, str]:
        """Whose a decision key is, and the hash of its body; reserves it when it was free. Keys are never forgotten.

        Client order ids are made of the key alone, so two symbols must never share one.
        """
        return self._keys.setdefault(key, (symbol, body_hash))

    def history(self, symbol: str, *, after_restart: bool) -> SymbolHistory:
        """What the journal tells of a symbol; after an actor's restart, what was in flight is UNKNOWN."""
        history = self.recovered.symbol(symbol)
        return as_after_a_restart(history) if after_restart else history

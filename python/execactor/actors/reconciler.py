"""ReconcilerActor: at start, every N minutes, after each reconnect and each surprise: our view against the venue's."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from execactor.actors.context import Context
from execactor.actors.examination import trades_since
from execactor.actors.polls import PollPositions, PositionPoll, PositionsCame, tell_mark
from execactor.actors.risk import WalletKnown
from execactor.domain.account import VenueSnapshot
from execactor.domain.errors import VenueFatal
from execactor.domain.messages.account import Alert, AlertLevel, EnterSafeMode
from execactor.domain.messages.reconciliation import ReconcileEnded, RequestReconcile, SnapshotArrived, SymbolReconciled
from execactor.reconcile.cadence import slowdown
from execactor.reconcile.findings import FindingKind
from execactor.reconcile.survey import outside
from execactor.runtime import LoopActor
from execactor.store.records import Reconciled

logger = logging.getLogger(__name__)

SETTLE_NS = 1_000_000_000
ROUND_DEADLINE_NS = 5_000_000_000
FIRST_RETRY_NS = 250_000_000
LONGEST_RETRY_NS = 5_000_000_000
ROUNDS = 10
WATCH = "orders are watched"
FEW_SYMBOLS = 20
TRADED_LATELY_MS = 86_400_000


class WatchOrders(msgspec.Struct, frozen=True):
    """Time to see whether our orders are still there: a venue may drop a stop without an event."""


class StartRound(msgspec.Struct, frozen=True):
    """Time for another comparison."""

    reason: str


class SnapshotCame(msgspec.Struct, frozen=True):
    """The venue answered."""

    snapshot: VenueSnapshot


class SnapshotFailed(msgspec.Struct, frozen=True):
    """The venue did not answer; fatal: it refuses to work with this account."""

    reason: str
    fatal: bool = False


class SettleRound(msgspec.Struct, frozen=True):
    """Time to look again at what had not settled."""


class RoundOverdue(msgspec.Struct, frozen=True):
    """A symbol did not report in time."""


class ReconcilerActor(LoopActor):
    """One per account. Requests that come during a comparison are answered by one more comparison."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.context = context
        self.running = False
        self.reason = ""
        self.waiting_reasons: dict[str, None] = {}
        self.waiting: set[str] = set()
        self.findings: list[tuple[str, str, str]] = []
        self.unsettled: list[str] = []
        self.rounds = 0
        self.failures = 0
        self.started_ns = 0
        self.asked_for: set[str] = set()
        self.symbols_asked_for: set[str] = set()
        self.poll = PositionPoll(context, lambda: self.timers, self.pipe_to_self)

    def on_start(self) -> None:
        """Compare periodically."""
        settings = self.context.settings
        self.timers.every("periodic", settings.reconcile_interval_ns, StartRound("periodic"))
        self._watch_later()
        self.poll.start()

    def on_restart(self, cause: BaseException) -> None:
        """Begin the comparison anew that the failed instance did not end."""
        self.on_start()
        self._request(f"the reconciler restarted: {cause}")

    def on_receive(self, message: Any) -> Any:
        """Drive one comparison at a time."""
        match message:
            case RequestReconcile(reason=reason, symbol=symbol):
                self.symbols_asked_for |= {symbol} if symbol else set()
                self._request(reason)
            case StartRound(reason=reason):
                self._request(reason)
            case PollPositions():
                self.poll.ask()
            case PositionsCame(positions):
                self.poll.came(positions)
            case WatchOrders():
                self._watch_orders()
            case SnapshotCame(snapshot=snapshot):
                self._spread(snapshot)
            case SnapshotFailed(reason=reason, fatal=fatal):
                if fatal:
                    text = f"the venue refuses to work with this account: {reason}"
                    self.context.account.tell(EnterSafeMode(reason=text))
                self._retry(reason)
            case SymbolReconciled():
                self._collect(message)
            case SettleRound():
                self._ask()
            case RoundOverdue():
                self.unsettled.extend(self.waiting)
                self.waiting.clear()
                self._end_round()

    def _watch_orders(self) -> None:
        """Compare while anything of ours lives; less often while the venue's request budget is short."""
        self._watch_later()
        if self.context.busy and not self.running:
            self._request(WATCH)

    def _watch_later(self) -> None:
        pause_ns = self.context.settings.order_poll_ns * slowdown(self.context.venue.load())
        self.timers.once("orders", pause_ns, WatchOrders())

    def _request(self, reason: str) -> None:
        if self.running:
            self.waiting_reasons[reason] = None
            return
        logger.log(logging.DEBUG if reason == WATCH else logging.INFO, "reconciling: %s", reason)
        self.running, self.reason = True, reason
        self.rounds, self.findings = 0, []
        self.asked_for, self.symbols_asked_for = self.symbols_asked_for, set()
        self.started_ns = self.clock.monotonic_ns()
        self._ask()

    def _ask(self) -> None:
        self.rounds += 1
        asked = self.context.venue.snapshot(self.context.settings.symbols, self._trades_since())
        self.pipe_to_self(
            asked,
            SnapshotCame,
            lambda error: SnapshotFailed(str(error) or repr(error), fatal=isinstance(error, VenueFatal)),
        )

    def _trades_since(self) -> dict[str, int]:
        """Of which symbols to ask for trades, and since when.

        Each symbol is a question of its own to the venue. A watch asks for none until it finds something; where symbols
        are many, those are asked for in which we trade, traded lately, or which somebody asked about.
        """
        context = self.context
        symbols: Iterable[str] = context.settings.symbols
        if self.reason == WATCH:
            symbols = context.busy if self.rounds > 1 else ()
        elif len(context.settings.symbols) > FEW_SYMBOLS:
            lately_ms = self.clock.now_ns() // 1_000_000 - TRADED_LATELY_MS
            traded = {symbol for symbol, time_ms in context.last_trade_ms.items() if time_ms > lately_ms}
            symbols = (context.busy | traded | self.asked_for) & set(context.settings.symbols)
        return trades_since(context, symbols)

    def _retry(self, reason: str) -> None:
        self.failures += 1
        self.symbols_asked_for |= self.asked_for
        delay_ns = min(FIRST_RETRY_NS << min(self.failures - 1, 5), LONGEST_RETRY_NS)
        logger.warning("the venue's snapshot could not be fetched: %s; again in %d ms", reason, delay_ns // 1_000_000)
        if self.failures == ROUNDS:
            text = f"reconciliation fails for the {self.failures}th time: {reason}"
            self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="RECONCILE_FAILING", text=text))
        self.running = False
        self.timers.once("again", delay_ns, StartRound(self.reason))

    def _spread(self, snapshot: VenueSnapshot) -> None:
        self.failures = 0
        context = self.context
        context.risk.tell(WalletKnown(snapshot.wallet_balance))
        self.waiting = set(context.orders)
        self.unsettled = []
        self._look_at_strangers(snapshot)
        for position in snapshot.positions:
            if position.symbol in context.positions:
                tell_mark(context, position)
        for symbol, actor in context.orders.items():
            actor.tell(SnapshotArrived(snapshot=snapshot.of(symbol)))
        self.timers.once("overdue", ROUND_DEADLINE_NS, RoundOverdue())

    def _look_at_strangers(self, snapshot: VenueSnapshot) -> None:
        """Positions and orders in symbols that this engine does not trade: never touched, but no new risk either."""
        strangers = outside(self.context.orders, snapshot)
        self.findings += [("", str(stranger.kind), stranger.subject) for stranger in strangers]
        if strangers:
            reason = f"not of this engine: {', '.join(stranger.subject for stranger in strangers[:5])}"
            self.context.account.tell(EnterSafeMode(reason=reason))

    def _collect(self, message: SymbolReconciled) -> None:
        if message.symbol not in self.waiting:
            return
        self.waiting.discard(message.symbol)
        self.findings += [(message.symbol, kind, detail) for kind, detail in message.findings]
        if not message.settled:
            self.unsettled.append(message.symbol)
        if not self.waiting:
            self._end_round()

    def _end_round(self) -> None:
        self.timers.cancel("overdue")
        if self.unsettled and self.rounds < ROUNDS:
            self.timers.once("settle", SETTLE_NS, SettleRound())
            return
        self._finish()

    def _finish(self) -> None:
        unique = list(dict.fromkeys(self.findings))
        counts = dict(Counter(kind for _, kind, _ in unique))
        details = tuple(f"{symbol} {kind}: {detail}".strip() for symbol, kind, detail in unique)
        settled = not self.unsettled
        record = Reconciled(reason=self.reason, counts=counts, details=details, rounds=self.rounds, settled=settled)
        if details or self.reason != WATCH:
            self.context.record(record, self.context.settings.account)
            self._report(details, counts)
        self.running = False
        self.context.account.tell(ReconcileEnded(started_ns=self.started_ns, settled=settled, reason=self.reason))
        if self.waiting_reasons:
            following, self.waiting_reasons = "; ".join(self.waiting_reasons), {}
            self.timers.once("again", FIRST_RETRY_NS, StartRound(following))

    def _report(self, details: tuple[str, ...], counts: dict[str, int]) -> None:
        if str(FindingKind.MISSING_STOP) in counts:
            text = "; ".join(detail for detail in details if str(FindingKind.MISSING_STOP) in detail)
            self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="MISSING_STOP", text=text))
        if details:
            logger.warning("reconciled (%s): %s", self.reason, "; ".join(details))
        else:
            logger.info("reconciled (%s): no difference", self.reason)
        if self.unsettled:
            text = (
                f"no agreement with the venue about {', '.join(sorted(set(self.unsettled)))} after {self.rounds} rounds"
            )
            self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="RECONCILE_UNSETTLED", text=text))
            self.context.account.tell(EnterSafeMode(reason=text))

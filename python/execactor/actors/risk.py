"""RiskActor: the only way to a risk-increasing order; reserves, releases, and watches the equity."""

from decimal import Decimal
from typing import Any

import msgspec

from execactor.actors.context import AccountView, Context, untold
from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert, AlertLevel, EngineStateChanged, Kill, PauseEntries
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import (
    EntryAbandoned,
    EntryRefused,
    ExecutionsForgotten,
    OrderUpdate,
    RequestApproval,
    StrayExecution,
    SubmitApproved,
)
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected, RequestReconcile
from execactor.domain.position import Position
from execactor.domain.reports import AccountReport
from execactor.risk.equity import Breach, EquityWatch, forgive, observe
from execactor.risk.exposure import ExposureBook, Refusal
from execactor.runtime import LoopActor
from execactor.store.records import EquityMarked
from execactor.store.recovery import Recovered

WATCH_INTERVAL_NS = 250_000_000
_NOTABLE_FRACTION = Decimal("0.001")


class WatchEquity(msgspec.Struct, frozen=True):
    """Time to look at the equity."""


class WalletKnown(msgspec.Struct, frozen=True):
    """The venue told the wallet balance in a snapshot, quote units."""

    wallet: Decimal


class ForgiveLosses(msgspec.Struct, frozen=True):
    """A person resumes after a loss limit."""


class RiskActor(LoopActor):
    """One per account."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.context = context
        self.book = ExposureBook(context.settings.limits)
        self.equity = EquityWatch()
        self.wallet: Decimal | None = None
        self.engine = context.engine_state
        self.epoch = 0
        self.marked = EquityWatch()
        self.told: set[tuple[str, str]] = set()
        self.stated: dict[str, Decimal] = {}

    def on_start(self) -> None:
        """Rebuild positions, reservations and the equity marks from the journal."""
        self._restore(self.context.recovered)

    def on_restart(self, cause: BaseException) -> None:
        """Start again from the journal, in the engine's present state; a snapshot brings the wallet."""
        self._restore(self.context.recovered)
        self.context.reconciler.tell(RequestReconcile(reason=f"the risk actor restarted: {cause}"))

    def on_receive(self, message: Any) -> Any:
        """Approve or refuse, and keep the books."""
        match message:
            case RequestApproval():
                self._decide(message)
            case OrderUpdate() | StrayExecution():
                self._on_news(untold(message, self.told))
                if message.execution is not None:
                    self.told.add(message.execution.key)
            case ExecutionsForgotten(keys):
                self.told -= keys
            case EntryAbandoned(client_id=client_id):
                self.book.release(client_id)
            case MarkUpdate():
                self.book.marks[message.symbol] = message.price
            case PositionAdopted(position=position) | PositionCorrected(position=position):
                self.book.positions[position.symbol] = position
                self.stated[position.symbol] = position.quantity
            case AccountReport():
                if message.wallet_balance is not None:
                    self.wallet = message.wallet_balance
                self.stated |= {position.symbol: position.quantity for position in message.positions}
            case WalletKnown(wallet):
                self.wallet = wallet
                self._look_at_equity()
            case WatchEquity():
                self._look_at_equity()
            case ForgiveLosses():
                self.equity = forgive(self.equity)
                self._mark_equity()
            case EngineStateChanged():
                self.engine, self.epoch = message.state, message.epoch

    def _on_news(self, message: OrderUpdate | StrayExecution | None) -> None:
        match message:
            case OrderUpdate(order=order, execution=execution):
                self.book.on_order(order, execution)
            case StrayExecution(execution=execution):
                before = self.book.positions.get(execution.symbol, Position(symbol=execution.symbol))
                self.book.positions[execution.symbol] = before.after(execution)

    def _decide(self, request: RequestApproval) -> None:
        intent = request.intent
        verdict = self.book.check(intent, self.engine, self.epoch, self.clock.monotonic_ns())
        if isinstance(verdict, Refusal):
            reason = f"{verdict.code}: {verdict.detail}"
            self.context.positions[intent.symbol].tell(EntryRefused(client_id=intent.client_id, reason=reason))
        else:
            self.context.orders[intent.symbol].tell(SubmitApproved(intent=intent, token=verdict))

    def _look_at_equity(self) -> None:
        if self.wallet is None or self._between_wallet_and_fill():
            return
        unrealized = self.book.unrealized_pnl()
        equity = self.wallet + unrealized
        now_ms = self.clock.now_ns() // 1_000_000
        self.equity, newly = observe(self.equity, equity, now_ms, self.context.settings.limits)
        watch = self.equity
        self.context.view = AccountView(
            equity=equity,
            wallet=self.wallet,
            unrealized_pnl=unrealized,
            day_start=watch.day_start,
            peak=watch.peak,
            daily_loss_fraction=watch.daily_loss_fraction,
            drawdown_fraction=watch.drawdown_fraction,
        )
        notable = watch.peak > self.marked.peak * (1 + _NOTABLE_FRACTION)
        if notable or watch.day != self.marked.day or watch.breached != self.marked.breached:
            self._mark_equity()
        # The level counts, not the edge: a breach that was journaled just before the process died still stops trading.
        for breach in watch.breached:
            self._on_breach(breach, alert=breach in newly)

    def _between_wallet_and_fill(self) -> bool:
        """Whether the wallet has moved for a fill that is not booked yet: its P&L would count twice, or not at all."""
        booked = self.book.positions
        return any(
            quantity != (booked[symbol].quantity if symbol in booked else 0) for symbol, quantity in self.stated.items()
        )

    def _on_breach(self, breach: Breach, *, alert: bool) -> None:
        watch, context = self.equity, self.context
        if breach is Breach.DRAWDOWN:
            text = f"drawdown {watch.drawdown_fraction:.2%} of the peak {watch.peak:f}"
            if self.engine not in (EngineState.STARTING, EngineState.HALTED):
                context.account.tell(Kill(reason=text))
        else:
            text = f"daily loss {watch.daily_loss_fraction:.2%} of {watch.day_start:f}"
            if self.engine.takes_risk:
                context.account.tell(PauseEntries(reason=text))
        if alert:
            context.alert.tell(Alert(level=AlertLevel.CRITICAL, code=f"{breach}_breach".upper(), text=text))

    def _mark_equity(self) -> None:
        self.marked = self.equity
        watch = self.equity
        record = EquityMarked(
            day=watch.day,
            day_start=watch.day_start,
            peak=watch.peak,
            breached=tuple(str(breach) for breach in watch.breached),
        )
        self.context.record(record, self.context.settings.account)

    def _restore(self, recovered: Recovered) -> None:
        self.engine, self.epoch = self.context.engine_state, self.context.epoch
        self.told = set().union(*(history.booked for history in recovered.symbols.values()))
        for history in recovered.symbols.values():
            if not history.position.flat:
                self.book.positions[history.symbol] = history.position
            for order in history.orders.values():
                self.book.restore(order)
        mark = recovered.equity
        if mark is not None:
            breached = tuple(Breach(name) for name in mark.breached)
            self.equity = EquityWatch(
                day=mark.day, day_start=mark.day_start, peak=mark.peak, equity=mark.peak, breached=breached
            )
            self.marked = self.equity
        self.timers.every("equity", WATCH_INTERVAL_NS, WatchEquity())

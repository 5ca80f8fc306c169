"""The engine of one account, and the API for embedding it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from execactor import assembly, config
from execactor.actors.account import AccountStatus, Begin
from execactor.actors.examination import difference
from execactor.actors.position import PositionView
from execactor.actors.recorder import Tap
from execactor.assembly import Assembly
from execactor.config import Config, Credentials
from execactor.domain.account import EngineState
from execactor.domain.decision import Decision, parse_decision
from execactor.domain.errors import ExecactorError
from execactor.domain.ids import decision_key
from execactor.domain.messages.account import Kill, Resume
from execactor.domain.messages.decisions import DecisionReceived, FlatMode, Receipt, SignalReceived, TradeClosed
from execactor.domain.messages.orders import CancelOrder
from execactor.domain.messages.reconciliation import RequestReconcile
from execactor.domain.order import Order, OrderState, Role
from execactor.domain.signal import Signal, SignalAction, signal_problem
from execactor.listeners import Callback, Expectations, Fill, Listeners, StateChanges
from execactor.outcomes import (
    EmergencyStop,
    OrderResult,
    OrderStatus,
    Validation,
    compared_for,
    ended,
    entry_result,
    kill_complete,
    status_of,
)
from execactor.overview import Overview, asked
from execactor.reconcile.findings import Finding
from execactor.risk.kill_switch import Stage
from execactor.runtime import Clock, SystemClock
from execactor.store.journal import Journal
from execactor.store.lock import HALT_MARKER
from execactor.store.records import Reconciled
from execactor.venues.port import Venue

logger = logging.getLogger(__name__)

ANSWER_S = 5.0
_SLICES = 3
"""Of the dispatcher's time, for a decision that was handed over: enough for its order to leave on a busy machine."""


class Engine:
    """One account. Use as `async with Engine.from_config(...)`, or call `start` and `stop`.

    It runs on the event loop that starts it, installs no signal handlers and configures no logging. A clock, a venue
    and what opens the journal may be passed in. All methods are for that loop's thread; prices and quantities are
    Decimals.
    """

    def __init__(
        self,
        settings: Config,
        credentials: Credentials | None = None,
        *,
        clock: Clock | None = None,
        venue: Venue | None = None,
        open_journal: assembly.OpenJournal = Journal,
    ) -> None:
        self.config = settings
        self.listeners = Listeners()
        self._credentials = credentials
        self._clock = clock
        self._venue = venue
        self._open_journal = open_journal
        self._assembly: Assembly | None = None
        self._overview = Overview(settings, self._running)
        self._expectations = Expectations()
        self._state_changes = StateChanges()

    @classmethod
    def from_config(cls, source: Config | Path | str | Mapping[str, Any], **options: Any) -> Self:
        """An engine from a configuration object, the path of a TOML file, or a mapping shaped like one.

        options: credentials, clock, venue as in the constructor; without credentials they come from the environment.
        Raises ConfigurationError for a setting that is wrong.
        """
        if isinstance(source, Config):
            return cls(source, **options)
        if isinstance(source, Mapping):
            return cls(config.from_mapping(source), **options)
        return cls(config.load(Path(source)), **options)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Lock the account, replay the journal, connect, and begin to reconcile; returns before that has ended.

        A venue that cannot be reached is tried again for 20 s. Raises ConfigurationError, VenueFatal or RetryLater;
        nothing is left running then. See `ready`.
        """
        if self._assembly is not None:
            raise RuntimeError("the engine is running already")
        credentials = self._credentials or config.credentials(self.config)
        clock = self._clock or SystemClock(asyncio.get_running_loop())
        account = assembly.fingerprint(self.config, credentials)
        lock = assembly.take_account(self.config, account)
        venue = self._venue or assembly.make_venue(self.config, credentials, clock)
        made: Assembly | None = None
        try:
            instruments = await assembly.persistently(venue.instruments)
            made = assembly.assemble(self.config, account, lock, venue, instruments, clock, self._open_journal)
            self._listen(made)
            router, books = made.router, made.books
            await assembly.persistently(lambda: venue.connect(router, books))
        except BaseException:
            if made is not None:
                await assembly.take_down(made)
            else:
                await venue.close()
                lock.release()
            raise
        self._assembly = made
        marker = self.config.data_path / HALT_MARKER
        halted = marker.read_text(encoding="utf-8").strip() or "offline kill" if marker.exists() else ""
        made.context.account.tell(Begin(halted))
        await assembly.start_decision_source(made, self.config)

    async def ready(self, timeout_s: float | None = None) -> EngineState:
        """Wait until the first comparison with the venue has ended; returns the state then.

        Raises TimeoutError.
        """
        beyond = frozenset(EngineState) - {EngineState.STARTING, EngineState.RECONCILING}
        return await asyncio.wait_for(self._state_changes.until(beyond, lambda: self.state), timeout_s)

    async def stop(self) -> None:
        """Stop taking work, close connections and the journal. Orders at the venue stay: they protect the positions."""
        made, self._assembly = self._assembly, None
        if made is not None:
            await assembly.take_down(made)
            await self.listeners.drain()

    def collect_when_idle(self) -> None:
        """Take garbage collection, which is the whole process's, over from the interpreter until `stop`.

        From then on it runs between trades, at most once a minute and at least every ten. Call it after warm-up.
        """
        self._running().care.collect_when_idle()

    @property
    def state(self) -> EngineState:
        """The engine's state; STARTING before `start`."""
        return self._assembly.context.engine_state if self._assembly is not None else EngineState.STARTING

    async def validate_signal(self, signal: Signal) -> Validation:
        """Whether `signal` would be taken up now; nothing is sent."""
        made = self._running()
        if signal.symbol not in made.context.positions:
            return Validation(valid=False, reason=f"symbol {signal.symbol} is not among the configured symbols")
        view = await self._overview.position(signal.symbol)
        mark = Decimal(view.mark_price) if view.mark_price is not None else None
        problem = signal_problem(signal, stop_required=self.config.protection.stop_required, reference_price=mark)
        if problem is None and not signal.action.closes and not self.state.takes_risk:
            problem = f"the engine is {self.state}: no new risk is taken"
        return Validation(valid=problem is None, reason=problem or "")

    async def execute_signal(self, signal: Signal, *, timeout_s: float = ANSWER_S) -> OrderResult:
        """Execute a signal once per idempotency key; returns when the venue has answered the entry.

        A repetition returns success with `duplicate` set and sends nothing. Never raises for what venue or risk say.
        """
        made = self._running()
        actor = made.context.positions.get(signal.symbol)
        if actor is None:
            reason = f"symbol {signal.symbol} is not among the configured symbols"
            return OrderResult(success=False, key=signal.idempotency_key, error=reason)
        received_ns = made.context.clock.monotonic_ns()
        key = decision_key(signal.idempotency_key, signal.symbol, "")
        answer = self._expectations.expect(lambda record: entry_result(record, key))
        try:
            receipt: Receipt = await asked(actor, SignalReceived(signal=signal, received_ns=received_ns))
            if not receipt.accepted or receipt.duplicate or signal.action.closes:
                error = "" if receipt.accepted else receipt.reason
                return OrderResult(success=receipt.accepted, key=receipt.key, duplicate=receipt.duplicate, error=error)
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            return OrderResult(success=False, key=key, error="the venue has not answered in time")
        finally:
            answer.cancel()

    async def place_order(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        price: Decimal | None = None,
        *,
        idempotency_key: str,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
    ) -> OrderResult:
        """Place one entry: limit exactly when a price is given. side: buy or sell; quantity in base units."""
        signal = Signal(
            idempotency_key=idempotency_key,
            symbol=symbol,
            action=SignalAction(side.lower()),
            quantity=quantity,
            price=price,
            stop_loss=stop_loss,
            take_profit=take_profit,
        )
        return await self.execute_signal(signal)

    async def submit_decision(self, body: bytes) -> Decision:
        """Take up one decision.json given as bytes.

        Raises ValueError with the reason when it cannot be followed; its symbol then goes into flat mode.
        """
        made = self._running()
        context = made.context
        received_ns = context.clock.monotonic_ns()
        max_age_ms = self.config.decisions.max_age_s * 1_000
        decision = parse_decision(body, context.clock.now_ns() // 1_000_000, max_age_ms=max_age_ms)
        if not isinstance(decision, Decision):
            if decision.symbol in context.positions:
                context.positions[decision.symbol].tell(FlatMode(reason=decision.reason))
            raise ValueError(decision.reason)  # noqa: TRY004  a value that is wrong, not a type
        if decision.symbol not in context.positions:
            raise ValueError(f"symbol {decision.symbol} is not among the configured symbols")
        context.positions[decision.symbol].tell(DecisionReceived(decision=decision, received_ns=received_ns))
        for _ in range(_SLICES):
            if made.system.dispatcher.flush():
                break
        return decision

    async def cancel_order(self, client_id: str, *, timeout_s: float = ANSWER_S) -> bool:
        """Cancel an entry; True when it has ended without being filled whole.

        Protective orders are not cancelled (False): the engine would place them again.
        """
        order = await self._overview.order(client_id)
        if order is None or order.intent.role.protective:
            return False
        ending = self._expectations.expect(lambda record: ended(record, client_id))
        actor = self._running().context.orders[order.intent.symbol]
        actor.tell(CancelOrder(client_id=client_id, reason="asked by the user"))
        if not order.live:
            ending.cancel()
            return order.state is not OrderState.FILLED
        try:
            order = await asyncio.wait_for(ending, timeout_s)
        except TimeoutError:
            return False
        return order.state is not OrderState.FILLED

    async def get_order_status(self, client_id: str) -> OrderStatus | None:
        """An order of this engine's last 24 hours by its client id; None when there is none."""
        order = await self._overview.order(client_id)
        return None if order is None else status_of(order)

    def monitor_fills(self) -> AsyncIterator[Fill]:
        """Fills from now on, in the venue's order."""
        return self.listeners.fills()

    async def get_performance_metrics(self) -> dict[str, Any]:
        """Figures in the shape of source document 002: engine, positions, risk, monitoring."""
        return await self._overview.figures()

    async def emergency_stop(self, reason: str = "emergency stop", *, timeout_s: float = 30.0) -> EmergencyStop:
        """Pull the kill switch and wait until the venue showed no position twice; stays off until `resume`."""
        context = self._running().context
        before = [view.symbol for view in await self.positions() if not view.position.flat]
        resting = [order.client_id for order in await self.orders() if order.live and order.intent.role is Role.ENTRY]
        complete = self._expectations.expect(kill_complete)
        context.account.tell(Kill(reason=reason))
        errors: list[str] = []
        try:
            if before or (await self.account_status()).kill_stage is not Stage.FLAT:
                await asyncio.wait_for(complete, timeout_s)
        except TimeoutError:
            errors.append(f"not confirmed flat within {timeout_s:g} s; the sequence goes on")
        finally:
            complete.cancel()
        after = {view.symbol for view in await self.positions() if not view.position.flat}
        return EmergencyStop(
            cancelled_orders=resting,
            closed_positions=[symbol for symbol in before if symbol not in after],
            errors=errors,
        )

    async def resume(self, reason: str) -> str | None:
        """Lift PAUSED, SAFE_MODE or HALTED after a comparison with the venue; returns why that is refused, or None."""
        refusal: str | None = await asked(self._running().context.account, Resume(reason=reason))
        return refusal

    def kill(self, reason: str) -> None:
        """Pull the kill switch without waiting."""
        self._running().context.account.tell(Kill(reason=reason))

    async def difference(self) -> list[Finding]:
        """What a comparison would find now; nothing is done about it. Raises RetryLater or VenueFatal."""
        return await difference(self._running().context)

    async def reconcile(self, reason: str, *, timeout_s: float = 15.0) -> Reconciled:
        """Compare with the venue now and act on what is found. Raises TimeoutError."""
        comparison = self._expectations.expect(lambda record: compared_for(record, reason))
        self._running().context.reconciler.tell(RequestReconcile(reason=reason))
        try:
            return await asyncio.wait_for(comparison, timeout_s)
        finally:
            comparison.cancel()

    async def account_status(self) -> AccountStatus:
        """State, reason, epoch and the stage of the kill sequence."""
        return await self._overview.account()

    async def positions(self) -> list[PositionView]:
        """Every symbol's trade."""
        return await self._overview.positions()

    async def orders(self) -> list[Order]:
        """Orders of the last 24 hours, ended ones included."""
        return await self._overview.orders()

    def trades(self) -> list[TradeClosed]:
        """The last 10,000 closed trades, those of earlier runs included, oldest first; the journal holds all."""
        return self._overview.trades()

    def fills(self) -> list[Fill]:
        """The last 10,000 fills, those of earlier runs included, oldest first; the journal holds all."""
        return self._overview.fills()

    @property
    def journal(self) -> Journal:
        """What the running engine wrote down, for reading. Raises ExecactorError while it does not run."""
        context = self._running().context
        context.write()
        return context.journal

    def on_record(self, tap: Tap) -> Callable[[], None]:
        """Call `tap` with each journal record from now on, as it is written; returns what ends that."""
        taps = self._running().context.taps
        taps.append(tap)
        return lambda: taps.remove(tap)

    async def status(self) -> dict[str, Any]:
        """What `execactor status` shows."""
        return await self._overview.status()

    def on_filled(self, callback: Callback) -> Callback:
        """Call with the Order once it is filled whole. Callbacks may be async; their exceptions are logged."""
        return self.listeners.add("filled", callback)

    def on_partial_fill(self, callback: Callback) -> Callback:
        """Call with the Order at each partial fill."""
        return self.listeners.add("partial_fill", callback)

    def on_cancelled(self, callback: Callback) -> Callback:
        """Call with the Order once it has ended cancelled or expired."""
        return self.listeners.add("cancelled", callback)

    def on_rejected(self, callback: Callback) -> Callback:
        """Call with the Order once venue or risk refused it."""
        return self.listeners.add("rejected", callback)

    def on_timeout(self, callback: Callback) -> Callback:
        """Call with PlanEnded when an entry was withdrawn because its decision grew stale."""
        return self.listeners.add("timeout", callback)

    def _running(self) -> Assembly:
        if self._assembly is None:
            raise ExecactorError("the engine is not running: await start() first")
        return self._assembly

    def _listen(self, made: Assembly) -> None:
        made.context.taps.extend((self.listeners.on_record, self._expectations.on_record))
        self._overview.follow(made)
        made.context.state_listeners.append(self._state_changes.on_state)

"""PositionActor: owns one symbol's position; feeds its machine and carries out the effects."""

from decimal import Decimal
from typing import Any, cast

import msgspec

from execactor.actors.context import Context, untold
from execactor.actors.examination import ExaminePosition
from execactor.actors.restored_trade import restored
from execactor.domain.account import EngineState
from execactor.domain.decision import Action
from execactor.domain.ids import decision_key
from execactor.domain.messages.account import Alert, AlertLevel, EngineStateChanged, EnterSafeMode, Flatten
from execactor.domain.messages.decisions import (
    DecisionReceived,
    FlatMode,
    FlatRequested,
    PlanAccepted,
    PlanEnded,
    PlanReceived,
    PlanRefused,
    PlanStarted,
    Receipt,
    SignalReceived,
    TradeClosed,
)
from execactor.domain.messages.market import Quote
from execactor.domain.messages.orders import (
    CancelOrder,
    EntryAbandoned,
    EntryRefused,
    ExecutionsForgotten,
    OrderUpdate,
    RequestApproval,
    StrayExecution,
    SubmitProtective,
)
from execactor.domain.messages.reconciliation import (
    OrdersReconciled,
    PositionAdopted,
    PositionCorrected,
    RequestReconcile,
    SymbolReconciled,
    VenuePositionSeen,
)
from execactor.domain.order import Facts, OrderEvent, RejectCause, advance
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.domain.signal import SignalAction, signal_problem
from execactor.reconcile.compare import Verdict, compare_position, judge_position
from execactor.reconcile.findings import Finding, FindingKind
from execactor.runtime import LoopActor, LoopRef
from execactor.store.records import OrderChanged
from execactor.store.recovery import SymbolHistory
from execactor.tactics.entry import notional_by_risk, plan_from_decision, plan_from_signal
from execactor.tactics.position import Event, Tick, fresh, next_wake_ns, observe, step
from execactor.tactics.targets import missing
from execactor.tactics.trade import Effect, Phase

SIGNAL_VALID_MS = 300_000


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's trade as people see it."""

    symbol: str
    phase: Phase
    position: Position
    key: str = ""
    mark_price: str | None = None
    stop_price: str | None = None
    bid: str | None = None
    ask: str | None = None
    exit_reason: str = ""


class Describe(msgspec.Struct, frozen=True):
    """Asks an actor for its view."""


class Rearm(msgspec.Struct, frozen=True):
    """Time to set the timer anew, now that what had to leave has left."""


class PositionActor(LoopActor):
    """One per symbol. Until its orders were first compared with the venue's it only observes; from then on it acts."""

    def __init__(self, context: Context, symbol: str) -> None:
        super().__init__(context, symbol)
        self.context = context
        self.symbol = symbol
        self.active = symbol in context.acting
        self.quote: Quote | None = None
        self.difference: tuple[Decimal, Decimal] | None = None
        self.told: set[tuple[str, str]] = set()
        self.rearming = False
        settings = context.settings
        self.state = fresh(context.instruments[symbol], settings.policy, settings.prefix)

    def on_start(self) -> None:
        """Take up what the journal tells."""
        self._restore(self.context.history(self.symbol, after_restart=False))

    def on_restart(self, cause: BaseException) -> None:
        """Start again from the journal, in the engine's present state; the reconciler then compares with the venue."""
        context = self.context
        self._restore(context.history(self.symbol, after_restart=True))
        state, reason = context.engine_state, f"the position actor restarted: {cause}"
        self._feed(EngineStateChanged(state=state, epoch=context.epoch, reason=reason))
        if state is EngineState.HALTED:
            self._feed(Flatten(reason=reason))
        context.reconciler.tell(RequestReconcile(symbol=self.symbol, reason=f"{self.symbol}: {reason}"))

    def on_receive(self, message: Any) -> Any:
        """Feed the machine; decisions and signals are sized first."""
        match message:
            case Describe():
                return self._view()
            case ExaminePosition():
                return self._examine(message)
            case Quote():
                self.quote = message
            case DecisionReceived():
                self._on_decision(message)
            case SignalReceived():
                return self._on_signal(message)
            case OrdersReconciled():
                self._compare(message)
            case EngineStateChanged():
                self._on_engine_state(message)
            case FlatMode() | FlatRequested():
                self.context.waiting.pop(self.symbol, None)
                self._feed(message)
            case EntryRefused():
                self._record_refusal(message)
                self._feed(message)
            case OrderUpdate() | StrayExecution():
                news = untold(message, self.told)
                if message.execution is not None:
                    self.told.add(message.execution.key)
                if news is not None:
                    self._feed(news)
            case Rearm():
                self.rearming = False
                self._wake()
            case ExecutionsForgotten(keys):
                self.told -= keys
            case _:
                self._feed(message)
        return None

    def _record_refusal(self, message: EntryRefused) -> None:
        """No order came of it, so nobody else writes down how it ended."""
        order = self.state.orders.get(message.client_id)
        if order is not None and order.live:
            facts = Facts(reason=message.reason, cause=RejectCause.RISK)
            order, _ = advance(order, OrderEvent.REJECTED, now_ns=self.clock.monotonic_ns(), facts=facts)
            self.context.record(OrderChanged(order=order), order.client_id)

    def _on_engine_state(self, message: EngineStateChanged) -> None:
        self._feed(message)
        waiting = self.context.waiting.pop(self.symbol, None)
        if waiting is not None:
            self._on_decision(waiting)

    def _feed(self, event: Event) -> None:
        now_ns = self.clock.monotonic_ns()
        advance = step if self.active else observe
        self.state, effects = advance(self.state, event, now_ns)
        busy = self.state.plan is not None or not self.state.position.flat
        (self.context.busy.add if busy else self.context.busy.discard)(self.symbol)
        for effect in effects:
            self._carry_out(effect)
        if self.active and not self.rearming:
            self.rearming = cast("LoopRef[Any]", self.actor_ref).try_tell(Rearm())
            if not self.rearming:
                self._wake()

    def _carry_out(self, effect: Effect) -> None:
        context = self.context
        match effect:
            case RequestApproval() | EntryAbandoned():
                context.risk.tell(effect)
            case SubmitProtective() | CancelOrder():
                context.orders[self.symbol].tell(effect)
            case EnterSafeMode():
                context.account.tell(effect)
            case RequestReconcile():
                context.reconciler.tell(effect)
            case Alert():
                context.alert.tell(effect)
            case PlanAccepted() | PlanStarted() | PlanEnded() | PlanRefused() | TradeClosed():
                context.record(effect, self.symbol)

    def _wake(self) -> None:
        now_ns = self.clock.monotonic_ns()
        wake_ns = next_wake_ns(self.state, now_ns)
        if wake_ns is None:
            self.timers.cancel("tick")
        else:
            self.timers.once("tick", wake_ns - now_ns, Tick())

    def _on_decision(self, message: DecisionReceived) -> None:
        decision = message.decision
        if decision.action is Action.FLAT:
            self.context.waiting.pop(self.symbol, None)
            self._feed(FlatRequested(reason=f"decision {decision.key} is flat"))
            return
        settings = self.context.settings
        if not self.context.engine_state.takes_risk:
            # The newest decision waits; it is checked again, also for its age, when the engine may take risk.
            waiting = self.context.waiting.get(self.symbol)
            if waiting is None or waiting.decision.timestamp_ms <= decision.timestamp_ms:
                self.context.waiting[self.symbol] = message
            return
        if decision.leverage > settings.limits.max_leverage:
            limit = settings.limits.max_leverage
            self._refuse(decision.key, f"leverage {decision.leverage} is above the limit {limit}")
            return
        max_notional = None
        if settings.limits.risk_per_trade_fraction is not None:
            max_notional = notional_by_risk(
                self.context.view.equity,
                settings.limits.risk_per_trade_fraction,
                decision.entry_price,
                decision.sl,
                settings.limits.max_leverage,
            )
        plan = plan_from_decision(
            decision,
            self.context.instruments[self.symbol],
            max_notional=max_notional,
            tp1_fraction=settings.policy.tp1_fraction,
            received_ns=message.received_ns,
            max_age_ms=settings.max_decision_age_ms,
        )
        self._take_up(decision.key, plan)

    def _on_signal(self, message: SignalReceived) -> Receipt:
        signal = message.signal
        name = signal.idempotency_key
        policy, mark = self.state.policy, self.state.mark
        problem = signal_problem(signal, stop_required=policy.stop_required, reference_price=mark)
        if problem is not None:
            return self._refuse(name, problem)
        if signal.action.closes:
            return self._close(signal.action, name)
        if not self.context.engine_state.takes_risk:
            return self._refuse(name, f"the engine is {self.context.engine_state}: no new risk is taken")
        now_ms = self.clock.now_ns() // 1_000_000
        instrument = self.context.instruments[self.symbol]
        plan = plan_from_signal(
            signal, instrument, mark=mark, now_ms=now_ms, valid_ms=SIGNAL_VALID_MS, received_ns=message.received_ns
        )
        return self._take_up(name, plan)

    def _close(self, action: SignalAction, key: str) -> Receipt:
        quantity = self.state.position.quantity
        wrong_side = (action is SignalAction.CLOSE_LONG and quantity < 0) or (
            action is SignalAction.CLOSE_SHORT and quantity > 0
        )
        if wrong_side:
            return self._refuse(key, f"{action} does not fit the position of {quantity}")
        self._feed(FlatRequested(reason=f"signal {key} closes"))
        return Receipt(key=self.state.plan.key if self.state.plan is not None else "", accepted=True)

    def _take_up(self, name: str, plan: Plan | str) -> Receipt:
        if isinstance(plan, str):
            return self._refuse(name, plan)
        if plan.source == "decision" and plan.timestamp_ms < self.context.journal.created_ms:
            return self._refuse(name, "it is older than the journal, which cannot tell whether it was executed before")
        fresh_key = not self.context.knows_key(plan.key)
        owner, known = self.context.claim_key(plan.key, self.symbol, plan.body_hash)
        if owner != self.symbol:
            return self._refuse(name, f"the id was used for {owner}; an id names one decision of the whole account")
        if fresh_key or plan.key in self.state.done:
            remaining_ns = plan.valid_until_ms * 1_000_000 - self.clock.now_ns()
            self._feed(PlanReceived(plan=plan, expires_ns=self.clock.monotonic_ns() + remaining_ns))
        if fresh_key:
            return Receipt(key=plan.key, accepted=True)
        same = known == plan.body_hash
        reason = "taken up before" if same else "the key was used with another content"
        return Receipt(key=plan.key, accepted=same, duplicate=True, reason=reason)

    def _refuse(self, key: str, reason: str) -> Receipt:
        context = self.context
        text = f"{key}: {reason}"
        context.alert.tell(Alert(level=AlertLevel.WARNING, code="PLAN_REFUSED", text=text, symbol=self.symbol))
        context.record(PlanRefused(key=key, symbol=self.symbol, reason=reason), self.symbol)
        return Receipt(key=key, accepted=False, reason=reason)

    def _compare(self, message: OrdersReconciled) -> None:
        """Compare the position with the venue's, after orders and trades were compared."""
        theirs = message.position
        planned = self.state.plan is not None
        compared = compare_position(self.state.position.quantity, theirs.quantity, planned=planned)
        difference = (compared.ours, compared.theirs)
        persists = self.difference == difference
        outdated = message.outdated or message.unjudged
        verdict = judge_position(compared, planned=planned, outdated=outdated, quiet=message.quiet, persists=persists)
        self.difference = None if verdict is Verdict.FINE else difference
        findings = [*message.findings, *((str(found.kind), found.detail) for found in self._missing_targets())]
        if verdict in (Verdict.ADOPT, Verdict.CORRECT):
            self.difference = None
            detail = f"ours {compared.ours}, the venue's {compared.theirs}"
            findings.append((str(compared.kind), detail))
            position = Position(symbol=self.symbol, quantity=theirs.quantity, entry_price=theirs.entry_price)
            event: PositionAdopted | PositionCorrected
            if verdict is Verdict.ADOPT:
                event = self._adoption(position, theirs.update_time_ms)
            else:
                event = PositionCorrected(position=position, reason=detail, update_time_ms=theirs.update_time_ms)
            self.context.record(event, self.symbol)
            self.context.risk.tell(event)
            self.context.orders[self.symbol].tell(event)
            self._feed(event)
        elif not message.outdated:
            # A position that is not booked yet needs its stop already.
            self._feed(VenuePositionSeen(quantity=theirs.quantity))
        if not self.active:
            self.active = True
            self.context.acting.add(self.symbol)
            self._feed(Tick())
        settled = verdict is not Verdict.LOOK_AGAIN
        self.context.reconciler.tell(SymbolReconciled(symbol=self.symbol, findings=tuple(findings), settled=settled))

    def _examine(self, message: ExaminePosition) -> list[Finding]:
        ours = self.state.position.quantity + message.unbooked
        planned = self.state.plan is not None
        compared = compare_position(ours, message.position.quantity, planned=planned)
        found = self._missing_targets()
        if compared.kind is not None:
            detail = f"ours {compared.ours}, the venue's {compared.theirs}"
            found.append(Finding(kind=compared.kind, symbol=self.symbol, detail=detail))
        return found

    def _missing_targets(self) -> list[Finding]:
        kind = FindingKind.MISSING_TAKE_PROFIT
        roles = missing(self.state, self.clock.monotonic_ns())
        return [Finding(kind=kind, symbol=self.symbol, detail=f"no {role} order lives") for role in roles]

    def _adoption(self, position: Position, update_time_ms: int) -> PositionAdopted:
        fraction = self.context.settings.orphan_stop_fraction
        away = position.entry_price * (1 - fraction if position.quantity > 0 else 1 + fraction)
        stop_price = self.context.instruments[self.symbol].stop_price(away, position.closing_side)
        text = f"adopting a position of {position.quantity} that we know nothing of, with a stop at {stop_price}"
        self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="ORPHAN_POSITION", text=text, symbol=self.symbol))
        self.context.account.tell(EnterSafeMode(reason=f"{self.symbol}: {text}"))
        key = decision_key(None, self.symbol, f"{position.closing_side}|{update_time_ms}")
        return PositionAdopted(position=position, stop_price=stop_price, key=key, update_time_ms=update_time_ms)

    def _view(self) -> PositionView:
        state = self.state
        plan = state.plan
        return PositionView(
            symbol=self.symbol,
            phase=state.phase,
            position=state.position,
            key=plan.key if plan is not None else "",
            mark_price=None if state.mark is None else f"{state.mark:f}",
            stop_price=None if plan is None or plan.stop_price is None else f"{plan.stop_price:f}",
            bid=None if self.quote is None else f"{self.quote.bid:f}",
            ask=None if self.quote is None else f"{self.quote.ask:f}",
            exit_reason=state.exit_reason,
        )

    def _restore(self, history: SymbolHistory) -> None:
        self.told = set(history.booked)
        self.state = restored(self.state, history, self.clock.monotonic_ns(), self.clock.now_ns())

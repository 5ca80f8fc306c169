"""Drives the position machine by script: orders go out as OrderActor sends them, the test plays the venue."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rule_makers import BTC, SYMBOL, dec, execution

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert, EngineStateChanged
from execactor.domain.messages.decisions import PlanEnded, PlanReceived, PlanStarted, TradeClosed
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.orders import CancelOrder, EntryRefused, OrderUpdate, RequestApproval, SubmitProtective
from execactor.domain.messages.reconciliation import PositionAdopted, RequestReconcile
from execactor.domain.order import Facts, Order, OrderEvent, OrderIntent, RejectCause
from execactor.domain.order_table import Change, OrderTable
from execactor.domain.plan import Plan, Target
from execactor.domain.position import Position
from execactor.domain.reports import ExecutionReport
from execactor.domain.side import Side
from execactor.tactics.position import Event, Tick, fresh, next_wake_ns, observe, step
from execactor.tactics.trade import Effect, TradePolicy, TradeState

MS = 1_000_000
SECOND = 1_000 * MS
MOST_TICKS = 20_000

Channel = Callable[[Effect], bool]


def plan(key: str = "d1", side: Side = Side.BUY, **changes: Any) -> Plan:
    """Buy or sell 0.05 at 90,800 with the stop 1,000 away and targets 1,400 and 2,700 away."""
    sign = side.sign
    fields: dict[str, Any] = {
        "key": key,
        "symbol": SYMBOL,
        "side": side,
        "quantity": dec("0.05"),
        "entry_price": dec(90_800),
        "stop_price": dec(90_800 - sign * 1_000),
        "targets": (Target(dec(90_800 + sign * 1_400), dec("0.5")), Target(dec(90_800 + sign * 2_700), dec(1))),
        "valid_until_ms": 0,
        "timestamp_ms": 0,
        "body_hash": f"body of {key}",
    }
    return Plan(**(fields | changes))


class Desk:
    """One symbol. `requests` are the machine's effects in order; `new` those since the last call that made any.

    channel: decides whether a request is carried out (the default) or lost on its way.
    """

    def __init__(
        self,
        *,
        instrument: Instrument = BTC,
        policy: TradePolicy | None = None,
        running: bool = True,
        channel: Channel = lambda _effect: True,
    ) -> None:
        self.state: TradeState = fresh(instrument, policy or TradePolicy(), "capi")
        self.table = OrderTable()
        self.channel = channel
        self.now_ns = 1_000 * SECOND
        self.wake_ns: int | None = None
        self.requests: list[Effect] = []
        self.new: list[Effect] = []
        self.approves = True
        self.trades = 0
        self._venue_ids = 1_000
        if running:
            self.engine(EngineState.RUNNING)

    # What happens to the machine.

    def feed(self, event: Event) -> list[Effect]:
        """Step once and carry out what it asks for; returns all effects that came of it."""
        self.new = []
        self._feed(event)
        return self.new

    def _feed(self, event: Event) -> None:
        self.state, effects = step(self.state, event, self.now_ns)
        self.wake_ns = next_wake_ns(self.state, self.now_ns)
        assert self.wake_ns is None or self.wake_ns > self.now_ns
        self.requests += effects
        self.new += effects
        for effect in effects:
            if self.channel(effect):
                self._carry_out(effect)

    def observe(self, event: Event) -> list[Effect]:
        self.state, effects = observe(self.state, event, self.now_ns)
        return effects

    def receive(self, wanted: Plan | None = None, *, expires_s: float = 600) -> list[Effect]:
        expires_ns = self.now_ns + round(expires_s * SECOND)
        return self.feed(PlanReceived(plan=wanted or plan(), expires_ns=expires_ns))

    def engine(self, state: EngineState) -> list[Effect]:
        return self.feed(EngineStateChanged(state=state, epoch=0, reason="the test says so"))

    def mark(self, price: Any, low: Any = None, high: Any = None) -> list[Effect]:
        at = dec(price)
        low, high = (at if low is None else dec(low)), (at if high is None else dec(high))
        return self.feed(MarkUpdate(symbol=SYMBOL, price=at, low=low, high=high))

    def tick(self, after_ms: float = 0) -> list[Effect]:
        self.now_ns += round(after_ms * MS)
        return self.feed(Tick())

    def wait(self, ms: float) -> list[Effect]:
        """Let time pass with the ticks that the machine asks for; returns what came of them."""
        until_ns = self.now_ns + round(ms * MS)
        seen: list[Effect] = []
        for _ in range(MOST_TICKS):
            if self.wake_ns is None or self.wake_ns > until_ns:
                self.now_ns = until_ns
                self.new = seen
                return seen
            self.now_ns = self.wake_ns
            seen += self.feed(Tick())
        raise AssertionError(f"{MOST_TICKS} ticks within {ms} ms: the machine does not rest")

    # What the venue does.

    def ack(self, client_id: str, *, verified: bool = True) -> list[Effect]:
        self._venue_ids += 1
        facts = Facts(venue_id=str(self._venue_ids), verified=verified)
        return self._apply(client_id, OrderEvent.ACKNOWLEDGED, facts)

    def refuse(
        self, client_id: str, cause: RejectCause = RejectCause.OTHER, *, retryable: bool = False, after_ms: int = 0
    ) -> list[Effect]:
        facts = Facts(reason=f"refused: {cause}", cause=cause, retryable=retryable, retry_after_ms=after_ms)
        return self._apply(client_id, OrderEvent.REJECTED, facts)

    def lose_answer(self, client_id: str) -> list[Effect]:
        return self._apply(client_id, OrderEvent.OUTCOME_LOST, Facts(reason="no answer"))

    def prove_absent(self, client_id: str) -> list[Effect]:
        return self._apply(client_id, OrderEvent.PROVEN_ABSENT, Facts(reason="it never lived", retryable=True))

    def cancelled(self, client_id: str, *, filled: Any = None) -> list[Effect]:
        return self._apply(client_id, OrderEvent.CANCELLED, Facts(venue_filled=dec(filled)))

    def expired(self, client_id: str) -> list[Effect]:
        return self._apply(client_id, OrderEvent.EXPIRED)

    def triggering(self, client_id: str) -> list[Effect]:
        return self._apply(client_id, OrderEvent.TRIGGERING)

    def triggered(self, client_id: str) -> list[Effect]:
        self._venue_ids += 1
        return self._apply(client_id, OrderEvent.TRIGGERED, Facts(child_id=str(self._venue_ids), verified=True))

    def filled_status(self, client_id: str, quantity: Any) -> list[Effect]:
        """The end FILLED, before the executions that made it."""
        return self._apply(client_id, OrderEvent.FILLED, Facts(venue_filled=dec(quantity)))

    def fill(
        self, client_id: str, quantity: Any = None, price: Any = None, *, commission: Any = 0, final: bool = False
    ) -> list[Effect]:
        """An execution; without a quantity all that is left of the order, at its own price."""
        order = self.table.orders[client_id]
        whole = order.intent.quantity if order.intent.quantity is not None else abs(self.state.position.quantity)
        size = whole - order.filled if quantity is None else dec(quantity)
        at = price if price is not None else (order.intent.price or order.intent.trigger_price or self.state.mark)
        one = self.execution(order.intent.side, size, at, client_id=client_id, commission=commission)
        final = final or quantity is None
        report = ExecutionReport(execution=one, filled=order.filled + size, final=final)
        change = self.table.execute(report, now_ns=self.now_ns)
        assert change is not None
        return self._tell(change)

    def execution(self, side: Side, quantity: Any, price: Any, **changes: Any) -> Execution:
        self.trades += 1
        return execution(self.trades, side, quantity, price, **changes)

    # A trade in words.

    def enter(self, wanted: Plan | None = None) -> None:
        """Receive a plan and let the venue acknowledge its entry."""
        wanted = wanted or plan()
        self.receive(wanted)
        self.ack(f"capi_entry_{wanted.key}")

    def open(self, wanted: Plan | None = None) -> None:
        """A whole position whose stop and targets work at the venue."""
        wanted = wanted or plan()
        self.enter(wanted)
        self.fill(f"capi_entry_{wanted.key}")
        for client_id in self.live:
            self.ack(client_id)

    # What came of it.

    @property
    def live(self) -> list[str]:
        return [name for name, order in self.table.orders.items() if order.live]

    @property
    def quantity(self) -> Decimal:
        return self.state.position.quantity

    def order(self, client_id: str) -> Order:
        return self.table.orders[client_id]

    def intent(self, client_id: str) -> OrderIntent:
        return self.table.orders[client_id].intent

    def of(self, kind: type[Any]) -> list[Any]:
        """Every effect of a kind so far."""
        return [effect for effect in self.requests if isinstance(effect, kind)]

    @property
    def closed(self) -> TradeClosed:
        """The one trade that was closed."""
        (trade,) = self.of(TradeClosed)
        assert isinstance(trade, TradeClosed)
        return trade

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case RequestApproval(intent=intent):
                if self.approves:
                    self._send(intent)
                else:
                    self._feed(EntryRefused(client_id=intent.client_id, reason="notional_exceeded: too much"))
            case SubmitProtective(intent=intent):
                self._send(intent)
            case _:
                pass

    def _send(self, intent: OrderIntent) -> None:
        if intent.client_id in self.table.orders:
            self._feed(OrderUpdate(order=self.table.orders[intent.client_id]))
            return
        self.table.add(intent)
        self._feed(OrderUpdate(order=self.table.apply(intent.client_id, OrderEvent.SENT, now_ns=self.now_ns).order))

    def _apply(self, client_id: str, event: OrderEvent, facts: Facts | None = None) -> list[Effect]:
        return self._tell(self.table.apply(client_id, event, now_ns=self.now_ns, facts=facts or Facts()))

    def _tell(self, change: Change) -> list[Effect]:
        return self.feed(OrderUpdate(order=change.order, execution=change.execution))


def asked(effects: list[Effect]) -> list[str]:
    """Client ids of the orders asked for."""
    return [effect.intent.client_id for effect in effects if isinstance(effect, RequestApproval | SubmitProtective)]


def cancels(effects: list[Effect]) -> list[str]:
    """Client ids whose cancellation was asked for."""
    return [effect.client_id for effect in effects if isinstance(effect, CancelOrder)]


def alerts(effects: list[Effect]) -> list[str]:
    """Codes of the alerts."""
    return [effect.code for effect in effects if isinstance(effect, Alert)]


def reconciles(effects: list[Effect]) -> list[str]:
    """Reasons for which a comparison with the venue was asked for."""
    return [effect.reason for effect in effects if isinstance(effect, RequestReconcile)]


def endings(effects: list[Effect]) -> list[tuple[str, bool]]:
    """Keys of the plans that ended, and whether they had entered."""
    return [(effect.key, effect.entered) for effect in effects if isinstance(effect, PlanEnded)]


def started(effects: list[Any]) -> list[str]:
    """Keys of the plans that are being executed from now on."""
    return [effect.key for effect in effects if isinstance(effect, PlanStarted)]


def cleaned(desk: Desk) -> list[Any]:
    """Let the venue cancel whatever the machine asked it to cancel; returns what came of it."""
    seen: list[Any] = []
    for client_id in list(desk.live):
        if client_id in cancels(desk.requests):
            seen += desk.cancelled(client_id)
    return seen


def stopped_out(desk: Desk) -> None:
    """The stop of the first decision triggers and closes everything."""
    desk.mark(89_790)
    desk.triggered("capi_sl_d1")
    desk.fill("capi_sl_d1", price=89_790, final=True)


def adoption(quantity: Any = "0.03") -> PositionAdopted:
    """A position that nobody knew of, bought or sold at 90,800, with a stop 1 % away."""
    position = Position(symbol=SYMBOL, quantity=dec(quantity), entry_price=dec(90_800))
    away = dec(89_892) if position.quantity > 0 else dec(91_708)
    return PositionAdopted(position=position, stop_price=away, key="orphan1")

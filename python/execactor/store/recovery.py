"""Replay: fold the journal's records into the state that the actors start from."""

import copy
from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.messages.account import EngineStateChanged
from execactor.domain.messages.decisions import PlanAccepted, PlanEnded, PlanStarted, TradeClosed
from execactor.domain.messages.reconciliation import PositionAdopted, PositionCorrected
from execactor.domain.order import Order, OrderEvent, OrderState, advance, book
from execactor.domain.plan import Plan
from execactor.domain.position import Position
from execactor.store.journal import JournalRow
from execactor.store.records import (
    EquityMarked,
    ExecutionAttributed,
    ExecutionBooked,
    IntentRecorded,
    OrderChanged,
    Record,
)

RECENT = 10_000
"""How many closed trades, and executions, are kept for people."""
_UNANSWERED = (OrderState.CREATED, OrderState.RISK_APPROVED, OrderState.SUBMITTED)


class SymbolHistory:
    """What the journal tells of one symbol.

    orders: of ours, by client id. booked: the venue's time of executions, by key; strays: keys of those that belong to
    no order of ours; executions: those of the present plan with the client id of their order. plan: being executed, if
    any; plans: it and those that wait. queued: the newest that was accepted and neither started nor dropped. done: body
    hash by plan key. position: since the last flat. sent_wall_ns, ended_wall_ns: when an intent, and an order's end,
    were journaled, by client id (wall time). taken_over_ms: the venue's time of the last position taken over from it.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.orders: dict[str, Order] = {}
        self.booked: dict[tuple[str, str], int] = {}
        self.strays: set[tuple[str, str]] = set()
        self.executions: list[tuple[str, Execution]] = []
        self.plans: dict[str, Plan] = {}
        self.done: dict[str, str] = {}
        self.plan: Plan | None = None
        self.queued: Plan | None = None
        self.position = Position(symbol=symbol)
        self.fills = 0
        self.sent_wall_ns: dict[str, int] = {}
        self.ended_wall_ns: dict[str, int] = {}
        self.last_trade_ms = 0
        self.taken_over_ms = 0


class Recovered(msgspec.Struct, kw_only=True):
    """All of it. engine None: the journal is new. trades, executions: the last RECENT of the account."""

    symbols: dict[str, SymbolHistory] = msgspec.field(default_factory=dict)
    engine: EngineState | None = None
    engine_reason: str = ""
    epoch: int = 0
    equity: EquityMarked | None = None
    trades: deque[TradeClosed] = msgspec.field(default_factory=lambda: deque(maxlen=RECENT))
    executions: deque[tuple[str, Execution]] = msgspec.field(default_factory=lambda: deque(maxlen=RECENT))

    def symbol(self, name: str) -> SymbolHistory:
        """The history of a symbol, empty when it was never traded."""
        return self.symbols.setdefault(name, SymbolHistory(name))


def replay(rows: Iterable[JournalRow]) -> Recovered:
    """Fold all rows, then mark what was in flight UNKNOWN: only the venue knows what became of it."""
    state = Recovered()
    for row in rows:
        fold(state, row.record, row.ts_ns)
    for history in state.symbols.values():
        history.orders = {client_id: _doubted(order) for client_id, order in history.orders.items()}
    return state


def as_after_a_restart(history: SymbolHistory) -> SymbolHistory:
    """A copy for an actor that starts again: what was in flight is UNKNOWN to it."""
    again = copy.copy(history)
    again.orders = {client_id: _doubted(order) for client_id, order in history.orders.items()}
    return again


def _doubted(order: Order) -> Order:
    if order.state in _UNANSWERED:
        order, _ = advance(order, OrderEvent.OUTCOME_LOST, now_ns=0)
    # Sent, at some time before: monotonic times of then mean nothing now.
    return msgspec.structs.replace(order, sent_ns=1)


def fold(state: Recovered, record: Record, ts_ns: int) -> None:
    """Take one more record into `state`; ts_ns: the wall time at which it was written."""
    match record:
        case IntentRecorded(intent=intent):
            history = state.symbol(intent.symbol)
            history.orders.setdefault(intent.client_id, Order(intent=intent))
            history.sent_wall_ns[intent.client_id] = ts_ns
        case OrderChanged(order=order):
            _replace_order(state.symbol(order.intent.symbol), order, ts_ns)
        case ExecutionBooked(client_id=client_id, execution=execution):
            state.executions.append((client_id, execution))
            _book(state.symbol(execution.symbol), client_id, execution)
        case ExecutionAttributed(client_id=client_id, execution=execution):
            _attribute(state, client_id, execution)
        case PlanAccepted(plan=plan):
            history = state.symbol(plan.symbol)
            history.plans[plan.key] = plan
            history.done[plan.key] = plan.body_hash
            history.queued = plan
        case PlanStarted(key=key, symbol=symbol):
            history = state.symbol(symbol)
            history.plan = history.plans.get(key)
            _unqueue(history, key)
            history.fills = 0
            history.executions = []
            if history.position.flat:
                # What other hands won or lost before belongs to no trade of ours.
                history.position = Position(symbol=symbol)
        case PlanEnded(key=key, symbol=symbol):
            _end(state.symbol(symbol), key)
        case (
            PositionAdopted(position=position, update_time_ms=time_ms)
            | PositionCorrected(position=position, update_time_ms=time_ms)
        ):
            history = state.symbol(position.symbol)
            history.taken_over_ms = max(history.taken_over_ms, time_ms)
            history.position = msgspec.structs.replace(
                history.position, quantity=position.quantity, entry_price=position.entry_price
            )
        case EngineStateChanged(state=engine, epoch=epoch, reason=reason):
            state.engine, state.engine_reason, state.epoch = engine, reason, max(state.epoch, epoch)
        case EquityMarked():
            state.equity = record
        case TradeClosed(key=key, symbol=symbol):
            state.trades.append(record)
            # Its plan ended with it, also when the process died between the two records.
            _end(state.symbol(symbol), key)
        case _:
            pass


def _end(history: SymbolHistory, key: str) -> None:
    _unqueue(history, key)
    history.plans.pop(key, None)
    if history.plan is not None and history.plan.key == key:
        history.plan = None
        history.executions = []
        history.position = Position(symbol=history.symbol)


def _unqueue(history: SymbolHistory, key: str) -> None:
    if history.queued is not None and history.queued.key == key:
        history.queued = None


def _replace_order(history: SymbolHistory, order: Order, ts_ns: int) -> None:
    if not order.live:
        history.ended_wall_ns.setdefault(order.client_id, ts_ns)
    # Executions have records of their own: the order's record must not count them twice, nor drop any.
    before = history.orders.get(order.client_id)
    filled = before.filled if before is not None else Decimal(0)
    quote = before.quote_filled if before is not None else Decimal(0)
    history.orders[order.client_id] = msgspec.structs.replace(
        order, filled=filled, quote_filled=quote, pending=None, sent_ns=0, acknowledged_ns=0, ended_ns=0
    )


def _book(history: SymbolHistory, client_id: str, execution: Execution) -> None:
    if execution.key in history.booked:
        return
    history.booked[execution.key] = execution.time_ms
    history.last_trade_ms = max(history.last_trade_ms, execution.time_ms)
    history.position = history.position.after(execution)
    history.fills += 1
    if not client_id:
        history.strays.add(execution.key)
    _credit(history, client_id, execution)


def _credit(history: SymbolHistory, client_id: str, execution: Execution) -> None:
    order = history.orders.get(client_id)
    if order is not None:
        history.orders[client_id] = book(order, execution, now_ns=0)
        if history.plan is not None and order.intent.decision_key == history.plan.key:
            history.executions.append((client_id, execution))


def _attribute(state: Recovered, client_id: str, execution: Execution) -> None:
    history = state.symbol(execution.symbol)
    if execution.key not in history.strays:
        return
    history.strays.discard(execution.key)
    _credit(history, client_id, execution)
    told = ((client_id if each.key == execution.key else name, each) for name, each in state.executions)
    state.executions = deque(told, maxlen=RECENT)

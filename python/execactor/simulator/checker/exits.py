"""An exit cancels what rests of the entry first; tightened stops replace each other in time (A2, A4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .events import LIVE_ALGO, LIVE_ORDER, AlgoChange, Fill, Mark, OrderChange, PositionChange, Request
from .evidence import Evidence
from .invariants import Finding, at_line
from .ledger import plain
from .requests import CANCELS, placed_id
from .restarts import ns

_ZERO = Decimal(0)


def judge_exits(evidence: Evidence) -> Iterator[Finding]:
    """Where an exit is sent while an entry of the same decision rests, its cancel has come, or comes within one way."""
    names, grace = evidence.names, ns(evidence.allow.in_flight_s)
    resting: dict[int, OrderChange] = {}
    cancelled: set[object] = set()
    owed: dict[int, Request] = {}
    for event in evidence.among(OrderChange, Request, Mark):
        for order_id in [order_id for order_id, exit_sent in owed.items() if event.t > exit_sent.t + grace]:
            sent = owed.pop(order_id)
            if not evidence.hindered(sent.t, event.t):
                entry = resting[order_id].client_id
                yield at_line("A2", sent.line, f"{placed_id(sent)} is sent while {entry} rests, and does not cancel it")
        if isinstance(event, OrderChange):
            name = names.parse(event.client_id)
            if name is not None and name.opens and event.status in LIVE_ORDER:
                resting[event.order_id] = event
            elif resting.pop(event.order_id, None) is not None:
                owed.pop(event.order_id, None)
        elif isinstance(event, Request) and event.method in CANCELS:
            cancelled |= {str(event.params[name]) for name in CANCELS[event.method] if name in event.params}
            for order_id, order in resting.items():
                if {str(order_id), order.client_id} & cancelled:
                    owed.pop(order_id, None)
        elif isinstance(event, Request) and (client_id := placed_id(event)) is not None:
            name = names.parse(client_id)
            if name is None or name.role != "exit":
                continue
            for order_id, order in resting.items():
                entry_name = names.parse(order.client_id)
                same = entry_name is not None and entry_name.key == name.key
                if same and not {str(order_id), order.client_id} & cancelled:
                    owed.setdefault(order_id, event)


@dataclass(slots=True)
class _Tightened:
    """The tightened stops of one symbol: base units by stop, the most that was held, and since when they are more."""

    standing: dict[int, Decimal] = field(default_factory=dict)
    largest: Decimal = _ZERO
    since: tuple[int, int] | None = None


def judge_tightened(evidence: Evidence) -> Iterator[Finding]:
    """Tightened stops close no more together than was held, but for the moment in which one replaces another."""
    symbols: dict[str, _Tightened] = {}
    for event in evidence.among(Fill, PositionChange, AlgoChange, Mark):
        for symbol, state in symbols.items():
            if state.since is not None and event.t > state.since[1] + ns(evidence.allow.protect_s):
                line, since = state.since
                state.since = None
                if not evidence.hindered(since, event.t):
                    total = plain(sum(state.standing.values(), _ZERO))
                    text = (
                        f"tightened stops for {total} {symbol} stand together, {plain(state.largest)} was held at most"
                    )
                    yield at_line("A4", line, text)
        if isinstance(event, Fill | PositionChange) and event.line in evidence.ledger.held_after:
            held = abs(evidence.ledger.held_after[event.line])
            state = symbols.setdefault(event.symbol, _Tightened())
            state.largest = max(state.largest, held) if held else _ZERO
            _weigh(state, event.line, event.t)
        elif isinstance(event, AlgoChange):
            name = evidence.names.parse(event.client_id)
            if name is None or name.role != "slt" or event.quantity is None:
                continue
            state = symbols.setdefault(event.symbol, _Tightened())
            if event.status in LIVE_ALGO:
                state.standing[event.algo_id] = event.quantity
            else:
                state.standing.pop(event.algo_id, None)
            _weigh(state, event.line, event.t)


def _weigh(state: _Tightened, line: int, t: int) -> None:
    too_much = bool(state.largest) and sum(state.standing.values(), _ZERO) > state.largest
    if not too_much:
        state.since = None
    elif state.since is None:
        state.since = line, t

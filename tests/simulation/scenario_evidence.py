"""What a scenario can wait for, and what it looks at in the end: the venue's log and state, the engine's records."""

from collections.abc import Iterator
from typing import Any

from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.decisions import TradeClosed
from execactor.domain.order import Order, Role
from execactor.engine import Engine
from execactor.simulation import Stage
from execactor.simulator.orders import Order as VenueOrder
from execactor.store.records import OrderChanged, Reconciled, Record
from execactor.store.recovery import SymbolHistory

PLACEMENTS = frozenset({"order.place", "algoOrder.place", "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"})
CANCELS = frozenset({"order.cancel", "algoOrder.cancel", "DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder"})
_IDS = ("newClientOrderId", "clientAlgoId", "origClientOrderId")


class Evidence:
    """Of one run, over all lives of the engine. Looking at it moves nothing: no message is sent for it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.engine: Engine | None = None
        self.alerts: dict[str, AlertLevel] = {}
        self.findings: dict[str, int] = {}
        self.trades: list[str] = []
        self.states: set[tuple[Role, str]] = set()

    def begin_life(self, engine: Engine) -> None:
        """Listen to what a new life records."""
        self.engine = engine
        engine._running().context.taps.append(self._on_record)

    def true(self, condition: str) -> bool:
        """Whether a condition holds now: the name of a method of Conditions, and its arguments. Raises ValueError."""
        name, *arguments = condition.split()
        look = getattr(Conditions(self._stage, self), name, None)
        if look is None or name.startswith("_"):
            raise ValueError(f"unknown condition {condition!r}")
        return bool(look(*arguments))

    def requests(self) -> Iterator[tuple[int, str, str]]:
        """Place in the log, name (`place ROLE`, `cancel ROLE`, else the method) and client id of every request."""
        for line in self._stage.venue.log.kept:
            if line["kind"] == "request":
                yield line["n"], *_named(line)

    def first(self, request: str) -> int | None:
        """Where in the log the first such request stands."""
        return next((n for n, name, _ in self.requests() if name == request), None)

    def sent(self, request: str) -> int:
        """How many such requests the venue received."""
        return sum(name == request for _, name, _ in self.requests())

    def entries(self) -> tuple[str, ...]:
        """Entry orders that the venue received, by what follows the role in their client ids."""
        return tuple(client_id.split("_", 2)[2] for _, name, client_id in self.requests() if name == "place entry")

    def history(self, symbol: str) -> SymbolHistory:
        """What the living engine believes of a symbol."""
        assert self.engine is not None
        return self.engine._running().context.recovered.symbol(symbol)

    def _on_record(self, record: Record) -> None:
        match record:
            case Alert(code=code, level=level):
                if self.alerts.get(code) is not AlertLevel.CRITICAL:
                    self.alerts[code] = level
            case OrderChanged(order=order):
                self.states.add((order.intent.role, str(order.state)))
            case Reconciled(counts=counts):
                for kind, count in counts.items():
                    self.findings[kind] = self.findings.get(kind, 0) + count
            case TradeClosed(outcome=outcome):
                self.trades.append(outcome)


class Conditions:
    """One method for each word that a condition may begin with."""

    def __init__(self, stage: Stage, evidence: Evidence) -> None:
        self._stage = stage
        self._exchange = stage.venue.exchange
        self._evidence = evidence

    # At the venue

    def received(self, role: str, times: str = "1") -> bool:
        """It received so many orders of a role."""
        return self._evidence.sent(f"place {role}") >= int(times)

    def resting(self, role: str) -> bool:
        """An order of the role is open there."""
        return any(role_of(order.client_id) == role for order in self._open())

    def gone(self, role: str) -> bool:
        """None is."""
        return not self.resting(role)

    def filled(self, role: str) -> bool:
        """It executed some of an order of the role."""
        return any(line["kind"] == "fill" and role_of(line["client_id"]) == role for line in self._stage.venue.log.kept)

    def triggering(self, role: str) -> bool:
        """A conditional order of the role hangs there between its trigger and its order."""
        algos = self._exchange.conditional.algos.open()
        return any(role_of(algo.client_id) == role and algo.status == "TRIGGERING" for algo in algos)

    def held(self, symbol: str = "BTCUSDT") -> bool:
        """A position is open."""
        return bool(self._exchange.account.positions[symbol].quantity)

    def flat(self, symbol: str = "BTCUSDT") -> bool:
        """None is."""
        return not self.held(symbol)

    # In the engine

    def order(self, role: str, state: str, symbol: str = "BTCUSDT") -> bool:
        """Its newest order of the role is in a state."""
        orders = [order for order in self._orders(symbol) if order.intent.role == role]
        return bool(orders) and orders[-1].state == state

    def was(self, role: str, state: str) -> bool:
        """An order of the role was in a state, however short."""
        return (Role(role), state) in self._evidence.states

    def booked(self, symbol: str = "BTCUSDT") -> bool:
        """Its position is the venue's."""
        ours = self._evidence.history(symbol).position.quantity
        return bool(ours == self._exchange.account.positions[symbol].quantity)

    def protected(self, symbol: str = "BTCUSDT") -> bool:
        """A base stop of ours rests at the venue, and the engine knows that one does."""
        stops = [order for order in self._orders(symbol) if order.intent.role is Role.STOP]
        return self.resting(Role.STOP) and any(order.working for order in stops)

    def closed(self, symbol: str = "BTCUSDT") -> bool:
        """No trade is under way: its books are closed."""
        history = self._evidence.history(symbol)
        return history.plan is None and history.position.flat and not any(o.live for o in self._orders(symbol))

    def state(self, state: str) -> bool:
        """The engine is in a state."""
        engine = self._evidence.engine
        return engine is not None and engine.state is EngineState(state)

    def alert(self, code: str) -> bool:
        """It raised an alert."""
        return code in self._evidence.alerts

    def _orders(self, symbol: str) -> list[Order]:
        return list(self._evidence.history(symbol).orders.values())

    def _open(self) -> list[Any]:
        regular: list[VenueOrder] = list(self._exchange.orders.open())
        return [*regular, *self._exchange.conditional.algos.open()]


def role_of(client_id: str) -> str:
    """The role in one of our client ids; empty for others."""
    parts = client_id.split("_")
    return parts[1] if parts[0] == "capi" and len(parts) > 2 else ""


def _named(line: dict[str, Any]) -> tuple[str, str]:
    method, params = line["method"], line["params"]
    client_id = next((params[name] for name in _IDS if name in params), "")
    verb = "place" if method in PLACEMENTS else "cancel" if method in CANCELS else ""
    return (f"{verb} {role_of(client_id) or 'foreign'}" if verb else method), client_id

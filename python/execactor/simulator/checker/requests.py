"""What the engine must not ask the venue for, whatever the venue answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .client_ids import Names
from .events import LIVE_ALGO, LIVE_ORDER, AlgoChange, Event, Note, OrderChange, Request

_PLACE = {
    "POST /fapi/v1/order": "newClientOrderId",
    "order.place": "newClientOrderId",
    "POST /fapi/v1/algoOrder": "clientAlgoId",
    "algoOrder.place": "clientAlgoId",
}
_TOUCH_ORDER = frozenset({"DELETE /fapi/v1/order", "order.cancel", "PUT /fapi/v1/order", "order.modify"})
_TOUCH_ALGO = frozenset({"DELETE /fapi/v1/algoOrder", "algoOrder.cancel"})
_CANCEL_ALL_ORDERS = frozenset({"DELETE /fapi/v1/allOpenOrders", "POST /fapi/v1/countdownCancelAll"})
_CANCEL_ALL_ALGOS = "DELETE /fapi/v1/algoOpenOrders"
_HALTED = frozenset({"halt", "halted", "engine halted"})
_RESUMED = frozenset({"resume", "resumed", "engine resumed"})


@dataclass(slots=True)
class RequestWatch:
    """Judges requests in the log's order against what the log had shown by then."""

    names: Names
    violations: list[tuple[int, str]] = field(default_factory=list)
    _orders: dict[int, OrderChange] = field(default_factory=dict)
    _algos: dict[int, AlgoChange] = field(default_factory=dict)
    _accepted: set[str] = field(default_factory=set)
    _halted_at: int | None = None

    def apply(self, event: Event) -> None:
        """Judge one event."""
        match event:
            case OrderChange():
                self._orders[event.order_id] = event
                if event.status != "REJECTED":
                    self._accepted.add(event.client_id)
            case AlgoChange():
                self._algos[event.algo_id] = event
            case Note() if event.text.lower() in _HALTED:
                self._halted_at = event.line
            case Note() if event.text.lower() in _RESUMED:
                self._halted_at = None
            case Request() if event.method in _PLACE:
                self._place(event, event.params.get(_PLACE[event.method]))
            case Request():
                for client_id in self._touched(event):
                    if not self.names.ours(client_id):
                        self._violate(event, f"{event.method} touches {client_id}, which is not ours")

    def _place(self, request: Request, client_id: object) -> None:
        name = self.names.parse(client_id) if isinstance(client_id, str) else None
        if name is None:
            self._violate(request, f"{request.method} sends the client id {client_id!r}, which lacks our prefix")
            return
        reduces = _true(request.params, "reduceOnly") or _true(request.params, "closePosition")
        if self._halted_at is not None and (name.opens or not reduces):
            self._violate(request, f"{client_id} can take new risk after the HALT at line {self._halted_at}")
        if name.opens and client_id in self._accepted:
            self._violate(request, f"{client_id} is sent again though the venue had accepted it")

    def _touched(self, request: Request) -> Iterator[str]:
        """Client ids a cancel or amend reaches; the venue takes its own id before the client's when both are given."""
        params = request.params
        if request.method in _TOUCH_ORDER:
            yield from _named(self._orders, params.get("orderId"), params.get("origClientOrderId"))
        elif request.method in _TOUCH_ALGO:
            yield from _named(self._algos, params.get("algoId"), params.get("clientAlgoId"))
        elif request.method in _CANCEL_ALL_ORDERS and str(params.get("countdownTime")) != "0":
            yield from _live(self._orders, LIVE_ORDER, params.get("symbol"))
        elif request.method == _CANCEL_ALL_ALGOS:
            yield from _live(self._algos, LIVE_ALGO, params.get("symbol"))

    def _violate(self, request: Request, text: str) -> None:
        self.violations.append((request.line, text))


def watch_requests(events: Iterable[Event], names: Names) -> RequestWatch:
    """Judge a whole log."""
    seen = RequestWatch(names)
    for event in events:
        seen.apply(event)
    return seen


def _named(known: Mapping[int, OrderChange | AlgoChange], venue_id: object, client_id: object) -> Iterator[str]:
    order = known.get(int(venue_id)) if isinstance(venue_id, int | str) and str(venue_id).isdigit() else None
    if order is not None:
        yield order.client_id
    elif isinstance(client_id, str):
        yield client_id


def _live(known: Mapping[int, OrderChange | AlgoChange], live: frozenset[str], symbol: object) -> Iterator[str]:
    for order in known.values():
        if order.symbol == symbol and order.status in live:
            yield order.client_id


def _true(params: Mapping[str, Any], name: str) -> bool:
    return str(params.get(name)).lower() == "true"

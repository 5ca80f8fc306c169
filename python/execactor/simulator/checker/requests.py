"""What the engine must not ask the venue for, whatever the venue answers (I5, I14, A1)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .client_ids import Names, acceptable
from .events import LIVE_ALGO, LIVE_ORDER, AlgoChange, Event, Fault, Note, OrderChange, Request, Response
from .evidence import Evidence
from .invariants import Finding, at_line
from .journal_records import Intended
from .restarts import ns

PLACEMENTS: Mapping[str, str] = {
    "POST /fapi/v1/order": "newClientOrderId",
    "order.place": "newClientOrderId",
    "POST /fapi/v1/algoOrder": "clientAlgoId",
    "algoOrder.place": "clientAlgoId",
}
CANCELS: Mapping[str, tuple[str, str]] = {
    "DELETE /fapi/v1/order": ("orderId", "origClientOrderId"),
    "order.cancel": ("orderId", "origClientOrderId"),
    "DELETE /fapi/v1/algoOrder": ("algoId", "clientAlgoId"),
    "algoOrder.cancel": ("algoId", "clientAlgoId"),
}
_AMENDS = frozenset({"PUT /fapi/v1/order", "order.modify"})
_CANCEL_ALL_ORDERS = frozenset({"DELETE /fapi/v1/allOpenOrders", "POST /fapi/v1/countdownCancelAll"})
_CANCEL_ALL_ALGOS = "DELETE /fapi/v1/algoOpenOrders"
HALTED = frozenset({"halt", "halted", "engine halted"})
RESUMED = frozenset({"resume", "resumed", "engine resumed"})
_NO_EFFECT = frozenset({-1021, -5028})
"""Refusals of a request whose time stamp was off: they prove that it had no effect, so it may go once more."""


@dataclass(slots=True)
class RequestWatch:
    """Judges requests in the log's order against what the log had shown by then.

    meant: by client id, the newest line of the log when the journal took the intent. in_flight_ns: the longest that a
    request may be under way.
    """

    names: Names
    meant: Mapping[str, int] = field(default_factory=dict)
    in_flight_ns: int = 0
    findings: list[Finding] = field(default_factory=list)
    _orders: dict[int, OrderChange] = field(default_factory=dict)
    _algos: dict[int, AlgoChange] = field(default_factory=dict)
    _accepted: set[str] = field(default_factory=set)
    _sent: Counter[str] = field(default_factory=Counter)
    _may_repeat: Counter[str] = field(default_factory=Counter)
    _asked: dict[int, str] = field(default_factory=dict)
    _halted: Note | None = None

    def apply(self, event: Event) -> None:
        """Judge one event."""
        if isinstance(event, OrderChange):
            self._orders[event.order_id] = event
            if event.status != "REJECTED":
                self._accepted.add(event.client_id)
        elif isinstance(event, AlgoChange):
            self._algos[event.algo_id] = event
        elif isinstance(event, Note):
            text = event.text.lower()
            if text in HALTED:
                self._halted = event
            elif text in RESUMED:
                self._halted = None
        elif isinstance(event, Fault) and event.name == "duplicate_request":
            self._may_repeat[str(event.detail.get("client_id"))] += 1
        elif isinstance(event, Response) and event.code in _NO_EFFECT and event.id in self._asked:
            self._may_repeat[self._asked[event.id]] += 1
        elif isinstance(event, Request):
            if event.method in PLACEMENTS:
                self._place(event, event.params.get(PLACEMENTS[event.method]))
            for client_id in self._touched(event):
                if not self.names.ours(client_id):
                    self._violate("A1", event, f"{event.method} touches {client_id}, which is not ours")

    def _place(self, request: Request, client_id: object) -> None:
        name = self.names.parse(client_id) if isinstance(client_id, str) else None
        if name is None or not isinstance(client_id, str):
            self._violate("A1", request, f"{request.method} sends the client id {client_id!r}, which lacks our prefix")
            return
        if not name.role or not acceptable(client_id):
            self._violate("I14", request, f"{client_id!r} does not follow the scheme of client ids")
        halted = self._halted
        if halted is not None and (name.opens or not reduces(request)) and not self._under_way(request, halted):
            self._violate("I5", request, f"{client_id} can take new risk after the HALT at line {halted.line}")
        self._asked[request.id] = client_id
        self._sent[client_id] += 1
        if self._sent[client_id] > 1 + self._may_repeat[client_id]:
            accepted = " though the venue had accepted it" if client_id in self._accepted else ""
            self._violate("I14", request, f"{client_id} is sent again{accepted}")

    def _under_way(self, request: Request, halted: Note) -> bool:
        """Whether it was meant before the HALT, and may have left before, too."""
        meant = self.meant.get(placed_id(request) or "")
        return meant is not None and meant < halted.line and left_ns(request) <= halted.t + self.in_flight_ns

    def _touched(self, request: Request) -> Iterator[str]:
        """Client ids a cancel or amend reaches; the venue takes its own id before the client's when both are given."""
        params = request.params
        if request.method in CANCELS:
            known: Mapping[int, OrderChange | AlgoChange] = (
                self._orders if CANCELS[request.method][0] == "orderId" else self._algos
            )
            yield from _named(known, *(params.get(name) for name in CANCELS[request.method]))
        elif request.method in _AMENDS:
            yield from _named(self._orders, params.get("orderId"), params.get("origClientOrderId"))
        elif request.method in _CANCEL_ALL_ORDERS and str(params.get("countdownTime")) != "0":
            yield from _live(self._orders, LIVE_ORDER, params.get("symbol"))
        elif request.method == _CANCEL_ALL_ALGOS:
            yield from _live(self._algos, LIVE_ALGO, params.get("symbol"))

    def _violate(self, check: str, request: Request, text: str) -> None:
        self.findings.append(at_line(check, request.line, text))


def watch_requests(evidence: Evidence) -> list[Finding]:
    """Judge a whole log."""
    journal = evidence.journal
    meant = {} if journal is None else {intent.client_id: intent.after for intent in journal.of(Intended)}
    seen = RequestWatch(evidence.names, meant, ns(evidence.allow.in_flight_s))
    for event in evidence.events:
        seen.apply(event)
    return seen.findings


def placed_id(request: Request) -> str | None:
    """The client id under which a request places an order; None for every other request."""
    parameter = PLACEMENTS.get(request.method)
    client_id = None if parameter is None else request.params.get(parameter)
    return client_id if isinstance(client_id, str) else None


def left_ns(request: Request) -> int:
    """When it left the engine, by its own time stamp: a cut network may have held it for long on its way."""
    stamp = str(request.params.get("timestamp"))
    return min(request.t, int(stamp) * 1_000_000) if stamp.isdigit() else request.t


def reduces(request: Request) -> bool:
    """Whether an order can only take away from the position."""
    return true(request.params, "reduceOnly") or true(request.params, "closePosition")


def true(params: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter says yes, as text or as JSON."""
    return str(params.get(name)).lower() == "true"


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

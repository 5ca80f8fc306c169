"""No decision is entered twice, and no client id is used for two orders (I1, I14, A8)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .client_ids import Names
from .events import LIVE_ORDER, AlgoChange, DecisionFed, Event, Fault, Fill, OrderChange
from .invariants import Finding, at_line
from .ledger import plain

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One order or fill too many. rule: "two live entries", "id used twice", "overfilled" or "entered again"."""

    line: int
    rule: str
    key: str
    client_ids: tuple[str, ...]
    text: str

    def finding(self) -> Finding:
        """As a breach of the catalogue."""
        return at_line("I14" if self.rule == "id used twice" else "I1", self.line, self.text)


@dataclass(slots=True)
class _Decision:
    """All entries of one decision key: `live` by order id, `filled` those that reached FILLED, in that order."""

    key: str
    live: dict[int, str] = field(default_factory=dict)
    filled: dict[int, str] = field(default_factory=dict)
    late: dict[int, Fill] = field(default_factory=dict)
    largest: Decimal = _ZERO
    fills: list[Fill] = field(default_factory=list)


@dataclass(slots=True)
class EntryWatch:
    """Follows our orders by decision key; `duplicates` and `findings` are complete after `conclude`."""

    names: Names
    duplicates: list[Duplicate] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _fed: dict[str, DecisionFed] = field(default_factory=dict)
    _decisions: dict[tuple[str, str], _Decision] = field(default_factory=dict)
    _uses: dict[str, list[str]] = field(default_factory=dict)
    _doubled: Counter[str] = field(default_factory=Counter)

    def apply(self, event: Event) -> None:
        """Take note of one event. An order the venue refused never lived, so it used no id and entered nothing."""
        match event:
            case Fault(name="duplicate_request"):
                self._doubled[str(event.detail.get("client_id"))] += 1
            case DecisionFed():
                self._fed.setdefault(event.key, event)
            case OrderChange() if event.status != "REJECTED":
                if event.parent is None:
                    self._use(event, f"order {event.order_id}")
                self._follow(event)
            case AlgoChange() if event.status != "REJECTED":
                self._use(event, f"conditional order {event.algo_id}")
            case Fill() if decision := self._of(event.client_id):
                decision.fills.append(event)
                if any(order_id != event.order_id for order_id in decision.filled):
                    decision.late.setdefault(event.order_id, event)

    def conclude(self) -> None:
        """Judge what only the whole log shows."""
        for decision in self._decisions.values():
            self._judge_side(decision)
            self._judge_quantity(decision)
            for order_id, fill in decision.late.items():
                first = next(client_id for other, client_id in decision.filled.items() if other != order_id)
                text = f"{fill.client_id} filled after {first} had already filled decision {decision.key}"
                self._duplicate(fill.line, "entered again", decision.key, (first, fill.client_id), text)

    def _of(self, client_id: str) -> _Decision | None:
        name = self.names.parse(client_id)
        if name is None or not name.opens:
            return None
        return self._decisions.setdefault((name.role, name.key), _Decision(name.key))

    def _use(self, event: OrderChange | AlgoChange, order: str) -> None:
        name = self.names.parse(event.client_id)
        if name is None:
            return
        uses = self._uses.setdefault(event.client_id, [])
        if order in uses:
            return
        uses.append(order)
        if not name.role:
            text = f"{event.client_id} carries our prefix but names no role and decision"
            self.findings.append(at_line("I14", event.line, text))
        if len(uses) > 1 + self._doubled[event.client_id]:
            text = f"{event.client_id} was used for {uses[0]} and is used again for {order}"
            self._duplicate(event.line, "id used twice", name.key, (event.client_id,), text)

    def _follow(self, order: OrderChange) -> None:
        decision = self._of(order.client_id)
        if decision is None:
            return
        decision.largest = max(decision.largest, order.quantity)
        if order.status not in LIVE_ORDER:
            decision.live.pop(order.order_id, None)
        elif order.order_id not in decision.live:
            for other in decision.live.values():
                text = f"entries {other} and {order.client_id} of decision {decision.key} are live at the same time"
                self._duplicate(order.line, "two live entries", decision.key, (other, order.client_id), text)
            decision.live[order.order_id] = order.client_id
        if order.status == "FILLED":
            decision.filled.setdefault(order.order_id, order.client_id)

    def _judge_side(self, decision: _Decision) -> None:
        fed = self._fed.get(decision.key)
        wrong = [fill for fill in decision.fills if fed is not None and fill.side * fed.side < 0]
        if wrong:
            text = f"{wrong[0].client_id} filled against the side of decision {decision.key}"
            self.findings.append(at_line("A8", wrong[0].line, text))

    def _judge_quantity(self, decision: _Decision) -> None:
        fed = self._fed.get(decision.key)
        limit = fed.quantity if fed is not None and fed.quantity is not None else decision.largest
        total = _ZERO
        for fill in decision.fills:
            total += fill.quantity
            if total > limit:
                text = f"decision {decision.key} is filled {plain(total)}, above its quantity {plain(limit)}"
                self._duplicate(fill.line, "overfilled", decision.key, (fill.client_id,), text)
                return

    def _duplicate(self, line: int, rule: str, key: str, client_ids: tuple[str, ...], text: str) -> None:
        self.duplicates.append(Duplicate(line, rule, key, client_ids, text))


def watch_entries(events: Iterable[Event], names: Names) -> EntryWatch:
    """Judge a whole log."""
    seen = EntryWatch(names)
    for event in events:
        seen.apply(event)
    seen.conclude()
    return seen

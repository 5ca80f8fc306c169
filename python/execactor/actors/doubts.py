"""Orders in doubt: asks the venue until its evidence is enough (rules in reconcile/resolution.py)."""

from collections.abc import Callable, Iterator

import msgspec

from execactor.actors.context import Context
from execactor.actors.venue_gateway import EvidenceGathered, GatherEvidence, Query, QueryOutcome
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.orders import DoubtChanged
from execactor.domain.order import Order
from execactor.domain.reports import NotFound, Unknown
from execactor.reconcile import resolution
from execactor.reconcile.resolution import AskAgain, Doubt
from execactor.runtime import Timers
from execactor.store.retention import LOOK_BACK_MS
from execactor.venues.port import OrderRef

ANSWER_DEADLINE_NS = 5_000_000_000


class AskNow(msgspec.Struct, frozen=True):
    """Time to ask the venue about an order in doubt."""

    client_id: str


class Doubts:
    """The doubts of one OrderActor. `timers` is the actor's; an answer that got lost is asked for again."""

    def __init__(self, context: Context, symbol: str, timers: Callable[[], Timers]) -> None:
        self._context = context
        self._symbol = symbol
        self._timers = timers
        self._open: dict[str, Doubt] = {}
        self._born_ns = context.clock.monotonic_ns()

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._open

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def begin(self, order: Order, sent_wall_ns: int) -> None:
        """Doubt an order and ask about it at once; asking twice does no harm."""
        if order.client_id in self._open:
            return
        now_ns = self._context.clock.monotonic_ns()
        # 0 when an earlier process was told; that was before this one began.
        acknowledged_ns = max(order.acknowledged_ns, self._born_ns)
        self._open[order.client_id] = Doubt(
            client_id=order.client_id,
            sent_wall_ns=sent_wall_ns,
            sent_ns=now_ns - max(0, self._context.clock.now_ns() - sent_wall_ns),
            begun_ns=now_ns,
            acknowledged_ns=acknowledged_ns if order.working else None,
            verified=order.verified,
            risky=not order.intent.role.protective,
        )
        self.ask(order)

    def end(self, client_id: str) -> None:
        """The order is certain again; harmless when it was not in doubt."""
        doubt = self._open.pop(client_id, None)
        if doubt is None:
            return
        self._timers().cancel(("ask", client_id))
        if doubt.told and not any(other.told for other in self._open.values()):
            self._context.account.tell(DoubtChanged(symbol=self._symbol, lasts=False))

    def begin_anew(self) -> None:
        """The actor failed and starts again: whatever is still in doubt is found anew."""
        self._context.account.tell(DoubtChanged(symbol=self._symbol, lasts=False))

    def ask(self, order: Order) -> None:
        """Query it now; what nobody could ask about for long is told although no query has come to an end."""
        doubt = self._open.get(order.client_id)
        if doubt is not None:
            self._open[order.client_id] = self._told_when_grown(doubt)
        self._context.gateway.tell(Query(order=ref_of(order)))
        self._timers().once(("ask", order.client_id), ANSWER_DEADLINE_NS, AskNow(order.client_id))

    def on_outcome(self, message: QueryOutcome) -> None:
        """The venue knows no such order, or did not answer."""
        doubt = self._open.get(message.client_id)
        if doubt is None:
            return
        now_ns = self._context.clock.monotonic_ns()
        match message.result:
            case NotFound():
                doubt, following = resolution.after_not_found(
                    doubt,
                    now_ns=now_ns,
                    receive_window_ms=self._context.venue.capabilities.receive_window_ms,
                )
            case Unknown():
                doubt, following = resolution.after_no_answer(doubt)
            case _:
                return
        doubt = self._told_when_grown(doubt)
        self._open[message.client_id] = doubt
        self._follow(doubt, following)

    def proven_absent(self, message: EvidenceGathered, *, unattributed_trades: int) -> bool:
        """Whether the evidence settles that the order does not live; otherwise it is asked about again."""
        doubt = self._open.get(message.client_id)
        if doubt is None:
            return False
        snapshot = message.snapshot
        if snapshot is not None:
            listed = any(report.client_id == message.client_id for report in snapshot.listed)
            if resolution.evidence_agrees(listed=listed, unattributed_trades=unattributed_trades):
                return True
        self._follow(doubt, AskAgain(resolution.SECOND))
        return False

    def fetch_trades(self, client_id: str, sent_wall_ns: int) -> None:
        """Ask for the trades that belong to an order of which the venue says that more was filled than we booked."""
        since_ms = max(sent_wall_ns // 1_000_000 - LOOK_BACK_MS, self._context.journal.created_venue_ms)
        self._context.gateway.tell(GatherEvidence(client_id=client_id, symbol=self._symbol, since_ms=since_ms))

    def _told_when_grown(self, doubt: Doubt) -> Doubt:
        if doubt.told or not resolution.grown(doubt, self._context.clock.monotonic_ns()):
            return doubt
        self._tell_grown(doubt.client_id)
        return msgspec.structs.replace(doubt, told=True)

    def _tell_grown(self, client_id: str) -> None:
        text = f"{client_id}: nobody knows for {resolution.GROWN_NS // resolution.SECOND} s what became of it"
        self._context.alert.tell(
            Alert(level=AlertLevel.CRITICAL, code="ORDER_IN_DOUBT", text=text, symbol=self._symbol)
        )
        self._context.account.tell(DoubtChanged(symbol=self._symbol, lasts=True))

    def _follow(self, doubt: Doubt, following: resolution.Next) -> None:
        if isinstance(following, AskAgain):
            self._timers().once(("ask", doubt.client_id), following.delay_ns, AskNow(doubt.client_id))
        else:
            self.fetch_trades(doubt.client_id, doubt.sent_wall_ns)
            self._timers().once(("ask", doubt.client_id), ANSWER_DEADLINE_NS, AskNow(doubt.client_id))


def ref_of(order: Order) -> OrderRef:
    """How the venue knows an order."""
    return OrderRef(
        symbol=order.intent.symbol,
        client_id=order.client_id,
        conditional=order.intent.type.conditional,
        venue_id=order.venue_id,
    )

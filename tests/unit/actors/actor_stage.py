"""Single actors of an account with everything real around them but the venue and the clock, which the test plays."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from rule_makers import BTC, SYMBOL

from execactor.actors.context import AccountSettings, Context, Ref
from execactor.domain.account import EngineState, VenuePosition, VenueSnapshot
from execactor.domain.fill import Execution
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert
from execactor.domain.order import OrderIntent
from execactor.domain.reports import CancelResult, QueryResult, SubmitResult, VenueEvent
from execactor.risk.limits import Limits
from execactor.runtime import ActorSystem, LoopActor, ManualClock
from execactor.runtime.future import as_awaitable
from execactor.store.journal import Journal
from execactor.store.recovery import replay
from execactor.tactics.trade import TradePolicy
from execactor.venues.port import Capabilities, Guard, MarketListener, OrderRef

START_NS = 1_790_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS
NAMES = ("account", "risk", "reconciler", "alert", "gateway", "market")
T = TypeVar("T")


class PlayedVenue:
    """A venue whose every answer is a future that the test resolves; `asked` keeps them in order, by question."""

    capabilities = Capabilities(
        conditional_orders=True,
        close_position_stops=True,
        reduce_only=True,
        query_by_client_id=True,
        post_only=False,
        max_conditional_orders=200,
        receive_window_ms=2_000,
    )

    def __init__(self) -> None:
        self.asked: dict[str, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self.guards: list[Guard] = []
        self.used = 0.0

    def submit(self, intent: OrderIntent, guard: Guard) -> "asyncio.Future[SubmitResult]":
        self.guards.append(guard)
        return self._ask("submit", intent)

    def cancel(self, order: OrderRef) -> "asyncio.Future[CancelResult]":
        return self._ask("cancel", order)

    async def query(self, order: OrderRef) -> QueryResult:
        return await self._ask("query", order)

    async def snapshot(self, symbols: Sequence[str], trades_since_ms: Mapping[str, int]) -> VenueSnapshot:
        return await self._ask("snapshot", dict(trades_since_ms))

    async def positions(self) -> Sequence[VenuePosition]:
        return await self._ask("positions", None)

    def renew_private_stream(self, reason: str) -> None:
        self._ask("renew", reason)

    def load(self) -> float:
        return self.used

    async def depth_snapshot(self, symbol: str) -> bytes:
        return await self._ask("depth", symbol)

    async def instruments(self) -> Mapping[str, Instrument]:
        return {SYMBOL: BTC}

    async def recent_trades(self, symbol: str, since_ms: int) -> Sequence[Execution]:
        return []

    async def connect(self, on_event: Callable[[VenueEvent], None], market: MarketListener) -> None:
        return None

    async def close(self) -> None:
        return None

    def clock_offset_ms(self) -> float:
        return 0.0

    def _ask(self, question: str, subject: Any) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.setdefault(question, []).append((subject, answer))
        return answer


class Probe(LoopActor):
    """Stands where an actor would: keeps what it is told."""

    def __init__(self, heard: list[Any]) -> None:
        super().__init__(heard)
        self.heard = heard

    def on_receive(self, message: Any) -> None:
        self.heard.append(message)


class Stage:
    """A context whose actors are probes, until `play` puts a real one in the place of one of them."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.clock = ManualClock(START_NS)
        self.clock.advance(SECOND)  # a time of 0 means "never"
        self.system = ActorSystem(self.clock)
        self.venue = PlayedVenue()
        self.journal = Journal(directory / "journal.db", account="acc", now_ms=START_NS // MS)
        fields: dict[str, Any] = {
            "account": "acc",
            "prefix": "capi",
            "symbols": (SYMBOL,),
            "policy": TradePolicy(),
            "limits": Limits(),
        }
        self.context = Context(
            AccountSettings(**fields | settings),
            self.journal,
            self.venue,
            {SYMBOL: BTC},
            self.clock,
            replay(self.journal.rows()),
        )
        self.context.engine_state = EngineState.RUNNING
        self.heard: dict[str, list[Any]] = {}
        for name in NAMES:
            setattr(self.context, name, self._probe(name))
        self.context.orders[SYMBOL] = self._probe("order")
        self.context.positions[SYMBOL] = self._probe("position")
        self.escalations: list[str] = []
        self.system.on_escalation.append(lambda ref, error: self.escalations.append(str(error)))

    def close(self) -> None:
        self.context.closing = True
        for ref in self.system.refs:
            ref.abort()
        self.journal.close()

    def play(self, actor_class: type[LoopActor], *args: Any, at: str | None = None) -> Ref:
        """Start a real actor; at: the place in the context that it takes."""
        ref: Ref = self.system.start(actor_class, self.context, *args)
        if at in ("order", "position"):
            getattr(self.context, f"{at}s")[SYMBOL] = ref
        elif at is not None:
            setattr(self.context, at, ref)
        return ref

    def told(self, name: str, kind: type[T]) -> list[T]:
        """What the probe in this place heard of a kind."""
        return [message for message in self.heard[name] if isinstance(message, kind)]

    def alerts(self, code: str | None = None) -> list[Alert]:
        return [alert for alert in self.told("alert", Alert) if code in (None, alert.code)]

    def records(self, kind: type[T]) -> list[T]:
        return [row.record for row in self.context.rows() if isinstance(row.record, kind)]

    async def settle(self) -> None:
        """Let actors and their tasks do all that can be done now."""
        for _ in range(10):
            self.system.dispatcher.flush()
            await asyncio.sleep(0)

    async def after(self, ns: int) -> None:
        """Move time on, then settle."""
        self.clock.advance(ns)
        await self.settle()

    async def tell(self, ref: Ref, *messages: Any) -> None:
        for message in messages:
            ref.tell(message)
        await self.settle()

    async def ask(self, ref: Ref, message: Any) -> Any:
        future = ref.ask(message, block=False)
        await self.settle()
        return await as_awaitable(future)

    def open(self, question: str) -> list[Any]:
        """Subjects of the questions to the venue that are not answered yet."""
        return [subject for subject, answer in self.venue.asked.get(question, []) if not answer.done()]

    def count(self, question: str) -> int:
        """How often the venue was asked."""
        return len(self.venue.asked.get(question, []))

    async def answer(self, question: str, result: Any) -> Any:
        """Answer the oldest open question of this kind; an exception fails it. Returns its subject."""
        subject, answer = next(each for each in self.venue.asked[question] if not each[1].done())
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
        await self.settle()
        return subject

    def _probe(self, name: str) -> Ref:
        heard: list[Any] = []
        self.heard[name] = heard
        return self.system.start(Probe, heard, name=f"probe {name}")


def snapshot(
    position: Any = 0, *, orders: Sequence[Any] = (), trades: Sequence[Execution] = (), requested_ns: int = 0
) -> VenueSnapshot:
    """What the venue says of the account: a position, open orders of both kinds, and trades."""
    held = VenuePosition(symbol=SYMBOL, quantity=Decimal(str(position)), entry_price=Decimal(90_800))
    return VenueSnapshot(
        positions=(held,) if held.quantity else (),
        open_orders=tuple(order for order in orders if not hasattr(order, "trigger_price")),
        conditional_orders=tuple(order for order in orders if hasattr(order, "trigger_price")),
        wallet_balance=Decimal(10_000),
        trades=tuple(trades),
        requested_ns=requested_ns,
    )

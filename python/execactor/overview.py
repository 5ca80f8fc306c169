"""What people are told of the engine: state, positions, orders, trades, fills and figures."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pykka

from execactor import assembly
from execactor.actors.account import AccountStatus
from execactor.actors.position import Describe, PositionView
from execactor.assembly import Assembly
from execactor.config import Config
from execactor.domain.messages.decisions import TradeClosed
from execactor.domain.order import Order
from execactor.listeners import Fill
from execactor.performance import Performance
from execactor.runtime.future import as_awaitable
from execactor.store.records import ExecutionAttributed, ExecutionBooked, Record
from execactor.store.recovery import RECENT


class Overview:
    """Asks the actors of the running engine, and keeps what the journal's records add up to.

    running: the parts of the engine; raises while it does not run. Trades and fills outlive a run.
    """

    def __init__(self, settings: Config, running: Callable[[], Assembly]) -> None:
        self._settings = settings
        self._running = running
        self._performance = Performance()
        self._fills: deque[Fill] = deque(maxlen=RECENT)

    def follow(self, made: Assembly) -> None:
        """Start from what this engine's journal had, and listen to what it adds."""
        context = made.context
        self._performance = Performance()
        self._performance.trades.extend(context.recovered.trades)
        recovered = (Fill(client_id=name, execution=execution) for name, execution in context.recovered.executions)
        self._fills = deque(recovered, maxlen=RECENT)
        context.taps.extend((self._performance.on_record, self._on_record))

    def trades(self) -> list[TradeClosed]:
        """The last RECENT closed trades, oldest first."""
        return list(self._performance.trades)

    def fills(self) -> list[Fill]:
        """The last RECENT fills, oldest first."""
        return list(self._fills)

    async def account(self) -> AccountStatus:
        """State, reason, epoch and the stage of the kill sequence."""
        status: AccountStatus = await asked(self._running().context.account, Describe())
        return status

    async def position(self, symbol: str) -> PositionView:
        """The trade of a configured symbol."""
        view: PositionView = await asked(self._running().context.positions[symbol], Describe())
        return view

    async def positions(self) -> list[PositionView]:
        """Every symbol's trade."""
        return [await self.position(symbol) for symbol in self._running().context.positions]

    async def orders(self) -> list[Order]:
        """Orders of the last 24 hours, ended ones included."""
        found: list[Order] = []
        for symbol in self._running().context.orders:
            found += await self._orders_of(symbol)
        return found

    async def order(self, client_id: str) -> Order | None:
        """One of them by its client id."""
        return next((order for order in await self.orders() if order.client_id == client_id), None)

    async def figures(self) -> dict[str, Any]:
        """Figures in the shape of source document 002."""
        context = self._running().context
        views = await self.positions()
        mode, state = str(self._settings.mode), context.engine_state
        return self._performance.report(mode, state, views, context.view, context.latencies)

    async def status(self) -> dict[str, Any]:
        """What `execactor status` shows."""
        context = self._running().context
        account = await self.account()
        return {
            "state": account.state,
            "reason": account.reason,
            "mode": self._settings.mode,
            "account": context.settings.account,
            "symbols": list(context.settings.symbols),
            "epoch": account.epoch,
            "kill_stage": account.kill_stage,
            "equity": context.view,
            "trades": len(self._performance.trades),
            **assembly.report_of(self._running()),
            "books": await asked(context.market, Describe()),
            "alerts": await asked(context.alert, Describe()),
        }

    async def _orders_of(self, symbol: str) -> tuple[Order, ...]:
        orders: tuple[Order, ...] = await asked(self._running().context.orders[symbol], Describe())
        return orders

    def _on_record(self, record: Record) -> None:
        match record:
            case ExecutionBooked(client_id=client_id, execution=execution):
                self._fills.append(Fill(client_id=client_id, execution=execution))
            case ExecutionAttributed(client_id=client_id, execution=execution):
                attributed = Fill(client_id=client_id, execution=execution)
                told = (attributed if fill.execution.key == execution.key else fill for fill in self._fills)
                self._fills = deque(told, maxlen=RECENT)


async def asked(actor: pykka.ActorRef[Any], message: Any) -> Any:
    """An actor's answer."""
    return await as_awaitable(actor.ask(message, block=False))

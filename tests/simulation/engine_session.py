"""An engine and a simulated venue in one process, and what the tests of the whole engine ask of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from scenario import CREDENTIALS, decision

from execactor.actors.position import PositionView
from execactor.domain.account import EngineState
from execactor.domain.messages.account import Alert
from execactor.domain.order import Order, Role
from execactor.engine import Engine
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.simulator.admin import Admin
from execactor.simulator.checker import Report, check
from execactor.store.digest import replayed_digest, state_digest
from execactor.store.recovery import replay

BTC, ETH = "BTCUSDT", "ETHUSDT"
T = TypeVar("T")


@asynccontextmanager
async def venue_of(**config: Any) -> AsyncIterator[SimulatedVenue]:
    """A venue whose market hardly moves by itself and follows a steer within tenths of a second."""
    base: dict[str, Any] = {"seed": 3, "speed": 20.0, "step_ms": 20, "volatility_bps": 0.2}
    async with SimulatedVenue(SimulatorConfig(**base | config)) as venue:
        yield venue


def settings_of(venue: SimulatedVenue, directory: Path, /, **changes: Any) -> dict[str, Any]:
    """A configuration with everything under `directory`; tables among the changes are merged into theirs."""
    settings: dict[str, Any] = {
        "mode": "sim",
        "symbols": [BTC],
        "data_dir": str(directory / "run"),
        "lock_dir": str(directory / "locks"),
        "venue": {"rest_url": venue.rest_url, "ws_url": venue.ws_url, "recv_window_ms": 500, "answer_timeout_ms": 400},
    }
    for name, value in changes.items():
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    return settings


@dataclass
class Session:
    """A running engine on a venue."""

    venue: SimulatedVenue
    engine: Engine
    directory: Path

    # The venue's side

    @property
    def log(self) -> list[dict[str, Any]]:
        """The venue's log so far."""
        return list(self.venue.venue.log.kept)

    @property
    def wallet(self) -> Decimal:
        return self.venue.exchange.account.wallet

    def held(self, symbol: str = BTC) -> Decimal:
        """The position at the venue."""
        return self.venue.exchange.account.positions[symbol].quantity

    def mark(self, symbol: str = BTC) -> Decimal:
        return self.venue.exchange.markets[symbol].mark

    def resting(self, role: str | None = None) -> list[str]:
        """Client ids of the open orders at the venue, of both kinds."""
        exchange = self.venue.exchange
        names = [order.client_id for order in (*exchange.orders.open(), *exchange.conditional.algos.open())]
        return [name for name in names if role is None or role_of(name) == role]

    def algo(self, client_id: str) -> Any:
        return next(algo for algo in self.venue.exchange.conditional.algos.open() if algo.client_id == client_id)

    def requests(self, *roles: str, cancels: bool = False) -> list[dict[str, Any]]:
        """Placements (or cancels) that the venue received for orders of these roles, in order."""
        found = []
        for line in self.log:
            if line["kind"] != "request":
                continue
            method, params = line["method"], line["params"]
            name = params.get("newClientOrderId") or params.get("clientAlgoId") or params.get("origClientOrderId") or ""
            placement = method in _PLACEMENTS
            if (method in _CANCELS if cancels else placement) and (not roles or role_of(name) in roles):
                found.append(line | {"client_id": name})
        return found

    def placed(self, *roles: str) -> list[str]:
        """Client ids of the placements that the venue received."""
        return [request["client_id"] for request in self.requests(*roles)]

    def fills(self) -> list[dict[str, Any]]:
        return [line for line in self.log if line["kind"] == "fill"]

    def fault(self, name: str, count: int = 1, **options: Any) -> None:
        self.admin.fault({"name": name, "count": count, **options})

    def note(self, text: str) -> None:
        """A line of the venue log, for the checker."""
        self.venue.venue.log.record("note", {"text": text})

    @property
    def admin(self) -> Admin:
        """The harness's door, without its HTTP."""
        return other_hand(self.venue)

    def other_hand(self, side: str, quantity: str, symbol: str = BTC) -> None:
        """Somebody else trades on the same account at market."""
        self.admin.trade({"symbol": symbol, "side": side, "quantity": quantity})

    def fill_entry(self, fraction: str, symbol: str = BTC) -> Decimal:
        """Fill this share of a resting entry at its own price; returns the base units."""
        exchange = self.venue.exchange
        order = next(order for order in exchange.orders.open(symbol) if role_of(order.client_id) == "entry")
        lots = int(order.lots * Decimal(fraction))
        exchange.fill_resting(order, lots)
        self.venue.venue.pulse.after(symbol)
        return order.symbol.quantity(lots)

    # The engine's side

    def records(self, kind: type[T]) -> list[T]:
        """What the journal holds of a kind."""
        return [row.record for row in self.engine.journal.rows() if isinstance(row.record, kind)]

    def alerts(self, *codes: str) -> list[Alert]:
        return [alert for alert in self.records(Alert) if not codes or alert.code in codes]

    async def view(self, symbol: str = BTC) -> PositionView:
        return next(view for view in await self.engine.positions() if view.symbol == symbol)

    async def order(self, client_id: str) -> Order:
        return next(order for order in await self.engine.orders() if order.client_id == client_id)

    # Both

    async def still(self, symbol: str = BTC) -> Decimal:
        """Wait until the market has arrived where it was steered to, and its mark with it; returns the mark."""
        await until(lambda: not self.venue.exchange.markets[symbol].restless)
        return self.mark(symbol)

    async def feed(self, key: str, symbol: str = BTC, **changes: Any) -> bytes:
        """Hand the engine a decision that crosses the market at once; returns its body."""
        body = decision(symbol, await self.still(symbol), key=key, **changes)
        await self.engine.submit_decision(body)
        return body

    async def feed_resting(self, key: str, symbol: str = BTC, **changes: Any) -> bytes:
        """A decision whose entry rests a little away from the market."""
        mark = await self.still(symbol)
        return await self.feed(key, symbol, **resting_zone(mark, changes.get("action", "long")) | changes)

    async def open(self, key: str, symbol: str = BTC, **changes: Any) -> None:
        """Hold a position with its stop and both targets at the venue."""
        await self.feed(key, symbol, **changes)
        await self.protected(key)

    async def protected(self, key: str) -> None:
        """Wait until stop and both targets of a decision stand at the venue, and the engine has seen the stop there."""
        await until(lambda: {"sl", "tp1", "tp2"} <= {role_of(name) for name in self.resting() if key_of(name) == key})
        await until_async(lambda: self._verified(key))

    async def _verified(self, key: str) -> bool:
        stops = [order for order in await self.engine.orders() if order.intent.role is Role.STOP]
        return any(order.verified and order.working and key_of(order.client_id) == key for order in stops)

    def move(self, percent: str, symbol: str = BTC, seconds: float = 0.2) -> Decimal:
        """Steer the market by so many percent of the mark; returns where to."""
        target = self.mark(symbol) * (1 + Decimal(percent) / 100)
        self.venue.steer(symbol, target, seconds)
        return target

    async def idle(self, symbol: str = BTC, within_s: float = 15) -> None:
        """Wait until the symbol has no trade under way."""
        await until_async(lambda: self._idle(symbol), within_s=within_s)

    async def _idle(self, symbol: str) -> bool:
        return (await self.view(symbol)).phase == "NO_POSITION"

    async def state(self, *wanted: EngineState, within_s: float = 10) -> None:
        await until(lambda: self.engine.state in wanted, within_s=within_s)

    async def alerted(self, code: str, within_s: float = 10) -> Alert:
        await until(lambda: bool(self.alerts(code)), within_s=within_s)
        return self.alerts(code)[0]

    async def resume(self, reason: str) -> str | None:
        """A person resumes, which the venue log notes; returns why it is refused."""
        self.note("engine resumed")
        return await self.engine.resume(reason)

    async def digests(self) -> dict[str, str]:
        """The state that lives, and the one that the journal replays to, while nothing is under way."""
        context = self.engine._running().context
        orders, views = await self.engine.orders(), await self.engine.positions()
        live = state_digest(orders, [view.position for view in views], context.epoch)
        return {"live_digest": live, "replayed_digest": replayed_digest(replay(context.rows()))}

    async def judged(self) -> Report:
        """What the checker says of the venue's log, of the engine's journal and of its books, now."""
        engine = self.engine
        report = {
            "positions": {view.symbol: str(view.position.quantity) for view in await engine.positions()},
            "trade_ids": [fill.execution.trade_id for fill in engine.fills()],
            "open_orders": [order.client_id for order in await engine.orders() if order.live],
            "trades": [{"symbol": trade.symbol, "pnl": str(trade.pnl)} for trade in engine.trades()],
            **await self.digests(),
        }
        return check(self.log, journal=engine.journal.raw_rows(), engine_report=report)


@asynccontextmanager
async def engine_on(venue: SimulatedVenue, directory: Path, /, **changes: Any) -> AsyncIterator[Session]:
    """A ready engine on `venue`."""
    engine = Engine.from_config(settings_of(venue, directory, **changes), credentials=CREDENTIALS)
    venue.venue.log.record("note", {"text": "engine started"})
    async with engine:
        await engine.ready(15)
        venue.venue.log.record("note", {"text": "engine ready"})
        yield Session(venue, engine, directory)


@asynccontextmanager
async def session(
    directory: Path, /, *, market: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Session]:
    """A venue and a ready engine on it. market: changes of the venue's configuration; the rest: of the engine's."""
    async with venue_of(**market or {}) as venue, engine_on(venue, directory, **changes) as opened:
        yield opened


async def side_by_side(directory: Path, cases: Mapping[str, Callable[[Path], Awaitable[None]]]) -> None:
    """Run sessions at the same time, each in a directory of its own; a failure is told under its case's name."""
    names = list(cases)
    for number in range(len(names)):
        (directory / str(number)).mkdir()
    running = (cases[name](directory / str(number)) for number, name in enumerate(names))
    failures = []
    for name, outcome in zip(names, await asyncio.gather(*running, return_exceptions=True), strict=True):
        if isinstance(outcome, BaseException):
            outcome.add_note(f"in the case: {name}")
            failures.append(outcome)
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {len(names)} sessions", failures)


def other_hand(venue: SimulatedVenue) -> Admin:
    """What somebody else can do to the account, and a harness to the venue."""
    return Admin(venue.venue, lambda: None)


def resting_zone(mark: Decimal, action: str = "long", away: str = "0.002") -> dict[str, Any]:
    """Fields of a decision whose entry rests `away` (a fraction) from the mark, with the stop and targets beyond."""
    sign = 1 if action == "long" else -1
    middle = mark * (1 - sign * Decimal(away))
    return {
        "entry_zone": [str(middle * Decimal("0.9999")), str(middle * Decimal("1.0001"))],
        "sl": str(mark * (1 - sign * Decimal("0.01"))),
        "tp1": str(mark * (1 + sign * Decimal("0.006"))),
        "tp2": str(mark * (1 + sign * Decimal("0.012"))),
    }


def role_of(client_id: str) -> str:
    """The role in one of our client ids; empty for others."""
    head, _, rest = client_id.partition("_")
    return rest.partition("_")[0] if head == "capi" else ""


def key_of(client_id: str) -> str:
    """The decision key in one of our client ids."""
    return client_id.split("_")[2] if role_of(client_id) else ""


async def until(true: Callable[[], Any], *, within_s: float = 10) -> None:
    """Look every 5 ms until it is true; raises TimeoutError."""
    await until_async(lambda: _at_once(true), within_s=within_s)


async def until_async(true: Callable[[], Awaitable[Any]], *, within_s: float = 10) -> None:
    """The same for a question that has to be awaited."""
    async with asyncio.timeout(within_s):
        while True:
            if await true():
                return
            await asyncio.sleep(0.005)


async def _at_once(true: Callable[[], Any]) -> Any:
    return true()


def in_order(*lines: dict[str, Any]) -> bool:
    """Whether log lines came in this order."""
    return all(one["n"] < other["n"] for one, other in itertools.pairwise(lines))


_PLACEMENTS = {"order.place", "algoOrder.place", "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"}
_CANCELS = {"order.cancel", "algoOrder.cancel", "DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder"}

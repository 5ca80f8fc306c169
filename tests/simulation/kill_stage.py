"""A simulated venue in this process and the engine as a real process beside it, which the venue may kill."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loopback import Client

from execactor.control import ControlClient, ControlClosed, ControlTimeout, EngineAbsent
from execactor.service.demo import decisions
from execactor.service.demo.children import Child
from execactor.service.demo.decisions import Fed
from execactor.simulator import SimulatedVenue, SimulatorConfig
from execactor.simulator.config import FaultProfile
from execactor.simulator.exchange import Exchange

KEYS = {"EXECACTOR_API_KEY": SimulatorConfig().api_key, "EXECACTOR_API_SECRET": SimulatorConfig().api_secret}
ACTING = frozenset({"RUNNING", "PAUSED", "SAFE_MODE", "HALTED"})
START_S = 20.0
KILLED_S = 60.0
LOOK_S = 0.01


class KillStage:
    """Use as `async with KillStage(...)`. At the end every engine that it started is stopped, and checked to be gone.

    states: the engine's state when it was ready, once for each of its lives; ready_s: how long that took. fed: the
    decisions to enter, in order.
    """

    def __init__(self, directory: Path, *, seed: int, symbol: str, faults: FaultProfile = "none") -> None:
        self.directory = directory
        self.symbol = symbol
        self.venue_log = directory / "venue.jsonl"
        self.states: list[str] = []
        self.ready_s: list[float] = []
        self.engines: list[Child] = []
        self.fed: list[Fed] = []
        self._config = SimulatorConfig(seed=seed, faults=faults, venue_log=self.venue_log, volatility_bps=0.5)
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.venue = await self._exits.enter_async_context(SimulatedVenue(self._config))
        self._exits.push_async_callback(self._stop_engines)
        self._door = await self._exits.enter_async_context(Client.of(self.venue))
        self.decisions = self.directory / "decisions"
        self.decisions.mkdir()
        self.configuration = self.directory / "execactor.toml"
        self.configuration.write_text(self._settings(), encoding="utf-8")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    @property
    def engine(self) -> Child:
        """The engine's present, or last, process."""
        return self.engines[-1]

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    @property
    def killed(self) -> bool:
        """Whether the venue has fired its SIGKILL."""
        return self.venue.venue.log.counts.get("kill", 0) > 0

    @property
    def price(self) -> Decimal:
        """The last price, quote per base."""
        return self.exchange.markets[self.symbol].last

    async def start_engine(self) -> None:
        """Start the engine's process and wait until it acts; the log gets both notes."""
        began = asyncio.get_running_loop().time()
        out = self.directory / "engine.out"
        self.engines.append(await Child.start("engine", ["run", "-c", str(self.configuration)], out, KEYS))
        await self.note("engine started")
        state = ""
        async with asyncio.timeout(START_S):
            while state not in ACTING:
                assert self.engine.running, f"the engine ended by itself:\n{self.engine.tail()}"
                with suppress(EngineAbsent, ControlClosed, ControlTimeout):
                    state = (await self.ask("ping"))["state"]
                await asyncio.sleep(LOOK_S)
        await self.note("engine ready", state=state)
        self.states.append(state)
        self.ready_s.append(asyncio.get_running_loop().time() - began)

    async def arm(self, point: str, *, nth: int = 1, role: str | None = None) -> None:
        """Let the venue kill the engine at a point of the protocol."""
        await self._admin("/kill", pid=self.engine.pid, point=point, nth=nth, role=role)

    async def restart_when_killed(self) -> None:
        """The supervisor: as soon as the engine is dead, start it again."""
        await until(lambda: not self.engine.running, "the venue did not kill the engine", within_s=KILLED_S)
        await self.note("engine killed")
        await self.start_engine()

    async def fault(self, name: str, **options: Any) -> None:
        """Order a fault."""
        await self._admin("/fault", name=name, **options)

    def behave(self) -> None:
        """No fault that was ordered strikes any more."""
        self.venue.venue.faults._ordered.clear()

    @property
    def journal(self) -> Path:
        """The engine's journal, to be read when the engine has stopped."""
        return self.directory / "run" / "journal.db"

    async def note(self, text: str, **fields: Any) -> None:
        """A line of the venue's log."""
        await self._admin("/note", text=text, **fields)

    async def feed(self, fed: Fed) -> None:
        """Put a decision where the engine looks."""
        self.fed.append(fed)
        await self.note("decision fed", key=fed.key, symbol=fed.symbol, side=fed.side, quantity=f"{fed.quantity:f}")
        decisions.write(self.decisions, fed.body)

    async def feed_flat(self, key: str) -> None:
        """The decision to hold nothing."""
        decisions.write(self.decisions, decisions.flat(key, self.symbol))

    async def ask(self, method: str, **params: Any) -> Any:
        """One question to the engine over its control socket."""
        async with await ControlClient.connect(self.directory / "run" / "control.sock") as client:
            return await client.call(method, **params)

    async def at_rest(self, within_s: float) -> bool:
        """Wait until neither venue nor engine has a position, an order or a trade under way; False when too late."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await self.rests():
                    await asyncio.sleep(LOOK_S)
                return True
        return False

    async def rests(self) -> bool:
        """Whether neither venue nor engine has a position, an order or a trade under way."""
        return self._venue_at_rest() and await self._engine_at_rest()

    async def finish(self) -> dict[str, Any]:
        """The engine's report for the checker; then it is stopped as an operator does."""
        report: dict[str, Any] = await self.ask("report")
        await self.note("final")
        assert await self.engine.stop() == 0, self.engine.tail()
        return report

    def log(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one kind of the venue's log so far."""
        lines = map(json.loads, self.venue_log.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line["kind"] == kind]

    @property
    def held(self) -> Decimal:
        """The position at the venue, signed base units."""
        return self.exchange.account.positions[self.symbol].quantity

    def _venue_at_rest(self) -> bool:
        exchange = self.exchange
        return not (self.held or exchange.orders.open(self.symbol) or exchange.conditional.algos.open())

    async def _engine_at_rest(self) -> bool:
        with suppress(EngineAbsent, ControlClosed, ControlTimeout):
            (view,) = await self.ask("positions")
            return view["phase"] == "NO_POSITION" and not await self.ask("orders", live=True)
        return False

    async def _admin(self, path: str, **body: Any) -> None:
        status, answer = await self._door.sim("POST", path, **body)
        assert status == 200, answer

    async def _stop_engines(self) -> None:
        for engine in self.engines:
            await engine.stop()
        assert not any(Path(f"/proc/{engine.pid}").exists() for engine in self.engines), "an engine was left behind"

    def _settings(self) -> str:
        return (
            f'mode = "sim"\nsymbols = ["{self.symbol}"]\ndata_dir = "run"\nlock_dir = "locks"\n'
            f'[venue]\nrest_url = "{self.venue.rest_url}"\nws_url = "{self.venue.ws_url}"\n'
            f'[decisions]\npath = "decisions"\npoll_ms = 50\n'
        )


async def until(true: Callable[[], bool], otherwise: str, *, within_s: float) -> None:
    """Look until it is true."""
    try:
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"{otherwise} within {within_s:g} s") from None

"""The stage: a simulator and an engine as two processes on loopback, in a temporary directory."""

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from execactor.control import ControlClient, ControlClosed, ControlTimeout, EngineAbsent
from execactor.domain.errors import ExecactorError
from execactor.service.demo import decisions
from execactor.service.demo.children import Child, ChildFailed
from execactor.service.demo.decisions import Fed
from execactor.service.demo.progress import Progress
from execactor.service.demo.venue_door import VenueDoor
from execactor.simulator import SimulatorConfig

START_S = 20.0
_KEYS = {"EXECACTOR_API_KEY": SimulatorConfig().api_key, "EXECACTOR_API_SECRET": SimulatorConfig().api_secret}

Record = Mapping[str, Any]


class DemoFailed(ExecactorError):
    """The demo could not be played to its end."""


class NotInTime(DemoFailed):
    """Something that was waited for did not happen."""


class Scenery(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage is set up with. directory: temporary, for everything; venue_log: where the venue writes."""

    directory: Path
    venue_log: Path
    symbols: tuple[str, ...]
    seed: int
    speed: Decimal
    replay: str | None


class Stage:
    """Use as `async with Stage(...)`: the simulator runs; the engine is started, killed and started again on demand.

    latencies: the engine's legs, one mapping for each life of the engine, as far as it could still be asked.
    """

    def __init__(self, scenery: Scenery, progress: Progress) -> None:
        self.scenery = scenery
        self.progress = progress
        self.latencies: list[dict[str, Any]] = []
        self.children: list[Child] = []
        self._exits = AsyncExitStack()
        self._records: list[Record] = []
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None
        self._seq = 0

    async def __aenter__(self) -> Self:
        self._exits.push_async_callback(self._stop_children)
        try:
            await self._open()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    async def _open(self) -> None:
        scenery = self.scenery
        arguments = ["simulator", "--port", "0", "--json", "--seed", str(scenery.seed), "--speed", str(scenery.speed)]
        arguments += ["--venue-log", str(scenery.venue_log)]
        if scenery.replay is not None:
            arguments += ["--replay", scenery.replay]
        self.simulator = await self._child("simulator", arguments)
        urls = await self.simulator.announcement(START_S)
        self.door = await self._exits.enter_async_context(VenueDoor(urls["rest_url"]))
        self.progress.say("demo", f"the venue listens at {urls['rest_url']}")
        self.decisions = scenery.directory / "decisions"
        self.decisions.mkdir()
        self.config = scenery.directory / "execactor.toml"
        self.config.write_text(_configuration(scenery.symbols, urls), encoding="utf-8")
        self.socket = scenery.directory / "run" / "control.sock"
        for work in (self.progress.print_lines(), self.progress.follow_venue(scenery.venue_log)):
            self._in_background(work)

    async def start_engine(self) -> None:
        """Start the engine and wait until it trades. Raises DemoFailed or ChildFailed."""
        self.engine = await self._child("engine", ["run", "-c", str(self.config)])
        await self.door.note("engine started")
        self.progress.say("demo", f"engine started, process {self.engine.pid}")
        client = await self._until_running()
        await client.close()
        await self.door.note("engine ready")
        self._listening = asyncio.create_task(self._listen())

    async def kill_engine(self) -> None:
        """kill -9."""
        await self.keep_latencies()
        await self.engine.kill()
        await self.door.note("engine killed")
        self.progress.say("demo", f"kill -9 {self.engine.pid}: the engine is gone, the position is open")
        if self._listening is not None:
            await asyncio.wait({self._listening})

    async def feed(self, fed: Fed) -> None:
        """Hand the engine a decision, as a file."""
        fields = {"key": fed.key, "symbol": fed.symbol, "side": fed.side, "quantity": f"{fed.quantity:f}"}
        await self.door.note("decision fed", **fields)
        body = fed.body
        targets = f"targets {body['tp1']} and {body['tp2']}"
        self.progress.say("demo", f"decision {fed.key}: {body['action']} {fed.symbol}, stop {body['sl']}, {targets}")
        decisions.write(self.decisions, body)

    async def feed_flat(self, key: str, symbol: str) -> None:
        """Hand the engine the decision to hold nothing."""
        self.progress.say("demo", f"decision {key}: flat {symbol}")
        decisions.write(self.decisions, decisions.flat(key, symbol))

    async def entered(self, fed: Fed, within_s: float) -> None:
        """Wait until the entry of a decision has begun to fill. Raises NotInTime or ChildFailed."""

        def is_entry(kind: str, record: Record) -> bool:
            return kind == "execution" and f"_entry_{fed.key}" in record["client_id"]

        await self._heard(is_entry, within_s, f"the entry of {fed.key}")

    async def ended(self, fed: Fed, within_s: float) -> None:
        """Wait until a decision is over, traded or not. Raises NotInTime or ChildFailed."""

        def is_end(kind: str, record: Record) -> bool:
            return kind == "plan_ended" and record["key"] == fed.key

        await self._heard(is_end, within_s, f"the end of {fed.key}")

    async def _heard(self, wanted: Callable[[str, Record], bool], within_s: float, what: str) -> None:
        """Wait until the engine's journal holds a record of which `wanted(kind, record)` is true."""
        looked = 0
        try:
            async with asyncio.timeout(within_s), self._news:
                while True:
                    fresh, looked = self._records[looked:], len(self._records)
                    if any(wanted(event["kind"], event["record"]) for event in fresh):
                        return
                    if not self.engine.running:
                        raise ChildFailed("the engine ended by itself")
                    await self._news.wait()
        except TimeoutError:
            raise NotInTime(f"{what} did not happen within {within_s:g} s") from None

    async def keep_latencies(self) -> None:
        """Ask the engine for its latencies, as long as it lives."""
        async with await ControlClient.connect(self.socket) as client:
            self.latencies.append((await client.call("status"))["latency_us"])

    async def final_report(self) -> dict[str, Any]:
        """The engine's report for the checker, taken before everything is stopped."""
        await self.keep_latencies()
        async with await ControlClient.connect(self.socket) as client:
            report: dict[str, Any] = await client.call("report")
        await self.door.note("final")
        return report

    async def _until_running(self) -> ControlClient:
        state = "STARTING"
        try:
            async with asyncio.timeout(START_S):
                while self.engine.running:
                    with suppress(EngineAbsent, ControlClosed, ControlTimeout):
                        client = await ControlClient.connect(self.socket)
                        state = (await client.call("ping"))["state"]
                        if state == "RUNNING":
                            return client
                        await client.close()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise DemoFailed(f"the engine is {state} after {START_S:g} s") from None
        raise ChildFailed("the engine ended by itself")

    async def _listen(self) -> None:
        """Take in the engine's journal until the engine is gone; a later life goes on where this one ended."""
        try:
            async with await ControlClient.connect(self.socket) as client:
                async for event in client.events(self._seq):
                    self._seq = event["seq"]
                    self.progress.tell_record(event)
                    await self._tell(event)
        except (ControlClosed, EngineAbsent):
            async with self._news:
                self._news.notify_all()

    async def _tell(self, event: Record) -> None:
        async with self._news:
            self._records.append(event)
            self._news.notify_all()

    async def _child(self, name: str, arguments: list[str]) -> Child:
        child = await Child.start(name, arguments, self.scenery.directory / f"{name}.out", _KEYS)
        self.children.append(child)
        return child

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._exits.push_async_callback(end)

    async def _stop_children(self) -> None:
        """The engine first, so that it can part from its venue; then the venue, which ends its log."""
        for child in reversed(self.children):
            await child.stop()
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening


def cancel_on_sigterm() -> None:
    """End the current task on SIGTERM as on Ctrl-C, so that the children are stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _configuration(symbols: tuple[str, ...], urls: Mapping[str, str]) -> str:
    quoted = json.dumps(list(symbols))
    return f"""mode = "sim"
symbols = {quoted}
data_dir = "run"
lock_dir = "locks"

[venue]
rest_url = "{urls["rest_url"]}"
ws_url = "{urls["ws_url"]}"

[decisions]
path = "decisions"
poll_ms = 50
"""

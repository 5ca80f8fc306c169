"""One run of a plan: the engine's lives on a stage, from the first decision to rest, and the judgement."""

import asyncio
import json
import tempfile
import traceback
from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from execactor.domain.account import EngineState
from execactor.domain.errors import ExecactorError, RetryLater
from execactor.engine import Engine
from execactor.runtime import Abandoned, Simulation
from execactor.simulation.conditions import holds
from execactor.simulation.plan import Act, Await, Decide, GoFlat, Halt, Pause, Plan, Restart, Resume, Strike
from execactor.simulation.stage import Stage
from execactor.simulation.world import MS, World
from execactor.simulator import SimulatorConfig
from execactor.simulator.checker import Report, check
from execactor.simulator.config import Quirks
from execactor.simulator.symbols import DEFAULT_SYMBOLS
from execactor.store.digest import replayed_digest, state_digest
from execactor.store.recovery import replay

SECOND = 1_000_000_000
READY_S = 120.0
REST_S = 75.0
"""An order that was acknowledged and lost counts as gone after a minute; a restart begins that minute anew."""
LOOK_S = 0.02
CALL_AGAIN_S = 10
RECONCILE_S = 20
"""More often than by default, so that what only a comparison can find is found while the end is awaited."""

MOST_LIVES = 30
LEVELS = 5
"""Of the book, on each side: what the engine's decisions look at, and cheap to move."""

_NEEDS_A_PERSON = frozenset({EngineState.SAFE_MODE, EngineState.HALTED})
_FLAT = {"action": "flat", "entry_zone": ["0", "0"], "sl": "0", "position_size_usdt": "0", "leverage": "1"}
_ENDED = "the simulation's end: a person resumes"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one plan.

    problems: sentences, empty when all held; broken: ids of the checks that they break. events: messages and timers
    of the engine and lines of the venue's log. struck: faults by kind; faults: how many. trades: closed ones. points:
    how many crash points each life reached; recoveries: how many of them before it was ready, for each that was.
    transitions: steps of orders that the journal shows. digest: over all that happened.
    """

    seed: int
    problems: tuple[str, ...]
    broken: tuple[str, ...]
    events: int
    faults: int
    struck: dict[str, int]
    trades: int
    lives: int
    points: tuple[int, ...] = ()
    recoveries: tuple[int, ...] = ()
    transitions: tuple[str, ...]
    legal: tuple[str, ...]
    digest: str


def run(
    plan: Plan,
    *,
    disk: Path | None = None,
    kept: int = 0,
    tell: list[dict[str, Any]] | None = None,
    rows: list[tuple[Any, ...]] | None = None,
) -> Verdict:
    """Run a plan in a directory of its own under `disk`.

    tell: is given the venue's log. rows: are given the journal's, each with its place in that log. kept: how many of
    the latest events the simulation keeps.
    """
    with tempfile.TemporaryDirectory(dir=disk) as directory, Simulation(plan.seed, kept=kept) as simulation:
        trial = _Trial(plan, simulation, Path(directory))
        verdict = trial.run()
        if tell is not None:
            tell.extend(trial.stage.venue.log.kept)
        if rows is not None:
            rows.extend(trial.stage.written())
        return verdict


class _Restarting(Exception):
    """The plan restarts the engine now."""

    def __init__(self, down_ms: int) -> None:
        self.down_ms = down_ms


class _Trial:
    def __init__(self, plan: Plan, simulation: Simulation, directory: Path) -> None:
        self.plan = plan
        self.simulation = simulation
        market = SimulatorConfig(
            seed=plan.seed,
            symbols=tuple(symbol for symbol in DEFAULT_SYMBOLS if symbol.name in plan.symbols),
            levels=LEVELS,
            volatility_bps=plan.volatility_bps,
            step_ms=plan.step_ms,
            faults=plan.habits,
            quirks=_quirks(plan.odd_quirks),
        )
        self.stage = Stage(simulation, directory, market, skew_ns=plan.skew_ms * MS)
        self.world = World(self.stage)
        self.problems: list[str] = []
        self.report: Report | None = None
        self._acts: deque[Act] = deque(plan.acts)
        self._bodies: dict[str, bytes] = {}
        self._crashes = deque(plan.crashes)
        self._begin_ns = simulation.timeline.now_ns
        self._resumes_at_ns: int | None = None
        self._calm = False
        self._armed = False
        self._births: list[int] = []
        self._recoveries: list[int] = []

    def run(self) -> Verdict:
        for incident in self.plan.incidents:
            self.world.arm(incident, self._begin_ns)
        while self.stage.life < MOST_LIVES:
            try:
                self.simulation.run(self._life())
                break
            except Abandoned:
                self._armed = False
                self.simulation.pass_time((self._crashes.popleft().down_ms if self._crashes else 1) * MS)
            except _Restarting as planned:
                self.stage.note("engine killed")  # to the checker it is down, whoever wanted that
                self.simulation.pass_time(planned.down_ms * MS)
            except RetryLater:
                self.stage.note("engine killed")  # it ended by itself, and is started again
                self.simulation.pass_time(SECOND)
            except BaseException as error:  # noqa: BLE001  whatever it is, it is the finding
                self.problems.append(_story_of(error))
                break
        else:
            self.problems.append(f"the engine did not live through {MOST_LIVES} starts")
        return self._verdict()

    def _verdict(self) -> Verdict:
        report = self.report or check(list(self.stage.venue.log.kept))
        self.stage.fold_log()
        events = self.simulation.log.counts.total() + report.coverage.events
        struck = self.world.struck + Counter(report.coverage.faults)
        struck["kill"] += report.counts["kills"]
        found = (*report.violations, *report.mismatches, *(f"venue: {text}" for text in report.venue_errors))
        return Verdict(
            seed=self.plan.seed,
            problems=(*self.problems, *found),
            broken=(*(("run",) if self.problems else ()), *report.broken, *(("end",) if report.mismatches else ())),
            events=events,
            faults=struck.total(),
            struck=dict(sorted((+struck).items())),
            trades=report.coverage.closed_trades,
            lives=self.stage.life,
            points=tuple(after - before for before, after in pairwise((*self._births, self.stage.crash.reached))),
            recoveries=tuple(self._recoveries),
            transitions=tuple(report.coverage.transitions),
            legal=report.coverage.legal,
            digest=self.simulation.log.digest,
        )

    # One life

    async def _life(self) -> None:
        risk = {} if self.plan.max_positions is None else {"max_positions": self.plan.max_positions}
        engine = self.stage.engine(symbols=list(self.plan.symbols), risk=risk, reconcile={"interval_s": RECONCILE_S})
        self._births.append(self.stage.crash.reached)
        if self._crashes and not self._calm and not self._armed:
            self._armed = True
            self.stage.crash.kill_at(self.stage.crash.reached + self._crashes[0].point)
        async with engine:
            await engine.ready(READY_S)
            self.stage.note("engine ready")
            self._recoveries.append(self.stage.crash.reached - self._births[-1])
            limits = engine.config.limits()
            self.stage.note(
                "engine limits",
                max_order_notional=str(limits.max_order_notional),
                max_symbol_exposure=str(limits.max_symbol_exposure),
                max_positions=limits.max_positions,
            )
            while self._acts:
                await self._sleep_until(self._acts[0].at_ms)
                await self._act(engine, self._acts[0])
                self._acts.popleft()
            await self._sleep_until(self.plan.end_ms)
            if self._resumes_at_ns is not None:
                await _sleep_ns(self._resumes_at_ns - self.simulation.timeline.now_ns)
            await self._come_to_rest(engine)

    async def _act(self, engine: Engine, act: Act) -> None:
        match act:
            case Halt(resume_ms=resume_ms):
                engine.kill("a person pressed the kill switch")
                while engine.state is not EngineState.HALTED:  # noqa: ASYNC110  virtual time
                    await asyncio.sleep(0.01)
                self.stage.note("engine halted")
                self._resumes_at_ns = self.simulation.timeline.now_ns + resume_ms * MS
            case Resume():
                self.stage.note("engine resumed")
                await engine.resume("a person resumes")
                self._resumes_at_ns = None
            case Restart(down_ms=down_ms):
                self._acts.popleft()
                raise _Restarting(down_ms)
            case Await(what=what, symbol=symbol, most_ms=most_ms):
                given_up_ns = self.simulation.timeline.now_ns + most_ms * MS
                while not holds(self.stage, engine, symbol, what):
                    if self.simulation.timeline.now_ns >= given_up_ns:
                        break
                    await asyncio.sleep(LOOK_S)
            case Pause(ms=ms):
                await _sleep_ns(ms * MS)
            case Strike(incident=incident):
                self.world.strike(incident)
            case Decide() | GoFlat():
                body = self._bodies.get(act.key) or self._body(act)
                self._bodies[act.key] = body
                try:
                    await engine.submit_decision(body)
                except ExecactorError as refused:
                    self.stage.note("decision refused", key=act.key, reason=str(refused))

    def _body(self, act: Decide | GoFlat) -> bytes:
        mark = self.stage.venue.markets[act.symbol].mark
        stamp = datetime.fromtimestamp(self.simulation.now_ns() / SECOND, UTC)
        fields: dict[str, Any] = {"id": act.key, "symbol": act.symbol, "timestamp_iso": stamp.isoformat()}
        if isinstance(act, GoFlat):
            return json.dumps(fields | _FLAT).encode()
        sign = 1 if act.action == "long" else -1

        def away(bps: int) -> Decimal:
            return mark * (1 + sign * Decimal(bps) / 10_000)

        zone = sorted((away(act.entry_bps) * Decimal("0.9999"), away(act.entry_bps) * Decimal("1.0001")))
        self.stage.note("decision fed", key=act.key, symbol=act.symbol, side="BUY" if sign > 0 else "SELL")
        fields |= {
            "action": act.action,
            "entry_zone": [str(price) for price in zone],
            "sl": str(away(act.stop_bps)),
            "tp1": str(away(act.tp1_bps)),
            "tp2": str(away(act.tp2_bps)),
            "position_size_usdt": str(act.notional),
            "leverage": "3",
            "confidence": "0.8",
        }
        return json.dumps(fields).encode()

    # The end

    async def _come_to_rest(self, engine: Engine) -> None:
        """Nothing goes wrong any more: every trade is called back, and the books must agree."""
        if not self._calm:
            self._calm = True
            self.world.calm()
            self.stage.note("faults over")
        await self._strangers_noticed(engine)
        end_ns = self.simulation.timeline.now_ns + int(REST_S * SECOND)
        called: dict[str, int] = {}
        resumed_ns = self.simulation.timeline.now_ns + 3 * SECOND
        while not await self._at_rest(engine):
            if self.simulation.timeline.now_ns > end_ns:
                positions = [
                    (view.symbol, view.phase, str(view.position.quantity)) for view in await engine.positions()
                ]
                self.problems.append(f"not at rest {REST_S:.0f} s after the last fault: {engine.state}, {positions}")
                break
            if engine.state in _NEEDS_A_PERSON and self.simulation.timeline.now_ns >= resumed_ns:
                resumed_ns = self.simulation.timeline.now_ns + 5 * SECOND
                self.stage.note("engine resumed")
                await engine.resume(_ENDED)
            for symbol in self.plan.symbols:
                if engine.state not in _NEEDS_A_PERSON and self._now_s() >= called.get(symbol, 0):
                    called[symbol] = self._now_s() + CALL_AGAIN_S
                    key = f"e{self.stage.life}{symbol[:1]}{self._now_s()}"
                    await self._act(engine, GoFlat(at_ms=0, key=key, symbol=symbol))
            await asyncio.sleep(0.25)
        await asyncio.sleep(3)
        self.stage.note("quiescent")
        self.report = await self._judged(engine)

    async def _strangers_noticed(self, engine: Engine) -> None:
        """Somebody else's order that rests means SAFE MODE, at the latest after a comparison; then it goes."""
        end_s = self._now_s() + RECONCILE_S + 5
        while self.world.strangers and engine.state not in _NEEDS_A_PERSON:
            if self._now_s() > end_s:
                self.problems.append(f"somebody else's order rests for {RECONCILE_S + 5} s, and no SAFE MODE")
                break
            await asyncio.sleep(0.25)
        self.world.withdraw_strangers()

    def _now_s(self) -> int:
        return self.simulation.timeline.now_ns // SECOND

    async def _at_rest(self, engine: Engine) -> bool:
        exchange = self.stage.venue.exchange
        algos = [algo for algo in exchange.conditional.algos.open() if algo.status != "TRIGGERING"]
        if exchange.account.held or exchange.orders.open() or algos:
            return False
        if engine.state is not EngineState.RUNNING:
            return False
        return all(view.phase == "NO_POSITION" for view in await engine.positions())

    async def _judged(self, engine: Engine) -> Report:
        context = engine._running().context
        orders, views = await engine.orders(), await engine.positions()
        report = {
            "positions": {view.symbol: str(view.position.quantity) for view in views},
            "trade_ids": [fill.execution.trade_id for fill in engine.fills()],
            "open_orders": [order.client_id for order in orders if order.live],
            "trades": [{"symbol": trade.symbol, "pnl": str(trade.pnl)} for trade in engine.trades()],
            "live_digest": state_digest(orders, [view.position for view in views], context.epoch),
            "replayed_digest": replayed_digest(replay(context.rows())),
        }
        return check(list(self.stage.venue.log.kept), journal=self.stage.rows(engine), engine_report=report)

    async def _sleep_until(self, at_ms: int) -> None:
        await _sleep_ns(self._begin_ns + at_ms * MS - self.simulation.timeline.now_ns)


def _quirks(odd: tuple[str, ...]) -> Quirks:
    """The reported habits of the venue, but for the odd ones, which are the other way."""
    return Quirks(**{name: not getattr(Quirks(), name) for name in odd})


async def _sleep_ns(ns: int) -> None:
    if ns > 0:
        await asyncio.sleep(ns / SECOND)


def _story_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).strip()

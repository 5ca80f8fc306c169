"""Plays a scenario's script in virtual time: the whole engine on a simulated venue, from one life to the next."""

import asyncio
import json
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import scenario_script as steps
from scenario_evidence import Evidence, role_of
from scenario_script import AnyStep, Scenario

from execactor.domain.account import EngineState
from execactor.engine import Engine
from execactor.runtime import Abandoned, Simulation
from execactor.simulation import Stage
from execactor.simulation.plan import ClockJump, DiskFull, Incident, Partition, Reset, VenueFault
from execactor.simulation.world import MS, World
from execactor.simulator import SimulatorConfig
from execactor.simulator.admin import Admin
from execactor.simulator.checker import Report, check
from execactor.simulator.config import Quirks
from execactor.simulator.params import order_request
from execactor.store.digest import replayed_digest, state_digest
from execactor.store.recovery import replay

SECOND = 1_000_000_000
READY_S = 60.0
LOOK_S = 0.005
CRASH_LOOK_NS = 50_000
PATIENCE_MS = 20_000
SETTLE_S = 3.0
_FLAT = {"action": "flat", "entry_zone": ["0", "0"], "sl": "0", "position_size_usdt": "0", "leverage": "1"}


class Missed(Exception):
    """A wait of the script took too long, or something was not as the script needs it."""


class Play:
    """One run of a scenario. report: the checker's, once it has ended; waits: how long each wait took, ms."""

    def __init__(self, scenario: Scenario, simulation: Simulation, directory: Path) -> None:
        setting = scenario.setting
        quirks = Quirks(**dict.fromkeys(setting.without_quirks, False))
        market = SimulatorConfig(seed=simulation.seed, volatility_bps=0.2, step_ms=100, quirks=quirks)
        self.scenario = scenario
        self.simulation = simulation
        self.stage = Stage(simulation, directory, market)
        self.world = World(self.stage)
        self.evidence = Evidence(self.stage)
        self.waits: list[tuple[str, float]] = []
        self.missed: str | None = None
        self.report: Report | None = None
        self.state = EngineState.STARTING
        self._hand = Admin(self.stage.venue, lambda: None)
        self._script = deque(scenario.script)
        self._bodies: dict[str, bytes] = {}
        self._failing: list[tuple[str, str]] = []
        simulation.failures.concerns = self._fails

    def run(self) -> None:
        """Play it to its end. Raises what the engine raises."""
        for step in self.scenario.before_start:
            self._world(step)
        while self.report is None:
            try:
                self.simulation.run(self._life())
            except Abandoned:
                self.missed = self.missed or None
            while self.report is None and not isinstance(step := self._script.popleft(), steps.Start):
                self._world(step)

    async def _life(self) -> None:
        setting = self.scenario.setting
        engine = self.stage.engine(symbols=list(setting.symbols), **setting.engine)
        async with engine:
            self.evidence.begin_life(engine)
            await engine.ready(READY_S)
            self.stage.note("engine ready")
            limits = engine.config.limits()
            self.stage.note(
                "engine limits",
                max_order_notional=str(limits.max_order_notional),
                max_symbol_exposure=str(limits.max_symbol_exposure),
                max_positions=limits.max_positions,
            )
            try:
                while self._script:
                    if isinstance(self._script[0], steps.Stop):
                        self._script.popleft()
                        return
                    await self._step(engine, self._script.popleft())
            except Missed as missed:
                self._script.clear()
                self.missed = str(missed)
            await self._end(engine)

    async def _step(self, engine: Engine, step: AnyStep) -> None:
        match step:
            case steps.Until(true=condition, within_ms=within_ms):
                await self._wait(condition, within_ms)
            case steps.Pass(ms=ms):
                await asyncio.sleep(ms / 1_000)
            case steps.Decide():
                await self._decide(engine, step)
            case steps.Halt():
                engine.kill("a person pressed the kill switch")
                await self._wait("state HALTED", 1_000)
                self.stage.note("engine halted")
            case steps.Resume():
                self.stage.note("engine resumed")
                refusal = await engine.resume("a person has looked")
                if refusal is not None:
                    raise Missed(f"a person cannot resume: {refusal}")
            case steps.Crash(when=when):
                self._crash(when)
                await asyncio.sleep(PATIENCE_MS / 1_000)
                raise Missed(f"never became true, so that nothing crashed: {when}")
            case _:
                self._world(step)
                await asyncio.sleep(0)

    async def _wait(self, condition: str, within_ms: int) -> None:
        begun_ns = self.simulation.timeline.now_ns
        while not self.evidence.true(condition):
            if self.simulation.timeline.now_ns - begun_ns > within_ms * MS:
                raise Missed(f"not true after {within_ms} ms: {condition}")
            await asyncio.sleep(LOOK_S)
        self.waits.append((condition, (self.simulation.timeline.now_ns - begun_ns) / MS))

    async def _decide(self, engine: Engine, step: steps.Decide) -> None:
        body = self._bodies.get(step.key) or self._body(step)
        self._bodies[step.key] = body
        try:
            await engine.submit_decision(body)
        except ValueError as refused:
            if not step.refused:
                raise Missed(f"decision {step.key} is refused: {refused}") from None

    def _body(self, step: steps.Decide) -> bytes:
        mark = self.stage.venue.markets[step.symbol].mark
        stamp = datetime.fromtimestamp(self.simulation.now_ns() / SECOND, UTC)
        fields: dict[str, Any] = {"id": step.key, "symbol": step.symbol, "timestamp_iso": stamp.isoformat()}
        if step.action == "flat":
            return json.dumps(fields | _FLAT).encode()
        sign = 1 if step.action == "long" else -1

        def away(bps: int) -> Decimal:
            return mark * (1 + sign * Decimal(bps) / 10_000)

        middle = away(step.entry_bps)
        self.stage.note("decision fed", key=step.key, symbol=step.symbol, side="BUY" if sign > 0 else "SELL")
        fields |= {
            "action": step.action,
            "entry_zone": sorted(str(middle * (1 + sign_ * Decimal("0.0001"))) for sign_ in (-1, 1)),
            "sl": str(away(step.stop_bps)),
            "tp1": str(away(step.tp1_bps)),
            "tp2": str(away(step.tp2_bps)),
            "position_size_usdt": str(step.notional),
            "leverage": "3",
            "confidence": "0.8",
        }
        return json.dumps(fields).encode()

    def _world(self, step: AnyStep) -> None:
        """What happens outside of the engine, whether it lives or not."""
        match step:
            case steps.Pass(ms=ms):
                self.simulation.pass_time(ms * MS)
            case steps.Move(bps=bps, symbol=symbol, over_ms=over_ms):
                self.stage.steer(symbol, bps, over_ms / 1_000)
            case steps.Fault(name=name, count=count, options=options):
                self._arm(VenueFault(at_ms=0, name=name, count=count, options=options))
            case steps.Cease():
                self.stage.venue.faults.cease()
            case steps.Cut(ms=ms, up=up, down=down):
                self._arm(Partition(at_ms=0, lasts_ms=ms, up=up, down=down))
            case steps.Break(ms=ms):
                self._arm(Reset(at_ms=0, lasts_ms=ms))
            case steps.JumpClock(ms=ms):
                self._arm(ClockJump(at_ms=0, by_ms=ms))
            case steps.FillDisk(ms=ms):
                self._arm(DiskFull(at_ms=0, lasts_ms=ms))
            case steps.SilenceMarket():
                self._silence_market()
            case steps.FailHandling(actor=actor, message=message):
                self._failing.append((actor, message))
                self.simulation.failures.share = 1.0
            case steps.Vanish(role=role):
                conditional = self.stage.venue.exchange.conditional
                for algo in conditional.algos.open():
                    if role_of(algo.client_id) == role:
                        conditional.vanish(algo, "dropped without a word")
            case steps.FillResting() | steps.HandCancel():
                self._touch_resting(step)
            case steps.ExecuteLate(role=role):
                self._execute_late(role)
            case steps.HandTrade():
                self._trade_by_hand(step)
            case _:
                raise Missed(f"not something that the world does: {step}")

    def _arm(self, incident: Incident) -> None:
        self.world._happen(incident)

    def _silence_market(self) -> None:
        streams = self.stage.venue.streams
        for name, sessions in list(streams._topics.items()):
            for session in list(sessions):
                if session.category == "market":
                    streams.unsubscribe(session, [name.text])

    def _touch_resting(self, step: steps.FillResting | steps.HandCancel) -> None:
        exchange = self.stage.venue.exchange
        order = next((order for order in exchange.orders.open() if role_of(order.client_id) == step.role), None)
        if order is None:
            raise Missed(f"no {step.role} rests")
        if isinstance(step, steps.HandCancel):
            exchange.cancel(order)
        else:
            exchange.fill_resting(order, max(1, int(order.remaining * step.share)))
        self.stage.venue.pulse.after(order.symbol.name)

    def _execute_late(self, role: str) -> None:
        venue = self.stage.venue
        requests = [line["params"] for line in venue.log.kept if line["kind"] == "request" and "params" in line]
        params = next(p for p in reversed(requests) if role_of(p.get("newClientOrderId", "")) == role)
        venue.exchange.place(order_request(params, venue.markets[params["symbol"]].symbol))
        venue.pulse.after(params["symbol"])

    def _trade_by_hand(self, step: steps.HandTrade) -> None:
        held = self.stage.venue.exchange.account.positions[step.symbol].quantity
        lot = self.stage.venue.markets[step.symbol].symbol.quantity(1)
        quantity = str((abs(held) * Decimal(str(step.share)) // lot) * lot) if step.share else step.quantity
        side = ("SELL" if held > 0 else "BUY") if step.share else step.side
        self._hand.trade(
            {"symbol": step.symbol, "side": side, "quantity": quantity, "newClientOrderId": step.client_id}
        )

    def _crash(self, when: str) -> None:
        if not when or self.evidence.true(when):
            self.simulation.abandon()
        else:
            self.simulation.world_at(self.simulation.timeline.now_ns + CRASH_LOOK_NS, self._crash, when)

    def _fails(self, actor: str, message: Any) -> bool:
        for each in self._failing:
            if actor.startswith(each[0]) and type(message).__name__ == each[1]:
                self._failing.remove(each)
                return True
        return False

    async def _end(self, engine: Engine) -> None:
        """Nothing goes wrong any more; what is open may stay open, and the books must agree."""
        self.world.calm()
        self.stage.note("faults over")
        await asyncio.sleep(SETTLE_S)
        self.stage.note("quiescent")
        self.state = engine.state
        orders, views = await engine.orders(), await engine.positions()
        context = engine._running().context
        report = {
            "positions": {view.symbol: str(view.position.quantity) for view in views},
            "trade_ids": [fill.execution.trade_id for fill in engine.fills()],
            "open_orders": [order.client_id for order in orders if order.live],
            "trades": [{"symbol": trade.symbol, "pnl": str(trade.pnl)} for trade in engine.trades()],
            "live_digest": state_digest(orders, [view.position for view in views], context.epoch),
            "replayed_digest": replayed_digest(replay(context.rows())),
        }
        self.report = check(list(self.stage.venue.log.kept), journal=self.stage.rows(engine), engine_report=report)

"""AccountActor: owns the engine's state, the kill sequence, and the order in which things start."""

import logging
from typing import Any

import msgspec

from execactor.actors.context import Context
from execactor.actors.position import Describe
from execactor.actors.risk import ForgiveLosses
from execactor.domain.account import EngineState, VenueSnapshot
from execactor.domain.ids import parse
from execactor.domain.messages.account import (
    Alert,
    AlertLevel,
    EngineStateChanged,
    EnterSafeMode,
    FlatConfirmed,
    Flatten,
    Kill,
    PauseEntries,
    Resume,
    StreamChanged,
)
from execactor.domain.messages.market import MarketChanged
from execactor.domain.messages.orders import DoubtChanged
from execactor.domain.messages.reconciliation import ReconcileEnded, RequestReconcile
from execactor.domain.order import Role
from execactor.reconcile.resolution import LONGEST_LAG_NS
from execactor.risk import engine_state, kill_switch
from execactor.risk.engine_state import EngineMode
from execactor.risk.kill_switch import (
    AccountSeen,
    BumpEpoch,
    FlattenAll,
    KillOrdered,
    KillReleased,
    KillSwitch,
    KillTick,
    LookAgain,
    ReleaseStops,
    Stage,
)
from execactor.runtime import LoopActor

logger = logging.getLogger(__name__)

KILL_TICK_NS = 500_000_000
MARKER_NS = 1_000_000_000
WRITE_AGAIN_NS = 1_000_000_000
LATE_ENTRY_MARGIN_NS = 1_000_000_000
LATER_LOOKS_NS = (500_000_000, 1_500_000_000, 5_000_000_000, LONGEST_LAG_NS)
_DURABLE = (EngineState.RUNNING, EngineState.PAUSED, EngineState.SAFE_MODE, EngineState.HALTED)


class Begin(msgspec.Struct, frozen=True):
    """The venue is connected: reconcile, then trade. halted: why, when an offline kill left its marker."""

    halted: str = ""


class LookLater(msgspec.Struct, frozen=True):
    """Time to compare once more with listings that may have lagged."""


class LookForMarker(msgspec.Struct, frozen=True):
    """Time to see whether someone killed offline meanwhile, because this process did not answer."""


class WriteAgain(msgspec.Struct, frozen=True):
    """Time to try whether the disk takes by now what it refused."""


class AccountLooked(msgspec.Struct, frozen=True):
    """The venue's positions and orders during a kill; None: it did not answer."""

    snapshot: VenueSnapshot | None


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's state as people see it."""

    state: EngineState
    reason: str
    epoch: int
    kill_stage: Stage


class AccountActor(LoopActor):
    """One per account. What stopped trading is durable: HALTED, SAFE_MODE and PAUSED last until a person resumes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.context = context
        self.mode = EngineMode()
        self.kill = KillSwitch()
        self.killed_ns = 0
        self.looking = False

    def on_start(self) -> None:
        """Remember what stopped trading before the restart."""
        recovered = self.context.recovered
        if recovered.engine is not None and recovered.engine in _DURABLE:
            self.mode = engine_state.stopped(self.mode, recovered.engine, recovered.engine_reason)
        self._keep_looking()

    def on_restart(self, cause: BaseException) -> None:
        """An account actor that failed has lost its place: protect, take no risk, let a person look.

        A kill goes on: it begins anew once the venue was compared with.
        """
        self._keep_looking()
        before = self.context.recovered
        up = self.context
        self.mode = EngineMode(begun=True, known_once=True, stream_up=up.stream_up, market_up=up.market_up)
        if before.engine is EngineState.HALTED:
            self._change(engine_state.stopped(self.mode, EngineState.HALTED, before.engine_reason))
        else:
            self._take_less_risk(EngineState.SAFE_MODE, f"the account actor failed: {cause}")
        self._compare("the account actor restarted")

    def _keep_looking(self) -> None:
        self.timers.every("marker", MARKER_NS, LookForMarker())
        self.timers.every("write", WRITE_AGAIN_NS, WriteAgain())

    def on_receive(self, message: Any) -> Any:
        """Change the mode; a change of state is journaled before it is told."""
        match message:
            case Begin(halted):
                self._begin(halted)
            case ReconcileEnded(started_ns=started_ns):
                self._on_compared(started_ns)
            case LookLater():
                self._compare("listings may have lagged")
            case StreamChanged():
                self._on_stream(message)
            case MarketChanged():
                self._on_market(message)
            case DoubtChanged(symbol=symbol, lasts=lasts):
                self._change(engine_state.doubted(self.mode, symbol, lasts=lasts))
            case EnterSafeMode(reason=reason):
                self._take_less_risk(EngineState.SAFE_MODE, reason)
            case PauseEntries(reason=reason):
                self._take_less_risk(EngineState.PAUSED, reason)
            case Kill(reason=reason):
                self._drive_kill(KillOrdered(reason))
            case Resume(reason=reason):
                return self._resume(reason)
            case KillTick():
                self._drive_kill(message)
            case LookForMarker():
                self._look_for_marker()
            case WriteAgain():
                self.context.write()
            case AccountLooked():
                self._on_looked(message)
            case Describe():
                return AccountStatus(
                    state=self.mode.state, reason=self._reason(), epoch=self.context.epoch, kill_stage=self.kill.stage
                )
        return None

    def _begin(self, halted: str) -> None:
        self.context.stream_since_ms = self.context.venue_ms
        mode = engine_state.begun(self.mode)
        if halted:
            mode = engine_state.stopped(mode, EngineState.HALTED, halted)
        self._change(mode)
        self._compare("start")

    def _look_for_marker(self) -> None:
        marker = self.context.settings.halt_marker
        if marker is not None and self.mode.goal is not EngineState.HALTED and marker.exists():
            self._drive_kill(KillOrdered(marker.read_text(encoding="utf-8").strip() or "offline kill"))

    def _compare(self, reason: str) -> None:
        if not self.context.closing:
            self.context.reconciler.tell(RequestReconcile(reason=reason))

    def _on_stream(self, message: StreamChanged) -> None:
        self.context.stream_up = message.continuous
        self.context.stream_since_ms = self.context.venue_ms
        if not message.continuous:
            text = f"private stream lost: {message.reason}; no entries until it is back and compared"
            self.context.alert.tell(Alert(level=AlertLevel.ERROR, code="STREAM_LOST", text=text))
        now_ns = self.clock.monotonic_ns()
        self._change(engine_state.interrupted(self.mode, stream_up=message.continuous, now_ns=now_ns))
        self._compare(f"private stream: {message.reason or 'restored'}")

    def _on_market(self, message: MarketChanged) -> None:
        self.context.market_up = message.up
        if not message.up and self.mode.market_up:
            text = f"market data lost: {message.reason}; new entries wait until it is back"
            self.context.alert.tell(Alert(level=AlertLevel.WARNING, code="MARKET_LOST", text=text))
        self._change(engine_state.market(self.mode, up=message.up))

    def _on_compared(self, started_ns: int) -> None:
        before = self.mode
        self._change(engine_state.compared(before, started_ns=started_ns))
        if self.mode.known and not before.known:
            # A fill just before the private stream began is in none of its events, and not yet in a listing that lags.
            for number, delay_ns in enumerate(LATER_LOOKS_NS):
                self.timers.once(("later look", number), delay_ns, LookLater())
        self._resume_kill()

    def _take_less_risk(self, goal: EngineState, reason: str) -> None:
        mode = engine_state.stopped(self.mode, goal, reason)
        if mode is not self.mode:
            self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code=f"ENGINE_{goal}", text=reason))
            self._change(mode)

    def _resume(self, reason: str) -> str | None:
        """Why a person's wish to resume is refused; None when it is followed."""
        halted = self.mode.goal is EngineState.HALTED
        if self.kill.stage in (Stage.FLATTENING, Stage.CONFIRMING) or (halted and self.kill.stage is Stage.OFF):
            return "the kill sequence is still closing positions"
        self.context.write()
        if not self.context.durable:
            return "the journal cannot be written: make room on its disk"
        if self.context.settings.halt_marker is not None:
            self.context.settings.halt_marker.unlink(missing_ok=True)
        self._drive_kill(KillReleased())
        self.timers.cancel("kill")
        self.context.risk.tell(ForgiveLosses())
        self._change(engine_state.resumed(self.mode, reason, self.clock.monotonic_ns()))
        self._compare(f"resumed: {reason}")
        return None

    def _change(self, mode: EngineMode) -> None:
        """Take up the mode; when the state or its durable goal moved, journal it and tell everyone."""
        before, self.mode = self.mode, mode
        if mode.state is before.state and mode.goal is before.goal:
            return
        self._announce(durable=mode.goal is not before.goal or mode.state is EngineState.RUNNING)

    def _announce(self, *, durable: bool) -> None:
        state = self.mode.state
        context = self.context
        context.engine_state = state
        change = EngineStateChanged(state=state, epoch=context.epoch, reason=self._reason())
        if durable:
            # While starting, a stop that was asked for is journaled as the goal that it is.
            lasting = state if state is EngineState.RUNNING else self.mode.goal
            context.record(msgspec.structs.replace(change, state=lasting), context.settings.account)
        logger.info("engine is %s: %s", state, change.reason)
        context.risk.tell(change)
        for actor in context.positions.values():
            actor.tell(change)
        for listener in context.state_listeners:
            listener(change)

    def _reason(self) -> str:
        mode = self.mode
        if mode.goal is EngineState.RUNNING and not mode.stream_up:
            return "the private stream is down"
        if mode.goal is EngineState.RUNNING and not mode.market_up:
            return "market data is down"
        if mode.goal is EngineState.RUNNING and mode.doubts:
            return f"what became of an order of {', '.join(sorted(mode.doubts))} is unknown"
        return mode.reason

    def _resume_kill(self) -> None:
        """A kill that a restart interrupted goes on."""
        if self.mode.goal is EngineState.HALTED and self.kill.stage is Stage.OFF:
            self._drive_kill(KillOrdered(self.mode.reason))

    def _drive_kill(self, event: kill_switch.KillEvent) -> None:
        self.kill, effects = kill_switch.step(self.kill, event, self.clock.monotonic_ns())
        for effect in effects:
            match effect:
                case BumpEpoch():
                    self._halt()
                case FlattenAll(reason):
                    self._tell_positions(Flatten(reason=reason))
                case LookAgain():
                    self._look()
                case ReleaseStops():
                    self._tell_positions(FlatConfirmed())
                    text = f"kill sequence complete, the account is flat: {self.kill.reason}"
                    self.context.alert.tell(Alert(level=AlertLevel.WARNING, code="KILL_COMPLETE", text=text))

    def _tell_positions(self, message: Flatten | FlatConfirmed) -> None:
        for actor in self.context.positions.values():
            actor.tell(message)

    def _halt(self) -> None:
        """Bump the epoch durably before anything else: every approval given so far is void."""
        self.context.epoch += 1
        self.killed_ns = self.clock.monotonic_ns()
        self.mode = engine_state.stopped(self.mode, EngineState.HALTED, self.kill.reason)
        self._announce(durable=True)
        self.context.alert.tell(Alert(level=AlertLevel.CRITICAL, code="ENGINE_HALTED", text=self.kill.reason))
        self.timers.every("kill", KILL_TICK_NS, KillTick())

    def _look(self) -> None:
        if self.looking:
            return
        self.looking = True
        asked = self.context.venue.snapshot(self.context.settings.symbols, {})
        self.pipe_to_self(asked, AccountLooked, lambda _error: AccountLooked(None))

    def _on_looked(self, message: AccountLooked) -> None:
        self.looking = False
        snapshot = message.snapshot
        if snapshot is None:
            return
        ours = self.context.positions
        flat = not any(position.quantity for position in snapshot.positions if position.symbol in ours)
        prefix = self.context.settings.prefix
        entries = any(_is_entry(report.client_id, prefix) for report in snapshot.open_orders)
        # An entry whose answer was lost may still arrive within the venue's receive window.
        window_ns = self.context.venue.capabilities.receive_window_ms * 1_000_000 + LATE_ENTRY_MARGIN_NS
        waited = self.clock.monotonic_ns() - self.killed_ns > window_ns
        self._drive_kill(AccountSeen(flat=flat, quiet=waited and not entries))


def _is_entry(client_id: str, prefix: str) -> bool:
    parsed = parse(prefix, client_id)
    return parsed is not None and parsed.role is Role.ENTRY

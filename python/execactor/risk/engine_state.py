"""Which state the engine is in: follows from what was asked for, and from whether we know what the venue knows."""

import msgspec

from execactor.domain.account import EngineState

_SEVERITY = {
    EngineState.RUNNING: 0,
    EngineState.PAUSED: 1,
    EngineState.SAFE_MODE: 2,
    EngineState.HALTED: 3,
}


class EngineMode(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of the state.

    goal: RUNNING, or what stopped trading until a person resumes; reason: why. begun: the venue is connected.
    known_once: a comparison with the venue ended since the start, so that protection may act. known: one ended since
    the private stream was last interrupted. stream_up: private events flow. interrupted_ns: monotonic, last time.
    market_up: market data flows; doubts: symbols with an order of which nobody has known for long what became. While it
    does not, or there are any, new entries wait and what rests may stay.
    """

    goal: EngineState = EngineState.RUNNING
    reason: str = ""
    begun: bool = False
    known_once: bool = False
    known: bool = False
    stream_up: bool = True
    market_up: bool = True
    doubts: frozenset[str] = frozenset()
    interrupted_ns: int = 0

    @property
    def state(self) -> EngineState:
        """The state that follows."""
        if not self.begun:
            return EngineState.STARTING
        if not self.known_once:
            return EngineState.RECONCILING
        if self.goal is not EngineState.RUNNING:
            return self.goal
        if not self.stream_up:
            return EngineState.PAUSED
        ready = self.known and self.market_up and not self.doubts
        return EngineState.RUNNING if ready else EngineState.RECONCILING


def begun(mode: EngineMode) -> EngineMode:
    """The venue is connected; the first comparison begins."""
    return msgspec.structs.replace(mode, begun=True)


def interrupted(mode: EngineMode, *, stream_up: bool, now_ns: int) -> EngineMode:
    """Private events were or may have been missed; only a comparison begun from now on heals that."""
    return msgspec.structs.replace(mode, stream_up=stream_up, known=False, interrupted_ns=now_ns)


def market(mode: EngineMode, *, up: bool) -> EngineMode:
    """Market data is lost, or flows again."""
    return msgspec.structs.replace(mode, market_up=up)


def doubted(mode: EngineMode, symbol: str, *, lasts: bool) -> EngineMode:
    """The fate of an order of the symbol has been unknown for long, or is known again."""
    doubts = mode.doubts | {symbol} if lasts else mode.doubts - {symbol}
    return msgspec.structs.replace(mode, doubts=doubts)


def compared(mode: EngineMode, *, started_ns: int) -> EngineMode:
    """A comparison that had begun at `started_ns` ended."""
    known = mode.known or (mode.stream_up and started_ns >= mode.interrupted_ns)
    return msgspec.structs.replace(mode, known_once=True, known=known)


def stopped(mode: EngineMode, goal: EngineState, reason: str) -> EngineMode:
    """Take less risk from now on; never lifts a stop that is stricter already."""
    if _SEVERITY[goal] <= _SEVERITY[mode.goal]:
        return mode
    return msgspec.structs.replace(mode, goal=goal, reason=reason)


def resumed(mode: EngineMode, reason: str, now_ns: int) -> EngineMode:
    """A person lifts the stop; trading starts after one more comparison."""
    return msgspec.structs.replace(
        mode, goal=EngineState.RUNNING, reason=f"resumed: {reason}", known=False, interrupted_ns=now_ns
    )

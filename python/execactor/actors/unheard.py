"""Executions that a listing told of first: one that the private stream never tells means that it is not continuous."""

from collections import deque
from collections.abc import Callable

import msgspec

from execactor.actors.context import Context
from execactor.actors.venue_gateway import RenewStream
from execactor.domain.fill import Execution
from execactor.runtime import Timers

GRACE_NS = 1_000_000_000
"""How far the stream may be behind a listing."""

_GRACE_MS = GRACE_NS // 1_000_000
_REMEMBERED = 256


class JudgeUnheard(msgspec.Struct, frozen=True):
    """Time to see whether the stream has told by now what a listing told."""


class Unheard:
    """The executions of one OrderActor that the stream still owes. `timers` is the actor's."""

    def __init__(self, context: Context, timers: Callable[[], Timers]) -> None:
        self._context = context
        self._timers = timers
        self._owed: dict[tuple[str, str], tuple[int, Execution]] = {}
        self._told: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)

    def expect(self, execution: Execution) -> None:
        """A listing told of it; the stream owes it when it stood while the trade was made."""
        if not self._owes(execution) or execution.key in self._owed or execution.key in self._told:
            return
        self._owed[execution.key] = (self._context.clock.monotonic_ns(), execution)
        if len(self._owed) == 1:
            self._timers().once("unheard", GRACE_NS, JudgeUnheard())

    def heard(self, execution: Execution) -> None:
        """The stream told it."""
        self._told.append(execution.key)
        self._owed.pop(execution.key, None)

    def judge(self) -> None:
        """Have the stream opened anew when it still owes one after the grace."""
        due_ns = self._context.clock.monotonic_ns() - GRACE_NS
        late = [execution for since_ns, execution in self._owed.values() if since_ns <= due_ns]
        for execution in late:
            del self._owed[execution.key]
        if self._owed:
            self._timers().once("unheard", GRACE_NS, JudgeUnheard())
        untold = [execution for execution in late if self._owes(execution)]
        if untold:
            first = untold[0]
            reason = f"it never told trade {first.trade_id} of {first.symbol}"
            self._context.gateway.tell(RenewStream(reason=reason))

    def _owes(self, execution: Execution) -> bool:
        context = self._context
        return context.stream_up and execution.time_ms > context.stream_since_ms + _GRACE_MS

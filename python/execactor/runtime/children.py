"""A supervisor's children: started in order, restarted as its strategy says, stopped in reverse order."""

import functools
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pykka

from execactor.runtime.child_spec import ChildSpec, Restart, Strategy
from execactor.runtime.clock import TimerHandle
from execactor.runtime.failure import text_of
from execactor.runtime.recovery import Phase
from execactor.runtime.supervision import RestartHistory, Supervision, Verdict

if TYPE_CHECKING:
    from execactor.runtime.life import Life

logger = logging.getLogger(__name__)

_NOT_AGAIN = Verdict(None, too_often=False)


class TooManyRestarts(RuntimeError):
    """A supervisor's failure: its children failed more often than its intensity allows. The cause is the last one."""


class Child:
    """A place among the children. `cell` is another one after a permanent child was stopped and started anew."""

    __slots__ = ("cell", "history", "spec", "timer")

    def __init__(self, spec: ChildSpec, cell: "Life", history: RestartHistory) -> None:
        self.spec = spec
        self.cell = cell
        self.history = history
        self.timer: TimerHandle | None = None

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Children:
    """Belongs to the supervisor's cell, so it outlives the supervisor's instances.

    Starts and restarts go through the line: each child's turn comes when the one before has started, its own children
    included. A failure is dealt with where it happens, not by a message, so that nothing is handled in between.
    """

    __slots__ = ("_by_name", "_history", "_intensity", "_line", "_owner", "_strategy", "_timer", "_turn", "_up")

    def __init__(self, owner: "Life", strategy: Strategy, intensity: Supervision) -> None:
        self._owner = owner
        self._strategy = strategy
        self._intensity = intensity
        self._history = RestartHistory(intensity, owner.system.random)
        self._by_name: dict[str, Child] = {}
        self._up = False
        self._line: deque[Child] = deque()
        self._turn: Child | None = None
        self._timer: TimerHandle | None = None

    @property
    def cells(self) -> list["Life"]:
        """The children, in the order of their start."""
        return [child.cell for child in self._by_name.values()]

    def find(self, name: str) -> Child | None:
        return self._by_name.get(name)

    # Starting

    def launch(self, specs: Iterable[ChildSpec]) -> None:
        """Make the first children; they start after the supervisor. When one cannot be made, none is left."""
        try:
            for spec in specs:
                self._launch(spec)
        except BaseException:
            for child in reversed(self._by_name.values()):
                child.cell.discard()
            self._by_name.clear()
            raise

    def add(self, spec: ChildSpec) -> pykka.ActorRef[Any]:
        """Make one more child and start it after all others."""
        child = self._launch(spec)
        self._line.append(child)
        if self._up and self._turn is None and self._timer is None:
            self._next()
        assert child.cell.ref is not None
        return child.cell.ref

    def start(self) -> None:
        """The supervisor has started, or restarted: let its children follow."""
        self._up = True
        self._line_up(self._by_name.values(), 0)

    def started(self, cell: "Life") -> None:
        """A child is up, its own children included."""
        if self._turn is not None and self._turn.cell is cell:
            self._next()

    def _launch(self, spec: ChildSpec) -> Child:
        cell = self._owner.system.launch_child(self._owner, spec)
        alone = self._strategy is Strategy.ONE_FOR_ONE
        history = RestartHistory(self._intensity, self._owner.system.random) if alone else self._history
        child = Child(spec, cell, history)
        self._by_name[spec.name] = child
        return child

    def _line_up(self, children: Iterable[Child], delay_ns: int) -> None:
        """Have these (re)started in their order after a pause, and with them those that wait already."""
        waiting = {*self._line, *children}
        if self._turn is not None:
            waiting.add(self._turn)
        self._forget_line()
        self._line.extend(child for child in self._by_name.values() if child in waiting)
        if delay_ns:
            clock = self._owner.system.clock
            self._timer = clock.call_at(clock.monotonic_ns() + delay_ns, self._line_is_due)
        else:
            self._next()

    def _line_is_due(self) -> None:
        self._timer = None
        self._next()

    def _next(self) -> None:
        self._turn = None
        while self._line:
            child = self._line.popleft()
            if self._set_going(child):
                self._turn = child
                return
        self._owner.children_are_up()

    def _set_going(self, child: Child) -> bool:
        """Let a child start or restart now; returns whether it is about to."""
        child.cancel_timer()
        if child.cell.phase is not Phase.STOPPED:
            return child.cell.set_going()
        try:
            child.cell = self._owner.system.launch_child(self._owner, child.spec)
        except Exception as exc:  # noqa: BLE001 - the actor's own code
            self._miss_later(child, exc)
        else:
            child.cell.set_going()
        return True

    # Failing

    def judge(self, cell: "Life") -> Verdict:
        """What follows the failure of a child; to be put into effect by `follow`."""
        child = self._child(cell)
        return _NOT_AGAIN if child is None or cell.leaving else self._judge(child)

    def follow(self, cell: "Life", verdict: Verdict, exc: BaseException) -> None:
        """A failed child was taken out of service: have it and its siblings restarted, or fail with it."""
        child = self._child(cell)
        if child is not None:
            self._follow(child, verdict, exc)

    def _judge(self, child: Child) -> Verdict:
        if child.spec.restart is Restart.TEMPORARY:
            return _NOT_AGAIN
        return child.history.judge(self._owner.system.clock.monotonic_ns())

    def _follow(self, child: Child, verdict: Verdict, exc: BaseException) -> None:
        if verdict.delay_ns is None:
            failure = TooManyRestarts(f"{child.spec.name} of {self._owner.name} failed too often: {text_of(exc)}")
            failure.__cause__ = exc
            self._owner.crash(failure)
        elif self._strategy is Strategy.ONE_FOR_ONE:
            self._restart_alone(child, verdict.delay_ns)
        else:
            self._line_up(self._set_back_with(child, exc), verdict.delay_ns)

    def _restart_alone(self, child: Child, delay_ns: int) -> None:
        child.cancel_timer()
        if delay_ns:
            clock = self._owner.system.clock
            restart = functools.partial(self._set_going, child)
            child.timer = clock.call_at(clock.monotonic_ns() + delay_ns, restart)
        else:
            self._set_going(child)
        if self._turn is child:
            self._next()

    def _set_back_with(self, failed: Child, exc: BaseException) -> Sequence[Child]:
        """Take the siblings that the strategy names out of service, the last first; returns all that are restarted."""
        children = list(self._by_name.values())
        if self._strategy is Strategy.REST_FOR_ONE:
            del children[: children.index(failed)]
        if self._turn is not None:
            # It waits again: were it to end now, in its turn, the next one would come back at once.
            self._line.appendleft(self._turn)
            self._turn = None
        for child in reversed(children):
            if child is not failed:
                self._set_back(child, exc)
        return children

    @staticmethod
    def _set_back(child: Child, exc: BaseException) -> None:
        child.cancel_timer()
        if child.spec.restart is Restart.TEMPORARY or child.cell.leaving:
            child.cell.stop()
        else:
            child.cell.set_back(exc)

    def hold(self, exc: BaseException) -> None:
        """The supervisor is out of service: so are its children, the last first, until it starts them again."""
        self._up = False
        self._forget_line()
        for child in reversed(list(self._by_name.values())):
            self._set_back(child, exc)

    # Ending

    def leave(self) -> None:
        """The supervisor is about to be stopped: none of its children is restarted any more."""
        for child in reversed(list(self._by_name.values())):
            child.cell.leave()
        if self._timer is not None:
            # Who has not even started waits for its turn to stop.
            self._timer.cancel()
            self._line_is_due()

    async def stop(self) -> None:
        """Stop the children, which are leaving, in an orderly way: the last first, each within its deadline."""
        while self._by_name:
            await self.stop_child(next(reversed(self._by_name.values())))

    async def stop_child(self, child: Child) -> None:
        """Stop one child for good, in an orderly way within its deadline."""
        ref = child.cell.ref
        if ref is not None and await self._owner.system.stop([ref], child.spec.stop_deadline_ns):
            logger.error("%s did not stop in time and was aborted", ref)
        self._forget(child)

    def abort(self) -> None:
        """Stop all children now, the last first."""
        self._forget_line()
        for child in reversed(list(self._by_name.values())):
            child.cell.leaving = True
            child.cell.stop()
            self._forget(child)

    def ended(self, cell: "Life") -> None:
        """A child has stopped for good: a permanent one is missed, any other is forgotten."""
        child = self._child(cell)
        if child is None:
            return
        if child.spec.restart is Restart.PERMANENT and not (cell.leaving or self._owner.leaving):
            name = child.spec.name
            stopped = pykka.ActorDeadError(f"{name} of {self._owner.name} was stopped, and it is permanent")
            self._miss_later(child, stopped)
        else:
            self._forget(child)

    def _forget(self, child: Child) -> None:
        child.cancel_timer()
        if self._by_name.get(child.spec.name) is child:
            del self._by_name[child.spec.name]
        if child in self._line:
            self._line.remove(child)
        if self._turn is child:
            self._next()

    def _miss_later(self, child: Child, exc: BaseException) -> None:
        # Not at once: whoever stopped it may be a sibling in the middle of a message.
        self._owner.system.dispatcher.post(functools.partial(self._miss, child, exc))

    def _miss(self, child: Child, exc: BaseException) -> None:
        """A permanent child is gone: start it anew, unless the supervisor is out of service and does that later."""
        gone = self._by_name.get(child.spec.name) is child and child.cell.phase is Phase.STOPPED
        if gone and self._up and child.timer is None:
            self._follow(child, self._judge(child), exc)

    def _child(self, cell: "Life") -> Child | None:
        child = self._by_name.get(cell.name)
        return child if child is not None and child.cell is cell else None

    def _forget_line(self) -> None:
        self._line.clear()
        self._turn = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

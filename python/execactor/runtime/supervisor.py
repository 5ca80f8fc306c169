"""An actor that starts, restarts and stops others in an order."""

from collections.abc import Coroutine, Iterable
from typing import Any, ClassVar

import msgspec
import pykka

from execactor.runtime.child_spec import ChildSpec, Strategy
from execactor.runtime.children import Children
from execactor.runtime.loop_actor import LoopActor
from execactor.runtime.supervision import Supervision


class StartChild(msgspec.Struct, frozen=True):
    """Asks a supervisor for one more child, which starts after all others. The answer is its ref."""

    spec: ChildSpec


class StopChild(msgspec.Struct, frozen=True):
    """Asks a supervisor to stop a child for good, in an orderly way. The answer: whether there was one of that name."""

    name: str


class Supervisor(LoopActor):
    """Starts its children in the order given, after itself, and stops them in reverse order, before itself.

    strategy: who is restarted with a child that failed. Those that did not fail themselves get `on_stop`, then like the
    failed one a new instance behind the same ref and mailbox, and `on_restart`; a message they were suspended in is
    retried if its class says so. Siblings go out of service in reverse order of start, at once, and come back in order,
    each when the one before has started.
    intensity: how many restarts are too many, and the pauses before them; it stands in for the children's own
    `supervision`. With ONE_FOR_ONE each child has a count of its own; otherwise all failures count together. Beyond it
    the supervisor fails with TooManyRestarts, for its own supervisor to deal with; a supervisor without one stops, with
    all its children, and the system's `on_escalation` is called. A restarted supervisor restarts its children, which
    keep ref and mailbox. With `intensity.keep_trying_ns` it does not fail: each failure beyond is escalated with the
    child's ref, and the child comes back after that pause.

    Raises ValueError when the name of a child is taken, and what a child's constructor raises; then none is left.
    """

    supervision: ClassVar[Supervision] = Supervision(max_restarts=0)

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Supervision = Supervision(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self._specs = tuple(children)
        self._strategy = strategy
        self._intensity = intensity

    def on_receive(self, message: Any) -> Any:
        """Start or stop a child."""
        match message:
            case StartChild(spec):
                return self.start_child(spec)
            case StopChild(name):
                return self.stop_child(name)
        return super().on_receive(message)

    def start_child(self, spec: ChildSpec) -> pykka.ActorRef[Any]:
        """Start one more child, after all others. Raises ValueError when its name is taken."""
        self._check_own("start_child()")
        return self._children.add(spec)

    async def stop_child(self, name: str) -> bool:
        """Stop a child for good within its deadline; returns whether there was one of that name."""
        self._check_own("stop_child()")
        child = self._children.find(name)
        if child is not None:
            await self._children.stop_child(child)
        return child is not None

    @property
    def children(self) -> list[pykka.ActorRef[Any]]:
        """The living children, in the order of their start."""
        return [cell.ref for cell in self._cell.children if cell.ref is not None]

    @property
    def _children(self) -> Children:
        group = self._cell.group
        if group is None:
            raise RuntimeError(f"{self} has not been started")
        return group

    def _start_actor_loop(self) -> None:
        # Called once in the actor's life, not at a restart: the children outlive the instances of their supervisor.
        self._cell.group = Children(self._cell, self._strategy, self._intensity)
        self._cell.group.launch(self._specs)
        super()._start_actor_loop()

    def _stop(self) -> Coroutine[Any, Any, None]:  # type: ignore[override]  # pykka hands on what this returns, and the cell awaits it
        self._cell.leave()
        return self._stop_children_first()

    async def _stop_children_first(self) -> None:
        await self._children.stop()
        self._cell.stop()

"""Death watch: who is told, and once only, that an actor has ended for good."""

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import pykka

from execactor.runtime.mailbox import Lane
from execactor.runtime.timers import Tick

if TYPE_CHECKING:
    from execactor.runtime.life import Life
    from execactor.runtime.ref import LoopRef

End = Literal["stopped", "failed"]


class Terminated(msgspec.Struct, frozen=True):
    """Tells a watcher that an actor is dead and will not come back.

    reason: "failed" when it was given up after a failure, otherwise "stopped".
    """

    lane: ClassVar[Lane] = Lane.SYSTEM
    retry_after_restart: ClassVar[bool] = True

    ref: pykka.ActorRef[Any]
    reason: End


class Watch:
    """One actor watching another. `live` is the watcher's alone; the watched one may be of another system."""

    __slots__ = ("_watches", "live", "ref")

    def __init__(self, ref: "LoopRef[Any]", watches: "Watches") -> None:
        self.ref = ref
        self.live = True
        self._watches = watches

    def report(self, reason: End) -> None:
        """Tell the watcher, from any thread. One that is gone with its loop needs no telling."""
        with contextlib.suppress(pykka.ActorDeadError):
            self._watches.watcher.put(Tick(Terminated(self.ref, reason), claim=self._claim))

    def _claim(self) -> bool:
        claimed, self.live = self.live, False
        if claimed:
            self._watches.forget(self)
        return claimed


class Watches:
    """Whom an actor watches. Belongs to its cell: they go on when it restarts and end with its life."""

    __slots__ = ("_by_ref", "watcher")

    def __init__(self, watcher: "Life") -> None:
        self.watcher = watcher
        self._by_ref: dict[pykka.ActorRef[Any], Watch] = {}

    def begin(self, ref: "LoopRef[Any]") -> None:
        """Watch an actor, which may be dead already; watching it twice is watching it."""
        if ref not in self._by_ref:
            watch = self._by_ref[ref] = Watch(ref, self)
            ref.add_watch(watch)

    def end(self, ref: pykka.ActorRef[Any]) -> bool:
        """Watch it no more, even if its end is queued already; returns whether it was watched."""
        watch = self._by_ref.pop(ref, None)
        if watch is None:
            return False
        watch.live = False
        watch.ref.remove_watch(watch)
        return True

    def end_all(self) -> None:
        for ref in tuple(self._by_ref):
            self.end(ref)

    def forget(self, watch: Watch) -> None:
        self._by_ref.pop(watch.ref, None)


class Watchers:
    """Who watches an actor. On the thread of the watched one."""

    __slots__ = ("_watches",)

    def __init__(self) -> None:
        self._watches: dict[Watch, None] = {}

    def add(self, watch: Watch) -> None:
        self._watches[watch] = None

    def remove(self, watch: Watch) -> None:
        self._watches.pop(watch, None)

    def report(self, reason: End) -> None:
        watches, self._watches = self._watches, {}
        for watch in watches:
            watch.report(reason)

"""The two kinds of actor that pykka's contract is checked on, and the actor that is checked."""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import pykka

from execactor.runtime import LoopActor, LoopFuture, Supervision

PATIENCE_S = 5


class NeverRestarted(LoopActor):
    """pykka's own failure policy: an exception ends the actor."""

    supervision = Supervision(max_restarts=0)


class Kind(NamedTuple):
    actor: type[pykka.Actor]
    future: Callable[[], pykka.Future[Any]]


KINDS = {
    "thread": Kind(pykka.ThreadingActor, pykka.ThreadingFuture),
    "loop": Kind(NeverRestarted, LoopFuture),
}


class Unstoppable(BaseException):
    """Neither an Exception nor one that asyncio knows."""


class Events:
    """What happened to one actor, to be waited for from outside."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()
        self.failed = threading.Event()
        self.greeted = threading.Event()
        self.failure: tuple[Any, ...] = ()
        self.threads: dict[str, int] = {}


def subject_class(base: type[pykka.Actor]) -> type[Any]:
    """The actor under test, as a subclass of `base`."""

    class Subject(base):  # type: ignore[misc,valid-type] # the base is the parameter
        def __init__(self, events: Events) -> None:
            super().__init__()
            self.events = events
            self.colour = "red"
            self.events.threads["__init__"] = threading.get_ident()

        def on_start(self) -> None:
            self.registered = pykka.ActorRegistry.get_by_urn(self.actor_urn) is not None
            self.events.threads["on_start"] = threading.get_ident()
            self.events.started.set()

        def on_stop(self) -> None:
            self.events.threads["on_stop"] = threading.get_ident()
            self.events.stopped.set()

        def on_failure(self, *failure: Any) -> None:
            self.events.threads["on_failure"] = threading.get_ident()
            self.events.failure = failure
            self.events.failed.set()

        def on_receive(self, message: Any) -> Any:
            self.events.threads["on_receive"] = threading.get_ident()
            match message:
                case "raise":
                    raise ValueError("as told")
                case "raise base":
                    raise Unstoppable
                case "stop":
                    self.stop()
                case "stop twice":
                    self.stop()
                    self.stop()
                case "greet self, then stop":
                    self.actor_ref.tell("greetings")
                    self.stop()
                case "greetings":
                    self.events.greeted.set()
                case "yourself":
                    return self
                case threading.Event():
                    message.wait(PATIENCE_S)
                case _:
                    return ("echo", message)
            return None

        def paint(self, colour: str, *, coats: int = 1) -> str:
            self.colour = colour
            return f"painted {colour} {coats} times"

        def break_down(self) -> None:
            raise ValueError("as called")

        def thread(self) -> int:
            return threading.get_ident()

    return Subject

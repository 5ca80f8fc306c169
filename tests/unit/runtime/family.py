"""Actors that tell what happens to them, and supervisors over them."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pykka

from execactor.runtime import ActorSystem, ChildSpec, LoopActor, Strategy, Supervision, Supervisor

SECOND = 1_000_000_000
ALWAYS = Supervision(max_restarts=1_000_000)


class Fail(msgspec.Struct, frozen=True):
    """Makes its receiver fail."""

    why: str = "told to"


class Fill(msgspec.Struct, frozen=True):
    """Must not be lost."""

    retry_after_restart: ClassVar[bool] = True
    lane: ClassVar[int] = 1
    number: int


class Member(LoopActor):
    """Writes down its life in `log`, as "name: what happened"; `failing` holds the names that cannot restart."""

    def __init__(self, name: str, log: list[str], failing: set[str] | None = None) -> None:
        super().__init__()
        self.name = name
        self.log = log
        self.failing = failing if failing is not None else set()

    def note(self, what: object) -> None:
        self.log.append(f"{self.name}: {what}")

    def on_start(self) -> None:
        if self.name in self.failing:
            raise ValueError(f"{self.name} cannot start")
        self.note("started")

    def on_restart(self, cause: BaseException) -> None:
        if self.name in self.failing:
            raise ValueError(f"{self.name} cannot restart")
        self.note(f"restarted ({cause})")

    def on_stop(self) -> None:
        self.note("stopped")

    def on_failure(self, *failure: Any) -> None:
        self.note(f"failed ({failure[1]})")

    def on_receive(self, message: Any) -> Any:
        match message:
            case Fail(why):
                raise ValueError(why)
            case "hang":
                return self.hang()
            case _:
                self.note(message)
                return message

    async def hang(self) -> None:
        self.note("hangs")
        await asyncio.Event().wait()


class Family:
    """A supervisor over Members of the given names, on a system of which the test moves the time."""

    def __init__(self, system: ActorSystem, log: list[str]) -> None:
        self.system = system
        self.log = log
        self.failing: set[str] = set()
        self.escalations: list[tuple[str, str]] = []
        self.top: pykka.ActorRef[Any]
        system.on_escalation.append(lambda ref, exc: self.escalations.append((ref.name, str(exc))))

    def spec(self, name: str, **options: Any) -> ChildSpec:
        return ChildSpec(name=name, actor_class=Member, args=(name, self.log, self.failing), **options)

    def branch(self, name: str, *children: ChildSpec, **options: Any) -> ChildSpec:
        """A supervisor as a child."""
        kwargs = {"strategy": Strategy.ONE_FOR_ONE, "intensity": ALWAYS, **options}
        return ChildSpec(name=name, actor_class=Supervisor, args=(children,), kwargs=kwargs, stop_deadline_ns=None)

    def start(self, *children: ChildSpec | str, **options: Any) -> pykka.ActorRef[Any]:
        specs = [self.spec(child) if isinstance(child, str) else child for child in children]
        kwargs = {"strategy": Strategy.ONE_FOR_ONE, "intensity": ALWAYS, **options}
        self.top = self.system.start(Supervisor, specs, name="top", **kwargs)
        self.run()
        return self.top

    def __getitem__(self, name: str) -> pykka.ActorRef[Any]:
        ref = self.system.lookup(name)
        assert ref is not None, f"{name} is not alive"
        return ref

    def run(self) -> None:
        while not self.system.dispatcher.flush():
            pass

    def new(self) -> list[str]:
        """What was written down since the last look."""
        self.run()
        seen, self.log[:] = list(self.log), []
        return seen

    def tell(self, name: str, *messages: Any) -> None:
        for message in messages:
            self[name].tell(message)

    @property
    def alive(self) -> list[str]:
        return [ref.name for ref in self.system.refs]

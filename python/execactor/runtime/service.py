"""What the life of an actor asks of its mailbox side."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from execactor.runtime.mailbox import Addressed


class Service(ABC):
    """How an actor is sent messages, and how it comes to handle them. `Cell` does it."""

    __slots__ = ()

    @abstractmethod
    def put(self, letter: Addressed) -> None:
        """Queue a message, from any thread."""

    @abstractmethod
    def put_own(self, letter: Addressed) -> None:
        """Queue what the actor sends itself."""

    @abstractmethod
    def is_suspended_in(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether the actor waits for its async handler, which is this task."""

    @abstractmethod
    def refuse(self, letter: Addressed) -> None:
        """Account for a message to the dead actor, from any thread."""

    @abstractmethod
    def wants(self) -> bool | None:
        """What the run-queue should know: hot work (True), other work (False), none (None)."""

    @abstractmethod
    def visit(self, *, hot: bool) -> bool | None:
        """Handle some of what waits."""

    @abstractmethod
    def visit_failed(self, exc: BaseException) -> None:
        """An exception came out of `visit` itself."""

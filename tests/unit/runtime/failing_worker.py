"""An actor that fails when it is told to, and writes down its life."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from execactor.runtime import LoopActor


class Fill(msgspec.Struct, frozen=True):
    """Must not be lost."""

    retry_after_restart: ClassVar[bool] = True
    number: int
    failures: list[int] = []  # how often it has failed is shared by all copies


class Worker(LoopActor):
    """Fails when told an exception; a Fill fails as often as its number says."""

    def __init__(self, seen: list[Any], *, tag: str = "worker") -> None:
        super().__init__()
        self.seen = seen
        self.tag = tag
        self.count = 0

    def on_start(self) -> None:
        self.seen.append("started")

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        if isinstance(message, BaseException) or message is ValueError:
            raise message
        if isinstance(message, Fill) and len(message.failures) < message.number:
            message.failures.append(1)
            raise ValueError(f"attempt {len(message.failures)}")
        if message == "my ref":
            return self.actor_ref
        self.seen.append(message)
        return self.count, self.tag

    def on_failure(self, *failure: Any) -> None:
        self.seen.append(f"failed: {failure[1]}")

    def on_restart(self, cause: BaseException) -> None:
        self.seen.append(f"restarted: {cause}")
        self.cause = cause


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Log nothing: a record with its traceback keeps what failed alive."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)

"""DecisionSourceActor: watches a decision.json, or a directory of them, and hands valid decisions on."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import msgspec

from execactor.actors.context import Context
from execactor.domain.decision import Decision, DecisionProblem, parse_decision
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.domain.messages.decisions import DecisionReceived, FlatMode
from execactor.runtime import LoopActor

logger = logging.getLogger(__name__)

_LARGEST_BYTES = 64 * 1024


class Look(msgspec.Struct, frozen=True):
    """Time to look at the files."""


class _Seen(msgspec.Struct):
    """What was last read of a file. doubtful: it did not parse once; the same content again is a broken decision."""

    stamp: tuple[int, int]
    digest: bytes
    doubtful: bool


class DecisionSourceActor(LoopActor):
    """One per source. A file that does not parse is read once more before it counts: it may be half-written.

    In a directory the newest decision of a symbol counts: older ones, which a restart reads again, have no say.
    """

    def __init__(self, context: Context, path: Path, interval_ns: int) -> None:
        super().__init__(context, path, interval_ns)
        self.context = context
        self.path = path
        self.interval_ns = interval_ns
        self.seen: dict[Path, _Seen] = {}
        self.newest: dict[str, tuple[int, Path]] = {}

    def on_start(self) -> None:
        """Look at once, then at every interval."""
        self.actor_ref.tell(Look())
        self.timers.every("look", self.interval_ns, Look())

    def on_receive(self, message: Any) -> Any:
        """Read what changed."""
        if isinstance(message, Look):
            files = self._files()
            self._hand_on_newest([(file, found) for file in files if (found := self._read(file)) is not None])
            self._forget_all_but(files)

    def _files(self) -> list[Path]:
        if self.path.is_dir():
            return sorted(self.path.glob("*.json"))
        return [self.path] if self.path.exists() else []

    def _forget_all_but(self, files: list[Path]) -> None:
        if len(self.seen) > len(files):
            present = set(files)
            self.seen = {file: seen for file, seen in self.seen.items() if file in present}

    def _read(self, file: Path) -> DecisionReceived | None:
        """The decision of a file that is new or has changed."""
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            before = self.seen.get(file)
            if before is not None and before.stamp == stamp and not before.doubtful:
                return None
            received_ns = self.clock.monotonic_ns()
            body = file.read_bytes()[:_LARGEST_BYTES]
        except OSError as error:
            logger.warning("decision file %s cannot be read: %s", file, error)
            return None
        decision = parse_decision(
            body, self.clock.now_ns() // 1_000_000, max_age_ms=self.context.settings.max_decision_age_ms
        )
        broken = isinstance(decision, DecisionProblem)
        digest = hashlib.blake2b(body).digest()
        first_time = before is None or before.digest != digest
        self.seen[file] = _Seen(stamp, digest, doubtful=broken and first_time)
        if isinstance(decision, Decision):
            return DecisionReceived(decision=decision, received_ns=received_ns)
        if not first_time and not self._superseded(decision, file):
            self._flat_mode(decision.symbol, f"{file.name}: {decision.reason}")
        return None

    def _superseded(self, problem: DecisionProblem, file: Path) -> bool:
        """Whether another file holds a newer decision of the symbol; what replaces a decision in its file counts."""
        newest = self.newest.get(problem.symbol or "")
        return problem.stale and newest is not None and newest[1] != file and problem.timestamp_ms < newest[0]

    def _hand_on_newest(self, received: list[tuple[Path, DecisionReceived]]) -> None:
        for file, message in received:
            decision = message.decision
            if decision.timestamp_ms >= self.newest.get(decision.symbol, (0, file))[0]:
                self.newest[decision.symbol] = (decision.timestamp_ms, file)
        for _, message in received:
            decision = message.decision
            if decision.timestamp_ms < self.newest[decision.symbol][0]:
                logger.info("decision %s is not the newest of %s and is passed over", decision.key, decision.symbol)
            else:
                self._hand_on(message)

    def _hand_on(self, message: DecisionReceived) -> None:
        decision = message.decision
        actor = self.context.positions.get(decision.symbol)
        if actor is None:
            text = f"decision {decision.key} is for {decision.symbol}, which is not among the configured symbols"
            self._alert(text)
            return
        actor.tell(message)
        logger.info("decision %s: %s %s", decision.key, decision.action, decision.symbol)

    def _flat_mode(self, symbol: str | None, reason: str) -> None:
        """No decision to follow: for the symbol it names, or for all when it is too broken to name one."""
        self._alert(reason)
        actors = self.context.positions
        for name in [symbol] if symbol in actors else list(actors) if symbol is None else []:
            actors[name].tell(FlatMode(reason=reason))

    def _alert(self, text: str) -> None:
        self.context.alert.tell(Alert(level=AlertLevel.WARNING, code="DECISION_UNUSABLE", text=text))

"""AlertActor: everything that a person should see passes through here: log, journal, listeners."""

import logging
from collections import Counter
from typing import Any

from execactor.actors.context import Context
from execactor.domain.messages.account import Alert, AlertLevel
from execactor.runtime import LoopActor

logger = logging.getLogger("execactor.alerts")

REPEAT_NS = 60_000_000_000
_LOG_LEVELS = {
    AlertLevel.INFO: logging.INFO,
    AlertLevel.WARNING: logging.WARNING,
    AlertLevel.ERROR: logging.ERROR,
    AlertLevel.CRITICAL: logging.CRITICAL,
}


class AlertActor(LoopActor):
    """One per account. A repetition within a minute is counted, not shown again, unless it is CRITICAL."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.context = context
        self.counts: Counter[str] = Counter()
        self.last_ns: dict[tuple[str, str, str], int] = {}

    def on_receive(self, message: Any) -> Any:
        """Log, journal and count an alert; any other message asks for the counts."""
        if not isinstance(message, Alert):
            return dict(self.counts)
        self.counts[message.code] += 1
        now_ns = self.clock.monotonic_ns()
        key = (message.code, message.symbol, message.text)
        last_ns = self.last_ns.get(key)
        if last_ns is not None and now_ns - last_ns < REPEAT_NS and message.level is not AlertLevel.CRITICAL:
            return None
        self._remember(key, now_ns)
        logger.log(_LOG_LEVELS[message.level], message.text, extra={"code": message.code, "symbol": message.symbol})
        self.context.record(message, message.code)
        return None

    def _remember(self, key: tuple[str, str, str], now_ns: int) -> None:
        """The newest stands last, so that those that are old enough to be shown again are the first."""
        self.last_ns.pop(key, None)
        self.last_ns[key] = now_ns
        while now_ns - next(iter(self.last_ns.values())) >= REPEAT_NS:
            del self.last_ns[next(iter(self.last_ns))]

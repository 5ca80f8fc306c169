"""The care of an engine's trading thread: what holds its loop is named, garbage is collected between trades."""

from typing import Any

from execactor.actors.context import Context
from execactor.runtime import ActorSystem, BusyThread, IdleCollector, SystemClock, ThreadTimes, Watchdog
from execactor.runtime.latency import summary_us


class LoopCare:
    """Belongs to one running engine. In virtual time nothing holds a loop, and nothing is watched."""

    def __init__(self, context: Context, system: ActorSystem) -> None:
        self._context = context
        self._threads = ThreadTimes(system.clock) if system.simulated is None else None
        self._watchdog = Watchdog(system)
        self._collector = IdleCollector(system, allowed=self._between_trades)
        self._collecting = False
        if system.simulated is None:
            self._watchdog.start(look=isinstance(system.clock, SystemClock))

    def collect_when_idle(self) -> None:
        """Take garbage collection over from the interpreter, until `stop`."""
        self._collecting = True
        self._collector.start()

    def stop(self) -> None:
        """Leave the loop alone."""
        self._watchdog.stop()
        if self._collecting:
            self._collecting = False
            self._collector.stop()

    def report(self) -> dict[str, Any]:
        """For `status`: the loop's lag, how many handlers held it, which other threads were busy since last asked."""
        busy: list[BusyThread] = [] if self._threads is None else self._threads.busy()
        return {
            "loop_lag_us": summary_us(self._watchdog.loop_lag),
            "slow_handlers": self._watchdog.slow_handlers,
            "gc_pause_us": summary_us(self._collector.pauses),
            "busy_threads": busy,
        }

    def _between_trades(self) -> bool:
        return all(each.plan is None and each.position.flat for each in self._context.recovered.symbols.values())

"""Tables of small logs for the checker's tests: a sentence, a function that writes the log, and the verdict."""

from collections.abc import Callable

import pytest
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

Build = Callable[[LogBuilder], None]


class RuleCases(list[object]):
    """Logs for `judge_rule`. trips: part of the one violation a log must cause; duplicate: the rule if it is one."""

    def __call__(
        self, sentence: str, *, trips: str | None = None, duplicate: str | None = None, prefix: str = "capi"
    ) -> Callable[[Build], Build]:
        def register(build: Build) -> Build:
            self.append(pytest.param(build, trips, duplicate, prefix, id=sentence))
            return build

        return register


def judge_rule(build: Build, trips: str | None, duplicate: str | None, prefix: str) -> None:
    """Asserts that the log causes the one violation, or none."""
    log = LogBuilder()
    build(log)
    log.record("end")

    report = check(log.text(), prefix=prefix)

    assert report.venue_errors == ()
    assert report.duplicates == len(report.duplicate_list)
    assert [found.rule for found in report.duplicate_list] == ([duplicate] if duplicate else [])
    if trips is None:
        assert report.violations == ()
    else:
        assert len(report.violations) == 1, report.violations
        assert trips in report.violations[0]
        assert report.violations[0].startswith("line ")
        assert not report.ok


class TimeCases(list[object]):
    """Logs for `judge_time`: the longest naked intervals in ms, and a part of each violation a log must cause."""

    def __call__(
        self, sentence: str, *, longest: float = 0.0, restart: float = 0.0, trips: tuple[str, ...] = ()
    ) -> Callable[[Build], Build]:
        def register(build: Build) -> Build:
            self.append(pytest.param(build, longest, restart, trips, id=sentence))
            return build

        return register


def judge_time(build: Build, longest: float, restart: float, trips: tuple[str, ...]) -> None:
    """Asserts the measured times and the violations."""
    log = LogBuilder()
    build(log)
    log.record("end")

    report = check(log.text())

    assert report.venue_errors == ()
    assert (report.max_unprotected_ms, report.max_unprotected_restart_ms) == (longest, restart)
    assert len(report.violations) == len(trips), report.violations
    for part, violation in zip(trips, report.violations, strict=True):
        assert part in violation


def long_position(log: LogBuilder, key: str = "d1", quantity: str = "1") -> int:
    """A filled entry and its base stop at 95; returns the stop's id."""
    log.fed(key, quantity)
    log.trade(f"capi_entry_{key}", "BUY", quantity, "100")
    return log.stop(f"capi_sl_{key}", "SELL", "95")


def leave(log: LogBuilder, stop: int, key: str = "d1", quantity: str = "1") -> None:
    """Closes the position, the stop last."""
    log.trade(f"capi_exit_{key}", "SELL", quantity, "101", reduce_only=True)
    log.algo(stop, "CANCELED")


def enter(log: LogBuilder) -> None:
    """A filled entry and nothing else."""
    log.trade("capi_entry_d1", "BUY", "1", "100")

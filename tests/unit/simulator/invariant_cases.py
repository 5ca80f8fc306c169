"""Tables of small runs for the checker's catalogue: a check, a sentence, the run's writer and a verdict each."""

from collections.abc import Callable

from run_builder import Run

from execactor.simulator.checker import Report, check

Build = Callable[[Run], None]


class Case:
    """One run. trips: part of the one finding that it must cause, None when it must cause none."""

    def __init__(self, check_id: str, sentence: str, trips: str | None, build: Build) -> None:
        self.check_id, self.sentence, self.trips, self.build = check_id, sentence, trips, build

    def judge(self) -> Report:
        """Asserts the verdict, and that the log is one a venue could write."""
        run = Run()
        self.build(run)
        run.log.record("end")
        report = check(run.log.lines, journal=run.journal.rows, engine_report=run.report)
        assert report.venue_errors == ()
        if self.trips is None:
            assert report.violations == ()
        else:
            assert len(report.violations) == 1, report.violations
            assert report.broken == (self.check_id,), report.violations
            assert self.trips in report.violations[0]
        return report


class Cases(list[Case]):
    """Registers cases: `@case("I7", "a sentence", trips="part of the finding")`."""

    def __call__(self, check_id: str, sentence: str, *, trips: str | None = None) -> Callable[[Build], Build]:
        def register(build: Build) -> Build:
            self.append(Case(check_id, sentence, trips, build))
            return build

        return register

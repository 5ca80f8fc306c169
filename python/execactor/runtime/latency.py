"""Latency of named legs in HDR histograms (Rust); recording costs well under a microsecond."""

from execactor._core import Histogram


class LatencyBoard:
    """Histograms by leg name, in nanoseconds. Single-threaded use; reading is cheap and may be done at any time."""

    def __init__(self) -> None:
        self._legs: dict[str, Histogram] = {}

    def record(self, leg: str, duration_ns: int) -> None:
        """Count one duration; a negative one (clock stamps out of order) is counted as 0."""
        histogram = self._legs.get(leg)
        if histogram is None:
            histogram = self._legs[leg] = Histogram()
        histogram.record(max(duration_ns, 0))

    def percentile_us(self, leg: str, percent: float) -> float | None:
        """The percentile (0 to 100) of a leg in microseconds; None while nothing was recorded."""
        histogram = self._legs.get(leg)
        return None if histogram is None or not histogram.count else histogram.percentile(percent) / 1_000

    def report(self) -> dict[str, dict[str, float]]:
        """By leg: count, and mean, p50, p99, max in microseconds."""
        return {leg: summary_us(histogram) for leg, histogram in self._legs.items() if histogram.count}


def summary_us(histogram: Histogram) -> dict[str, float]:
    """Count, and mean, p50, p99, max in microseconds, of a histogram of nanoseconds."""
    return {
        "count": histogram.count,
        "mean": histogram.mean / 1_000,
        "p50": histogram.percentile(50) / 1_000,
        "p99": histogram.percentile(99) / 1_000,
        "max": histogram.max / 1_000,
    }

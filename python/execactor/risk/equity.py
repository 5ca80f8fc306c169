"""Equity watch: loss of the day and drawdown from the highest equity."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from execactor.risk.limits import Limits

_DAY_MS = 86_400_000


class Breach(StrEnum):
    """Which limit was reached."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"


class EquityWatch(msgspec.Struct, frozen=True, kw_only=True):
    """Equity in quote units. day: UTC days since 1970; day_start: the day's first equity; peak: highest ever seen.

    breached: limits reached and not yet reset: the daily loss resets with the day, the drawdown by a person.
    """

    day: int = -1
    day_start: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    equity: Decimal = Decimal(0)
    breached: tuple[Breach, ...] = ()

    @property
    def daily_loss_fraction(self) -> Decimal:
        """Loss since the day began as a fraction of its first equity; negative for a gain."""
        return (self.day_start - self.equity) / self.day_start if self.day_start > 0 else Decimal(0)

    @property
    def drawdown_fraction(self) -> Decimal:
        """Loss from the peak as a fraction of it."""
        return (self.peak - self.equity) / self.peak if self.peak > 0 else Decimal(0)


def observe(watch: EquityWatch, equity: Decimal, now_ms: int, limits: Limits) -> tuple[EquityWatch, list[Breach]]:
    """Take a new equity; returns the limits that it newly reached. A loss at the limit has reached it."""
    day = now_ms // _DAY_MS
    breached = set(watch.breached)
    day_start = watch.day_start
    if day != watch.day or day_start <= 0:
        day_start = equity
        breached.discard(Breach.DAILY_LOSS)
    watch = EquityWatch(day=day, day_start=day_start, peak=max(watch.peak, equity), equity=equity)
    newly = []
    for breach, fraction, limit in (
        (Breach.DAILY_LOSS, watch.daily_loss_fraction, limits.daily_loss_fraction),
        (Breach.DRAWDOWN, watch.drawdown_fraction, limits.drawdown_fraction),
    ):
        if fraction >= limit and breach not in breached:
            newly.append(breach)
            breached.add(breach)
    return msgspec.structs.replace(watch, breached=tuple(sorted(breached))), newly


def forgive(watch: EquityWatch) -> EquityWatch:
    """A person resumes: the drawdown is measured from here on, the day's loss from the current equity."""
    return msgspec.structs.replace(watch, breached=(), peak=watch.equity, day_start=watch.equity)

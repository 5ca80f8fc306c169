"""Equity watch: the loss of the day and the drawdown from the highest equity, at their limits (requirement E12)."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import dec

from execactor.risk.equity import Breach, EquityWatch, forgive, observe
from execactor.risk.limits import Limits

DAY_MS = 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
DAILY, DRAWDOWN = Breach.DAILY_LOSS, Breach.DRAWDOWN


def watched(*seen: tuple[int, Any]) -> tuple[EquityWatch, list[list[Breach]]]:
    """The watch after a series of (time, equity), and what each of them newly reached."""
    watch = EquityWatch()
    breaches = []
    for at_ms, equity in seen:
        watch, newly = observe(watch, dec(equity), at_ms, Limits())
        breaches.append(newly)
    return watch, breaches


def last(*equities: Any) -> list[Breach]:
    return watched(*((NOON_MS, equity) for equity in equities))[1][-1]


@pytest.mark.parametrize(
    ("equities", "newly"),
    [
        pytest.param([10_000], [], id="the first equity is no loss"),
        pytest.param([10_000, "9800.01"], [], id="1.9999 per cent of the day are borne"),
        pytest.param([10_000, "9800.00"], [DAILY], id="2.00 per cent of the day are the limit"),
        pytest.param([10_000, "9799.99"], [DAILY], id="and so is more"),
        pytest.param([10_000, 9_800, 9_700], [], id="a limit is reached once"),
        pytest.param([10_000, 9_800, 10_000, 9_800], [], id="however the equity moves afterwards"),
        pytest.param([10_000, 12_000, "9800.01"], [DRAWDOWN], id="from a peak it is a drawdown and no loss of the day"),
        pytest.param([10_000, "9000.00"], [DAILY, DRAWDOWN], id="10.00 per cent from the peak, the first equity"),
        pytest.param([0, 10_000, "9800.00"], [DAILY], id="the day begins with the first equity that there is"),
        pytest.param([0, -5], [], id="an account without equity has no fraction to lose"),
    ],
)
def test_limits(equities: list[Any], newly: list[Breach]) -> None:
    assert last(*equities) == newly


@pytest.mark.parametrize(
    ("equity", "newly"),
    [
        pytest.param("9000.01", [], id="9.9999 per cent are borne"),
        pytest.param("9000.00", [DRAWDOWN], id="10.00 per cent are the limit"),
    ],
)
def test_a_drawdown_over_several_days(equity: str, newly: list[Breach]) -> None:
    slowly = [(NOON_MS + day * DAY_MS, 10_000 - day * 150) for day in range(6)]
    _, breaches = watched(*slowly, (NOON_MS + 6 * DAY_MS, "9100"), (NOON_MS + 6 * DAY_MS, equity))
    assert breaches == [[]] * 7 + [newly]


def test_a_new_day_begins_at_midnight_utc_with_its_first_equity() -> None:
    midnight_ms = 20_001 * DAY_MS
    watch, breaches = watched((midnight_ms - 1, 10_000), (midnight_ms - 1, 9_850), (midnight_ms, 9_800))
    assert breaches == [[], [], []]
    assert (watch.day, watch.day_start) == (20_001, 9_800)
    assert watch.peak == 10_000


def test_a_daily_loss_is_forgotten_with_the_day_and_can_be_reached_again() -> None:
    watch, breaches = watched((NOON_MS, 10_000), (NOON_MS, 9_800), (NOON_MS + DAY_MS, 9_800), (NOON_MS + DAY_MS, 9_604))
    assert breaches == [[], [DAILY], [], [DAILY]]
    assert watch.daily_loss_fraction == Decimal("0.02")


def test_a_drawdown_is_not_forgotten_with_the_day() -> None:
    watch, _ = watched((NOON_MS, 10_000), (NOON_MS, 8_900), (NOON_MS + DAY_MS, 8_900))
    assert watch.breached == (DRAWDOWN,)


def test_losses_are_fractions_and_gains_are_negative() -> None:
    watch, _ = watched((NOON_MS, 10_000), (NOON_MS, 12_000), (NOON_MS, 11_400))
    assert watch.daily_loss_fraction == Decimal("-0.14")
    assert watch.drawdown_fraction == Decimal("0.05")
    assert EquityWatch().daily_loss_fraction == EquityWatch().drawdown_fraction == 0


def test_a_person_who_resumes_starts_both_measures_anew() -> None:
    watch, _ = watched((NOON_MS, 10_000), (NOON_MS, 8_900))
    forgiven = forgive(watch)
    assert (forgiven.peak, forgiven.day_start, forgiven.breached) == (8_900, 8_900, ())
    again, newly = observe(forgiven, dec(8_722), NOON_MS, Limits())
    assert newly == [DAILY]
    assert again.breached == (DAILY,)

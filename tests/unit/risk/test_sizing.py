"""From a decision or signal to a plan: size by risk, rounded to the venue's rules, or a reason why there is none."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rule_makers import dec, instrument

from execactor.domain.decision import Action, Decision
from execactor.domain.plan import Plan, Target
from execactor.domain.side import Side
from execactor.domain.signal import Signal, SignalAction
from execactor.tactics.entry import notional_by_risk, plan_from_decision, plan_from_signal

MAX_AGE_MS = 600_000


def decision(action: Action = Action.LONG, **changes: Any) -> Decision:
    sign = -1 if action is Action.SHORT else 1
    fields: dict[str, Any] = {
        "key": "d1",
        "symbol": "BTCUSDT",
        "action": action,
        "timestamp_ms": 1_000_000,
        "entry_zone": (dec(90_700), dec(90_900)),
        "sl": dec(90_800 - sign * 1_000),
        "tp1": dec(90_800 + sign * 1_400),
        "tp2": dec(90_800 + sign * 2_700),
        "position_size_usdt": dec(100_000),
        "leverage": dec(3),
        "confidence": dec("0.76"),
        "reason": "",
        "body_hash": "h",
    }
    return Decision(**(fields | changes))


def planned(given: Decision, rules: Any = None, **options: Any) -> Plan:
    plan = plan_from_decision(given, rules or instrument(), max_age_ms=MAX_AGE_MS, **options)
    assert isinstance(plan, Plan), plan
    return plan


def refusal(given: Decision, rules: Any = None, **options: Any) -> str:
    reason = plan_from_decision(given, rules or instrument(), max_age_ms=MAX_AGE_MS, **options)
    assert isinstance(reason, str), reason
    return reason


def by_risk(
    equity: Any = 10_000, fraction: Any = "0.005", entry: Any = 90_800, stop: Any = 89_800, cap: Any = 3
) -> Any:
    return notional_by_risk(dec(equity), dec(fraction), dec(entry), dec(stop), dec(cap))


def test_E11_half_a_per_cent_of_ten_thousand_over_a_stop_of_a_thousand_is_4540_usdt() -> None:  # noqa: N802
    assert by_risk() == 4_540


def test_E11_which_is_a_twentieth_of_a_bitcoin() -> None:  # noqa: N802
    plan = planned(decision(), max_notional=by_risk())
    assert plan.quantity == dec("0.05")
    assert plan.quantity * (plan.entry_price - plan.stop_price) == 50  # half a per cent of the equity is at stake


def test_E11_a_short_risks_the_same() -> None:  # noqa: N802
    assert by_risk(stop=91_800) == 4_540


@pytest.mark.parametrize(
    ("stop", "notional"),
    [
        pytest.param(90_700, 30_000, id="a stop of a hundred would be 45,400: the cap is three times the equity"),
        pytest.param(90_648, "29868.42", id="just beyond the cap's distance the risk decides"),
        pytest.param(89_800, 4_540, id="far from the cap"),
    ],
)
def test_E11_leverage_caps_the_size(stop: Any, notional: Any) -> None:  # noqa: N802
    assert by_risk(stop=stop).quantize(Decimal("0.01")) == dec(notional)


@pytest.mark.parametrize(
    ("size", "quantity"),
    [
        pytest.param("4540", "0.050", id="whole steps"),
        pytest.param("4630.79", "0.050", id="almost another step is rounded down"),
        pytest.param("4630.80", "0.051", id="another step"),
    ],
)
def test_E11_a_size_is_rounded_down_to_the_step(size: str, quantity: str) -> None:  # noqa: N802
    assert planned(decision(position_size_usdt=dec(size))).quantity == dec(quantity)


def test_E11_below_the_least_notional_there_is_no_order() -> None:  # noqa: N802
    fine = instrument(step_size="0.00001", min_quantity="0.00001")
    assert "below the venue's minimum 5" in refusal(decision(position_size_usdt=dec("4.99")), fine)
    assert planned(decision(position_size_usdt=dec("5.45")), fine).quantity == dec("0.00006")


def test_E11_below_the_smallest_lot_there_is_no_order() -> None:  # noqa: N802
    assert "below the venue's minimum 0.001" in refusal(decision(position_size_usdt=dec(90)))


def test_E11_the_smaller_of_the_decisions_size_and_the_risks_counts() -> None:  # noqa: N802
    assert planned(decision(position_size_usdt=dec(1_000)), max_notional=by_risk()).quantity == dec("0.011")
    assert planned(decision(position_size_usdt=dec(9_000)), max_notional=by_risk()).quantity == dec("0.05")


@pytest.mark.parametrize(
    ("action", "side", "stop", "targets"),
    [
        (Action.LONG, Side.BUY, 89_800, [92_200, 93_500]),
        (Action.SHORT, Side.SELL, 91_800, [89_400, 88_100]),
    ],
)
def test_a_decision_becomes_a_plan(action: Action, side: Side, stop: int, targets: list[int]) -> None:
    plan = planned(decision(action), received_ns=7)
    assert (plan.key, plan.symbol, plan.side, plan.body_hash) == ("d1", "BTCUSDT", side, "h")
    assert (plan.entry_price, plan.stop_price) == (dec(90_800), dec(stop))
    assert plan.targets == (Target(dec(targets[0]), dec("0.5")), Target(dec(targets[1]), dec(1)))
    assert (plan.timestamp_ms, plan.valid_until_ms, plan.received_ns) == (1_000_000, 1_600_000, 7)


def test_without_a_second_target_there_is_one() -> None:
    assert [target.price for target in planned(decision(tp2=None)).targets] == [dec(92_200)]


def test_prices_are_rounded_to_less_risk() -> None:
    plan = planned(
        decision(entry_zone=(dec("90700.1"), dec("90900.18")), sl=dec("89800.01"), tp1=dec("92200.09"), tp2=None)
    )
    assert (plan.entry_price, plan.stop_price) == (dec("90800.1"), dec("89800.1"))
    assert plan.targets[0].price == dec("92200.0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"sl": dec(90_750)}, "sl 90750 lies within a tick of the entry", id="the stop"),
        pytest.param({"tp1": dec(90_850), "tp2": None}, "tp1 90850 lies within a tick of the entry", id="the target"),
        pytest.param(
            {"entry_zone": (dec(50), dec(60)), "sl": dec(20)}, "entry_zone [50, 60] lies below the first tick", id="all"
        ),
    ],
)
def test_prices_that_fall_together_on_a_coarse_grid_make_no_plan(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(decision(**changes), instrument(tick_size=100))


def test_a_flat_decision_is_not_a_plan() -> None:
    with pytest.raises(ValueError, match="d1 is flat"):
        plan_from_decision(decision(Action.FLAT), instrument(), max_age_ms=MAX_AGE_MS)


def test_a_symbol_that_is_halted_makes_no_plan() -> None:
    assert "not open for trading" in refusal(decision(), instrument(trading=False))


def signal(action: SignalAction = SignalAction.BUY, **changes: Any) -> Signal:
    fields: dict[str, Any] = {
        "idempotency_key": "s1",
        "symbol": "BTCUSDT",
        "action": action,
        "quantity": dec("0.0509"),
        "price": dec("90800.19"),
        "stop_loss": dec("89800.01"),
        "take_profit": dec("92200.09"),
    }
    return Signal(**(fields | changes))


def from_signal(given: Signal, mark: Any = 90_800, rules: Any = None) -> Plan | str:
    return plan_from_signal(given, rules or instrument(), mark=dec(mark), now_ms=5_000, valid_ms=300_000, received_ns=7)


def test_a_signal_with_a_price_becomes_a_limit_plan() -> None:
    plan = from_signal(signal())
    assert isinstance(plan, Plan)
    assert (plan.key, plan.side, plan.quantity, plan.source) == ("s1", Side.BUY, dec("0.050"), "signal")
    assert (plan.entry_price, plan.stop_price) == (dec("90800.1"), dec("89800.1"))
    assert plan.targets == (Target(dec("92200.0"), dec(1)),)
    assert (plan.timestamp_ms, plan.valid_until_ms) == (5_000, 305_000)


def test_a_signal_without_a_price_is_measured_by_the_mark() -> None:
    plan = from_signal(signal(price=None, take_profit=None, stop_loss=None))
    assert isinstance(plan, Plan)
    assert (plan.entry_price, plan.stop_price, plan.targets) == (None, None, ())
    assert "no market price" in str(from_signal(signal(price=None), mark=None))
    assert "below the venue's minimum 5" in str(from_signal(signal(price=None), mark="99.9"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"quantity": dec("0.0009")}, "below the venue's minimum 0.001", id="too little"),
        pytest.param({"quantity": dec(1_001)}, "above the venue's maximum", id="too much"),
    ],
)
def test_a_signal_that_the_venue_would_refuse_makes_no_plan(changes: dict[str, Any], words: str) -> None:
    assert words in str(from_signal(signal(**changes)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"price": dec(50)}, "price 50 lies below the first tick", id="the price"),
        pytest.param({"stop_loss": dec(90_750)}, "stop_loss 90750 lies within a tick", id="the stop"),
        pytest.param({"take_profit": dec(90_850)}, "take_profit 90850 lies within a tick", id="the target"),
        pytest.param({"price": None, "stop_loss": dec(90_750)}, "stop_loss 90750 lies within", id="beside the mark"),
    ],
)
def test_a_signals_prices_that_fall_together_make_no_plan(changes: dict[str, Any], words: str) -> None:
    assert words in str(from_signal(msgspec.structs.replace(signal(), **changes), rules=instrument(tick_size=100)))

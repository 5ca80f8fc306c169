"""Signals: what is wrong with one is named with its field and the fix."""

from typing import Any

import pytest
from rule_makers import dec

from execactor.domain.side import Side
from execactor.domain.signal import Signal, SignalAction, signal_problem


def signal(action: SignalAction = SignalAction.BUY, **changes: Any) -> Signal:
    fields: dict[str, Any] = {
        "idempotency_key": "s1",
        "symbol": "BTCUSDT",
        "action": action,
        "quantity": dec(1),
        "price": dec(100),
        "stop_loss": dec(90) if action is SignalAction.BUY else dec(110),
    }
    return Signal(**(fields | changes))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(signal(), None, id="a buy with a stop below it"),
        pytest.param(signal(SignalAction.SELL), None, id="a sell with a stop above it"),
        pytest.param(signal(take_profit=dec(120)), None, id="with a target"),
        pytest.param(signal(idempotency_key=""), "idempotency_key is empty", id="no idempotency key"),
        pytest.param(signal(symbol=""), "symbol '' is too short", id="no symbol"),
        pytest.param(signal(quantity=dec(0)), "quantity 0 must be above 0", id="nothing to buy"),
        pytest.param(signal(quantity=dec(-1)), "quantity -1 must be above 0", id="a negative size"),
        pytest.param(signal(quantity=dec("NaN")), "quantity is NaN", id="a size that is no number"),
        pytest.param(signal(price=dec("Infinity")), "price is Infinity", id="an infinite price"),
        pytest.param(signal(stop_loss=dec("NaN")), "stop_loss is NaN", id="a stop that is no number"),
        pytest.param(signal(take_profit=dec("-Infinity")), "take_profit is -Infinity", id="an infinite target"),
        pytest.param(signal(price=dec(0)), "price 0 must be above 0", id="a price of nothing"),
        pytest.param(signal(stop_loss=None), "stop_loss is missing", id="no stop where the policy requires one"),
        pytest.param(signal(stop_loss=dec(0)), "stop_loss 0 must be above 0", id="a stop that can never trigger"),
        pytest.param(signal(stop_loss=dec(-5)), "stop_loss -5 must be above 0", id="a negative stop"),
        pytest.param(
            signal(SignalAction.SELL, take_profit=dec(-5)), "take_profit -5 must be above 0", id="a negative target"
        ),
        pytest.param(signal(stop_loss=dec(100)), "stop_loss 100 is on the wrong side", id="a stop at the entry"),
        pytest.param(signal(stop_loss=dec(101)), "stop_loss 101 is on the wrong side", id="a stop above a buy"),
        pytest.param(
            signal(SignalAction.SELL, stop_loss=dec(99)), "stop_loss 99 is on the wrong side", id="a stop below a sell"
        ),
        pytest.param(signal(take_profit=dec(99)), "take_profit 99 is on the wrong side", id="a target below a buy"),
        pytest.param(
            signal(SignalAction.SELL, take_profit=dec(101)),
            "take_profit 101 is on the wrong side",
            id="a target above a sell",
        ),
        pytest.param(
            signal(SignalAction.CLOSE, quantity=dec(0), price=None, stop_loss=None), None, id="a close needs no more"
        ),
    ],
)
def test_signal_problem(given: Signal, words: str | None) -> None:
    problem = signal_problem(given, stop_required=True, reference_price=dec(100))
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert words in problem


def test_a_market_signal_is_judged_against_the_mark() -> None:
    market = signal(price=None, stop_loss=dec(101))
    assert signal_problem(market, stop_required=True, reference_price=None) is None
    problem = signal_problem(market, stop_required=True, reference_price=dec(100))
    assert problem == "stop_loss 101 is on the wrong side of the entry 100 for a buy"


def test_a_policy_may_do_without_a_stop() -> None:
    assert signal_problem(signal(stop_loss=None), stop_required=False, reference_price=None) is None


@pytest.mark.parametrize(
    ("action", "closes", "side"),
    [
        (SignalAction.BUY, False, Side.BUY),
        (SignalAction.SELL, False, Side.SELL),
        (SignalAction.CLOSE, True, None),
        (SignalAction.CLOSE_LONG, True, None),
        (SignalAction.CLOSE_SHORT, True, None),
    ],
)
def test_actions(action: SignalAction, closes: bool, side: Side | None) -> None:
    assert action.closes is closes
    if side is not None:
        assert signal(action).side is side


def test_the_body_hash_tells_contents_apart() -> None:
    assert signal().body_hash == signal().body_hash
    assert signal().body_hash != signal(quantity=dec(2)).body_hash

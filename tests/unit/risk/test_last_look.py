"""The last look before the write, after any wait: every field of the approval is compared once more."""

from typing import Any

import msgspec
import pytest
from rule_makers import dec, entry_intent, exit_intent, stop_intent, target_intent

from execactor.domain.account import EngineState
from execactor.domain.messages.orders import RiskApproved
from execactor.domain.order import OrderIntent, OrderType
from execactor.domain.side import Side
from execactor.risk.gate import last_look

TOKEN = RiskApproved(
    client_id="capi_entry_d1",
    side=Side.BUY,
    max_quantity=dec("0.05"),
    worst_price=dec(90_800),
    epoch=3,
    expires_ns=1_000,
)


def look(
    intent: OrderIntent | None = None,
    token: RiskApproved | None = TOKEN,
    *,
    state: EngineState = EngineState.RUNNING,
    epoch: int = 3,
    now_ns: int = 1_000,
) -> str | None:
    return last_look(intent or entry_intent(), token, state=state, epoch=epoch, now_ns=now_ns)


def test_what_was_approved_may_leave() -> None:
    assert look() is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"token": None}, "carries no approval of its own", id="no approval"),
        pytest.param(
            {"token": msgspec.structs.replace(TOKEN, client_id="capi_entry_d2")},
            "carries no approval of its own",
            id="the approval of another order",
        ),
        pytest.param({"epoch": 4}, "approved in epoch 3, now is epoch 4", id="an approval from before a kill"),
        pytest.param({"epoch": 2}, "approved in epoch 3, now is epoch 2", id="an approval of another epoch"),
        pytest.param({"now_ns": 1_001}, "the approval has expired", id="an approval that waited too long"),
        pytest.param(
            {"intent": entry_intent(side=Side.SELL)}, "goes beyond its approval of BUY 0.05", id="the other side"
        ),
        pytest.param(
            {"intent": entry_intent(quantity="0.051")}, "goes beyond its approval of BUY 0.05", id="a larger size"
        ),
        pytest.param(
            {"intent": entry_intent(price=dec("90800.1"))}, "is beyond the approved 90800", id="a worse price"
        ),
    ],
)
def test_what_was_not_approved_may_not(changes: dict[str, Any], words: str) -> None:
    refusal = look(**changes)
    assert refusal is not None
    assert words in refusal


@pytest.mark.parametrize("state", [state for state in EngineState if state is not EngineState.RUNNING])
def test_nothing_that_adds_risk_leaves_an_engine_that_takes_none(state: EngineState) -> None:
    assert look(state=state) == f"the engine is {state}"


@pytest.mark.parametrize(
    "intent",
    [
        pytest.param(entry_intent(quantity="0.04"), id="a smaller size"),
        pytest.param(entry_intent(price=dec(90_700)), id="a better price"),
        pytest.param(entry_intent(type=OrderType.MARKET, price=None), id="at market"),
    ],
)
def test_less_than_what_was_approved_may_leave(intent: OrderIntent) -> None:
    assert look(intent) is None


@pytest.mark.parametrize(("price", "leaves"), [(90_800, True), (90_900, True), (90_799, False)])
def test_a_seller_may_take_more_and_not_less(price: int, leaves: bool) -> None:
    token = msgspec.structs.replace(TOKEN, side=Side.SELL)
    assert (look(entry_intent(side=Side.SELL, price=dec(price)), token) is None) is leaves


@pytest.mark.parametrize("state", list(EngineState))
@pytest.mark.parametrize("intent", [stop_intent(), target_intent(), exit_intent()], ids=["stop", "target", "exit"])
def test_what_can_only_reduce_risk_always_may_leave(intent: OrderIntent, state: EngineState) -> None:
    assert look(intent, None, state=state, epoch=99, now_ns=10**18) is None

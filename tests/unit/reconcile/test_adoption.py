"""Which orders at the venue are taken up although the journal does not hold them."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import SYMBOL, entry_intent

from execactor.domain.order import Order, OrderEvent, OrderState, OrderType, Role
from execactor.domain.reports import ConditionalReport
from execactor.domain.side import Side
from execactor.reconcile.adoption import unrecorded

ENTRY = Order(intent=entry_intent(), state=OrderState.FILLED)
HELD = Decimal("0.05")


def listed(**changes: Any) -> ConditionalReport:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "client_id": "capi_slt_d1",
        "venue_id": "7002",
        "event": OrderEvent.ACKNOWLEDGED,
        "side": Side.SELL,
        "order_type": "STOP_MARKET",
        "trigger_price": Decimal(90_800),
        "quantity": HELD,
        "reduce_only": True,
    }
    return ConditionalReport(**fields | changes)


def test_a_tightened_stop_of_the_latest_decision_is_taken_up_as_it_was_meant() -> None:
    intent = unrecorded(listed(), "capi", [ENTRY], HELD)
    assert intent is not None
    assert (intent.client_id, intent.decision_key, intent.role) == ("capi_slt_d1", "d1", Role.TIGHTENED_STOP)
    assert (intent.type, intent.side, intent.quantity) == (OrderType.STOP_MARKET, Side.SELL, HELD)
    assert (intent.trigger_price, intent.reduce_only, intent.close_position) == (Decimal(90_800), True, False)


def test_a_base_stop_closes_whatever_is_open() -> None:
    report = listed(client_id="capi_sl_d1_a3", quantity=None, close_position=True)
    intent = unrecorded(report, "capi", [ENTRY], HELD)
    assert intent is not None
    assert (intent.role, intent.quantity, intent.close_position, intent.reduce_only) == (Role.STOP, None, True, False)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        pytest.param({"client_id": "capi_entry_d1_a2"}, HELD, id="an entry takes risk"),
        pytest.param({"reduce_only": False}, HELD, id="so may what is not reduce-only"),
        pytest.param({"client_id": "capi_sl_d0"}, HELD, id="of an earlier decision"),
        pytest.param({"client_id": "web_1"}, HELD, id="of another hand"),
        pytest.param({}, Decimal(0), id="nothing is held"),
        pytest.param({}, -HELD, id="it does not close what is held"),
        pytest.param({"order_type": "TRAILING_STOP_MARKET"}, HELD, id="of a type that we never place"),
        pytest.param({"quantity": None}, HELD, id="without a quantity"),
    ],
)
def test_any_other_is_not(changes: dict[str, Any], held: Decimal) -> None:
    assert unrecorded(listed(**changes), "capi", [ENTRY], held) is None


def test_without_an_entry_of_ours_none_is() -> None:
    assert unrecorded(listed(), "capi", [], HELD) is None

"""The digest of the state: equal for equal states, however they came about, and for no others."""

from decimal import Decimal

import msgspec
import pytest
from rule_makers import SYMBOL, entry_intent

from execactor.domain.order import Order, OrderState
from execactor.domain.position import Position
from execactor.store.digest import replayed_digest, state_digest
from execactor.store.recovery import Recovered

ORDER = Order(intent=entry_intent(), state=OrderState.ACKNOWLEDGED)
HELD = Position(symbol=SYMBOL, quantity=Decimal("0.5"), entry_price=Decimal(100))
DIGEST = state_digest([ORDER], [HELD], 3)


@pytest.mark.parametrize(
    ("order", "position", "epoch"),
    [
        pytest.param(msgspec.structs.replace(ORDER, state=OrderState.CANCELLED), HELD, 3, id="a state"),
        pytest.param(msgspec.structs.replace(ORDER, state=OrderState.UNKNOWN), HELD, 3, id="a doubt"),
        pytest.param(msgspec.structs.replace(ORDER, filled=Decimal("0.01")), HELD, 3, id="a fill"),
        pytest.param(msgspec.structs.replace(ORDER, quote_filled=Decimal(1)), HELD, 3, id="its price"),
        pytest.param(ORDER, msgspec.structs.replace(HELD, quantity=Decimal("0.4")), 3, id="what is held"),
        pytest.param(ORDER, msgspec.structs.replace(HELD, entry_price=Decimal(101)), 3, id="its entry price"),
        pytest.param(ORDER, HELD, 4, id="the epoch"),
    ],
)
def test_each_part_of_the_state_counts(order: Order, position: Position, epoch: int) -> None:
    assert state_digest([order], [position], epoch) != DIGEST


def test_what_a_crash_may_lose_does_not_count() -> None:
    seen = msgspec.structs.replace(ORDER, verified=True, venue_id="7", sent_ns=5, acknowledged_ns=6)
    flat = Position(symbol="ETHUSDT", realized_pnl=Decimal(5))
    assert state_digest([seen], [flat, msgspec.structs.replace(HELD, quantity=Decimal("0.50"))], 3) == DIGEST


def test_a_refused_order_does_not_count_unless_it_traded() -> None:
    refused = Order(intent=entry_intent("capi_entry_d2"), state=OrderState.REJECTED)
    assert state_digest([ORDER, refused], [HELD], 3) == DIGEST
    assert state_digest([ORDER, msgspec.structs.replace(refused, filled=Decimal(1))], [HELD], 3) != DIGEST


def test_an_order_without_an_answer_is_one_in_doubt() -> None:
    digests = {
        state_digest([msgspec.structs.replace(ORDER, state=state)], [], 0)
        for state in (OrderState.CREATED, OrderState.RISK_APPROVED, OrderState.SUBMITTED, OrderState.UNKNOWN)
    }
    assert len(digests) == 1


def test_the_order_of_things_does_not_count() -> None:
    other = Order(intent=entry_intent("capi_entry_d2"))
    assert state_digest([ORDER, other], [], 0) == state_digest([other, ORDER], [], 0)


def test_a_replayed_state_has_the_digest_of_the_one_that_lived() -> None:
    recovered = Recovered(epoch=3)
    recovered.symbol(SYMBOL).orders[ORDER.client_id] = ORDER
    recovered.symbol(SYMBOL).position = HELD
    assert replayed_digest(recovered) == DIGEST

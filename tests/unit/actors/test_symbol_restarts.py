"""The two actors of a symbol under their supervisor: what one failure leaves undone is made good at once."""

from decimal import Decimal
from typing import Any

import pytest
from actor_stage import Stage
from rule_makers import SYMBOL
from test_position_actor import RUNNING, compared, entered, filled

from execactor.actors.context import Ref
from execactor.actors.order import OrderActor
from execactor.actors.position import Describe
from execactor.actors.venue_gateway import VenueGateway
from execactor.assembly import symbol_spec
from execactor.domain.order import OrderState, Role
from execactor.domain.reports import Acknowledged
from execactor.runtime import Supervisor
from execactor.store.records import ExecutionBooked, OrderChanged


class Pair:
    """A symbol's actors on a stage, the entry of a decision under way."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        stage.play(VenueGateway, at="gateway")
        stage.system.start(Supervisor, [symbol_spec(stage.context, SYMBOL)], name="engine")
        self.order, self.position = self.lookup("order"), self.lookup("position")
        stage.context.orders[SYMBOL], stage.context.positions[SYMBOL] = self.order, self.position

    def lookup(self, name: str) -> Ref:
        ref = self.stage.system.lookup(f"{name}:{SYMBOL}")
        assert ref is not None
        return ref

    def restarts(self) -> dict[str, int]:
        names = {f"order:{SYMBOL}": "order", f"position:{SYMBOL}": "position"}
        return {names[each.name]: each.restarts for each in self.stage.system.snapshot() if each.name in names}

    async def enter(self) -> None:
        """The entry is filled: the journal knows it, and the position is about to be told."""
        await self.stage.tell(self.position, RUNNING, compared())
        await entered(self.stage, self.position)
        record, update = filled()
        self.stage.context.record(record, update.order.client_id)
        self.stage.context.record(OrderChanged(order=update.order), update.order.client_id)
        await self.stage.tell(self.position, update)


@pytest.fixture
def pair(stage: Stage) -> Pair:
    return Pair(stage)


def failing_once(monkeypatch: pytest.MonkeyPatch, role: Role, *, after: bool) -> None:
    """The order actor fails at the first request of this role, before or after it did its work."""
    original = OrderActor._submit
    failures: list[Role] = []

    def submit(self: OrderActor, intent: Any, token: Any) -> None:
        fails = intent.role is role and not failures
        if fails:
            failures.append(role)
        if not fails or after:
            original(self, intent, token)
        if fails:
            raise RuntimeError("a bug")

    monkeypatch.setattr(OrderActor, "_submit", submit)


async def test_a_stop_request_that_a_failure_swallowed_is_made_again_while_time_stands_still(
    stage: Stage, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, Role.STOP, after=False)
    await pair.enter()
    assert [intent.role for intent in stage.open("submit")].count(Role.STOP) == 1
    assert pair.restarts() == {"order": 1, "position": 1}


async def test_a_stop_that_was_sent_before_the_failure_is_not_lost_track_of(
    stage: Stage, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, Role.STOP, after=True)
    await pair.enter()
    await stage.answer("submit", Acknowledged(venue_id="7001"))
    orders = {order.client_id: order for order in await stage.ask(pair.order, Describe())}
    assert orders["capi_sl_d1"].state is OrderState.ACKNOWLEDGED, "its answer came after the restart"
    assert len(stage.records(ExecutionBooked)) == 1
    assert (await stage.ask(pair.position, Describe())).position.quantity == Decimal("0.05")


async def test_a_position_actor_that_fails_leaves_the_order_actor_alone(stage: Stage, pair: Pair) -> None:
    await pair.enter()
    await stage.tell(pair.position, object())
    assert pair.restarts() == {"order": 0, "position": 1}
    assert (await stage.ask(pair.position, Describe())).position.quantity == Decimal("0.05")

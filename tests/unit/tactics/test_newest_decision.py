"""The newest decision wins, whatever order they come in."""

from rule_makers import dec
from trading_desk import Desk, asked, plan

from execactor.domain.messages.decisions import PlanRefused
from execactor.domain.messages.orders import EntryAbandoned


def test_an_older_decision_does_not_replace_the_one_that_is_followed() -> None:
    desk = Desk()
    desk.receive(plan(key="new", timestamp_ms=2_000))
    effects = desk.receive(plan(key="old", timestamp_ms=1_000))
    assert [effect.reason for effect in effects if isinstance(effect, PlanRefused)] == [
        "decision old is older than the one that is followed"
    ]
    assert desk.state.plan is not None
    assert desk.state.plan.key == "new"
    assert asked(effects) == []


def test_an_entry_that_nobody_answered_gives_back_what_it_reserved() -> None:
    desk = Desk(channel=lambda effect: False)
    desk.receive(plan(quantity=dec("0.05")))
    assert [e.client_id for e in desk.wait(11_000) if isinstance(e, EntryAbandoned)] == ["capi_entry_d1"]

"""AlertActor: what a person sees, and how often."""

import logging

import pytest
from actor_stage import SECOND, Stage

from execactor.actors.alert import AlertActor
from execactor.actors.context import Ref
from execactor.actors.position import Describe
from execactor.domain.messages.account import Alert, AlertLevel


def warning(text: str = "the cancel was refused", **changes: str) -> Alert:
    return Alert(level=AlertLevel.WARNING, code="CANCEL_REFUSED", text=text, **changes)


CRITICAL = Alert(level=AlertLevel.CRITICAL, code="MISSING_STOP", text="no stop")


@pytest.fixture
def alerts(stage: Stage) -> Ref:
    return stage.play(AlertActor, at="alert")


def shown(stage: Stage) -> list[str]:
    return [alert.text for alert in stage.records(Alert)]


async def test_an_alert_is_journaled_and_logged_with_its_code(
    stage: Stage, alerts: Ref, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await stage.tell(alerts, warning(symbol="BTCUSDT"), CRITICAL)
    assert stage.records(Alert) == [warning(symbol="BTCUSDT"), CRITICAL]
    first, second = (record for record in caplog.records if record.name == "execactor.alerts")
    assert (first.levelno, first.code, first.symbol) == (logging.WARNING, "CANCEL_REFUSED", "BTCUSDT")  # type: ignore[attr-defined]
    assert second.levelno == logging.CRITICAL


async def test_a_repetition_within_a_minute_is_counted_and_not_shown(stage: Stage, alerts: Ref) -> None:
    for _ in range(59):
        await stage.tell(alerts, warning())
        await stage.after(SECOND)
    assert shown(stage) == ["the cancel was refused"]
    assert await stage.ask(alerts, Describe()) == {"CANCEL_REFUSED": 59}


async def test_after_a_minute_it_is_shown_again(stage: Stage, alerts: Ref) -> None:
    await stage.tell(alerts, warning())
    await stage.after(60 * SECOND)
    await stage.tell(alerts, warning())
    assert len(shown(stage)) == 2


async def test_a_critical_alert_is_never_held_back(stage: Stage, alerts: Ref) -> None:
    await stage.tell(alerts, CRITICAL, CRITICAL, CRITICAL)
    assert len(shown(stage)) == 3


async def test_another_text_or_symbol_is_another_alert(stage: Stage, alerts: Ref) -> None:
    await stage.tell(alerts, warning("one"), warning("two"), warning("one", symbol="BTCUSDT"), warning("one"))
    assert shown(stage) == ["one", "two", "one"]

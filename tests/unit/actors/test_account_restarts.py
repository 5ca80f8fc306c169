"""AccountActor fails: what it was being told is not lost with it."""

from typing import Any

import pytest
from actor_stage import Stage

from execactor.actors.account import AccountActor, Begin
from execactor.actors.position import Describe
from execactor.domain.account import EngineState
from execactor.domain.messages.account import Kill, StreamChanged
from execactor.domain.messages.market import MarketChanged
from execactor.domain.messages.reconciliation import ReconcileEnded


def fails_once(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """The actor fails before it handles the first message of this kind."""
    original = AccountActor.on_receive
    failures: list[Any] = []

    def on_receive(self: AccountActor, message: Any) -> Any:
        if isinstance(message, kind) and not failures:
            failures.append(message)
            raise RuntimeError("for the test")
        return original(self, message)

    monkeypatch.setattr(AccountActor, "on_receive", on_receive)


@pytest.mark.parametrize(
    "message",
    [
        Kill(reason="a person pressed it"),
        StreamChanged(continuous=False, reason="lost"),
        MarketChanged(up=False, reason="lost"),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_what_the_account_is_told_while_it_fails_counts_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, message: Any
) -> None:
    account = stage.play(AccountActor, at="account")
    await stage.tell(account, Begin(), ReconcileEnded(started_ns=stage.clock.monotonic_ns(), settled=True, reason="x"))
    fails_once(monkeypatch, type(message))
    await stage.tell(account, message)
    stopped = EngineState.HALTED if isinstance(message, Kill) else EngineState.SAFE_MODE
    assert (await stage.ask(account, Describe())).state is stopped
    assert (stage.context.stream_up, stage.context.market_up) == (
        not isinstance(message, StreamChanged),
        not isinstance(message, MarketChanged),
    )

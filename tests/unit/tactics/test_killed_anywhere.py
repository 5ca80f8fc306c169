"""Killed after any record that it writes, and fed the same decision again: one entry and the same end (E1, E2)."""

from collections.abc import Callable
from decimal import Decimal
from itertools import count

import pytest
from model_venue import ModelVenue
from model_wire import Crash, Wire
from rule_makers import dec
from trading_desk import SECOND, plan

from execactor.domain.messages.decisions import FlatRequested, PlanReceived
from execactor.domain.order import Role

Step = Callable[[Wire], None]


def decide(wire: Wire) -> None:
    wanted = plan(valid_until_ms=wire.now_ns // 1_000_000 + 600_000)
    wire.feed(PlanReceived(plan=wanted, expires_ns=wire.now_ns + 600 * SECOND))


def quiet(wire: Wire) -> None:
    for _ in wire.calm(7):
        pass


def fill_the_entry(wire: Wire) -> None:
    for order in wire.venue.live(Role.ENTRY):
        wire.venue.match(order.intent.client_id, dec("0.05"))


def mark(price: int) -> Step:
    return lambda wire: wire.mark(Decimal(price))


def leave(wire: Wire) -> None:
    wire.feed(FlatRequested(reason="decision d2 is flat"))


TO_THE_TARGET = [decide, quiet, fill_the_entry, quiet, mark(92_250), quiet, mark(93_600), quiet]
TO_THE_STOP = [decide, quiet, fill_the_entry, quiet, mark(89_700), quiet]
OUT = [decide, quiet, fill_the_entry, quiet, leave, quiet, leave, quiet]


def played(script: list[Step], crash_at: int | None, *, arrives: bool) -> tuple[Wire, bool]:
    """The wire after a script whose process dies after its `crash_at`-th record; whether it did die."""
    wire = Wire(ModelVenue())
    wire.crash_in = crash_at
    died = False
    for each in script:
        try:
            each(wire)
        except Crash:
            died = True
            wire.restart(lambda _client_id: arrives)
            quiet(wire)
            decide(wire)
            if each is not quiet:
                each(wire)
            quiet(wire)
    for _ in wire.calm(20):
        if wire.at_rest:
            break
    return wire, died


@pytest.mark.parametrize("arrives", [True, False], ids=["requests under way arrive", "requests under way are lost"])
@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(TO_THE_TARGET, "tp2", id="to the second target"),
        pytest.param(TO_THE_STOP, "stopped", id="to the stop"),
        pytest.param(OUT, "exit", id="out by a decision"),
    ],
)
def test_E1_killed_after_any_record_there_is_one_entry_and_the_same_end(  # noqa: N802  # the requirement's name
    script: list[Step], outcome: str, arrives: bool
) -> None:
    for number in count(1):
        wire, died = played(script, number, arrives=arrives)
        assert wire.at_rest, number
        assert [trade.outcome for trade in wire.trades_closed] == [outcome], number
        bought = [trade for trade in wire.venue.trades if trade.side == "BUY"]
        assert sum(trade.quantity for trade in bought) == dec("0.05"), number
        if not died:
            break
    assert number > 10


def test_E2_an_id_is_free_again_at_the_venue_and_the_entry_is_not_made_again_after_a_restart() -> None:  # noqa: N802
    wire, _ = played(TO_THE_STOP, None, arrives=True)
    used = set(wire.venue.used_ids)
    wire.restart(lambda _client_id: True)
    quiet(wire)
    for _ in range(3):
        decide(wire)
        quiet(wire)
    assert wire.venue.used_ids == used
    assert len(wire.trades_closed) == 1

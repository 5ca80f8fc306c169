"""ReconcilerActor: one comparison at a time, until there is agreement or a person is called."""

from decimal import Decimal

import msgspec
import pytest
from actor_stage import SECOND, START_NS, Stage, snapshot
from rule_makers import SYMBOL

from execactor.actors.context import Ref
from execactor.actors.reconciler import ReconcilerActor
from execactor.actors.risk import WalletKnown
from execactor.domain.account import VenuePosition
from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.messages.account import EnterSafeMode
from execactor.domain.messages.market import MarkUpdate
from execactor.domain.messages.reconciliation import ReconcileEnded, RequestReconcile, SnapshotArrived, SymbolReconciled
from execactor.store.records import Reconciled

START = RequestReconcile(reason="start")


def done(*findings: tuple[str, str], settled: bool = True) -> SymbolReconciled:
    return SymbolReconciled(symbol=SYMBOL, findings=findings, settled=settled)


@pytest.fixture
def reconciler(stage: Stage) -> Ref:
    return stage.play(ReconcilerActor, at="reconciler")


def ended(stage: Stage) -> list[ReconcileEnded]:
    return stage.told("account", ReconcileEnded)


async def test_a_comparison_asks_spreads_collects_and_ends(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    assert stage.open("snapshot") == [{SYMBOL: START_NS // 1_000_000}], "trades since the journal began"
    await stage.answer("snapshot", snapshot("0.05"))
    [arrived] = stage.told("order", SnapshotArrived)
    assert arrived.snapshot.positions[0].quantity > 0
    assert ended(stage) == []
    await stage.tell(reconciler, done(("orphan_position", "ours 0"), ("missing_stop", "none")))
    [end] = ended(stage)
    assert (end.settled, end.reason) == (True, "start")
    [record] = stage.records(Reconciled)
    assert record.counts == {"orphan_position": 1, "missing_stop": 1}
    assert record.details == (f"{SYMBOL} orphan_position: ours 0", f"{SYMBOL} missing_stop: none")


async def test_requests_during_a_comparison_are_answered_by_one_more(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START, RequestReconcile(reason="one"), RequestReconcile(reason="two"))
    assert stage.count("snapshot") == 1
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    await stage.after(SECOND)
    assert stage.count("snapshot") == 2
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    await stage.after(SECOND)
    assert [end.reason for end in ended(stage)] == ["start", "one; two"]
    assert stage.count("snapshot") == 2


async def test_the_end_tells_when_the_comparison_had_begun(stage: Stage, reconciler: Ref) -> None:
    began_ns = stage.clock.monotonic_ns()
    await stage.tell(reconciler, START)
    await stage.after(3 * SECOND)
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    assert ended(stage)[0].started_ns == began_ns


async def test_what_has_not_settled_is_looked_at_again_and_counted_once(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    for _ in range(3):
        await stage.answer("snapshot", snapshot())
        await stage.tell(reconciler, done(("order_gone", "capi_sl_d1"), settled=False))
        assert ended(stage) == []
        await stage.after(SECOND)
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done(("order_gone", "capi_sl_d1")))
    assert ended(stage)[0].settled
    (record,) = stage.records(Reconciled)
    assert (record.counts, record.rounds, record.settled) == ({"order_gone": 1}, 4, True)


async def test_without_agreement_after_ten_rounds_a_person_is_called(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    for _ in range(10):
        await stage.answer("snapshot", snapshot())
        await stage.tell(reconciler, done(settled=False))
        await stage.after(SECOND)
    assert ended(stage)[0].settled is False
    (record,) = stage.records(Reconciled)
    assert (record.rounds, record.settled) == (10, False)
    [safe] = stage.told("account", EnterSafeMode)
    assert f"no agreement with the venue about {SYMBOL} after 10 rounds" in safe.reason
    assert [alert.code for alert in stage.alerts()] == ["RECONCILE_UNSETTLED"]


async def test_a_symbol_that_does_not_report_holds_nothing_up_for_ever(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    for _ in range(10):
        await stage.answer("snapshot", snapshot())
        await stage.after(5 * SECOND)
        await stage.after(SECOND)
    assert ended(stage)[0].settled is False
    await stage.tell(reconciler, done())
    assert len(ended(stage)) == 1, "a late report changes nothing"


@pytest.mark.parametrize("error", [RetryLater("503"), RuntimeError("a bug in the adapter")])
async def test_a_venue_that_does_not_answer_is_asked_again_ever_more_slowly(
    stage: Stage, reconciler: Ref, error: Exception
) -> None:
    await stage.tell(reconciler, START)
    pauses: list[int] = []
    for number in range(1, 11):
        asked_ns = stage.clock.monotonic_ns()
        await stage.answer("snapshot", error)
        while stage.count("snapshot") == number:
            await stage.after(SECOND // 20)
        pauses.append(stage.clock.monotonic_ns() - asked_ns)
    assert pauses == sorted(pauses)
    assert pauses[0] == SECOND // 4
    assert pauses[-1] == 5 * SECOND
    assert [alert.code for alert in stage.alerts()] == ["RECONCILE_FAILING"]
    assert stage.told("account", EnterSafeMode) == []
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    assert [end.reason for end in ended(stage)] == ["start"]


async def test_a_venue_that_refuses_the_account_means_safe_mode(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    await stage.answer("snapshot", VenueFatal("-2015 Invalid API-key"))
    [safe] = stage.told("account", EnterSafeMode)
    assert "-2015" in safe.reason


async def test_it_compares_by_itself_every_so_often(stage: Stage, reconciler: Ref) -> None:
    await stage.settle()
    await stage.after(300 * SECOND)
    assert stage.count("snapshot") == 1
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    assert ended(stage)[0].reason == "periodic"


async def test_trades_from_before_the_journal_are_never_asked_for(stage: Stage, reconciler: Ref) -> None:
    created_ms = stage.journal.created_ms
    for last_ms, since_ms in ((created_ms + 1_000, created_ms), (created_ms + 90_000, created_ms + 30_000)):
        stage.context.last_trade_ms[SYMBOL] = last_ms
        await stage.tell(reconciler, START)
        assert stage.open("snapshot") == [{SYMBOL: since_ms}]
        await stage.answer("snapshot", snapshot())
        await stage.tell(reconciler, done())


async def test_marks_and_wallet_come_with_a_snapshot(stage: Stage, reconciler: Ref) -> None:
    held = VenuePosition(symbol=SYMBOL, quantity=Decimal(1), entry_price=Decimal(90_000), mark_price=Decimal(90_500))
    await stage.tell(reconciler, START)
    await stage.answer("snapshot", msgspec.structs.replace(snapshot(), positions=(held,)))
    for name in ("position", "risk"):
        assert [mark.price for mark in stage.told(name, MarkUpdate)] == [90_500]
    assert [told.wallet for told in stage.told("risk", WalletKnown)] == [10_000]


async def test_a_reconciler_that_fails_begins_anew(stage: Stage, reconciler: Ref) -> None:
    await stage.tell(reconciler, START)
    await stage.answer("snapshot", None)
    assert stage.count("snapshot") == 2
    await stage.answer("snapshot", snapshot())
    await stage.tell(reconciler, done())
    assert "restarted" in ended(stage)[0].reason

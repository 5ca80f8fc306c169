"""C3: in whatever order and however often the reports of one order come, its state stays legal and its fills right."""

from decimal import Decimal
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from rule_makers import BTC, SYMBOL, dec, entry_intent, execution

from execactor.domain.fill import Execution
from execactor.domain.order import TERMINAL, Order, OrderEvent, OrderState, transition
from execactor.domain.order_table import OrderTable
from execactor.domain.reports import ExecutionReport, OrderReport
from execactor.domain.side import Side

ENTRY = "capi_entry_d1"
Report = OrderReport | ExecutionReport


def status(event: OrderEvent, filled: Decimal, quantity: Decimal) -> OrderReport:
    return OrderReport(
        symbol=SYMBOL,
        client_id=ENTRY,
        venue_id="1001",
        event=event,
        side=Side.BUY,
        order_type="LIMIT",
        quantity=quantity,
        filled=filled,
    )


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[int], bool, list[Report]]:
    """Trades of one order in lots, whether it is filled whole, and its reports in any order, some repeated."""
    sizes = draw(st.lists(st.integers(1, 50), max_size=6))
    whole = draw(st.booleans()) and bool(sizes)
    rest = 0 if whole else draw(st.integers(1, 50))
    quantity = (sum(sizes) + rest) * BTC.step_size
    reports: list[Report] = [status(OrderEvent.ACKNOWLEDGED, Decimal(0), quantity)]
    for number, filled in enumerate(accumulate(sizes), start=1):
        trade = execution(number, quantity=sizes[number - 1] * BTC.step_size, client_id=ENTRY)
        final = whole and number == len(sizes)
        reports.append(ExecutionReport(execution=trade, filled=filled * BTC.step_size, final=final))
        if draw(st.booleans()):
            event = OrderEvent.FILLED if final else OrderEvent.PARTIALLY_FILLED
            reports.append(status(event, filled * BTC.step_size, quantity))
    if not whole:
        end = draw(st.sampled_from([OrderEvent.CANCELLED, OrderEvent.EXPIRED]))
        reports.append(status(end, sum(sizes) * BTC.step_size, quantity))
    repeated = reports + draw(st.lists(st.sampled_from(reports), max_size=8))
    return sizes, whole, draw(st.permutations(repeated))


def _sent(quantity: Decimal) -> OrderTable:
    table = OrderTable()
    table.add(entry_intent(quantity=quantity))
    table.apply(ENTRY, OrderEvent.APPROVED, now_ns=1)
    table.apply(ENTRY, OrderEvent.SENT, now_ns=1)
    return table


def _fold(table: OrderTable, report: Report, now_ns: int) -> Order:
    change = (
        table.execute(report, now_ns=now_ns)
        if isinstance(report, ExecutionReport)
        else table.report(report, now_ns=now_ns)
    )
    assert change is not None
    return change.order


def _reachable(state: OrderState) -> set[OrderState]:
    """States that one event, or the execution that comes with one, may lead to."""
    following = {to for event in OrderEvent if isinstance(to := transition(state, event), OrderState)}
    return following | {state}


@given(streams())
def test_C3_reports_in_any_order_and_repeated_end_in_a_legal_state_with_every_fill_once(  # noqa: N802
    stream: tuple[list[int], bool, list[Report]],
) -> None:
    sizes, whole, reports = stream
    quantity = next(report.quantity for report in reports if isinstance(report, OrderReport))
    table = _sent(quantity)
    order = table.orders[ENTRY]
    for now_ns, report in enumerate(reports, start=2):
        before = order
        order = _fold(table, report, now_ns)
        assert order.state in _reachable(before.state)
        assert order.filled <= order.venue_filled <= quantity
        if before.state in TERMINAL:
            assert order.state is before.state
    assert order.filled == sum(sizes) * BTC.step_size
    assert order.settled
    assert order.state is OrderState.FILLED if whole else order.state in TERMINAL
    assert order.filled <= quantity


@given(st.permutations(range(1, 6)), st.lists(st.integers(1, 5), max_size=10))
def test_C3_trades_of_an_order_are_summed_by_their_ids(arrival: list[int], again: list[int]) -> None:  # noqa: N802
    table = _sent(dec("0.05"))
    trades: dict[int, Execution] = {n: execution(n, quantity=dec("0.01"), client_id=ENTRY) for n in range(1, 6)}
    for now_ns, number in enumerate([*arrival, *again], start=2):
        trade = trades[number]
        table.execute(ExecutionReport(execution=trade, filled=number * trade.quantity), now_ns=now_ns)
    assert table.orders[ENTRY].filled == dec("0.05")
    assert table.orders[ENTRY].state is OrderState.FILLED

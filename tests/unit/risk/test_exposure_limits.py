"""The pre-trade check over positions and what is reserved for entries on their way, at the limits (requirement D5)."""

from decimal import Decimal
from typing import Any

import pytest
from rule_makers import SYMBOL, dec, entry_intent, execution, order, stop_intent, target_intent

from execactor.domain.account import EngineState
from execactor.domain.fill import Execution
from execactor.domain.messages.orders import RiskApproved
from execactor.domain.order import Order, OrderIntent, OrderState, OrderType
from execactor.domain.order_table import OrderTable
from execactor.domain.position import Position
from execactor.domain.reports import ExecutionReport
from execactor.domain.side import Side
from execactor.risk.exposure import ExposureBook, Refusal
from execactor.risk.limits import Limits

NOW_NS = 1_000_000_000


def book(**limits: Any) -> ExposureBook:
    return ExposureBook(Limits(**limits))


def asked(
    book: ExposureBook,
    notional: Any = None,
    *,
    client_id: str = "capi_entry_d1",
    state: EngineState = EngineState.RUNNING,
    **changes: Any,
) -> RiskApproved | Refusal:
    """The verdict on an entry, by default at a price of one so that its quantity is its notional."""
    if notional is not None:
        changes = {"quantity": notional, "price": dec(1)} | changes
    return book.check(entry_intent(client_id, **changes), state, 3, NOW_NS)


def code(verdict: RiskApproved | Refusal) -> str:
    return "approved" if isinstance(verdict, RiskApproved) else verdict.code


def held(book: ExposureBook, symbol: str, quantity: Any, entry: Any = 1, mark: Any = None) -> None:
    book.positions[symbol] = Position(symbol=symbol, quantity=dec(quantity), entry_price=dec(entry))
    if mark is not None:
        book.marks[symbol] = dec(mark)


@pytest.mark.parametrize(
    ("notional", "verdict"),
    [
        pytest.param("10000.00", "approved", id="10,000.00 passes"),
        pytest.param("10000.01", "notional_exceeded", id="10,000.01 does not"),
    ],
)
def test_D5_notional_of_an_order(notional: str, verdict: str) -> None:  # noqa: N802  # the requirement's name
    assert code(asked(book(), notional)) == verdict


@pytest.mark.parametrize(
    ("position", "reserved", "notional", "verdict"),
    [
        pytest.param("40000", [], "10000.00", "approved", id="a position and an order that reach the limit"),
        pytest.param("40000.01", [], "10000.00", "exposure_exceeded", id="a cent more"),
        pytest.param("-40000.01", [], "10000.00", "exposure_exceeded", id="a short counts like a long"),
        pytest.param("30000", ["10000"], "10000.00", "approved", id="an order on its way counts"),
        pytest.param("30000", ["10000", "0.01"], "10000.00", "exposure_exceeded", id="and a cent more of it"),
        pytest.param("0", ["10000"] * 4, "10000.00", "approved", id="orders alone may reach the limit"),
        pytest.param("0", ["10000"] * 4 + ["1"], "10000.00", "exposure_exceeded", id="and not go beyond"),
    ],
)
def test_D5_exposure_of_a_symbol_includes_open_orders(  # noqa: N802
    position: str, reserved: list[str], notional: str, verdict: str
) -> None:
    exposed = book()
    held(exposed, SYMBOL, position, mark=1)
    for number, each in enumerate(reserved):
        assert code(asked(exposed, each, client_id=f"capi_entry_r{number}")) == "approved"
    assert code(asked(exposed, notional)) == verdict


def test_exposure_of_other_symbols_does_not_count() -> None:
    exposed = book()
    held(exposed, "ETHUSDT", 50_000, mark=1)
    assert code(asked(exposed, 10_000)) == "approved"


def test_a_position_counts_at_the_mark_and_without_one_at_its_entry() -> None:
    exposed = book()
    held(exposed, SYMBOL, 2, entry=20_000)
    assert exposed.exposure(SYMBOL) == 40_000
    exposed.marks[SYMBOL] = dec(21_000)
    assert exposed.exposure(SYMBOL) == 42_000
    assert exposed.exposure("ETHUSDT") == 0


@pytest.mark.parametrize(
    ("positions", "entries", "symbol", "verdict"),
    [
        pytest.param(9, 0, "NEWUSDT", "approved", id="the tenth symbol"),
        pytest.param(10, 0, "NEWUSDT", "too_many_positions", id="the eleventh"),
        pytest.param(10, 0, "SYM3USDT", "approved", id="more of one that is held already"),
        pytest.param(5, 5, "NEWUSDT", "too_many_positions", id="open entries count as well"),
        pytest.param(5, 4, "NEWUSDT", "approved", id="five positions and four entries leave room for one"),
    ],
)
def test_number_of_positions(positions: int, entries: int, symbol: str, verdict: str) -> None:
    exposed = book()
    for number in range(positions):
        held(exposed, f"SYM{number}USDT", 1, mark=1)
    for number in range(positions, positions + entries):
        asked(exposed, 1, client_id=f"capi_entry_e{number}", symbol=f"SYM{number}USDT")
    assert code(asked(exposed, 1, symbol=symbol)) == verdict


def test_a_flat_position_takes_no_place() -> None:
    exposed = book(max_positions=1)
    held(exposed, "ETHUSDT", 0)
    assert code(asked(exposed, 1)) == "approved"


@pytest.mark.parametrize(
    ("conditional", "entries", "verdict"),
    [
        pytest.param(196, 0, "approved", id="room for the four conditional orders of one trade"),
        pytest.param(197, 0, "conditional_orders_exhausted", id="room for three"),
        pytest.param(192, 1, "approved", id="room for two trades"),
        pytest.param(193, 1, "conditional_orders_exhausted", id="an entry on its way will need its own"),
    ],
)
def test_the_account_keeps_room_for_the_protection_of_each_entry(conditional: int, entries: int, verdict: str) -> None:
    exposed = book()
    for number in range(conditional):
        exposed.on_order(order(intent=stop_intent(f"capi_sl_c{number}")), None)
    for number in range(entries):
        assert code(asked(exposed, 1, client_id=f"capi_entry_e{number}")) == "approved"
    assert code(asked(exposed, 1)) == verdict


def test_a_conditional_order_that_ended_makes_room() -> None:
    exposed = book(max_conditional_orders=4)
    exposed.on_order(order(intent=stop_intent()), None)
    assert code(asked(exposed, 1)) == "conditional_orders_exhausted"
    exposed.on_order(order(OrderState.CANCELLED, stop_intent()), None)
    assert code(asked(exposed, 1)) == "approved"


def market(side: Side, quantity: Any) -> dict[str, Any]:
    return {"type": OrderType.MARKET, "price": None, "side": side, "quantity": quantity}


@pytest.mark.parametrize("side", list(Side))
def test_D5_a_market_order_is_priced_from_the_mark_and_a_margin(side: Side) -> None:  # noqa: N802
    exposed = book()
    exposed.marks[SYMBOL] = dec(100_000)
    assert code(asked(exposed, **market(side, "0.0995"))) == "approved"  # 9,999.75 with half a per cent
    assert code(asked(exposed, client_id="capi_entry_d2", **market(side, "0.0996"))) == "notional_exceeded"


@pytest.mark.parametrize(("side", "worst"), [(Side.BUY, 100_500), (Side.SELL, 99_500)])
def test_the_approval_of_a_market_order_names_the_worst_price(side: Side, worst: int) -> None:
    exposed = book()
    exposed.marks[SYMBOL] = dec(100_000)
    verdict = asked(exposed, **market(side, "0.01"))
    assert isinstance(verdict, RiskApproved)
    assert verdict.worst_price == worst


def test_D5_a_limit_order_to_sell_below_the_market_is_priced_from_the_mark() -> None:  # noqa: N802
    exposed = book()
    exposed.marks[SYMBOL] = dec(100_000)
    cheap = asked(exposed, quantity="0.11", price=dec(90_000), side=Side.SELL)  # would sell for 11,000
    assert code(cheap) == "notional_exceeded"
    assert code(asked(exposed, quantity="0.11", price=dec(90_000), side=Side.BUY)) == "approved"


def test_D5_without_a_mark_a_market_order_is_refused() -> None:  # noqa: N802
    assert code(asked(book(), **market(Side.BUY, "0.01"))) == "no_price"


@pytest.mark.parametrize("state", [state for state in EngineState if state is not EngineState.RUNNING])
def test_D5_the_engines_state_beats_everything(state: EngineState) -> None:  # noqa: N802
    assert code(asked(book(), 1, state=state)) == "engine_state"
    assert code(asked(book(), **market(Side.BUY, 1), state=state)) == "engine_state"


def test_an_approval_says_what_was_approved() -> None:
    verdict = asked(book(), quantity="0.05", price=dec(90_800))
    assert verdict == RiskApproved(
        client_id="capi_entry_d1",
        side=Side.BUY,
        max_quantity=dec("0.05"),
        worst_price=dec(90_800),
        epoch=3,
        expires_ns=NOW_NS + 5_000_000_000,
    )


def test_an_entry_is_approved_once() -> None:
    exposed = book()
    assert code(asked(exposed, 1)) == "approved"
    assert code(asked(exposed, 1)) == "already_approved"


# Reservations.


def approved(quantity: Any = "0.05") -> tuple[ExposureBook, OrderIntent]:
    exposed = book()
    exposed.marks[SYMBOL] = dec(90_800)
    intent = entry_intent(quantity=quantity)
    assert isinstance(exposed.check(intent, EngineState.RUNNING, 0, NOW_NS), RiskApproved)
    return exposed, intent


def test_a_refused_entry_reserves_nothing() -> None:
    exposed = book()
    asked(exposed, 10_001)
    assert exposed.reservations == {}


@pytest.mark.parametrize("state", [state for state in OrderState if order(state).live])
def test_a_live_order_keeps_its_reservation(state: OrderState) -> None:
    exposed, intent = approved()
    exposed.on_order(order(state, intent), None)
    assert exposed.exposure(SYMBOL) == dec("4540")


@pytest.mark.parametrize("end", [OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED])
def test_an_order_that_ended_gives_its_reservation_back(end: OrderState) -> None:
    exposed, intent = approved()
    exposed.on_order(order(end, intent), None)
    assert exposed.reservations == {}


def test_a_fill_turns_reservation_into_position() -> None:
    exposed, intent = approved()
    table = OrderTable()
    table.add(intent)
    total = []
    for number, quantity in enumerate(["0.02", "0.03"]):
        fill = execution(number, quantity=quantity, client_id=intent.client_id)
        exposed.on_order(_booked(table, fill), fill)
        total.append((exposed.positions[SYMBOL].quantity, exposed.exposure(SYMBOL)))
    assert total == [(dec("0.02"), 4_540), (dec("0.05"), 4_540)]
    assert exposed.reservations == {}


def _booked(table: OrderTable, fill: Execution) -> Order:
    change = table.execute(ExecutionReport(execution=fill, filled=fill.quantity), now_ns=1)
    assert change is not None
    return change.order


def test_fills_that_were_reported_and_not_booked_keep_the_reservation() -> None:
    exposed, intent = approved()
    exposed.on_order(order(OrderState.CANCELLED, intent, venue_filled=dec("0.02")), None)
    assert exposed.exposure(SYMBOL) == dec("4540")


def test_an_entry_that_never_left_is_released() -> None:
    exposed, intent = approved()
    exposed.release(intent.client_id)
    exposed.release("capi_entry_unknown")
    assert exposed.exposure(SYMBOL) == 0


@pytest.mark.parametrize(
    ("given", "exposure"),
    [
        pytest.param(order(OrderState.UNKNOWN), 4_540, id="an entry in doubt"),
        pytest.param(order(OrderState.ACKNOWLEDGED), 4_540, id="an entry that rests"),
        pytest.param(order(OrderState.PARTIALLY_FILLED, filled=Decimal("0.02")), 2_724, id="the rest of an entry"),
        pytest.param(order(OrderState.CANCELLED), 0, id="an entry that ended"),
        pytest.param(order(intent=stop_intent()), 0, id="a stop"),
        pytest.param(order(intent=target_intent()), 0, id="a target"),
    ],
)
def test_reservations_are_rebuilt_from_the_journal(given: Order, exposure: int) -> None:
    exposed = book()
    exposed.restore(given)
    assert exposed.exposure(SYMBOL) == exposure


def test_a_rebuilt_market_entry_is_priced_from_the_mark_when_it_comes() -> None:
    exposed = book()
    exposed.restore(order(OrderState.UNKNOWN, entry_intent(type=OrderType.MARKET, price=None)))
    assert exposed.exposure(SYMBOL) == 0
    exposed.marks[SYMBOL] = dec(90_800)
    assert exposed.exposure(SYMBOL) == 4_540


def test_rebuilt_stops_count_against_the_accounts_limit() -> None:
    exposed = book(max_conditional_orders=4)
    exposed.restore(order(intent=stop_intent()))
    assert code(asked(exposed, 1)) == "conditional_orders_exhausted"


def test_unrealized_profit_is_that_of_the_positions_with_a_mark() -> None:
    exposed = book()
    held(exposed, "ETHUSDT", 2, entry=3_000, mark=3_100)
    held(exposed, "SOLUSDT", -10, entry=200, mark=190)
    held(exposed, "XRPUSDT", 5, entry=1)
    assert exposed.unrealized_pnl() == 300

"""What holds of the nouns for every input: ids, positions, orders, instruments, decisions."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_makers import BTC, SYMBOL, dec, entry_intent, execution, instrument

from execactor.domain.decision import Decision, DecisionProblem, parse_decision
from execactor.domain.fill import Execution
from execactor.domain.ids import ParsedId, client_order_id, decision_key, parse, valid_prefix
from execactor.domain.instrument import Instrument
from execactor.domain.order import TERMINAL, Facts, OrderEvent, Role
from execactor.domain.order_table import OrderTable
from execactor.domain.position import Position
from execactor.domain.reports import ExecutionReport
from execactor.domain.side import Side

ALLOWED = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")

prefixes = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
given_ids = st.none() | st.text(max_size=500) | st.from_regex(r"[.A-Z:/a-z0-9_-]{1,24}", fullmatch=True)
sides = st.sampled_from(Side)
lots = st.integers(1, 10_000).map(lambda count: Decimal(count) * BTC.step_size)
ticks = st.integers(1, 2_000_000).map(lambda count: Decimal(count) * BTC.tick_size)
commissions = st.integers(-1_000, 10_000).map(lambda count: Decimal(count).scaleb(-8))


@given(prefix=prefixes, given_id=given_ids, role=st.sampled_from(Role), attempt=st.integers(1, 99_999))
@settings(max_examples=300)
def test_an_id_is_derivable_short_and_tells_its_parts(
    prefix: str, given_id: str | None, role: Role, attempt: int
) -> None:
    key = decision_key(given_id, SYMBOL, "2026-11-20T10:05:00Z")
    assert key == decision_key(given_id, SYMBOL, "2026-11-20T10:05:00Z")
    assert valid_prefix(prefix)
    made = client_order_id(prefix, role, key, attempt)
    assert ALLOWED.fullmatch(made)
    assert parse(prefix, made) == ParsedId(role, key, attempt)


orders = st.tuples(given_ids, st.sampled_from(Role), st.integers(1, 99_999))


@given(first=orders, second=orders)
@settings(max_examples=300)
def test_two_orders_never_share_an_id(
    first: tuple[str | None, Role, int], second: tuple[str | None, Role, int]
) -> None:
    keys = [decision_key(given_id, SYMBOL, "t") for given_id, _, _ in (first, second)]
    same_order = (keys[0], *first[1:]) == (keys[1], *second[1:])
    made = [client_order_id("capi", role, key, n) for key, (_, role, n) in zip(keys, (first, second), strict=True)]
    assert (made[0] == made[1]) is same_order


@given(text=st.text(max_size=40))
def test_any_text_parses_to_ours_or_to_nothing(text: str) -> None:
    parsed = parse("capi", text)
    if parsed is not None:
        assert text.startswith(f"capi_{parsed.role}_{parsed.key}")
        assert parsed.attempt >= 0


@st.composite
def executions(draw: st.DrawFn, prices: st.SearchStrategy[Decimal] = ticks) -> Execution:
    return execution(draw(st.integers(1, 10**9)), draw(sides), draw(lots), draw(prices), commission=draw(commissions))


def _booked(each: list[Execution]) -> Position:
    position = Position(symbol=SYMBOL)
    for one in each:
        position = position.after(one)
    return position


def _cash(each: list[Execution]) -> Fraction:
    """What the executions moved, quote units: sales bring, purchases and commissions take."""
    return sum(
        (-Fraction(one.signed_quantity) * Fraction(one.price) - Fraction(one.commission) for one in each), Fraction(0)
    )


@given(st.lists(executions(), max_size=30), ticks)
def test_C4_realized_plus_unrealized_less_fees_is_the_cash_change_plus_what_is_held(  # noqa: N802
    each: list[Execution], mark: Decimal
) -> None:
    position = _booked(each)
    result = position.realized_pnl + position.unrealized_pnl(mark) - position.commission
    worth = _cash(each) + Fraction(position.quantity) * Fraction(mark)
    assert abs(Fraction(result) - worth) < Fraction(1, 10**12)  # a mean entry price may not end within 28 digits
    assert position.quantity == sum((one.signed_quantity for one in each), Decimal(0))
    assert position.commission == sum((one.commission for one in each), Decimal(0))


@given(st.lists(executions(st.sampled_from([Decimal("90800.1"), Decimal("90900.3")])), max_size=30))
def test_C4_without_a_mean_price_to_round_the_result_is_exact(each: list[Execution]) -> None:  # noqa: N802
    alternating: list[Execution] = []
    for one in each:  # never add to an open position at another price
        held = _booked(alternating)
        adds = held.quantity * one.signed_quantity > 0
        alternating.append(msgspec.structs.replace(one, price=held.entry_price) if adds else one)
    position = _booked(alternating)
    result = position.realized_pnl + position.unrealized_pnl(Decimal(90000)) - position.commission
    assert Fraction(result) == _cash(alternating) + Fraction(position.quantity) * 90000


@given(st.lists(executions(), max_size=30))
def test_an_entry_price_lies_within_the_prices_paid_and_a_flat_position_has_none(each: list[Execution]) -> None:
    position = _booked(each)
    if position.flat:
        assert position.entry_price == 0
    else:
        prices = [one.price for one in each]
        assert min(prices) <= position.entry_price <= max(prices)


order_events = st.tuples(
    st.sampled_from(OrderEvent), st.none() | lots, st.none() | st.sampled_from(["1001", "1002"]), st.booleans()
)
order_trades = st.tuples(st.integers(1, 5), lots, st.booleans())


@given(st.lists(order_events | order_trades, max_size=25))
def test_an_order_books_every_trade_once_and_never_leaves_its_end(
    history: list[tuple[Any, ...]],
) -> None:
    table = OrderTable()
    table.add(entry_intent(quantity=25))
    sizes: dict[int, Decimal] = {}
    ended = None
    for now_ns, entry in enumerate(history, start=1):
        if isinstance(entry[0], OrderEvent):
            event, filled, venue_id, verified = entry
            facts = Facts(venue_id=venue_id, venue_filled=filled, verified=verified)
            order = table.apply("capi_entry_d1", event, now_ns=now_ns, facts=facts).order
        else:
            trade_id, quantity, final = entry
            quantity = sizes.setdefault(trade_id, quantity)
            one = execution(trade_id, quantity=quantity, client_id="capi_entry_d1")
            change = table.execute(ExecutionReport(execution=one, filled=quantity, final=final), now_ns=now_ns)
            assert change is not None
            order = change.order
        assert order.filled == sum(sizes.values(), Decimal(0))
        assert order.venue_filled >= order.filled
        assert order.quote_filled == sum((size * 90_800 for size in sizes.values()), Decimal(0))
        if ended is not None:
            assert order.state is ended
        ended = order.state if order.state in TERMINAL else None


grids = st.sampled_from(["0.001", "0.01", "0.1", "0.25", "1", "5", "100"])


@given(price=st.decimals("0.0001", 10**7, places=6), tick=grids, side=sides)
def test_rounding_a_price_never_adds_risk_and_moves_less_than_a_tick(price: Decimal, tick: str, side: Side) -> None:
    rules = instrument(tick_size=tick)
    away = side.sign  # towards higher prices a buyer pays more, and the stop of a short lies further away
    passive, stop, target = (
        rules.price_passive(price, side),
        rules.stop_price(price, side),
        rules.target_price(price, side),
    )
    assert (price - passive) * away >= 0
    assert (price - stop) * away >= 0
    assert (target - price) * away >= 0
    for rounded in (passive, stop, target):
        assert rounded % dec(tick) == 0
        assert abs(rounded - price) < dec(tick)


@given(quantity=st.decimals(0, 10**6, places=7), step=grids)
def test_rounding_a_size_never_makes_it_larger(quantity: Decimal, step: str) -> None:
    rounded = instrument(step_size=step).quantity_down(quantity)
    assert 0 <= quantity - rounded < dec(step)
    assert rounded % dec(step) == 0


@given(count=st.integers(0, 5_000), largest=st.integers(1, 1_000))
def test_chunks_add_up_and_each_is_small_enough(count: int, largest: int) -> None:
    rules: Instrument = instrument(market_max_quantity=largest * BTC.step_size)
    quantity = count * BTC.step_size
    chunks = rules.market_chunks(quantity)
    assert sum(chunks, Decimal(0)) == quantity
    assert all(0 < chunk <= rules.market_max_quantity for chunk in chunks)
    assert chunks == sorted(chunks, reverse=True)


wild_numbers = (
    st.decimals(allow_nan=True, allow_infinity=True)
    | st.sampled_from([Decimal("9e999999"), Decimal("1e-999999"), Decimal("-0"), Decimal("sNaN")])
    | st.integers(-(10**6), 10**6).map(Decimal)
)
wild_fields = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=60),
        "symbol": st.text(max_size=5),
        "timestamp_iso": st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
        "action": st.sampled_from(["long", "short", "flat", "buy"]),
        "entry_zone": st.lists(wild_numbers.map(str), min_size=1, max_size=3),
        "sl": wild_numbers.map(str),
        "tp1": wild_numbers.map(str),
        "tp2": wild_numbers.map(str),
        "position_size_usdt": wild_numbers.map(str),
        "leverage": wild_numbers.map(str),
        "confidence": wild_numbers.map(str),
        "risk_checks": st.dictionaries(st.text(max_size=3), st.booleans() | st.none(), max_size=2),
    },
)
PLAIN = {
    "symbol": SYMBOL,
    "timestamp_iso": "2026-11-20T10:05:00Z",
    "action": "long",
    "entry_zone": [90700, 90900],
    "sl": 89800,
    "tp1": 92200,
    "position_size_usdt": 1000,
    "leverage": 3,
}


@given(content=st.binary(max_size=200) | wild_fields.map(lambda wild: json.dumps(PLAIN | wild).encode()))
@settings(max_examples=400)
def test_whatever_comes_as_a_decision_is_followed_or_refused_with_a_reason(content: bytes) -> None:
    decision = parse_decision(content, 1_795_169_100_000)
    if isinstance(decision, DecisionProblem):
        assert decision.reason
        return
    assert isinstance(decision, Decision)
    if decision.action != "flat":
        sign = 1 if decision.action == "long" else -1
        assert 0 < decision.entry_zone[0] <= decision.entry_price <= decision.entry_zone[1]
        assert (decision.entry_price - decision.sl) * sign > 0
        assert (decision.tp1 - decision.entry_price) * sign > 0
        assert decision.position_size_usdt > 0

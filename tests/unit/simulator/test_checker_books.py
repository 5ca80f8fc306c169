"""What the checker recomputes from fills: positions, money, trades; and what it says when venue or engine disagree."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

Build = Callable[[LogBuilder], None]


def bracket(log: LogBuilder, tp1: bool = False) -> int:
    """A long of 2 from 100 with its stop; with tp1, half of it sold at 110. Returns the stop's id."""
    log.trade("capi_entry_d1", "BUY", "2", "100")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    if tp1:
        log.trigger_and_fill(
            log.stop("capi_tp1_d1", "SELL", "110", "1", type="TAKE_PROFIT_MARKET"),
            "110",
        )
    return stop


def tp2(log: LogBuilder) -> None:
    bracket(log, tp1=True)
    log.trade("capi_tp2_d1", "SELL", "1", "120", reduce_only=True)


def tp1_then_stop(log: LogBuilder) -> None:
    bracket(log, tp1=True)
    log.trigger_and_fill(log.stop("capi_slt_d1", "SELL", "100", "1"), "99.9")


def stopped(log: LogBuilder) -> None:
    log.trigger_and_fill(bracket(log), "94.5")


def left(log: LogBuilder) -> None:
    bracket(log)
    log.trade("capi_exit_d1", "SELL", "2", "101", reduce_only=True)


def sold_at_tp1(log: LogBuilder) -> None:
    bracket(log)
    log.trade("capi_tp1_d1", "SELL", "2", "110", reduce_only=True)


def sold_by_hand(log: LogBuilder) -> None:
    bracket(log)
    log.trade("web_1", "SELL", "2", "101")


@pytest.mark.parametrize(
    ("build", "outcome", "exit_price", "pnl", "fees", "fills"),
    [
        pytest.param(tp2, "tp2", "115", "29.828", "0.172", 3, id="both targets"),
        pytest.param(tp1_then_stop, "tp1_then_stop", "104.95", "9.73604", "0.16396", 3, id="tp1, then a stop"),
        pytest.param(stopped, "stopped", "94.5", "-11.1556", "0.1556", 2, id="a stop alone"),
        pytest.param(left, "exit", "101", "1.8392", "0.1608", 2, id="an exit"),
        pytest.param(sold_at_tp1, "tp1", "110", "19.832", "0.168", 2, id="all of it at tp1"),
        pytest.param(sold_by_hand, "foreign", "101", "1.8392", "0.1608", 2, id="another hand"),
    ],
)
def test_a_trade_is_named_by_what_closed_it(
    build: Build, outcome: str, exit_price: str, pnl: str, fees: str, fills: int
) -> None:
    log = LogBuilder()
    build(log)

    (trade,) = check(log.lines).trades

    assert (trade.symbol, trade.key, trade.side, trade.quantity, trade.entry_price) == (
        "BTCUSDT",
        "d1",
        "long",
        "2",
        "100",
    )
    assert (trade.outcome, trade.exit_price, trade.pnl, trade.fees, trade.fills) == (
        outcome,
        exit_price,
        pnl,
        fees,
        fills,
    )


def test_a_trade_lasts_from_its_first_fill_to_flat() -> None:
    log = LogBuilder()
    opened = log.now_ns
    bracket(log)
    log.wait(3000)
    log.trade("capi_exit_d1", "SELL", "1.5", "101", reduce_only=True)
    log.wait(3000)

    assert check(log.lines).trades == ()

    log.trade("capi_exit_d1_a2", "SELL", "0.5", "101", reduce_only=True)
    (trade,) = check(log.lines).trades
    assert (trade.opened_ns, trade.closed_ns) == (opened, opened + 6_000_000_000)


def test_a_fill_that_turns_the_position_belongs_to_two_trades() -> None:
    log = LogBuilder()
    log.trade("capi_entry_d1", "BUY", "1", "100")
    log.trade("capi_entry_d2", "SELL", "3", "110")
    log.trade("capi_exit_d2", "BUY", "2", "105")

    first, second = check(log.lines).trades

    assert (first.key, first.side, first.quantity, first.pnl) == ("d1", "long", "1", "9.916")
    assert (second.key, second.side, second.quantity, second.pnl) == ("d2", "short", "2", "9.828")
    assert Decimal(first.fees) + Decimal(second.fees) == Decimal("0.04") + Decimal("0.132") + Decimal("0.084")


def test_a_trade_that_began_before_the_log() -> None:
    log = LogBuilder()
    log.start_with("2", "90")
    log.trade("capi_exit_d0", "SELL", "2", "100", reduce_only=True)

    report = check(log.lines)

    (trade,) = report.trades
    assert (trade.key, trade.opened_ns, trade.quantity, trade.entry_price, trade.pnl) == (
        None,
        None,
        "2",
        "90",
        "19.92",
    )
    assert report.venue_errors == ()


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("quantity", ["1", "2", "5"])
def test_the_position_before_the_log_follows_from_the_first_fill(side: str, quantity: str) -> None:
    log = LogBuilder()
    log.start_with("2", "90")
    log.trade("web_1", side, quantity, "100")
    log.trade("web_2", "SELL", "3", "101")
    log.record("end")

    assert check(log.lines).venue_errors == ()


def test_the_position_before_the_log_may_be_stated() -> None:
    log = LogBuilder()
    log.record("position", symbol="BTCUSDT", quantity="2", entry_price="90")
    log.start_with("2", "90")
    log.trade("capi_exit_d0", "SELL", "2", "100", reduce_only=True)

    report = check(log.lines)

    assert report.venue_errors == ()
    assert report.realized_pnl == "20"


def test_totals_are_recomputed() -> None:
    log = LogBuilder(wallet="1000")
    bracket(log)

    report = check(log.lines, fee_rates=(Decimal("0.0002"), Decimal("0.0004")))

    assert report.ok

    assert (report.positions, report.realized_pnl, report.fees, report.wallet) == (
        {"BTCUSDT": "2"},
        "0",
        "0.08",
        "999.92",
    )
    assert report.counts == {"lines": 6, "requests": 0, "fills": 1, "kills": 0, "faults": 0, "records": 0}


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        pytest.param({"position": "1.5"}, "position 1.5 at 100 logged, 1 at 100 recomputed", id="a wrong position"),
        pytest.param(
            {"entry_price": "100.001"}, "position 1 at 100.001 logged, 1 at 100 recomputed", id="a wrong entry"
        ),
        pytest.param({"realized_pnl": "10.01"}, "realised profit 10.01 logged, 10 recomputed", id="a wrong profit"),
        pytest.param({"wallet": "1010"}, "wallet 1010 logged, 1009.876 recomputed", id="a wrong wallet"),
        pytest.param({"commission": "0.045"}, "commission 0.045 logged, 0.044 recomputed", id="a wrong fee"),
        pytest.param({"side": "SIDEWAYS"}, "side is 'SIDEWAYS', not BUY or SELL", id="an impossible side"),
        pytest.param({"quantity": "NaN"}, "quantity is 'NaN', not a decimal string", id="a quantity that is no number"),
        pytest.param({"quantity": "0"}, "quantity is 0, not above zero", id="an empty fill"),
        pytest.param({"price": 110.0}, "price is 110.0, not a decimal string", id="a binary float"),
    ],
)
def test_a_venue_that_contradicts_itself_is_found_out(lie: dict[str, object], says: str) -> None:
    log = LogBuilder()
    log.trade("capi_entry_d1", "BUY", "2", "100")
    log.stop("capi_sl_d1", "SELL", "95")
    line = log.fill(log.place("capi_tp1_d1", "SELL", "1", reduce_only=True), "110", **lie)

    report = check(log.lines, fee_rates=(Decimal("0.0002"), Decimal("0.0004")))

    assert any(says in error and f"line {line}:" in error for error in report.venue_errors), report.venue_errors
    assert not report.ok


def test_the_wallet_the_log_starts_with_is_where_the_money_comes_from() -> None:
    log = LogBuilder(wallet="1000")
    log.lines[0]["wallet"] = "1000.5"
    bracket(log)

    assert check(log.lines).venue_errors == ("line 4: wallet 999.92 logged, 1000.42 recomputed from fills",)


def test_one_contradiction_is_reported_once() -> None:
    log = LogBuilder()
    log.trade("capi_entry_d1", "BUY", "2", "100")
    log.stop("capi_sl_d1", "SELL", "95")
    log.lines.pop(2)
    for line in log.lines[1:]:
        line["n"] -= 1 if line["n"] > 2 else 0
    log.record("position", symbol="BTCUSDT", quantity="3", entry_price="100")
    log.record("position", symbol="BTCUSDT", quantity="3", entry_price="100")

    errors = [error for error in check(log.lines).venue_errors if "recomputed" in error]

    assert len(errors) == 1


@pytest.mark.parametrize(
    ("build", "says"),
    [
        pytest.param(
            lambda log: log.end(log.trade("x", "BUY", "1", "100"), "NEW"), "from FILLED to NEW", id="a revived order"
        ),
        pytest.param(
            lambda log: (algo := log.stop("x", "SELL", "95"), log.algo(algo, "CANCELED"), log.algo(algo, "NEW")),
            "from CANCELED to NEW",
            id="a revived stop",
        ),
        pytest.param(
            lambda log: log.lines[-3].update(filled="0.5") if log.trade("x", "BUY", "1", "100") else None,
            "says 0.5 filled, its fills sum to 1",
            id="an order that hides a fill",
        ),
        pytest.param(
            lambda log: log.fill(log.trade("x", "BUY", "1", "100"), "100", "1"),
            "of 1 says 2 filled",
            id="an order filled beyond its quantity",
        ),
        pytest.param(
            lambda log: log.lines[-2].update(order_id=99) if log.trade("x", "BUY", "1", "100") else None,
            "order 99 filled but was never logged",
            id="a fill without an order",
        ),
        pytest.param(
            lambda log: log.fill(log.place("x", "BUY", "1"), "100", trade_id=log.lines[3]["trade_id"]),
            "is logged twice",
            id="a trade id used twice",
        ),
    ],
)
def test_an_order_has_one_story(build: Build, says: str) -> None:
    log = LogBuilder()
    log.trade("web_0", "BUY", "1", "100")
    build(log)
    log.record("end")

    assert any(says in error for error in check(log.lines).venue_errors)


def test_fills_and_orders_are_compared_only_in_a_log_that_was_closed() -> None:
    log = LogBuilder()
    log.trade("web_0", "BUY", "1", "100")
    torn_between_order_and_fill = log.lines[:3]

    report = check(torn_between_order_and_fill)

    assert report.venue_errors == ()
    assert any("no end record" in notice for notice in report.notices)


@pytest.mark.parametrize(
    ("mangle", "says"),
    [
        pytest.param(lambda lines: [], "holds no records", id="an empty log"),
        pytest.param(
            lambda lines: [*lines[:1], "{oops", *lines[1:]], "line 2: not a JSON object", id="a broken line inside"
        ),
        pytest.param(lambda lines: [*lines[:2], *lines[3:]], "records 3 to 3 are missing", id="a missing record"),
        pytest.param(lambda lines: [*lines[:2], lines[1], *lines[2:]], "n 2 is used twice", id="a repeated record"),
        pytest.param(lambda lines: [*lines, '{"kind": "end"}'], "n is None, not an integer", id="a line without n"),
        pytest.param(
            lambda lines: [*lines, '{"n": 6, "kind": "end"}'], "needs a kind and a time", id="a line without t"
        ),
    ],
)
def test_a_log_that_is_not_whole_is_found_out(mangle: Callable[[list[str]], list[str]], says: str) -> None:
    log = LogBuilder()
    log.trade("web_0", "BUY", "1", "100")

    report = check(mangle(log.text()))

    assert any(says in error for error in report.venue_errors), report.venue_errors
    assert not report.ok


def test_a_truncated_last_line_is_only_noticed() -> None:
    log = LogBuilder()
    log.place("web_0", "BUY", "1")
    text = log.text()

    report = check([text[0], text[1][: len(text[1]) // 2]])

    assert report.ok
    assert any("line 2" in notice and "truncated" in notice for notice in report.notices)


def test_unknown_kinds_are_ignored_and_order_is_by_n() -> None:
    log = LogBuilder()
    bracket(log)
    log.record("aurora", colour="green")
    log.record("connection", what="open", stream="user", reason="")
    expected = check(log.lines)

    shuffled = check([*log.text()[3:], *log.text()[:3]])

    assert expected.venue_errors == shuffled.venue_errors == ()
    assert (expected.positions, expected.wallet) == (shuffled.positions, shuffled.wallet)


def test_the_report_is_json() -> None:
    log = LogBuilder()
    tp2(log)
    log.place("capi_entry_d1", "SELL", "1")

    plain = json.loads(check(log.lines).to_json())

    assert plain["ok"] is False
    assert plain["duplicates"] == 1
    assert plain["trades"][0]["pnl"] == "29.828"
    assert plain["unprotected"][0]["symbol"] == "BTCUSDT"

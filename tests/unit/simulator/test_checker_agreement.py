"""At the end the venue, our orders and the engine's report must tell the same story."""

import pytest
from checker_cases import leave, long_position
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check


@pytest.mark.parametrize(
    ("part", "says"),
    [
        pytest.param({"positions": {"BTCUSDT": "1"}}, None, id="the same position"),
        pytest.param({"positions": {}}, "the venue holds 1, the engine 0", id="an unknown position"),
        pytest.param(
            {"positions": {"BTCUSDT": "1", "ETHUSDT": "2"}}, "ETHUSDT: the venue holds 0, the engine 2", id="a ghost"
        ),
        pytest.param({"trade_ids": [3, 6]}, None, id="the same fills"),
        pytest.param({"trade_ids": {"BTCUSDT": [3, 6]}}, None, id="the same fills by symbol"),
        pytest.param({"trade_ids": [3]}, "trade 6 is unknown to the engine", id="a lost fill"),
        pytest.param({"trade_ids": {"BTCUSDT": [3]}}, "trade 6 of BTCUSDT is unknown", id="a lost fill by symbol"),
        pytest.param({"trade_ids": [3, 6, 6]}, "trade 6 is known to the engine 2 times", id="a fill booked twice"),
        pytest.param(
            {"trade_ids": [3, 6, 9]}, "trade 9 is known to the engine, but the venue never", id="an invented fill"
        ),
        pytest.param({"open_orders": ["capi_sl_d1"]}, None, id="the same open orders"),
        pytest.param(
            {"open_orders": []}, "capi_sl_d1 is open at the venue but not at the engine", id="an unknown order"
        ),
        pytest.param(
            {"open_orders": ["capi_sl_d1", "capi_tp1_d1"]},
            "capi_tp1_d1 is open at the engine",
            id="an order that is gone",
        ),
        pytest.param({"trades": []}, None, id="the same trades"),
        pytest.param(
            {"trades": [{"symbol": "BTCUSDT", "pnl": "1"}]}, "0 trades closed at the venue, 1", id="a false trade"
        ),
    ],
)
def test_the_engines_report_must_agree(part: dict[str, object], says: str | None) -> None:
    log = LogBuilder()
    log.trade("capi_entry_d1", "BUY", "2", "100")
    stop = log.stop("capi_sl_d1", "SELL", "95")
    log.fill(log.place("capi_tp1_d1", "SELL", "1", reduce_only=True), "110")
    ids = {line["trade_id"] for line in log.lines if line["kind"] == "fill"}
    assert ids == {3, 6}
    assert stop == 4

    report = check(log.lines, engine_report=part)

    assert [says in mismatch for mismatch in report.mismatches] == ([] if says is None else [True])
    assert report.ok == (says is None)


@pytest.mark.parametrize(
    ("pnl", "agrees"),
    [("1.8392", True), ("1.8392000000001", True), ("1.8393", False), ("-1.8392", False)],
)
def test_a_trades_profit_must_agree(pnl: str, agrees: bool) -> None:
    log = LogBuilder()
    leave(log, long_position(log, quantity="2"), quantity="2")

    report = check(log.lines, engine_report={"trades": [{"symbol": "BTCUSDT", "pnl": pnl}]})

    assert (report.mismatches == ()) == agrees


def test_fills_of_another_hand_need_not_be_known_but_may() -> None:
    log = LogBuilder()
    log.trade("web_0", "BUY", "1", "100")
    log.trade("web_1", "SELL", "1", "101")

    for known in ([], [3], [3, 5]):
        assert check(log.lines, engine_report={"trade_ids": known, "trades": []}).mismatches == ()


def test_orders_that_outlive_their_position() -> None:
    log = LogBuilder()
    long_position(log, quantity="2")
    log.place("capi_entry_d2", "BUY", "1", symbol="ETHUSDT")
    assert check(log.lines, engine_report={"open_orders": ["capi_sl_d1", "capi_entry_d2"]}).mismatches == ()

    log.trade("capi_exit_d1", "SELL", "2", "101", reduce_only=True)
    log.stop("web_1", "SELL", "95")
    report = check(log.lines, engine_report={"open_orders": ["capi_sl_d1", "capi_entry_d2"]})

    assert report.mismatches == ("capi_sl_d1 is open at the end with no BTCUSDT position",)
    assert "capi_entry_d2 is open at the end with no ETHUSDT position" in check(log.lines).mismatches


def test_a_malformed_engine_report_is_the_callers_error() -> None:
    log = LogBuilder()
    long_position(log, quantity="2")

    with pytest.raises(ValueError, match=r"positions\.BTCUSDT is 2\.0, not a decimal string"):
        check(log.lines, engine_report={"positions": {"BTCUSDT": 2.0}})


@pytest.mark.parametrize(("status", "left"), [("NEW", True), ("TRIGGERED", True), ("TRIGGERING", False)])
def test_an_order_that_hangs_at_the_venue_is_no_leftover_of_ours(status: str, left: bool) -> None:
    log = LogBuilder()
    log.algo(log.stop("capi_tp1_d1", "SELL", "110", type="TAKE_PROFIT_MARKET"), status)

    assert bool(check(log.lines).mismatches) is left

"""Private frames of the spot market, one by one: what each means, and that none is ever skipped in silence."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import document

from execactor.domain.order import OrderEvent
from execactor.domain.reports import (
    AccountReport,
    BalanceReport,
    ExecutionReport,
    OrderReport,
    Transfer,
    UnreadableFrame,
)
from execactor.domain.side import Side
from execactor.venues.binance_frames import StreamEnded
from execactor.venues.binance_spot import SpotDecoder

FIXTURES = "user_data/nautilus_binance_fixtures.json"
PREFIX = "binance/test_data/spot/user_data_json/"


def execution_report(**changes: Any) -> dict[str, Any]:
    """As documented (fact sheet section 7), without the fields that nobody uses."""
    return {
        "e": "executionReport",
        "E": 1499405658658,
        "s": "ETHBTC",
        "c": "capi_entry_k1",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "1.00000000",
        "p": "0.10264410",
        "P": "0.00000000",
        "g": -1,
        "C": "",
        "x": "NEW",
        "X": "NEW",
        "r": "NONE",
        "i": 4293153,
        "l": "0.00000000",
        "z": "0.00000000",
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": 1499405658657,
        "t": -1,
        "I": 8641984,
        "w": True,
        "m": False,
        "O": 1499405658657,
        "Z": "0.00000000",
        "Y": "0.00000000",
        "Q": "0.00000000",
        "V": "NONE",
    } | changes


def trade(**changes: Any) -> dict[str, Any]:
    filled = {"l": "0.40000000", "z": "0.60000000", "L": "0.10", "Z": "0.06000000", "t": 42, "n": "0.001", "N": "BNB"}
    return execution_report(**{"x": "TRADE", "X": "PARTIALLY_FILLED"} | filled | changes)


def decode(event: Any) -> tuple[Any, ...]:
    return SpotDecoder().decode(msgspec.json.encode(event))


def only(event: Any) -> Any:
    (told,) = decode(event)
    return told


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("execution_report_new", OrderReport),
        ("execution_report_wrapped", OrderReport),
        ("execution_report_stop_loss", OrderReport),
        ("execution_report_canceled", OrderReport),
        ("execution_report_expired", OrderReport),
        ("execution_report_trade", ExecutionReport),
        ("account_position", AccountReport),
        ("account_position_wrapped", AccountReport),
        ("balance_update", AccountReport),
        ("balance_update_wrapped", AccountReport),
        ("list_status_wrapped", None),
    ],
)
def test_a_documented_event_reads_as(name: str, kind: type | None) -> None:
    told = decode(document(FIXTURES)[f"{PREFIX}{name}.json"])
    assert [type(each) for each in told] == ([] if kind is None else [kind])


def test_every_documented_event_of_the_fixtures_is_covered() -> None:
    listed = {key.removeprefix(PREFIX).removesuffix(".json") for key in document(FIXTURES) if key.startswith(PREFIX)}
    (marked,) = (mark for mark in test_a_documented_event_reads_as.pytestmark if mark.name == "parametrize")
    assert listed == {name for name, _ in marked.args[1]}


class TestOrders:
    @pytest.mark.parametrize(
        ("changes", "event", "reason"),
        [
            pytest.param({}, OrderEvent.ACKNOWLEDGED, "", id="new"),
            pytest.param({"X": "PENDING_NEW"}, OrderEvent.ACKNOWLEDGED, "", id="waits for its order list"),
            pytest.param({"x": "CANCELED", "X": "CANCELED"}, OrderEvent.CANCELLED, "", id="cancelled"),
            pytest.param({"X": "PENDING_CANCEL"}, OrderEvent.ACKNOWLEDGED, "", id="about to be cancelled, still live"),
            pytest.param(
                {"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"},
                OrderEvent.REJECTED,
                "INSUFFICIENT_BALANCES",
                id="rejected",
            ),
            pytest.param({"x": "REPLACED", "z": "0.5"}, OrderEvent.ACKNOWLEDGED, "", id="amended"),
            pytest.param({"x": "EXPIRED", "X": "EXPIRED", "z": "0.5"}, OrderEvent.EXPIRED, "", id="the rest expired"),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "eR": "INSUFFICIENT_LIQUIDITY"},
                OrderEvent.EXPIRED,
                "INSUFFICIENT_LIQUIDITY",
                id="expired, with the reason of 2026",
            ),
            pytest.param(
                {"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "z": "0.5"},
                OrderEvent.EXPIRED,
                "self-trade prevention",
                id="met an order of our own",
            ),
            pytest.param(
                {"x": "TRADE_PREVENTION", "X": "PARTIALLY_FILLED", "z": "0.5"},
                OrderEvent.PARTIALLY_FILLED,
                "",
                id="reduced by meeting an order of our own",
            ),
        ],
    )
    def test_a_status_means(self, changes: dict[str, Any], event: OrderEvent, reason: str) -> None:
        report = only(execution_report(**changes))
        assert isinstance(report, OrderReport)
        assert (report.event, report.reason) == (event, reason)
        assert report.filled == Decimal(changes.get("z", "0"))

    def test_everything_that_is_told_of_an_order(self) -> None:
        report = only(execution_report(X="PARTIALLY_FILLED", x="REPLACED", S="SELL", z="0.4", Z="0.042"))
        assert (report.symbol, report.client_id, report.venue_id) == ("ETHBTC", "capi_entry_k1", "4293153")
        assert (report.side, report.order_type, report.quantity) == (Side.SELL, "LIMIT", Decimal(1))
        assert (report.price, report.average_price) == (Decimal("0.10264410"), Decimal("0.105"))
        assert (report.time_ms, report.reduce_only) == (1499405658657, False)

    def test_an_order_at_market_has_no_price_and_one_without_a_fill_no_average(self) -> None:
        report = only(execution_report(o="MARKET", p="0.00000000"))
        assert (report.price, report.average_price) == (None, None)

    def test_a_cancelled_order_goes_by_its_own_id_and_not_by_that_of_the_cancel(self) -> None:
        report = only(execution_report(x="CANCELED", X="CANCELED", c="the-cancel", C="capi_entry_k1"))
        assert report.client_id == "capi_entry_k1"


class TestExecutions:
    def test_a_trade_carries_everything_that_is_booked(self) -> None:
        report = only(trade(m=True, S="SELL"))
        assert isinstance(report, ExecutionReport)
        assert (report.filled, report.final) == (Decimal("0.6"), False)
        execution = report.execution
        assert (execution.symbol, execution.trade_id, execution.venue_order_id) == ("ETHBTC", "42", "4293153")
        assert (execution.client_id, execution.side) == ("capi_entry_k1", Side.SELL)
        assert (execution.price, execution.quantity) == (Decimal("0.10"), Decimal("0.4"))
        assert (execution.commission, execution.commission_asset) == (Decimal("0.001"), "BNB")
        assert (execution.maker, execution.time_ms, execution.realized_pnl) == (True, 1499405658657, Decimal(0))

    def test_the_last_trade_is_final(self) -> None:
        assert only(trade(X="FILLED", l="0.4", z="1")).final

    def test_the_first_trade_of_a_symbol_has_the_id_0(self) -> None:
        assert only(trade(t=0)).execution.trade_id == "0"

    def test_a_trade_may_cost_nothing(self) -> None:
        execution = only(trade(n="0", N=None)).execution
        assert (execution.commission, execution.commission_asset) == (Decimal(0), "")

    @pytest.mark.parametrize("status", ["EXPIRED", "EXPIRED_IN_MATCH", "CANCELED"])
    def test_a_trade_that_ends_the_order_otherwise_tells_both(self, status: str) -> None:
        execution, end = decode(trade(X=status))
        assert isinstance(execution, ExecutionReport)
        assert not execution.final
        assert isinstance(end, OrderReport)
        assert end.filled == Decimal("0.6")
        assert end.event in (OrderEvent.EXPIRED, OrderEvent.CANCELLED)


class TestBalances:
    @pytest.mark.parametrize("name", ["outboundAccountPosition", "outboundAccountInfo"])
    def test_each_asset_that_is_named_as_it_stands_now(self, name: str) -> None:
        balances = [{"a": "BTC", "f": "1.01", "l": "0.00"}, {"a": "USDT", "f": "9780.0", "l": "90.0"}]
        report = only({"e": name, "E": 2, "u": 1, "B": balances})
        assert isinstance(report, AccountReport)
        assert report.balances == (
            BalanceReport(asset="BTC", free=Decimal("1.01"), locked=Decimal(0)),
            BalanceReport(asset="USDT", free=Decimal(9780), locked=Decimal(90)),
        )
        assert report.balances[1].total == Decimal(9870)
        assert (report.cause, report.time_ms, report.wallet_balance, report.positions) == (name, 1, None, ())

    @pytest.mark.parametrize("amount", ["100.00000000", "-6000.00000000"])
    def test_a_transfer_is_a_change_and_no_balance(self, amount: str) -> None:
        report = only({"e": "balanceUpdate", "E": 2, "a": "USDT", "d": amount, "T": 1})
        assert isinstance(report, AccountReport)
        assert report.transfer == Transfer(asset="USDT", amount=Decimal(amount))
        assert (report.cause, report.balances, report.time_ms) == ("balanceUpdate", (), 1)


class TestNothingIsSkipped:
    @pytest.mark.parametrize(
        "event",
        [
            pytest.param(execution_report(X="HALF_FILLED"), id="unknown order status"),
            pytest.param(execution_report(x="MIRACLE"), id="unknown execution type"),
            pytest.param(execution_report(S="LONG"), id="unknown side"),
            pytest.param(trade(t=-1), id="a trade without an id"),
            pytest.param(trade(l="0"), id="a trade of nothing"),
            pytest.param(trade(X="MIRACLE"), id="unknown status of a trade"),
            *(pytest.param(trade(**{key: "NaN"}), id=f"{key} of a trade") for key in ("l", "z", "L", "n")),
            *(pytest.param(execution_report(**{key: "NaN"}), id=f"{key} of an order") for key in ("q", "z", "p", "Z")),
            pytest.param(execution_report(z="1e-999999", Z="1e999999"), id="an average beyond all numbers"),
            pytest.param({"e": "executionReport", "E": 1}, id="missing fields"),
            pytest.param(
                {"e": "outboundAccountPosition", "u": 1, "B": [{"a": "X", "f": "Infinity", "l": "0"}]}, id="endless"
            ),
            pytest.param({"e": "balanceUpdate", "a": "X", "d": "NaN", "T": 1}, id="a transfer of no number"),
            pytest.param({"e": "externalLockUpdate", "E": 1, "a": "X", "d": "1", "T": 1}, id="a lock from elsewhere"),
            pytest.param({"e": "ORDER_TRADE_UPDATE", "E": 1}, id="an event of another market"),
            pytest.param({"e": "somethingNew", "E": 1}, id="unknown event"),
            pytest.param({"subscriptionId": 0, "event": {"E": 1}}, id="no event name in the wrapper"),
            pytest.param({"subscriptionId": 0}, id="an empty wrapper"),
            pytest.param({"stream": "x"}, id="another empty wrapper"),
            pytest.param([], id="a list"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, event: Any) -> None:
        decoder = SpotDecoder()
        (told,) = decoder.decode(msgspec.json.encode(event))
        assert isinstance(told, UnreadableFrame)
        assert told.reason
        assert decoder.counts["unreadable"] == 1

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, frame: bytes) -> None:
        (told,) = SpotDecoder().decode(frame)
        assert isinstance(told, UnreadableFrame)

    @given(st.data())
    def test_no_damage_to_a_true_frame_raises_or_is_skipped(self, data: st.DataObject) -> None:
        frame = bytearray(msgspec.json.encode(data.draw(st.sampled_from([trade(), execution_report()]))))
        where = data.draw(st.integers(0, len(frame) - 1))
        frame[where] = data.draw(st.integers(0, 255))
        assert len(SpotDecoder().decode(bytes(frame))) >= 1

    @pytest.mark.parametrize(
        "wrap", [lambda e: {"stream": "k", "data": e}, lambda e: {"subscriptionId": 0, "event": e}]
    )
    def test_both_wrappers_are_opened(self, wrap: Any) -> None:
        assert decode(wrap(trade())) == decode(trade())

    @pytest.mark.parametrize("name", ["listenKeyExpired", "eventStreamTerminated", "serverShutdown"])
    def test_the_end_of_the_stream_is_the_streams_own_business(self, name: str) -> None:
        told = only({"e": name, "E": 1_780_000_000_000, "listenKey": "k"})
        assert isinstance(told, StreamEnded)
        assert told.reason

    def test_what_the_orders_of_a_list_tell_themselves_is_counted(self) -> None:
        decoder = SpotDecoder()
        assert decoder.decode(b'{"e":"listStatus","E":1}') == ()
        assert decoder.counts["listStatus"] == 1

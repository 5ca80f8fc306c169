"""Private frames, one by one: what each means, and that none is ever skipped in silence."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import document

from execactor.domain.fill import Origin
from execactor.domain.order import OrderEvent
from execactor.domain.reports import (
    AccountReport,
    ConditionalReport,
    ExecutionReport,
    OrderReport,
    UnreadableFrame,
    VenueEvent,
)
from execactor.domain.side import Side
from execactor.venues.binance_frames import StreamEnded
from execactor.venues.binance_usdm import answers
from execactor.venues.binance_usdm.decode import Decoder, origin

FIXTURES = "user_data/nautilus_binance_fixtures.json"
PREFIX = "binance/test_data/futures/"


def order_update(**changes: Any) -> dict[str, Any]:
    order = {
        "s": "BTCUSDT",
        "c": "capi_entry_k1",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.010",
        "p": "60000",
        "ap": "0",
        "sp": "0",
        "x": "NEW",
        "X": "NEW",
        "i": 8886774,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": 1568879465651,
        "t": 0,
        "m": False,
        "R": False,
        "ot": "LIMIT",
        "ps": "BOTH",
        "rp": "0",
        "er": "0",
    } | changes
    return {"e": "ORDER_TRADE_UPDATE", "E": 1568879465652, "T": 1568879465651, "o": order}


def algo_update(**changes: Any) -> dict[str, Any]:
    algo = {
        "caid": "capi_sl_k1",
        "aid": 1000000033225453,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "DOGEUSDT",
        "S": "BUY",
        "ps": "BOTH",
        "f": "GTC",
        "q": "38",
        "X": "FINISHED",
        "ai": "88937381063",
        "ap": "0.13856",
        "aq": "38",
        "act": "MARKET",
        "tp": "0.13855",
        "p": "0",
        "wt": "MARK_PRICE",
        "cp": False,
        "R": True,
        "tt": 1765431097019,
        "rm": "",
        "ia": False,
    } | changes
    return {"e": "ALGO_UPDATE", "T": 1765431097031, "E": 1765431097037, "o": algo}


def decode(event: Any) -> tuple[VenueEvent | StreamEnded, ...]:
    return Decoder("USDT").decode(msgspec.json.encode(event))


def only(event: Any) -> Any:
    (report,) = decode(event)
    return report


DOCUMENTS = {
    "user_data_json/account_update_bnfcr": AccountReport,
    "user_data_json/algo_update_canceled": ConditionalReport,
    "user_data_json/algo_update_new": ConditionalReport,
    "user_data_json/order_update_adl": ExecutionReport,
    "user_data_json/order_update_calculated": ExecutionReport,
    "user_data_json/order_update_calculated_pending": OrderReport,
    "user_data_json/order_update_delivery": ExecutionReport,
    "user_data_json/order_update_insurance": ExecutionReport,
    "user_data_json/order_update_new": OrderReport,
    "user_data_json/order_update_settlement": ExecutionReport,
    "user_data_json/order_update_trade": ExecutionReport,
    "user_data_json/order_update_trade_partial": ExecutionReport,
    # Both sides of a symbol: hedge mode, which a one-way account cannot be in, and a one-way position cannot say.
    "user_data_json/account_update": UnreadableFrame,
    "user_data_json/trade_lite": None,
}


def test_every_private_document_of_the_fixtures_has_a_row_here() -> None:
    named = {name.removeprefix(PREFIX).removesuffix(".json") for name in document(FIXTURES)}
    assert {name for name in named if name.startswith("user_data_json/")} == set(DOCUMENTS)


@pytest.mark.parametrize(("name", "kind"), DOCUMENTS.items())
def test_a_documented_event_reads_as(name: str, kind: type | None) -> None:
    told = decode(document(FIXTURES)[f"{PREFIX}{name}.json"])
    assert [type(each) for each in told] == ([] if kind is None else [kind])


def test_documented_answers_read_too() -> None:
    fixtures = document(FIXTURES)

    def body(name: str) -> bytes:
        return msgspec.json.encode(fixtures[f"{PREFIX}http_json/{name}.json"])

    assert answers.wallet_balance(body("balance"), "USDT") == Decimal("122.12345678")
    assert answers.order(body("order_response")).client_id == "testOrder123"
    assert [each.quantity for each in answers.positions(body("position_risk"))] == [Decimal("0.001")]
    (stop,) = answers.conditionals(body("open_algo_orders"))
    assert (stop.order_type, stop.trigger_price) == ("STOP_MARKET", Decimal("45000.00"))


def test_liquidation_and_deleveraging_pass_through_under_the_venues_client_ids() -> None:
    fixtures = document(FIXTURES)
    for name, client_id, whose in (
        ("adl", "adl_autoclose_12345", Origin.DELEVERAGING),
        ("calculated", "autoclose-1234567890", Origin.LIQUIDATION),
    ):
        report = only(fixtures[f"{PREFIX}user_data_json/order_update_{name}.json"])
        assert (report.execution.client_id, report.execution.origin) == (client_id, whose)


@pytest.mark.parametrize(
    ("client_id", "order_type", "execution_type", "expected"),
    [
        ("autoclose-1591702613943", "LIMIT", "NEW", Origin.LIQUIDATION),
        ("adl_autoclose", "LIMIT", "TRADE", Origin.DELEVERAGING),
        ("adl_autoclose_7", "MARKET", "CALCULATED", Origin.DELEVERAGING),
        ("settlement_autoclose-17", "LIMIT", "TRADE", Origin.SETTLEMENT),
        ("no_name_known", "LIQUIDATION", "TRADE", Origin.LIQUIDATION),
        ("no_name_known", "LIMIT", "CALCULATED", Origin.LIQUIDATION),
        ("capi_entry_d1", "LIMIT", "TRADE", Origin.ORDER),
        ("web_adl_autoclose", "LIMIT", "TRADE", Origin.ORDER),
        ("", "", "", Origin.ORDER),
    ],
)
def test_whose_act_an_order_is(client_id: str, order_type: str, execution_type: str, expected: Origin) -> None:
    assert origin(client_id, order_type, execution_type) is expected


class TestOrderEvents:
    @pytest.mark.parametrize(
        ("changes", "event"),
        [
            pytest.param({}, OrderEvent.ACKNOWLEDGED, id="new"),
            pytest.param({"x": "CANCELED", "X": "CANCELED", "z": "0.004"}, OrderEvent.CANCELLED, id="cancelled"),
            pytest.param({"x": "EXPIRED", "X": "EXPIRED", "er": "2"}, OrderEvent.EXPIRED, id="the rest of an IOC"),
            pytest.param({"x": "EXPIRED", "X": "EXPIRED", "er": 9, "o": "MARKET"}, OrderEvent.EXPIRED, id="thin book"),
            pytest.param({"x": "EXPIRED", "X": "EXPIRED_IN_MATCH", "er": "1"}, OrderEvent.EXPIRED, id="own order met"),
            pytest.param({"x": "REJECTED", "X": "REJECTED"}, OrderEvent.REJECTED, id="rejected"),
            pytest.param({"x": "AMENDMENT", "X": "NEW", "p": "60001"}, OrderEvent.ACKNOWLEDGED, id="amended"),
            pytest.param(
                {"x": "AMENDMENT", "X": "PARTIALLY_FILLED", "z": "0.004"},
                OrderEvent.PARTIALLY_FILLED,
                id="amended after a fill",
            ),
            pytest.param({"x": "CALCULATED", "X": "NEW"}, OrderEvent.ACKNOWLEDGED, id="a liquidation begins"),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "er": "8", "o": "STOP_MARKET"}, OrderEvent.TRIGGERED, id="triggered"
            ),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "o": "STOP_MARKET"},
                OrderEvent.TRIGGERED,
                id="triggered, no reason given",
            ),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "o": "STOP_MARKET", "f": "GTE_GTC"},
                OrderEvent.EXPIRED,
                id="its position was closed, no reason given",
            ),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "er": "6", "o": "TAKE_PROFIT_MARKET"},
                OrderEvent.EXPIRED,
                id="its position was closed",
            ),
            pytest.param(
                {"x": "EXPIRED", "X": "EXPIRED", "er": "4", "o": "STOP_MARKET"}, OrderEvent.EXPIRED, id="displaced"
            ),
        ],
    )
    def test_a_status_means(self, changes: dict[str, Any], event: OrderEvent) -> None:
        report = only(order_update(**changes))
        assert isinstance(report, OrderReport)
        assert report.event is event
        assert report.filled == Decimal(changes.get("z", "0"))

    def test_a_trade_carries_everything_that_is_booked(self) -> None:
        report = only(
            order_update(
                x="TRADE",
                X="PARTIALLY_FILLED",
                l="0.004",
                z="0.006",
                L="60001.5",
                n="0.096",
                N="USDT",
                t=42,
                rp="1.5",
                m=True,
            )
        )
        assert isinstance(report, ExecutionReport)
        assert (report.filled, report.final) == (Decimal("0.006"), False)
        execution = report.execution
        assert (execution.trade_id, execution.venue_order_id, execution.client_id) == ("42", "8886774", "capi_entry_k1")
        assert (execution.side, execution.price, execution.quantity) == (Side.BUY, Decimal("60001.5"), Decimal("0.004"))
        assert (execution.commission, execution.commission_asset) == (Decimal("0.096"), "USDT")
        assert (execution.realized_pnl, execution.maker, execution.time_ms) == (Decimal("1.5"), True, 1568879465651)

    def test_the_last_trade_is_final(self) -> None:
        assert only(order_update(x="TRADE", X="FILLED", l="0.010", z="0.010", L="1", t=43)).final

    def test_a_trade_that_ends_the_order_otherwise_tells_both(self) -> None:
        trade, end = decode(order_update(x="TRADE", X="EXPIRED", l="0.004", z="0.004", L="1", t=44))
        assert isinstance(trade, ExecutionReport)
        assert isinstance(end, OrderReport)
        assert (end.event, end.filled) == (OrderEvent.EXPIRED, Decimal("0.004"))

    def test_it_may_come_in_a_combined_wrapper(self) -> None:
        (report,) = decode({"stream": "the-listen-key", "data": order_update()})
        assert isinstance(report, OrderReport)


class TestConditionalEvents:
    @pytest.mark.parametrize(
        ("changes", "event"),
        [
            pytest.param({"X": "NEW", "ai": "", "aq": "0.00000"}, OrderEvent.ACKNOWLEDGED, id="new"),
            pytest.param({"X": "TRIGGERING", "ai": ""}, OrderEvent.TRIGGERING, id="condition met"),
            pytest.param({"X": "TRIGGERED"}, OrderEvent.TRIGGERED, id="became an order"),
            pytest.param({"X": "FINISHED"}, OrderEvent.FILLED, id="the order filled"),
            pytest.param({"X": "FINISHED", "aq": "0.00000"}, OrderEvent.CANCELLED, id="the order was cancelled"),
            pytest.param({"X": "CANCELED"}, OrderEvent.CANCELLED, id="cancelled"),
            pytest.param(
                {"X": "REJECTED", "rm": "Reduce Only reject"}, OrderEvent.REJECTED, id="refused at the trigger"
            ),
            pytest.param({"X": "EXPIRED"}, OrderEvent.EXPIRED, id="expired"),
        ],
    )
    def test_a_status_means(self, changes: dict[str, Any], event: OrderEvent) -> None:
        report = only(algo_update(**changes))
        assert isinstance(report, ConditionalReport)
        assert report.event is event
        assert report.reason == changes.get("rm", "")
        assert report.child_id == (changes.get("ai", "88937381063") or None)

    def test_one_that_closes_the_position_has_no_quantity(self) -> None:
        report = only(algo_update(cp=True, q="0", X="NEW"))
        assert (report.quantity, report.close_position) == (None, True)

    @pytest.mark.parametrize("word", ["STOP_MARKET", "TRAILING_STOP_MARKET", "A_TYPE_OF_NEXT_YEAR"])
    def test_the_type_is_the_venues_word_also_when_we_never_place_it(self, word: str) -> None:
        report = only(algo_update(o=word, tp="", X="NEW"))
        assert (report.order_type, report.trigger_price, report.reason) == (word, Decimal(0), "")


class TestNothingIsSkipped:
    @pytest.mark.parametrize(
        "event",
        [
            pytest.param(order_update(X="HALF_FILLED"), id="unknown order status"),
            pytest.param(order_update(x="MIRACLE"), id="unknown execution type"),
            pytest.param(order_update(S="LONG"), id="unknown side"),
            pytest.param(order_update(x="TRADE", X="MIRACLE", l="1", L="1", t=5), id="unknown status of a trade"),
            pytest.param(order_update(x="TRADE", X="FILLED", l="1", L="1", t=0), id="a trade without an id"),
            pytest.param(order_update(x="TRADE", X="FILLED", l="1", L="NaN", t=5), id="a price that is no number"),
            pytest.param(order_update(x="TRADE", X="FILLED", l="NaN", L="1", t=5), id="a quantity that is no number"),
            pytest.param(order_update(x="TRADE", X="FILLED", l="1", L="1", n="Infinity", t=5), id="endless commission"),
            *(pytest.param(order_update(**{key: "NaN"}), id=f"{key} is no number") for key in ("q", "z", "p", "ap")),
            pytest.param(order_update(z="Infinity"), id="endless fills"),
            pytest.param(algo_update(X="PONDERING"), id="unknown conditional status"),
            pytest.param(algo_update(tp="soon"), id="a trigger price that is no number"),
            pytest.param({"e": "ORDER_TRADE_UPDATE", "o": {}}, id="missing fields"),
            pytest.param({"e": "somethingNew", "E": 1}, id="unknown event"),
            pytest.param({"E": 1}, id="no event name"),
            pytest.param({"stream": "x", "data": {"E": 1}}, id="no event name in the wrapper"),
            pytest.param({"stream": "x"}, id="an empty wrapper"),
            pytest.param([], id="a list"),
            pytest.param(None, id="null"),
            pytest.param(
                {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": "ORDER", "B": [{"a": "USDT", "wb": "NaN"}]}},
                id="a wallet that is no number",
            ),
        ],
    )
    def test_what_cannot_be_read_is_told(self, event: Any) -> None:
        decoder = Decoder("USDT")
        (told,) = decoder.decode(msgspec.json.encode(event))
        assert isinstance(told, UnreadableFrame)
        assert told.reason
        assert decoder.counts["unreadable"] == 1

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, frame: bytes) -> None:
        (told,) = Decoder("USDT").decode(frame)
        assert isinstance(told, UnreadableFrame)

    @given(st.data())
    def test_no_damage_to_a_true_frame_raises_or_is_skipped(self, data: st.DataObject) -> None:
        trade = order_update(x="TRADE", X="FILLED", l="0.010", z="0.010", L="1", t=43)
        frame = bytearray(msgspec.json.encode(data.draw(st.sampled_from([trade, algo_update()]))))
        where = data.draw(st.integers(0, len(frame) - 1))
        frame[where] = data.draw(st.integers(0, 255))
        assert len(Decoder("USDT").decode(bytes(frame))) >= 1

    @pytest.mark.parametrize(
        "name",
        ["TRADE_LITE", "MARGIN_CALL", "STRATEGY_UPDATE", "GRID_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT"],
    )
    def test_what_needs_no_report_is_counted(self, name: str) -> None:
        decoder = Decoder("USDT")
        assert decoder.decode(msgspec.json.encode({"e": name, "E": 1})) == ()
        assert decoder.counts[name] == 1

    def test_an_expired_key_is_the_streams_own_business(self) -> None:
        for time in (1736996475556, "1736996475556"):
            assert isinstance(only({"e": "listenKeyExpired", "E": time, "listenKey": "k"}), StreamEnded)

    def test_an_excerpt_shows_no_listen_key(self) -> None:
        for event in ({"stream": "SECRETKEY", "data": {"e": "?"}}, {"e": "?", "listenKey": "SECRETKEY"}):
            told = only(event)
            assert "SECRETKEY" not in told.excerpt
            assert "***" in told.excerpt
        (cut,) = Decoder("USDT").decode(b'{"stream":"SECRETKEY')
        assert isinstance(cut, UnreadableFrame)
        assert "SECRETKEY" not in cut.excerpt


def test_positions_and_wallet_of_the_margin_asset() -> None:
    report = only(
        {
            "e": "ACCOUNT_UPDATE",
            "E": 2,
            "T": 1,
            "a": {
                "m": "FUNDING_FEE",
                "B": [{"a": "BNB", "wb": "3"}, {"a": "USDT", "wb": "99.5"}],
                "P": [{"s": "BTCUSDT", "pa": "-0.3", "ep": "60000.1", "ps": "BOTH"}],
            },
        }
    )
    assert isinstance(report, AccountReport)
    assert (report.cause, report.wallet_balance, report.time_ms) == ("FUNDING_FEE", Decimal("99.5"), 1)
    assert [(each.symbol, each.quantity, each.entry_price) for each in report.positions] == [
        ("BTCUSDT", Decimal("-0.3"), Decimal("60000.1"))
    ]

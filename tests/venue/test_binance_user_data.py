"""Recorded private streams, replayed through the decoder of their market, our order table and position arithmetic.

Every group of data/user_data is covered: those of USDⓈ-M to the recorded positions, wallets and P&L, those of spot to
the recorded fills, costs and balances.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from shared_data import document

from execactor.domain.order import OrderEvent, OrderIntent, OrderState, OrderType, Role
from execactor.domain.order_table import OrderTable
from execactor.domain.position import Position
from execactor.domain.reports import (
    AccountReport,
    BalanceReport,
    ExecutionReport,
    OrderReport,
    Transfer,
    UnreadableFrame,
)
from execactor.venues.binance_spot import SpotDecoder
from execactor.venues.binance_usdm.decode import Decoder

FILE = "user_data/binance_user_stream_sequences.json"

SPOT_EVENTS = {"executionReport", "outboundAccountInfo", "outboundAccountPosition", "balanceUpdate"}


class Ends(msgspec.Struct, frozen=True):
    """What a replay must arrive at. entered_at: price and size of a position held before the recording began."""

    symbol: str
    fills: int
    position: str
    entry: str
    wallet: str
    pnl: str
    held: str = "0"
    entered_at: str = "0"
    margin_asset: str = "USDT"


FUTURES_GROUPS = {
    "usdm_trx_manual_close_2021": Ends(
        "TRXUSDT", 1, "0", "0", "316.14003714", "-0.0015", held="150", entered_at="0.07597"
    ),
    "usdm_ethbusd_maker_fill_2022": Ends("ETHBUSD", 2, "0", "0", "1575.58581278", "-0.00393", margin_asset="BUSD"),
    "usdm_testnet_btc_market_2025": Ends("BTCUSDT", 1, "0.1", "84146.5", "15237.42937172", "0"),
    "usdm_ioc_expired_ace_2024": Ends("ACEUSDT", 0, "0", "0", "", "0"),
    "usdm_btc_trade_lite_2024": Ends("BTCUSDT", 2, "0", "0", "640.89671759", "-1.7734"),
    "usdm_bnb_ledger_2": Ends("BNBUSDT", 3, "0", "0", "872.16874822", "0.156"),
    "usdm_bnb_ledger_3": Ends("BNBUSDT", 2, "0", "0", "872.50624823", "0.5"),
    "usdm_bnb_ledger_6": Ends("BNBUSDT", 3, "0.01", "395.7", "28.0168738", "0.024"),
    "usdm_bnb_ledger_8": Ends("BNBUSDT", 2, "0", "0", "10", "3.3408"),
}


class SpotEnds(msgspec.Struct, frozen=True):
    """What a replay must arrive at. had: balances before the recording, of the assets that it states afterwards."""

    symbol: str
    base: str
    quote: str
    state: OrderState
    bought: str
    paid: str
    commission: str
    had: dict[str, str]


SPOT_GROUPS = {
    "spot_testnet_limit_cancel_2020": SpotEnds(
        "BTCUSDT", "BTC", "USDT", OrderState.CANCELLED, "0", "0", "0", {"BTC": "1.01", "USDT": "9870"}
    ),
    "spot_eos_market_quoteqty_2021": SpotEnds(
        "EOSUSDT",
        "EOS",
        "USDT",
        OrderState.FILLED,
        "1.95",
        "9.9996",
        "0.00002007",
        {"EOS": "0", "USDT": "2417.6923191", "BNB": "0.19240289"},
    ),
    "spot_arb_market_2023": SpotEnds("ARBUSDT", "ARB", "USDT", OrderState.FILLED, "5.9", "4.9501", "0.00001706", {}),
}
MIXED_GROUPS = {"raw_examples_2022"}


def groups() -> dict[str, list[dict[str, Any]]]:
    return {group["id"]: group["messages"] for group in document(FILE)}


def frames(group: str) -> list[bytes]:
    return [msgspec.json.encode(message) for message in groups()[group]]


def reports(group: str, margin_asset: str) -> Iterator[Any]:
    decoder = Decoder(margin_asset)
    for frame in frames(group):
        yield from decoder.decode(frame)


def test_every_group_is_replayed() -> None:
    assert set(groups()) == set(FUTURES_GROUPS) | set(SPOT_GROUPS) | MIXED_GROUPS


@pytest.mark.parametrize("group", FUTURES_GROUPS)
def test_a_futures_group_replays_to_the_recorded_position_wallet_and_pnl(group: str) -> None:
    """The venue states positions and wallet before or after the fill that made them: both views must agree at the end
    of each instant, each fill's realised P&L must be ours, and the wallet must move by it, less the commission.
    """
    ends = FUTURES_GROUPS[group]
    position = Position(symbol=ends.symbol, quantity=Decimal(ends.held), entry_price=Decimal(ends.entered_at))
    stated: dict[int, list[AccountReport]] = {}
    booked: dict[int, list[tuple[ExecutionReport, Position]]] = {}
    wallet: Decimal | None = None
    for report in reports(group, ends.margin_asset):
        assert not isinstance(report, UnreadableFrame), report
        if isinstance(report, AccountReport):
            stated.setdefault(report.time_ms, []).append(report)
        elif isinstance(report, ExecutionReport):
            before = position
            position = position.after(report.execution)
            assert position.realized_pnl - before.realized_pnl == report.execution.realized_pnl
            booked.setdefault(report.execution.time_ms, []).append((report, position))
    for instant in sorted(stated.keys() | booked.keys()):
        fills = booked.get(instant, [])
        accounts = stated.get(instant, [])
        for (fill, after), account in zip(fills, accounts, strict=False):
            (told,) = account.positions
            assert (told.symbol, told.quantity) == (after.symbol, after.quantity)
            assert told.entry_price == after.entry_price
            if wallet is not None and fill.execution.commission_asset:
                assert account.wallet_balance == wallet + fill.execution.realized_pnl - fill.execution.commission
            wallet = account.wallet_balance
        for account in accounts[len(fills) :]:
            wallet = account.wallet_balance
    assert sum(map(len, booked.values())) == ends.fills
    assert position.quantity == Decimal(ends.position)
    assert position.entry_price == Decimal(ends.entry)
    assert position.realized_pnl == Decimal(ends.pnl)
    assert wallet == (Decimal(ends.wallet) if ends.wallet else None)


def intent_of(report: OrderReport) -> OrderIntent:
    """The order that somebody must have meant by what the venue reports first."""
    return OrderIntent(
        client_id=report.client_id,
        decision_key="recorded",
        role=Role.ENTRY,
        symbol=report.symbol,
        side=report.side,
        type=OrderType(report.order_type),
        quantity=report.quantity,
        price=report.price,
    )


@pytest.mark.parametrize("group", SPOT_GROUPS)
def test_a_spot_group_replays_to_the_recorded_fills_costs_and_balances(group: str) -> None:
    """Whatever the venue states of an order or a balance must be what our books say at that moment."""
    ends = SPOT_GROUPS[group]
    decoder, table, position = SpotDecoder(), OrderTable(), Position(symbol=ends.symbol)
    held = {asset: Decimal(amount) for asset, amount in ends.had.items()}
    for message in groups()[group]:
        for report in decoder.decode(msgspec.json.encode(message)):
            assert not isinstance(report, UnreadableFrame), report
            if isinstance(report, OrderReport):
                if not table.orders:
                    table.add(intent_of(report))
                    table.apply(report.client_id, OrderEvent.SENT, now_ns=1)
                change = table.report(report, now_ns=2)
                assert change is not None
                assert change.ignored is None
            elif isinstance(report, ExecutionReport):
                change = table.execute(report, now_ns=3)
                assert change is not None
                assert change.execution is not None
                fill, position = change.execution, position.after(change.execution)
                for asset, amount in (
                    (ends.base, fill.signed_quantity),
                    (ends.quote, -fill.signed_quantity * fill.price),
                    (fill.commission_asset, -fill.commission),
                ):
                    held[asset] = held.get(asset, Decimal(0)) + amount
            elif isinstance(report, AccountReport):
                stated = {each.asset: each for each in report.balances}
                assert set(held) <= set(stated)
                assert {asset: stated[asset].total for asset in held} == held
                (order,) = table.orders.values()
                resting = order.intent.price if order.live else None
                assert stated[ends.quote].locked == (resting or 0) * (order.intent.quantity or 0)
        event = message.get("data", message)
        if event["e"] == "executionReport":
            (order,) = table.orders.values()
            assert (order.filled, order.quote_filled) == (Decimal(event["z"]), Decimal(event["Z"]))
    (order,) = table.orders.values()
    assert (order.state, order.settled) == (ends.state, True)
    assert position.quantity == order.filled == Decimal(ends.bought)
    assert order.quote_filled == Decimal(ends.paid)
    assert position.commission == Decimal(ends.commission)


def test_a_cancelled_spot_order_is_found_under_its_own_id() -> None:
    told = [
        report
        for frame in frames("spot_testnet_limit_cancel_2020")
        for report in SpotDecoder().decode(frame)
        if isinstance(report, OrderReport)
    ]
    assert [(each.client_id, each.event) for each in told] == [
        ("daa3Lntyw5phO7yGkmkUzn", OrderEvent.ACKNOWLEDGED),
        ("daa3Lntyw5phO7yGkmkUzn", OrderEvent.CANCELLED),
    ]


def test_the_mixed_group_replays_with_each_message_in_the_decoder_of_its_market() -> None:
    spot, futures = SpotDecoder(), Decoder("USDT")
    told: list[Any] = []
    for message in groups()["raw_examples_2022"]:
        event = message.get("data", message)
        mine, other = (spot, futures) if event["e"] in SPOT_EVENTS else (futures, spot)
        frame = msgspec.json.encode(message)
        told += mine.decode(frame)
        (refusal,) = other.decode(frame)
        assert isinstance(refusal, UnreadableFrame)
        assert event["e"] in refusal.reason
    transfer, balance, order = told[0], told[4], told[6]
    assert told == [transfer, transfer, *told[2:4], balance, balance, order, order]
    assert transfer.transfer == Transfer(asset="USDT", amount=Decimal(-6000))
    assert balance.balances == (BalanceReport(asset="USDT", free=Decimal("857.1"), locked=Decimal(0)),)
    assert (order.symbol, order.event, order.quantity, order.price) == (
        "BNBUSDT",
        OrderEvent.ACKNOWLEDGED,
        Decimal(1),
        Decimal(300),
    )
    assert [(each.cause, each.wallet_balance, each.positions) for each in told[2:4]] == [
        ("DEPOSIT", Decimal(200), ()),
        ("WITHDRAW", Decimal(100), ()),
    ]
    assert futures.counts["ACCOUNT_CONFIG_UPDATE"] == 1
    assert spot.counts["unreadable"] == 3


def test_the_early_trade_event_books_nothing_because_the_same_trade_follows_with_its_commission() -> None:
    decoder = Decoder("USDT")
    told = [report for frame in frames("usdm_btc_trade_lite_2024") for report in decoder.decode(frame)]
    trades = [report.execution.trade_id for report in told if isinstance(report, ExecutionReport)]
    assert trades == ["5612428004", "5612520599"]
    assert decoder.counts["TRADE_LITE"] == 2


def test_an_order_that_expires_without_a_fill_ends() -> None:
    (report,) = reports("usdm_ioc_expired_ace_2024", "USDT")
    assert isinstance(report, OrderReport)
    assert (report.event, report.filled) == (OrderEvent.EXPIRED, Decimal(0))


def test_protective_orders_that_expire_with_their_position_have_ended_and_were_not_triggered() -> None:
    told = [
        report
        for report in reports("usdm_trx_manual_close_2021", "USDT")
        if isinstance(report, OrderReport) and report.order_type in ("STOP_MARKET", "TAKE_PROFIT_MARKET")
    ]
    assert [report.event for report in told] == [OrderEvent.EXPIRED, OrderEvent.EXPIRED]


def test_the_rebate_of_a_maker_is_a_negative_commission() -> None:
    fills = [r.execution for r in reports("usdm_ethbusd_maker_fill_2022", "BUSD") if isinstance(r, ExecutionReport)]
    assert [(fill.maker, fill.commission) for fill in fills] == [
        (True, Decimal("-0.00074625")),
        (False, Decimal("0.00171547")),
    ]

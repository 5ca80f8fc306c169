"""Answers of the venue to requests, translated into reports. All raise Unreadable for what cannot be read."""

from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec

from execactor.domain.account import VenuePosition
from execactor.domain.fill import Execution
from execactor.domain.reports import ConditionalReport, OrderReport
from execactor.venues.binance_frames import BAD_JSON, Unreadable, excerpt, finite, number, side
from execactor.venues.binance_usdm import wire
from execactor.venues.binance_usdm.decode import algo_event, order_event, origin

Parsed = TypeVar("Parsed")

_ORDER = msgspec.json.Decoder(wire.OrderObject)
_ORDERS = msgspec.json.Decoder(list[wire.OrderObject])
_ALGO = msgspec.json.Decoder(wire.AlgoObject)
_ALGOS = msgspec.json.Decoder(list[wire.AlgoObject])
_ALGO_CANCELLED = msgspec.json.Decoder(wire.AlgoCancelled)
_TRADES = msgspec.json.Decoder(list[wire.TradeObject])
_POSITIONS = msgspec.json.Decoder(list[wire.PositionObject])
_BALANCES = msgspec.json.Decoder(list[wire.BalanceObject])


def parse(decoder: msgspec.json.Decoder[Parsed], body: bytes | msgspec.Raw) -> Parsed:
    """The typed body. Raises Unreadable with its beginning when it is not what the endpoint should answer."""
    try:
        return decoder.decode(body)
    except (*BAD_JSON, InvalidOperation) as error:
        raise Unreadable(f"unreadable answer ({error}): {excerpt(bytes(body))}") from None


def order(body: bytes | msgspec.Raw) -> OrderReport:
    """A regular order."""
    return _order_report(parse(_ORDER, body))


def orders(body: bytes) -> tuple[OrderReport, ...]:
    """A listing of regular orders."""
    return tuple(_order_report(each) for each in parse(_ORDERS, body))


def conditional(body: bytes | msgspec.Raw) -> ConditionalReport:
    """A conditional order."""
    return _conditional_report(parse(_ALGO, body))


def conditionals(body: bytes) -> tuple[ConditionalReport, ...]:
    """A listing of conditional orders."""
    return tuple(_conditional_report(each) for each in parse(_ALGOS, body))


def conditional_cancelled(body: bytes | msgspec.Raw) -> str:
    """The venue's id of a conditional order whose cancel succeeded. Raises Unreadable for any other code than 200."""
    answer = parse(_ALGO_CANCELLED, body)
    if str(answer.code) != "200":
        raise Unreadable(f"the cancel of a conditional order answered code {answer.code}: {answer.msg[:200]}")
    return str(answer.algoId)


def executions(body: bytes) -> list[Execution]:
    """A page of userTrades, oldest first."""
    page: list[wire.TradeObject] = parse(_TRADES, body)
    page.sort(key=lambda trade: trade.id)
    return [
        Execution(
            symbol=trade.symbol,
            trade_id=str(trade.id),
            venue_order_id=str(trade.orderId),
            side=side(trade.side),
            price=finite(trade.price),
            quantity=finite(trade.qty),
            commission=finite(trade.commission),
            commission_asset=trade.commissionAsset,
            realized_pnl=finite(trade.realizedPnl),
            maker=trade.maker,
            time_ms=trade.time,
        )
        for trade in page
    ]


def positions(body: bytes) -> tuple[VenuePosition, ...]:
    """The positions, and symbols without one whose orders rest: their time tells that nothing is open since then.

    Raises Unreadable for a position of hedge mode.
    """
    listed = parse(_POSITIONS, body)
    hedged = [each.symbol for each in listed if each.positionSide != "BOTH" and finite(each.positionAmt) != 0]
    if hedged:
        raise Unreadable(f"positions of hedge mode in {', '.join(hedged)}: the account must be in one-way mode")
    return tuple(
        VenuePosition(
            symbol=each.symbol,
            quantity=finite(each.positionAmt),
            entry_price=finite(each.entryPrice),
            mark_price=finite(each.markPrice),
            update_time_ms=each.updateTime,
        )
        for each in listed
        if each.positionSide == "BOTH"
    )


def wallet_balance(body: bytes, asset: str) -> Decimal:
    """The wallet balance in `asset`; 0 when the account has never held it."""
    balances: list[wire.BalanceObject] = parse(_BALANCES, body)
    return next((finite(each.balance) for each in balances if each.asset == asset), Decimal(0))


def _order_report(answer: wire.OrderObject) -> OrderReport:
    return OrderReport(
        symbol=answer.symbol,
        client_id=answer.clientOrderId,
        venue_id=str(answer.orderId),
        event=order_event(answer.status),
        side=side(answer.side),
        order_type=answer.type,
        quantity=finite(answer.origQty),
        filled=finite(answer.executedQty),
        price=finite(answer.price) or None,
        average_price=finite(answer.avgPrice or Decimal(0)) or None,
        reduce_only=answer.reduceOnly,
        time_ms=answer.updateTime,
        origin=origin(answer.clientOrderId, answer.origType or answer.type),
    )


def _conditional_report(answer: wire.AlgoObject) -> ConditionalReport:
    executed = number(answer.actualQty)
    return ConditionalReport(
        symbol=answer.symbol,
        client_id=answer.clientAlgoId,
        venue_id=str(answer.algoId),
        event=algo_event(answer.algoStatus, executed),
        side=side(answer.side),
        order_type=answer.orderType or answer.type,
        trigger_price=number(answer.triggerPrice),
        quantity=None if answer.closePosition else number(answer.quantity),
        close_position=answer.closePosition,
        reduce_only=answer.reduceOnly,
        child_id=str(answer.actualOrderId) or None,
        executed=executed,
        time_ms=answer.updateTime,
    )

"""Private frames of the venue, translated into reports. Nothing private is ever skipped in silence.

What each event becomes:
- ORDER_TRADE_UPDATE: an ExecutionReport when it carries a trade (x = TRADE or CALCULATED), else an OrderReport.
- ACCOUNT_UPDATE: an AccountReport. ALGO_UPDATE: a ConditionalReport.
- TRADE_LITE: nothing; the same trade comes with its commission in ORDER_TRADE_UPDATE.
- ACCOUNT_CONFIG_UPDATE, MARGIN_CALL, STRATEGY_UPDATE, GRID_UPDATE, CONDITIONAL_ORDER_TRIGGER_REJECT: nothing, but
  counted. They state neither an order nor a position (the trigger's refusal is in ALGO_UPDATE since 2025-12-15).
- listenKeyExpired: the stream's own business.
- Every other name, every unknown status, everything that does not parse: an UnreadableFrame, which forces a resync.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from execactor.domain.fill import Execution, Origin
from execactor.domain.order import OrderEvent
from execactor.domain.reports import (
    AccountReport,
    ConditionalReport,
    ExecutionReport,
    OrderReport,
    PositionReport,
    VenueEvent,
)
from execactor.venues.binance_frames import FrameDecoder, Unreadable, finite, number, side
from execactor.venues.binance_usdm import quirks, wire

ORDER_STATUS: Mapping[str, OrderEvent] = {
    "NEW": OrderEvent.ACKNOWLEDGED,
    # Liquidation and auto-deleveraging take orders over under these names.
    "NEW_ADL": OrderEvent.ACKNOWLEDGED,
    "NEW_INSURANCE": OrderEvent.ACKNOWLEDGED,
    "PARTIALLY_FILLED": OrderEvent.PARTIALLY_FILLED,
    "FILLED": OrderEvent.FILLED,
    "CANCELED": OrderEvent.CANCELLED,
    "REJECTED": OrderEvent.REJECTED,
    "EXPIRED": OrderEvent.EXPIRED,
    "EXPIRED_IN_MATCH": OrderEvent.EXPIRED,
}
ALGO_STATUS: Mapping[str, OrderEvent] = {
    "NEW": OrderEvent.ACKNOWLEDGED,
    "TRIGGERING": OrderEvent.TRIGGERING,
    "TRIGGERED": OrderEvent.TRIGGERED,
    "CANCELED": OrderEvent.CANCELLED,
    "REJECTED": OrderEvent.REJECTED,
    "EXPIRED": OrderEvent.EXPIRED,
}
"""FINISHED is not among them: it means filled or cancelled, by the executed quantity."""

EXPIRY_REASONS: Mapping[str, str] = {
    "1": "self-trade prevention",
    "2": "the rest of an IOC order",
    "3": "the rest of an IOC order, by self-trade prevention",
    "4": "displaced by another reduce-only order, or it would have turned the position around",
    "5": "liquidation",
    "6": "good till executed: its position is closed",
    "7": "the symbol is delisted",
    "8": "the stop was triggered",
    "9": "the rest of a market order",
}
_ORIGINS: tuple[tuple[str, Origin], ...] = (
    ("autoclose-", Origin.LIQUIDATION),
    ("adl_autoclose", Origin.DELEVERAGING),
    ("settlement_autoclose-", Origin.SETTLEMENT),
)
"""The client ids under which the venue itself trades on an account (fact sheet section 8)."""

_EXECUTIONS = frozenset({"TRADE", "CALCULATED"})
_CHANGES = frozenset({"NEW", "CANCELED", "EXPIRED", "AMENDMENT", "REJECTED"})
_COUNTED = frozenset(
    {
        "TRADE_LITE",
        "ACCOUNT_CONFIG_UPDATE",
        "MARGIN_CALL",
        "STRATEGY_UPDATE",
        "GRID_UPDATE",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
    }
)
_CONDITIONAL_TYPES = frozenset({"STOP_MARKET", "STOP", "TRAILING_STOP_MARKET", "TAKE_PROFIT_MARKET", "TAKE_PROFIT"})


class Decoder(FrameDecoder):
    """Translates frames of one account's private stream."""

    def __init__(self, margin_asset: str) -> None:
        self._margin_asset = margin_asset
        self._order = msgspec.json.Decoder(wire.OrderTradeUpdate)
        self._account = msgspec.json.Decoder(wire.AccountUpdate)
        self._algo = msgspec.json.Decoder(wire.AlgoUpdate)
        super().__init__(
            {
                "ORDER_TRADE_UPDATE": self._order_events,
                "ACCOUNT_UPDATE": self._account_events,
                "ALGO_UPDATE": self._algo_events,
            },
            counted=_COUNTED,
            ends={"listenKeyExpired": "listen key expired"},
        )

    def _order_events(self, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        update = self._order.decode(event)
        order = update.o
        order.T = order.T or update.T
        if order.x in _EXECUTIONS and order.l > 0:
            report = _execution(order)
            # A trade that ends the order other than by filling it says so only here.
            if order.X in {"EXPIRED", "EXPIRED_IN_MATCH", "CANCELED"}:
                return (report, _order(order))
            return (report,)
        if order.x not in _CHANGES and order.x not in _EXECUTIONS:
            raise Unreadable(f"unknown execution type {order.x[:60]!r} of order {order.c}")
        return (_order(order),)

    def _account_events(self, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        update = self._account.decode(event)
        hedged = [p.s for p in update.a.P if p.ps != "BOTH" and p.pa != 0]
        if hedged:
            raise Unreadable(f"positions of hedge mode in {', '.join(hedged)}: the account must be in one-way mode")
        wallet = next((finite(b.wb) for b in update.a.B if b.a == self._margin_asset), None)
        positions = tuple(
            PositionReport(symbol=p.s, quantity=finite(p.pa), entry_price=finite(p.ep))
            for p in update.a.P
            if p.ps == "BOTH"
        )
        return (AccountReport(cause=update.a.m, wallet_balance=wallet, positions=positions, time_ms=update.T),)

    def _algo_events(self, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        update = self._algo.decode(event)
        algo = update.o
        executed = number(algo.aq)
        report = ConditionalReport(
            symbol=algo.s,
            client_id=algo.caid,
            venue_id=str(algo.aid),
            event=algo_event(algo.X, executed),
            side=side(algo.S),
            order_type=algo.o,
            trigger_price=number(algo.tp),
            quantity=None if algo.cp else number(algo.q),
            close_position=algo.cp,
            reduce_only=algo.R,
            child_id=str(algo.ai) or None,
            executed=executed,
            reason=algo.rm,
            time_ms=update.T,
        )
        return (report,)


def order_event(status: str) -> OrderEvent:
    """What the status of a regular order means. Raises Unreadable for an unknown one."""
    event = ORDER_STATUS.get(status)
    if event is None:
        raise Unreadable(f"unknown order status {status[:60]!r}")
    return event


def origin(client_id: str, order_type: str = "", execution_type: str = "") -> Origin:
    """Whose act an order is, by its client id; by its type, or that of its trade, where the id tells nothing."""
    for start, found in _ORIGINS:
        if client_id.startswith(start):
            return found
    liquidated = order_type == "LIQUIDATION" or execution_type == "CALCULATED"
    return Origin.LIQUIDATION if liquidated else Origin.ORDER


def algo_event(status: str, executed: Decimal) -> OrderEvent:
    """What the status of a conditional order means. Raises Unreadable for an unknown one."""
    if status == "FINISHED":
        return OrderEvent.FILLED if executed > 0 else OrderEvent.CANCELLED
    event = ALGO_STATUS.get(status)
    if event is None:
        raise Unreadable(f"unknown status {status[:60]!r} of a conditional order")
    return event


def _execution(order: wire.OrderData) -> ExecutionReport:
    order_event(order.X)
    if order.t <= 0:
        raise Unreadable(f"a trade of order {order.c} without a trade id: it cannot be told from a repetition")
    execution = Execution(
        symbol=order.s,
        trade_id=str(order.t),
        venue_order_id=str(order.i),
        side=side(order.S),
        price=finite(order.L),
        quantity=finite(order.l),
        client_id=order.c,
        commission=finite(order.n) if order.n is not None else Decimal(0),
        commission_asset=order.N or "",
        realized_pnl=finite(order.rp),
        maker=order.m,
        time_ms=order.T,
        origin=origin(order.c, order.ot or order.o, order.x),
    )
    return ExecutionReport(execution=execution, filled=finite(order.z), final=order.X == "FILLED")


def _order(order: wire.OrderData) -> OrderReport:
    event = order_event(order.X)
    reason = ""
    if event is OrderEvent.EXPIRED:
        code = "" if order.er is None else str(order.er)
        reason = EXPIRY_REASONS.get(code, f"expiry reason {code}" if code not in ("", "0") else "")
        if order.X == "EXPIRED_IN_MATCH":
            reason = reason or "self-trade prevention"
        elif _was_triggered(order, code):
            event = OrderEvent.TRIGGERED
    return OrderReport(
        symbol=order.s,
        client_id=order.c,
        venue_id=str(order.i),
        event=event,
        side=side(order.S),
        order_type=order.o,
        quantity=finite(order.q),
        filled=finite(order.z),
        price=finite(order.p) or None,
        average_price=finite(order.ap) or None,
        reduce_only=order.R,
        reason=reason,
        time_ms=order.T,
        origin=origin(order.c, order.ot or order.o, order.x),
    )


def _was_triggered(order: wire.OrderData, code: str) -> bool:
    """Whether an EXPIRED is the moment in which a stop became a market order of the same order id, not an end.

    Expiry reason 8 says so. Where no reason is given (0, or the field is absent) an expired conditional type was
    triggered, unless the venue expires it with its position. In 2026 such types live at the algo service and come
    here no more, except from old orders.
    """
    if code == "8":
        return True
    return code in ("", "0") and order.o in _CONDITIONAL_TYPES and order.f != quirks.GTE_EXPIRES

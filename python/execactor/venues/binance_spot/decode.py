"""Private frames of a spot account, translated into reports. Nothing private is ever skipped in silence.

What each event becomes:
- executionReport: an ExecutionReport when it carries a trade (x = TRADE), else an OrderReport.
- outboundAccountPosition, outboundAccountInfo (deprecated): an AccountReport with the balances that it names.
- balanceUpdate: an AccountReport with the transfer.
- listStatus: nothing, but counted; each order of the list has executionReports of its own.
- listenKeyExpired (until 2026-02-20), eventStreamTerminated, serverShutdown: the stream's own business.
- Every other name, every unknown status, everything that does not parse: an UnreadableFrame, which forces a resync.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from execactor.domain.fill import Execution
from execactor.domain.order import OrderEvent
from execactor.domain.reports import (
    AccountReport,
    BalanceReport,
    ExecutionReport,
    OrderReport,
    Transfer,
    VenueEvent,
)
from execactor.venues.binance_frames import FrameDecoder, Unreadable, finite, side
from execactor.venues.binance_spot import wire

ORDER_STATUS: Mapping[str, OrderEvent] = {
    "NEW": OrderEvent.ACKNOWLEDGED,
    # It waits for another order of its list; the venue has it.
    "PENDING_NEW": OrderEvent.ACKNOWLEDGED,
    "PENDING_CANCEL": OrderEvent.ACKNOWLEDGED,
    "PARTIALLY_FILLED": OrderEvent.PARTIALLY_FILLED,
    "FILLED": OrderEvent.FILLED,
    "CANCELED": OrderEvent.CANCELLED,
    "REJECTED": OrderEvent.REJECTED,
    "EXPIRED": OrderEvent.EXPIRED,
    "EXPIRED_IN_MATCH": OrderEvent.EXPIRED,
}
_CHANGES = frozenset({"NEW", "CANCELED", "REPLACED", "REJECTED", "EXPIRED", "TRADE_PREVENTION"})
_ENDS: Mapping[str, str] = {
    "listenKeyExpired": "listen key expired",
    "eventStreamTerminated": "the venue ended the subscription",
    "serverShutdown": "the venue's server is about to shut down",
}


class SpotDecoder(FrameDecoder):
    """Translates frames of one spot account's private stream."""

    def __init__(self) -> None:
        self._execution = msgspec.json.Decoder(wire.Execution)
        self._account = msgspec.json.Decoder(wire.AccountPosition)
        self._balance = msgspec.json.Decoder(wire.BalanceUpdate)
        super().__init__(
            {
                "executionReport": self._order_events,
                "outboundAccountPosition": lambda event: self._balances("outboundAccountPosition", event),
                "outboundAccountInfo": lambda event: self._balances("outboundAccountInfo", event),
                "balanceUpdate": self._transfer,
            },
            counted=frozenset({"listStatus"}),
            ends=_ENDS,
        )

    def _order_events(self, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        order = self._execution.decode(event)
        if order.x == "TRADE":
            report = _execution(order)
            # A trade that ends the order other than by filling it says so only here.
            if order.X in {"EXPIRED", "EXPIRED_IN_MATCH", "CANCELED"}:
                return (report, _order(order))
            return (report,)
        if order.x not in _CHANGES:
            raise Unreadable(f"unknown execution type {order.x[:60]!r} of order {order.c}")
        return (_order(order),)

    def _balances(self, name: str, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        account = self._account.decode(event)
        balances = tuple(BalanceReport(asset=each.a, free=finite(each.f), locked=finite(each.l)) for each in account.B)
        return (AccountReport(cause=name, balances=balances, time_ms=account.u),)

    def _transfer(self, event: bytes | msgspec.Raw) -> tuple[VenueEvent, ...]:
        update = self._balance.decode(event)
        transfer = Transfer(asset=update.a, amount=finite(update.d))
        return (AccountReport(cause="balanceUpdate", transfer=transfer, time_ms=update.T),)


def order_event(status: str) -> OrderEvent:
    """What the status of an order means. Raises Unreadable for an unknown one."""
    event = ORDER_STATUS.get(status)
    if event is None:
        raise Unreadable(f"unknown order status {status[:60]!r}")
    return event


def _client_id(order: wire.Execution) -> str:
    """The order's own id: after a cancel or a replacement `c` is the id of that request, and `C` the order's."""
    return order.C or order.c


def _execution(order: wire.Execution) -> ExecutionReport:
    order_event(order.X)
    if order.t < 0:
        raise Unreadable(f"a trade of order {order.c} without a trade id: it cannot be told from a repetition")
    if not finite(order.l) > 0:
        raise Unreadable(f"trade {order.t} of order {order.c} has the quantity {order.l}")
    execution = Execution(
        symbol=order.s,
        trade_id=str(order.t),
        venue_order_id=str(order.i),
        side=side(order.S),
        price=finite(order.L),
        quantity=order.l,
        client_id=_client_id(order),
        commission=finite(order.n) if order.n is not None else Decimal(0),
        commission_asset=order.N or "",
        maker=order.m,
        time_ms=order.T,
    )
    return ExecutionReport(execution=execution, filled=finite(order.z), final=order.X == "FILLED")


def _order(order: wire.Execution) -> OrderReport:
    filled, cost = finite(order.z), finite(order.Z)
    reason = order.eR or ("" if order.r == "NONE" else order.r)
    if order.X == "EXPIRED_IN_MATCH":
        reason = reason or "self-trade prevention"
    return OrderReport(
        symbol=order.s,
        client_id=_client_id(order),
        venue_id=str(order.i),
        event=order_event(order.X),
        side=side(order.S),
        order_type=order.o,
        quantity=finite(order.q),
        filled=filled,
        price=finite(order.p) or None,
        average_price=cost / filled if filled else None,
        reason=reason,
        time_ms=order.T,
    )

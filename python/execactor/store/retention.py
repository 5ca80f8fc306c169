"""What an engine that runs for long may forget: the journal keeps everything, memory the last day and what goes on."""

from collections.abc import Collection, Iterable

from execactor.store.recovery import SymbolHistory

Keys = frozenset[tuple[str, str]]

DAY_MS = 24 * 3_600_000
LOOK_BACK_MS = 60_000
"""How far before a time that we know trades are asked for: clocks differ, and a fill may come before its answer."""


def horizon_ms(history: SymbolHistory, unsettled: Iterable[str], now_ms: int) -> int:
    """The venue time before which trades are neither asked for nor told any more.

    unsettled: client ids of orders whose fills may still be looked for, from the time at which they were sent.
    """
    sent_ms = [history.sent_wall_ns[name] // 1_000_000 for name in unsettled if name in history.sent_wall_ns]
    return min(now_ms - DAY_MS, *(known_ms - LOOK_BACK_MS for known_ms in (history.last_trade_ms, *sent_ms)))


def forget(history: SymbolHistory, *, kept: Collection[str], before_ms: int) -> Keys:
    """Drop orders and executions that nothing needs any more; returns the keys of the executions.

    kept: client ids of orders that are still of interest. before_ms: venue time before which no listing of trades is
    asked for any more. Whatever belongs to the present plan stays, however long ago it was.
    """
    plan_key = None if history.plan is None else history.plan.key
    for client_id, order in list(history.orders.items()):
        if client_id not in kept and not order.live and order.intent.decision_key != plan_key:
            del history.orders[client_id]
            history.sent_wall_ns.pop(client_id, None)
            history.ended_wall_ns.pop(client_id, None)
    present = {execution.key for _, execution in history.executions}
    gone = frozenset(key for key, time_ms in history.booked.items() if time_ms < before_ms and key not in present)
    for key in gone:
        del history.booked[key]
    history.strays -= gone
    return gone

"""What a client of the control socket may ask: one function a method, engine and parameters in, plain nouns out."""

import os
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from execactor import __version__
from execactor.domain.errors import ExecactorError, RetryLater, VenueFatal
from execactor.domain.order import Order, OrderState, OrderType, Role
from execactor.domain.side import Side
from execactor.reconcile.findings import Finding, FindingKind

if TYPE_CHECKING:
    from execactor.engine import Engine

_MOST_FILLS = 10_000
_ASKED_BY_A_PERSON = "asked for by a person"


class Refused(ExecactorError):
    """The engine will not do it, and why."""


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order for people: base units, prices in quote per base."""

    client_id: str
    symbol: str
    role: Role
    side: Side
    type: OrderType
    state: OrderState
    quantity: Decimal | None
    filled: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    average_price: Decimal | None
    live: bool
    reason: str


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The method takes none."""


class WithReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """reason: what a person will read later."""

    reason: str


class WhichOrders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """live: only those that may still trade."""

    live: bool = False


class WhichFills(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """limit: the newest so many."""

    limit: int = 1_000


class DecisionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """body: a decision.json, as text."""

    body: str


class HowToReconcile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dry_run: only tell what differs."""

    dry_run: bool = False


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A difference for people. symbol: empty when this engine does not trade it. action: what a comparison would do."""

    symbol: str
    kind: FindingKind
    subject: str
    detail: str
    action: str

    @classmethod
    def of(cls, finding: Finding) -> "FindingRow":
        """A finding with what would be done about it."""
        return cls(
            symbol=finding.symbol,
            kind=finding.kind,
            subject=finding.subject,
            detail=finding.detail,
            action=finding.kind.action,
        )


class From(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """after: sequence number of the last journal record that is known already."""

    after: int = 0


async def _ping(engine: "Engine", _params: NoParams) -> Any:
    return {"pid": os.getpid(), "version": __version__, "state": engine.state}


async def _status(engine: "Engine", _params: NoParams) -> Any:
    return {"pid": os.getpid(), "version": __version__, **await engine.status()}


async def _positions(engine: "Engine", _params: NoParams) -> Any:
    return await engine.positions()


async def _orders(engine: "Engine", params: WhichOrders) -> Any:
    return [_row(order) for order in await engine.orders() if order.live or not params.live]


async def _trades(engine: "Engine", _params: NoParams) -> Any:
    return engine.trades()


async def _fills(engine: "Engine", params: WhichFills) -> Any:
    limit = min(max(params.limit, 0), _MOST_FILLS)
    return engine.fills()[-limit:] if limit else []


async def _report(engine: "Engine", _params: NoParams) -> Any:
    """What the checker compares with the venue's log (docs/checker.md)."""
    trade_ids: dict[str, list[str]] = {}
    for fill in engine.fills():
        trade_ids.setdefault(fill.execution.symbol, []).append(fill.execution.trade_id)
    return {
        "positions": {view.symbol: f"{view.position.quantity:f}" for view in await engine.positions()},
        "trade_ids": trade_ids,
        "open_orders": [order.client_id for order in await engine.orders() if order.live],
        "trades": engine.trades(),
    }


async def _account(engine: "Engine", _params: NoParams) -> Any:
    return await engine.account_status()


async def _kill(engine: "Engine", params: WithReason) -> Any:
    engine.kill(params.reason)
    return await engine.account_status()


async def _resume(engine: "Engine", params: WithReason) -> Any:
    refusal = await engine.resume(params.reason)
    if refusal is not None:
        raise Refused(refusal)
    return await engine.account_status()


async def _decide(engine: "Engine", params: DecisionBody) -> Any:
    try:
        decision = await engine.submit_decision(params.body.encode())
    except ValueError as error:
        raise Refused(str(error)) from None
    return {"key": decision.key, "symbol": decision.symbol, "action": decision.action}


def _row(order: Order) -> OrderRow:
    intent = order.intent
    return OrderRow(
        client_id=order.client_id,
        symbol=intent.symbol,
        role=intent.role,
        side=intent.side,
        type=intent.type,
        state=order.state,
        quantity=intent.quantity,
        filled=order.filled,
        price=intent.price,
        trigger_price=intent.trigger_price,
        average_price=order.average_price,
        live=order.live,
        reason=order.reason,
    )


async def _reconcile(engine: "Engine", params: HowToReconcile) -> Any:
    try:
        if params.dry_run:
            return [FindingRow.of(finding) for finding in await engine.difference()]
        return await engine.reconcile(_ASKED_BY_A_PERSON)
    except (RetryLater, VenueFatal) as error:
        raise Refused(f"the venue does not answer: {error}") from None
    except TimeoutError:
        raise Refused("the comparison has not ended yet: the venue does not answer, or nothing settles") from None


Method = Callable[["Engine", Any], Awaitable[Any]]

METHODS: Mapping[str, tuple[type[msgspec.Struct], Method]] = {
    "ping": (NoParams, _ping),
    "status": (NoParams, _status),
    "positions": (NoParams, _positions),
    "orders": (WhichOrders, _orders),
    "trades": (NoParams, _trades),
    "fills": (WhichFills, _fills),
    "report": (NoParams, _report),
    "account": (NoParams, _account),
    "kill": (WithReason, _kill),
    "resume": (WithReason, _resume),
    "decide": (DecisionBody, _decide),
    "reconcile": (HowToReconcile, _reconcile),
}

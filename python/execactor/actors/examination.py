"""A dry run: what a comparison with the venue would find now, asked of the actors that own the state."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from execactor.actors.context import Context
from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.reconcile.findings import Finding
from execactor.reconcile.survey import Surveyed, outside
from execactor.runtime.future import as_awaitable
from execactor.store.retention import LOOK_BACK_MS


class ExamineOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Asks an OrderActor for a Surveyed of its symbol's part of a snapshot."""

    snapshot: VenueSnapshot


class ExaminePosition(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a PositionActor for its findings; unbooked: by how much missed executions would change our position."""

    position: VenuePosition
    unbooked: Decimal


def trades_since(context: Context, symbols: Iterable[str]) -> dict[str, int]:
    """Where to look for missed executions: a little before the last one that we know of, or the journal's beginning."""
    return {
        symbol: max(context.last_trade_ms.get(symbol, 0) - LOOK_BACK_MS, context.journal.created_venue_ms)
        for symbol in symbols
    }


async def difference(context: Context) -> list[Finding]:
    """All findings of a comparison made now, of which none is acted upon. Raises RetryLater or VenueFatal."""
    symbols = context.settings.symbols
    snapshot = await context.venue.snapshot(symbols, trades_since(context, symbols))
    findings = outside(symbols, snapshot)
    for symbol in symbols:
        part = snapshot.of(symbol)
        position = part.positions[0] if part.positions else flat(symbol)
        surveyed: Surveyed = await as_awaitable(context.orders[symbol].ask(ExamineOrders(snapshot=part), block=False))
        findings += surveyed.findings
        question = ExaminePosition(position=position, unbooked=surveyed.unbooked)
        findings += await as_awaitable(context.positions[symbol].ask(question, block=False))
    return findings


def flat(symbol: str) -> VenuePosition:
    """A position that the venue does not list."""
    return VenuePosition(symbol=symbol, quantity=Decimal(0), entry_price=Decimal(0))

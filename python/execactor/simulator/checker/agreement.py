"""At the end: do the venue and the engine's final report tell the same story?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .client_ids import Names
from .episodes import Trade
from .events import AlgoChange, Fill, Note, OrderChange
from .fields import decimal_of
from .invariants import Finding, at_line
from .ledger import Ledger, plain

_ZERO = Decimal(0)
_FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
_PNL_TOLERANCE = Decimal("0.000001")

Order = OrderChange | AlgoChange


def leftovers(
    live: Mapping[str, Order], positions: Mapping[str, Decimal], names: Names, known: Iterable[str]
) -> list[str]:
    """Our orders that outlived their position; an entry that waits is none when the engine knows of it (`known`)."""
    waiting = set(known)
    found: list[str] = []
    for client_id, order in sorted(live.items()):
        name = names.parse(client_id)
        stuck = order.status == "TRIGGERING"  # it hangs at the venue, which lets nobody cancel it
        if name is None or stuck or positions.get(order.symbol) or (name.opens and client_id in waiting):
            continue
        found.append(f"{client_id} is open at the end with no {order.symbol} position")
    return found


def disagreements(
    report: Mapping[str, Any], ledger: Ledger, live: Mapping[str, Order], trades: Sequence[Trade], names: Names
) -> list[str]:
    """What the engine's report says differently; a part the report leaves out is not compared.

    Raises ValueError when the report itself is malformed.
    """
    found: list[str] = []
    if "positions" in report:
        found += _positions(report["positions"], ledger)
    if "trade_ids" in report:
        found += _executions(report["trade_ids"], [movement.fill for movement in ledger.movements], names)
    if "open_orders" in report:
        found += _open_orders(set(report["open_orders"]), {client_id for client_id in live if names.ours(client_id)})
    if "trades" in report:
        mixed = {fill.symbol for fill in (movement.fill for movement in ledger.movements) if _by_hand(fill, names)}
        told = [trade for trade in report["trades"] if trade["symbol"] not in mixed]
        found += _results(told, [trade for trade in trades if trade.ours and trade.symbol not in mixed])
    return found


def _by_hand(fill: Fill, names: Names) -> bool:
    """Whether somebody else traded: what of the result is ours is then a matter of opinion. The venue's own is not."""
    return not (names.ours(fill.client_id) or fill.client_id.startswith(_FORCED))


def digests(report: Mapping[str, Any], notes: Iterable[Note]) -> list[Finding]:
    """The state that lived beside the state that the journal replays to (I8).

    From every note "state digest" with `live` and `replayed`, and from the report's live_digest and replayed_digest.
    """
    told = [note for note in notes if note.text == "state digest"]
    pairs = [(note.line, note.fields.get("live"), note.fields.get("replayed")) for note in told]
    if "live_digest" in report or "replayed_digest" in report:
        pairs.append((0, report.get("live_digest"), report.get("replayed_digest")))
    return [
        at_line("I8", line, f"the state that lived is {live}, the journal replays to {replayed}")
        for line, live, replayed in pairs
        if live != replayed or live is None
    ]


def _positions(reported: Mapping[str, Any], ledger: Ledger) -> list[str]:
    venue = ledger.positions()
    engine = {symbol: decimal_of(quantity, f"positions.{symbol}") for symbol, quantity in reported.items()}
    return [
        f"{symbol}: the venue holds {plain(venue.get(symbol, _ZERO))}, the engine {plain(engine.get(symbol, _ZERO))}"
        for symbol in sorted(venue.keys() | engine.keys())
        if venue.get(symbol, _ZERO) != engine.get(symbol, _ZERO)
    ]


def _executions(reported: Any, fills: Sequence[Fill], names: Names) -> list[str]:
    """Each of our fills exactly once; a flat list cannot tell symbols apart, so ids are counted."""
    by_symbol = isinstance(reported, Mapping)
    pairs = [(symbol, i) for symbol, ids in reported.items() for i in ids] if by_symbol else [("", i) for i in reported]
    engine = Counter((symbol, int(trade_id)) for symbol, trade_id in pairs)
    venue: Counter[tuple[str, int]] = Counter()
    ours: Counter[tuple[str, int]] = Counter()
    for fill in fills:
        key = (fill.symbol if by_symbol else "", fill.trade_id)
        venue[key] += 1
        ours[key] += names.ours(fill.client_id)
    found: list[str] = []
    for key in sorted(venue.keys() | engine.keys()):
        what = f"trade {key[1]}{' of ' + key[0] if key[0] else ''}"
        if engine[key] < ours[key]:
            found.append(f"{what} is unknown to the engine")
        elif not venue[key]:
            found.append(f"{what} is known to the engine, but the venue never made it")
        elif engine[key] > venue[key]:
            found.append(f"{what} is known to the engine {engine[key]} times")
    return found


def _open_orders(engine: set[str], venue: set[str]) -> list[str]:
    unknown = [f"{client_id} is open at the venue but not at the engine" for client_id in sorted(venue - engine)]
    return unknown + [f"{client_id} is open at the engine but not at the venue" for client_id in sorted(engine - venue)]


def _results(reported: Sequence[Mapping[str, Any]], trades: Sequence[Trade]) -> list[str]:
    """Closed trades per symbol, in order, by their profit net of fees."""
    engine: dict[str, list[Decimal]] = {}
    for trade in reported:
        engine.setdefault(str(trade["symbol"]), []).append(decimal_of(trade["pnl"], "trades[].pnl"))
    venue: dict[str, list[Decimal]] = {}
    for closed in trades:
        venue.setdefault(closed.symbol, []).append(Decimal(closed.pnl))
    found: list[str] = []
    for symbol in sorted(engine.keys() | venue.keys()):
        ours, theirs = engine.get(symbol, []), venue.get(symbol, [])
        if len(ours) != len(theirs):
            found.append(f"{symbol}: {len(theirs)} trades closed at the venue, {len(ours)} at the engine")
        for number, (pnl, truth) in enumerate(zip(ours, theirs, strict=False), start=1):
            if abs(pnl - truth) > _PNL_TOLERANCE:
                found.append(f"{symbol}: trade {number} made {plain(truth)} at the venue, {plain(pnl)} at the engine")
    return found

"""The engine's books beside the venue's: every trade of ours once, as it was made; the same position (I2, I10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .events import Fill
from .evidence import Evidence
from .invariants import Finding, at_line, at_record
from .journal_records import Booked, BooksClosed, Fact, PositionTaken
from .ledger import plain

_ZERO = Decimal(0)
Trade = tuple[str, int]


@dataclass(slots=True)
class Books:
    """What the journal says is held. booked: trades and when; strays: booked as nobody's. symbols: it speaks of."""

    held: dict[str, Decimal] = field(default_factory=dict)
    booked: dict[Trade, Booked] = field(default_factory=dict)
    strays: set[Trade] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def apply(self, fact: Fact) -> None:
        """Book one record."""
        if isinstance(fact, Booked):
            self._book(fact)
        elif isinstance(fact, PositionTaken):
            self.held[fact.symbol] = fact.quantity
        elif isinstance(fact, BooksClosed):
            held = self.held.get(fact.symbol, _ZERO)
            if held:
                text = f"the books of {fact.key} are closed while {plain(held)} {fact.symbol} is held"
                self.findings.append(at_record("I2", fact.seq, text))
            self.held[fact.symbol] = _ZERO

    def _book(self, fact: Booked) -> None:
        trade = fact.symbol, fact.trade_id
        what = f"trade {fact.trade_id} of {fact.symbol}"
        if fact.attributed:
            if trade not in self.strays:
                self.findings.append(
                    at_record("I10", fact.seq, f"{what} is attributed, and was booked as nobody's never")
                )
            self.strays.discard(trade)
            return
        if trade in self.booked:
            text = f"{what} is booked again, after record {self.booked[trade].seq}"
            self.findings.append(at_record("I10", fact.seq, text))
        self.booked.setdefault(trade, fact)
        if not fact.client_id:
            self.strays.add(trade)
        self.held[fact.symbol] = self.held.get(fact.symbol, _ZERO) + fact.side * fact.quantity


def judge_bookings(evidence: Evidence) -> Iterator[Finding]:
    """Compare the journal's trades with the venue's; the rest only once faults are over, when they must agree."""
    if evidence.journal is None:
        return
    books = Books()
    for fact in evidence.journal.facts:
        books.apply(fact)
    yield from books.findings
    fills = {(event.symbol, event.trade_id): event for event in evidence.of(Fill)}
    yield from _truth(books, fills)
    calm = evidence.calm
    if calm is None:
        return
    for trade, fill in fills.items():
        if evidence.names.ours(fill.client_id) and trade not in books.booked and calm.too_long(fill.t):
            yield at_line(
                "I10", fill.line, f"trade {fill.trade_id} of {fill.symbol} ({fill.client_id}) is never booked"
            )
    last = {fill.symbol: fill for fill in fills.values()}
    venue = evidence.ledger.positions()
    for symbol, held in sorted(books.held.items()):
        theirs = venue.get(symbol, _ZERO)
        if held != theirs and calm.too_long(last[symbol].t if symbol in last else 0):
            text = f"{symbol}: the venue holds {plain(theirs)} at the end, the journal {plain(held)}"
            yield at_line("I2", calm.over.line, text)


def longest_unbooked_ns(evidence: Evidence) -> int:
    """The longest that a trade of ours waited to be booked; 0 without a journal."""
    if evidence.journal is None:
        return 0
    made = {(event.symbol, event.trade_id): event.t for event in evidence.of(Fill)}
    waits = [
        fact.t - made[fact.symbol, fact.trade_id]
        for fact in evidence.journal.of(Booked)
        if (fact.symbol, fact.trade_id) in made and fact.client_id
    ]
    return max(waits, default=0)


def _truth(books: Books, fills: dict[Trade, Fill]) -> Iterator[Finding]:
    for trade, fact in books.booked.items():
        fill = fills.get(trade)
        what = f"trade {fact.trade_id} of {fact.symbol}"
        if fill is None:
            yield at_record("I10", fact.seq, f"{what} is booked, and the venue never made it")
        elif fact.after < fill.line and fact.t < fill.t:
            yield at_record("I10", fact.seq, f"{what} is booked before the venue made it (line {fill.line})")
        elif (fact.side, fact.quantity, fact.price) != (fill.side, fill.quantity, fill.price):
            made = f"{plain(fill.side * fill.quantity)} at {plain(fill.price)}"
            booked = f"{plain(fact.side * fact.quantity)} at {plain(fact.price)}"
            yield at_record("I10", fact.seq, f"{what} is booked as {booked}, and the venue made {made}")
        elif fact.client_id and fact.client_id != fill.client_id:
            yield at_record("I10", fact.seq, f"{what} is booked on {fact.client_id}, and was of {fill.client_id}")

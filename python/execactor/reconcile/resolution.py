"""Resolution of doubt about one order: what to ask next, and when the venue's evidence is enough.

An entry in UNKNOWN gets no successor until request time + receive window + 1 s has passed and three "no such order"
answers, the open orders and the trades agree that it never lived (ARCHITECTURE section 4, Ids).
"""

import msgspec

MS = 1_000_000
SECOND = 1_000 * MS
NOT_FOUND_NEEDED = 3
MARGIN_NS = SECOND
LONGEST_LAG_NS = 60 * SECOND


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """An order that we are not sure of.

    sent_wall_ns: when the request was journaled. confirmed: the venue acknowledged it once. verified: it was shown
    once, so that its absence now means something.
    """

    client_id: str
    sent_wall_ns: int
    confirmed: bool = False
    verified: bool = False
    not_found: int = 0
    unanswered: int = 0


class AskAgain(msgspec.Struct, frozen=True):
    """Query the order again after `delay_ns`."""

    delay_ns: int


class Prove(msgspec.Struct, frozen=True):
    """Ask for open orders and trades: do they agree that it does not live?"""


Next = AskAgain | Prove


def after_not_found(doubt: Doubt, *, now_wall_ns: int, receive_window_ms: int) -> tuple[Doubt, Next]:
    """The venue said "no such order"."""
    doubt = msgspec.structs.replace(doubt, not_found=doubt.not_found + 1)
    # Listings lag by up to 40 s behind an acknowledgement (freqtrade issue 12681): absence proves nothing before.
    lag_ns = LONGEST_LAG_NS if doubt.confirmed and not doubt.verified else 0
    safe_ns = doubt.sent_wall_ns + max(receive_window_ms * MS + MARGIN_NS, lag_ns)
    if doubt.not_found >= NOT_FOUND_NEEDED and now_wall_ns >= safe_ns:
        return doubt, Prove()
    return doubt, AskAgain(min(50 * MS << min(doubt.not_found - 1, 4), 500 * MS))


def after_no_answer(doubt: Doubt) -> tuple[Doubt, Next]:
    """The query itself failed: the order stays in doubt, however long it takes."""
    doubt = msgspec.structs.replace(doubt, unanswered=doubt.unanswered + 1)
    return doubt, AskAgain(min(100 * MS << min(doubt.unanswered - 1, 5), 2 * SECOND))


def evidence_agrees(*, listed: bool, unattributed_trades: int) -> bool:
    """Whether open orders do not list it and there is no trade of an order that we cannot name."""
    return not listed and unattributed_trades == 0

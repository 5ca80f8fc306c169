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
GROWN_NS = 5 * SECOND
LONGEST_PAUSE_NS = 200 * MS
"""Between questions while the doubt is young: so much and a round trip after the venue can tell, the truth is known."""

LONGEST_PAUSE_OLD_NS = 500 * MS


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """An order that we are not sure of.

    sent_wall_ns: when the request was journaled, to look for its trades. sent_ns: the same in monotonic time, as far as
    it is known. begun_ns: monotonic time at which the doubt began; the request had left by then, so that its receive
    window is measured from here and no step of the wall clock can shorten it. acknowledged_ns: monotonic time by which
    the venue had acknowledged it; None: it never did. verified: it was shown once, so that its absence means something
    as soon as listings must show it. risky: it may increase risk. told: a person knows.
    """

    client_id: str
    sent_wall_ns: int
    sent_ns: int
    begun_ns: int
    acknowledged_ns: int | None = None
    verified: bool = False
    not_found: int = 0
    unanswered: int = 0
    risky: bool = False
    told: bool = False


class AskAgain(msgspec.Struct, frozen=True):
    """Query the order again after `delay_ns`."""

    delay_ns: int


class Prove(msgspec.Struct, frozen=True):
    """Ask for open orders and trades: do they agree that it does not live?"""


Next = AskAgain | Prove


def after_not_found(doubt: Doubt, *, now_ns: int, receive_window_ms: int) -> tuple[Doubt, Next]:
    """The venue said "no such order"."""
    doubt = msgspec.structs.replace(doubt, not_found=doubt.not_found + 1)
    window_ns = receive_window_ms * MS + MARGIN_NS
    age_ns = now_ns - doubt.begun_ns
    if doubt.verified:
        proves = now_ns - doubt.sent_ns >= window_ns
    elif doubt.acknowledged_ns is None:
        proves = age_ns >= window_ns
    else:
        # Listings lag by up to 40 s behind an acknowledgement (freqtrade issue 12681): absence proves nothing before.
        proves = now_ns - doubt.acknowledged_ns >= LONGEST_LAG_NS
    if doubt.not_found >= NOT_FOUND_NEEDED and proves:
        return doubt, Prove()
    longest_ns = LONGEST_PAUSE_NS if age_ns < GROWN_NS else LONGEST_PAUSE_OLD_NS
    return doubt, AskAgain(min(50 * MS << min(doubt.not_found - 1, 4), longest_ns))


def grown(doubt: Doubt, now_ns: int) -> bool:
    """Whether we may hold a position for so long without knowing that a person should, and no other entry be made.

    Orders that only reduce risk have rules of their own for the time without an answer (tactics/protection.py).
    """
    return doubt.risky and now_ns - doubt.begun_ns >= GROWN_NS


def after_no_answer(doubt: Doubt) -> tuple[Doubt, Next]:
    """The query itself failed: the order stays in doubt, however long it takes."""
    doubt = msgspec.structs.replace(doubt, unanswered=doubt.unanswered + 1)
    return doubt, AskAgain(min(100 * MS << min(doubt.unanswered - 1, 5), 2 * SECOND))


def evidence_agrees(*, listed: bool, unattributed_trades: int) -> bool:
    """Whether open orders do not list it and there is no trade of an order that we cannot name."""
    return not listed and unattributed_trades == 0

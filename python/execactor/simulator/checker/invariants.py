"""The catalogue of what is checked: an id and a sentence each. Every finding names the one that it breaks.

I1 to I15 are the invariants of the specification (ecosystem.md 5.2), A1 to A8 contracts of ARCHITECTURE section 4.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

CHECKS: Mapping[str, str] = {
    "I1": "a decision has one live entry at most, and never enters twice or beyond its quantity",
    "I2": "fills, position and the engine's books are the same quantity",
    "I3": "a position has working stops for all of it within 2 s, else SAFE MODE and a critical alert",
    "I4": "a stop never moves to risk more",
    "I5": "after the HALT no order that can take risk leaves",
    "I6": "the limits hold, orders under way included",
    "I7": "an order is journaled as it is sent, before it is sent, in a journal without holes or changes",
    "I8": "what the journal replays to is the state that lived",
    "I9": "orders move as the state table allows, and an ended one stays ended",
    "I10": "every trade of ours is booked, once, as the venue made it",
    "I11": "reconciliation agrees with the venue within three rounds, and then finds nothing",
    "I12": "a minute after the last fault everything is at rest and consistent",
    "I13": "requests stay within the venue's limits, bans and asked pauses; repetitions are bounded",
    "I14": "a client id follows the scheme and is used for one request",
    "I15": "a decision older than 10 minutes opens nothing",
    "A1": "foreign orders are never touched, and every order carries our name",
    "A2": "an exit cancels what rests of the entry first",
    "A3": "the kill sequence cancels stops last",
    "A4": "two tightened stops stand for the same units for 2 s at most",
    "A5": "what stopped trading lasts until a person resumes",
    "A6": "an entry in doubt has no successor before it is proven absent",
    "A7": "a closing order closes, and no more",
    "A8": "an entry fills on its decision's side",
}

Where = Literal["line", "record"]


class Finding(NamedTuple):
    """One breach. number: the line of the venue log (where "line") or the journal's sequence number ("record")."""

    where: Where
    number: int
    check: str
    text: str

    def __str__(self) -> str:
        """One sentence for people."""
        return f"{self.where} {self.number} [{self.check}]: {self.text}"


def at_line(check: str, line: int, text: str) -> Finding:
    """A breach that the venue log shows."""
    return Finding("line", line, check, text)


def at_record(check: str, seq: int, text: str) -> Finding:
    """A breach that the journal shows."""
    return Finding("record", seq, check, text)

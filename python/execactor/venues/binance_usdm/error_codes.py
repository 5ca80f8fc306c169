"""Every error code that the adapter knows, with its reaction: one table (fact sheet sections 5 and 2.3).

A code that is not in the table gets the safest reading: Unknown with a status of 5xx, Rejected with 4xx.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from execactor.domain.errors import ExecactorError, RetryLater, VenueFatal
from execactor.domain.order import RejectCause
from execactor.domain.reports import NotFound, Rejected, Unknown


class Reaction(StrEnum):
    """What a refusal proves, and what to do about it."""

    REJECT = "REJECT"
    """Certainly not executed, and the same request would be refused again."""
    RETRY = "RETRY"
    """Certainly not executed; the cause passes."""
    RESEND = "RESEND"
    """Certainly not executed: measure the clocks, then send once more under the same client id."""
    REFIT = "REFIT"
    """Certainly not executed: the rules for prices and sizes have changed. Read them, adjust, and send once more."""
    UNKNOWN = "UNKNOWN"
    """May have been executed."""
    NOT_FOUND = "NOT_FOUND"
    """The venue says that it knows no such order."""
    ALREADY = "ALREADY"
    """The account is set that way already."""
    NEW_LISTEN_KEY = "NEW_LISTEN_KEY"
    """The private stream needs another key."""
    FATAL = "FATAL"
    """Not executed, and nothing that takes risk will be until a person looks."""


class Rule(msgspec.Struct, frozen=True):
    """What a code means. retry_after_ms: for RETRY."""

    reaction: Reaction
    meaning: str
    cause: RejectCause = RejectCause.OTHER
    retry_after_ms: int = 0


def _reject(meaning: str, cause: RejectCause = RejectCause.OTHER) -> Rule:
    return Rule(Reaction.REJECT, meaning, cause)


def _retry(meaning: str, after_ms: int) -> Rule:
    return Rule(Reaction.RETRY, meaning, RejectCause.OVERLOADED, after_ms)


def _refit(meaning: str) -> Rule:
    return Rule(Reaction.REFIT, meaning)


def _fatal(meaning: str) -> Rule:
    return Rule(Reaction.FATAL, meaning, RejectCause.FATAL)


CODES: Mapping[int, Rule] = {
    -1000: Rule(Reaction.UNKNOWN, "unknown error while processing"),
    -1001: _retry("internal error, the request failed", 200),
    -1003: _retry("too many requests, or the address is banned", 1_000),
    -1006: Rule(Reaction.UNKNOWN, "unexpected response of the message bus: execution status unknown"),
    -1007: Rule(Reaction.UNKNOWN, "timeout in the backend: execution status unknown"),
    -1008: _retry("overloaded: throttled, reduce-only and cancels go first", 200),
    -1013: _refit("invalid message: a filter failed"),
    -1015: _retry("too many new orders in this window", 10_000),
    -1021: Rule(Reaction.RESEND, "timestamp outside of recvWindow"),
    -1022: _fatal("signature not valid: wrong secret or wrong encoding"),
    -1102: _reject("mandatory parameter missing or malformed"),
    -1104: _reject("not all parameters were read"),
    -1106: _reject("a parameter was sent that is not wanted"),
    -1111: _refit("more decimals than the symbol allows"),
    -1116: _reject("invalid order type"),
    -1121: _reject("invalid symbol"),
    -1125: Rule(Reaction.NEW_LISTEN_KEY, "this listenKey does not exist"),
    -1130: _reject("a parameter has a bad value"),
    -2010: _reject("new order rejected"),
    -2011: Rule(Reaction.NOT_FOUND, "unknown order: filled, cancelled, expired or never placed"),
    -2013: Rule(Reaction.NOT_FOUND, "the order does not exist"),
    -2014: _fatal("API key format invalid"),
    -2015: _fatal("API key, IP or permission invalid"),
    -2018: _reject("balance insufficient", RejectCause.RISK),
    -2019: _reject("margin insufficient", RejectCause.RISK),
    -2020: _reject("unable to fill", RejectCause.THIN_BOOK),
    -2021: _reject("the order would trigger immediately", RejectCause.WOULD_TRIGGER),
    -2022: _reject("reduce-only rejected", RejectCause.REDUCE_ONLY),
    -2023: _fatal("the account is being liquidated"),
    -2025: _reject("too many open orders", RejectCause.RISK),
    -2026: _reject("this order type cannot be reduce-only"),
    -2027: _reject("above the largest position at this leverage", RejectCause.RISK),
    -4014: _refit("price not on the tick"),
    -4015: _reject("client order id invalid or too long"),
    -4023: _refit("quantity not on the step"),
    -4045: _reject("too many conditional orders", RejectCause.RISK),
    -4046: Rule(Reaction.ALREADY, "margin type is set already"),
    -4059: Rule(Reaction.ALREADY, "position mode is set already"),
    -4061: _fatal("position side does not fit the account's mode"),
    -4087: _fatal("the account may only reduce"),
    -4088: _fatal("the account may not place orders"),
    -4116: Rule(Reaction.UNKNOWN, "duplicate client id: an order with it is open"),
    -4117: _retry("the stop is triggering: cancel the order that it becomes", 100),
    -4118: _reject("reduce-only margin check failed: another closing order rests", RejectCause.REDUCE_ONLY),
    -4120: _reject("conditional order types go to the algo service"),
    -4130: _reject("a close-position stop of this direction exists", RejectCause.STOP_EXISTS),
    -4131: _reject("the opposite best price is too far from the mark", RejectCause.THIN_BOOK),
    -4140: _reject("the symbol is not open for opening"),
    -4141: _reject("the symbol is closed"),
    -4142: _reject("the stop would trigger immediately", RejectCause.WOULD_TRIGGER),
    -4164: _reject("notional below the symbol's minimum"),
    -4192: _fatal("the account is cooling off"),
    -4400: _fatal("trading rules violated: the account may only reduce"),
    -4401: _fatal("large position rule: the account may only reduce"),
    -4402: _fatal("this feature is not available in your region"),
    -4403: _fatal("leverage not available in your region"),
    -4509: _reject("no position to close", RejectCause.NO_POSITION),
    -4531: _fatal("position mode must be synchronised between USDⓈ-M and COIN-M first"),
    -5021: _reject("fill-or-kill could not be filled", RejectCause.THIN_BOOK),
    -5022: _reject("post-only would have taken"),
    -5024: _reject("modify rejected, the order is unchanged"),
    -5025: _reject("only limit orders can be modified, the order is unchanged"),
    -5026: _reject("too many modifications, the order is unchanged"),
    -5027: _reject("nothing to modify, the order is unchanged"),
    -5028: Rule(Reaction.RESEND, "timestamp outside of recvWindow at the matching engine"),
    -5029: _reject("modify rejected, the order is unchanged"),
    -5037: _reject("priceMatch invalid"),
    -5038: _reject("priceMatch not possible for this order type"),
    -5039: _reject("self-trade prevention mode invalid"),
    -5040: _reject("goodTillDate invalid"),
    -5041: _reject("no best bid or offer of that depth"),
    -5043: _reject("a modification is pending, the order is unchanged"),
    -5047: _reject("reduceOnly differs from the original order, the order is unchanged"),
}

_SERVICE_UNAVAILABLE: tuple[tuple[str, Rule], ...] = (
    ("unknown error, please check your request", Rule(Reaction.UNKNOWN, "503: execution status unknown")),
    ("service unavailable", _retry("503: service unavailable, the request failed", 200)),
    ("internal error; unable to process your request", _retry("503: internal error, the request failed", 200)),
    ("request throttled by system-level protection", _retry("503: throttled, the request failed", 200)),
)
"""The four meanings of HTTP 503, by the beginning of the message."""

_STATUSES: Mapping[int, Rule] = {
    408: Rule(Reaction.UNKNOWN, "timeout in the backend: execution status unknown"),
    418: _retry("the address is banned", 120_000),
    429: _retry("too many requests", 1_000),
}

_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_BAN_MARGIN_MS = 50
"""Our measure of the venue's clock is not exact, and a request that comes too early makes the ban longer."""


def rule_for(status: int, code: int, message: str) -> Rule:
    """The reaction to a refusal. The status decides for 429, 418 and 503, whose codes say less; else the code does."""
    if status == 503:
        text = message.lower()
        return next((rule for start, rule in _SERVICE_UNAVAILABLE if text.startswith(start)), _by_code(status, code))
    if status in (418, 429) and code != -1015:
        return _STATUSES[status]
    return _by_code(status, code)


def _by_code(status: int, code: int) -> Rule:
    known = CODES.get(code) or _STATUSES.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:
        return Rule(Reaction.REJECT, f"refused with a code that is not in the table (HTTP {status})")
    return Rule(Reaction.UNKNOWN, f"HTTP {status}: execution status unknown")


class Refusal(ExecactorError):
    """An answer that is not the wished one.

    retry_after_ms: how long to wait. The end of a ban that the message names says it exactly; else the venue's
    Retry-After counts, else the table's default. now_ms: the venue's time; None while it is not known, so that the end
    of a ban tells nothing.
    """

    def __init__(self, status: int, code: int, message: str, *, now_ms: int | None, retry_after_ms: int = 0) -> None:
        self.status = status
        self.code = code
        self.rule = rule_for(status, code, message)
        self.retry_after_ms = retry_after_ms or self.rule.retry_after_ms
        banned = _BANNED_UNTIL.search(message)
        if banned is not None and now_ms is not None:
            self.retry_after_ms = max(0, int(banned.group(1)) - now_ms) + _BAN_MARGIN_MS
        super().__init__(f"{self.rule.meaning} (HTTP {status}, code {code}: {message[:200]})")

    @property
    def stops_everything(self) -> bool:
        """Whether nothing at all may be sent for a while (429, 418)."""
        return self.status in (418, 429) and self.code != -1015

    @property
    def passes_at_once(self) -> bool:
        """Whether a read may be put again soon: it failed, or nobody knows; not when the venue counts our requests."""
        passing = self.rule.reaction in (Reaction.RETRY, Reaction.UNKNOWN)
        return passing and self.code not in (-1003, -1015) and not self.stops_everything

    def as_submit_result(self) -> Rejected | Unknown:
        """What it means for a new order."""
        if self.rule.reaction is Reaction.UNKNOWN:
            return Unknown(reason=self.rule.meaning if self.code == -4116 else str(self))
        return self._rejected()

    def as_cancel_result(self) -> Rejected | NotFound | Unknown:
        """What it means for a cancel."""
        match self.rule.reaction:
            case Reaction.NOT_FOUND:
                return NotFound(reason=str(self))
            case Reaction.UNKNOWN:
                return Unknown(reason=str(self))
            case _:
                return self._rejected()

    def as_error(self) -> RetryLater | VenueFatal:
        """What it means for a reading or for the setup of the account: an error to raise."""
        match self.rule.reaction:
            case Reaction.RETRY | Reaction.UNKNOWN | Reaction.RESEND:
                return RetryLater(str(self), self.retry_after_ms)
            case _:
                return VenueFatal(str(self))

    def _rejected(self) -> Rejected:
        retryable = self.rule.reaction in (Reaction.RETRY, Reaction.RESEND)
        return Rejected(
            reason=str(self),
            code=self.code,
            cause=self.rule.cause,
            retryable=retryable,
            retry_after_ms=self.retry_after_ms if retryable else 0,
        )

"""Private frames of Binance, whatever the market: envelopes, values, and that nothing is ever skipped in silence."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException, InvalidOperation

import msgspec

from execactor.domain.reports import UnreadableFrame, VenueEvent
from execactor.domain.side import Side

BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the JSON that was expected."""

_KEY_IN_FRAME = re.compile(rb'("(?:stream|listenKey)"\s*:\s*)"[^"]*"?')
_EXCERPT_BYTES = 240

Translate = Callable[[bytes | msgspec.Raw], tuple[VenueEvent, ...]]


class Unreadable(ValueError):
    """The frame parses but says something that has no translation."""


class StreamEnded(msgspec.Struct, frozen=True):
    """The venue sends nothing more on this stream: it has to be opened anew."""

    reason: str


class _Head(msgspec.Struct):
    """The outermost layer: an event, or one in the wrapper of a combined stream or of the WebSocket API."""

    e: str | None = None
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()


class FrameDecoder:
    """Translates the private frames of one account in one market.

    translate: by the event's name. counted: events that need no report. ends: events that end the stream, with the
    reason to give. Every other name is unreadable. counts: how many needed no report, by name, or were unreadable.
    """

    def __init__(self, translate: Mapping[str, Translate], *, counted: frozenset[str], ends: Mapping[str, str]) -> None:
        self._translate = translate
        self._counted = counted
        self._ends = ends
        self._head = msgspec.json.Decoder(_Head)
        self.counts: Counter[str] = Counter()

    def decode(self, frame: bytes) -> tuple[VenueEvent | StreamEnded, ...]:
        """The reports that a frame stands for, in order. Never raises: what cannot be read becomes UnreadableFrame."""
        try:
            return self._translated(frame)
        except (*BAD_JSON, Unreadable, DecimalException) as error:
            self.counts["unreadable"] += 1
            return (UnreadableFrame(reason=str(error), excerpt=excerpt(frame)),)

    def _translated(self, frame: bytes) -> tuple[VenueEvent | StreamEnded, ...]:
        head = self._head.decode(frame)
        event: bytes | msgspec.Raw = frame
        if head.e is None:
            event = head.event if head.stream is None else head.data
            head = self._head.decode(event)
        name = head.e
        if name is None:
            raise Unreadable("a private frame without an event name")
        translate = self._translate.get(name)
        if translate is not None:
            return translate(event)
        if name in self._counted:
            self.counts[name] += 1
            return ()
        if name in self._ends:
            return (StreamEnded(self._ends[name]),)
        raise Unreadable(f"unknown private event {name[:60]!r}")


def side(word: str) -> Side:
    """BUY or SELL. Raises Unreadable for another word."""
    try:
        return Side(word)
    except ValueError:
        raise Unreadable(f"unknown side {word[:60]!r}") from None


def number(text: str | None) -> Decimal:
    """A number that may be left out; then it is 0. Raises Unreadable for other text."""
    try:
        return finite(Decimal(text or 0))
    except InvalidOperation:
        raise Unreadable(f"{(text or '')[:60]!r} is not a number") from None


def finite(value: Decimal) -> Decimal:
    """The value itself. Raises Unreadable for an infinity or NaN, which would poison all sums."""
    if not value.is_finite():
        raise Unreadable(f"{value} is not a finite number")
    return value


def excerpt(frame: bytes) -> str:
    """The beginning of a frame for the log, without the listen key."""
    return _KEY_IN_FRAME.sub(rb'\1"***"', frame[: 2 * _EXCERPT_BYTES])[:_EXCERPT_BYTES].decode("utf-8", "replace")

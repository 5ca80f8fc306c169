"""Reads a venue log (JSON lines) into events in the venue's order, and says what is wrong with the file itself."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .decoding import decode
from .events import AlgoChange, Event, Fill, OrderChange
from .fields import MalformedError


@dataclass(frozen=True, slots=True)
class VenueLog:
    """A log as far as it could be read.

    events: in the order of the venue's sequence number `n`, not of the clock, which may step.
    kinds: how many lines of each kind. problems: contradictions of the format. notices: worth knowing, not wrong.
    """

    events: tuple[Event, ...]
    kinds: Mapping[str, int]
    problems: tuple[str, ...]
    notices: tuple[str, ...]


def read(lines: Iterable[str | Mapping[str, Any]]) -> VenueLog:
    """Parse `lines`; a truncated last line is a notice, every other unreadable line a problem."""
    problems: list[str] = []
    notices: list[str] = []
    bodies: list[tuple[int, Mapping[str, Any]]] = []
    torn: str | None = None
    for line, raw in enumerate(lines, start=1):
        if isinstance(raw, str) and not raw.strip():
            continue
        if torn is not None:
            problems.append(torn)
            torn = None
        body = _parse(raw)
        if body is None:
            torn = f"line {line}: not a JSON object"
        else:
            bodies.append((line, body))
    if torn is not None:
        notices.append(f"{torn}: the last line is truncated")
    if not bodies:
        problems.append("the log holds no records")
    events, malformed = _decode(_in_sequence(bodies, problems))
    problems.extend(malformed)
    kinds = Counter(str(body.get("kind")) for _, body in bodies)
    if bodies and not kinds["end"]:
        notices.append("the log has no end record: the venue was still running or was stopped hard")
    return VenueLog(tuple(events), kinds, tuple(problems), tuple(notices))


def _parse(raw: str | Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not isinstance(raw, str):
        return raw
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _in_sequence(
    bodies: list[tuple[int, Mapping[str, Any]]], problems: list[str]
) -> list[tuple[int, Mapping[str, Any]]]:
    """The lines sorted by `n`; a missing or repeated number means that the log is not the whole truth."""
    if all(body.get("n") == number for number, (_, body) in enumerate(bodies, start=1)):
        return bodies
    numbered: list[tuple[int, int, Mapping[str, Any]]] = []
    for line, body in bodies:
        n = body.get("n")
        if isinstance(n, int) and not isinstance(n, bool):
            numbered.append((n, line, body))
        else:
            problems.append(f"line {line}: n is {n!r}, not an integer")
    numbered.sort(key=lambda item: item[:2])
    expected = 1
    for n, line, _ in numbered:
        if n < expected:
            problems.append(f"line {line}: n {n} is used twice")
        elif n > expected:
            problems.append(f"line {line}: records {expected} to {n - 1} are missing")
        expected = max(expected, n + 1)
    return [(line, body) for _, line, body in numbered]


def _decode(bodies: list[tuple[int, Mapping[str, Any]]]) -> tuple[list[Event], list[str]]:
    """What a conditional order's trigger makes goes by that order's name, whatever the venue calls it."""
    events: list[Event] = []
    problems: list[str] = []
    conditional: dict[int, str] = {}
    children: dict[int, str] = {}
    for line, body in bodies:
        kind, t = body.get("kind"), body.get("t")
        if not isinstance(kind, str) or not isinstance(t, int):
            problems.append(f"line {line}: a record needs a kind and a time t, not {kind!r} and {t!r}")
            continue
        try:
            event = decode(kind, line, t, body)
        except MalformedError as error:
            problems.append(f"line {line}: {kind}: {error}")
            continue
        if isinstance(event, AlgoChange):
            conditional[event.algo_id] = event.client_id
        elif isinstance(event, OrderChange) and event.parent in conditional:
            children[event.order_id] = conditional[event.parent]
        if isinstance(event, OrderChange | Fill) and event.order_id in children:
            event = event._replace(client_id=children[event.order_id])
        if event is not None:
            events.append(event)
    return events, problems

"""Requests stay within the venue's limits, its bans and asked pauses, and repetitions are bounded (I13)."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .client_ids import Names
from .events import LIVE_ALGO, AlgoChange, Connection, Request, Response, Start
from .evidence import Evidence
from .invariants import Finding, at_line
from .requests import placed_id
from .restarts import ns

_NS_PER_S = 1_000_000_000
_WINDOWS: Mapping[str, int] = {"weight_1m": 60, "orders_1m": 60, "orders_10s": 10}
MOST_ENTRIES = 5
"""Orders sent to enter for one decision."""
MOST_OF_A_ROLE = 20
"""Orders sent for one decision and role within ten seconds."""
MOST_STOPS = 6
"""Base stops of one symbol that live at a time: one without an answer has a successor after 0.5 s, each life of the
engine begins anew, and not every venue refuses the second. A series that does not end has more (freqtrade issue 12610).
"""


@dataclass(slots=True)
class _Budget:
    """Counts in the venue's fixed windows, each exceeded one told once."""

    limits: Mapping[str, int] = field(default_factory=dict)
    used: Counter[tuple[str, int]] = field(default_factory=Counter)

    def spend(self, line: int, t: int, weight: int, orders: int) -> Iterator[Finding]:
        for name, most in self.limits.items():
            cost = weight if name == "weight_1m" else orders
            if not cost:
                continue
            window = name, t // _NS_PER_S // _WINDOWS[name]
            before = self.used[window]
            self.used[window] = before + cost
            if before <= most < before + cost:
                yield at_line("I13", line, f"{name} reaches {before + cost}, above the venue's limit {most}")


@dataclass(slots=True)
class _Pause:
    """The longest patience that the venue asked for. heard_ns: until then a request may have left before."""

    line: int = 0
    heard_ns: int = 0
    until_ns: int = 0


@dataclass(slots=True)
class _Repetitions:
    """How often orders are sent for one decision and role, and how many base stops live."""

    names: Names
    sent: dict[tuple[str, str], deque[int]] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)
    stops: dict[str, set[int]] = field(default_factory=dict)

    def send(self, line: int, t: int, client_id: str) -> Iterator[Finding]:
        name = self.names.parse(client_id)
        if name is None or not name.role:
            return
        times = self.sent.setdefault((name.role, name.key), deque())
        if not name.opens:
            while times and t - times[0] > 10 * _NS_PER_S:
                times.popleft()
        times.append(t)
        most = MOST_ENTRIES if name.opens else MOST_OF_A_ROLE
        if len(times) > most and (name.role, name.key) not in self.told:
            self.told.add((name.role, name.key))
            over = "in all" if name.opens else "in 10 s"
            yield at_line("I13", line, f"{client_id} is {name.role} order {most + 1} of decision {name.key} {over}")

    def stand(self, algo: AlgoChange) -> Iterator[Finding]:
        name = self.names.parse(algo.client_id)
        if name is None or name.role != "sl":
            return
        living = self.stops.setdefault(algo.symbol, set())
        before = len(living)
        (living.add if algo.status in LIVE_ALGO else living.discard)(algo.algo_id)
        if before == MOST_STOPS < len(living):
            yield at_line(
                "I13", algo.line, f"{algo.client_id} is the base stop {MOST_STOPS + 1} of {algo.symbol} that lives"
            )


def judge_patience(evidence: Evidence) -> Iterator[Finding]:
    """Judge every request against what the venue had said before it was sent."""
    budget, pause, repetitions = _Budget(), _Pause(), _Repetitions(evidence.names)
    grace = ns(evidence.allow.in_flight_s)
    for event in evidence.among(Request, Response, AlgoChange, Connection, Start):
        if isinstance(event, Request):
            yield from budget.spend(event.line, event.t, event.weight, event.orders)
            if pause.heard_ns < event.t < pause.until_ns:
                left = (pause.until_ns - event.t) // 1_000_000
                yield at_line(
                    "I13", event.line, f"{event.method} comes {left} ms before the pause of line {pause.line} ends"
                )
            client_id = placed_id(event)
            if client_id is not None:
                yield from repetitions.send(event.line, event.t, client_id)
        elif isinstance(event, Response) and event.retry_after_s is not None:
            until = event.t + ns(event.retry_after_s)
            if until > pause.until_ns:
                heard = pause.heard_ns if event.t < pause.until_ns else event.t + grace
                pause = _Pause(event.line, heard, until)
        elif isinstance(event, AlgoChange):
            yield from repetitions.stand(event)
        elif isinstance(event, Connection):
            yield from budget.spend(event.line, event.t, event.weight, 0)
        elif isinstance(event, Start):
            budget.limits = {name: most for name, most in event.limits.items() if name in _WINDOWS}

"""Impoliteness: what goes wrong between the venue and its client, drawn by seed or ordered through POST /sim/fault."""

import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec

from execactor.simulator.algos import AlgoOrder
from execactor.simulator.config import FaultProfile
from execactor.simulator.mischief import Split
from execactor.simulator.orders import Order
from execactor.simulator.outbox import Record

NAMES = frozenset(
    {
        "event_before_response",
        "response_before_event",
        "partial_fills",
        "cancel_races_fill",
        "http_503_executed",
        "http_503_failed",
        "executed_late",
        "ws_no_answer",
        "rest_timeout",
        "listing_lag_ms",
        "algo_ack_lost",
        "algo_stuck_triggering",
        "duplicate_event",
        "duplicate_request",
        "swap_events",
        "drop_event",
        "drop_depth",
        "user_stream_disconnect",
        "listen_key_expired",
        "garbled_private_frame",
        "reject_next",
        "http_429",
        "http_418",
    }
)

_FILTERS = ("kind", "role", "symbol")


class Habit(msgspec.Struct, frozen=True):
    """How often a fault strikes by itself, on which kinds of request (all when empty), and its options."""

    chance: float
    kinds: frozenset[str] = frozenset()
    options: Mapping[str, Any] = {}


_CHANGES = frozenset({"entry", "exit", "take_profit", "cancel"})

PROFILES: Mapping[FaultProfile, Mapping[str, Habit]] = {
    "none": {},
    "default": {
        "event_before_response": Habit(0.15),
        "response_before_event": Habit(0.15),
        "partial_fills": Habit(0.2),
        "cancel_races_fill": Habit(0.05),
        "http_503_executed": Habit(0.01),
        "http_503_failed": Habit(0.01),
        "ws_no_answer": Habit(0.005, _CHANGES),
        "rest_timeout": Habit(0.005, _CHANGES, {"executed": True}),
        "duplicate_event": Habit(0.02),
        "drop_depth": Habit(0.001),
        "user_stream_disconnect": Habit(0.002),
        "listen_key_expired": Habit(0.001),
        "garbled_private_frame": Habit(0.003),
        "http_429": Habit(0.002, frozenset({"query"})),
    },
    "rough": {
        "event_before_response": Habit(0.3, options={"delay_ms": 400}),
        "response_before_event": Habit(0.3, options={"delay_ms": 400}),
        "partial_fills": Habit(0.4),
        "cancel_races_fill": Habit(0.2),
        "http_503_executed": Habit(0.04),
        "http_503_failed": Habit(0.04),
        "ws_no_answer": Habit(0.03),
        "rest_timeout": Habit(0.02),
        "algo_ack_lost": Habit(0.03),
        "algo_stuck_triggering": Habit(0.05),
        "duplicate_event": Habit(0.1),
        "drop_depth": Habit(0.01),
        "user_stream_disconnect": Habit(0.01),
        "listen_key_expired": Habit(0.005),
        "garbled_private_frame": Habit(0.02, options={"replace": True}),
        "http_429": Habit(0.01),
        "http_418": Habit(0.001),
    },
}

LISTING_LAG_MS: Mapping[FaultProfile, int] = {"none": 0, "default": 200, "rough": 2000}  # at most; drawn at start


class _Order(msgspec.Struct):
    """A fault ordered on demand."""

    name: str
    left: int
    options: dict[str, Any]


class Faults:
    """Decides which fault strikes now. Every one that does is recorded."""

    def __init__(self, profile: FaultProfile, rng: random.Random, record: Record) -> None:
        self._habits = PROFILES[profile]
        self._rng = rng
        self._record = record
        self._ordered: list[_Order] = []
        self.listing_lag_ms = rng.randint(0, LISTING_LAG_MS[profile])
        if self.listing_lag_ms:
            record("fault", {"name": "listing_lag_ms", "detail": {"ms": self.listing_lag_ms}})

    def order(self, name: str, count: int, options: dict[str, Any]) -> None:
        """Lets a fault strike the next `count` times it can. Options kind, role and symbol narrow down where.

        Raises ValueError for an unknown name or a bad option.
        """
        if name not in NAMES:
            raise ValueError(f"unknown fault {name!r}; one of {', '.join(sorted(NAMES))}")
        if name == "listing_lag_ms":
            self.listing_lag_ms = int(options.get("ms", 0))
            self._record("fault", {"name": name, "detail": {"ms": self.listing_lag_ms}})
            return
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        self._ordered.append(_Order(name, count, options))

    def cease(self) -> None:
        """Let none strike any more, ordered or drawn."""
        self._habits = {}
        self._ordered.clear()
        self.listing_lag_ms = 0

    def draw(self, name: str, *, kind: str = "", client_id: str = "", symbol: str = "") -> Mapping[str, Any] | None:
        """The fault's options when it strikes now, else None."""
        habit = self._habits.get(name)
        if habit is None and not self._ordered:
            return None
        options = self._take_ordered(name, kind, client_id, symbol)
        if options is None:
            if habit is None or (habit.kinds and kind not in habit.kinds) or self._rng.random() >= habit.chance:
                return None
            options = dict(habit.options)
        shown = {key: value for key, value in options.items() if key not in _FILTERS}
        where = {"kind": kind, "client_id": client_id, "symbol": symbol}
        detail = {**{key: value for key, value in where.items() if value}, **shown}
        self._record("fault", {"name": name, "detail": detail})
        return options

    def delay_s(self, options: Mapping[str, Any]) -> float:
        """Seconds of a delay: drawn up to delay_ms (default 20)."""
        longest = float(options.get("delay_ms", 20))
        return (longest if options.get("exact") else self._rng.uniform(longest / 10, longest)) / 1000

    def chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def split(self, order: Order, lots: int) -> Split | None:
        """partial_fills: 2 to 4 parts (`parts`) with `gap_ms` between them (default 5 to 30 ms)."""
        if lots < 2:
            return None
        options = self.draw("partial_fills", client_id=order.client_id, symbol=order.symbol.name)
        if options is None:
            return None
        count = min(lots, int(options.get("parts", self._rng.randint(2, 4))))
        gap_ms = float(options.get("gap_ms", self._rng.uniform(5, 30)))
        cuts = sorted(self._rng.sample(range(1, lots), count - 1))
        edges = [0, *cuts, lots]
        return Split(tuple(after - before for before, after in pairwise(edges)), gap_ms / 1000)

    def sticks(self, algo: AlgoOrder) -> bool:
        facts = {"client_id": algo.client_id, "symbol": algo.symbol.name}
        return self.draw("algo_stuck_triggering", **facts) is not None

    def _take_ordered(self, name: str, kind: str, client_id: str, symbol: str) -> dict[str, Any] | None:
        for ordered in self._ordered:
            if ordered.name != name or not _fits(ordered.options, kind, client_id, symbol):
                continue
            ordered.left -= 1
            if not ordered.left:
                self._ordered.remove(ordered)
            return ordered.options
        return None


def _fits(options: Mapping[str, Any], kind: str, client_id: str, symbol: str) -> bool:
    return (
        options.get("kind", kind) == kind
        and options.get("symbol", symbol) == symbol
        and ("role" not in options or has_role(client_id, options["role"]))
    )


def has_role(client_id: str, role: str) -> bool:
    """Whether a client id `<prefix>_<role>_<key>` carries this role."""
    return role in client_id.split("_")

"""The kill switch: SIGKILL to the engine at one named point of the protocol."""

import os
import signal
from typing import Any

import msgspec

from execactor.simulator.faults import has_role
from execactor.simulator.outbox import Record

_STEPS = ("entry_request", "exit_request", "stop_request", "take_profit_request", "cancel_request")
POINTS = frozenset(f"{step}.{moment}" for step in (*_STEPS, "order_event", "fill") for moment in ("before", "after"))


class _Armed(msgspec.Struct):
    pid: int
    point: str
    left: int
    role: str | None


class KillSwitch:
    """Armed once, kills once. A request point says nothing about execution: that is the desk's to decide."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._armed: _Armed | None = None

    def arm(self, *, pid: int, point: str, nth: int = 1, role: str | None = None) -> None:
        """Kill `pid` when the point is reached for the nth time (by an order of that role). Replaces an earlier one.

        Raises ValueError for an unknown point, a pid that cannot be meant, or nth below 1.
        """
        if point not in POINTS:
            raise ValueError(f"unknown point {point!r}; one of {', '.join(sorted(POINTS))}")
        if pid <= 1 or pid == os.getpid():
            raise ValueError(f"pid must be the engine's process id, got {pid}")
        if nth < 1:
            raise ValueError(f"nth must be at least 1, got {nth}")
        self._armed = _Armed(pid, point, nth, role)

    def reached(self, point: str, client_id: str) -> bool:
        """Reports a point; returns whether the engine was killed here."""
        armed = self._armed
        if armed is None or armed.point != point or (armed.role is not None and not has_role(client_id, armed.role)):
            return False
        armed.left -= 1
        if armed.left:
            return False
        self._armed = None
        detail: dict[str, Any] = {"point": point, "pid": armed.pid, "client_id": client_id}
        try:
            os.kill(armed.pid, signal.SIGKILL)
        except ProcessLookupError:
            detail["missing"] = True
        self._record("kill", detail)
        return True

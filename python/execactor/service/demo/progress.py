"""What happened, one line per event with its time: the venue's log and the engine's journal side by side."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

_SETTLE_S = 0.15
_POLL_S = 0.05
_NS_PER_S = 1_000_000_000
_ORDER_NEWS = {"FILLED", "CANCELED", "EXPIRED", "REJECTED"}
_ALGO_NEWS = {"NEW", "TRIGGERED", "CANCELED", "EXPIRED", "REJECTED", "VANISHED"}


class Progress:
    """Prints lines in the order of their times, a moment late so that both sources can be sorted into one."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        self._started_ns = time.time_ns()
        self._waiting: list[tuple[int, int, str, str]] = []
        self._numbers = itertools.count()

    def say(self, who: str, text: str, ts_ns: int | None = None) -> None:
        """Show a line. who: venue, engine or demo; ts_ns: wall time, now by default."""
        heapq.heappush(self._waiting, (ts_ns or time.time_ns(), next(self._numbers), who, text))

    async def print_lines(self) -> None:
        """Print until cancelled."""
        while True:
            await asyncio.sleep(_SETTLE_S)
            self.flush(time.time_ns() - round(_SETTLE_S * _NS_PER_S))

    def flush(self, until_ns: int | None = None) -> None:
        """Print what happened before `until_ns`, everything by default."""
        while self._waiting and (until_ns is None or self._waiting[0][0] <= until_ns):
            ts_ns, _, who, text = heapq.heappop(self._waiting)
            seconds = max(0, ts_ns - self._started_ns) / _NS_PER_S
            click.echo(f"{seconds:7.3f}  {who:<6}  {text}", err=self._to_stderr)

    async def follow_venue(self, log: Path) -> None:
        """Tell what the venue writes into its log, until cancelled; what it wrote by then is told, too."""
        with log.open("rb") as lines:
            rest = b""
            try:
                while True:
                    rest = self._tell_lines(rest + lines.read())
                    await asyncio.sleep(_POLL_S)
            finally:
                self._tell_lines(rest + lines.read())

    def tell_record(self, event: Mapping[str, Any]) -> None:
        """Tell one record of the engine's journal."""
        text = record_line(event["kind"], event["record"])
        if text:
            self.say("engine", text, event["ts_ns"])

    def _tell_lines(self, text: bytes) -> bytes:
        *whole, rest = text.split(b"\n")
        for line in whole:
            event = orjson.loads(line)
            said = venue_line(event)
            if said:
                self.say("venue", said, event["t"])
        return rest


def venue_line(event: Mapping[str, Any]) -> str:
    """A line of the venue's log in words; empty for what nobody needs to read."""
    match event:
        case {"kind": "fill"}:
            return (
                f"{event['client_id']}: {event['side']} {event['quantity']} {event['symbol']} at {event['price']}, "
                f"position {event['position']}"
            )
        case {"kind": "order", "status": "NEW", "parent_algo_id": None, "type": "LIMIT"}:
            return f"{event['client_id']}: {event['side']} {event['quantity']} at {event['price']} accepted"
        case {"kind": "order", "status": status} if status in _ORDER_NEWS - {"FILLED"}:
            return f"{event['client_id']} {str(status).lower()}"
        case {"kind": "algo", "status": "NEW"}:
            what = "the whole position" if event["close_position"] else event["quantity"]
            return f"{event['client_id']}: {event['type']} for {what} at {event['trigger_price']} accepted"
        case {"kind": "algo", "status": status} if status in _ALGO_NEWS:
            return f"{event['client_id']} {str(status).lower()}"
        case {"kind": "fault"}:
            return f"fault: {event['name']}"
        case _:
            return ""


def record_line(kind: str, record: Mapping[str, Any]) -> str:
    """A journal record in words; empty for what nobody needs to read."""
    match kind:
        case "plan":
            plan = record["plan"]
            return f"{plan['key']}: {plan['side']} {plan['quantity']} {plan['symbol']} at {plan['entry_price']}"
        case "engine":
            return f"is {record['state']} {record['reason']}".rstrip()
        case "reconciled" if record["counts"]:
            counts = ", ".join(f"{count} {name}" for name, count in record["counts"].items())
            return f"compared with the venue ({record['reason']}): {counts}"
        case "trade":
            return f"{record['key']} closed: {record['outcome']}, {_money(record['pnl'])} USDT net"
        case "plan_ended" if not record["entered"]:
            return f"{record['key']} ended without a trade: {record['reason']}"
        case "plan_refused":
            return f"{record['key']} refused: {record['reason']}"
        case "alert":
            return f"{record['level']} {record['code']}: {record['text']}"
        case _:
            return ""


def _money(amount: str) -> str:
    return f"{float(amount):+.2f}"

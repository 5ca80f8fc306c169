"""One run told for people: the plan, then the venue's log and the engine's journal in one order, then the problems."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from execactor.simulation.plan import Plan
from execactor.simulation.trial import Verdict

SHOWN = 150
"""Characters of a line, at most."""

_ROUTINE = ("GET /fapi/v1/time", "GET /fapi/v1/exchangeInfo", "GET /fapi/v1/depth", "GET /fapi/v3/balance")
_UNTOLD_PARAMS = ("recvWindow", "timestamp", "selfTradePreventionMode", "newOrderRespType", "limit", "algoType")
_UNTOLD_FIELDS = ("n", "t", "kind", "id", "via", "commission_asset", "entry_price", "wallet", "type", "time_in_force")
_FIRST = ("text", "name", "what", "client_id", "status", "filled", "side", "quantity", "trigger_price")
_IDS = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
Line = dict[str, Any]
Told = tuple[int, str, str]
"""Venue's time, whose line it is, text."""


def head(plan: Plan, verdict: Verdict | None, problems: Sequence[str]) -> Iterator[str]:
    """What was to happen, and what is wrong with what did."""
    yield f"seed {plan.seed}: {', '.join(plan.symbols)}, habits {plan.habits}, skew {plan.skew_ms} ms" + (
        f", odd quirks {', '.join(plan.odd_quirks)}" if plan.odd_quirks else ""
    )
    for entry in sorted((*plan.acts, *plan.incidents), key=lambda entry: entry.at_ms):
        yield f"  {entry.at_ms / 1_000:8.3f} s  {_fields(entry)}"
    for number, crash in enumerate(plan.crashes, start=1):
        yield f"  life {number}: killed at its crash point {crash.point}, the next begins {crash.down_ms} ms later"
    yield f"  {plan.end_ms / 1_000:8.3f} s  faults end"
    if verdict is not None:
        yield (
            f"  events {verdict.events}, faults {verdict.faults}, lives {verdict.lives}, closed trades {verdict.trades}"
        )
    yield from (f"  problem: {line}" for problem in problems for line in problem.splitlines())
    if not problems:
        yield "  no problem"


def course(log: Sequence[Line], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """What happened, line by line; what goes well every time is left out.

    A record of the journal stands behind the line of the log that was the newest when it was written.
    """
    begin_ns = log[0]["t"] if log else 0
    recorded: list[tuple[int, Told]] = []
    for row in rows:
        seq, ts_ns, kind, key, payload = row[:5]
        after, t = row[6:8] if len(row) > 6 else (_newest(log, ts_ns), ts_ns)
        recorded.append((after, (t, "engine", f"{seq:4} {kind} {key} {_record(kind, payload)}")))
    recorded.sort(key=itemgetter(0))
    place = 0
    for told in _abridged(log):
        n = told[0]
        while place < len(recorded) and recorded[place][0] < n:
            yield _shown(recorded[place][1], begin_ns)
            place += 1
        yield _shown(told[1], begin_ns)
    yield from (_shown(told, begin_ns) for _, told in recorded[place:])


def _abridged(log: Sequence[Line]) -> Iterator[tuple[int, Told]]:
    requests: dict[int, Line] = {}
    for line in log:
        kind, whose = line["kind"], "venue"
        match kind:
            case "request":
                requests[line["id"]] = line
                if line["method"].startswith("GET "):
                    continue  # told with its answer
                whose, text = "->", _request(line)
            case "response":
                asked = requests.pop(line["id"], {"method": "?", "params": {}})
                if line["status"] == 200 and (asked["method"] in _ROUTINE or line.get("body") in (None, [])):
                    continue
                whose, text = "<-", f"{line['status']} {_name(asked)}: {_answer(line)}"
            case "note":
                whose, text = "note", _rest(line)
            case "start" | "position":
                continue
            case _:
                text = f"{kind} {_rest(line)}"
        yield line["n"], (line["t"], whose, f"{line['n']:4} {text}")


def _name(line: Line) -> str:
    params = line["params"]
    about = next((params[key] for key in _IDS if key in params), params.get("symbol", ""))
    return f"{line['method']} {about}".rstrip()


def _request(line: Line) -> str:
    rest = {key: value for key, value in line["params"].items() if key not in (*_UNTOLD_PARAMS, *_IDS, "symbol")}
    return f"{_name(line)} {_pairs(rest)}".rstrip()


def _answer(line: Line) -> str:
    body = line.get("body")
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key in ("code", "msg", "status", "algoStatus", "orderId")}
        return _pairs(body)
    return json.dumps(body)


def _record(kind: str, payload: bytes) -> str:
    fields = json.loads(payload)
    fields = fields.get(kind, fields) if isinstance(fields.get(kind), dict) else fields
    if kind == "order":
        fields = {name: value for name, value in fields.items() if name != "intent"}
    return _pairs({name: value for name, value in fields.items() if value not in (None, "", [], {}, False)})


def _rest(line: Line) -> str:
    first = {name: line[name] for name in _FIRST if name in line}
    shown = (first | line).items()
    return _pairs({name: value for name, value in shown if name not in _UNTOLD_FIELDS and value not in (None, "")})


def _pairs(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_plain(value)}" for name, value in fields.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _fields(entry: msgspec.Struct) -> str:
    fields = msgspec.structs.asdict(entry)
    del fields["at_ms"]
    return f"{type(entry).__name__} {_pairs(fields)}".rstrip()


def _newest(log: Sequence[Line], ts_ns: int) -> int:
    return max((line["n"] for line in log if line["t"] <= ts_ns), default=0)


def _shown(told: Told, begin_ns: int) -> str:
    t, whose, text = told
    line = f"{(t - begin_ns) / 1e9:9.4f} {whose:>6} {text}"
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"

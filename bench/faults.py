"""Our column of the fault table: one order, or bracket, for each fault, on a simulated Binance venue.

`python bench/faults.py [--virtual] [--row N] [--json]`. Engine and venue talk over sockets on loopback; with --virtual
over a simulated network in virtual time, which takes seconds and is exact. A row `holds` when the venue's log and the
engine's journal say so, and the checker finds nothing in them. truth_ms: from when the venue's truth came to be, or
could be asked for, to the journal's record of it. Exit code 1 when a row does not hold.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from fault_stage import BTC, ETH, Bench, Evidence, Script, in_virtual_time, on_sockets

from execactor.domain.messages.orders import CancelOrder
from execactor.simulator.rate_limits import ORDERS_PER_10S

TIMEOUT = {"code": -1007, "msg": "Timeout waiting for response from backend server. Execution status unknown."}
PRIVATE = ("ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ALGO_UPDATE")
ROUND_TRIP_MS = 25.0
"""Allowed for one on loopback while engine and venue share a processor."""

RESTS_BPS, CROSSES_BPS = -30, 6
OUTAGE_S = 45.0
PAUSE_S = 3

Judged = tuple[str, float, dict[str, bool]]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. judge: outcome, truth in ms, and what must be so by name."""

    fault: str
    ours_must: str
    script: Script
    judge: Callable[[Evidence], Judged]


def _ms(from_ns: int, to_ns: int) -> float:
    return (to_ns - from_ns) / 1e6


# 1 503, the stream tells


async def _stream_tells(bench: Bench) -> None:
    bench.fault("http_503_executed", kind="entry")
    await bench.decide("a", bps=RESTS_BPS)
    bench.fault("http_503_executed", kind="entry", **TIMEOUT)
    await bench.decide("b", bps=RESTS_BPS, symbol=ETH)
    await bench.until(lambda: {"capi_entry_a"} <= bench.standing() and {"capi_entry_b"} <= bench.standing(ETH))
    await _a_while(bench)


def _told(evidence: Evidence) -> Judged:
    names = ("capi_entry_a", "capi_entry_b")
    truths = [_ms(evidence.line("order", client_id=n)["t"], evidence.first(n, "ACKNOWLEDGED")) for n in names]
    return (
        _last(evidence, *names),
        max(truths),
        {
            "acknowledged, and nothing else": all(
                {state for _, state in evidence.states(name)} <= {"UNKNOWN", "ACKNOWLEDGED"} for name in names
            ),
            "one order each": len(evidence.requests("entry")) == 2,
        },
    )


# 2 503, no event


async def _no_event(bench: Bench) -> None:
    bench.fault("http_503_executed", kind="entry")
    bench.fault("drop_event", kind="ORDER_TRADE_UPDATE")
    await bench.decide("a", bps=RESTS_BPS)
    await bench.until(lambda: "capi_entry_a" in bench.standing())
    await _a_while(bench)


def _asked(evidence: Evidence) -> Judged:
    truth = _ms(evidence.line("order", client_id="capi_entry_a")["t"], evidence.first("capi_entry_a", "ACKNOWLEDGED"))
    return (
        _last(evidence, "capi_entry_a"),
        truth,
        {"within 200 ms and a round trip": truth <= 200 + ROUND_TRIP_MS, **_one_entry(evidence)},
    )


# 3 503, never booked


async def _never_booked(bench: Bench) -> None:
    bench.fault("http_503_failed", kind="entry", **TIMEOUT)
    await bench.decide("a", bps=RESTS_BPS)
    await bench.until(lambda: "capi_entry_a_a2" in bench.standing())
    await _a_while(bench)


def _concluded(evidence: Evidence) -> Judged:
    first, second = evidence.requests("entry")
    ended_ns = evidence.first("capi_entry_a", "REJECTED")
    asked = [line for line in evidence.answers("capi_entry_a") if line["t"] < ended_ns]
    lists = {line["method"] for line in evidence.lines("request") if first["t"] + 3e9 <= line["t"] <= ended_ns}
    truth = _ms(first["t"], ended_ns)
    return (
        _last(evidence, "capi_entry_a"),
        truth,
        {
            "within 5 s": truth <= 5_000,
            "after three answers that it does not exist": [line["body"]["code"] for line in asked].count(-2013) >= 3,
            "and the open orders and trades": {"GET /fapi/v1/openOrders", "GET /fapi/v1/userTrades"} <= lists,
            "no successor before": second["t"] >= ended_ns,
        },
    )


# 4 503, and nothing can be asked


async def _unanswered(bench: Bench) -> None:
    bench.fault("http_503_executed", kind="entry")
    bench.fault("drop_event", kind="ORDER_TRADE_UPDATE")
    bench.fault("http_503_failed", 1_000_000, kind="query")
    await bench.decide("a", bps=RESTS_BPS)
    await _pass(bench, 10)
    await bench.decide("b", bps=RESTS_BPS, symbol=ETH)
    await _pass(bench, OUTAGE_S - 10)
    bench.venue.faults.cease()
    bench.note("queries work again")
    await bench.until(lambda: "capi_entry_b" in bench.standing(ETH))
    await _a_while(bench)


def _stayed_unknown(evidence: Evidence) -> Judged:
    over_ns = evidence.line("note", text="queries work again")["t"]
    states = evidence.states("capi_entry_a")
    resolved_ns = evidence.first("capi_entry_a", "ACKNOWLEDGED")
    (other,) = evidence.requests("entry", key="_b")
    return (
        _last(evidence, "capi_entry_a"),
        _ms(over_ns, resolved_ns),
        {
            "unknown for 45 s": {state for t, state in states if t < over_ns} == {"UNKNOWN"},
            "other entries waited": other["t"] >= over_ns,
            "alert": evidence.alerts().get("ORDER_IN_DOUBT") == "CRITICAL",
            "one order": len(evidence.requests("entry", key="_a")) == 1,
        },
    )


# 5 a fill without an event


async def _silent_fill(bench: Bench) -> None:
    await bench.decide("a", bps=RESTS_BPS)
    await bench.until(lambda: "capi_entry_a" in bench.standing())
    for event in PRIVATE:
        bench.fault("drop_event", 1_000, kind=event)
    await bench.steer(RESTS_BPS - 5)
    await bench.until(bench.held)
    await _pass(bench, 4)
    bench.venue.faults.cease()
    await bench.protected("a")
    await bench.flat("f")
    await bench.over()
    await _a_while(bench)


def _noticed(evidence: Evidence) -> Judged:
    fill = next(line for line in evidence.lines("fill") if line["client_id"] == "capi_entry_a")
    booked = [
        t
        for t, kind, key, fields in evidence.journal
        if (kind, key) == ("execution", "capi_entry_a") and fields["execution"]["trade_id"] == str(fill["trade_id"])
    ]
    truth = _ms(fill["t"], booked[0])
    return "booked", truth, {"within 2 s": truth <= 2_000, "once": len(booked) == 1, **_one_entry(evidence)}


# 6 a bracket


async def _bracket(bench: Bench) -> None:
    await bench.decide("a", bps=CROSSES_BPS)
    await bench.protected("a")
    await bench.steer(50)
    await bench.until(lambda: "capi_slt_a" in bench.standing())
    await bench.steer(45)
    await bench.over()
    await _a_while(bench)


def _managed(evidence: Evidence) -> Judged:
    fill = evidence.line("fill", client_id="capi_entry_a")
    truth = max(_ms(fill["t"], evidence.first(f"capi_{role}_a", "ACKNOWLEDGED")) for role in ("sl", "tp1", "tp2"))
    algo = [line for line in evidence.requests() if line["method"] == "algoOrder.place"]
    filled = [line["client_id"] for line in evidence.lines("fill")]
    return (
        "stop and targets stand, then filled",
        truth,
        {
            "through the algo service": len(algo) == 4,
            "entry and both targets filled": filled == ["capi_entry_a", "capi_tp1_a", "capi_tp2_a"],
        },
    )


# 7 exceptions


async def _exceptions(bench: Bench) -> None:
    def users(_fill: Any) -> None:
        raise ZeroDivisionError("a bug of the program that embeds the engine")

    bench.engine.on_filled(users)
    await bench.decide("a", bps=CROSSES_BPS)
    await bench.protected("a")
    await _a_while(bench)
    bench.note("an actor is about to fail")
    context = bench.engine._running().context
    context.positions[BTC].tell(object())  # handling what no actor of ours would send is a crash, like any bug
    context.orders[BTC].tell(CancelOrder(client_id=[], reason="unhashable"))  # type: ignore[arg-type]  the bug
    await _a_while(bench)
    await bench.steer(50)
    await bench.until(lambda: "capi_slt_a" in bench.standing())
    await bench.steer(45)
    await bench.over()
    await _a_while(bench)


def _went_on(evidence: Evidence) -> Judged:
    failed_ns = evidence.line("note", text="an actor is about to fail")["t"]
    looked = [t for t, kind, _, _ in evidence.journal if kind == "reconciled" and t >= failed_ns]
    filled = [line["client_id"] for line in evidence.lines("fill")]
    return (
        "actor restarted, trade managed to its end",
        _ms(failed_ns, looked[0]),
        {
            "alert": evidence.alerts().get("DEAD_LETTER") == "ERROR",
            "protection kept": evidence.report.max_unprotected_ms <= 2_000,
            "one order": len(evidence.requests("entry")) == 1,
            "managed to its end": filled == ["capi_entry_a", "capi_tp1_a", "capi_tp2_a"],
        },
    )


# 8 limits


async def _limited(bench: Bench) -> None:
    bench.fault("http_429", kind="entry", retry_after=PAUSE_S)
    await bench.decide("a", bps=CROSSES_BPS)
    await bench.protected("a")
    await _a_while(bench)
    bench.fault("http_418", kind="entry", retry_after=PAUSE_S)
    await bench.decide("b", bps=RESTS_BPS, symbol=ETH)
    await bench.until(lambda: bench.standing(ETH) != set())
    await _pass(bench, 11)
    await bench.until(lambda: bench.venue.clock.now_ns() // 1_000_000 % 10_000 < 1_000)  # the venue's window is young
    bench.venue.rates.count(0, ORDERS_PER_10S * 8 // 10)  # others trade on the account
    await bench.decide("seen", bps=RESTS_BPS, symbol=ETH)
    await bench.until(lambda: "capi_entry_seen" in bench.standing(ETH))
    await _pass(bench, 0.3)  # the answer shows the count
    bench.note("the limit is near")
    await bench.decide("c", bps=RESTS_BPS, symbol=ETH)
    await bench.flat("f")
    await bench.over()
    bench.note("closed")
    await bench.until(lambda: any("entry_c" in name for name in bench.standing(ETH)))
    await _a_while(bench)


def _honoured(evidence: Evidence) -> Judged:
    pauses = [line for line in evidence.lines("response") if line.get("retry_after_s")]
    late = []
    early = []
    for pause in pauses:
        over_ns = pause["t"] + PAUSE_S * 1_000_000_000
        after = [line for line in evidence.lines("request") if line["t"] > pause["t"] + 100_000_000]
        early += [line for line in after if line["t"] < over_ns]
        late.append(_ms(over_ns, after[0]["t"]))
    near_ns, closed_ns = (evidence.line("note", text=text)["t"] for text in ("the limit is near", "closed"))
    waiting = evidence.requests("entry", key="_c")[0]
    return (
        "waited, then sent; the exit went before the entry",
        max(late),
        {
            "429 and 418": [pause["status"] for pause in pauses] == [429, 418],
            "nothing before its end": not early,
            "the exit and its cancels at once": _ms(near_ns, closed_ns) <= 2_000,
            "the entry when there was room": waiting["t"] > closed_ns,
        },
    )


async def _a_while(bench: Bench) -> None:
    await _pass(bench, 2)


async def _pass(bench: Bench, seconds: float) -> None:
    end_ns = bench.venue.clock.now_ns() + int(seconds * 1e9)
    await bench.until(lambda: bench.venue.clock.now_ns() >= end_ns, within_s=seconds + 20)


def _last(evidence: Evidence, *names: str) -> str:
    return " and ".join(dict.fromkeys(evidence.states(name)[-1][1] for name in names))


def _one_entry(evidence: Evidence) -> dict[str, bool]:
    return {"one order": len(evidence.requests("entry")) == 1}


ROWS = (
    Row(
        fault='503 "unknown" or -1007, order live, stream says NEW',
        ours_must="ACKNOWLEDGED, one order",
        script=_stream_tells,
        judge=_told,
    ),
    Row(
        fault="503, live, no stream event",
        ours_must="query at once; truth ≤ 200 ms + one round trip",
        script=_no_event,
        judge=_asked,
    ),
    Row(
        fault="503, never booked",
        ours_must="conclude only from venue evidence, ≤ 5 s",
        script=_never_booked,
        judge=_concluded,
    ),
    Row(
        fault="503 + order queries fail for 45 s, live",
        ours_must="stays UNKNOWN, entries blocked, alert, resolves when queries work",
        script=_unanswered,
        judge=_stayed_unknown,
    ),
    Row(
        fault="fill at the venue, no stream event",
        ours_must="noticed ≤ 2 s, applied once",
        script=_silent_fill,
        judge=_noticed,
    ),
    Row(
        fault="bracket (entry + TP + SL) on Binance Futures",
        ours_must="works, through the algo service",
        script=_bracket,
        judge=_managed,
    ),
    Row(
        fault="exception in user code, and in actors",
        ours_must="actor restarted, protection kept, alert",
        script=_exceptions,
        judge=_went_on,
    ),
    Row(
        fault="429 / 418 with Retry-After",
        ours_must="honoured, stops and cancels keep a reserve",
        script=_limited,
        judge=_honoured,
    ),
)


def measure(row: Row, *, virtual: bool) -> dict[str, Any]:
    """Play a row and judge it. fails: what is not as it must be, with what the checker found."""
    try:
        evidence = (in_virtual_time if virtual else on_sockets)(row.script)
        outcome, truth_ms, claims = row.judge(evidence)
        fails = [name for name, holds in claims.items() if not holds]
        fails += [*evidence.report.violations, *evidence.report.venue_errors]
    except (TimeoutError, StopIteration, ValueError, IndexError) as error:
        outcome, truth_ms, fails = "did not come so far", float("nan"), [repr(error)]
    figures = {"fault": row.fault, "ours_must": row.ours_must, "outcome": outcome, "truth_ms": round(truth_ms, 1)}
    return {**figures, "holds": not fails, "fails": fails}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table for people, as it stands in docs/reliability.md."""
    print("| fault | ours must | outcome | truth, ms | holds |")
    print("| --- | --- | --- | ---: | --- |")
    for row in rows:
        verdict = "yes" if row["holds"] else "NO: " + "; ".join(row["fails"])[:300]
        print(f"| {row['fault']} | {row['ours_must']} | {row['outcome']} | {row['truth_ms']:,.1f} | {verdict} |")


def main() -> int:
    """Parse the command line, play, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", action="store_true", help="in virtual time instead of over sockets")
    parser.add_argument("--row", type=int, choices=range(1, len(ROWS) + 1), help="this one alone")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    logging.disable()
    chosen = ROWS if asked.row is None else ROWS[asked.row - 1 : asked.row]
    rows = [measure(row, virtual=asked.virtual) for row in chosen]
    if asked.json:
        print(json.dumps({"virtual": asked.virtual, "rows": rows}))
    else:
        show(rows)
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

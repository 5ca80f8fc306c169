"""Draws a plan from a seed: a few trades on their way, and some of everything that can go wrong."""

import random
from collections.abc import Callable
from typing import Literal

from execactor.runtime import RandomStreams
from execactor.simulation.plan import (
    Act,
    ActorsFail,
    ClockDrift,
    ClockJump,
    Crash,
    Decide,
    Direction,
    DiskFull,
    ForcedClose,
    GoFlat,
    Halt,
    Incident,
    OtherHand,
    Partition,
    Plan,
    Reset,
    Silence,
    Steer,
    StopVanishes,
    ThinBook,
    VenueFault,
    VenueRestart,
)
from execactor.simulation.rarities import with_rarities
from execactor.simulator.config import Quirks

SYMBOLS = ("BTCUSDT", "ETHUSDT")
_STREAMS: tuple[Literal["private", "market", "public"], ...] = ("private", "private", "market", "public")
_DIRECTIONS: tuple[tuple[Direction, Direction], ...] = (("long", "short"), ("short", "long"))
ROLES = ("entry", "sl", "tp1", "tp2", "slt", "exit")
FAULTS = (
    "event_before_response",
    "response_before_event",
    "partial_fills",
    "cancel_races_fill",
    "http_503_executed",
    "http_503_failed",
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
)


def draw_plan(seed: int) -> Plan:
    """The plan of a seed: the same for ever, as long as this file stays as it is."""
    rng = RandomStreams(seed).of("plan")
    symbols = SYMBOLS if rng.random() < 0.3 else SYMBOLS[:1]
    acts: list[Act] = []
    incidents: list[Incident] = []
    ends = [_trade(rng, number, symbol, acts, incidents) for number, symbol in enumerate(symbols)]
    if rng.random() < 0.25:
        ends.append(_trade(rng, len(ends), symbols[0], acts, incidents, after_ms=ends[0]))
    if rng.random() < 0.06:
        acts.append(Halt(at_ms=rng.randrange(300, max(ends)), resume_ms=rng.randrange(3_000, 12_000)))
    for _ in range(rng.choice((0, 1, 1))):
        moment = rng.choice([*acts, *incidents]).at_ms
        incidents += _ordeal(rng, max(0, moment - rng.randrange(300)), rng.choice(symbols))
    incidents += [_incident(rng, max(ends), symbols) for _ in range(rng.choice((3, 4, 5, 6, 7, 9)))]
    crashes = tuple(
        Crash(point=_early(rng, 220), down_ms=_early(rng, 4_000)) for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3)))
    )
    plan = Plan(
        seed=seed,
        symbols=symbols,
        acts=tuple(sorted(acts, key=lambda act: act.at_ms)),
        incidents=tuple(sorted(incidents, key=lambda incident: incident.at_ms)),
        crashes=crashes,
        end_ms=max(ends),
        habits=rng.choice(("none", "none", "default")),
        skew_ms=rng.choice((0, 0, rng.randrange(-900, 900))),
        odd_quirks=tuple(name for name in Quirks.__struct_fields__ if rng.random() < 0.2),
        volatility_bps=rng.choice((0.2, 0.5, 1.5)),
        step_ms=rng.choice((100, 200, 250, 250)),
    )
    return with_rarities(plan)


def _trade(
    rng: random.Random, number: int, symbol: str, acts: list[Act], incidents: list[Incident], *, after_ms: int = 0
) -> int:
    """Add one trade and its market; returns when its way has ended."""
    begin = after_ms + rng.randrange(200, 1_200)
    action, other = rng.choice(_DIRECTIONS)
    sign = 1 if action == "long" else -1
    rests = rng.random() < 0.4
    entry_bps = -rng.randrange(8, 20) if rests else 6
    acts.append(
        Decide(
            at_ms=begin,
            key=f"d{number}",
            symbol=symbol,
            action=action,
            entry_bps=entry_bps,
            stop_bps=-60,
            tp1_bps=40,
            tp2_bps=80,
            notional=rng.choice((300, 1_000, 1_000, 4_000, 4_000, 40_000)),
        )
    )
    now = begin + rng.randrange(300, 1_500)

    def drift(to_bps: int) -> int:
        over = rng.randrange(200, 1_000)
        incidents.append(Steer(at_ms=now, symbol=symbol, bps=sign * to_bps, over_ms=over))
        return now + over + rng.randrange(300, 1_500)

    if rests and rng.random() < 0.85:
        now = drift(entry_bps - 4)
    match rng.choice(("targets", "targets", "stopped", "back", "flat", "newer")):
        case "targets":
            now = drift(50)
            now = drift(50)
        case "stopped":
            now = drift(-75)
        case "back":
            now = drift(50)
            now = drift(-60)
        case "flat":
            acts.append(GoFlat(at_ms=now, key=f"f{number}", symbol=symbol))
            now += 800
        case _:
            acts.append(
                Decide(
                    at_ms=now,
                    key=f"n{number}",
                    symbol=symbol,
                    action=rng.choice((action, other)),
                    entry_bps=rng.choice((6, -10)),
                    stop_bps=-60,
                    tp1_bps=40,
                    tp2_bps=80,
                    notional=1_000,
                )
            )
            now = drift(rng.choice((60, -80))) + 500
    return now + 300


def _incident(rng: random.Random, until_ms: int, symbols: tuple[str, ...]) -> Incident:
    at_ms = rng.randrange(until_ms)
    draws: tuple[tuple[float, Callable[[], Incident]], ...] = (
        (20, lambda: _venue_fault(rng, at_ms)),
        (2, lambda: _partition(rng, at_ms)),
        (1, lambda: Reset(at_ms=at_ms, lasts_ms=rng.choice((0, 0, _early(rng, 5_000))))),
        (0.7, lambda: ClockJump(at_ms=at_ms, by_ms=rng.choice((-3_000, -700, 400, 1_500, 4_000)))),
        (0.4, lambda: ClockDrift(at_ms=at_ms, lasts_ms=_early(rng, 8_000), ms_per_s=rng.choice((-200, -30, 20, 150)))),
        (0.7, lambda: VenueRestart(at_ms=at_ms, lasts_ms=_early(rng, 6_000))),
        (1, lambda: Silence(at_ms=at_ms, lasts_ms=_early(rng, 20_000), stream=rng.choice(_STREAMS))),
        (0.7, lambda: _disk_full(rng, at_ms)),
        (1, lambda: ActorsFail(at_ms=at_ms, lasts_ms=_early(rng, 1_500), per_mille=rng.choice((5, 20, 60)))),
        (0.8, lambda: ThinBook(at_ms=at_ms, lasts_ms=_early(rng, 4_000), symbol=rng.choice(symbols))),
        (1, lambda: StopVanishes(at_ms=at_ms, symbol=rng.choice(symbols))),
        (0.4, lambda: _other_hand(rng, at_ms, rng.choice(symbols))),
        (0.4, lambda: _forced_close(rng, at_ms, rng.choice(symbols))),
    )
    return rng.choices([draw for _, draw in draws], [weight for weight, _ in draws])[0]()


def _venue_fault(rng: random.Random, at_ms: int) -> VenueFault:
    name = rng.choice(FAULTS)
    count = rng.choice((1, 1, 1, 2, 4))
    options: dict[str, object] = {}
    match name:
        case "listing_lag_ms":
            options["ms"] = _early(rng, 2_000)
        case "reject_next":
            options["kind"] = rng.choice(("entry", "stop", "take_profit", "exit", "cancel"))
        case "rest_timeout":
            options["executed"] = rng.random() < 0.5
        case "event_before_response" | "response_before_event":
            options["delay_ms"] = rng.choice((20, 150, 400))
        case "http_503_executed" | "http_503_failed" | "ws_no_answer":
            if rng.random() < 0.7:
                options["role"] = rng.choice(ROLES)
        case "drop_event":
            count = rng.choice((1, 1, 3, 8))
    return VenueFault(at_ms=at_ms, name=name, count=count, options=options)


def _ordeal(rng: random.Random, at_ms: int, symbol: str) -> list[Incident]:
    """An order of which next to nothing is told: its answer, its events and the queries about it fail together, and the
    book may be empty when it comes to be executed.
    """
    role = rng.choice(ROLES)
    kind = "ORDER_TRADE_UPDATE" if role in {"entry", "exit"} else rng.choice(("ALGO_UPDATE", "ORDER_TRADE_UPDATE"))
    answer, options = rng.choice(
        (
            ("http_503_executed", {}),
            ("ws_no_answer", {}),
            ("event_before_response", {"delay_ms": 400, "exact": True}),
            ("response_before_event", {"delay_ms": 400, "exact": True}),
        )
    )
    count = rng.choice((1, 1, 2, 3))
    faults: list[Incident] = [
        VenueFault(at_ms=at_ms, name=answer, options={"role": role, **options}),
        VenueFault(at_ms=at_ms, name="drop_event", count=count, options={"role": role, "kind": kind}),
    ]
    if rng.random() < 0.6:
        faults.append(VenueFault(at_ms=at_ms, name="partial_fills", options={"role": role, "gap_ms": 60}))
    if rng.random() < 0.4:
        faults.append(
            VenueFault(at_ms=at_ms, name="http_503_failed", count=15, options={"role": role, "kind": "query"})
        )
    if rng.random() < 0.4:
        faults.append(ThinBook(at_ms=at_ms, lasts_ms=_early(rng, 4_000), symbol=symbol))
        faults.append(VenueFault(at_ms=at_ms, name="swap_events", count=4, options={"role": role}))
    return faults


def _partition(rng: random.Random, at_ms: int) -> Partition:
    up, down = rng.choice(((True, True), (True, True), (True, False), (False, True)))
    return Partition(at_ms=at_ms, lasts_ms=_early(rng, 12_000), up=up, down=down)


def _disk_full(rng: random.Random, at_ms: int) -> DiskFull:
    return DiskFull(at_ms=at_ms, lasts_ms=_early(rng, 3_000), per_mille=rng.choice((1_000, 1_000, 500, 100)))


def _other_hand(rng: random.Random, at_ms: int, symbol: str) -> OtherHand:
    return OtherHand(
        at_ms=at_ms,
        symbol=symbol,
        side=rng.choice(("BUY", "SELL")),
        quantity=rng.choice(("0.01", "0.1")),
        rests_bps=rng.choice((0, 30)),
    )


def _forced_close(rng: random.Random, at_ms: int, symbol: str) -> ForcedClose:
    why: Literal["liquidation", "adl"] = rng.choice(("liquidation", "adl"))
    return ForcedClose(
        at_ms=at_ms, symbol=symbol, why=why, per_cent=100 if why == "liquidation" else rng.choice((30, 100))
    )


def _early(rng: random.Random, most: int) -> int:
    """A whole number from 1 on, small ones more often."""
    return 1 + int(rng.random() ** 2 * most)

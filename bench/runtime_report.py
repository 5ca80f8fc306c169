"""Gates, targets and the table of the runtime bench (ARCHITECTURE section 6)."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]


def gates(figures: Figures) -> list[Figures]:
    """Ratios within the run, and whether each reaches its bound."""
    chain, start, urgent = figures["chain_us"], figures["start_s"], figures["urgent_under_load_us"]
    threading, ours = chain["threading_actor"], chain["loop_actor"]
    return [
        *(
            _gate(f"chain p50, {n} chains: ThreadingActor / LoopActor", threading[n]["p50"] / ours[n]["p50"], bound)
            for n, bound in (("10", 7), ("1000", 14))
        ),
        _gate("urgent p99 under overload: FIFO / lanes", urgent["fifo"]["p99"] / urgent["lanes"]["p99"], 50),
        _gate(
            "start of 10,000 actors: ThreadingActor / LoopActor",
            start["threading_actor"]["10000"] / start["loop_actor"]["10000"],
            20,
        ),
    ]


def targets(figures: Figures) -> list[Figures]:
    """Absolute figures to design for; they depend on the machine and fail nothing."""
    chain, urgent = figures["chain_us"]["loop_actor"], figures["urgent_under_load_us"]["lanes"]
    return [
        _target("chain p50, 10 chains, µs", chain["10"]["p50"], 8),
        _target("chain p50, 1,000 chains, µs", chain["1000"]["p50"], 12),
        _target("urgent p99 under overload, µs", urgent["p99"], 100),
        _target("idle actor of 10,000, bytes", figures["bytes_per_actor"]["loop_actor"]["10000"], 3 * 1024),
        _target("start of 10,000 actors, s", figures["start_s"]["loop_actor"]["10000"], 0.2),
    ]


def show(figures: Figures) -> None:
    """Print the figures for people."""
    for name, unit in (("chain_us", "five hops, µs p50 / p99, N chains"), ("ask_us", "ask, µs p50 / p99, N actors")):
        _rows(figures[name], unit, lambda cell: f"{cell['p50']:.1f} / {cell['p99']:.1f}")
    _rows(figures["tell_per_s"], "tell, thousands a second, N actors", lambda cell: f"{cell / 1_000:,.0f}")
    _rows(figures["bytes_per_actor"], "bytes per idle actor, N actors", lambda cell: f"{cell:,.0f}")
    _rows(figures["start_s"], "start of N actors, ms", lambda cell: f"{cell * 1_000:,.1f}")
    _rows(figures["stop_s"], "stop of N actors, ms", lambda cell: f"{cell * 1_000:,.1f}")
    print("urgent message under overload, µs               p50          p99      samples   quotes/s")
    for mailbox, cell in figures["urgent_under_load_us"].items():
        print(
            f"  {mailbox:<34} {cell['p50']:>14,.1f} {cell['p99']:>12,.1f} {cell['samples']:>12,.0f}"
            f" {cell['quotes_per_s']:>10,.0f}"
        )
    for kind, cells in figures["chain_us"].items():
        for n, cell in cells.items():
            if "shortened" in cell:
                print(f"chain, {kind}, {int(n):,}: {cell['shortened']}")
    print()
    for gate in figures["gates"]:
        verdict = "holds" if gate["holds"] else "FAILS"
        print(f"gate    {verdict:<8} {gate['name']:<52} {gate['ratio']:>12,.1f}  at least {gate['bound']}")
    for target in figures["targets"]:
        verdict = "met" if target["met"] else "missed"
        print(f"target  {verdict:<8} {target['name']:<52} {target['measured']:>12,.2f}  at most  {target['bound']}")


def _rows(by_kind: Figures, title: str, text: Any) -> None:
    counts = list(dict.fromkeys(n for cells in by_kind.values() for n in cells))
    print(f"{title:<36}" + "".join(f"{int(n):>18,}" for n in counts))
    for kind, cells in by_kind.items():
        print(f"  {kind:<34}" + "".join(f"{text(cells[n]) if n in cells else '-':>18}" for n in counts))
    print()


def _gate(name: str, ratio: float, bound: float) -> Figures:
    return {"name": name, "ratio": round(ratio, 1), "bound": bound, "holds": ratio >= bound}


def _target(name: str, measured: float, bound: float) -> Figures:
    return {"name": name, "measured": measured, "bound": bound, "met": measured <= bound}

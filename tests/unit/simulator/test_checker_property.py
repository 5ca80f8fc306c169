"""Random legal histories: nothing to complain about, the money adds up, and a missing fill never goes unnoticed."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from venue_log_builder import LogBuilder

from execactor.simulator.checker import check

TOLERANCE = Fraction(1, 10**6)  # a profit that ends in half of the last decimal rounds either way
_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_PRICES = st.integers(min_value=9000, max_value=11000).map(lambda ticks: f"{ticks // 100}.{ticks % 100:02d}")
_LOTS = st.integers(min_value=1, max_value=5000)
_SOON_MS = st.integers(min_value=0, max_value=1999)


class Trader:
    """Plays one decision after another by the rules, choosing freely where the rules leave a choice."""

    def __init__(self, data: st.DataObject) -> None:
        self.log = LogBuilder()
        self.data = data

    def play(self, decisions: int) -> None:
        for number in range(decisions):
            self.decide(
                f"d{number}", self.data.draw(st.sampled_from(_SYMBOLS)), self.data.draw(st.sampled_from([1, -1]))
            )
        self.log.record("end")

    def decide(self, key: str, symbol: str, sign: int) -> None:
        """Entry in one or two attempts, stop in time, perhaps a kill, tightening, targets, and out."""
        opening, closing = ("BUY", "SELL") if sign > 0 else ("SELL", "BUY")
        lots = self.data.draw(_LOTS)
        self.log.fed(key, size(lots), "long" if sign > 0 else "short")
        base = self.enter(key, symbol, opening, closing, lots)
        if self.data.draw(st.booleans()):
            self.kill_and_restart()
        stops = [base, *self.tighten(key, symbol, closing)]
        left = self.take_profit(key, symbol, closing, abs(self.log.held(symbol)))
        if self.data.draw(st.booleans()):
            self.stop_out(stops)
        elif left:
            self.fill_in_parts(self.order(f"capi_exit_{key}", symbol, closing, left), left)
        for stop in stops:
            if self.log.is_live(stop):
                self.log.algo(stop, "CANCELED")

    def enter(self, key: str, symbol: str, opening: str, closing: str, lots: int) -> int:
        first = self.order(f"capi_entry_{key}", symbol, opening, Fraction(lots, 1000))
        part = self.data.draw(st.integers(min_value=1, max_value=lots))
        self.log.fill(first, self.data.draw(_PRICES), size(part))
        self.log.wait(self.data.draw(_SOON_MS))
        base = self.log.stop(f"capi_sl_{key}", closing, "100", symbol=symbol)
        if part < lots and self.data.draw(st.booleans()):
            self.log.end(first)
            second = self.order(f"capi_entry_{key}_a2", symbol, opening, Fraction(lots - part, 1000))
            self.fill_in_parts(second, Fraction(lots - part, 1000))
        elif part < lots:
            self.fill_in_parts(first, Fraction(lots - part, 1000))
        return base

    def kill_and_restart(self) -> None:
        self.log.note("engine killed")
        self.log.wait(self.data.draw(_SOON_MS))
        self.log.note("engine started")
        self.log.wait(self.data.draw(_SOON_MS))
        self.log.note("engine ready")

    def tighten(self, key: str, symbol: str, closing: str) -> list[int]:
        """Ever tighter stops, each placed before its predecessor goes; returns the last."""
        better = 1 if closing == "SELL" else -1
        live: list[int] = []
        for attempt in range(1, self.data.draw(st.integers(min_value=0, max_value=3)) + 1):
            quantity = size(int(abs(self.log.held(symbol)) * 1000))
            stop = self.log.stop(
                f"capi_slt_{key}_a{attempt}", closing, str(100 + better * attempt), quantity, symbol=symbol
            )
            for old in live:
                self.log.algo(old, "CANCELED")
            live = [stop]
        return live

    def take_profit(self, key: str, symbol: str, closing: str, held: Fraction) -> Fraction:
        """Perhaps sells some of it; returns what is left."""
        lots = self.data.draw(st.integers(min_value=0, max_value=int(held * 1000)))
        if lots:
            self.fill_in_parts(
                self.order(f"capi_tp1_{key}", symbol, closing, Fraction(lots, 1000)), Fraction(lots, 1000)
            )
        return held - Fraction(lots, 1000)

    def stop_out(self, stops: list[int]) -> None:
        """The tightest stop triggers and closes what is left."""
        symbol = self.log.algo_symbol(stops[-1])
        if held := abs(self.log.held(symbol)):
            child = self.log.trigger(stops[-1], quantity=size(int(held * 1000)))
            self.fill_in_parts(child, held)
            self.log.algo(stops[-1], "FINISHED")

    def order(self, client_id: str, symbol: str, side: str, quantity: Fraction) -> int:
        return self.log.place(client_id, side, size(int(quantity * 1000)), symbol=symbol)

    def fill_in_parts(self, order: int, quantity: Fraction) -> None:
        lots = int(quantity * 1000)
        while lots:
            part = self.data.draw(st.integers(min_value=1, max_value=lots)) if self.data.draw(st.booleans()) else lots
            self.log.wait(self.data.draw(_SOON_MS))
            self.log.fill(order, self.data.draw(_PRICES), size(part))
            lots -= part


def size(lots: int) -> str:
    return f"{lots // 1000}.{lots % 1000:03d}"


@given(st.data(), st.integers(min_value=1, max_value=4))
def test_a_legal_history_has_no_violation_and_the_money_adds_up(data: st.DataObject, decisions: int) -> None:
    trader = Trader(data)
    trader.play(decisions)

    report = check(trader.log.lines)

    assert report.venue_errors == ()
    assert report.violations == ()
    assert report.mismatches == ()
    assert report.duplicates == 0
    assert report.positions == {}
    assert report.max_unprotected_ms <= 2000
    assert len(report.trades) == decisions
    gained = trader.log.wallet - 1000
    assert abs(Fraction(report.wallet) - trader.log.wallet) < TOLERANCE
    assert abs(Fraction(report.realized_pnl) - Fraction(report.fees) - gained) < TOLERANCE
    assert abs(sum(Fraction(trade.pnl) for trade in report.trades) - gained) < TOLERANCE


@given(st.data(), st.integers(min_value=1, max_value=3))
def test_a_missing_fill_is_noticed(data: st.DataObject, decisions: int) -> None:
    trader = Trader(data)
    trader.play(decisions)
    fills = [index for index, line in enumerate(trader.log.lines) if line["kind"] == "fill"]
    lost = data.draw(st.sampled_from(fills))
    rest = [line for index, line in enumerate(trader.log.lines) if index != lost]

    report = check({**line, "n": n} for n, line in enumerate(rest, start=1))

    assert any("recomputed" in error or "its fills sum to" in error for error in report.venue_errors)

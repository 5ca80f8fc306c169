"""The position machine against a venue where everything may be late, doubled, refused or lost.

After every step: no id twice, no second entry, no stop loosened or taken away, no position without a stop or a way out
for longer than the deadline. At the end, once the venue behaves: flat, nothing alive, and every cent accounted for.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import wraps
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from model_venue import ModelVenue
from model_wire import Crash, Fate, Wire
from rule_makers import BTC, SYMBOL
from trading_desk import SECOND

from execactor.domain.account import EngineState
from execactor.domain.ids import parse
from execactor.domain.messages.account import EngineStateChanged, FlatConfirmed, Flatten
from execactor.domain.messages.decisions import FlatMode, FlatRequested, PlanReceived
from execactor.domain.messages.orders import CancelOrder, SubmitProtective
from execactor.domain.messages.reconciliation import VenuePositionSeen
from execactor.domain.order import OrderIntent, RejectCause, Role
from execactor.domain.plan import Plan, Target
from execactor.domain.side import Side
from execactor.tactics.trade import Effect, TradePolicy

STEP = BTC.step_size
DEADLINE_NS = 2 * SECOND + 300_000_000
EVIDENCE_NS = TradePolicy().evidence_ns + 300_000_000

indexes = st.integers(0, 30)
causes = st.sampled_from([RejectCause.OVERLOADED, RejectCause.OTHER, RejectCause.THIN_BOOK, RejectCause.WOULD_TRIGGER])
lots = st.integers(1, 40).map(lambda count: count * STEP)


def survives_kills(action: Callable[..., None]) -> Callable[..., None]:
    """A process that dies while it does this is started again."""

    @wraps(action)
    def surviving(self: "Trading", **arguments: Any) -> None:
        try:
            action(self, **arguments)
        except Crash:
            self.start_again()

    return surviving


class Trading(RuleBasedStateMachine):
    """One symbol, one decision after another."""

    @initialize(shift=st.integers(-20, 20))
    def begin(self, shift: int) -> None:
        self.venue = ModelVenue(Decimal(90_800 + shift))
        self.wire = Wire(self.venue)
        self.wire.on_step = self.check_requests
        self.plans: dict[str, Plan] = {}
        self.naked_since_ns: int | None = None
        self.closest: dict[str, Decimal] = {}
        self.arrivals = 0

    # Decisions and people.

    @rule(
        side=st.sampled_from(Side),
        count=st.integers(1, 50),
        goals=st.integers(0, 2),
        away=st.sampled_from([0, -20, 20]),
    )
    @survives_kills
    def decide(self, side: Side, count: int, goals: int, away: int) -> None:
        key = f"d{len(self.plans) + 1}"
        price = self.venue.mark + away
        plan = Plan(
            key=key,
            symbol=SYMBOL,
            side=side,
            quantity=count * STEP,
            entry_price=price if away else None,
            stop_price=price - side.sign * 100,
            targets=tuple(Target(price + side.sign * 60 * n, Decimal("0.5")) for n in range(1, goals + 1)),
            valid_until_ms=self.wire.now_ns // 1_000_000 + 30_000,
            timestamp_ms=0,
            body_hash=key,
        )
        self.plans[key] = plan
        self.wire.feed(PlanReceived(plan=plan, expires_ns=self.wire.now_ns + 30 * SECOND))

    @rule(
        side=st.sampled_from(Side), count=st.integers(1, 50), goals=st.integers(0, 2), fills=st.lists(lots, max_size=3)
    )
    @survives_kills
    def open_a_position(self, side: Side, count: int, goals: int, fills: list[Decimal]) -> None:
        """The quick way into a trade, so that more of them get further."""
        if self.wire.state.plan is None:
            self.decide(side=side, count=count, goals=goals, away=20 * side.sign)
            while self.wire.submits:
                self.wire.deliver_submit(0)
        for entry in self.venue.live(Role.ENTRY):
            for quantity in fills or [Decimal(1)]:
                self.venue.match(entry.intent.client_id, quantity)

    @precondition(lambda self: self.plans)
    @rule(index=indexes)
    @survives_kills
    def decide_again(self, index: int) -> None:
        plan = list(self.plans.values())[index % len(self.plans)]
        self.wire.feed(PlanReceived(plan=plan, expires_ns=self.wire.now_ns + 30 * SECOND))

    @precondition(lambda self: self.wire.state.plan is not None)
    @rule(wish=st.sampled_from(["flat", "flat mode", "pause", "kill"]))
    @survives_kills
    def intervene(self, wish: str) -> None:
        wire = self.wire
        match wish:
            case "flat":
                wire.feed(FlatRequested(reason="flat"))
            case "flat mode":
                wire.feed(FlatMode(reason="malformed decision"))
            case "pause":
                wire.feed(EngineStateChanged(state=EngineState.PAUSED, epoch=0, reason="someone"))
                wire.feed(EngineStateChanged(state=EngineState.RUNNING, epoch=0, reason="someone"))
            case "kill":
                wire.feed(Flatten(reason="kill"))

    @precondition(lambda self: self.venue.position == 0 and self.wire.state.hold_stops)
    @rule()
    @survives_kills
    def confirm_flat(self) -> None:
        self.wire.feed(FlatConfirmed())

    # The way to the venue and back.

    @rule(picks=st.lists(indexes, min_size=1, max_size=12))
    @survives_kills
    def go_on(self, picks: list[int]) -> None:
        """Some of what is under way arrives, in any order."""
        for pick in picks:
            self._go_on(pick)

    def _go_on(self, pick: int) -> None:
        wire, venue = self.wire, self.venue
        ways = [
            (wire.submits, lambda: wire.deliver_submit(pick % len(wire.submits))),
            (wire.cancels, lambda: wire.deliver_cancel(pick % len(wire.cancels))),
            (wire.answers, lambda: wire.deliver_answer(pick % len(wire.answers))),
            (venue.stream, wire.deliver_report),
            (wire.doubts, lambda: wire.resolve(wire.doubts[pick % len(wire.doubts)])),
            (venue.matching, lambda: venue.match(venue.matching[pick % len(venue.matching)], (pick + 1) * STEP)),
        ]
        possible = [way for things, way in ways if things]
        if possible:
            possible[pick % len(possible)]()

    @precondition(lambda self: self.wire.submits or self.wire.cancels)
    @rule(index=indexes, fate=st.sampled_from([Fate.LOST, Fate.ANSWER_LOST]))
    @survives_kills
    def lose_a_request(self, index: int, fate: Fate) -> None:
        wire = self.wire
        if index < len(wire.submits):
            wire.deliver_submit(index, fate)
        elif wire.cancels:
            wire.deliver_cancel(index % len(wire.cancels), fate)

    @precondition(lambda self: self.venue.stream)
    @rule(count=st.integers(1, 3))
    @survives_kills
    def lose_reports(self, count: int) -> None:
        """The private stream was interrupted: a comparison with the venue follows."""
        for _ in range(min(count, len(self.venue.stream))):
            self.venue.stream.popleft()
        self.wire.reconcile_wanted = True

    @precondition(lambda self: self.wire.delivered)
    @rule(index=indexes)
    @survives_kills
    def repeat_a_report(self, index: int) -> None:
        report = self.wire.delivered[-1 - index % len(self.wire.delivered)]
        if not isinstance(report, VenuePositionSeen):
            self.wire.read(report)

    @rule(lost=st.integers(1, 3))
    @survives_kills
    def lose_effects(self, lost: int) -> None:
        """The next requests of the machine never reach the actor that they are for."""
        left = [lost]

        def loses(effect: Effect) -> bool:
            if left[0] and isinstance(effect, SubmitProtective | CancelOrder):
                left[0] -= 1
                return True
            return False

        self.wire.loses = loses

    @rule(arrivals=st.integers(0, 2**16 - 1))
    @survives_kills
    def be_killed(self, arrivals: int) -> None:
        self.arrivals = arrivals
        raise Crash

    @rule(records=st.integers(1, 6), arrivals=st.integers(0, 2**16 - 1))
    @survives_kills
    def be_killed_soon(self, records: int, arrivals: int) -> None:
        """The process dies right after it has written so many records more, in the middle of what it does then."""
        self.wire.crash_in, self.arrivals = records, arrivals

    def start_again(self) -> None:
        """A new process with the old journal; of what was under way some still arrives at the venue."""
        self.naked_since_ns = None
        self.wire.restart(lambda client_id: self.arrivals >> (sum(client_id.encode()) % 16) & 1 == 1)

    @rule()
    @survives_kills
    def compare_with_the_venue(self) -> None:
        while self.venue.stream:
            self.wire.deliver_report()
        self.wire.reconcile()

    # The market.

    @precondition(lambda self: self.venue.live(Role.ENTRY) or self.venue.matching)
    @rule(index=indexes, quantity=lots)
    @survives_kills
    def trade(self, index: int, quantity: Decimal) -> None:
        tradable = [*self.venue.matching, *(each.intent.client_id for each in self.venue.live(Role.ENTRY))]
        self.venue.match(tradable[index % len(tradable)], quantity)

    @precondition(lambda self: self.venue.matching)
    @rule(index=indexes)
    @survives_kills
    def run_out_of_book(self, index: int) -> None:
        self.venue.fail(self.venue.matching[index % len(self.venue.matching)])

    @rule(change=st.sampled_from([-130, -65, -20, -1, 1, 20, 65, 130]))
    @survives_kills
    def move(self, change: int) -> None:
        self.wire.mark(self.venue.mark + change)

    @precondition(lambda self: self.wire.state.plan is not None and self.venue.position != 0)
    @rule(goal=st.sampled_from(["sl", "break-even", "tp1", "tp2"]), quiet=st.booleans())
    @survives_kills
    def ride(self, goal: str, quiet: bool) -> None:
        """The market runs to one of the plan's prices, perhaps after a second in which all is well."""
        if quiet:
            self.have_a_quiet_second()
        plan = self.wire.state.plan
        if plan is None or plan.stop_price is None:
            return
        entry = plan.stop_price + plan.side.sign * 100
        steps = {"sl": -100, "break-even": 0, "tp1": 60, "tp2": 120}[goal]
        self.wire.mark(entry + plan.side.sign * steps)

    @rule(cause=causes)
    @survives_kills
    def refuse_next(self, cause: RejectCause) -> None:
        self.venue.refuse_next = cause

    @rule(ms=st.sampled_from([1, 100, 300, 600, 1_100, 2_500, 6_000]))
    @survives_kills
    def wait(self, ms: int) -> None:
        self.wire.wait(ms)

    @rule()
    @survives_kills
    def have_a_quiet_second(self) -> None:
        for _ in self.wire.calm(1):
            pass

    # What always holds.

    def check_requests(self, effects: list[Effect]) -> None:
        state = self.wire.state
        for effect in effects:
            if isinstance(effect, CancelOrder) and not state.position.flat:
                parsed = parse("capi", effect.client_id)
                assert parsed is not None
                assert parsed.role not in (Role.STOP, Role.TIGHTENED_STOP), "a stop is taken from an open position"
            if isinstance(effect, SubmitProtective) and effect.intent.role in (Role.STOP, Role.TIGHTENED_STOP):
                self.check_stop(effect.intent)
        self.check_protection()

    def check_stop(self, intent: OrderIntent) -> None:
        """A base stop stands where the plan says; another one never further away than the closest before."""
        plan = self.plans[intent.decision_key]
        assert plan.stop_price is not None
        assert intent.trigger_price is not None
        closest = self.closest.get(plan.key, plan.stop_price)
        if intent.role is Role.STOP:
            assert intent.trigger_price == plan.stop_price
            return
        assert (closest - intent.trigger_price) * plan.side.sign <= 0, "a stop adds risk"
        self.closest[plan.key] = intent.trigger_price

    def check_protection(self) -> None:
        wire, state = self.wire, self.wire.state
        orders = wire.table.orders.values()
        confirmed = any(order.working and order.intent.role is Role.STOP for order in orders)
        evidence = wire.now_ns - state.stop_evidence_ns < EVIDENCE_NS and state.stop_evidence_ns > 0
        if state.position.flat or confirmed or evidence or state.exit_reason or not wire.active:
            self.naked_since_ns = None
            return
        self.naked_since_ns = self.naked_since_ns or wire.now_ns
        naked_ns = wire.now_ns - self.naked_since_ns
        assert naked_ns <= DEADLINE_NS, f"no stop and no exit for {naked_ns / SECOND} s"

    @invariant()
    def no_entry_beyond_its_plan(self) -> None:
        filled: dict[str, Decimal] = {}
        for order in self.venue.orders.values() if hasattr(self, "venue") else ():
            if order.intent.role is Role.ENTRY:
                key = order.intent.decision_key
                filled[key] = filled.get(key, Decimal(0)) + order.filled
        for key, quantity in filled.items():
            assert quantity <= self.plans[key].quantity

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        wire = self.wire
        self.venue.refuse_next, wire.crash_in = None, None
        wire.loses = lambda _effect: False
        wire.feed(FlatRequested(reason="the end"))
        for _ in wire.calm(60):
            if self.venue.position == 0 and wire.state.position.flat:
                wire.feed(FlatConfirmed())
            if wire.at_rest:
                break
        assert wire.at_rest, f"{wire.state.phase}, live {[o.intent.client_id for o in self.venue.live()]}"
        cash = sum(
            (-Fraction(t.signed_quantity * t.price) - Fraction(t.commission) for t in self.venue.trades), Fraction(0)
        )
        won = sum((Fraction(trade.pnl) for trade in wire.trades_closed), Fraction(0))
        assert abs(cash - won) < Fraction(1, 10**9), "the closed trades do not add up to the cash"
        assert sum(trade.fills for trade in wire.trades_closed) == len(self.venue.trades)


Trading.TestCase.settings = settings(
    max_examples=600,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestTrading = Trading.TestCase

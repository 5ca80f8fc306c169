"""Actors that fail, suspend, stop and restart at random, in virtual time: what supervision promises holds all the same.

No ref is lost, nobody is restarted twice or too early, nobody handles anything after its stop, no message is lost,
doubled or overtaken in its lane, no timer of a former instance fires, and whoever asked is told. `supervision_ledger`
keeps the account of every message, `supervised_worker` that of every actor; neither looks into the runtime.
"""

import asyncio
import logging
import threading
from typing import Any

import pykka
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from supervised_worker import MS, Life, Worker, World, abort
from supervision_ledger import WORK, Deed, NormalWork

from execactor.runtime import ActorSystem, ManualClock, Supervision
from execactor.runtime.ref import LoopRef

MOST_ACTORS = 5  # at a time
LONG_NS = 40_000 * MS  # longer than any backoff, pause or timer

policies = st.builds(
    Supervision,
    max_restarts=st.sampled_from([0, 1, 2, 4, 8, 8]),
    within_ns=st.sampled_from([1 * MS, 100 * MS, 10_000 * MS]),
    backoff_min_ns=st.sampled_from([0, 0, 5 * MS]),
    backoff_max_ns=st.sampled_from([5 * MS, 30_000 * MS]),
    keep_trying_ns=st.sampled_from([None, None, 50 * MS]),
)
births = st.lists(st.sampled_from(["fine", "fine", "fine", "init", "hook"]), max_size=5).map(
    lambda fates: ["fine" if fate == "init" and first == 0 else fate for first, fate in enumerate(fates)]
)
kinds = st.sampled_from(WORK)
numbers = st.integers(0, 20)
DEADLY = ["abort another", "abort self", "abort self and fail", "stop self"]
deeds = st.builds(
    Deed,
    kind=st.sampled_from([*(kind for kind in Worker.DEEDS if kind not in DEADLY)] * 3 + DEADLY),
    other=numbers,
    ns=st.sampled_from([0, 1 * MS, 7 * MS, 200 * MS]),
)
work = st.lists(st.tuples(kinds, deeds), min_size=1, max_size=8)
ends = st.sampled_from(["stop", "abort", "stop in order"])


class Supervised(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        logging.disable()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.system = ActorSystem(self.clock, self.loop)
        self.world = World(self.system, self.clock)
        self.ledger = self.world.ledger
        self.system.dead_letters.subscribe(self.ledger.on_dead_letter)
        self.escalations: list[str] = []
        self.system.on_escalation.append(lambda ref, exc: self.escalations.append(f"{ref.name}: {exc}"))
        self.stops: list[tuple[Life, pykka.Future[bool]]] = []
        self.leaving: list[asyncio.Task[Any]] = []
        self.system.dispatcher.post(lambda: None)  # now the dispatcher knows its thread
        self._turn(1)

    def _turn(self, count: int) -> None:
        for _ in range(count):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    # What happens to actors.

    @initialize(made=st.lists(st.tuples(policies, births), min_size=1, max_size=3))
    def begin(self, made: list[tuple[Supervision, list[str]]]) -> None:
        for policy, fates in made:
            Life(self.world, policy, fates)

    @precondition(lambda self: len(self.world.living) < MOST_ACTORS)
    @rule(policy=policies, births=births)
    def start(self, policy: Supervision, births: list[str]) -> None:
        Life(self.world, policy, births)

    @rule(to=numbers, work=work, turns=st.integers(0, 3))
    def tell(self, to: int, work: list[tuple[Any, Deed]], turns: int) -> None:
        for kind, deed in work:
            self.ledger.send(self.world.life(to), kind, deed)
        self._turn(turns)

    @rule(to=numbers, work=work)
    def ask(self, to: int, work: list[tuple[Any, Deed]]) -> None:
        for kind, deed in work:
            self.ledger.send(self.world.life(to), kind, deed, asked=True)

    @rule(to=numbers, work=st.lists(st.tuples(kinds, deeds, st.booleans()), min_size=1, max_size=4))
    def tell_and_ask_from_another_thread(self, to: int, work: list[tuple[Any, Deed, bool]]) -> None:
        def send() -> None:
            for kind, deed, asked in work:
                self.ledger.send(self.world.life(to), kind, deed, asked=asked, foreign=True)

        thread = threading.Thread(target=send)
        thread.start()
        thread.join()

    @rule(how=ends, whom=numbers, deadline_ns=st.sampled_from([0, 10 * MS, 1_000 * MS]))
    def end(self, how: str, whom: int, deadline_ns: int) -> None:
        life = self.world.life(whom)
        if how == "stop":
            self._stop(life)
        elif how == "abort":
            abort(life)
        else:
            self._stop_in_order(list(dict.fromkeys([life, self.world.life(whom + 1)])), deadline_ns)

    def _stop(self, life: Life) -> None:
        if life.stop_asked_at is None:
            life.stop_asked_at = len(self.ledger.entries)
        was_dead = life.dead
        answer = life.ref.stop(block=False)
        if was_dead:
            assert answer.get(timeout=0) is False
        else:
            self.stops.append((life, answer))

    def _stop_in_order(self, chosen: list[Life], deadline_ns: int) -> None:
        async def stopping() -> None:
            for life in chosen:
                life.leaving = True
            await self.system.stop([life.ref for life in chosen], deadline_ns)

        self.leaving.append(self.loop.create_task(stopping()))

    # What lets them go on.

    @rule(count=st.integers(1, 5))
    def turn(self, count: int) -> None:
        self._turn(count)

    @rule()
    def flush(self) -> None:
        self.system.dispatcher.flush()

    @precondition(lambda self: self.world.gates)
    @rule(number=st.integers(0, 10))
    def open_gate(self, number: int) -> None:
        gates = self.world.gates
        gates.rotate(number)
        self._open(gates.popleft())

    @rule(ns=st.sampled_from([0, 1 * MS, 5 * MS, 50 * MS, 10_000 * MS]))
    def pass_time(self, ns: int) -> None:
        self.clock.advance(ns)

    @rule()
    def settle(self) -> None:
        """Nothing is in the way any more: everything has to come to its end, and every actor to answer or be dead."""
        for _ in range(100):
            while self.world.gates:
                self._open(self.world.gates.popleft())
            self._turn(10)
            self.system.dispatcher.flush()
            if self._is_calm():
                break
            self.clock.advance(LONG_NS)
        assert self._is_calm(), f"still open: {self.ledger.unended()}"
        self._check_account()

    def _open(self, gate: "asyncio.Future[None]") -> None:
        if not gate.done():
            gate.set_result(None)

    def _is_calm(self) -> bool:
        return (
            not self.ledger.unended()
            and not self.world.gates
            and all(life.dead or (life.due_ns is None and not self._once_armed(life)) for life in self.world.lives)
            and all(task.done() for task in self.leaving)
            and self.system.dispatcher.flush()
        )

    @staticmethod
    def _once_armed(life: Life) -> bool:
        return any(armed.interval_ns is None for armed in life.armed.values())

    def _check_account(self) -> None:
        self.ledger.check_answers()
        assert sorted(self.escalations) == sorted(self.world.escalations_due)
        for life, answer in self.stops:
            assert life.dead, f"{life.name} was stopped and lives"
            assert answer.get(timeout=0) is True
        for life in self.world.lives:
            (self._check_dead if life.dead else self._check_living)(life)

    def _check_living(self, life: Life) -> None:
        ref = life.ref
        assert ref.is_alive(), f"{life.name} is dead and nobody knows why"
        assert self.system.lookup(life.name) is ref
        assert pykka.ActorRegistry.get_all().count(ref) == 1
        (shown,) = [each for each in self.system.snapshot() if each.name == life.name]
        assert shown.depths == (0, 0, 0, 0)
        assert shown.restarts <= life.failures
        processed = shown.processed
        answer = ref.ask(self.ledger.write(life, NormalWork, Deed("do"), asked=True).message, block=False)
        self.system.dispatcher.flush()
        assert answer.get(timeout=0) is None
        (shown,) = [each for each in self.system.snapshot() if each.name == life.name]
        assert shown.processed == processed + 1

    def _check_dead(self, life: Life) -> None:
        ref = life.ref
        assert not ref.is_alive()
        assert ref.actor_stopped.is_set()
        assert self.system.lookup(life.name) is None
        assert ref not in pykka.ActorRegistry.get_all()
        assert ref.stop(block=False).get(timeout=0) is False
        self.ledger.send(life, NormalWork, Deed("do"))

    @invariant()
    def no_promise_is_broken(self) -> None:
        assert not self.ledger.violations, "\n".join(self.ledger.violations)

    def teardown(self) -> None:
        try:
            if self.world.lives and not self.ledger.violations:
                self.settle()
                self.no_promise_is_broken()
        finally:
            for ref in self.system.refs:
                assert isinstance(ref, LoopRef)
                ref.abort()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self._turn(5)
            self.loop.close()
            logging.disable(logging.NOTSET)


Supervised.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSupervised = Supervised.TestCase

"""Actors that fail, suspend, stop and restart at random, in virtual time: what supervision promises holds all the same.

No ref is lost, nobody is restarted twice, too early or out of order, nobody handles anything after its stop, no message
is lost, doubled or overtaken in its lane, no timer of a former instance fires, whoever watches is told once, whoever
asked is told. `supervision_ledger` keeps the account of every message, `supervised_life` that of every actor; neither
looks into the runtime.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import pykka
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from supervised_family import MS, NORMAL_CAPACITY, Family, World
from supervised_life import Life
from supervised_worker import FamilySupervisor, Worker, abort
from supervision_ledger import WORK, BulkWork, Deed, DoomedWork, Entry, NormalWork, RetriedWork, SystemWork, UrgentWork

from execactor.runtime import (
    ActorSystem,
    ChildSpec,
    MailboxSpec,
    ManualClock,
    Overflow,
    Restart,
    Strategy,
    Supervision,
)
from execactor.runtime.ref import LoopRef

MOST_ACTORS = 5  # at a time
LONG_NS = 40_000 * MS  # longer than any backoff, pause or timer


def supervisions(*max_restarts: int) -> st.SearchStrategy[Supervision]:
    return st.builds(
        Supervision,
        max_restarts=st.sampled_from(max_restarts),
        within_ns=st.sampled_from([1 * MS, 100 * MS, 10_000 * MS]),
        backoff_min_ns=st.sampled_from([0, 0, 5 * MS]),
        backoff_max_ns=st.sampled_from([5 * MS, 30_000 * MS]),
        keep_trying_ns=st.sampled_from([None, None, 50 * MS]),
    )


policies = supervisions(0, 1, 4, 8, 8)
intensities = supervisions(1, 4, 20, 20, 20)
births = st.lists(st.sampled_from(["fine", "fine", "fine", "init", "hook"]), max_size=5).map(
    lambda fates: ["fine" if fate == "init" and first == 0 else fate for first, fate in enumerate(fates)]
)
mailboxes = st.builds(
    MailboxSpec,
    normal_capacity=st.just(NORMAL_CAPACITY),
    normal_overflow=st.sampled_from([Overflow.BACKPRESSURE, Overflow.BACKPRESSURE, *Overflow]),
    bulk_capacity=st.just(4),
    bulk_overflow=st.sampled_from([Overflow.DROP_OLDEST, Overflow.DROP_NEWEST]),
)
children = st.lists(
    st.tuples(births, mailboxes, st.sampled_from([Restart.TRANSIENT, Restart.TRANSIENT, Restart.TEMPORARY])),
    min_size=2,
    max_size=4,
)
kinds = st.sampled_from(WORK)
hot_kinds = st.sampled_from([SystemWork, UrgentWork, RetriedWork])
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
        self.system.on_escalation.append(lambda ref, exc: self.escalations.append(ref.name))
        self.stops: list[tuple[Life, pykka.Future[bool]]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.system.dispatcher.post(lambda: None)  # now the dispatcher knows its thread
        self._turn(1)

    def _turn(self, count: int) -> None:
        for _ in range(count):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    # What happens to actors.

    @initialize(made=st.lists(st.tuples(births, policies, mailboxes), min_size=1, max_size=3))
    def begin(self, made: list[tuple[list[str], Supervision, MailboxSpec]]) -> None:
        for one in made:
            self._start(*one)

    @precondition(lambda self: len(self.world.living) < MOST_ACTORS)
    @rule(births=births, policy=policies, mailbox=mailboxes)
    def start(self, births: list[str], policy: Supervision, mailbox: MailboxSpec) -> None:
        self._start(births, policy, mailbox)

    def _start(self, births: list[str], policy: Supervision, mailbox: MailboxSpec) -> None:
        worker = type("SupervisedWorker", (Worker,), {"supervision": policy, "mailbox": mailbox})
        life = Life(self.world, births, policy)
        life.ref = self.system.start(worker, life, name=life.name)

    @precondition(lambda self: len(self.world.living) < MOST_ACTORS)
    @rule(strategy=st.sampled_from(Strategy), intensity=intensities, children=children)
    def start_a_family(self, strategy: Strategy, intensity: Supervision, children: list[Any]) -> None:
        family = Family(self.world, strategy, intensity)
        specs = []
        for births, mailbox, restart in children:
            life = Life(self.world, births, family=family, restart=restart)
            worker = type("SupervisedWorker", (Worker,), {"mailbox": mailbox})
            specs.append(ChildSpec(name=life.name, actor_class=worker, args=(life,), restart=restart))
        family.ref = self.system.start(
            FamilySupervisor, family.leave, specs, strategy=strategy, intensity=intensity, name=family.name
        )
        for life in family.children:
            ref = self.system.lookup(life.name)
            assert ref is not None
            life.ref = ref

    @rule(to=numbers, work=work, turns=st.integers(0, 3))
    def tell(self, to: int, work: list[tuple[Any, Deed]], turns: int) -> None:
        for kind, deed in work:
            self.ledger.send(self.world.life(to), kind, deed)
        self._turn(turns)

    @precondition(lambda self: self.world.families)
    @rule(which=numbers, work=st.lists(st.tuples(hot_kinds, deeds), min_size=2, max_size=4), turns=st.integers(0, 2))
    def tell_siblings(self, which: int, work: list[tuple[Any, Deed]], turns: int) -> None:
        """One message each, so that they do something at the same time."""
        families = [family for family in self.world.families if not family.leaving] or self.world.families
        for life, (kind, deed) in zip(families[which % len(families)].children, work, strict=False):
            self.ledger.send(life, kind, deed)
        self._turn(turns)

    @rule(to=numbers, work=work)
    def ask(self, to: int, work: list[tuple[Any, Deed]]) -> None:
        for kind, deed in work:
            self.ledger.send(self.world.life(to), kind, deed, asked=True)

    @rule(
        to=numbers,
        work=st.lists(st.tuples(st.sampled_from([NormalWork, NormalWork, BulkWork]), deeds), min_size=4, max_size=10),
    )
    def send(self, to: int, work: list[tuple[Any, Deed]]) -> None:
        """As one who waits for room, if need be."""
        for kind, deed in work:
            entry = self.ledger.write(self.world.life(to), kind, deed, "send")
            self._run(self._sending(entry))

    async def _sending(self, entry: Entry) -> None:
        with contextlib.suppress(pykka.ActorDeadError):
            await entry.life.ref.send(entry.message)

    @rule(to=numbers, work=work, timeout_ns=st.sampled_from([1, 10 * MS, 1_000 * MS]))
    def call(self, to: int, work: list[tuple[Any, Deed]], timeout_ns: int) -> None:
        for kind, deed in work:
            entry = self.ledger.write(self.world.life(to), kind, deed, "call", asked=True)
            entry.future = self._run(self._calling(entry, timeout_ns))

    async def _calling(self, entry: Entry, timeout_ns: int) -> Any:
        entry.expires_at_ns = self.clock.monotonic_ns() + timeout_ns
        return await entry.life.ref.call(entry.message, timeout_ns=timeout_ns)

    def _run(self, coro: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = self.loop.create_task(coro)
        self.tasks.append(task)
        return task

    @rule(to=numbers, deed=deeds, ns=st.sampled_from([0, 5 * MS, 200 * MS]))
    def tell_what_expires(self, to: int, deed: Deed, ns: int) -> None:
        expires_at_ns = self.clock.monotonic_ns() + ns
        entry = self.ledger.write(self.world.life(to), DoomedWork, deed, "send", expires_at_ns=expires_at_ns)
        self._run(self._sending(entry))

    # NORMAL is left out: there the thread would wait for room, and the run for the thread.
    @rule(
        to=numbers,
        work=st.lists(
            st.tuples(st.sampled_from([SystemWork, UrgentWork, RetriedWork, BulkWork]), deeds, st.booleans()),
            min_size=1,
            max_size=4,
        ),
    )
    def tell_and_ask_from_another_thread(self, to: int, work: list[tuple[Any, Deed, bool]]) -> None:
        def send() -> None:
            for kind, deed, asked in work:
                self.ledger.send(self.world.life(to), kind, deed, "thread", asked=asked)

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

    @precondition(lambda self: len(self.world.families) > 1)
    @rule(whom=numbers, orderly=st.booleans())
    def end_a_family(self, whom: int, orderly: bool) -> None:
        family = self.world.families[whom % len(self.world.families)]
        if orderly:
            family.ref.stop(block=False)
        else:
            family.leave()
            family.ref.abort()

    def _stop(self, life: Life) -> None:
        life.asked_to_stop()
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
                life.stops += 1
            await self.system.stop([life.ref for life in chosen], deadline_ns)

        self._run(stopping())

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
            and not any(life.awaits for life in self.world.lives)
            and all(task.done() for task in self.tasks)
            and self.system.dispatcher.flush()
        )

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
        assert shown.restarts < life.instances
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
            for task in self.tasks:
                task.cancelled() or task.exception()  # seen
            self.loop.close()
            logging.disable(logging.NOTSET)


Supervised.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSupervised = Supervised.TestCase

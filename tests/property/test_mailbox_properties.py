"""What holds of a bounded mailbox under any order of senders, failures and restarts.

Sent = handled + dead letters, each exactly once; order is kept within a lane; senders are let in first come, first
served; what was refused leaves no trace.
"""

import asyncio
import logging
from typing import Any, ClassVar

import hypothesis.strategies as st
import msgspec
import pykka
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from execactor.runtime import ActorSystem, Lane, LoopActor, MailboxFull, MailboxSpec, ManualClock, Overflow, Supervision


class Plain(msgspec.Struct, frozen=True):
    numbers: tuple[int, ...]
    fails: bool = False


class Urgent(Plain, frozen=True):
    lane: ClassVar[Lane] = Lane.URGENT


class Bulk(Plain, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK


class Merged(Plain, frozen=True):
    lane: ClassVar[Lane] = Lane.BULK

    def conflation_key(self) -> int:
        return self.numbers[-1] % 2

    def merge(self, older: "Merged") -> "Merged":
        return Merged((*older.numbers, *self.numbers), fails=self.fails or older.fails)


kinds = st.sampled_from([Plain, Urgent, Bulk, Merged])
policies = st.sampled_from(Overflow)


class Recorder(LoopActor):
    supervision = Supervision(max_restarts=1_000_000)

    def __init__(self, machine: "BoundedMailbox") -> None:
        super().__init__()
        self.machine = machine

    def on_receive(self, message: Any) -> Any:
        if message == "hold":
            return self.machine.gate.wait()
        if message.fails:
            raise ValueError("failed as told")
        self.machine.handled.append(message)
        return None


class BoundedMailbox(RuleBasedStateMachine):
    @initialize(normal=policies, bulk=policies, capacity=st.integers(1, 3))
    def begin(self, normal: Overflow, bulk: Overflow, capacity: int) -> None:
        logging.disable()
        spec = MailboxSpec(normal_capacity=capacity, normal_overflow=normal, bulk_capacity=capacity, bulk_overflow=bulk)
        self.loop = asyncio.new_event_loop()
        self.system = ActorSystem(ManualClock(), self.loop)
        self.gate = asyncio.Event()
        self.gate.set()
        self.ref: Any = self.system.start(type("Bounded", (Recorder,), {"mailbox": spec}), self)
        self.lost: list[Any] = []
        self.system.dead_letters.subscribe(lambda letter: self.lost.append(letter.message))
        self.handled: list[Plain] = []
        self.sent: list[Plain] = []
        self.sends: list[tuple[Plain, asyncio.Future[None]]] = []
        self.count = 0
        self.turn()
        self.hold()

    def turn(self) -> None:
        """Let everything happen that can; then see which senders were let in, and that none was before its turn."""
        for _ in range(20):
            self.loop.run_until_complete(asyncio.sleep(0))
        for lane in Lane:
            of_lane = [send.done() for message, send in self.sends if getattr(message, "lane", Lane.NORMAL) == lane]
            assert of_lane == sorted(of_lane, reverse=True), "a later sender was let in first"
        for message, send in self.sends:
            if send.done():
                # One whose actor was stopped has left a dead letter: sent, and not handled.
                assert isinstance(send.exception(), pykka.ActorDeadError | None)
                self.sent.append(message)
        self.sends = [(message, send) for message, send in self.sends if not send.done()]

    def message(self, kind: type[Plain], *, fails: bool) -> Plain:
        self.count += 1
        return kind((self.count,), fails)

    @rule()
    def hold(self) -> None:
        if self.gate.is_set() and self.ref.try_tell("hold"):
            self.gate.clear()
            self.turn()

    @rule()
    def release(self) -> None:
        self.gate.set()
        self.turn()

    @rule(kind=kinds, fails=st.booleans())
    def tell(self, kind: type[Plain], fails: bool) -> None:
        message = self.message(kind, fails=fails)
        try:
            self.ref.tell(message)
        except MailboxFull:
            return
        self.sent.append(message)

    @rule(sent=st.lists(st.tuples(kinds, st.booleans()), min_size=1, max_size=6))
    def send(self, sent: list[tuple[type[Plain], bool]]) -> None:
        for kind, fails in sent:
            message = self.message(kind, fails=fails)
            self.sends.append((message, asyncio.ensure_future(self.ref.send(message), loop=self.loop)))
            self.loop.run_until_complete(asyncio.sleep(0))
        self.turn()

    @rule(kind=kinds, count=st.integers(1, 6))
    def flood(self, kind: type[Plain], count: int) -> None:
        for _ in range(count):
            self.tell(kind, fails=False)

    @precondition(lambda self: self.sends)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        _, send = data.draw(st.sampled_from(self.sends))
        send.cancel()
        self.loop.run_until_complete(asyncio.wait({send}))
        self.sends = [each for each in self.sends if each[1] is not send]

    @rule()
    def look(self) -> None:
        waiting = self.ref._cell.mailbox.senders_waiting
        assert waiting == len(self.sends)

    def teardown(self) -> None:
        if not hasattr(self, "ref"):
            return
        if self.count % 2:
            self.gate.set()
            self.turn()
        self.ref.abort()
        self.turn()
        assert not self.sends
        lost = [message for message in self.lost if message != "hold"]
        ends = sorted(number for message in (*self.handled, *lost) for number in message.numbers)
        assert ends == sorted(number for message in self.sent for number in message.numbers)
        for kind in (Plain, Urgent, Bulk):
            handled = [message.numbers[0] for message in self.handled if type(message) is kind]
            assert handled == sorted(handled), "not in the order in which they were sent"
        for key in (0, 1):
            merged = [message.numbers for message in self.handled if type(message) is Merged]
            numbers = [number for of_one in merged if of_one[-1] % 2 == key for number in of_one]
            assert numbers == sorted(numbers), "merged in another order than sent"
        self.loop.close()
        logging.disable(logging.NOTSET)


BoundedMailbox.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBoundedMailbox = BoundedMailbox.TestCase

"""Actors on threads and actors on the loop talk to each other, both ways, through refs, proxies and futures."""

import asyncio
import threading
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S

from execactor.runtime import LoopActor, as_awaitable

pytestmark = pytest.mark.usefixtures("stop_all")


class Account:
    """What both kinds of actor do when asked."""

    balance = 10

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if isinstance(message, tuple):
            ref, text = message
            ref.tell(text)
            return None
        if isinstance(message, threading.Event):
            message.set()
            return None
        return "echo", message

    def pay_in(self, amount: int) -> int:
        if amount < 0:
            raise ValueError("negative")
        self.balance += amount
        return self.balance


class ThreadAccount(Account, pykka.ThreadingActor):
    pass


class LoopAccount(Account, LoopActor):
    pass


class Customer(pykka.ThreadingActor):
    """Waits for what it asks of others, as is the custom on threads."""

    def on_receive(self, message: Any) -> Any:
        ref, act = message
        return act(ref)


class LoopCustomer(LoopActor):
    """Awaits it."""

    async def on_receive(self, message: Any) -> Any:
        ref, act = message
        return await as_awaitable(act(ref))


class TestAThreadingActorUsesALoopActor:
    @pytest.fixture
    def use(self):
        """Have the threading actor do something with the loop actor's ref."""
        customer, account = Customer.start(), LoopAccount.start()
        return lambda act: customer.ask((account, act), timeout=PATIENCE_S)

    def test_it_tells(self, use):
        arrived = threading.Event()
        use(lambda ref: ref.tell(arrived))
        assert arrived.wait(PATIENCE_S)

    def test_it_asks_and_blocks(self, use):
        assert use(lambda ref: ref.ask("x", timeout=PATIENCE_S)) == ("echo", "x")

    def test_it_gets_the_exception_of_what_it_asked(self, use):
        with pytest.raises(ValueError, match="boom"):
            use(lambda ref: ref.ask(ValueError("boom")))

    def test_it_uses_a_proxy(self, use):
        def act(ref: pykka.ActorRef[Any]) -> list[Any]:
            proxy = ref.proxy()
            proxy.balance = 20
            return [proxy.pay_in(5).get(timeout=PATIENCE_S), proxy.balance.get(timeout=PATIENCE_S)]

        assert use(act) == [25, 25]

    def test_it_stops_it_once(self, use):
        assert use(lambda ref: ref.stop(timeout=PATIENCE_S)) is True
        assert use(lambda ref: ref.stop(timeout=PATIENCE_S)) is False
        with pytest.raises(pykka.ActorDeadError):
            use(lambda ref: ref.tell("x"))

    def test_it_starts_one(self, use):
        started = use(lambda ref: LoopAccount.start())
        assert started.ask("x", timeout=PATIENCE_S) == ("echo", "x")

    def test_it_derives_futures_and_joins_those_of_both_kinds(self, use):
        away = ThreadAccount.start()

        def act(ref: pykka.ActorRef[Any]) -> list[Any]:
            ours, theirs = ref.proxy().pay_in(1), away.proxy().pay_in(2)
            both = ours.join(theirs).get(timeout=PATIENCE_S), theirs.join(ours).get(timeout=PATIENCE_S)
            return [*both, ours.map(lambda balance: balance * 2).get(timeout=PATIENCE_S)]

        assert use(act) == [[11, 12], [12, 11], 22]


class TestALoopActorUsesAThreadingActor:
    @pytest.fixture
    def account(self) -> pykka.ActorRef[Any]:
        return ThreadAccount.start()

    @pytest.fixture
    def use(self, account):
        """Have the loop actor await something that the threading actor's ref returns."""
        customer = LoopCustomer.start()
        return lambda act: customer.ask((account, act), timeout=PATIENCE_S)

    def test_it_tells(self, account):
        arrived = threading.Event()
        LoopAccount.start().tell((account, arrived))
        assert arrived.wait(PATIENCE_S)

    def test_it_asks_and_awaits(self, use):
        assert use(lambda ref: ref.ask("x", block=False)) == ("echo", "x")

    def test_it_gets_the_exception_of_what_it_asked(self, use):
        with pytest.raises(ValueError, match="boom"):
            use(lambda ref: ref.ask(ValueError("boom"), block=False))

    def test_it_awaits_a_proxy_s_call_and_attribute(self, use):
        assert use(lambda ref: ref.proxy().pay_in(5)) == 15
        assert use(lambda ref: ref.proxy().balance) == 15

    def test_it_stops_it_once(self, use):
        assert use(lambda ref: ref.stop(block=False)) is True
        assert use(lambda ref: ref.stop(block=False)) is False
        with pytest.raises(pykka.ActorDeadError):
            use(lambda ref: ref.ask("x", block=False))

    def test_it_pipes_the_answer_to_itself(self, account):
        answered = threading.Event()

        class Piping(LoopActor):
            def on_start(self) -> None:
                self.pipe_to_self(account.ask("x", block=False), lambda answer: answer, lambda exc: exc)

            def on_receive(self, message: Any) -> Any:
                if message == ("echo", "x"):
                    answered.set()

        Piping.start()
        assert answered.wait(PATIENCE_S)

    def test_the_loop_serves_others_while_it_waits(self, account):
        gate = threading.Event()
        answered = LoopCustomer.start().ask(
            (Customer.start(), lambda ref: ref.ask((gate, threading.Event.wait), block=False)), block=False
        )
        assert LoopAccount.start().ask("x", timeout=PATIENCE_S) == ("echo", "x")
        gate.set()
        assert answered.get(timeout=PATIENCE_S) is True

    async def test_futures_of_both_kinds_can_be_joined_and_awaited(self, system, account):
        ours, theirs = system.start(LoopAccount).ask(1, block=False), account.ask(2, block=False)
        assert await ours.join(theirs) == [("echo", 1), ("echo", 2)]
        await as_awaitable(account.stop(block=False))


class TestTogether:
    @pytest.fixture
    def both(self) -> tuple[pykka.ActorRef[Any], pykka.ActorRef[Any]]:
        return ThreadAccount.start(), LoopAccount.start()

    @pytest.mark.parametrize("first", [0, 1])
    def test_refs_travel_in_messages_and_come_back_used(self, both, first):
        one, other = both[first], both[1 - first]
        arrived = threading.Event()
        one.tell((other, (one, arrived)))
        assert arrived.wait(PATIENCE_S)

    def test_one_registry_holds_both(self, both):
        assert pykka.ActorRegistry.get_by_class(Account) == list(both)
        arrived = [threading.Event(), threading.Event()]
        for ref, event in zip(both, arrived, strict=True):
            pykka.ActorRegistry.broadcast(event, target_class=ref.actor_class)
        assert all(event.wait(PATIENCE_S) for event in arrived)

    def test_stop_all_stops_the_last_started_first_whatever_its_kind(self):
        order = []

        class OnThread(pykka.ThreadingActor):
            def on_stop(self) -> None:
                order.append(self.actor_ref)

        class OnLoop(LoopActor):
            def on_stop(self) -> None:
                order.append(self.actor_ref)

        refs = [cls.start() for cls in (OnThread, OnLoop, OnThread, OnLoop)]
        assert pykka.ActorRegistry.stop_all(timeout=PATIENCE_S) == [True] * 4
        assert order == refs[::-1]

    async def test_on_the_dispatcher_s_own_thread_too_each_tells_the_other(self, system):
        arrived = asyncio.Event()

        class Home(LoopActor):
            def on_receive(self, message: Any) -> Any:
                if message == "from the thread":
                    arrived.set()
                else:
                    message.tell((self.actor_ref, "from the thread"))

        away = ThreadAccount.start()
        system.start(Home).tell(away)
        await arrived.wait()
        await as_awaitable(away.stop(block=False))

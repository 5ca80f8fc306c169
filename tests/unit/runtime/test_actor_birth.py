"""What pykka's own constructor would set, a LoopActor has too, made at less cost."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pykka
import pytest

from execactor.runtime import LoopActor
from execactor.runtime.stop_flag import StopFlag


class Threaded(pykka.ThreadingActor):
    pass


class Looped(LoopActor):
    pass


async def test_an_instance_has_all_that_pykka_s_constructor_sets(system):
    ref = system.start(Looped)
    instance = ref._actor_weakref()
    of_pykka = vars(Threaded())
    assert of_pykka.keys() <= vars(instance).keys()
    threaded = Threaded.start()
    assert vars(threaded).keys() <= vars(ref).keys()
    threaded.stop()
    for name, value in of_pykka.items():
        if name not in {"actor_inbox", "_actor_ref"}:
            assert isinstance(getattr(instance, name), type(value)), name


async def test_urns_are_random_uuids_and_differ(system):
    urns = [system.start(Looped).actor_urn for _ in range(200)]
    assert len(set(urns)) == 200
    for urn in urns:
        parsed = uuid.UUID(urn)
        assert parsed.urn == urn
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


@pytest.mark.parametrize("make", [threading.Event, StopFlag])
class TestStopFlag:
    def test_it_is_an_event_that_can_be_set_and_cleared(self, make):
        flag = make()
        assert isinstance(flag, threading.Event)
        assert not flag.is_set()
        assert not flag.wait(0)
        flag.set()
        flag.set()
        assert flag.is_set()
        assert flag.wait()
        flag.clear()
        assert not flag.is_set()
        assert not flag.wait(0.001)
        assert "unset" in repr(flag)

    def test_all_who_wait_are_woken(self, make):
        with ThreadPoolExecutor(8) as threads:
            for _ in range(200):
                flag = make()
                waiting = [threads.submit(flag.wait, 10) for _ in range(7)]
                threads.submit(flag.set)
                assert all(woken.result() for woken in waiting)

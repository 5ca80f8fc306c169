"""What pykka 4.5 documents for traversable(): attributes whose own attributes a proxy reaches."""

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from pykka_subject import PATIENCE_S

pytestmark = pytest.mark.usefixtures("stop_all")


class Playback:
    def __init__(self) -> None:
        self.volume = 5

    def play(self) -> bool:
        return True

    def thread(self) -> int:
        return threading.get_ident()


@pykka.traversable
class DecoratedPlayback(Playback):
    pass


class FlaggedPlayback(Playback):
    pykka_traversable = True


MARKED: dict[str, Callable[[], Playback]] = {
    "by calling traversable()": lambda: pykka.traversable(Playback()),
    "by the class decorator": DecoratedPlayback,
    "by the class's own flag": FlaggedPlayback,
}


def playing(base: type[pykka.Actor], playback: Playback) -> Any:
    class Player(base):
        def __init__(self) -> None:
            super().__init__()
            self.playback = playback

        def thread(self) -> int:
            return threading.get_ident()

    return Player.start().proxy()


@pytest.mark.parametrize("make", MARKED.values(), ids=MARKED.keys())
class TestMarked:
    def test_its_methods_run_in_the_actor(self, kind, make):
        proxy = playing(kind.actor, make())
        assert proxy.playback.play().get(timeout=PATIENCE_S) is True
        assert proxy.playback.thread().get(timeout=PATIENCE_S) == proxy.thread().get(timeout=PATIENCE_S)

    def test_its_attributes_are_read_and_set(self, kind, make):
        proxy = playing(kind.actor, make())
        assert isinstance(proxy.playback, pykka.ActorProxy)
        proxy.playback.volume = 7
        assert proxy.playback.volume.get(timeout=PATIENCE_S) == 7


def test_one_that_is_not_marked_comes_as_it_is(kind):
    playback = Playback()
    assert playing(kind.actor, playback).playback.get(timeout=PATIENCE_S) is playback


def test_they_nest_as_deep_as_all_on_the_way_are_marked(kind):
    inner = pykka.traversable(Playback())
    outer = pykka.traversable(Playback())
    outer.inner = inner
    proxy = playing(kind.actor, outer)
    assert proxy.playback.inner.play().get(timeout=PATIENCE_S) is True
    assert proxy.playback != proxy


def test_an_object_with_slots_cannot_be_marked():
    class Slotted:
        __slots__ = ("volume",)

    with pytest.raises(ValueError, match="slots"):
        pykka.traversable(Slotted())

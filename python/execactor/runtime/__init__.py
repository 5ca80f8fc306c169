"""Actors that share one event loop: pykka's API, four priority lanes, restarts, timers, dead letters.

The package knows nothing about trading. Start with LoopActor and ActorSystem.
"""

from execactor.runtime.answers import MessageDropped
from execactor.runtime.clock import Clock, ManualClock, SystemClock, TimerHandle
from execactor.runtime.dead_letters import DeadLetter, DeadLetters
from execactor.runtime.dispatcher import Dispatcher
from execactor.runtime.future import LoopFuture, WouldDeadlock, as_awaitable
from execactor.runtime.hygiene import freeze_garbage, set_switch_interval
from execactor.runtime.loop_actor import LoopActor
from execactor.runtime.mailbox import Lane
from execactor.runtime.ref import LoopRef
from execactor.runtime.supervisor import Supervision
from execactor.runtime.system import ActorSnapshot, ActorSystem
from execactor.runtime.timers import Timers

__all__ = [
    "ActorSnapshot",
    "ActorSystem",
    "Clock",
    "DeadLetter",
    "DeadLetters",
    "Dispatcher",
    "Lane",
    "LoopActor",
    "LoopFuture",
    "LoopRef",
    "ManualClock",
    "MessageDropped",
    "Supervision",
    "SystemClock",
    "TimerHandle",
    "Timers",
    "WouldDeadlock",
    "as_awaitable",
    "freeze_garbage",
    "set_switch_interval",
]

"""Actors that share one event loop: pykka's API, four priority lanes, restarts, timers, dead letters.

The package knows nothing about trading. Start with LoopActor and ActorSystem.
"""

from execactor.runtime.answers import MessageDropped
from execactor.runtime.child_spec import ChildSpec, Restart, Strategy
from execactor.runtime.children import TooManyRestarts
from execactor.runtime.clock import Clock, ManualClock, SystemClock, TimerHandle
from execactor.runtime.dead_letters import DeadLetter, DeadLetters
from execactor.runtime.dispatcher import Dispatcher
from execactor.runtime.event_log import EventLog
from execactor.runtime.executors import BlockingPool, Executors, PoolFull, PoolSnapshot
from execactor.runtime.future import LoopFuture, WouldDeadlock, as_awaitable
from execactor.runtime.hygiene import BusyThread, IdleCollector, ThreadTimes, freeze_garbage, set_switch_interval
from execactor.runtime.introspection import ActorSnapshot, HandlerTimes
from execactor.runtime.loop_actor import LoopActor
from execactor.runtime.loop_without_io import NotSimulated
from execactor.runtime.mailbox import Lane
from execactor.runtime.overflow import MailboxFull, MailboxSpec, Overflow
from execactor.runtime.random_streams import RandomStreams
from execactor.runtime.ref import LoopRef
from execactor.runtime.simulated import Simulation
from execactor.runtime.simulated_actors import InjectedFailure
from execactor.runtime.simulated_loop import Abandoned, Deadlock, SimulatedLoop
from execactor.runtime.stash import Stash
from execactor.runtime.supervision import Supervision
from execactor.runtime.supervisor import StartChild, StopChild, Supervisor
from execactor.runtime.system import ActorSystem
from execactor.runtime.timeline import Livelock
from execactor.runtime.timers import Timers
from execactor.runtime.watch import Terminated
from execactor.runtime.watchdog import LoopHeld, Watchdog

__all__ = [
    "Abandoned",
    "ActorSnapshot",
    "ActorSystem",
    "BlockingPool",
    "BusyThread",
    "ChildSpec",
    "Clock",
    "DeadLetter",
    "DeadLetters",
    "Deadlock",
    "Dispatcher",
    "EventLog",
    "Executors",
    "HandlerTimes",
    "IdleCollector",
    "InjectedFailure",
    "Lane",
    "Livelock",
    "LoopActor",
    "LoopFuture",
    "LoopHeld",
    "LoopRef",
    "MailboxFull",
    "MailboxSpec",
    "ManualClock",
    "MessageDropped",
    "NotSimulated",
    "Overflow",
    "PoolFull",
    "PoolSnapshot",
    "RandomStreams",
    "Restart",
    "SimulatedLoop",
    "Simulation",
    "StartChild",
    "Stash",
    "StopChild",
    "Strategy",
    "Supervision",
    "Supervisor",
    "SystemClock",
    "Terminated",
    "ThreadTimes",
    "TimerHandle",
    "Timers",
    "TooManyRestarts",
    "Watchdog",
    "WouldDeadlock",
    "as_awaitable",
    "freeze_garbage",
    "set_switch_interval",
]

"""The private stream: listen keys, and the events on their way to the client (section 8 of the fact sheet)."""

import random
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import orjson

from execactor.simulator import errors
from execactor.simulator.clock import Clock, Timer
from execactor.simulator.faults import Faults
from execactor.simulator.kill import KillSwitch
from execactor.simulator.outbox import Record
from execactor.simulator.user_events import Event, listen_key_expired

_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Link(Protocol):
    """The venue's end of one WebSocket."""

    def send(self, data: bytes, written: Callable[[], None] | None = None) -> None:
        """Queues one text frame; `written` is called once its bytes were handed to the socket."""

    def close(self, code: int, reason: str) -> None:
        """Closes the connection after what is queued."""


class PrivateSession:
    """One connection to the private stream. wanted: event names, all when empty. combined: wrapped with the key.
    silent: it stands and tells nothing.
    """

    def __init__(self, link: Link, listen_key: str, wanted: frozenset[str], *, combined: bool) -> None:
        self.link = link
        self.listen_key = listen_key
        self.silent = False
        self._wanted = wanted
        self._combined = combined

    def wants(self, event: Event) -> bool:
        if self.silent:
            return False
        return not self._wanted or event["e"] in self._wanted or event["e"] == "listenKeyExpired"

    def encode(self, event: Event) -> bytes:
        return orjson.dumps({"stream": self.listen_key, "data": event} if self._combined else event)


class _Due(NamedTuple):
    time_ns: int
    event: Event


class PrivateStreams:
    """Delivers events in order to every connection that holds the listen key of the account."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        kill: KillSwitch,
        record: Record,
        rng: random.Random,
        validity_s: float,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._kill = kill
        self._record = record
        self._rng = rng
        self._validity_s = validity_s
        self._listen_key: str | None = None
        self._expiry: Timer | None = None
        self._sessions: list[PrivateSession] = []
        self._line: deque[_Due] = deque()
        self._pump: Timer | None = None

    def create_key(self) -> str:
        """The account's listen key, valid from now on; the same one while it lives."""
        if self._listen_key is None:
            self._listen_key = "".join(self._rng.choices(_KEY_LETTERS, k=64))
        self._extend()
        return self._listen_key

    def keep_key(self, listen_key: str | None) -> str:
        """Extends the key. Without one, the account's own is meant (REST). Raises -1125 when it does not exist."""
        self._check_key(listen_key)
        self._extend()
        assert self._listen_key is not None
        return self._listen_key

    def close_key(self, listen_key: str | None) -> None:
        """Ends the key and its connections. Raises -1125 when it does not exist."""
        self._check_key(listen_key)
        self._forget_key()
        for session in list(self._sessions):
            session.link.close(1000, "listenKey closed")

    def expire_key(self) -> None:
        """Ends the key as time does: one listenKeyExpired, then silence on the open connections."""
        key = self._listen_key
        if key is None:
            return
        self._forget_key()
        event = listen_key_expired(key, self._clock.now_ns() // 1_000_000)
        for session in self._sessions:
            if not session.silent:
                self._send(session, event)
        self._sessions.clear()

    def open(self, link: Link, listen_key: str, wanted: frozenset[str], *, combined: bool) -> PrivateSession:
        """A new connection. Raises -1125 for a key the venue does not know."""
        if listen_key != self._listen_key:
            raise errors.unknown_listen_key()
        session = PrivateSession(link, listen_key, wanted, combined=combined)
        self._sessions.append(session)
        return session

    def closed(self, session: PrivateSession) -> None:
        if session in self._sessions:
            self._sessions.remove(session)

    def disconnect(self, reason: str) -> None:
        """Drops every connection, as the venue does at its 24 hours (fault user_stream_disconnect)."""
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.link.close(1001, reason)

    def fall_silent(self) -> None:
        """Tell nothing more on the connections that are open now; what they miss never comes."""
        for session in self._sessions:
            session.silent = True

    def speak(self) -> None:
        """Tell again what happens from now on."""
        for session in self._sessions:
            session.silent = False

    def publish(self, events: list[Event], delay_s: float = 0.0) -> None:
        """Delivers events in order, not before the delay; later ones wait behind earlier ones."""
        due = self._clock.now_ns() + int(delay_s * 1e9)
        for event in events:
            self._line.append(_Due(max(due, self._line[-1].time_ns if self._line else 0), event))
        if self._pump is None:
            self._run()

    @property
    def connections(self) -> int:
        return len(self._sessions)

    def _run(self) -> None:
        self._pump = None
        while self._line:
            wait_ns = self._line[0].time_ns - self._clock.now_ns()
            if wait_ns > 0:
                self._pump = self._clock.call_later(wait_ns / 1e9, self._run)
                return
            event = self._line.popleft().event
            if self._overtaken(event):
                self._deliver(self._line.popleft().event)
            self._deliver(event)

    def _overtaken(self, event: Event) -> bool:
        """Fault swap_events: the next one goes first. Events of one type keep their order, always (section 8)."""
        if not self._line or self._line[0].time_ns > self._clock.now_ns() or self._line[0].event["e"] == event["e"]:
            return False
        return self._faults.draw("swap_events", **_facts(event)) is not None

    def _deliver(self, event: Event) -> None:
        facts = _facts(event)
        if self._faults.draw("drop_event", **facts) is not None:
            return
        for session in [session for session in self._sessions if session.wants(event)]:
            if event["e"] == "ORDER_TRADE_UPDATE":
                self._kill.reached("order_event.before", facts["client_id"])
            garbled = self._faults.draw("garbled_private_frame", **facts)
            if garbled is not None:
                data = session.encode(event)
                session.link.send(data[: self._rng.randint(1, len(data) - 1)])
                if garbled.get("replace"):
                    continue
            self._send(session, event)
            if self._faults.draw("duplicate_event", **facts) is not None:
                self._send(session, event)
        if self._sessions and self._faults.draw("user_stream_disconnect", **facts) is not None:
            self.disconnect("server restart")
        if self._sessions and self._faults.draw("listen_key_expired", **facts) is not None:
            self.expire_key()

    def _send(self, session: PrivateSession, event: Event) -> None:
        def written() -> None:
            self._record("event", _reference(event))
            if event["e"] == "ORDER_TRADE_UPDATE":
                self._kill.reached("order_event.after", event["o"]["c"])

        session.link.send(session.encode(event), written)

    def _check_key(self, listen_key: str | None) -> None:
        if self._listen_key is None or listen_key not in {None, self._listen_key}:
            raise errors.unknown_listen_key()

    def _extend(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._clock.call_later(self._validity_s, self.expire_key)

    def _forget_key(self) -> None:
        self._listen_key = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def stop(self) -> None:
        """Cancels the timers."""
        for timer in (self._expiry, self._pump):
            if timer is not None:
                timer.cancel()


def _facts(event: Event) -> dict[str, str]:
    """Where a fault may be aimed: the event's client id and symbol."""
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            return {"kind": event["e"], "client_id": event["o"]["c"], "symbol": event["o"]["s"]}
        case "ALGO_UPDATE":
            return {"kind": event["e"], "client_id": event["o"]["caid"], "symbol": event["o"]["s"]}
        case _:
            return {"kind": event["e"], "client_id": event.get("c", ""), "symbol": event.get("s", "")}


def _reference(event: Event) -> dict[str, Any]:
    """The venue log's short line about an event that was written."""
    line: dict[str, Any] = {"stream": "user", "e": event["e"]}
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            order = event["o"]
            line |= {"client_id": order["c"], "order_id": order["i"], "status": order["X"], "trade_id": order["t"]}
        case "TRADE_LITE":
            line |= {"client_id": event["c"], "order_id": event["i"], "trade_id": event["t"]}
        case "ALGO_UPDATE":
            line |= {"client_id": event["o"]["caid"], "algo_id": event["o"]["aid"], "status": event["o"]["X"]}
        case "ACCOUNT_UPDATE":
            line |= {"symbols": [position["s"] for position in event["a"]["P"]]}
        case "listenKeyExpired":
            pass
    return line

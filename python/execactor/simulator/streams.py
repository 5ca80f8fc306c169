"""Market streams: which names there are, who listens, and when each is published (section 7 of the fact sheet)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import orjson

from execactor.simulator.account import cents
from execactor.simulator.errors import VenueError
from execactor.simulator.faults import Faults
from execactor.simulator.market import Market
from execactor.simulator.private import Link

Category = Literal["public", "market"]
Kind = Literal["depth", "bookTicker", "aggTrade", "markPrice"]

MAX_STREAMS = 1024
MAX_MESSAGES_PER_SECOND = 10
FUNDING_INTERVAL_MS = 8 * 3600 * 1000

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]+)@(?:(?P<depth>depth)(?:@(?P<speed>100|500)ms)?|(?P<kind>bookTicker|aggTrade)"
    r"|(?P<mark>markPrice)(?P<fast>@1s)?)"
)


class StreamName(NamedTuple):
    """A stream a client may subscribe to. period_ms: 0 publishes at once."""

    text: str
    symbol: str
    kind: Kind
    period_ms: int

    @property
    def category(self) -> Category:
        return "public" if self.kind in {"depth", "bookTicker"} else "market"


class Unavailable(Exception):
    """The stream cannot be subscribed to here; the text says why."""


def parse_name(text: str, markets: Mapping[str, Market]) -> StreamName:
    """Reads a stream name. Raises Unavailable for what the simulator does not publish."""
    found = _NAME.fullmatch(text)
    symbol = found["symbol"].upper() if found else ""
    if found is None or symbol not in markets:
        raise Unavailable(f"unknown stream {text!r}")
    if found["depth"]:
        return StreamName(text, symbol, "depth", int(found["speed"] or 250))
    if found["mark"]:
        return StreamName(text, symbol, "markPrice", 1000 if found["fast"] else 3000)
    return StreamName(text, symbol, "bookTicker" if found["kind"] == "bookTicker" else "aggTrade", 0)


class MarketSession:
    """One connection to public or market streams, with its live subscriptions. silent: it stands and tells nothing."""

    def __init__(self, link: Link, hub: "MarketStreams", category: Category, *, combined: bool) -> None:
        self.link = link
        self.category = category
        self.combined = combined
        self.names: set[StreamName] = set()
        self.silent = False
        self._hub = hub
        self._received: list[int] = []

    def receive(self, data: str | bytes, now_ns: int) -> None:
        """SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS or SET_PROPERTY. Above 10 messages a second the venue hangs up."""
        self._received = [time_ns for time_ns in self._received if now_ns - time_ns < 1_000_000_000] + [now_ns]
        if len(self._received) > MAX_MESSAGES_PER_SECOND:
            self.link.close(1008, "Too many requests")
            return
        try:
            request = orjson.loads(data)
            answer = {"result": self._carry_out(request["method"], request.get("params")), "id": request.get("id")}
        except Unavailable as refusal:
            answer = {"error": {"code": 2, "msg": f"Invalid request: {refusal}"}, "id": request.get("id")}
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            answer = {"error": {"code": 3, "msg": "Invalid JSON: expected method, params and id"}, "id": None}
        self.link.send(orjson.dumps(answer))

    def _carry_out(self, method: str, params: Any) -> Any:
        match method:
            case "SUBSCRIBE":
                self._hub.subscribe(self, params)
                return None
            case "UNSUBSCRIBE":
                self._hub.unsubscribe(self, params)
                return None
            case "LIST_SUBSCRIPTIONS":
                return sorted(name.text for name in self.names)
            case "SET_PROPERTY":
                self.combined = bool(params[1])
                return None
            case _:
                raise Unavailable(f"unknown method {method!r}")


class MarketStreams:
    """All subscriptions, and the publication of what the markets' feeds collected."""

    def __init__(self, markets: Mapping[str, Market], faults: Faults) -> None:
        self._markets = markets
        self._faults = faults
        self._topics: dict[StreamName, list[MarketSession]] = {}
        self._by_symbol: dict[str, list[StreamName]] = {}
        self._due_ms: dict[StreamName, int] = {}

    def symbols(self) -> Iterable[str]:
        """Symbols that somebody listens to."""
        return self._by_symbol.keys()

    def subscribe(self, session: MarketSession, texts: Iterable[str]) -> None:
        """Adds streams to a connection, all or none. Raises Unavailable."""
        names = [parse_name(text, self._markets) for text in texts]
        for name in names:
            if name.category != session.category:
                raise Unavailable(f"{name.text} is served under /{name.category}, this is /{session.category}")
        if len(session.names | set(names)) > MAX_STREAMS:
            raise Unavailable(f"more than {MAX_STREAMS} streams on one connection")
        for name in names:
            if name not in session.names:
                session.names.add(name)
                self._listen(name, session)

    def unsubscribe(self, session: MarketSession, texts: Iterable[str]) -> None:
        for text in texts:
            for name in [name for name in session.names if name.text == text]:
                session.names.discard(name)
                self._leave(name, session)

    def closed(self, session: MarketSession) -> None:
        for name in session.names:
            self._leave(name, session)
        session.names = set()

    def fall_silent(self, category: Category) -> None:
        """Tell nothing more on the connections of this category that are open now."""
        for session in self._sessions():
            session.silent = session.silent or session.category == category

    def speak(self) -> None:
        """Tell again what happens from now on."""
        for session in self._sessions():
            session.silent = False

    def _sessions(self) -> Iterable[MarketSession]:
        return (session for sessions in self._topics.values() for session in sessions)

    def publish_best(self, symbol: str, now_ms: int) -> None:
        """bookTicker, at once, when the best prices or sizes changed."""
        for name in self._by_symbol.get(symbol, ()):
            if name.kind == "bookTicker":
                market = self._markets[symbol]
                event = market.feed.book_ticker_event(market.best(), now_ms)
                if event is not None:
                    self._send(name, event)

    def publish_due(self, symbol: str, now_ms: int) -> None:
        """Everything of a symbol whose time has come."""
        feed = self._markets[symbol].feed
        recorded, feed.ready = feed.ready, []
        for name in self._by_symbol.get(symbol, ()):
            match name.kind:
                case "depth":
                    for event in recorded:
                        self._send_depth(name, {**event, "E": now_ms, "T": now_ms})
                    if self._is_due(name, now_ms):
                        changes = feed.depth_event(name.period_ms, now_ms)
                        if changes is not None:
                            self._send_depth(name, changes)
                case "markPrice":
                    if self._is_due(name, now_ms):
                        self._send(name, mark_price_event(self._markets[symbol], now_ms))
                case "aggTrade":
                    for event in feed.aggregate_trade_events(now_ms):
                        self._send(name, event)
                case "bookTicker":
                    pass
        if len(feed.trades) > 1000:
            feed.trades.clear()
        self.publish_best(symbol, now_ms)

    def _listen(self, name: StreamName, session: MarketSession) -> None:
        sessions = self._topics.get(name)
        if sessions is not None:
            sessions.append(session)
            return
        self._topics[name] = [session]
        self._by_symbol.setdefault(name.symbol, []).append(name)
        feed = self._markets[name.symbol].feed
        if name.kind == "depth":
            feed.open_depth(name.period_ms)
        elif name.kind == "aggTrade":
            feed.trades.clear()

    def _leave(self, name: StreamName, session: MarketSession) -> None:
        sessions = self._topics[name]
        sessions.remove(session)
        if sessions:
            return
        del self._topics[name]
        self._due_ms.pop(name, None)
        self._by_symbol[name.symbol].remove(name)
        if not self._by_symbol[name.symbol]:
            del self._by_symbol[name.symbol]
        if name.kind == "depth":
            self._markets[name.symbol].feed.close_depth(name.period_ms)

    def _is_due(self, name: StreamName, now_ms: int) -> bool:
        if now_ms < self._due_ms.get(name, 0):
            return False
        self._due_ms[name] = now_ms - now_ms % name.period_ms + name.period_ms
        return True

    def _send_depth(self, name: StreamName, event: Mapping[str, Any]) -> None:
        if self._faults.draw("drop_depth", symbol=name.symbol) is None:
            self._send(name, event)

    def _send(self, name: StreamName, event: Mapping[str, Any]) -> None:
        raw = orjson.dumps(event)
        wrapped = b""
        for session in self._topics[name]:
            if session.silent:
                continue
            if session.combined and not wrapped:
                wrapped = b'{"stream":"%s","data":%s}' % (name.text.encode(), raw)
            session.link.send(wrapped if session.combined else raw)


def mark_price_event(market: Market, now_ms: int) -> dict[str, Any]:
    """markPriceUpdate. Funding is shown, not charged."""
    mark = str(cents(market.mark))
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": market.symbol.name,
        "p": mark,
        "ap": mark,
        "P": mark,
        "i": mark,
        "r": "0.00010000",
        "T": now_ms - now_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS,
        "st": 1,
    }


def refusal(reason: Unavailable) -> VenueError:
    """The same refusal for a handshake."""
    return VenueError(-1130, f"{reason}")

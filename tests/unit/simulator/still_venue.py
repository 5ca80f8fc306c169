"""A whole simulated venue in virtual time, with calm markets and no sockets, and a client that signs for itself."""

import hashlib
import heapq
import hmac
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson

from execactor.simulator import SimulatorConfig
from execactor.simulator.generator import GeneratedMarket
from execactor.simulator.venue import RestReply, Session, Venue

START_NS = 1_795_000_000_000_000_000


class ManualClock:
    """Time that stands still until `run` moves it."""

    def __init__(self) -> None:
        self._now_ns = START_NS
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._cancelled: set[int] = set()

    def now_ns(self) -> int:
        return self._now_ns

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "ManualTimer":
        number = next(self._numbers)
        heapq.heappush(self._due, (self._now_ns + round(seconds * 1e9), number, callback))
        return ManualTimer(self._cancelled, number)

    def run(self, seconds: float) -> None:
        """Lets so much time pass, calling what falls due on the way."""
        end = self._now_ns + round(seconds * 1e9)
        while self._due and self._due[0][0] <= end:
            self._now_ns, number, callback = heapq.heappop(self._due)
            if number not in self._cancelled:
                callback()
        self._now_ns = end

    @property
    def waiting(self) -> int:
        return sum(number not in self._cancelled for _, number, _ in self._due)


class ManualTimer:
    def __init__(self, cancelled: set[int], number: int) -> None:
        self._cancelled, self._number = cancelled, number

    def cancel(self) -> None:
        self._cancelled.add(self._number)


class Wire:
    """The venue's end of a WebSocket that only remembers (`Link`)."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def send(self, data: bytes, written: Callable[[], None] | None = None) -> None:
        if self.closed is None:
            self.raw.append(data)
            if written is not None:
                written()

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    @property
    def frames(self) -> list[Any]:
        return [orjson.loads(data) for data in self.raw]

    def events(self, name: str) -> list[Any]:
        return [frame for frame in self.frames if frame.get("e") == name]


class StillVenue:
    """A venue whose generated mids do not walk; prices move by `move` only. `wire` is the private stream."""

    def __init__(self, **config: Any) -> None:
        self.clock = ManualClock()
        self.config = SimulatorConfig(**{"volatility_bps": 0.0, **config})
        self.venue = Venue(self.config, self.clock)
        self.exchange = self.venue.exchange
        self.wire = Wire()
        self.session = self.listen(self.wire)

    def listen(self, wire: Wire, query: str = "") -> Session:
        """Opens a private stream; raises VenueError when the venue refuses it."""
        key = self.venue.private.create_key()
        return self.venue.connect("/private/ws", f"listenKey={key}{query}", wire)

    def call(self, call: str, **params: Any) -> tuple[int, Any]:
        """One REST call, such as "POST /fapi/v1/order"; returns (status, body). Status 0: no answer."""
        replies = self.send(call, **params)
        assert len(replies) == 1, f"{call} was not answered at once"
        reply = replies[0]
        return (0, None) if reply is None else (reply.status, orjson.loads(reply.body))

    def send(self, call: str, **params: Any) -> list[RestReply | None]:
        """One signed REST call whose answer may come later: the list fills then."""
        method, path = call.split(" ")
        stamped = {"timestamp": self.clock.now_ns() // 1_000_000, **params}
        query = urlencode(stamped)
        signature = hmac.new(self.config.api_secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        replies: list[RestReply | None] = []
        headers = {"X-MBX-APIKEY": self.config.api_key}
        self.venue.rest(method, path, f"{query}&signature={signature}", headers, "", replies.append)
        return replies

    def ok(self, call: str, **params: Any) -> Any:
        """The body of a call that must succeed."""
        status, body = self.call(call, **params)
        assert status == 200, body
        return body

    def code(self, call: str, **params: Any) -> int:
        """The error code of a call that must be refused."""
        status, body = self.call(call, **params)
        assert status >= 400, body
        return int(body["code"])

    def limit(self, side: str = "BUY", quantity: str = "0.100", price: str = "59000", **more: Any) -> Any:
        params = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "quantity": quantity, "price": price}
        return self.ok("POST /fapi/v1/order", **{**params, "timeInForce": "GTC", **more})

    def market(self, side: str = "BUY", quantity: str = "0.100", **more: Any) -> Any:
        params = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": quantity}
        return self.ok("POST /fapi/v1/order", **{**params, **more})

    def stop(self, trigger: str = "59000", side: str = "SELL", **more: Any) -> Any:
        """A mark-price stop for the whole position unless a quantity is given."""
        params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": "STOP_MARKET"}
        params |= {"triggerPrice": trigger, "workingType": "MARK_PRICE"}
        return self.ok("POST /fapi/v1/algoOrder", **{**params, **({} if "quantity" in more else WHOLE), **more})

    def move(self, price: str, symbol: str = "BTCUSDT", seconds: float = 10.0) -> None:
        """Drifts a market to a price in a tenth of the time, and lets the mark follow in the rest."""
        self.venue.steer(symbol, Decimal(price), seconds / 10)
        self.clock.run(seconds)

    def generated(self, symbol: str = "BTCUSDT") -> GeneratedMarket:
        market = self.exchange.markets[symbol]
        assert isinstance(market, GeneratedMarket)
        return market

    @property
    def held(self) -> Decimal:
        return self.exchange.account.positions["BTCUSDT"].quantity

    def log(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.venue.log.kept if line["kind"] == kind]


WHOLE = {"closePosition": "true"}


def symbol_with(venue_config: SimulatorConfig, name: str, **changes: Any) -> SimulatorConfig:
    """The configuration with one symbol changed."""
    symbols = tuple(
        msgspec.structs.replace(symbol, **changes) if symbol.name == name else symbol for symbol in venue_config.symbols
    )
    return msgspec.structs.replace(venue_config, symbols=symbols)

"""The whole venue without its sockets: bytes in, bytes out, time and timers passed in.

`binance_server` puts it behind aiohttp; a test in virtual time can call it directly.
"""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl

import msgspec
import orjson

from execactor.simulator import operations
from execactor.simulator.account import Account
from execactor.simulator.algos import AlgoOrder
from execactor.simulator.capture import symbol_of
from execactor.simulator.clock import Clock
from execactor.simulator.config import Quirks, SimulatorConfig
from execactor.simulator.context import Context
from execactor.simulator.desk import Answer, Call, Desk, Lost, not_found
from execactor.simulator.errors import VenueError
from execactor.simulator.exchange import Exchange
from execactor.simulator.faults import Faults
from execactor.simulator.generator import GeneratedMarket
from execactor.simulator.kill import KillSwitch
from execactor.simulator.log import VenueLog
from execactor.simulator.market import Market
from execactor.simulator.mischief import Split
from execactor.simulator.orders import Order
from execactor.simulator.outbox import Outbox
from execactor.simulator.private import Link, PrivateSession, PrivateStreams
from execactor.simulator.pulse import Pulse
from execactor.simulator.rate_limits import (
    CONNECT_WEIGHT,
    ORDERS_PER_10S,
    ORDERS_PER_MINUTE,
    WEIGHT_PER_MINUTE,
    RateLimits,
)
from execactor.simulator.replay import ReplayMarket
from execactor.simulator.signing import Keyring, check_time
from execactor.simulator.streams import MarketSession, MarketStreams, Unavailable, refusal
from execactor.simulator.ws_api import WsApiSession


class RestReply(NamedTuple):
    """What goes back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Trouble:
    """Faults and kill switch as the exchange sees them (`Mischief`)."""

    def __init__(self, faults: Faults, kill: KillSwitch) -> None:
        self._faults = faults
        self._kill = kill

    def split(self, order: Order, lots: int) -> Split | None:
        return self._faults.split(order, lots)

    def before_fill(self, order: Order) -> None:
        self._kill.reached("fill.before", order.client_id)

    def after_fill(self, order: Order) -> None:
        self._kill.reached("fill.after", order.client_id)

    def sticks(self, algo: AlgoOrder) -> bool:
        return self._faults.sticks(algo)


class Venue:
    """One simulated Binance USDⓈ-M venue. `log`, `exchange`, `faults` and `kill` are open to tests and admin."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.log = VenueLog(config.venue_log, clock.now_ns)
        record = self.log.record
        quirks = _quirks(config)
        self._record_start(quirks)
        self.keyring = Keyring(config.api_key, config.api_secret)
        self.faults = Faults(config.faults, _rng(config.seed, "faults"), record)
        self.kill = KillSwitch(record)
        self.markets = _markets(config)
        leverages = {name: min(config.leverage, market.symbol.max_leverage) for name, market in self.markets.items()}
        self.exchange = Exchange(
            self.markets,
            Account(config.wallet, leverages),
            now_ns=clock.now_ns,
            rng=_rng(config.seed, "ids"),
            quirks=quirks,
            mischief=_Trouble(self.faults, self.kill),
            outbox=Outbox(record),
        )
        self.private = PrivateStreams(
            clock, self.faults, self.kill, record, _rng(config.seed, "keys"), config.listen_key_validity_s
        )
        self.streams = MarketStreams(self.markets, self.faults)
        self.pulse = Pulse(clock, self.exchange, self.streams, self.private, config.step_ms / 1000)
        self.rates = RateLimits(clock.now_ns, enforce=config.enforce_rate_limits)
        context = Context(
            clock=clock,
            exchange=self.exchange,
            faults=self.faults,
            private=self.private,
            pulse=self.pulse,
            rates=self.rates,
        )
        self.context = context
        self.desk = Desk(context, self.kill, record)
        self.pulse.wake()

    def steer(self, symbol: str, target: Decimal, seconds: float) -> None:
        """Drifts a generated market to a price. Raises ValueError for an unknown or a replayed symbol."""
        market = self.markets.get(symbol)
        if not isinstance(market, GeneratedMarket):
            raise ValueError(f"symbol {symbol!r} is not a generated market of this venue")  # noqa: TRY004
        market.steer(target, seconds)
        self.pulse.wake()

    def rest(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: str,
        reply: Callable[[RestReply | None], None],
    ) -> None:
        """One HTTP request under /fapi. query, body: exactly as received. reply(None): drop the connection."""
        operation = operations.REST.get(f"{method} {path}")
        if operation is None:
            unknown = not_found(method, path)
            reply(RestReply(unknown.status, {}, orjson.dumps(unknown.body())))
            return
        params = dict(parse_qsl(body, keep_blank_values=True)) | dict(parse_qsl(query, keep_blank_values=True))
        api_key = headers.get("X-MBX-APIKEY")

        def authorise() -> None:
            if operation.security != "none":
                self.keyring.check_key(api_key)
            if operation.security == "signed":
                self.keyring.check_rest(query, body)
                check_time(params, self.clock.now_ns() // 1_000_000)

        def respond(answer: Answer | Lost) -> None:
            if isinstance(answer, Lost):
                reply(None)
                return
            shown = {**self.rates.headers(orders=bool(operation.orders)), **answer.extra}
            reply(RestReply(answer.status, shown, orjson.dumps(answer.body)))

        call = Call(via="rest", method=f"{method} {path}", operation=operation, params=params, authorise=authorise)
        self.desk.handle(call, respond)

    def connect(self, path: str, query: str, link: Link) -> "Session":
        """One WebSocket handshake. Raises VenueError (its status is the HTTP status of the refusal)."""
        if self.context.down:
            raise VenueError(-1001, "Service Unavailable.", 503)
        route = [part for part in path.split("/") if part]
        match route:
            case ["ws-fapi", "v1"]:
                self.rates.count(CONNECT_WEIGHT, 0)
                shows = parse_qs(query).get("returnRateLimits", ["true"])[0] != "false"
                return Session(self, WsApiSession(self, link, shows_limits=shows), "ws_api")
            case ["private", "ws" | "stream" as shape]:
                return self._connect_private(query, link, combined=shape == "stream")
            case ["public" | "market" as category, "ws" | "stream" as shape, *names]:
                session = MarketSession(
                    link, self.streams, "public" if category == "public" else "market", combined=shape == "stream"
                )
                wanted = names or [name for value in parse_qs(query).get("streams", []) for name in value.split("/")]
                try:
                    self.streams.subscribe(session, wanted)
                except Unavailable as reason:
                    raise refusal(reason) from None
                self.pulse.wake()
                return Session(self, session, session.category)
            case _:
                raise VenueError(-1, f"no stream is served under {path}; use /public, /market or /private", 404)

    def stop(self) -> None:
        """Cancels the timers and ends the log."""
        self.pulse.stop()
        self.private.stop()
        for countdown in self.context.countdowns.values():
            countdown.cancel()
        self.log.close()

    def _connect_private(self, query: str, link: Link, *, combined: bool) -> "Session":
        asked = parse_qs(query)
        events = frozenset(event for value in asked.get("events", []) for event in value.split("/") if event)
        session = self.private.open(link, asked.get("listenKey", [""])[0], events, combined=combined)
        return Session(self, session, "user")

    def _record_start(self, quirks: Quirks) -> None:
        config = self.config
        self.log.record(
            "start",
            {
                "seed": config.seed,
                "faults": config.faults,
                "speed": config.speed,
                "replay": config.replay,
                "symbols": [symbol.name for symbol in config.symbols],
                "wallet": str(config.wallet),
                "quirks": msgspec.structs.asdict(quirks),
                "limits": {
                    "weight_1m": WEIGHT_PER_MINUTE,
                    "orders_1m": ORDERS_PER_MINUTE,
                    "orders_10s": ORDERS_PER_10S,
                },
            },
        )


class Session:
    """One open WebSocket of any kind: logs its opening and closing, passes on what it receives."""

    def __init__(self, venue: Venue, inner: "MarketSession | PrivateSession | WsApiSession", stream: str) -> None:
        self._venue = venue
        self._inner = inner
        self._stream = stream
        weight = CONNECT_WEIGHT if stream == "ws_api" else 0
        venue.log.record("connection", {"what": "open", "stream": stream, "reason": "", "weight": weight})

    def receive(self, data: str | bytes) -> None:
        match self._inner:
            case WsApiSession():
                self._inner.receive(data)
            case MarketSession():
                self._inner.receive(data, self._venue.clock.now_ns())
                self._venue.pulse.wake()
            case PrivateSession():
                return  # the private stream takes no requests

    def closed(self, reason: str) -> None:
        match self._inner:
            case MarketSession():
                self._venue.streams.closed(self._inner)
            case PrivateSession():
                self._venue.private.closed(self._inner)
            case WsApiSession():
                pass
        self._venue.log.record("connection", {"what": "close", "stream": self._stream, "reason": reason})


def _markets(config: SimulatorConfig) -> dict[str, Market]:
    """Raises ValueError when the capture is of a symbol that the configuration does not list."""
    markets: dict[str, Market] = {
        symbol.name: GeneratedMarket(
            symbol,
            _rng(config.seed, symbol.name),
            volatility_bps=config.volatility_bps,
            speed=config.speed,
            levels=config.levels,
        )
        for symbol in config.symbols
    }
    if config.replay is not None:
        name = symbol_of(config.replay)
        if name not in markets:
            raise ValueError(f"the capture is of {name}; symbols must list it")
        markets[name] = ReplayMarket(markets[name].symbol, config.replay, speed=config.speed, loop=config.loop)
    return markets


def _quirks(config: SimulatorConfig) -> Quirks:
    if config.quirks is not None:
        return config.quirks
    if config.faults != "rough":
        return Quirks()
    rng = _rng(config.seed, "quirks")
    return Quirks(**{name: rng.random() < 0.5 for name in Quirks.__struct_fields__})


def _rng(seed: int, name: str) -> random.Random:
    """One stream of random numbers for each purpose, so that one's draws never shift another's."""
    return random.Random(f"{seed}:{name}")  # noqa: S311  a simulation has to be repeatable

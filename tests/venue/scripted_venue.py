"""A venue that answers what a test tells it to: no socket, and a clock that is moved by hand."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from execactor.domain.order import OrderIntent, OrderType, Role, Side
from execactor.domain.reports import VenueEvent
from execactor.runtime.clock import ManualClock
from execactor.venues.binance_usdm import BinanceSettings, BinanceUsdm, sim_urls
from execactor.venues.port import BestQuote, MarkPrice
from execactor.venues.signing import Secret
from execactor.venues.transport import HttpResponse, NotSent

START_NS = 1_780_000_000_000_000_000
SECOND = 1_000_000_000
MS = 1_000_000

Answer = HttpResponse | Exception | Awaitable[HttpResponse]
Result = TypeVar("Result")


def json(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status, names, msgspec.json.encode(body))


def refusal(status: int, code: int, message: str = "no", **headers: str) -> HttpResponse:
    return json({"code": code, "msg": message}, status, **headers)


def symbol_rules(symbol: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 5,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "1000000", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    } | changes


class Request(msgspec.Struct):
    """A request as it arrived."""

    verb: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]


class ScriptedLink:
    """The venue's end of one WebSocket."""

    def __init__(self, url: str, on_frame: Callable[[bytes], None], on_close: Callable[[str], None]) -> None:
        self.url = url
        self.deliver = on_frame
        self.end = on_close
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self.full = False

    def send(self, data: bytes) -> None:
        if self.full or self.closed:
            raise NotSent("the peer does not read")
        self.sent.append(msgspec.json.decode(data))

    def close(self) -> None:
        self.closed = True

    def tell(self, event: Any) -> None:
        self.deliver(msgspec.json.encode(event))


class ScriptedVenue:
    """Transport and venue in one. `answers` holds what each REST call is answered; a list is used up one by one."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.requests: list[Request] = []
        self.links: list[ScriptedLink] = []
        self.ahead_ms = 0
        self.unreachable = False
        self.refused: str | None = None
        self.keys = 0
        self.answers: dict[str, Answer | Callable[[Request], Answer] | list[Answer]] = {
            "GET /fapi/v1/time": lambda _: json({"serverTime": self.clock.now_ns() // MS + self.ahead_ms}),
            "GET /fapi/v1/exchangeInfo": json(
                {"rateLimits": [], "symbols": [symbol_rules("BTCUSDT"), symbol_rules("ETHUSDT")]}
            ),
            "GET /fapi/v1/positionSide/dual": json({"dualSidePosition": False}),
            "GET /fapi/v1/symbolConfig": json(
                [{"symbol": name, "marginType": "ISOLATED", "leverage": 3} for name in ("BTCUSDT", "ETHUSDT")]
            ),
            "POST /fapi/v1/listenKey": self._listen_key,
            "PUT /fapi/v1/listenKey": json({}),
            "DELETE /fapi/v1/listenKey": json({}),
        }

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float
    ) -> HttpResponse:
        assert body is None
        assert timeout_s > 0
        parts = urlsplit(url)
        request = Request(method, parts.path, dict(parse_qsl(parts.query)), headers)
        self.requests.append(request)
        answer = self.answers[f"{method} {parts.path}"]
        if isinstance(answer, list):
            answer = answer.pop(0)
        elif callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpResponse) else await answer

    async def open_websocket(
        self, url: str, on_frame: Callable[[bytes], None], on_close: Callable[[str], None]
    ) -> ScriptedLink:
        if self.unreachable or (self.refused is not None and self.refused in url):
            raise NotSent("unreachable")
        self.links.append(ScriptedLink(url, on_frame, on_close))
        return self.links[-1]

    async def close(self) -> None:
        pass

    def of(self, call: str) -> list[Request]:
        """The requests of one kind, e.g. "POST /fapi/v1/order"."""
        return [request for request in self.requests if f"{request.verb} {request.path}" == call]

    def open_links(self, part: str) -> list[ScriptedLink]:
        return [link for link in self.links if part in link.url and not link.closed]

    @property
    def private(self) -> ScriptedLink:
        return self.open_links("/private/")[-1]

    @property
    def orders(self) -> ScriptedLink:
        return self.open_links("/ws-fapi/")[-1]

    def _listen_key(self, _: Request) -> HttpResponse:
        self.keys += 1
        return json({"listenKey": f"key{self.keys}"})


class Listener:
    """Keeps what the market tells."""

    def __init__(self) -> None:
        self.depth: list[tuple[str, bytes]] = []
        self.quotes: list[BestQuote] = []
        self.marks: list[MarkPrice] = []
        self.states: list[str] = []

    def on_depth(self, symbol: str, frame: bytes) -> None:
        self.depth.append((symbol, frame))

    def on_best_quote(self, quote: BestQuote) -> None:
        self.quotes.append(quote)

    def on_mark_price(self, mark: MarkPrice) -> None:
        self.marks.append(mark)

    def on_market_lost(self, reason: str) -> None:
        self.states.append(f"lost: {reason}")

    def on_market_restored(self) -> None:
        self.states.append("restored")


class Bench:
    """An adapter on a scripted venue."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock(START_NS)
        self.venue = ScriptedVenue(self.clock)
        chosen = {"symbols": ("BTCUSDT",), "order_path": "ws"} | settings
        self.settings = BinanceSettings(
            urls=sim_urls("http://venue", "ws://venue"),
            api_key=Secret("the-api-key"),
            api_secret=Secret("the-api-secret"),
            **chosen,
        )
        self.adapter = BinanceUsdm(self.settings, self.venue, self.clock, rng=random.Random(1))
        self.events: list[VenueEvent] = []
        self.market = Listener()

    async def connect(self) -> None:
        """Connect all three kinds of streams."""
        await self.adapter.connect(self.events.append, self.market)

    async def finish(self, work: Awaitable[Result], within_ns: int = 1 * SECOND) -> Result:
        """The outcome of `work`, which may pause: the clock moves on in small steps until it is done."""
        task = asyncio.ensure_future(work)
        await settle()
        deadline_ns = self.clock.monotonic_ns() + within_ns
        while not task.done():
            assert self.clock.monotonic_ns() < deadline_ns, f"it takes longer than {within_ns / SECOND} s"
            await self.pass_time(MS)
        return task.result()

    async def pass_time(self, ns: int, step_ns: int = 50 * MS) -> None:
        """Advance the clock in steps, letting tasks run in between."""
        target_ns = self.clock.monotonic_ns() + ns
        while self.clock.monotonic_ns() < target_ns:
            self.clock.advance(min(step_ns, target_ns - self.clock.monotonic_ns()))
            await settle()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(30):
        await asyncio.sleep(0)


def entry(client_id: str = "capi_entry_k1", **changes: Any) -> OrderIntent:
    facts: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "k1",
        "role": Role.ENTRY,
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal("0.010"),
        "price": Decimal("60000.0"),
    }
    return OrderIntent(**(facts | changes))


def stop(client_id: str = "capi_sl_k1", **changes: Any) -> OrderIntent:
    facts: dict[str, Any] = {
        "client_id": client_id,
        "decision_key": "k1",
        "role": Role.STOP,
        "symbol": "BTCUSDT",
        "side": Side.SELL,
        "type": OrderType.STOP_MARKET,
        "trigger_price": Decimal("59000.0"),
        "close_position": True,
    }
    return OrderIntent(**(facts | changes))


def order_object(client_id: str = "capi_entry_k1", **changes: Any) -> dict[str, Any]:
    """The answer to an entry in the shape of 2026-07: without avgPrice and cumQuote."""
    return {
        "clientOrderId": client_id,
        "cumQty": "0",
        "executedQty": "0",
        "orderId": 22542179,
        "origQty": "0.010",
        "price": "60000.0",
        "reduceOnly": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "status": "NEW",
        "symbol": "BTCUSDT",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "origType": "LIMIT",
        "updateTime": 1780000000000,
    } | changes


def sorted_payload(params: Mapping[str, str | int]) -> bytes:
    """What the WebSocket API signs, written plainly: all parameters in alphabetical order (fact sheet section 6)."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()


def allowed() -> str | None:
    return None


async def submit(bench: Bench, answer: HttpResponse | Exception, **changes: Any) -> Any:
    """Submit an entry whose one answer, over either path, is the given one."""
    if bench.settings.order_path == "rest":
        bench.venue.answers["POST /fapi/v1/order"] = answer
        return await bench.adapter.submit(entry(**changes), allowed)
    future = bench.adapter.submit(entry(**changes), allowed)
    reply(bench, answer)
    await settle()
    return await future


def reply(bench: Bench, answer: HttpResponse | Exception, request: int = -1) -> None:
    """Answer a request of the WebSocket API as REST would have answered it."""
    link = bench.venue.orders
    if isinstance(answer, Exception):
        link.end("gone")
        return
    body = json_of(answer)
    kind = "result" if answer.status < 300 else "error"
    link.tell({"id": link.sent[request]["id"], "status": answer.status, kind: body})


def json_of(answer: HttpResponse) -> Any:
    return msgspec.json.decode(answer.body)

"""The harness's own door, under /sim: look at the venue, move it, hurt it (docs/simulator.md). No signature."""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web

from execactor.simulator.errors import VenueError
from execactor.simulator.orders import OrderRequest
from execactor.simulator.params import order_request
from execactor.simulator.venue import Venue

Body = dict[str, Any]


def admin_routes(venue: Venue, shut_down: Callable[[], None]) -> list[web.RouteDef]:
    """Routes of one venue. A bad request is answered 400 with {"error": text}."""
    admin = Admin(venue, shut_down)
    return [
        web.get("/sim/state", _answering(lambda _: admin.state())),
        web.post("/sim/market", _answering(admin.market)),
        web.post("/sim/fault", _answering(admin.fault)),
        web.post("/sim/kill", _answering(admin.kill)),
        web.post("/sim/note", _answering(admin.note)),
        web.post("/sim/trade", _answering(admin.trade)),
        web.post("/sim/order", _answering(admin.order)),
        web.delete("/sim/algo", _answering(admin.drop_algo)),
        web.post("/sim/shutdown", _answering(admin.shut_down)),
    ]


class Admin:
    """What the harness can ask for; each takes the request's JSON object and returns the answer's."""

    def __init__(self, venue: Venue, shut_down: Callable[[], None]) -> None:
        self._venue = venue
        self._shut_down = shut_down

    def state(self) -> Body:
        """Positions, open orders, conditional orders, wallet, marks and counts; decimals are strings."""
        exchange = self._venue.exchange
        return {
            "time_ms": exchange.now_ms(),
            "wallet": str(exchange.account.wallet),
            "positions": [
                {
                    "symbol": position.symbol,
                    "quantity": str(position.quantity),
                    "entry_price": str(position.entry_price),
                    "unrealized": str(position.unrealized(exchange.markets[position.symbol].mark)),
                }
                for position in exchange.account.positions.values()
                if position.quantity
            ],
            "orders": [
                {
                    "order_id": order.id,
                    "client_id": order.client_id,
                    "symbol": order.symbol.name,
                    "side": order.side,
                    "type": order.type,
                    "price": str(order.price),
                    "quantity": str(order.quantity),
                    "filled": str(order.filled_quantity),
                    "reduce_only": order.reduce_only,
                    "status": order.status,
                }
                for order in exchange.orders.open()
            ],
            "algos": [
                {
                    "algo_id": algo.id,
                    "client_id": algo.client_id,
                    "symbol": algo.symbol.name,
                    "side": algo.request.side,
                    "type": algo.request.type,
                    "trigger_price": str(algo.trigger_price),
                    "quantity": None if algo.request.lots is None else str(algo.symbol.quantity(algo.request.lots)),
                    "close_position": algo.request.close_position,
                    "reduce_only": algo.request.reduce_only,
                    "working_type": algo.request.working_type,
                    "status": algo.status,
                }
                for algo in exchange.conditional.algos.open()
            ],
            "marks": {name: str(market.mark) for name, market in exchange.markets.items()},
            "last_prices": {name: str(market.last) for name, market in exchange.markets.items()},
            "last_trade_id": exchange.last_trade_id,
            "user_connections": self._venue.private.connections,
            "counts": dict(self._venue.log.counts),
        }

    def market(self, body: Body) -> Body:
        """{symbol, target, seconds}: drift a generated market to a price."""
        self._venue.steer(str(body["symbol"]), _decimal(body, "target"), float(body.get("seconds", 0)))
        return {}

    def fault(self, body: Body) -> Body:
        """{name, count, ..options}: order a fault."""
        options = {key: value for key, value in body.items() if key not in {"name", "count"}}
        name = str(body["name"])
        if name == "listen_key_expired" and options.pop("now", False):
            self._venue.private.expire_key()
        elif name == "user_stream_disconnect" and options.pop("now", False):
            self._venue.private.disconnect("server restart")
        else:
            self._venue.faults.order(name, int(body.get("count", 1)), options)
        return {}

    def kill(self, body: Body) -> Body:
        """{pid, point, nth, role}: arm one SIGKILL."""
        role = body.get("role")
        self._venue.kill.arm(
            pid=int(body["pid"]),
            point=str(body["point"]),
            nth=int(body.get("nth", 1)),
            role=None if role is None else str(role),
        )
        return {}

    def note(self, body: Body) -> Body:
        """{text, ..}: a line of the harness in the venue log."""
        reserved = {"n", "t", "kind"}
        self._venue.log.record("note", {key: value for key, value in body.items() if key not in reserved})
        return {}

    def trade(self, body: Body) -> Body:
        """{symbol, side, quantity}: another hand of the same account trades at market."""
        return self._place({**body, "type": "MARKET"})

    def order(self, body: Body) -> Body:
        """{symbol, side, type, quantity, price, client_id}: another hand of the same account places an order."""
        return self._place(body)

    def drop_algo(self, body: Body) -> Body:
        """{client_id}: make a conditional order vanish."""
        algo = self._venue.exchange.conditional.algos.find(None, str(body["client_id"]))
        if algo is None or not algo.is_open:
            raise ValueError(f"no open conditional order has the client_id {body['client_id']!r}")
        self._venue.exchange.conditional.vanish(algo, "removed by the harness")
        return {"algo_id": algo.id}

    def shut_down(self, _body: Body) -> Body:
        self._shut_down()
        return {}

    def _place(self, body: Body) -> Body:
        names = {"client_id": "newClientOrderId", "time_in_force": "timeInForce", "reduce_only": "reduceOnly"}
        params = {names.get(key, key): _text(value) for key, value in body.items() if value is not None}
        if params.get("type") == "LIMIT":
            params.setdefault("timeInForce", "GTC")
        request: OrderRequest = order_request(params, self._venue.exchange.market(str(body["symbol"])).symbol)
        order = self._venue.exchange.place(request)
        self._venue.pulse.after(order.symbol.name)
        return {"order_id": order.id, "client_id": order.client_id, "status": order.status}


def _answering(run: Callable[[Body], Body]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        status, result = 200, {}
        try:
            body = orjson.loads(await request.read() or b"{}")
            if not isinstance(body, dict):
                raise ValueError("the body must be a JSON object")  # noqa: TRY004  answered like every bad value
            result = run(body)
        except KeyError as error:
            status, result = 400, {"error": f"missing field {error}"}
        except VenueError as refusal:
            status, result = 400, {"error": str(refusal), **refusal.body()}
        except (ValueError, TypeError) as error:
            status, result = 400, {"error": str(error)}
        return web.Response(status=status, body=orjson.dumps(result), content_type="application/json")

    return answer


def _decimal(body: Body, name: str) -> Decimal:
    try:
        return Decimal(str(body[name]))
    except InvalidOperation:
        raise ValueError(f"{name} must be a decimal, got {body[name]!r}") from None


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)

"""The front desk: one way for every request, from arrival to answer, with everything that can go wrong between.

Arrive -> log -> limits -> authorise -> kill point -> faults before -> execute -> kill point -> faults after -> answer.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from execactor.simulator import errors, operations
from execactor.simulator.context import Context
from execactor.simulator.errors import VenueError
from execactor.simulator.kill import KillSwitch
from execactor.simulator.operations import Operation
from execactor.simulator.outbox import Record
from execactor.simulator.params import Params
from execactor.simulator.trading_operations import find_client_id, find_order

UNKNOWN_ERROR = "Unknown error, please check your request or try again later."
_REPEATED = frozenset({"stop", "take_profit", "cancel"})
LATE_MS = 900
"""Within the shortest receive window that the engine asks for: what comes later the matching engine refuses (-5028)."""

_SECRETS = frozenset({"signature", "apiKey"})


class Answer(NamedTuple):
    """status: of HTTP or of the WebSocket API. extra: headers beyond the usual ones."""

    status: int
    body: Any
    extra: Mapping[str, str] = {}


class Lost(NamedTuple):
    """No answer ever: the connection is dropped after so many seconds."""

    after_s: float = 0.0


Respond = Callable[[Answer | Lost], None]


class Call(msgspec.Struct, kw_only=True):
    """One request as received. method: as the venue log names it. authorise: raises VenueError.

    The desk fills in the rest.
    """

    via: Literal["rest", "ws"]
    method: str
    operation: Operation
    params: Params
    authorise: Callable[[], None]
    id: int = 0
    kind: str = ""
    client_id: str = ""
    repeats: bool = False
    facts: Mapping[str, str] = {}  # where a fault may be aimed


class Desk:
    """Answers calls one at a time; delays and lost answers go through the clock."""

    def __init__(self, context: Context, kill: KillSwitch, record: Record) -> None:
        self._context = context
        self._kill = kill
        self._record = record
        self._calls = 0

    def handle(self, call: Call, respond: Respond) -> None:
        """Deals with one call; `respond` is called once, now or later."""
        self._calls += 1
        call.id = self._calls
        call.kind = operations.kind_of(call.operation, call.params)
        call.client_id = find_client_id(self._context, call.params) if call.operation.security == "signed" else ""
        call.facts = {"kind": call.kind, "client_id": call.client_id, "symbol": call.params.get("symbol", "")}
        self._log_request(call)
        answer = self._before(call)
        if answer is None:
            answer = self._execute(call)
        delay = self._delay_events(call)
        held = self._context.faults.draw("event_before_response", **call.facts) if call.operation.changes else None
        if held is not None:
            self._context.pulse.deliver()
            self._later(self._context.faults.delay_s(held), call, answer, respond)
        elif isinstance(answer, Lost) and answer.after_s:
            self._later(answer.after_s, call, answer, respond)
        else:
            self._send(call, answer, respond)
        self._context.pulse.deliver(delay)
        self._context.pulse.after(call.params.get("symbol") if call.operation.changes else None)
        self._repeat(call)

    def _repeat(self, call: Call) -> None:
        """Fault duplicate_request: the same bytes arrive once more, and the second answer reaches nobody.

        Not those of an entry or an exit: ids are unique among open orders only, so what fills at once is taken twice
        and may fill twice, which no engine could prevent.
        """
        if call.repeats or call.kind not in _REPEATED:
            return
        if self._context.faults.draw("duplicate_request", **call.facts) is not None:
            self.handle(msgspec.structs.replace(call, repeats=True), lambda _answer: None)

    def _log_request(self, call: Call) -> None:
        shown = {name: value for name, value in call.params.items() if name not in _SECRETS}
        orders = call.operation.orders
        line = {
            "id": call.id,
            "via": call.via,
            "method": call.method,
            "params": shown,
            "weight": call.operation.cost(call.params),
            "orders": orders,
        }
        market = self._context.exchange.markets.get(call.params.get("symbol", "")) if orders else None
        if market is not None:
            line["mark"] = str(market.mark)
        self._record("request", line)

    def _before(self, call: Call) -> Answer | Lost | None:
        """What stops a call before it is executed; None lets it through."""
        if self._context.down:
            return Answer(503, {"code": -1001, "msg": "Service Unavailable."})
        limited = self._limited(call)
        if limited is not None:
            return limited
        try:
            call.authorise()
        except VenueError as refusal:
            return Answer(refusal.status, refusal.body())
        if call.operation.changes and self._kill.reached(f"{call.kind}_request.before", call.client_id):
            return self._killed_before(call)
        return self._fails(call) if call.operation.security == "signed" else None

    def _limited(self, call: Call) -> Answer | None:
        context = self._context
        context.rates.count(call.operation.cost(call.params), call.operation.orders)
        for name, status in (("http_429", 429), ("http_418", 418)):
            options = context.faults.draw(name, **call.facts)
            if options is not None:
                return self._too_many(status, int(options.get("retry_after", 1)))
        return self._too_many(429, context.rates.seconds_to_next_window()) if context.rates.exceeded else None

    def _too_many(self, status: int, retry_after_s: int) -> Answer:
        if status == 418:
            until_ms = self._context.now_ms() + retry_after_s * 1000
            message = f"Way too many requests; IP banned until {until_ms}. Please use the websocket for live updates."
        else:
            message = "Too many requests; current limit is 2400 requests per minute. Please use the websocket."
        return Answer(status, {"code": -1003, "msg": message}, {"Retry-After": str(retry_after_s)})

    def _killed_before(self, call: Call) -> Lost:
        """The request had arrived when its sender died: the venue executes it or not, drawn by seed."""
        if self._context.faults.chance(0.5):
            self._run(call)
        return Lost()

    def _fails(self, call: Call) -> Answer | Lost | None:
        """Faults that keep a request from being executed."""
        faults = self._context.faults
        if call.operation.orders:
            rejected = faults.draw("reject_next", **call.facts)
            if rejected is not None:
                body = {"code": int(rejected.get("code", -2010)), "msg": str(rejected.get("msg", "Order rejected."))}
                return Answer(int(rejected.get("status", 400)), body)
        failed = faults.draw("http_503_failed", **call.facts)
        if failed is not None:
            return Answer(
                503, {"code": int(failed.get("code", -1001)), "msg": failed.get("msg", "Service Unavailable.")}
            )
        late = faults.draw("executed_late", **call.facts) if call.operation.changes else None
        if late is not None:
            seconds = faults.delay_s({"delay_ms": LATE_MS, **late})
            self._context.clock.call_later(seconds, lambda: self._run_late(call))
            return Answer(503, {"code": -1000, "msg": UNKNOWN_ERROR})
        if call.via == "rest" and call.operation.changes:
            silent = faults.draw("rest_timeout", **call.facts)
            if silent is not None:
                if silent.get("executed", faults.chance(0.5)):
                    self._run(call)
                return Lost(float(silent.get("hold_s", 30)))
        return None

    def _execute(self, call: Call) -> Answer | Lost:
        if call.kind == "cancel":
            self._race(call)
        answer = self._run(call)
        if not call.operation.changes:
            return answer
        if self._kill.reached(f"{call.kind}_request.after", call.client_id):
            return Lost()
        if answer.status != 200:
            return answer
        faults = self._context.faults
        executed = faults.draw("http_503_executed", **call.facts)
        if executed is not None:
            return Answer(503, {"code": int(executed.get("code", -1000)), "msg": executed.get("msg", UNKNOWN_ERROR)})
        if call.via == "ws" and faults.draw("ws_no_answer", **call.facts) is not None:
            return Lost()
        return answer

    def _run(self, call: Call) -> Answer:
        try:
            return Answer(200, call.operation.run(self._context, call.params))
        except VenueError as refusal:
            return Answer(refusal.status, refusal.body())

    def _run_late(self, call: Call) -> None:
        self._run(call)
        self._context.pulse.after(call.params.get("symbol"))

    def _race(self, call: Call) -> None:
        """Fault cancel_races_fill: the order fills, in part or in whole, just before the cancel reaches it."""
        order = find_order(self._context, call.params)
        if order is None or not order.is_open or order.ticks is None or order.parts:
            return
        faults = self._context.faults
        options = faults.draw("cancel_races_fill", **call.facts)
        if options is None:
            return
        part = float(options.get("fraction", 1.0 if faults.chance(0.5) else 0.5))
        self._context.exchange.fill_resting(order, max(1, int(order.remaining * part)))

    def _delay_events(self, call: Call) -> float:
        """Fault response_before_event: seconds by which the events of this call come late."""
        if not call.operation.changes:
            return 0.0
        options = self._context.faults.draw("response_before_event", **call.facts)
        return 0.0 if options is None else self._context.faults.delay_s(options)

    def _later(self, seconds: float, call: Call, answer: Answer | Lost, respond: Respond) -> None:
        self._context.clock.call_later(seconds, lambda: self._send(call, answer, respond))

    def _send(self, call: Call, answer: Answer | Lost, respond: Respond) -> None:
        if isinstance(answer, Lost):
            self._record("response", {"id": call.id, "status": 0, "body": None})
        else:
            body = answer.body if call.operation.security == "signed" else None
            line = {"id": call.id, "status": answer.status, "body": body}
            if "Retry-After" in answer.extra:
                line["retry_after_s"] = int(answer.extra["Retry-After"])
            self._record("response", line)
        respond(answer)


def not_found(method: str, path: str) -> VenueError:
    """The venue's answer to a path it does not serve."""
    return errors.VenueError(-5000, f"Path {path}, Method {method} is invalid", 404)

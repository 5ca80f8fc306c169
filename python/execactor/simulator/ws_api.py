"""The WebSocket API for orders: one JSON request, one JSON answer, correlated by id (section 6 of the fact sheet)."""

from typing import TYPE_CHECKING, Any

import orjson

from execactor.simulator import operations
from execactor.simulator.desk import Answer, Call, Lost
from execactor.simulator.errors import VenueError
from execactor.simulator.private import Link
from execactor.simulator.signing import check_time

if TYPE_CHECKING:
    from execactor.simulator.venue import Venue


class WsApiSession:
    """One connection. HMAC keys sign each request; session.logon is refused, as for every key that is not Ed25519."""

    def __init__(self, venue: "Venue", link: Link, *, shows_limits: bool) -> None:
        self._venue = venue
        self._link = link
        self._shows_limits = shows_limits

    def receive(self, data: str | bytes) -> None:
        try:
            request = orjson.loads(data)
            identity, method, sent = request["id"], request["method"], request.get("params") or {}
            params = {name: _as_text(value) for name, value in sent.items()}
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            self._refuse(None, VenueError(-1135, "Invalid JSON: expected id, method and params"))
            return
        operation = operations.WS_API.get(method)
        if operation is None:
            hint = " (HMAC keys cannot log on)" if method.startswith("session.") else ""
            self._refuse(identity, VenueError(-1000, f"Unknown method: {method}{hint}"))
            return

        def authorise() -> None:
            if operation.security != "none":
                self._venue.keyring.check_key(params.get("apiKey"))
            if operation.security == "signed":
                self._venue.keyring.check_ws(params)
                check_time(params, self._venue.clock.now_ns() // 1_000_000)

        def respond(answer: Answer | Lost) -> None:
            if isinstance(answer, Lost):
                self._link.close(1006, "no answer")
            else:
                self._answer(identity, answer, orders=bool(operation.orders))

        call = Call(via="ws", method=method, operation=operation, params=params, authorise=authorise)
        self._venue.desk.handle(call, respond)

    def _answer(self, identity: Any, answer: Answer, *, orders: bool) -> None:
        frame: dict[str, Any] = {"id": identity, "status": answer.status}
        frame["result" if answer.status == 200 else "error"] = _with_retry(
            answer, self._venue.clock.now_ns() // 1_000_000
        )
        if self._shows_limits:
            frame["rateLimits"] = self._venue.rates.report(orders=orders)
        self._link.send(orjson.dumps(frame))

    def _refuse(self, identity: Any, refusal: VenueError) -> None:
        self._link.send(orjson.dumps({"id": identity, "status": refusal.status, "error": refusal.body()}))


def _with_retry(answer: Answer, now_ms: int) -> Any:
    """The body; a 429 or 418 tells in `data` when to come back, since a frame has no headers."""
    if "Retry-After" not in answer.extra:
        return answer.body
    retry_after_ms = now_ms + 1000 * int(answer.extra["Retry-After"])
    return {**answer.body, "data": {"serverTime": now_ms, "retryAfter": retry_after_ms}}


def _as_text(value: Any) -> str:
    """JSON booleans and numbers as the query string would spell them; the signature is over this text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

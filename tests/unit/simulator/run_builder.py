"""Writes a venue log and the journal beside it, as an engine in order would leave them, for the checker's tests.

The journal's JSON is written by hand here: neither the engine's encoder nor the checker's reader has a part in it.
"""

import hashlib
import json
from typing import Any

from venue_log_builder import SYMBOL, LogBuilder

MS = 1_000_000


class JournalBuilder:
    """Rows as the journal stores them, each with its place in `log`. Every method writes one record."""

    def __init__(self, log: LogBuilder) -> None:
        self.log = log
        self.rows: list[tuple[int, int, str, str, bytes, bytes, int, int]] = []
        self.intents: dict[str, dict[str, Any]] = {}
        self.filled: dict[str, str] = {}

    def record(self, kind: str, about: str = "a1", /, **body: Any) -> None:
        seq = len(self.rows) + 1
        payload = json.dumps(body).encode()
        previous = self.rows[-1][5] if self.rows else b""
        head = b"%s|%d|%d|%s|%s|" % (previous, seq, self.log.now_ns, kind.encode(), about.encode())
        chain = hashlib.blake2b(head + payload, digest_size=16).digest()
        self.rows.append((seq, self.log.now_ns, kind, about, payload, chain, len(self.log.lines), self.log.now_ns))

    def intent(self, client_id: str, side: str, quantity: str | None = "1", **fields: Any) -> None:
        _, role, key = client_id.split("_", 2)
        intent = {
            "client_id": client_id, "decision_key": key.rpartition("_a")[0] or key, "role": role, "symbol": SYMBOL,
            "side": side, "type": "LIMIT", "quantity": quantity, "price": None, "trigger_price": None,
            "time_in_force": "GTC", "reduce_only": False, "close_position": False, "decided_ns": 0, **fields,
        }  # fmt: skip
        self.intents[client_id] = intent
        self.record("intent", client_id, intent=intent, epoch=0)

    def order(self, client_id: str, state: str, filled: str | None = None, **fields: Any) -> None:
        """The order as it stands now; filled: what was last said, unless given."""
        self.filled[client_id] = filled or self.filled.get(client_id, "0")
        order = {"intent": self.intents[client_id], "state": state, "filled": self.filled[client_id], **fields}
        self.record("order", client_id, order=order)

    def execution(self, fill: dict[str, Any], kind: str = "execution", **lies: Any) -> None:
        """A fill line of the log, booked; `lies` replace fields."""
        execution = {name: fill[name] for name in ("symbol", "side", "price", "quantity")}
        execution |= {"trade_id": str(fill["trade_id"]), "venue_order_id": str(fill["order_id"])}
        client_id = lies.pop("client_id", fill["client_id"])
        self.record(kind, client_id, client_id=client_id, execution=execution | lies)

    def plan(self, key: str, decided_ns: int, side: str = "BUY") -> None:
        self.record("plan", key, plan={"key": key, "symbol": SYMBOL, "side": side, "timestamp_ms": decided_ns // MS})

    def engine(self, state: str, epoch: int = 0, reason: str = "") -> None:
        self.record("engine", state=state, epoch=epoch, reason=reason)

    def compared(self, *details: str, rounds: int = 1, settled: bool = True) -> None:
        counts = {detail.split(" ")[1].rstrip(":"): 1 for detail in details}
        self.record(
            "reconciled", reason="every so often", counts=counts, details=details, rounds=rounds, settled=settled
        )

    def alert(self, level: str = "CRITICAL", code: str = "PROTECTIVE_EXIT", symbol: str = SYMBOL) -> None:
        self.record("alert", level=level, code=code, text="", symbol=symbol)


class Run:
    """An engine's life told twice: `log` is the venue's side, `journal` the engine's."""

    def __init__(self) -> None:
        self.log = LogBuilder()
        self.journal = JournalBuilder(self.log)
        self.report: dict[str, Any] = {}

    def wait(self, ms: float) -> None:
        self.log.wait(ms)

    def place(
        self, client_id: str, side: str, quantity: str = "1", *, price: str | None = "100", reduce_only: bool = False
    ) -> int:
        """A regular order, journaled, sent, taken and acknowledged; a LIMIT one where it has a price."""
        kind = "LIMIT" if price else "MARKET"
        self.journal.intent(client_id, side, quantity, type=kind, price=price, reduce_only=reduce_only)
        self.wait(5)
        self.send(client_id)
        order = self.log.place(client_id, side, quantity, reduce_only=reduce_only)
        self.journal.order(client_id, "ACKNOWLEDGED")
        return order

    def send(self, client_id: str, /, *, mark: str = "", **lies: Any) -> int:
        """The request of a journaled order arrives; `lies` replace its parameters."""
        intent = self.journal.intents[client_id]
        conditional = intent["trigger_price"] is not None
        params = {
            "symbol": intent["symbol"], "side": intent["side"], "type": intent["type"], "quantity": intent["quantity"],
            "price": intent["price"], "triggerPrice": intent["trigger_price"],
            "clientAlgoId" if conditional else "newClientOrderId": client_id,
            "reduceOnly": "true" if intent["reduce_only"] else None,
            "closePosition": "true" if intent["close_position"] else None, **lies,
        }  # fmt: skip
        told = {name: value for name, value in params.items() if value is not None}
        return self.log.request("algoOrder.place" if conditional else "order.place", orders=1, mark=mark, **told)

    def stop(self, client_id: str, side: str = "SELL", trigger: str = "95", quantity: str | None = None) -> int:
        """A stop, journaled, sent, taken and acknowledged; without a quantity it closes the position."""
        whole = quantity is None
        kinds = {"type": "STOP_MARKET", "close_position": whole, "reduce_only": not whole}
        self.journal.intent(client_id, side, quantity, trigger_price=trigger, **kinds)
        self.wait(5)
        self.send(client_id)
        algo = self.log.stop(client_id, side, trigger, quantity)
        self.journal.order(client_id, "ACKNOWLEDGED")
        return algo

    def fill(self, order: int, client_id: str, price: str = "100", quantity: str | None = None, /) -> dict[str, Any]:
        """An execution at the venue, booked 5 ms later; returns the fill's line."""
        line = self.log.fill(order, price, quantity)
        fill = self.log.lines[line - 1]
        state, filled = self.log.lines[line - 2]["status"], self.log.lines[line - 2]["filled"]
        self.wait(5)
        self.journal.execution(fill)
        self.journal.order(client_id, state, filled)
        return fill

    def cancel(self, order: int, client_id: str) -> None:
        """A regular order is cancelled on request."""
        self.log.request("order.cancel", symbol=SYMBOL, origClientOrderId=client_id)
        self.log.end(order)
        self.journal.order(client_id, "CANCELLED")

    def cancel_stop(self, algo: int, client_id: str) -> None:
        self.log.request("algoOrder.cancel", clientAlgoId=client_id)
        self.log.algo(algo, "CANCELED")
        self.journal.order(client_id, "CANCELLED")

    def enter(self, key: str = "d1") -> int:
        """A filled entry and its base stop; returns the stop's id."""
        self.fill(self.place(f"capi_entry_{key}", "BUY"), f"capi_entry_{key}")
        return self.stop(f"capi_sl_{key}")

    def leave(self, stop: int, key: str = "d1", *, quantity: str = "1", stop_id: str = "") -> None:
        """Closes the position at market, the stop last, and the books."""
        exit_id = f"capi_exit_{key}"
        self.fill(self.place(exit_id, "SELL", quantity, price=None, reduce_only=True), exit_id, "101")
        self.cancel_stop(stop, stop_id or f"capi_sl_{key}")
        self.journal.record("trade", key, key=key, symbol=SYMBOL)

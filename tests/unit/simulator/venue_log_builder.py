"""Writes small venue logs for the checker's tests: a toy account with its own arithmetic, in the venue's format."""

import json
from fractions import Fraction
from typing import Any

NS_PER_MS = 1_000_000
SYMBOL = "BTCUSDT"


class LogBuilder:
    """A venue log line by line. Every method that writes returns what the next ones need: an order's or stop's id.

    `wait` moves the clock; `record` writes any line as it is; the rest keep the account's books as a venue does.
    """

    def __init__(self, wallet: str = "1000", fee_rate: str = "0.0004") -> None:
        self.lines: list[dict[str, Any]] = []
        self.now_ns = 1_700_000_000_000_000_000
        self.wallet, self._fee_rate = Fraction(wallet), Fraction(fee_rate)
        self._held: dict[str, tuple[Fraction, Fraction]] = {}
        self._orders: dict[int, dict[str, Any]] = {}
        self._algos: dict[int, dict[str, Any]] = {}
        self._next_id = 1
        self.record("start", seed=1, faults="none", speed=1.0, replay=None, symbols=[SYMBOL])

    def wait(self, ms: float) -> None:
        self.now_ns += round(ms * NS_PER_MS)

    def record(self, kind: str, **fields: Any) -> int:
        """Write one line; returns its number."""
        self.lines.append({"n": len(self.lines) + 1, "t": self.now_ns, "kind": kind, **fields})
        return len(self.lines)

    def text(self) -> list[str]:
        return [json.dumps(line) + "\n" for line in self.lines]

    def note(self, text: str, **fields: Any) -> None:
        self.record("note", text=text, **fields)

    def fed(self, key: str, quantity: str, side: str = "long") -> None:
        self.note("decision fed", key=key, symbol=SYMBOL, side=side, quantity=quantity)

    def request(self, method: str, /, *, weight: int = 0, orders: int = 0, mark: str = "", **params: Any) -> int:
        """A call; returns its id."""
        request_id = self._new_id()
        told = {"mark": mark} if mark else {}
        body = {"via": "rest", "method": method, "params": params, "weight": weight, "orders": orders, **told}
        self.record("request", id=request_id, **body)
        return request_id

    def answer(self, request_id: int, status: int = 200, **fields: Any) -> None:
        """The venue's answer to a call; status 0: it never came."""
        self.record("response", id=request_id, status=status, **{"body": None, **fields})

    def refuse(self, request_id: int, code: int, status: int = 400, msg: str = "") -> None:
        """An error the venue answered with."""
        self.answer(request_id, status, body={"code": code, "msg": msg})

    def held(self, symbol: str = SYMBOL) -> Fraction:
        return self._held.get(symbol, (Fraction(0), Fraction(0)))[0]

    def start_with(self, quantity: str, entry_price: str, symbol: str = SYMBOL) -> None:
        """A position from before the log."""
        self._held[symbol] = Fraction(quantity), Fraction(entry_price)

    def place(
        self,
        client_id: str,
        side: str,
        quantity: str,
        *,
        parent: int | None = None,
        reduce_only: bool = False,
        status: str = "NEW",
        symbol: str = SYMBOL,
        price: str = "100",
    ) -> int:
        """A regular order the venue took on; price "0" at market."""
        order_id = self._new_id()
        self._orders[order_id] = {
            "order_id": order_id, "client_id": client_id, "symbol": symbol, "side": side, "type": "LIMIT",
            "time_in_force": "GTC", "price": price, "quantity": quantity, "filled": "0", "reduce_only": reduce_only,
            "status": status, "parent_algo_id": parent,
        }  # fmt: skip
        self.record("order", **self._orders[order_id])
        return order_id

    def end(self, order_id: int, status: str = "CANCELED") -> None:
        self._orders[order_id]["status"] = status
        self.record("order", **self._orders[order_id])

    def fill(self, order_id: int, price: str, quantity: str | None = None, /, **lies: Any) -> int:
        """An execution, of the whole order by default; `lies` replace fields of its line. Returns the line's number."""
        order = self._orders[order_id]
        size = Fraction(quantity or order["quantity"])
        order["filled"] = _text(Fraction(order["filled"]) + size)
        done = Fraction(order["filled"]) == Fraction(order["quantity"])
        order["status"] = "FILLED" if done else "PARTIALLY_FILLED"
        self.record("order", **order)
        realized = self._book(order["symbol"], size if order["side"] == "BUY" else -size, Fraction(price))
        fee = round(Fraction(price) * size * self._fee_rate, 8)
        self.wallet += realized - fee
        position, entry = self._held[order["symbol"]]
        truth = {
            "symbol": order["symbol"], "trade_id": self._new_id(), "order_id": order_id,
            "client_id": order["client_id"], "side": order["side"], "price": price, "quantity": _text(size),
            "maker": False, "commission": _text(fee), "commission_asset": "USDT", "realized_pnl": _text(realized),
            "position": _text(position), "entry_price": _text(entry), "wallet": _text(self.wallet),
        }  # fmt: skip
        line = self.record("fill", **(truth | lies))
        self.record("position", symbol=order["symbol"], quantity=_text(position), entry_price=_text(entry))
        return line

    def trade(self, client_id: str, side: str, quantity: str, price: str, *, reduce_only: bool = False) -> int:
        """An order that fills at once."""
        order_id = self.place(client_id, side, quantity, reduce_only=reduce_only)
        self.fill(order_id, price)
        return order_id

    def stop(
        self,
        client_id: str,
        side: str,
        trigger: str,
        quantity: str | None = None,
        *,
        type: str = "STOP_MARKET",  # noqa: A002
        reduce_only: bool = True,
        symbol: str = SYMBOL,
    ) -> int:
        """A conditional order; without a quantity it closes the position."""
        algo_id = self._new_id()
        self._algos[algo_id] = {
            "algo_id": algo_id, "client_id": client_id, "symbol": symbol, "side": side, "type": type,
            "trigger_price": trigger, "quantity": quantity, "close_position": quantity is None,
            "reduce_only": reduce_only and quantity is not None, "status": "NEW", "order_id": None, "reason": "",
        }  # fmt: skip
        self.record("algo", **self._algos[algo_id])
        return algo_id

    def algo(self, algo_id: int, status: str, order_id: int | None = None) -> None:
        """A later state of a conditional order."""
        known = self._algos[algo_id]
        known["status"], known["order_id"] = status, order_id or known["order_id"]
        self.record("algo", **known)

    def is_live(self, algo_id: int) -> bool:
        return self._algos[algo_id]["status"] in {"NEW", "TRIGGERING", "TRIGGERED"}

    def algo_symbol(self, algo_id: int) -> str:
        return str(self._algos[algo_id]["symbol"])

    def trigger(self, algo_id: int, *, quantity: str | None = None) -> int:
        """The conditional order becomes a regular one; returns its id."""
        algo = self._algos[algo_id]
        self.algo(algo_id, "TRIGGERING")
        size = quantity or algo["quantity"] or _text(abs(self.held(algo["symbol"])))
        child = self.place(
            algo["client_id"], algo["side"], size, parent=algo_id, reduce_only=True, symbol=algo["symbol"]
        )
        self.algo(algo_id, "TRIGGERED", child)
        return child

    def trigger_and_fill(self, algo_id: int, price: str) -> None:
        self.fill(self.trigger(algo_id), price)
        self.algo(algo_id, "FINISHED")

    def _book(self, symbol: str, signed: Fraction, price: Fraction) -> Fraction:
        held, entry = self._held.get(symbol, (Fraction(0), Fraction(0)))
        total = held + signed
        if held * signed >= 0:
            self._held[symbol] = total, (held * entry + signed * price) / total
            return Fraction(0)
        reduced = signed if abs(signed) < abs(held) else -held
        self._held[symbol] = total, (entry if total * held > 0 else price if total else Fraction(0))
        return round((entry - price) * reduced, 8)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id


def _text(value: Fraction) -> str:
    """Up to twenty decimals, as a venue writes an average price."""
    digits = f"{round(abs(value) * 10**20):021d}"
    body = f"{digits[:-20]}.{digits[-20:]}".rstrip("0").rstrip(".")
    return f"-{body}" if value < 0 else body

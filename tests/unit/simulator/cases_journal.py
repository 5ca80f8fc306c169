"""What the journal must be, and how it must agree with the venue: I2, I7, I8, I9, I10, I14."""

import hashlib

from invariant_cases import Cases
from run_builder import Run

case = Cases()


@case("I7", "a whole trade, journaled before each step, is in order")
def _(run: Run) -> None:
    run.leave(run.enter())


@case("I7", "an order without an intent is a violation", trips="capi_exit_d1 is sent, and the journal knows no intent")
def _(run: Run) -> None:
    run.log.request("order.place", newClientOrderId="capi_exit_d1", side="SELL", reduceOnly="true")


@case("I7", "an order sent before its intent is a violation", trips="is sent before its intent is journaled (record 1)")
def _(run: Run) -> None:
    run.log.request(
        "order.place", symbol="BTCUSDT", side="BUY", type="LIMIT", quantity="1", price="100",
        newClientOrderId="capi_entry_d1",
    )  # fmt: skip
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.journal.order("capi_entry_d1", "REJECTED")


@case("I7", "an order sent for more than was journaled is a violation", trips="quantity 1 became 2")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.send("capi_entry_d1", quantity="2")


@case("I7", "the same number written otherwise is the same")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.send("capi_entry_d1", quantity="1.000", price="100.0")


@case("I7", "a close that may open is a violation", trips="it may open")
def _(run: Run) -> None:
    run.journal.intent("capi_exit_d1", "SELL", type="MARKET", reduce_only=True)
    run.send("capi_exit_d1", reduceOnly="false")


@case("I7", "a history without an intent is a violation", trips="capi_sl_d1 has a history and no intent before it")
def _(run: Run) -> None:
    run.journal.intents["capi_sl_d1"] = {"client_id": "capi_sl_d1", "decision_key": "d1", "role": "sl"}
    run.journal.order("capi_sl_d1", "CANCELLED")


@case("I7", "an entry refused before it was meant has a record, and never leaves")
def _(run: Run) -> None:
    run.journal.intents["capi_entry_d1"] = {"client_id": "capi_entry_d1", "decision_key": "d1", "role": "entry"}
    run.journal.order("capi_entry_d1", "REJECTED")


@case("I7", "while the disk is full, a stop goes out without its intent")
def _(run: Run) -> None:
    run.log.note("disk full")
    run.log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition="true")


@case("I7", "an entry does not", trips="capi_entry_d1 is sent, and the journal knows no intent")
def _(run: Run) -> None:
    run.log.note("disk full")
    run.log.request("order.place", newClientOrderId="capi_entry_d1", side="BUY")


@case("I7", "it may arrive when the disk has room again")
def _(run: Run) -> None:
    run.log.note("disk full")
    run.log.note("disk restored")
    run.wait(900)
    run.log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition="true")


@case("I7", "a full disk excuses nothing for ever", trips="capi_sl_d1 is sent, and the journal knows no intent")
def _(run: Run) -> None:
    run.log.note("disk full")
    run.log.note("disk restored")
    run.wait(1_100)
    run.log.request("algoOrder.place", clientAlgoId="capi_sl_d1", side="SELL", closePosition="true")


@case("I7", "a changed record breaks the chain", trips="record 2 [I7]: the hash chain is broken at this alert record")
def _(run: Run) -> None:
    for _number in range(3):
        run.journal.alert()
    changed = b'{"level": "INFO", "code": "", "symbol": ""}'
    run.journal.rows[1] = (*run.journal.rows[1][:4], changed, *run.journal.rows[1][5:])


@case("I7", "a missing record is a violation", trips="record 2 [I7]: the hash chain is broken")
def _(run: Run) -> None:
    for _number in range(3):
        run.journal.alert()
    del run.journal.rows[1]
    run.journal.rows[1] = (2, *run.journal.rows[1][1:])


@case("I7", "a hole in the numbers is a violation", trips="record 3 [I7]: the journal goes from record 1 to 3")
def _(run: Run) -> None:
    run.journal.alert()
    run.journal.rows.append(run.journal.rows[0])
    run.journal.alert()
    del run.journal.rows[1]
    run.journal.rows[1] = relinked(run.journal.rows[0], run.journal.rows[1])


@case(
    "I7", "a record that does not parse is a violation", trips="record 1 [I7]: the engine record does not parse: state"
)
def _(run: Run) -> None:
    run.journal.record("engine", epoch=1, reason="")


@case("I7", "records of kinds to come are none of the checker's business")
def _(run: Run) -> None:
    run.journal.record("weather", rain=True)


@case("I8", "the replayed state equals the one that lived")
def _(run: Run) -> None:
    run.log.note("state digest", live="ab", replayed="ab")
    run.report = {"live_digest": "cd", "replayed_digest": "cd"}


@case("I8", "another replayed state is a violation", trips="the state that lived is ab, the journal replays to ac")
def _(run: Run) -> None:
    run.log.note("state digest", live="ab", replayed="ac")


@case("I8", "so is one in the report", trips="the state that lived is cd, the journal replays to None")
def _(run: Run) -> None:
    run.report = {"live_digest": "cd"}


@case("I9", "an order may reach its end through doubt")
def _(run: Run) -> None:
    run.journal.intent("capi_sl_d1", "SELL", None, type="STOP_MARKET", trigger_price="95", close_position=True)
    for state in ("UNKNOWN", "ACKNOWLEDGED", "TRIGGERING", "TRIGGERED", "EXPIRED", "EXPIRED"):
        run.journal.order("capi_sl_d1", state)


@case("I9", "a fill after the end is booked, and the order stays ended")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.journal.order("capi_entry_d1", "CANCELLED")
    fill = run.log.lines[run.log.fill(order, "100", "0.4") - 1]
    run.journal.execution(fill)
    run.journal.order("capi_entry_d1", "CANCELLED", "0.4")


@case("I9", "a cancelled order that lives again is a violation", trips="went from CANCELLED to PARTIALLY_FILLED")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.journal.order("capi_entry_d1", "CANCELLED")
    fill = run.log.lines[run.log.fill(order, "100", "0.4") - 1]
    run.journal.execution(fill)
    run.journal.order("capi_entry_d1", "PARTIALLY_FILLED", "0.4")


@case("I9", "an acknowledged order that falls into doubt is a violation", trips="went from ACKNOWLEDGED to UNKNOWN")
def _(run: Run) -> None:
    run.place("capi_entry_d1", "BUY")
    run.journal.order("capi_entry_d1", "UNKNOWN")


@case("I9", "a state that does not exist is a violation", trips="is LOST, which is no state of an order")
def _(run: Run) -> None:
    run.place("capi_entry_d1", "BUY")
    run.journal.order("capi_entry_d1", "LOST")


@case("I9", "an order filled beyond its quantity is a violation", trips="is filled 1.5, beyond its quantity 1")
def _(run: Run) -> None:
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.journal.order("capi_entry_d1", "FILLED", "1.5")


@case("I9", "a fill that is taken back is a violation", trips="was filled 1 and is filled 0.5 now")
def _(run: Run) -> None:
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.journal.order("capi_entry_d1", "FILLED", "0.5")


@case("I10", "a trade of another hand may be booked, and found to be ours later")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    fill = run.log.lines[run.log.fill(order, "100") - 1]
    run.journal.execution(fill, client_id="")
    run.journal.execution(fill, "execution_attributed")
    run.journal.order("capi_entry_d1", "FILLED", "1")


@case("I10", "a trade booked twice is a violation", trips="is booked again, after record 3")
def _(run: Run) -> None:
    run.journal.execution(run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1"))


@case("I10", "a trade attributed that was never a stray is a violation", trips="was booked as nobody's never")
def _(run: Run) -> None:
    run.journal.execution(run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1"), "execution_attributed")


@case("I10", "a trade that the venue never made is a violation", trips="trade 999 of BTCUSDT is booked, and the venue")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    fill = run.log.lines[run.log.fill(order, "100") - 1]
    run.journal.execution(fill | {"trade_id": 999})
    run.journal.order("capi_entry_d1", "FILLED", "1")


@case("I10", "a trade booked at another price is a violation", trips="as 1 at 99, and the venue made 1 at 100")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.journal.execution(run.log.lines[run.log.fill(order, "100") - 1], price="99")


@case(
    "I10",
    "a trade booked on another order is a violation",
    trips="is booked on capi_entry_d2, and was of capi_entry_d1",
)
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.place("capi_entry_d2", "BUY")
    run.journal.execution(run.log.lines[run.log.fill(order, "100") - 1], client_id="capi_entry_d2")


@case("I10", "a trade of ours that is never booked is a violation", trips="(capi_sl_d1) is never booked")
def _(run: Run) -> None:
    stop = run.enter()
    run.log.note("faults over")
    run.log.trigger_and_fill(stop, "95")
    run.journal.record("position_corrected", position={"symbol": "BTCUSDT", "quantity": "0"})
    run.journal.order("capi_sl_d1", "FILLED")
    run.wait(60_000)


@case("I10", "while things still go wrong it may wait")
def _(run: Run) -> None:
    run.log.trigger_and_fill(run.enter(), "95")
    run.wait(60_000)


@case(
    "I2",
    "a position that the venue knows and the journal does not is a violation",
    trips="the venue holds -1 at the end",
)
def _(run: Run) -> None:
    stop = run.enter()
    run.leave(stop)
    run.log.trade("web_1", "SELL", "1", "100")
    run.log.stop("web_2", "BUY", "110")
    run.log.note("faults over")
    run.wait(60_000)


@case("I2", "it may be taken over from the venue")
def _(run: Run) -> None:
    run.leave(run.enter())
    run.log.trade("web_1", "SELL", "1", "100")
    run.log.stop("web_2", "BUY", "110")
    run.log.note("faults over")
    run.journal.record("position_adopted", position={"symbol": "BTCUSDT", "quantity": "-1.0"})
    run.log.note("quiescent")


@case(
    "I2",
    "books closed while something is held are a violation",
    trips="the books of d1 are closed while 1 BTCUSDT is held",
)
def _(run: Run) -> None:
    run.enter()
    run.journal.record("trade", key="d1", symbol="BTCUSDT")


@case("I2", "an order filled otherwise than its trades is a violation", trips="the trades booked on it sum to 0.4")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.fill(order, "capi_entry_d1", "100", "0.4")
    run.journal.order("capi_entry_d1", "PARTIALLY_FILLED", "0.6")


@case("I14", "an id meant twice is a violation", trips="capi_entry_d1 is meant a second time")
def _(run: Run) -> None:
    run.place("capi_entry_d1", "BUY")
    run.journal.intent("capi_entry_d1", "BUY", price="100")


@case(
    "I14",
    "an id that does not come from its decision is a violation",
    trips="is not the id of the entry of decision d9",
)
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100", decision_key="d9")


@case("I14", "attempts have ids of their own")
def _(run: Run) -> None:
    run.cancel(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.cancel(run.place("capi_entry_d1_a2", "BUY"), "capi_entry_d1_a2")


def relinked(previous: tuple, row: tuple) -> tuple:
    """The row with the link that it would have after `previous`."""
    head = b"%s|%d|%d|%s|%s|" % (previous[5], row[0], row[1], row[2].encode(), row[3].encode())
    return (*row[:5], hashlib.blake2b(head + row[4], digest_size=16).digest(), *row[6:])

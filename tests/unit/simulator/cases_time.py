"""How often, how soon, how old: I11, I12, I13, I15, A1, A6."""

from invariant_cases import Cases
from run_builder import MS, Run
from venue_log_builder import SYMBOL

case = Cases()
FOREIGN = "BTCUSDT foreign_order: web_1"
MISSED = "BTCUSDT missed_execution: 77"


@case("I11", "a comparison may find something, and the next one nothing")
def _(run: Run) -> None:
    run.log.note("faults over")
    run.journal.compared(MISSED, rounds=3)
    run.journal.compared()
    run.wait(60_000)


@case("I11", "finding the same again is a violation", trips="the last comparison finds the same again: BTCUSDT missed")
def _(run: Run) -> None:
    run.log.note("faults over")
    run.journal.compared(MISSED)
    run.journal.compared(MISSED)
    run.log.note("quiescent")


@case("I11", "what is not ours is found every time")
def _(run: Run) -> None:
    run.log.note("faults over")
    run.journal.compared(FOREIGN)
    run.journal.compared(FOREIGN)
    run.wait(60_000)


@case("I11", "more than three rounds are a violation", trips="a comparison takes 4 rounds though faults are over")
def _(run: Run) -> None:
    run.log.note("faults over")
    run.journal.compared(rounds=4)


@case("I11", "under faults, or while something trades, it may take longer")
def _(run: Run) -> None:
    run.journal.compared(rounds=9)
    run.log.note("faults over")
    run.wait(20_000)
    stop = run.enter()
    run.journal.compared(rounds=4)
    run.leave(stop)


@case("I11", "no agreement calls a person")
def _(run: Run) -> None:
    run.journal.compared(rounds=10, settled=False)
    run.journal.alert(code="RECONCILE_UNSETTLED", symbol="")
    run.journal.engine("SAFE_MODE")


@case("I11", "no agreement and nobody called is a violation", trips="ends without agreement, and nobody is called")
def _(run: Run) -> None:
    run.journal.compared(rounds=10, settled=False)
    run.journal.engine("RUNNING")


@case("I12", "a minute after the faults all is well")
def _(run: Run) -> None:
    run.log.note("engine killed")
    run.log.note("engine started")
    run.log.note("engine ready")
    run.log.note("faults over")
    run.leave(run.enter())
    run.place("capi_entry_d2", "BUY")
    run.wait(60_000)


@case("I12", "an engine that does not come back is a violation", trips="the engine is not ready again")
def _(run: Run) -> None:
    run.log.note("engine killed")
    run.log.note("faults over")
    run.log.note("engine started")
    run.wait(60_000)


@case("I12", "it has a minute")
def _(run: Run) -> None:
    run.log.note("engine killed")
    run.log.note("faults over")
    run.wait(59_000)


@case(
    "I12", "a position without a stop at the end is a violation, SAFE MODE or not", trips="no working stop at the end"
)
def _(run: Run) -> None:
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.journal.engine("SAFE_MODE")
    run.journal.alert()
    run.log.note("faults over")
    run.wait(60_000)


@case("I12", "an order still in doubt is a violation", trips="capi_entry_d1 is UNKNOWN at the end, and does not live")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.journal.order("capi_entry_d1", "UNKNOWN")
    run.log.note("faults over")
    run.wait(60_000)


@case("I12", "so is one that lives, and is not recognised", trips="is still UNKNOWN though it lives at the venue")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.send("capi_entry_d1")
    run.log.place("capi_entry_d1", "BUY", "1")
    run.journal.order("capi_entry_d1", "UNKNOWN")
    run.log.note("faults over")
    run.wait(60_000)


@case("I12", "an order that lives at the venue alone is a violation", trips="lives at the venue at the end, and not in")
def _(run: Run) -> None:
    run.place("capi_entry_d1", "BUY")
    run.journal.order("capi_entry_d1", "CANCELLED")
    run.log.note("faults over")
    run.wait(60_000)


@case(
    "I12",
    "a harness that says quiescent leaves no time",
    trips="capi_entry_d1 is ACKNOWLEDGED at the end, and does not",
)
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.log.note("faults over")
    run.log.end(order)
    run.log.note("quiescent")


def with_limits(run: Run) -> None:
    run.log.lines[0]["limits"] = {"weight_1m": 100, "orders_1m": 40, "orders_10s": 10}
    run.log.now_ns += 60_000 * MS - run.log.now_ns % (60_000 * MS)


@case("I13", "the whole weight may be used, and again in the next minute")
def _(run: Run) -> None:
    with_limits(run)
    for _minute in range(2):
        run.log.request("GET /fapi/v1/openOrders", weight=100)
        run.wait(60_000)


@case("I13", "more is a violation, told once", trips="weight_1m reaches 101, above the venue's limit 100")
def _(run: Run) -> None:
    with_limits(run)
    run.log.request("GET /fapi/v1/openOrders", weight=96)
    run.log.record("connection", what="open", stream="ws_api", reason="", weight=5)
    run.wait(59_000)
    run.log.request("GET /fapi/v1/openOrders", weight=40)


@case("I13", "eleven orders in ten seconds are a violation", trips="orders_10s reaches 11, above the venue's limit 10")
def _(run: Run) -> None:
    with_limits(run)
    for number in range(11):
        run.log.record(
            "request", id=number, via="ws", method="order.modify", params={}, weight=0, orders=1,
        )  # fmt: skip


@case("I13", "a request during a ban is a violation", trips="comes 8000 ms before the pause of line 3 ends")
def _(run: Run) -> None:
    run.log.answer(run.log.request("GET /fapi/v1/openOrders"), 418, retry_after_s=10)
    run.wait(2000)
    run.log.request("GET /fapi/v1/openOrders")


@case("I13", "one that was under way when it began, and one after its end, are none")
def _(run: Run) -> None:
    run.log.answer(run.log.request("GET /fapi/v1/openOrders"), 429, retry_after_s=10)
    run.wait(900)
    run.log.answer(run.log.request("GET /fapi/v1/openOrders"), 429, retry_after_s=5)
    run.wait(9100)
    run.log.request("GET /fapi/v1/openOrders")


@case(
    "I13",
    "six entries of one decision are a violation",
    trips="capi_entry_d1_a6 is entry order 6 of decision d1 in all",
)
def _(run: Run) -> None:
    for attempt in range(1, 7):
        client_id = f"capi_entry_d1_a{attempt}"
        run.cancel(run.place(client_id, "BUY"), client_id)
        run.wait(30_000)


@case("I13", "an exit may be tried for long, but not without a pause", trips="is exit order 21 of decision d1 in 10 s")
def _(run: Run) -> None:
    for attempt in range(1, 42):
        client_id = f"capi_exit_d1_a{attempt}"
        run.journal.intent(client_id, "SELL", type="MARKET", reduce_only=True)
        run.log.refuse(run.send(client_id), -2022)
        run.journal.order(client_id, "REJECTED")
        run.wait(600 if attempt < 20 else 400)


@case("I13", "a seventh base stop that lives is a violation", trips="is the base stop 7 of BTCUSDT that lives")
def _(run: Run) -> None:
    run.enter()
    for attempt in range(2, 8):
        run.stop(f"capi_sl_d1_a{attempt}")


@case("I13", "six are not")
def _(run: Run) -> None:
    run.enter()
    for attempt in range(2, 7):
        run.stop(f"capi_sl_d1_a{attempt}")


def decided(run: Run) -> None:
    run.journal.plan("d1", run.log.now_ns)
    run.wait(600_000)


@case("I15", "an entry ten minutes after its decision may go out")
def _(run: Run) -> None:
    decided(run)
    run.place("capi_entry_d1", "BUY")


@case("I15", "one two seconds later may not", trips="capi_entry_d1 is sent 602 s after its decision")
def _(run: Run) -> None:
    decided(run)
    run.wait(2000)
    run.place("capi_entry_d1", "BUY")


@case("I15", "the note that fed it counts as well", trips="capi_entry_d1 is sent 700 s after its decision")
def _(run: Run) -> None:
    run.log.note("decision fed", key="d1", side="long", timestamp_ms=run.log.now_ns // MS)
    run.wait(700_000)
    run.place("capi_entry_d1", "BUY")


@case(
    "I15", "an entry that rests too long and fills is a violation", trips="capi_entry_d1 fills 606 s after its decision"
)
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    decided(run)
    run.wait(6000)
    run.fill(order, "capi_entry_d1")
    run.leave(run.stop("capi_sl_d1"))


@case("I15", "while the engine was down nobody could cancel it")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    decided(run)
    run.log.note("engine killed")
    run.wait(6000)
    run.log.note("engine started")
    run.log.note("engine ready")
    run.fill(order, "capi_entry_d1")
    run.leave(run.stop("capi_sl_d1"))


@case("A1", "a foreign order is not touched", trips="order.cancel touches web_1, which is not ours")
def _(run: Run) -> None:
    run.log.place("web_1", "BUY", "1")
    run.log.request("order.cancel", symbol=SYMBOL, origClientOrderId="web_1")


@case("A1", "our own is")
def _(run: Run) -> None:
    run.cancel(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")


def lost_entry(run: Run) -> None:
    """An entry whose answer never came; nothing shows whether it lived."""
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.log.answer(run.send("capi_entry_d1", recvWindow="2000"), 0)
    run.journal.order("capi_entry_d1", "UNKNOWN")


def not_found(run: Run, times: int) -> None:
    for _time in range(times):
        run.log.refuse(run.log.request("order.status", symbol=SYMBOL, origClientOrderId="capi_entry_d1"), -2013)


@case("A6", "three answers after the window prove an entry absent")
def _(run: Run) -> None:
    lost_entry(run)
    run.wait(3000)
    not_found(run, 3)
    run.journal.order("capi_entry_d1", "REJECTED")
    run.place("capi_entry_d1_a2", "BUY")


@case(
    "A6",
    "two do not",
    trips="follows capi_entry_d1, of which the venue said nothing, 3005 ms later and after 2 answers",
)
def _(run: Run) -> None:
    lost_entry(run)
    run.wait(3000)
    not_found(run, 2)
    run.journal.order("capi_entry_d1", "REJECTED")
    run.place("capi_entry_d1_a2", "BUY")


@case("A6", "nor do three within the window", trips="said nothing, 2905 ms later and after 3 answers")
def _(run: Run) -> None:
    lost_entry(run)
    run.wait(2900)
    not_found(run, 3)
    run.journal.order("capi_entry_d1", "REJECTED")
    run.place("capi_entry_d1_a2", "BUY")


@case("A6", "a refusal is proof at once, also one that says what failed")
def _(run: Run) -> None:
    for attempt, refusal in enumerate(((-2019, 400, ""), (-1001, 503, "Service Unavailable."), (-1008, 503, ""))):
        client_id = f"capi_entry_d1_a{attempt + 1}"
        run.journal.intent(client_id, "BUY", price="100")
        code, status, msg = refusal
        run.log.refuse(run.send(client_id), code, status, msg)
        run.journal.order(client_id, "REJECTED")


@case("A6", "an unknown error is none", trips="follows capi_entry_d1, of which the venue said nothing")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.log.refuse(run.send("capi_entry_d1"), -1000, 503, "Unknown error, please check your request")
    run.journal.order("capi_entry_d1", "REJECTED")
    run.place("capi_entry_d1_a2", "BUY")


@case(
    "A6", "an engine in doubt means no second entry", trips="capi_entry_d1_a2 is meant while capi_entry_d1 is UNKNOWN"
)
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.journal.order("capi_entry_d1", "UNKNOWN")
    run.place("capi_entry_d1_a2", "BUY")

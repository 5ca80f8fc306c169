"""What may be risked, protected and halted: I1, I3, I4, I5, I6, A2 to A5, A7, A8."""

from invariant_cases import Cases
from run_builder import Run
from venue_log_builder import SYMBOL

case = Cases()


@case("I1", "a second entry after the first was cancelled is none too many")
def _(run: Run) -> None:
    run.cancel(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.fill(run.place("capi_entry_d1_a2", "BUY"), "capi_entry_d1_a2")
    run.leave(run.stop("capi_sl_d1"))


@case("I1", "two live entries of one decision are a violation", trips="are live at the same time")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    run.send("capi_entry_d1")
    run.log.place("capi_entry_d1", "BUY", "1")
    run.journal.order("capi_entry_d1", "REJECTED")
    run.place("capi_entry_d1_a2", "BUY")


@case("I3", "a stop within two seconds is in time")
def _(run: Run) -> None:
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.wait(1900)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "a stop after three seconds is not", trips="line 5 [I3]: BTCUSDT had no working stop for 3")
def _(run: Run) -> None:
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.wait(3000)
    run.leave(run.stop("capi_sl_d1"))


def no_stop_can_be_placed(run: Run, *, state: str, alert: str) -> None:
    """The venue takes no stop; the engine gives up after 2 s and has closed the position after 3."""
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.wait(2100)
    run.journal.engine(state)
    run.journal.alert(alert)
    run.wait(900)
    run.fill(run.place("capi_exit_d1", "SELL", price=None, reduce_only=True), "capi_exit_d1", "99")


@case("I3", "where no stop can be placed, SAFE MODE and a critical alert are the answer")
def _(run: Run) -> None:
    no_stop_can_be_placed(run, state="SAFE_MODE", alert="CRITICAL")


@case("I3", "SAFE MODE alone calls nobody", trips="BTCUSDT had no working stop for 30")
def _(run: Run) -> None:
    no_stop_can_be_placed(run, state="SAFE_MODE", alert="WARNING")


@case("I3", "an alert alone stops nothing", trips="BTCUSDT had no working stop for 30")
def _(run: Run) -> None:
    no_stop_can_be_placed(run, state="RUNNING", alert="CRITICAL")


@case("I3", "without a network nobody can place a stop, and afterwards within six seconds")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.log.note("network cut")
    run.fill(order, "capi_entry_d1")
    run.wait(30_000)
    run.log.note("network restored")
    run.wait(5_900)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "after that it is too late", trips="ms past the deadline of the cut at line 4")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.log.note("network cut")
    run.fill(order, "capi_entry_d1")
    run.log.note("network restored")
    run.wait(6_100)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "a ban holds a stop back, for as long as it lasts and a moment")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.log.answer(run.log.request("GET /fapi/v1/openOrders"), 418, retry_after_s=10)
    run.fill(order, "capi_entry_d1")
    run.wait(12_900)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "and no longer", trips="ms past the deadline of the pause at line 5")
def _(run: Run) -> None:
    order = run.place("capi_entry_d1", "BUY")
    run.log.answer(run.log.request("GET /fapi/v1/openOrders"), 418, retry_after_s=10)
    run.fill(order, "capi_entry_d1")
    run.wait(13_100)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "a fill that no event told of may be found two seconds later, and after the lag of the listings")
def _(run: Run) -> None:
    run.log.record("event", stream="user", e="ORDER_TRADE_UPDATE", trade_id=77)
    run.log.record("fault", name="listing_lag_ms", detail={"ms": 1000})
    run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.wait(4900)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "but a fill that was told of may not", trips="had no working stop for 49")
def _(run: Run) -> None:
    run.log.record("fault", name="listing_lag_ms", detail={"ms": 1000})
    fill = run.fill(run.place("capi_entry_d1", "BUY"), "capi_entry_d1")
    run.log.record("event", stream="user", e="ORDER_TRADE_UPDATE", trade_id=fill["trade_id"])
    run.wait(4900)
    run.leave(run.stop("capi_sl_d1"))


@case("I3", "a stop that the venue dropped may be missing for twelve seconds")
def _(run: Run) -> None:
    run.log.algo(run.enter(), "VANISHED")
    run.wait(11_900)
    run.leave(run.stop("capi_sl_d1_a2"), stop_id="capi_sl_d1_a2")


@case("I3", "and not for thirteen", trips="had no working stop for 13")
def _(run: Run) -> None:
    run.log.algo(run.enter(), "VANISHED")
    run.wait(13_000)
    run.leave(run.stop("capi_sl_d1_a2"), stop_id="capi_sl_d1_a2")


@case("I4", "a tightened stop may join and leave again with the position")
def _(run: Run) -> None:
    stop = run.enter()
    tightened = run.stop("capi_slt_d1", trigger="100", quantity="1")
    run.fill(run.place("capi_exit_d1", "SELL", price=None, reduce_only=True), "capi_exit_d1", "101")
    run.cancel_stop(tightened, "capi_slt_d1")
    run.cancel_stop(stop, "capi_sl_d1")


@case("I4", "a tightened stop that leaves while the position is held is a violation", trips="which risks more")
def _(run: Run) -> None:
    run.enter()
    run.cancel_stop(run.stop("capi_slt_d1", trigger="100", quantity="1"), "capi_slt_d1")


def halt(run: Run, state: str = "HALTED") -> None:
    run.journal.engine("RUNNING")
    run.wait(100)
    run.journal.engine(state, epoch=1)


@case("I5", "an entry meant after the HALT is a violation", trips="was meant after the engine had become HALTED")
def _(run: Run) -> None:
    halt(run)
    run.place("capi_entry_d1", "BUY")


@case("I5", "so is one in SAFE MODE", trips="was meant after the engine had become SAFE_MODE")
def _(run: Run) -> None:
    halt(run, "SAFE_MODE")
    run.place("capi_entry_d1", "BUY")


@case("I5", "an entry that was under way may still arrive")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    halt(run)
    run.wait(900)
    run.send("capi_entry_d1")


@case("I5", "also when the harness notes the HALT at once")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    halt(run)
    run.log.note("engine halted")
    run.wait(900)
    run.send("capi_entry_d1")


@case("I5", "but not when it was meant afterwards", trips="can take new risk after the HALT")
def _(run: Run) -> None:
    run.log.note("engine halted")
    run.place("capi_entry_d1", "BUY")


@case("I5", "one that waited here may not", trips="takes risk 1100 ms after the engine became HALTED")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    halt(run)
    run.wait(1100)
    run.send("capi_entry_d1")


@case("I5", "unless its time stamp shows that it left before, and the network held it")
def _(run: Run) -> None:
    run.journal.intent("capi_entry_d1", "BUY", price="100")
    stamp = run.log.now_ns // 1_000_000
    halt(run)
    run.wait(9_000)
    run.send("capi_entry_d1", timestamp=str(stamp))


@case("I5", "closing goes on, and after a person resumed so do entries")
def _(run: Run) -> None:
    stop = run.enter()
    halt(run)
    run.leave(stop)
    run.log.note("engine resumed")
    run.journal.engine("RUNNING", epoch=1, reason="resumed: fixed")
    run.leave(run.enter("d2"), "d2")


def with_limits(run: Run) -> None:
    run.log.note("engine limits", max_order_notional="100", max_symbol_exposure="150", max_positions=1)


@case("I6", "orders at the limits pass")
def _(run: Run) -> None:
    with_limits(run)
    run.fill(run.place("capi_entry_d1", "BUY", "0.5"), "capi_entry_d1")
    run.leave(run.stop("capi_sl_d1"), quantity="0.5")
    run.place("capi_entry_d2", "BUY", "1")


@case("I6", "an order above the order limit is a violation", trips="is worth 101, above the order limit 100")
def _(run: Run) -> None:
    with_limits(run)
    run.place("capi_entry_d1", "BUY", "1.01")


@case("I6", "waiting orders count", trips="capi_entry_d2 takes BTCUSDT to 160, above the limit 150")
def _(run: Run) -> None:
    with_limits(run)
    run.place("capi_entry_d1", "BUY", "0.8")
    run.place("capi_entry_d2", "BUY", "0.8")


@case("I6", "what is held counts, at the mark price", trips="capi_entry_d2 takes BTCUSDT to 200, above the limit 150")
def _(run: Run) -> None:
    with_limits(run)
    run.enter()
    run.log.request("GET /fapi/v1/openOrders", mark="120", symbol=SYMBOL)
    run.place("capi_entry_d2", "BUY", "0.8")


@case("I6", "a market entry is worth the mark price that it met", trips="is worth 120, above the order limit 100")
def _(run: Run) -> None:
    with_limits(run)
    run.journal.intent("capi_entry_d1", "BUY", type="MARKET")
    run.send("capi_entry_d1", mark="120")
    run.log.place("capi_entry_d1", "BUY", "1", price="0")


@case("I6", "a position too many is a violation", trips="makes 2 positions, above the limit 1")
def _(run: Run) -> None:
    with_limits(run)
    run.log.fill(run.log.place("web_1", "BUY", "0.1", symbol="ETHUSDT"), "100")
    run.log.stop("web_2", "SELL", "90", symbol="ETHUSDT")
    run.place("capi_entry_d1", "BUY", "0.5")


def resting_rest(run: Run) -> int:
    """An entry of which half has filled, with its stop; returns the entry."""
    order = run.place("capi_entry_d1", "BUY")
    run.fill(order, "capi_entry_d1", "100", "0.5")
    run.stop("capi_sl_d1")
    return order


@case("A2", "an exit that cancels the entry's remainder first is in order")
def _(run: Run) -> None:
    run.cancel(resting_rest(run), "capi_entry_d1")
    run.place("capi_exit_d1", "SELL", "0.5", price=None, reduce_only=True)
    run.wait(2000)


@case("A2", "so is one whose cancel was overtaken, and one by the venue's id")
def _(run: Run) -> None:
    order = resting_rest(run)
    run.place("capi_exit_d1", "SELL", "0.5", price=None, reduce_only=True)
    run.wait(900)
    run.log.request("DELETE /fapi/v1/order", symbol=SYMBOL, orderId=str(order))
    run.wait(2000)


@case("A2", "an exit while the entry rests is a violation", trips="capi_exit_d1 is sent while capi_entry_d1 rests")
def _(run: Run) -> None:
    resting_rest(run)
    run.place("capi_exit_d1", "SELL", "0.5", price=None, reduce_only=True)
    run.wait(2000)


@case("A2", "an entry that fills meanwhile needs no cancel")
def _(run: Run) -> None:
    order = resting_rest(run)
    run.place("capi_exit_d1", "SELL", "0.5", price=None, reduce_only=True)
    run.fill(order, "capi_entry_d1", "100", "0.5")
    run.wait(2000)


@case("A3", "stops go last in a kill")
def _(run: Run) -> None:
    stop = run.enter()
    halt(run)
    run.wait(2000)
    run.leave(stop)


@case(
    "A3", "a stop cancelled while the kill goes on is a violation", trips="is cancelled during the HALT while 1 is held"
)
def _(run: Run) -> None:
    stop = run.enter()
    halt(run)
    run.wait(2000)
    run.log.request("algoOrder.cancel", clientAlgoId="capi_sl_d1")
    run.wait(100)
    run.leave(stop)


@case("A4", "a tightened stop may have a successor beside it for two seconds")
def _(run: Run) -> None:
    run.enter()
    first = run.stop("capi_slt_d1", trigger="100", quantity="1")
    run.stop("capi_slt_d1_a2", trigger="101", quantity="1")
    run.wait(1900)
    run.cancel_stop(first, "capi_slt_d1")
    run.wait(9000)


@case("A4", "and not for longer", trips="tightened stops for 2 BTCUSDT stand together, 1 was held at most")
def _(run: Run) -> None:
    run.enter()
    run.stop("capi_slt_d1", trigger="100", quantity="1")
    run.stop("capi_slt_d1_a2", trigger="101", quantity="1")
    run.wait(2100)


@case("A4", "two that share the position may stand for ever")
def _(run: Run) -> None:
    run.enter()
    run.stop("capi_slt_d1", trigger="100", quantity="0.5")
    run.stop("capi_slt_d1_a2", trigger="100", quantity="0.5")
    run.wait(9000)


@case("A5", "a person may resume")
def _(run: Run) -> None:
    halt(run)
    run.log.note("engine resumed")
    run.journal.engine("RUNNING", epoch=1)


@case("A5", "nobody else may", trips="the engine is RUNNING again though nobody resumed it")
def _(run: Run) -> None:
    halt(run)
    run.log.note("engine started")
    run.log.note("engine ready")
    run.journal.engine("RUNNING", epoch=1)


@case("A5", "nor from an earlier time", trips="the engine is PAUSED again though nobody resumed it")
def _(run: Run) -> None:
    run.log.note("engine resumed")
    halt(run, "SAFE_MODE")
    run.log.note("engine started")
    run.log.note("engine ready")
    run.journal.engine("PAUSED", epoch=1)


@case("A5", "a pause may end by itself")
def _(run: Run) -> None:
    halt(run, "PAUSED")
    run.journal.engine("RUNNING", epoch=1)


@case("A5", "an epoch that goes back is a violation", trips="the epoch goes back from 1 to 0")
def _(run: Run) -> None:
    halt(run, "PAUSED")
    run.journal.engine("RUNNING", epoch=0)


@case("A7", "a close that opens is a violation", trips="capi_exit_d1 may only close, but took BTCUSDT to -1")
def _(run: Run) -> None:
    run.fill(run.place("capi_exit_d1", "SELL", price=None, reduce_only=True), "capi_exit_d1")
    run.log.stop("web_1", "BUY", "110")


@case("A7", "a close that closes is none")
def _(run: Run) -> None:
    run.leave(run.enter())


@case(
    "A8", "an entry against its decision is a violation", trips="capi_entry_d1 filled against the side of decision d1"
)
def _(run: Run) -> None:
    run.log.fed("d1", "1", "short")
    run.leave(run.enter())


@case("A8", "an entry with it is none")
def _(run: Run) -> None:
    run.log.fed("d1", "1", "long")
    run.leave(run.enter())

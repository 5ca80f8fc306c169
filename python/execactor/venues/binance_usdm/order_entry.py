"""New orders and cancels on their way out: rate limit, last check, path, and what comes back."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import cast

import msgspec

from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.fitting import fitted
from execactor.domain.instrument import Instrument
from execactor.domain.order import OrderEvent, OrderIntent, RejectCause
from execactor.domain.reports import (
    Acknowledged,
    CancelResult,
    ConditionalReport,
    NotFound,
    OrderReport,
    Rejected,
    SubmitResult,
    Unknown,
    VenueEvent,
)
from execactor.venues.binance_frames import Unreadable
from execactor.venues.binance_usdm import answers, encode, limits, quirks, wire
from execactor.venues.binance_usdm.background import Background
from execactor.venues.binance_usdm.encode import Call
from execactor.venues.binance_usdm.error_codes import Reaction, Refusal
from execactor.venues.binance_usdm.rest import Rest
from execactor.venues.binance_usdm.settings import BinanceSettings
from execactor.venues.binance_usdm.venue_clock import VenueClock
from execactor.venues.binance_usdm.ws_api import Lost, Outcome, WsApi
from execactor.venues.port import Guard, OrderRef
from execactor.venues.rate_limit import RateLimiter
from execactor.venues.transport import AnswerLost, Clock, NotSent
from execactor.venues.waiting import Turn, WaitingRoom, turn_of

Body = bytes | msgspec.Raw

_NS_PER_MS = 1_000_000

logger = logging.getLogger(__name__)


class _Write:
    """One write until its outcome is known. intent: of a new order; an outcome that comes too late is told about it."""

    __slots__ = (
        "accept",
        "answer",
        "call",
        "client_id",
        "cost",
        "deadline_ns",
        "guard",
        "intent",
        "refitted",
        "refuse",
        "resent",
        "turn",
        "urgent",
    )

    def __init__(
        self,
        client_id: str,
        call: Call,
        guard: Guard,
        accept: Callable[[Body], Acknowledged],
        refuse: Callable[[Refusal], CancelResult],
        intent: OrderIntent | None,
        *,
        turn: Turn,
        urgent: bool,
        deadline_ns: int,
    ) -> None:
        self.client_id = client_id
        self.call = call
        self.cost = call.cost
        self.guard = guard
        self.accept = accept
        self.refuse = refuse
        self.intent = intent
        self.turn = turn
        self.urgent = urgent
        self.deadline_ns = deadline_ns
        self.resent = False
        self.refitted = False
        self.answer: asyncio.Future[CancelResult] = asyncio.get_running_loop().create_future()

    @property
    def abandoned(self) -> bool:
        """Whether its outcome is known, or nobody waits for it."""
        return self.answer.done()


class OrderEntry:
    """Sends orders and cancels, over the WebSocket API when it stands, else over REST.

    Over the WebSocket API the bytes are with the socket before `submit` returns; over REST they leave in one of the
    next turns of the loop. Nothing is sent twice, except once after refusals that prove that the first had no effect:
    -1021 and -5028 (the clock), and those by a filter (`rules` tells the present steps and ticks). An answer that
    comes after its request was given up as Unknown becomes a private event.
    """

    def __init__(
        self,
        settings: BinanceSettings,
        clock: Clock,
        venue_clock: VenueClock,
        limiter: RateLimiter,
        rest: Rest,
        ws_api: WsApi | None,
        on_event: Callable[[VenueEvent], None],
        rules: Callable[[], Awaitable[Mapping[str, Instrument]]],
    ) -> None:
        self._rules = rules
        self._settings = settings
        self._patience_ns = settings.rate_wait_ms * _NS_PER_MS
        self._clock = clock
        self._venue_clock = venue_clock
        self._limiter = limiter
        self._rest = rest
        self._ws_api = ws_api
        self._on_event = on_event
        self._background = Background()
        self._waiting = WaitingRoom(clock, limiter, self._send, self._give_up)
        self.counts: Counter[str] = Counter()

    def submit(self, intent: OrderIntent, guard: Guard) -> asyncio.Future[SubmitResult]:
        """See Venue.submit. With our clock more than 5 s off, only orders that reduce risk go out."""
        write = _Write(
            intent.client_id,
            encode.place(intent),
            guard,
            _placed if intent.trigger_price is None else _placed_conditional,
            Refusal.as_submit_result,
            intent,
            turn=turn_of(intent.role),
            urgent=intent.reduce_only or intent.close_position,
            deadline_ns=self._clock.monotonic_ns() + self._patience_ns,
        )
        self._waiting.enter(write)
        # A new order is never NotFound: `refuse` cannot give it.
        return cast("asyncio.Future[SubmitResult]", write.answer)

    def cancel(self, order: OrderRef) -> asyncio.Future[CancelResult]:
        """See Venue.cancel. An order that still waits for the rate limit is withdrawn, and was never sent."""
        waiting = self._waiting.withdraw(lambda each: each.intent is not None and each.client_id == order.client_id)
        write = _Write(
            order.client_id,
            encode.cancel(order),
            lambda: None,
            _cancelled_conditional if order.conditional and not order.child else _cancelled,
            Refusal.as_cancel_result,
            None,
            turn=Turn.EXIT_OR_CANCEL,
            urgent=True,
            deadline_ns=self._clock.monotonic_ns() + self._patience_ns,
        )
        if waiting is not None:
            self._finish(waiting, Rejected(reason="withdrawn before it was sent"))
            self._finish(write, NotFound(reason="it was never sent"))
        else:
            self._waiting.enter(write)
        return write.answer

    async def close(self) -> None:
        """Stop what is under way over REST; its outcome is Unknown."""
        await self._background.close()

    def _give_up(self, write: _Write, delay_ns: int) -> None:
        reason = self._limiter.stop_reason or "the order count is used up"
        self._finish(write, _try_again(f"rate limit: {reason}", delay_ns // _NS_PER_MS + 1))

    def _send(self, write: _Write) -> None:
        skewed = None if write.urgent else self._venue_clock.skew_problem()
        objection = skewed or write.guard()
        if objection is not None:
            self._finish(write, Rejected(reason=objection, cause=RejectCause.RISK))
            return
        self._limiter.spend(write.cost)
        if self._ws_api is not None and self._ws_api.ready and quirks.SAFE_UNQUOTED.fullmatch(write.call.names):
            try:
                self._ws_api.call(write.call, lambda outcome: self._answered(write, outcome))
            except NotSent:
                self.counts["order connection did not take it"] += 1
            else:
                return
        self._background.spawn(self._over_rest(write))

    async def _over_rest(self, write: _Write) -> None:
        call = write.call
        self.counts["writes over REST"] += 1
        try:
            body = await self._rest.send(call.verb, call.path, call.params, timeout_ms=self._settings.answer_timeout_ms)
        except NotSent as error:
            self._finish(write, _try_again(str(error), 0))
        except AnswerLost as error:
            self._finish(write, Unknown(reason=str(error)))
        except asyncio.CancelledError:
            self._finish(write, Unknown(reason="the adapter was closed before the answer came"))
            raise
        except Refusal as refusal:
            self._refused(write, refusal)
        else:
            self._accepted(write, body)

    def _answered(self, write: _Write, outcome: Outcome) -> None:
        if isinstance(outcome, Lost):
            self._finish(write, Unknown(reason=outcome.reason))
        elif 200 <= outcome.status < 300:
            self._accepted(write, outcome.result)
        else:
            error = outcome.error or wire.ErrorBody()
            refusal = Refusal(
                outcome.status,
                error.code,
                error.msg,
                now_ms=self._venue_clock.timestamp_ms(),
                retry_after_ms=limits.asked_wait_ms(error),
            )
            limits.honour(self._limiter, refusal)
            self._refused(write, refusal)

    def _accepted(self, write: _Write, body: Body) -> None:
        try:
            result: CancelResult = write.accept(body)
        except Unreadable as error:
            result = Unknown(reason=str(error))
        self._finish(write, result)

    def _refused(self, write: _Write, refusal: Refusal) -> None:
        self.counts[f"refused {refusal.code or refusal.status}"] += 1
        if refusal.rule.reaction is Reaction.RESEND and not write.resent and not write.answer.done():
            write.resent = True
            self._background.spawn(self._resend(write, refusal))
            return
        intent = write.intent
        if refusal.rule.reaction is Reaction.REFIT and intent is not None and not write.refitted:
            write.refitted = True
            self._background.spawn(self._refit(write, intent, refusal))
            return
        self._finish(write, write.refuse(refusal))

    async def _refit(self, write: _Write, intent: OrderIntent, refusal: Refusal) -> None:
        """Send once more under the same id, on the venue's present steps and ticks, if those move the order at all."""
        adjusted: OrderIntent | None = None
        try:
            instrument = (await self._rules()).get(intent.symbol)
            adjusted = None if instrument is None else fitted(intent, instrument)
        except (RetryLater, VenueFatal) as error:
            logger.warning("%s: the trading rules could not be read: %s", intent.client_id, error)
        except asyncio.CancelledError:
            self._finish(write, write.refuse(refusal))
            raise
        if adjusted is None or adjusted == intent:
            self._finish(write, write.refuse(refusal))
            return
        logger.warning("%s was refused (%s); adjusted to the venue's present rules", intent.client_id, refusal)
        self.counts["orders adjusted"] += 1
        write.call = encode.place(adjusted)
        write.deadline_ns = self._clock.monotonic_ns() + self._patience_ns
        self._waiting.enter(write)

    async def _resend(self, write: _Write, refusal: Refusal) -> None:
        """Send once more under the same id: the refusal proves that the first sending had no effect."""
        try:
            await self._rest.measure_clock(samples=1)
        except (RetryLater, VenueFatal):
            self._finish(write, write.refuse(refusal))
            return
        except asyncio.CancelledError:
            self._finish(write, write.refuse(refusal))
            raise
        write.deadline_ns = self._clock.monotonic_ns() + self._patience_ns
        self._waiting.enter(write)

    def _finish(self, write: _Write, result: CancelResult) -> None:
        if not write.answer.done():
            write.answer.set_result(result)
        elif write.intent is not None:
            self._tell_late(write.intent, result)

    def _tell_late(self, intent: OrderIntent, result: CancelResult) -> None:
        if isinstance(result, Acknowledged) and result.status is not None:
            self._on_event(result.status)
        elif isinstance(result, Rejected):
            self._on_event(_rejected_report(intent, result, self._venue_clock.timestamp_ms()))


def _try_again(reason: str, after_ms: int) -> Rejected:
    return Rejected(reason=reason, cause=RejectCause.OVERLOADED, retryable=True, retry_after_ms=after_ms)


def _placed(body: Body) -> Acknowledged:
    status = answers.order(body)
    return Acknowledged(venue_id=status.venue_id, status=status)


def _placed_conditional(body: Body) -> Acknowledged:
    status = answers.conditional(body)
    return Acknowledged(venue_id=status.venue_id, status=status)


_cancelled = _placed


def _cancelled_conditional(body: Body) -> Acknowledged:
    return Acknowledged(venue_id=answers.conditional_cancelled(body))


def _rejected_report(intent: OrderIntent, result: Rejected, time_ms: int) -> OrderReport | ConditionalReport:
    if intent.type.conditional and intent.trigger_price is not None:
        return ConditionalReport(
            symbol=intent.symbol,
            client_id=intent.client_id,
            venue_id="",
            event=OrderEvent.REJECTED,
            side=intent.side,
            order_type=intent.type,
            trigger_price=intent.trigger_price,
            quantity=intent.quantity,
            close_position=intent.close_position,
            reduce_only=intent.reduce_only,
            reason=result.reason,
            time_ms=time_ms,
        )
    return OrderReport(
        symbol=intent.symbol,
        client_id=intent.client_id,
        venue_id="",
        event=OrderEvent.REJECTED,
        side=intent.side,
        order_type=intent.type,
        quantity=intent.quantity or Decimal(0),
        reason=result.reason,
        time_ms=time_ms,
    )

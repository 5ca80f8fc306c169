"""Wiring: from a configuration to a journal, a venue and the actors of one account."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from execactor.actors.account import AccountActor
from execactor.actors.alert import AlertActor
from execactor.actors.context import AccountSettings, Context, Ref
from execactor.actors.decision_source import DecisionSourceActor
from execactor.actors.market import MarketActor, MarketBooks
from execactor.actors.order import OrderActor
from execactor.actors.position import PositionActor
from execactor.actors.reconciler import ReconcilerActor
from execactor.actors.risk import RiskActor
from execactor.actors.venue_gateway import EventRouter, VenueGateway
from execactor.config import Config, Credentials, Mode
from execactor.domain.errors import ConfigurationError, RetryLater
from execactor.domain.instrument import Instrument
from execactor.domain.messages.account import Alert, AlertLevel, EnterSafeMode
from execactor.loop_care import LoopCare
from execactor.runtime import (
    ActorSystem,
    ChildSpec,
    Clock,
    DeadLetter,
    StartChild,
    Strategy,
    Supervision,
    Supervisor,
    as_awaitable,
)
from execactor.store.journal import Journal
from execactor.store.lock import HALT_MARKER, AccountLock, account_fingerprint
from execactor.store.recovery import replay
from execactor.venues.binance_usdm.adapter import BinanceUsdm
from execactor.venues.binance_usdm.settings import TESTNET, BinanceSettings, MarginType, sim_urls
from execactor.venues.port import Venue
from execactor.venues.signing import Secret
from execactor.venues.transport import LiveTransport, Transport

logger = logging.getLogger(__name__)

MS = 1_000_000
SECOND = 1_000 * MS
CONNECT_S = 20.0
CLOCK_ERROR_MS = 5_000
"""How wrong our measure of the venue's clock may be: half of the longest round trip that a read may take, and more."""
STOP_DEADLINE_NS = 10 * SECOND

NEVER_GIVEN_UP = Supervision(keep_trying_ns=SECOND)
"""Others rely on every actor of the engine, and protection must go on as well as it can."""

T = TypeVar("T")


class OpenJournal(Protocol):
    """What opens the journal of an engine: the class itself, unless a simulation puts another disk under it."""

    def __call__(self, path: Path, *, account: str, now_ms: int, venue_ms: int) -> Journal: ...


class Assembly(msgspec.Struct, kw_only=True):
    """The running parts of one engine. root: the supervisor of all its actors; care: of the thread that they run on."""

    context: Context
    system: ActorSystem
    books: MarketBooks
    router: EventRouter
    lock: AccountLock
    root: Ref
    care: LoopCare


def make_venue(
    config: Config,
    credentials: Credentials,
    clock: Clock,
    *,
    transport: Transport | None = None,
    rng: random.Random | None = None,
) -> Venue:
    """The adapter that the configuration names, on real sockets by default. rng: see BinanceUsdm."""
    venue = config.venue
    settings = BinanceSettings(
        urls=TESTNET if config.mode is Mode.TESTNET else sim_urls(venue.rest_url, venue.ws_url),
        api_key=Secret(credentials.api_key),
        api_secret=Secret(credentials.api_secret),
        symbols=config.symbols,
        leverage=venue.leverage,
        margin_type=MarginType(venue.margin_type),
        order_path=venue.order_path,
        recv_window_ms=venue.recv_window_ms,
        answer_timeout_ms=venue.answer_timeout_ms,
    )
    return BinanceUsdm(settings, transport or LiveTransport(), clock, rng=rng)


def fingerprint(config: Config, credentials: Credentials) -> str:
    """Names the account in file names and logs without telling its key."""
    base = config.venue.rest_url if config.mode is Mode.SIM else str(config.mode)
    return account_fingerprint(config.venue.name, base, credentials.api_key)


def take_account(config: Config, account: str) -> AccountLock:
    """Lock the account and make the data directory; raises ConfigurationError when another engine holds it."""
    lock = AccountLock(config.lock_path, account)
    lock.acquire()
    try:
        config.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        lock.release()
        raise ConfigurationError("data_dir", str(config.data_path), f"cannot be made: {error.strerror}") from error
    return lock


def assemble(
    config: Config,
    account: str,
    lock: AccountLock,
    venue: Venue,
    instruments: Mapping[str, Instrument],
    clock: Clock,
    open_journal: OpenJournal = Journal,
) -> Assembly:
    """Open the journal, replay it, and start every actor; nothing is connected yet."""
    missing = [symbol for symbol in config.symbols if symbol not in instruments]
    if missing:
        raise ConfigurationError("symbols", missing, "the venue does not list them; correct the spelling")
    now_ms = clock.now_ns() // MS
    venue_ms = now_ms + int(venue.clock_offset_ms()) - CLOCK_ERROR_MS
    journal = open_journal(config.data_path / "journal.db", account=account, now_ms=now_ms, venue_ms=venue_ms)
    settings = AccountSettings(
        account=account,
        prefix=config.prefix,
        symbols=config.symbols,
        policy=config.policy(),
        limits=config.limits(),
        max_decision_age_ms=config.decisions.max_age_s * 1_000,
        reconcile_interval_ns=config.reconcile_interval_ns,
        position_poll_ns=config.reconcile.position_poll_ms * MS,
        order_poll_ns=config.reconcile.order_poll_s * SECOND,
        orphan_stop_fraction=config.protection.orphan_stop_fraction,
        halt_marker=config.data_path / HALT_MARKER,
    )
    context = Context(
        settings, journal, venue, instruments, clock, replay(journal.rows()), asyncio.get_running_loop().call_soon
    )
    system = ActorSystem(clock)
    books = MarketBooks(context)
    root = _start_actors(context, system, books)
    _watch(context, system)
    router = EventRouter(context, system.dispatcher.flush)
    care = LoopCare(context, system)
    return Assembly(context=context, system=system, books=books, router=router, lock=lock, root=root, care=care)


async def start_decision_source(assembly: Assembly, config: Config) -> None:
    """Watch the configured decisions, if there are any; it stops before all other actors."""
    if config.decisions.path:
        path = config.path(config.decisions.path)
        if not path.suffix:
            path.mkdir(parents=True, exist_ok=True)
        interval_ns = config.decisions.poll_ms * MS
        source = ChildSpec(
            name="decision_source", actor_class=DecisionSourceActor, args=(assembly.context, path, interval_ns)
        )
        await as_awaitable(assembly.root.ask(StartChild(source), block=False))


def _start_actors(context: Context, system: ActorSystem, books: MarketBooks) -> Ref:
    """Start the supervisors' tree; each actor comes after those that it relies on, and stops before them."""
    children = [
        ChildSpec(name="alert", actor_class=AlertActor, args=(context,)),
        ChildSpec(name="account", actor_class=AccountActor, args=(context,)),
        ChildSpec(name="gateway", actor_class=VenueGateway, args=(context,)),
        ChildSpec(name="risk", actor_class=RiskActor, args=(context,)),
        *(symbol_spec(context, symbol) for symbol in context.settings.symbols),
        ChildSpec(name="reconciler", actor_class=ReconcilerActor, args=(context,)),
        ChildSpec(name="market", actor_class=MarketActor, args=(context, books)),
    ]
    root = system.start(Supervisor, children, name="engine", intensity=NEVER_GIVEN_UP)
    # An actor's on_start runs once the loop turns, when every ref below is in place.
    for name in ("alert", "account", "gateway", "risk", "reconciler", "market"):
        setattr(context, name, system.lookup(name))
    for symbol in context.settings.symbols:
        order, position = system.lookup(f"order:{symbol}"), system.lookup(f"position:{symbol}")
        assert order is not None
        assert position is not None
        context.orders[symbol], context.positions[symbol] = order, position
    return root


def symbol_spec(context: Context, symbol: str) -> ChildSpec:
    """The actors of one symbol. They restart together when the OrderActor fails: the position's view derives from its.

    A request that the failure swallowed is so made again at once, not when patience with its answer ends.
    """
    actors = [
        ChildSpec(name=f"order:{symbol}", actor_class=OrderActor, args=(context, symbol)),
        ChildSpec(name=f"position:{symbol}", actor_class=PositionActor, args=(context, symbol)),
    ]
    options = {"strategy": Strategy.REST_FOR_ONE, "intensity": NEVER_GIVEN_UP}
    return ChildSpec(
        name=f"symbol:{symbol}", actor_class=Supervisor, args=(actors,), kwargs=options, stop_deadline_ns=None
    )


def _watch(context: Context, system: ActorSystem) -> None:
    """An actor that keeps failing means SAFE MODE; a message that was lost is an alert."""

    def escalated(ref: Ref, error: BaseException) -> None:
        reason = f"{ref.actor_class.__name__} keeps failing: {error}"
        if ref != context.account and not context.closing:
            context.account.tell(EnterSafeMode(reason=reason))

    def lost(letter: DeadLetter) -> None:
        if letter.actor != "alert" and not context.closing:
            kind = type(letter.message).__name__
            text = f"{kind} for {letter.actor} is a dead letter: {letter.reason}"
            context.alert.tell(Alert(level=AlertLevel.ERROR, code="DEAD_LETTER", text=text))

    system.on_escalation.append(escalated)
    system.dead_letters.subscribe(lost)


async def take_down(made: Assembly) -> None:
    """Stop every actor, close the connections and the journal, and leave the account to others."""
    made.context.closing = True
    made.care.stop()
    if await made.system.stop([made.root], STOP_DEADLINE_NS):
        logger.error("the actors did not stop in time and were aborted")
    await made.context.venue.close()
    made.context.recorder.end_turn()
    if not made.context.durable:
        logger.critical("the journal could not be written to its end: the next start learns the rest from the venue")
    made.context.journal.close()
    made.lock.release()


def report_of(made: Assembly) -> dict[str, Any]:
    """Figures of the runtime for people: latency by leg, journal position, the state of the loop."""
    context = made.context
    return {"latency_us": context.latencies.report(), "journal_seq": context.journal.seq, **made.care.report()}


async def persistently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again while the venue says "later", up to CONNECT_S; then its RetryLater is raised."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CONNECT_S
    pause_s = 0.1
    while True:
        try:
            return await attempt()
        except RetryLater as error:
            if loop.time() + pause_s > deadline:
                raise
            logger.warning("the venue cannot be reached yet: %s; trying again in %g s", error, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)

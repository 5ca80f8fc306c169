"""Carries out what a plan says of the world: the market's way, and everything that goes wrong in it."""

import math
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Literal

import msgspec

from execactor.simulation.plan import (
    ActorsFail,
    ClockDrift,
    ClockJump,
    DiskFull,
    ForcedClose,
    Incident,
    OtherHand,
    PartFills,
    Partition,
    Reset,
    Silence,
    Steer,
    StopVanishes,
    ThinBook,
    VenueFault,
    VenueRestart,
)
from execactor.simulation.stage import Stage
from execactor.simulator.admin import Admin
from execactor.simulator.errors import VenueError
from execactor.simulator.generator import GeneratedMarket
from execactor.simulator.orders import Order

MS = 1_000_000
DRIFT_STEP_MS = 50
THIN = 0.001
"""Of the usual sizes: less than any position of ours rests in the whole book then."""
BY_HAND = "by-hand-"
"""What the client ids of somebody else's resting orders begin with."""


class World:
    """Arms a plan's incidents on a stage. struck: how many did, by kind, beside those that the venue's log counts."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._other_hand = Admin(stage.venue, lambda: None)
        self._cuts = 0
        self._disks = 0
        self._restarts = 0
        self._drifts_until_ns = 0
        self._thin: dict[str, None] = {}
        self.struck: Counter[str] = Counter()

    def arm(self, incident: Incident, begin_ns: int) -> None:
        """Let it happen at its time."""
        self._stage.simulation.world_at(begin_ns + incident.at_ms * MS, self._happen, incident)

    def strike(self, incident: Incident) -> None:
        """Let it happen now."""
        self._happen(incident)

    def calm(self) -> None:
        """Nothing goes wrong from now on."""
        stage = self._stage
        stage.venue.faults.cease()
        stage.network.mend()
        stage.simulation.failures.share = 0
        stage.disk.refused = 0.0
        self._up_again()
        self._speak()
        for symbol in self._thin:
            self._liquidity(symbol, 1.0)
        self._drifts_until_ns = 0
        exchange = stage.venue.exchange
        exchange.quirks = msgspec.structs.replace(exchange.quirks, conditional_orders_listed_late=False)

    @property
    def strangers(self) -> list[Order]:
        """Somebody else's orders that rest."""
        return [order for order in self._stage.venue.exchange.orders.open() if order.client_id.startswith(BY_HAND)]

    def withdraw_strangers(self) -> None:
        """Somebody else cancels them."""
        for order in self.strangers:
            self._stage.venue.exchange.cancel(order)
            self._stage.venue.pulse.after(order.symbol.name)

    def _happen(self, incident: Incident) -> None:
        stage = self._stage
        if not isinstance(incident, Steer | VenueFault):
            self.struck[_kind(incident)] += 1
        match incident:
            case Steer(symbol=symbol, bps=bps, over_ms=over_ms):
                stage.steer(symbol, bps, over_ms / 1_000)
            case VenueFault(name=name, count=count, options=options):
                self._venue_fault(name, count, options)
            case Partition(lasts_ms=lasts_ms, up=up, down=down):
                self._cut(lasts_ms, up=up, down=down)
            case Reset(lasts_ms=lasts_ms):
                stage.network.reset()
                if lasts_ms:
                    self._cut(lasts_ms, up=True, down=True)
            case VenueRestart(lasts_ms=lasts_ms):
                self._restart_venue(lasts_ms)
            case Silence(lasts_ms=lasts_ms, stream=stream):
                self._silence(lasts_ms, stream)
            case ClockDrift(lasts_ms=lasts_ms, ms_per_s=ms_per_s):
                stage.note("clock drifts", ms=lasts_ms, ms_per_s=ms_per_s)
                self._drifts_until_ns = stage.simulation.timeline.now_ns + lasts_ms * MS
                self._drift(ms_per_s * MS * DRIFT_STEP_MS // 1_000)
            case ClockJump(by_ms=by_ms):
                stage.note("clock jump", ms=by_ms)
                stage.simulation.jump_wall_clock(by_ms * MS)
            case DiskFull(lasts_ms=lasts_ms, per_mille=per_mille):
                self._fill_disk(lasts_ms, per_mille / 1_000)
            case ActorsFail(lasts_ms=lasts_ms, per_mille=per_mille):
                stage.note("actors fail", per_mille=per_mille)
                stage.simulation.failures.share = per_mille / 1_000
                self._later(lasts_ms, self._actors_well)
            case ThinBook(lasts_ms=lasts_ms, symbol=symbol):
                self._thin[symbol] = None
                self._liquidity(symbol, THIN)
                self._later(lasts_ms, partial(self._liquidity, symbol, 1.0))
            case StopVanishes(symbol=symbol):
                self._drop_stop(symbol)
            case OtherHand():
                self._trade_for_somebody_else(incident)
            case ForcedClose():
                self._close_by_force(incident)
            case PartFills(symbol=symbol, per_mille=per_mille):
                self._fill_in_part(symbol, per_mille)

    def _venue_fault(self, name: str, count: int, options: dict[str, object]) -> None:
        venue = self._stage.venue
        if name == "listen_key_expired":
            self.struck[name] += 1
            venue.private.expire_key()
        elif name == "user_stream_disconnect":
            self.struck[name] += 1
            venue.private.disconnect("server restart")
        else:
            venue.faults.order(name, count, options)

    def _cut(self, lasts_ms: int, *, up: bool, down: bool) -> None:
        self._cuts += 1
        self._stage.note("network cut", ms=lasts_ms, up=up, down=down)
        self._stage.network.partition(lasts_ms * MS, up=up, down=down)
        self._later(lasts_ms, self._restored)

    def _restored(self) -> None:
        self._cuts -= 1
        if not self._cuts:
            self._stage.note("network restored")

    def _restart_venue(self, lasts_ms: int) -> None:
        self._restarts += 1
        self._cuts += 1
        self._stage.note("network cut", ms=lasts_ms, why="the venue restarts")
        self._stage.venue.context.down = True
        self._stage.network.reset()
        self._later(lasts_ms, self._restarted)

    def _restarted(self) -> None:
        self._restarts -= 1
        if not self._restarts:
            self._up_again()
        self._restored()

    def _up_again(self) -> None:
        self._stage.venue.context.down = False

    def _silence(self, lasts_ms: int, stream: Literal["private", "market", "public"]) -> None:
        self._stage.note("stream silent", ms=lasts_ms, stream=stream)
        if stream == "private":
            self._stage.venue.private.fall_silent()
        else:
            self._stage.venue.streams.fall_silent(stream)
        self._later(lasts_ms, self._speak)

    def _speak(self) -> None:
        self._stage.venue.private.speak()
        self._stage.venue.streams.speak()

    def _liquidity(self, symbol: str, fraction: float) -> None:
        market = self._stage.venue.markets[symbol]
        assert isinstance(market, GeneratedMarket)
        market.thin_out(fraction)
        self._stage.venue.pulse.after(symbol)

    def _drift(self, step_ns: int) -> None:
        simulation = self._stage.simulation
        if simulation.timeline.now_ns < self._drifts_until_ns:
            simulation.jump_wall_clock(step_ns)
            self._later(DRIFT_STEP_MS, partial(self._drift, step_ns))

    def _fill_disk(self, lasts_ms: int, refused: float) -> None:
        self._disks += 1
        self._stage.disk.refused = refused
        self._stage.note("disk full", ms=lasts_ms)
        self._later(lasts_ms, self._disk_has_room)

    def _disk_has_room(self) -> None:
        self._disks -= 1
        if not self._disks:
            self._stage.disk.refused = 0.0
            self._stage.note("disk restored")

    def _actors_well(self) -> None:
        self._stage.simulation.failures.share = 0

    def _drop_stop(self, symbol: str) -> None:
        conditional = self._stage.venue.exchange.conditional
        ours = [algo for algo in conditional.algos.open(symbol) if "_sl" in algo.client_id]
        if ours:
            conditional.vanish(ours[0], "dropped without a word")

    def _trade_for_somebody_else(self, hand: OtherHand) -> None:
        body = {"symbol": hand.symbol, "side": hand.side, "quantity": hand.quantity, "type": "MARKET"}
        if hand.rests_bps:
            listed = self._stage.venue.markets[hand.symbol]
            away = 1 + Decimal(hand.rests_bps if hand.side == "SELL" else -hand.rests_bps) / 10_000
            price = listed.symbol.price(listed.symbol.nearest_ticks(listed.mark * away))
            body |= {"type": "LIMIT", "price": str(price), "client_id": f"{BY_HAND}{hand.at_ms}"}
        self._try(lambda: self._other_hand.order(body))

    def _close_by_force(self, forced: ForcedClose) -> None:
        venue = self._stage.venue
        held = abs(venue.exchange.account.positions[forced.symbol].quantity)
        lots = math.ceil(held / venue.markets[forced.symbol].symbol.step * forced.per_cent / 100)
        name = f"autoclose-{venue.exchange.now_ms()}" if forced.why == "liquidation" else "adl_autoclose"
        self._try(lambda: venue.exchange.close_by_force(forced.symbol, lots, name))
        venue.pulse.after(forced.symbol)

    def _fill_in_part(self, symbol: str, per_mille: int) -> None:
        exchange = self._stage.venue.exchange
        for order in exchange.orders.open(symbol):
            if not order.client_id.startswith(BY_HAND):
                exchange.fill_resting(order, max(1, order.remaining * per_mille // 1_000))
        self._stage.venue.pulse.after(symbol)

    @staticmethod
    def _try(call: Callable[[], object]) -> None:
        """What the venue refuses to somebody else is no concern of ours."""
        try:
            call()
        except VenueError:
            return

    def _later(self, ms: int, call: Callable[[], None]) -> None:
        timeline = self._stage.simulation.timeline
        self._stage.simulation.world_at(timeline.now_ns + ms * MS, call)


def _kind(incident: Incident) -> str:
    """StopVanishes -> stop_vanishes, as the venue's faults are named."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(incident).__name__).lower()

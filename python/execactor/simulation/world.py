"""Carries out what a plan says of the world: the market's way, and everything that goes wrong in it."""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from execactor.simulation.plan import (
    ActorsFail,
    ClockJump,
    DiskFull,
    ForeignOrder,
    Incident,
    OtherHand,
    Partition,
    Reset,
    Steer,
    StopVanishes,
    VenueFault,
)
from execactor.simulation.stage import Stage
from execactor.simulator.admin import Admin
from execactor.simulator.orders import Order, OrderRequest

MS = 1_000_000
_FAR_BELOW = Decimal("0.9")
_FOREIGN_NOTIONAL = Decimal(1_000)


class World:
    """Arms a plan's incidents on a stage. struck: how many did, by kind, beside those that the venue's log counts."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._admin = Admin(stage.venue, lambda: None)
        self._cuts = 0
        self._disks = 0
        self._foreign: list[Order] = []
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
        stage.disk.full = False
        for order in self._foreign:
            self._take_back(order)

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
            case ClockJump(by_ms=by_ms):
                stage.note("clock jump", ms=by_ms)
                stage.simulation.jump_wall_clock(by_ms * MS)
            case DiskFull(lasts_ms=lasts_ms):
                self._fill_disk(lasts_ms)
            case ActorsFail(lasts_ms=lasts_ms, per_mille=per_mille):
                stage.note("actors fail", per_mille=per_mille)
                stage.simulation.failures.share = per_mille / 1_000
                self._later(lasts_ms, self._actors_well)
            case StopVanishes(symbol=symbol):
                self._drop_stop(symbol)
            case OtherHand(symbol=symbol, side=side, quantity=quantity):
                self._admin.trade({"symbol": symbol, "side": side, "quantity": quantity})
            case ForeignOrder(symbol=symbol, lasts_ms=lasts_ms):
                self._rest_foreign_order(symbol, lasts_ms)

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

    def _fill_disk(self, lasts_ms: int) -> None:
        self._disks += 1
        self._stage.disk.full = True
        self._stage.note("disk full", ms=lasts_ms)
        self._later(lasts_ms, self._disk_has_room)

    def _disk_has_room(self) -> None:
        self._disks -= 1
        if not self._disks:
            self._stage.disk.full = False
            self._stage.note("disk restored")

    def _actors_well(self) -> None:
        self._stage.simulation.failures.share = 0

    def _drop_stop(self, symbol: str) -> None:
        conditional = self._stage.venue.exchange.conditional
        ours = [algo for algo in conditional.algos.open(symbol) if "_sl" in algo.client_id]
        if ours:
            conditional.vanish(ours[0], "dropped without a word")

    def _rest_foreign_order(self, name: str, lasts_ms: int) -> None:
        venue = self._stage.venue
        symbol, mark = venue.markets[name].symbol, venue.markets[name].mark
        order = venue.exchange.place(
            OrderRequest(
                symbol=symbol,
                side="BUY",
                type="LIMIT",
                ticks=symbol.nearest_ticks(mark * _FAR_BELOW),
                lots=int(_FOREIGN_NOTIONAL / mark / symbol.step),
                client_id=f"another-hand-{len(self._foreign)}",
            )
        )
        venue.pulse.after(name)
        self._foreign.append(order)
        self._later(lasts_ms, partial(self._take_back, order))

    def _take_back(self, order: Order) -> None:
        if order.is_open:
            self._stage.venue.exchange.cancel(order)
            self._stage.venue.pulse.after(order.symbol.name)

    def _later(self, ms: int, call: Callable[[], None]) -> None:
        timeline = self._stage.simulation.timeline
        self._stage.simulation.world_at(timeline.now_ns + ms * MS, call)


def _kind(incident: Incident) -> str:
    """StopVanishes -> stop_vanishes, as the venue's faults are named."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(incident).__name__).lower()
